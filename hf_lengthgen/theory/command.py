"""`lengthgen src`: what a task needs, and what an embedding can carry, before anything is trained."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..files import check_file
from ..leftover import dotted_options

_ABOUT = """\
Finds, from samples alone, the smallest sets of position relations through which the next token can be told, and says
whether their number of operators (SRC) stays constant with the scale. docs/theory.md has the definitions.

  lengthgen src addition --format order=plain                        a task, in a format of its own
  lengthgen src addition --position_embedding rope --scale_hint none   and how far that embedding carries it
  lengthgen src --data my_rows.parquet --answer_after "="            any data with columns text and n
  lengthgen src --grid main --output predictions.json                predictions for every cell of a comparison
  lengthgen src --predictions predictions.json --results results/main     predictions held against results
  lengthgen src --learned results/addition                           relations that LBPE learned, against needed ones
"""


_SEARCH = ("n_max", "limit", "seed", "scale_hint", "output")
# What each mode looks at; `task_options` and `position_options` are the dotted ones.
_OPTIONS = {
    "task": (*_SEARCH, "format", "task_options", "held_out", "position_embedding", "position_options", "figure"),
    "data": (*_SEARCH, "answer_after", "delimiters"),
    "grid": ("seed", "output"),
    "predictions": ("results",),
    "learned": (),
}
_MODES = {"task": "the name of a task"} | {name: f"--{name}" for name in _OPTIONS if name != "task"}
_DEFAULTS = {"delimiters": "", "limit": 8, "seed": 0, "scale_hint": "prompt"}


def add_parser(commands: Any) -> None:
    """Adds the command to a parser's `commands` (what `add_subparsers` returns)."""
    src = commands.add_parser(
        "src",
        help="which relations a task needs, and how far an embedding carries them",
        description=_ABOUT,
        epilog="Options of the task: --task_options.NAME VALUE; of the embedding: --position_options.NAME VALUE",
    )
    src.add_argument("task", nargs="?", help="name of a task")
    src.add_argument("--format", nargs="+", metavar="NAME=VALUE", help="options of the task, such as order=plain")
    src.add_argument("--data", metavar="PATH", help="a Parquet file, or a folder of them, instead of a task")
    src.add_argument("--answer_after", metavar="TEXT", help="data: the answer begins behind this")
    src.add_argument("--delimiters", metavar="CHARACTERS", help="data: what closes the tokens of each hint")
    src.add_argument("--n_max", type=int, help="largest scale searched (default: 12; data: the median)")
    src.add_argument("--held_out", type=int, nargs="+", metavar="N", help="longer scales that test what is found")
    src.add_argument("--limit", type=int, help="most relations in a set (default: 8)")
    src.add_argument("--seed", type=int, help="seed of the samples (default: 0)")
    src.add_argument("--scale_hint", choices=["none", "input", "prompt"], help="default: prompt")
    src.add_argument("--position_embedding", metavar="NAME", help="predict how far it carries the task")
    src.add_argument("--figure", metavar="FILE", help="draw LRC against n under several embeddings: .svg or .png")
    src.add_argument("--output", metavar="FILE", help="write what was found, or the predictions, as JSON")
    src.add_argument("--grid", metavar="NAME", help="a comparison, such as main, or its YAML file: predict its cells")
    src.add_argument("--predictions", metavar="FILE", help="hold these predictions against --results")
    src.add_argument("--results", nargs="+", metavar="PATH", help="result files, or folders that hold them")
    src.add_argument("--learned", nargs="+", metavar="PATH", help="precision and recall of the relations in results")
    src.set_defaults(run=run)


