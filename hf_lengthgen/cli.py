"""The command line: `lengthgen COMMAND`; `lengthgen --help` lists the commands.

`--import MODULE` before the command imports a module that registers tasks or embeddings of somebody else.

Exit codes: 0 done; 1 training was stopped or diverged; 2 bad input, told in one line. Heavy imports wait
until a command needs them, so that --help is quick.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from .files import check_file
from .leftover import nothing_more
from .portable import portable

PROGRAM = "lengthgen"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; `arguments` are the words after the program's name."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        chosen, rest = _parser().parse_known_args(_dotted_last(words))
        if any(word.partition("=")[0] == "--import" for word in rest):
            raise ValueError(f"--import MODULE goes before the command: {PROGRAM} --import MODULE COMMAND.")
        _import(chosen.modules)
        chosen.run(chosen, rest, portable([PROGRAM, *words]))
        return 0
    except KeyboardInterrupt:
        return _fail("interrupted.", 1)
    except BrokenPipeError:  # `lengthgen positions | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError as error:
        return _fail(f"there is not enough memory for this ({error or 'none was left'}).", 2)
    except (ValueError, OSError, RuntimeError) as error:
        code = getattr(error, "exit_code", None)
        if code is None and isinstance(error, RuntimeError):
            raise  # a bug: its traceback is wanted
        return _fail(str(error), code or 2)


def _dotted_last(words: Sequence[str]) -> list[str]:
    """`--task_options.base 2` and the like behind all else: argparse, which does not know them, would take the value
    for the argument of a command. The settings of `train`, which has none, keep their order."""
    if "train" in words:
        return list(words)
    plain, dotted, left = [], [], iter(words)
    for word in left:
        name, equals, _ = word.partition("=")
        if name.startswith("--") and "." in name:
            dotted += [word] if equals else [word, *itertools.islice(left, 1)]
        else:
            plain.append(word)
    return plain + dotted


def _fail(message: str, code: int) -> int:
    if os.environ.get("RANK", "0") == "0":  # of several processes one speaks
        print(f"{PROGRAM}: error: {' '.join(message.split())}", file=sys.stderr)
    return code


def _import(modules: Sequence[str]) -> None:
    """Imports modules by name, those of the current folder too. ValueError says why one cannot be imported."""
    if modules and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # last: a file there must not stand in for an installed package
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:
            raise ValueError(f"--import {name}: {type(error).__name__}: {error}") from error


class _Parser(argparse.ArgumentParser):
    """Bad usage is an error like any other: one line, exit code 2."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def _parser() -> _Parser:
    from .compare.command import add_parser as add_compare
    from .hub.command import add_parsers as add_hub
    from .theory.command import add_parser as add_src

    parser = _Parser(prog=PROGRAM, description="Train on short instances, solve long ones.")
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="first import this module, installed or in the current folder, which registers an embedding or a task "
        "(again for another one)",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    train = commands.add_parser(
        "train",
        help="train, evaluate and write down one run",
        description="Trains a model, evaluates it at every length, writes model, result, curve and card.\n"
        "Started again with the same output_dir, a run goes on where it stopped.\n"
        "With --base_model it adds a Scale Hint and learned relations to a pretrained model: docs/retrofit.md.",
        usage=f"{PROGRAM} train [--config CONFIG] [--SETTING VALUE ...]",
        epilog=_settings_help(),
    )
    train.add_argument("--config", help="a YAML file, or the name of a packaged config such as addition/lbpe")
    train.set_defaults(run=_train)

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

    add_compare(commands)

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

    tasks = commands.add_parser(
        "tasks",
        help="list the tasks, or show examples of one",
        description="Lists the tasks. `tasks show NAME` describes one and draws examples.",
        epilog="Options of the task: --task_options.NAME VALUE",
    )
    tasks.add_argument("action", nargs="?", choices=["list", "show"], default="list")
    tasks.add_argument("name", nargs="?", help="name of a task")
    tasks.add_argument("--n", default="5", metavar="N", help="scale of the examples, such as 5 or 3x7 (default: 5)")
    tasks.add_argument("--count", type=int, default=5, help="number of examples (default: 5)")
    tasks.add_argument("--seed", type=int, default=0, help="seed of the examples (default: 0)")
    tasks.add_argument("--markdown", action="store_true", help="the list as Markdown, with an example each")
    tasks.set_defaults(run=_tasks)

    data = commands.add_parser(
        "data",
        help="write a data set of a task: Parquet files with a card",
        description="`data export TASK` writes a folder that `datasets.load_dataset` reads, and a card for it.",
        epilog="Options of the task: --task_options.NAME VALUE",
    )
    data.add_argument("action", choices=["export"])
    data.add_argument("task", help="name of a task")
    data.add_argument("--output_dir", required=True, metavar="FOLDER", help="where to; must not exist, or be empty")
    data.add_argument(
        "--rows",
        nargs="+",
        default=["10000"],
        metavar="ROWS",
        help="a number, divided into 80, 10 and 10%% (default: 10000), or train=ROWS validation=ROWS test=ROWS",
    )
    data.add_argument("--seed", type=int, default=0, help="seed of the rows (default: 0)")
    data.add_argument("--n_min", default="1", metavar="N", help="smallest scale, such as 1 or 1x2 (default: 1)")
    data.add_argument("--n_max", default="12", metavar="N", help="largest scale, such as 12 or 12x4 (default: 12)")
    data.add_argument("--length_weights", nargs="+", metavar="N=WEIGHT", help="how often each n (default: uniform)")
    data.add_argument(
        "--curriculum", nargs="+", metavar="ROW=N", help="n_max from this row of train on, such as 0=4 4096=12"
    )
    data.add_argument("--priming_share", type=float, default=0.0, metavar="SHARE", help="share of long rows")
    data.add_argument(
        "--priming_n", nargs="+", type=int, metavar="N", help="their n, or its smallest and largest value"
    )
    data.add_argument("--shard_rows", type=int, default=1_000_000, help="rows of a file (default: 1000000)")
    data.add_argument("--license", default="apache-2.0", help="licence, as the Hub spells it (default: apache-2.0)")
    data.set_defaults(run=_data)

    positions = commands.add_parser("positions", help="list the position embeddings and what each can do")
    positions.add_argument("--markdown", action="store_true", help="the page docs/positions.md")
    positions.set_defaults(run=_positions)

    add_src(commands)
    add_hub(commands)

    completion = commands.add_parser(
        "completion",
        help="completion for your shell",
        description="Prints a script for your shell. In ~/.bashrc or ~/.zshrc:\n"
        '  eval "$(lengthgen completion bash)"        (or zsh)',
    )
    completion.add_argument("shell", help="bash or zsh")
    completion.set_defaults(run=_completion)
    return parser


