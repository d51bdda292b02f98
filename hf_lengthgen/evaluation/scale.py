"""Scales and shares as text: 50 for one hint, 30x100 for two; 42.1 for a share in percent."""

from collections.abc import Iterable, Sequence
from typing import Any


def scale_text(n: int | Sequence[int], thousands: bool = False) -> str:
    """ "1000" (or "1,000") for `1000` and `[1000]`, "30x100" for `[30, 100]`."""
    hints = [n] if isinstance(n, int) else n
    return "x".join(f"{hint:,}" if thousands else str(hint) for hint in hints)


def beyond_a_zero(scale: Sequence[int], results: Iterable[Any]) -> bool:
    """Whether at some evaluated scale (`LengthResult`) that is nowhere longer not one example was right."""
    return any(r.correct == 0 and all(m >= n for m, n in zip(scale, r.n, strict=True)) for r in results)


def percent(share: float, digits: int = 1) -> str:
    """0.4213 -> "42.1". Only exactly 0 and 1 are written as 0 and 100: 0.9999 is "99.9", 0.0001 is "0.1"."""
    if share in (0, 1):
        return f"{100 * share:.0f}"
    step = 10**-digits
    return f"{min(max(100 * share, step), 100 - step):.{digits}f}"