def run(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    """Runs `lengthgen src`. ValueError for arguments that do not go together."""
    modes = [name for name in ("task", "data", "grid", "predictions", "learned") if getattr(chosen, name)]
    if len(modes) != 1:
        given = " and ".join(modes) or "none"
        raise ValueError(f"src takes one of a task, --data, --grid, --predictions and --learned, got {given}.")
    task_options, position_options = _dotted(rest, chosen.format)
    _check_options(modes[0], chosen, rest)
    for name, default in _DEFAULTS.items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, default)
    if chosen.seed < 0:
        raise ValueError(f"--seed must be at least 0, got {chosen.seed}.")
    {"task": _task, "data": _data, "grid": _grid, "predictions": _agreement, "learned": _learned}[modes[0]](
        chosen, task_options, position_options, command
    )


def _check_options(mode: str, chosen: argparse.Namespace, rest: list[str]) -> None:
    """ValueError for an option that the mode would ignore."""
    given = {f"--{name}": name for names in _OPTIONS.values() for name in names if _is_given(chosen, name)}
    given |= {word.partition("=")[0]: word[2:].partition(".")[0] for word in rest if word.startswith("--")}
    for word, name in given.items():
        takers = [_MODES[other] for other, names in _OPTIONS.items() if name in names]
        if name not in _OPTIONS[mode]:
            listed = " or ".join(filter(None, (", ".join(takers[:-1]), takers[-1])))
            raise ValueError(f"{word} goes with {listed}, not with {_MODES[mode]}.")


def _is_given(chosen: argparse.Namespace, name: str) -> bool:
    return getattr(chosen, name, None) is not None


def _dotted(rest: list[str], format_words: list[str] | None) -> tuple[dict, dict]:
    """(task options, position options) from `--task_options.x 1`, `--position_options.y 2` and `--format x=1`."""
    words = list(rest)
    for word in format_words or []:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ValueError(f"--format takes words like order=plain, got {word!r}.")
        words += [f"--task_options.{name}", value]
    options = dotted_options(words, "task_options", "position_options")
    return options["task_options"], options["position_options"]


def _task(chosen: argparse.Namespace, task_options: dict, position_options: dict, command: str) -> None:
    from ..tasks import get_task
    from ..tasks.task import check_integer

    task = get_task(chosen.task, **task_options)
    if position_options and not chosen.position_embedding:
        raise ValueError("--position_options go with --position_embedding NAME.")
    n_max = 12 if chosen.n_max is None else chosen.n_max
    if chosen.figure:
        from ..evaluation.plot import check_format
        from .lrc import task_levels

        check_format(chosen.figure)
        task_levels(task, 1)  # refuses a task of several scales
    if chosen.position_embedding:
        from .predict import carrier_for

        check_integer("n_max", n_max, 2)
        carrier_for(task, chosen.position_embedding, position_options, chosen.scale_hint)
    for option, path in (("--figure", chosen.figure), ("--output", chosen.output)):
        check_file(option, path)
    from .discovery import discover

    search = {"held_out": chosen.held_out, "limit": chosen.limit, "seed": chosen.seed}
    found = discover(task, n_max=n_max, scale_hint=chosen.scale_hint != "none", compare=True, **search)
    print(describe(found, task.name))
    if task.ideal_relations:
        print(f"  stated with the task: {'; '.join(task.ideal_relations)}")
    record = {"task": task.name, "task_options": task_options, "command": command, "discovery": found.to_dict()}
    if chosen.position_embedding:
        from ..evaluation.labels import variant_name
        from .predict import predict

        prediction = predict(
            task.name,
            chosen.position_embedding,
            chosen.scale_hint,
            n_max,
            task_options=task_options,
            position_options=position_options,
            **search,
        )
        name = variant_name(chosen.position_embedding, chosen.scale_hint, position_options)
        print(f"\n{name}, trained on n <= {n_max}: {prediction.headline()}\n  {prediction.reason}")
        record["prediction"] = prediction.to_dict()
    _write(chosen.output, record)
    if chosen.figure:
        from .lrc import lrc_curves, plot_lrc

        relations = found.relations or task.ideal_relations
        if relations:
            print(f"\n{plot_lrc(lrc_curves(task, relations), chosen.figure, f'LRC of {task.name}')}")
        else:
            print(f"\nno figure: there are no relations of {task.name!r} whose LRC could be drawn.")