def _settings_help() -> str:
    """Every setting of training with its default, and the packaged configs."""
    from .training.arguments import TrainingConfig, list_configs

    lines = ["settings (YAML keys; on the command line --key value, options of options --key.option value):"]
    default = TrainingConfig().to_dict()
    for field in dataclasses.fields(TrainingConfig):
        value = "null" if default[field.name] is None else default[field.name]
        lines.append(f"  --{field.name:<30}{field.metadata['help']} [{value}]")
    return "\n".join([*lines, "", f"packaged configs: {', '.join(list_configs()) or '(none)'}"])


# ------------------------------------------------------------------------------------------------ commands


def _train(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    if any(word.partition("=")[0] == "--base_model" for word in rest):
        from .retrofit.run import train_from_words

        train_from_words([*(["--config", chosen.config] if chosen.config else []), *rest], command)
        return
    from .training.arguments import load_training_config

    config = load_training_config(chosen.config, rest)
    from .training.run import run

    result = run(config, command)
    for label, one in (result if isinstance(result, dict) else {None: result}).items():
        if one is not None:
            print(_table(one.lengths) if label is None else f"{label}\n{_table(one.lengths)}\n")


def _evaluate(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    from .training.values import convert

    lengths = convert(chosen.lengths, list, "--lengths", scales=True)
    task_options = _task_options(rest)
    check_file("--output", chosen.output)
    from .hub.loading import find_folder, load_folder
    from .training import saving
    from .training.mixture import part_to_evaluate

    folder = find_folder(chosen.model)
    if chosen.task is None or chosen.output:
        config, history = saving.read_training(folder)  # says clearly if it is not there
    model, tokenizer = load_folder(folder)
    label, task, tokenizer, options = part_to_evaluate(folder, tokenizer, chosen.task, task_options)
    saving.check_fits(model, tokenizer, task)
    from .evaluation.hard import HARD
    from .evaluation.lengths import evaluate_lengths
    from .training.run import report_length

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
    print(_table(results, chosen.details))
    if chosen.output:
        from .training.record import build_result

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
    from .evaluation.report import load_results, markdown_table, replace_table
    from .training.values import convert

    if (chosen.write_into is None) != (chosen.table is None):
        raise ValueError("--write_into FILE and --table NAME go together.")
    if chosen.write_into is not None and not Path(chosen.write_into).is_file():
        raise ValueError(f"--write_into {chosen.write_into!r}: there is no such file.")
    if chosen.figure:
        from .evaluation.plot import check_format, plot_curves

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


def _tasks(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    from .tasks import get_task, list_tasks
    from .training.values import convert

    options = _task_options(rest)
    if chosen.action == "list" and chosen.name is not None:
        raise ValueError(f"tasks list takes no name, got {chosen.name!r}; did you mean tasks show {chosen.name}?")
    if chosen.action == "list" and options:
        raise ValueError(f"tasks list takes no options of a task, got --task_options.{next(iter(options))}.")
    if chosen.markdown:
        if chosen.action != "list":
            raise ValueError("tasks --markdown describes all tasks; it takes no name and no options.")
        from .gallery import markdown

        print(markdown(), end="")
        return
    if chosen.action == "list":
        for name in list_tasks():
            print(f"{name}: {get_task(name).summary}")
        return
    if chosen.name is None:
        raise ValueError(f"tasks show needs the name of a task: {', '.join(list_tasks())}.")
    task = get_task(chosen.name, **options)
    (n,) = convert([chosen.n], list, "--n", scales=True)
    if chosen.seed < 0:
        raise ValueError(f"--seed must be at least 0, got {chosen.seed}.")
    from .gallery import show

    print(show(task, n, chosen.count, chosen.seed))


def _data(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    from .data.publish import export
    from .training.values import convert

    def pairs(words: list[str] | None, name: str, key: Any, value: Any) -> dict | None:
        """`["0=4", "100=8"]` -> {0: 4, 100: 8}."""
        if words is None:
            return None
        parts = [word.partition("=") for word in words]
        if any(not equals for _, equals, _ in parts):
            raise ValueError(f"--{name} takes words like 1=2, got {' '.join(words)!r}.")
        given: dict = {}
        for left, _, right in parts:
            left = convert(left, key, f"--{name}")
            if left in given:
                raise ValueError(f"--{name} gives {left!r} twice.")
            given[left] = convert(right, value, f"--{name}")
        return given

    single = len(chosen.rows) == 1 and "=" not in chosen.rows[0]
    rows = convert(chosen.rows[0], int, "--rows") if single else pairs(chosen.rows, "rows", str, int)
    n_min, n_max = convert([chosen.n_min, chosen.n_max], list, "--n_min or --n_max", scales=True)
    priming = chosen.priming_n
    folder = export(
        chosen.output_dir,
        chosen.task,
        rows=rows,
        seed=chosen.seed,
        shard_rows=chosen.shard_rows,
        license=chosen.license,
        n_min=n_min,
        n_max=n_max,
        length_weights=pairs(chosen.length_weights, "length_weights", int, float),
        curriculum=pairs(chosen.curriculum, "curriculum", int, int),
        priming_share=chosen.priming_share,
        priming_n=priming[0] if priming and len(priming) == 1 else priming,
        **_task_options(rest),
    )
    print(f"{folder}: {', '.join(sorted(path.name for path in (folder / 'data').iterdir()))}, README.md")


def _positions(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    nothing_more(rest)
    from .positions_page import positions_markdown, positions_table

    print(positions_markdown() if chosen.markdown else _columns(positions_table()), end="" if chosen.markdown else "\n")


def _completion(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    nothing_more(rest)
    from .completion import script

    print(script(_parser(), chosen.shell), end="")


# ------------------------------------------------------------------------------------------------- helpers


def _task_options(rest: list[str]) -> dict[str, Any]:
    """`--task_options.base 2` and the like; any other word left over is an error."""
    from .training.arguments import apply_overrides, parse_overrides

    foreign = [word for word in rest if word.startswith("--") and not word.startswith("--task_options")]
    if foreign:
        nothing_more(foreign)
    values: dict[str, Any] = {}
    apply_overrides(values, parse_overrides(rest))
    return values.get("task_options", {})


def _table(results: list, details: bool = False) -> str:
    """Lengths, exact match with interval, and counts, as aligned columns; with `details` also what is right in part."""
    from .evaluation.scale import scale_text

    shares = ("token_accuracy", "final_accuracy", "step_accuracy") if details else ()
    rows = [
        ["n", "exact match", "95% interval", *(name.replace("_", " ") for name in shares), "right", "mode", "seconds"]
    ]
    for r in results:
        interval = f"{r.ci_low:.1%} - {r.ci_high:.1%}"
        partly = ["-" if getattr(r, name) is None else f"{getattr(r, name):.1%}" for name in shares]
        count = f"{r.correct}/{r.examples}"
        rows.append([scale_text(r.n), f"{r.exact_match:.1%}", interval, *partly, count, r.mode, f"{r.seconds:.1f}"])
    return _columns(rows)


def _columns(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


if __name__ == "__main__":
    sys.exit(main())
