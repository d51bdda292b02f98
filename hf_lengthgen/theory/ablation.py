"""Which of the relations that a trained LBPE opened decide its answers: exact match with each of them closed in turn.

    python -m hf_lengthgen.theory.ablation MODEL --n 1000 --output closed.json

[Our own analysis.] The relations are closed one at a time, in all heads and layers that opened them, after training.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..exit_code import Parser, exit_code
from ..files import check_file, write_json


@contextmanager
def closed(model: Any, relation: str) -> Iterator[None]:
    """Within it, no head of a hardened LBPE model reads through the relation (as `model.relations()` writes it).

    Raises:
        ValueError: the model's embedding has no relations of its own that are settled, or no head opened this one.
    """
    import torch

    places = [
        (layer, head, slot)
        for layer in _layers(model)
        for head, texts in enumerate(layer.open_texts)
        for slot, text in enumerate(texts)
        if text == relation
    ]
    if not places:
        raise ValueError(f"no head opened {relation!r}; open are {'; '.join(open_relations(model))}.")
    before = [layer.weight[head, slot].item() for layer, head, slot in places]
    with torch.no_grad():
        for layer, head, slot in places:
            layer.weight[head, slot] = -torch.inf  # the logarithm of its weight
    try:
        yield
    finally:
        with torch.no_grad():
            for (layer, head, slot), weight in zip(places, before, strict=True):
                layer.weight[head, slot] = weight


def open_relations(model: Any) -> list[str]:
    """The relations that some head opened, each once. ValueError as in `closed`."""
    return list(dict.fromkeys(text for layer in _layers(model) for texts in layer.open_texts for text in texts))


def _layers(model: Any) -> list[Any]:
    layers = list(getattr(model.model, "positions", []))
    if not layers or not all(getattr(layer, "hard", None) is not None for layer in layers):
        raise ValueError(
            "only a trained model with position_embedding='lbpe' and gates that are settled has relations to close."
        )
    return layers


def ablation(
    model: Any,
    tokenizer: Any,
    task: Any,
    n: Any,
    examples: int = 64,
    seed: int = 1234,
    progress: Callable[[str, int], None] = lambda relation, right: None,
) -> dict[str, int]:
    """How many examples of scale n are right, teacher-forced: "" -> as the model is, relation -> without it.

    The examples are those of `evaluate_lengths` with the same seed. progress: called with each of these as soon as it
    is known. Raises: what `evaluate_lengths` and `closed` raise.
    """
    from ..evaluation.lengths import evaluate_lengths

    def right() -> int:
        return evaluate_lengths(model, tokenizer, task, [n], examples, mode="teacher", seed=seed)[0].correct

    relations = open_relations(model)
    found = {"": right()}
    for relation in relations:
        with closed(model, relation):
            found[relation] = right()
        progress(relation, found[relation])
    return found


def run(arguments: list[str]) -> dict[str, Any]:
    """The command; returns the result, and with --output writes it."""
    from ..evaluation.table import columns
    from ..hub.loading import find_folder, load_folder
    from ..portable import portable
    from ..training import saving
    from ..training.mixture import part_to_evaluate
    from ..training.values import convert

    parser = Parser(prog="python -m hf_lengthgen.theory.ablation", description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder of a model, or its name on the Hub")
    parser.add_argument("--n", required=True, help="scale of the examples, such as 1000 or 30x100")
    parser.add_argument("--examples", type=int, default=64, help="default: 64")
    parser.add_argument("--seed", type=int, default=1234, help="of the examples (default: 1234)")
    parser.add_argument("--output", metavar="FILE", help="write the result there (JSON)")
    chosen = parser.parse_args(arguments)
    (n,) = convert([chosen.n], list, "--n", scales=True)
    check_file("--output", chosen.output)
    folder = find_folder(chosen.model)
    config, _ = saving.read_training(folder)
    model, tokenizer = load_folder(folder)
    _, task, tokenizer, options = part_to_evaluate(folder, tokenizer, None, {})

    def tell(relation: str, right: int) -> None:
        print(f"without {relation}: {right} of {chosen.examples}", file=sys.stderr, flush=True)

    found = ablation(model, tokenizer, task, n, chosen.examples, chosen.seed, tell)
    result = {
        "command": portable(["python", "-m", "hf_lengthgen.theory.ablation", *arguments]),
        "model": {"task": task.name, "task_options": options, "seed": config.seed, "steps": config.steps},
        "n": n,
        "examples": chosen.examples,
        "right": found.pop(""),
        "right_without": found,
    }
    if chosen.output is not None:
        write_json(Path(chosen.output), result)
    rows = [(str(right), f"without {relation}") for relation, right in sorted(found.items(), key=lambda pair: pair[1])]
    print(columns([("right", f"of {chosen.examples}"), (str(result["right"]), "as it is"), *rows]))
    return result


def main(arguments: list[str] | None = None) -> int:
    """Exit code 2 for bad input, told in one line."""
    return exit_code(lambda: run(sys.argv[1:] if arguments is None else arguments))


if __name__ == "__main__":
    sys.exit(main())
