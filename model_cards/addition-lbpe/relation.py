"""A linear relation between a query position, a key position and the scale, and its readable form."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TERM = re.compile(r"([+-]?)\s*(\d*)\s*\*?\s*([a-z]\d*)?")
_SEGMENT = re.compile(r"^offset\(i\)\s*-\s*offset\(j\)\s*=\s*(-?\s*\d+)\s+in\s+segment\s+(\d+)$")


def _read_side(side: str, text: str) -> dict[str, int]:
    """Coefficients of one side of an equation; the constant stands under the key ''."""
    coefficients: dict[str, int] = {}
    rest = side.strip()
    first = True
    while rest:
        match = _TERM.match(rest)
        sign, digits, symbol = match.groups() if match else ("", "", None)
        if not (digits or symbol) or (not first and not sign):
            raise ValueError(f"cannot read the relation {text!r}: stuck at {rest!r}.")
        value = int(digits or 1) * (-1 if sign == "-" else 1)
        coefficients[symbol or ""] = coefficients.get(symbol or "", 0) + value
        rest, first = rest[match.end() :].strip(), False
    return coefficients


def _write(terms: list[tuple[int, str]]) -> str:
    """'2n + 1' from [(2, 'n'), (1, '')]; '0' for nothing."""
    out = ""
    for value, symbol in terms:
        if value == 0:
            continue
        size = "" if symbol and abs(value) == 1 else str(abs(value))
        if out:
            out += f" {'-' if value < 0 else '+'} {size}{symbol}"
        else:
            out = f"{'-' if value < 0 else ''}{size}{symbol}"
    return out or "0"


@dataclass(frozen=True)
class LinearRelation:
    """The relation r = (a, b, c, d) that holds between query i and key j <= i at scale n iff a·i + b·j + c·n = d
    [our formulation].

    With `segment=s` it speaks of offsets inside segments instead: key j lies in segment s and
    offset(i) - offset(j) = d, where offset(i) is the distance of i from the last delimiter at or before it, and
    offset(j) that of j from the delimiter that opens segment s.

    Attributes:
        a, b: integers; b is not 0 (the relation names a key).
        c: one integer per Scale Hint (all zero, or empty, without one).
        d: integer.
        segment: index of the segment (the tokens counted by hint `segment`), or None.

    Raises:
        ValueError: b = 0, or a segment relation that is not on offset(i) - offset(j).
    """

    a: int
    b: int
    c: tuple[int, ...] = ()
    d: int = 0
    segment: int | None = None

    def __post_init__(self):
        object.__setattr__(self, "c", tuple(int(x) for x in self.c))
        if self.b == 0:
            raise ValueError(f"a relation needs a key: b must not be 0 in {(self.a, self.b, self.c, self.d)}.")
        if self.segment is not None and (self.a != 1 or self.b != -1 or any(self.c) or self.segment < 0):
            raise ValueError("a segment relation has the form offset(i) - offset(j) = d in segment s >= 0.")

    @classmethod
    def parse(cls, text: str, hints: int = 1) -> LinearRelation:
        """Read the readable form, e.g. 'i - j = 2n + 1', 'j = n0 + n1 + 2', 'i + j = 7',
        'offset(i) - offset(j) = -1 in segment 0'.

        Args:
            text: an equation in i, j and the hints (n for a single one; n0, n1, … for several).
            hints: number of Scale Hints; the length of `c`.

        Raises:
            ValueError: not of that form, an unknown symbol, or no j.
        """
        if match := _SEGMENT.match(text.strip()):
            return cls(1, -1, (0,) * hints, int(match[1].replace(" ", "")), int(match[2]))
        if text.count("=") != 1:
            raise ValueError(f"cannot read the relation {text!r}: it needs exactly one '='.")
        left, right = (_read_side(side, text) for side in text.split("="))
        if not left and not right or not text.split("=")[0].strip() or not text.split("=")[1].strip():
            raise ValueError(f"cannot read the relation {text!r}: one side is empty.")
        total = {key: left.get(key, 0) - right.get(key, 0) for key in left | right}
        symbols = ["n"] if hints == 1 else [f"n{h}" for h in range(hints)]
        if hints == 1 and "n0" in total:
            total["n"] = total.get("n", 0) + total.pop("n0")
        for symbol in total:
            if symbol not in ("i", "j", "", *symbols):
                allowed = ", ".join(["i", "j", *symbols])
                raise ValueError(f"cannot read the relation {text!r}: unknown symbol {symbol!r} (known: {allowed}).")
        if total.get("j", 0) == 0:
            raise ValueError(f"cannot read the relation {text!r}: it does not name a key j.")
        return cls(
            total.get("i", 0), total["j"], tuple(total.get(s, 0) for s in symbols), -total.get("", 0)
        ).normalized()

    def normalized(self) -> LinearRelation:
        """The same relation with a > 0, or b > 0 where a = 0."""
        if self.a < 0 or (self.a == 0 and self.b < 0):
            return LinearRelation(-self.a, -self.b, tuple(-x for x in self.c), -self.d)
        return self

    @property
    def uses_scale(self) -> bool:
        return any(self.c) or self.segment is not None

    @property
    def never_holds(self) -> bool:
        """True where i - j = d or j = d has d < 0 at every scale: no key 0 <= j <= i is named."""
        if any(self.c) or self.segment is not None:
            return False
        r = self.normalized()
        return r.d < 0 and ((r.a, r.b) == (1, -1) or (r.a >= 0 and r.b > 0))

    def key(self, i: int, n: tuple[int, ...]) -> int | None:
        """The key j that query i reads at scale n, or None where there is none in 0..i (not for segments)."""
        if self.segment is not None:
            raise ValueError("the key of a segment relation depends on where the segments lie.")
        rest = self.d - self.a * i - sum(c * x for c, x in zip(self.c, n, strict=True))
        j, remainder = divmod(rest, self.b)
        return j if remainder == 0 and 0 <= j <= i else None

    def __str__(self) -> str:
        if self.segment is not None:
            return f"offset(i) - offset(j) = {self.d} in segment {self.segment}"
        symbols = ["n"] if len(self.c) == 1 else [f"n{h}" for h in range(len(self.c))]
        left = _write([(self.a, "i"), (self.b, "j")])
        return f"{left} = {_write([(-c, s) for c, s in zip(self.c, symbols, strict=True)] + [(self.d, '')])}"
