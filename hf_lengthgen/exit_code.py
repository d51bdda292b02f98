"""What `python -m` gives back for the small commands of this package."""

from __future__ import annotations

import sys
from collections.abc import Callable


def exit_code(work: Callable[[], object]) -> int:
    """0, or 2 for bad input (ValueError, OSError), which is told in one line."""
    try:
        work()
    except (ValueError, OSError) as problem:
        print(f"lengthgen: error: {problem}", file=sys.stderr)
        return 2
    return 0
