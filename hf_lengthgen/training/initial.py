"""Starting from another model's weights: fine-tuning to a new task, length range or position embedding."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import torch

OPEN, CLOSED = 3.0, -1.0  # gate logits that a relation starts from: open in the old model, or not


class Inherited(NamedTuple):
    """Names of the parameters that came from the old model, and of those that start fresh."""

    taken: list[str]
    fresh: list[str]


def load_initial(model: Any, tokenizer: Any, source: str, label: str | None = None) -> Inherited:
    """Copies into `model` every parameter of the model `source` (folder or Hub name) that has its name and shape.

    Rows of token embedding and output layer go by the token's text, since tasks have different vocabularies; what opens
    a row, <bos> or the mark of a task, starts from what opened the old model's rows (`_opening`). A hardened LBPE model
    opens its gates again: the relations it uses start open, the others half shut. What does not fit (another position
    embedding, say) starts fresh.

    label: the task of a `model` for one.

    Raises ValueError if `source` cannot be had, holds no model of ours, or one of another width;
    `VerifyError` if reading it could run code.
    """
    from ..hub.loading import find_folder, load_folder

    try:
        old, old_tokenizer = load_folder(find_folder(source))
    except OSError as problem:
        raise ValueError(f"init_from: {problem}") from None
    if old.config.hidden_size != model.config.hidden_size:
        raise ValueError(
            f"Nothing of {source!r} fits: it has hidden_size {old.config.hidden_size}, this model "
            f"{model.config.hidden_size}."
        )
    old = old.to("cpu")
    state = dict(old.named_parameters()) | _reopened(model, old)
    rows = _common_rows(old_tokenizer, tokenizer) | _opening(old_tokenizer, tokenizer, label)
    vocabulary = {id(m.weight) for m in (model.get_input_embeddings(), model.get_output_embeddings())}
    taken, fresh = [], []
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            given = state.get(name)
            if id(parameter) in vocabulary and given is not None and given.shape[1:] == parameter.shape[1:]:
                for ours, theirs in rows.items():
                    parameter[ours] = given[theirs].mean(0).to(parameter)
                taken.append(name)
            elif given is not None and given.shape == parameter.shape:
                parameter.copy_(given)
                taken.append(name)
            else:
                fresh.append(name)
    return Inherited(taken, fresh)


def tell(inherited: Inherited, source: str) -> None:
    """One line on standard error: how much came from the old model."""
    fresh = ", ".join(inherited.fresh[:3]) + (", …" if len(inherited.fresh) > 3 else "")
    print(
        f"{len(inherited.taken)} parameters start from {source}; fresh: {fresh or 'none'}.", file=sys.stderr, flush=True
    )


def _common_rows(old: Any, new: Any) -> dict[int, list[int]]:
    """Ids in the new tokenizer -> that in the old one, of the tokens that both have."""
    theirs = old.get_vocab()
    return {row: [theirs[token]] for token, row in new.get_vocab().items() if token in theirs}


def _opening(old: Any, new: Any, label: str | None) -> dict[int, list[int]]:
    """The same of what opens a row, <bos> or the mark of a task, where the old model has not met it in this place: it
    is the mean of these old tokens, the old <bos> or, of a model for several tasks, the mark of the task `label` or,
    for a task that it has not met, of all of them."""
    from ..data.mixed import task_labels, task_mark

    theirs, before, now = old.get_vocab(), task_labels(old), task_labels(new)
    marks = [theirs[task_mark(name)] for name in before]
    if not now:
        own = theirs.get(task_mark(label)) if label in before else None
        return {new.bos_token_id: marks if own is None else [own]} if marks else {}
    return {new.get_vocab()[task_mark(name)]: marks or [old.bos_token_id] for name in now if name not in before}


def _reopened(model: Any, old: Any) -> dict[str, torch.Tensor]:
    """Gates and weights of `model`'s LBPE layers that stand for the relations a hardened `old` has open."""
    state = {}
    modules = dict(old.named_modules())
    for name, layer in model.named_modules():
        hard = modules.get(name)
        soft = getattr(layer, "dictionary", None) is not None and getattr(layer, "gate", None) is not None
        if not soft or getattr(hard, "hard", None) is None or hard.num_heads != layer.num_heads:
            continue
        columns = {str(relation): column for column, relation in enumerate(layer.dictionary.relations)}
        columns["other"] = len(columns)
        weight, gate = layer.weight.detach().clone(), torch.full_like(layer.gate, CLOSED)
        for head, texts in enumerate(hard.open_relations()):
            for slot, text in enumerate(texts):
                if text in columns:
                    weight[head, columns[text]] = hard.weight[head, slot].detach()
                    gate[head, columns[text]] = OPEN
        state |= {f"{name}.weight": weight, f"{name}.gate": gate}
    return state
