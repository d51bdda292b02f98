"""The command line: `lengthgen COMMAND`; `lengthgen --help` lists the commands.

`--import MODULE` before the command imports a module that registers tasks or embeddings of somebody else.

Exit codes: 0 done; 1 training was stopped or diverged; 2 bad input, told in one line. Heavy imports wait
until a command needs them, so that --help is quick.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import sys
from collections.abc import Sequence
from typing import Any

from . import __version__
from .exit_code import Parser
from .leftover import dotted_options, nothing_more
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


class _Parser(Parser):
    """Descriptions keep their lines; so do those of the subcommands, which argparse makes of the same class."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)


def _parser() -> _Parser:
    from .compare.command import add_parser as add_compare
    from .data.command import add_parser as add_data
    from .evaluation.command import add_parsers as add_evaluation
    from .hub.command import add_parsers as add_hub
    from .theory.command import add_parser as add_src
    from .training.command import add_parser as add_train

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
    parser.add_argument("--version", action="version", version=f"hf_lengthgen {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    add_train(commands, PROGRAM)
    add_evaluation(commands)
    add_compare(commands)

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

    add_data(commands)

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


# ------------------------------------------------------------------------------------------------ commands


def _tasks(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    from .tasks import get_task, list_tasks
    from .training.values import convert

    options = dotted_options(rest, "task_options")["task_options"]
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


def _positions(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    nothing_more(rest)
    from .evaluation.table import columns
    from .positions_page import positions_markdown, positions_table

    print(positions_markdown() if chosen.markdown else columns(positions_table()), end="" if chosen.markdown else "\n")


def _completion(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    nothing_more(rest)
    from .completion import script

    print(script(_parser(), chosen.shell), end="")


if __name__ == "__main__":
    sys.exit(main())
