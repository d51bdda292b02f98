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


def load_initial(model: Any, tokenizer: Any, source: str) -> Inherited:
    """Copies into `model` every parameter of the model `source` (folder or Hub name) that has its name and shape.

    Rows of token embedding and output layer go by the token's text, since tasks have different vocabularies; the marks
    of several tasks, where the old model has none, start from its <bos>, in whose place they stand. A
    hardened LBPE model opens its gates again: the relations it uses start open, the others half shut. What does
    not fit (another position embedding, say) starts fresh.

    Raises ValueError if `source` cannot be had, holds no model of ours, or one of another width, so that nothing fits;
    `VerifyError` if reading it could run code.
    """
    from ..hub.loading import find_folder, load_folder

    try:
        old, old_tokenizer = load_folder(find_folder(source))
    except OSError as problem:
        raise ValueError(f"init_from: {problem}") from None
    old = old.to("cpu")
    state = dict(old.named_parameters()) | _reopened(model, old)
    rows = _common_rows(old_tokenizer, tokenizer)
    vocabulary = {id(m.weight) for m in (model.get_input_embeddings(), model.get_output_embeddings())}
    taken, fresh = [], []
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            given = state.get(name)
            if id(parameter) in vocabulary and given is not None and given.shape[1:] == parameter.shape[1:]:
                ours, theirs = rows
                parameter[ours] = given[theirs].to(parameter)
                taken.append(name)
            elif given is not None and given.shape == parameter.shape:
                parameter.copy_(given)
                taken.append(name)
            else:
                fresh.append(name)
    if not taken:
        raise ValueError(
            f"Nothing of {source!r} fits: it has hidden_size {old.config.hidden_size}, this model "
            f"{model.config.hidden_size}."
        )
    return Inherited(taken, fresh)


def tell(inherited: Inherited, source: str) -> None:
    """One line on standard error: how much came from the old model."""
    fresh = ", ".join(inherited.fresh[:3]) + (", …" if len(inherited.fresh) > 3 else "")
    print(
        f"{len(inherited.taken)} parameters start from {source}; fresh: {fresh or 'none'}.", file=sys.stderr, flush=True
    )


def _common_rows(old: Any, new: Any) -> tuple[list[int], list[int]]:
    """Ids, in the new and in the old tokenizer, of the tokens that both have, and of new marks of tasks and <bos>."""
    from ..data.mixed import task_labels, task_mark

    theirs, ours = old.get_vocab(), new.get_vocab()
    pairs = [(row, theirs[token]) for token, row in ours.items() if token in theirs]
    marks = [task_mark(label) for label in task_labels(new)]
    pairs += [(ours[mark], old.bos_token_id) for mark in marks if mark not in theirs]
    return [ours for ours, _ in pairs], [row for _, row in pairs]


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
