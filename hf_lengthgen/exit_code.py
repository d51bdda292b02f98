"""What the small commands of this package, `python -m hf_lengthgen.…`, read and give back."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Bad usage is a ValueError like any other bad input."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def exit_code(work: Callable[[], object]) -> int:
    """0, or 2 for bad input (ValueError, OSError), which is told in one line."""
    try:
        work()
    except (ValueError, OSError) as problem:
        print(f"lengthgen: error: {problem}", file=sys.stderr)
        return 2
    return 0