def _data(chosen: argparse.Namespace, task_options: dict, position_options: dict, command: str) -> None:
    check_file("--output", chosen.output)
    from .discovery import discover
    from .user_rows import dataset_rows, open_dataset

    rows = dataset_rows(open_dataset(chosen.data), chosen.answer_after, chosen.delimiters)
    hinted = chosen.scale_hint != "none"
    found = discover(
        rows=rows, n_max=chosen.n_max, scale_hint=hinted, limit=chosen.limit, seed=chosen.seed, compare=True
    )
    print(describe(found, f"{chosen.data} ({len(rows):,} rows)"))
    _write(chosen.output, {"data": chosen.data, "command": command, "discovery": found.to_dict()})


def _grid(chosen: argparse.Namespace, task_options: dict, position_options: dict, command: str) -> None:
    from ..compare.grid import load_grid
    from ..evaluation.labels import variant_name
    from .predict import predict_cells

    grid = load_grid(chosen.grid)
    check_file("--output", chosen.output)
    predictions = predict_cells((cell.config for cell in grid.cells), chosen.seed)
    for p in predictions:
        options = f" {p.task_options}" if p.task_options else ""
        variant = variant_name(p.position_embedding, p.scale_hint, p.position_options)
        chained = " (no bound for reads that follow one another)" if p.chained != p.largest else ""
        print(f"{p.task}{options}, {variant}: {p.headline()}{chained}; {p.reason}")
    counted = sum(p.largest is None for p in predictions)
    print(f"{len(predictions)} predictions, {counted} of them none.")
    _write(chosen.output, {"command": command, "predictions": [p.to_dict() for p in predictions]})


def _agreement(chosen: argparse.Namespace, task_options: dict, position_options: dict, command: str) -> None:
    from ..evaluation.report import load_results
    from .agreement import agreement
    from .predict import load_predictions

    if not chosen.results:
        raise ValueError("--predictions FILE needs --results PATH, the results to hold them against.")
    predictions = load_predictions(chosen.predictions)
    results = load_results(chosen.results)
    print(agreement(predictions, results).markdown())
    print("The same where reads may follow one another (see docs/theory.md):\n")
    print(agreement(predictions, results, chained=True).markdown(), end="")


def _learned(chosen: argparse.Namespace, task_options: dict, position_options: dict, command: str) -> None:
    from ..evaluation.report import load_results
    from .learned import compare_learned, comparison_table

    print(comparison_table(compare_learned(load_results(chosen.learned))), end="")


def describe(found: Any, name: str) -> str:
    """A discovery as text."""
    where = f"dictionary {found.dictionary!r} of {found.dictionary_size} relations, sets of at most {found.limit}"
    lines = [f"{name}: SRC {found.verdict} ({where})", f"  {found.reason}"]
    if found.relations:
        plural = "s" if found.support > 1 else ""
        lines += [f"  {found.support} relation{plural}: {'; '.join(found.texts())}"]
        others = len(found.sets) - 1
        if others:
            shown = "; ".join("{" + ", ".join(map(str, chosen)) + "}" for chosen in found.sets[1:4])
            lines.append(f"  {others} other sets as small{', among them' if others > 3 else ''}: {shown}")
        growth = ", ".join(f"{g.n}: {g.tuples}{'' if g.trained else '*'}" for g in found.growth)
        lines.append(f"  {found.tuples} operators; up to n = {growth}   (*: held out)")
    if found.witness is not None:
        lines.append(f"  {found.witness}")
    for label, other in (("without the Scale Hint", found.without_hint), ("without its steps", found.without_cot)):
        if other is not None:
            lines.append(f"  {label}: {other.verdict}; {other.reason}")
            if other.relations:
                lines.append(f"    {'; '.join(other.texts())}")
            if other.witness is not None:
                lines.append(f"    {other.witness}")
    return "\n".join(lines)


def _write(path: str | None, record: dict) -> None:
    if path is not None:
        from ..files import write_json

        write_json(Path(path), record)
