"""`lengthgen evaluate | report`."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from ..files import check_file
from ..leftover import dotted_options, nothing_more


def add_parsers(commands: Any) -> None:
    """Adds the commands to a parser's `commands` (what `add_subparsers` returns)."""
    evaluate = commands.add_parser(
        "evaluate",
        help="exact match of a trained model at given lengths",
        description="Exact match of a trained model at given lengths, with 95% intervals.",
        epilog="Options of the task: --task_options.NAME VALUE",
    )
    evaluate.add_argument("model", help="folder of a model (output_dir/model, or output_dir), or its name on the Hub")
    evaluate.add_argument("--lengths", nargs="+", required=True, metavar="N", help="scales, such as 10 100 30x100")
    evaluate.add_argument("--task", help="name of the task; by default the one the model was trained on")
    evaluate.add_argument("--examples", type=int, default=100, help="examples per length (default: 100)")
    evaluate.add_argument("--mode", default="generate", help="generate (default), or teacher: one forward pass")
    evaluate.add_argument("--batch_size", type=int, help="examples at once (default: what fits in memory)")
    evaluate.add_argument("--seed", type=int, default=1234, help="seed of the examples (default: 1234)")
    evaluate.add_argument("--stop_at_zero", action="store_true", help="leave out what is longer than a length with 0%%")
    evaluate.add_argument(
        "--details",
        action="store_true",
        help="decode wrong answers to their end too (slower): right tokens, final answers, steps",
    )
    evaluate.add_argument("--output", metavar="FILE", help="write a result file (JSON)")
    evaluate.set_defaults(run=_evaluate)

    report = commands.add_parser(
        "report",
        help="table and figure of result files",
        description="One table (Markdown, on standard output) of result files of one task or several;\n"
        "with --figure, their curves (one task only).",
    )
    report.add_argument("results", nargs="+", metavar="PATH", help="result files, or folders that hold them")
    report.add_argument("--figure", metavar="FILE", help="draw the curves: .svg or .png")
    report.add_argument("--lengths", nargs="+", metavar="N", help="columns (default: every tested length)")
    report.add_argument("--write_into", metavar="FILE", help="replace the table NAME in a Markdown file instead")
    report.add_argument("--table", metavar="NAME", help="which: between <!-- table: NAME --> and <!-- /table -->")
    report.set_defaults(run=_report)


def _evaluate(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    from ..training.values import convert

    lengths = convert(chosen.lengths, list, "--lengths", scales=True)
    task_options = dotted_options(rest, "task_options")["task_options"]
    check_file("--output", chosen.output)
    from ..hub.loading import find_folder, load_folder
    from ..training import saving
    from ..training.mixture import part_to_evaluate

    folder = find_folder(chosen.model)
    if chosen.task is None or chosen.output:
        config, history = saving.read_training(folder)  # says clearly if it is not there
    model, tokenizer = load_folder(folder)
    label, task, tokenizer, options = part_to_evaluate(folder, tokenizer, chosen.task, task_options)
    saving.check_fits(model, tokenizer, task)
    from ..training.run import report_length
    from .hard import HARD
    from .length_result import length_columns
    from .lengths import evaluate_lengths

    # All models meet the same share of hard cases, unless another one is asked for here.
    own_share = {"hard": None} if "hard" in task_options else {}
    results = evaluate_lengths(
        model,
        tokenizer,
        task,
        lengths,
        chosen.examples,
        mode=chosen.mode,
        batch_size=chosen.batch_size,
        seed=chosen.seed,
        stop_at_zero=chosen.stop_at_zero,
        details=chosen.details,
        progress=True if sys.stderr.isatty() else report_length,
        **own_share,
    )
    print(length_columns(results, chosen.details))
    if chosen.output:
        from ..training.record import build_result

        # The result is of what was evaluated here, which may not be what the model was trained on, nor tested with.
        if label is None:
            config = dataclasses.replace(config, task=task.name, task_options=options)
        tested = {"eval_lengths": [], "long_lengths": [], "eval_seed": chosen.seed, "stop_at_zero": chosen.stop_at_zero}
        kind = "eval" if chosen.mode == "generate" else "long"
        tested |= {f"{kind}_lengths": lengths, f"{kind}_examples": chosen.examples}
        config = dataclasses.replace(config, **tested, eval_hard=own_share.get("hard", HARD))
        build_result(config, task, model, history, results, command, label=label).save(chosen.output)


def _report(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    nothing_more(rest)
    from ..training.values import convert
    from .report import load_results, markdown_table, replace_table

    if (chosen.write_into is None) != (chosen.table is None):
        raise ValueError("--write_into FILE and --table NAME go together.")
    if chosen.write_into is not None and not Path(chosen.write_into).is_file():
        raise ValueError(f"--write_into {chosen.write_into!r}: there is no such file.")
    if chosen.figure:
        from .plot import check_format, plot_curves

        check_format(chosen.figure)
        check_file("--figure", chosen.figure)
    results = load_results(chosen.results)
    lengths = convert(chosen.lengths, list, "--lengths", scales=True) if chosen.lengths else None
    table = markdown_table(results, lengths)
    if chosen.figure:
        plot_curves(results, chosen.figure)
    if chosen.write_into is None:
        print(table, end="")
    else:
        replace_table(chosen.write_into, chosen.table, table)
