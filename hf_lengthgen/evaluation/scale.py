"""Scales as text: 50 for one hint, 30x100 for two."""

from collections.abc import Sequence


def scale_text(n: int | Sequence[int], thousands: bool = False) -> str:
    """ "1000" (or "1,000") for `1000` and `[1000]`, "30x100" for `[30, 100]`."""
    hints = [n] if isinstance(n, int) else n
    return "x".join(f"{hint:,}" if thousands else str(hint) for hint in hints)
