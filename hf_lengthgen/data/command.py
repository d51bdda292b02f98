"""`lengthgen data`."""

from __future__ import annotations

import argparse
from typing import Any

from ..leftover import dotted_options


def add_parser(commands: Any) -> None:
    """Adds the command to a parser's `commands` (what `add_subparsers` returns)."""
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


def _data(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    from ..training.values import convert
    from .publish import export

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
        **dotted_options(rest, "task_options")["task_options"],
    )
    print(f"{folder}: {', '.join(sorted(path.name for path in (folder / 'data').iterdir()))}, README.md")
