"""One grammar of formats for all tasks: how numbers become characters, and how texts are read back.

A `NumberFormat` says how the digits of a number are written: their order, index hints, separators. A `Grammar` is a
sequence of pieces (numbers, symbols, marks, repeated steps), each with a name; it writes values as text and reads
the text back into the same values, and it says which role every character plays. Chains of thought are `Repeat`
pieces: named steps with named fields.

Digits are kept least significant first, in arrays and in strings ("321" is one hundred and twenty-three), whatever
the order in which they are written.
"""

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .task import character_codes, nearest

ORDERS = ("reversed", "plain")
PADDINGS = ("none", "equal", "fixed")
INDEX_HINTS = ("none", "fixed", "random")
SEPARATORS = ("", " ", ",", ".", "_")
LETTERS = string.ascii_letters  # index hints, in a ring: Z is followed by a
_CODES = character_codes(LETTERS)


def check_choice(option: str, value: str, allowed: Sequence[str]) -> None:
    """Raise ValueError unless an option has one of the allowed values; the message has the nearest match."""
    if value not in allowed:
        raise ValueError(f"option {option!r} cannot be {value!r}; {nearest(value, allowed)}")


def pack_left(codes: np.ndarray) -> np.ndarray:
    """Move the characters of each row to its start and the gaps (0) to its end; their order stays."""
    present = codes != 0
    if present.all():
        return codes
    return np.take_along_axis(codes, np.argsort(~present, axis=1, kind="stable"), axis=1)


@dataclass(frozen=True)
class NumberFormat:
    """How the digits of one number are written.

    Attributes:
        base: 2 to 10.
        order: "reversed": least significant digit first; "plain": most significant first.
        index_hints: True puts a letter before every digit. It names the digit's place, counted from the least
            significant one, so digits that belong together carry the same letter in every order (2310.16028).
        separator: what stands between the places, one character or nothing.
    """

    base: int = 10
    order: str = "reversed"
    index_hints: bool = False
    separator: str = ""

    @property
    def digits(self) -> str:
        return string.digits[: self.base]

    @property
    def alphabet(self) -> str:
        """All characters that numbers may contain."""
        return self.digits + self.separator + (LETTERS if self.index_hints else "")

    @property
    def period(self) -> int:
        """Characters from one digit to the next."""
        return 1 + self.index_hints + len(self.separator)

    def length(self, places: int) -> int:
        """Characters of a number with that many digits."""
        return places * self.period - len(self.separator)

    def encode(
        self, digits: np.ndarray, start: np.ndarray | None = None, sizes: np.ndarray | None = None
    ) -> np.ndarray:
        """Digits, least significant first, (count, w) -> characters, uint8 (count, length(w)).

        Args:
            start: (count,), the number of the letter that place 0 carries; None: the first letter.
            sizes: (count,), how many digits of a row to write; the rest of the row is filled with 0.
        """
        count, places = digits.shape
        codes = digits.astype(np.uint8, copy=False) + np.uint8(ord("0"))
        if self.period == 1 and sizes is None:
            return codes[:, ::-1] if self.order == "plain" else codes
        if self.period == 1:
            cells = codes[:, :, None]
        else:
            parts = [codes]
            if self.index_hints:
                first = np.zeros(count, dtype=np.int64) if start is None else start
                parts.insert(0, _CODES[(first[:, None] + np.arange(places)) % len(LETTERS)])
            if self.separator:  # place k > 0 owns the separator between it and place k - 1
                gap = np.full((count, places), ord(self.separator), dtype=np.uint8)
                parts.insert(0 if self.order == "reversed" else len(parts), gap)
            cells = np.stack(parts, axis=2)
        if sizes is not None:
            cells = np.where(np.arange(places)[:, None] < sizes[:, None, None], cells, np.uint8(0))
        if self.order == "plain":
            cells = cells[:, ::-1]
        flat = cells.reshape(count, places * self.period)
        if self.separator:
            flat = flat[:, 1:] if self.order == "reversed" else flat[:, :-1]
        return flat if sizes is None else pack_left(flat)

    def write(self, digits: str, start: int = 0) -> str:
        """The same for one number given as a string of digits, least significant first."""
        cells: Sequence[str] = digits
        if self.index_hints:
            cells = [LETTERS[(start + place) % len(LETTERS)] + digit for place, digit in enumerate(digits)]
        return self.separator.join(cells if self.order == "reversed" else reversed(cells))

    def read(self, text: str) -> tuple[str, int | None]:
        """Inverse of `write`: (digits, start), start None without index hints.

        Raises:
            ValueError: the text is not in this format.
        """
        hint, step = int(self.index_hints), self.period
        digits, letters = text[hint::step], text[::step] if hint else ""
        gaps = text[hint + 1 :: step] if self.separator else ""
        places = len(digits)
        if len(text) != self.length(places) or not places or set(digits) - set(self.digits):
            raise ValueError(f"{_shown(text)} is not a number{self._described()}")
        if self.order == "plain":
            digits, letters = digits[::-1], letters[::-1]
        start = LETTERS.find(letters[0]) if hint else None
        if gaps.strip(self.separator) or (hint and letters != _ring(start, places)):
            raise ValueError(f"{_shown(text)} is not a number{self._described()}")
        return digits, start

    def _described(self) -> str:
        example = self.write("10" if self.base == 2 else "210")
        return f" of base {self.base} in the format {example!r}"


def _ring(start: int, places: int) -> str:
    turns = (start + places) // len(LETTERS) + 1
    return (LETTERS * turns)[start : start + places]


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 40 else f"{text[:40]!r}... ({len(text)} characters)"


# ---- pieces


@dataclass
class _Reading:
    """One pass over a text: the letter that index hints start with, and the role of every character."""

    text: str
    start: int | None = None
    roles: list[str] = field(default_factory=list)

    def fail(self, at: int, wanted: str) -> ValueError:
        found = f"has {self.text[at]!r}" if at < len(self.text) else "ends"
        return ValueError(f"{_shown(self.text)} {found} at character {at + 1}, where {wanted} should stand")


@dataclass(frozen=True)
class Mark:
    """Characters that are always the same."""

    text: str
    name = None

    @property
    def alphabet(self) -> str:
        return self.text[:1]

    def read(self, reading: _Reading, at: int) -> tuple[int, None]:
        if not reading.text.startswith(self.text, at):
            raise reading.fail(at, repr(self.text))
        reading.roles += ["mark"] * len(self.text)
        return at + len(self.text), None

    def write(self, value: Any, start: int) -> str:
        return self.text


@dataclass(frozen=True)
class Symbol:
    """One character of an alphabet."""

    name: str
    alphabet: str

    def read(self, reading: _Reading, at: int) -> tuple[int, str]:
        if not reading.text[at : at + 1] or reading.text[at] not in self.alphabet:
            raise reading.fail(at, f"{self.name}, one of {self.alphabet!r},")
        reading.roles.append(self.name)
        return at + 1, reading.text[at]

    def write(self, value: Any, start: int) -> str:
        return value


@dataclass(frozen=True)
class Text:
    """One or more characters of an alphabet, as many as follow one another."""

    name: str
    alphabet: str

    def read(self, reading: _Reading, at: int) -> tuple[int, str]:
        end = _run(self.alphabet).match(reading.text, at).end()
        if end == at:
            raise reading.fail(at, f"{self.name}, made of {self.alphabet!r},")
        reading.roles += [self.name] * (end - at)
        return end, reading.text[at:end]

    def write(self, value: Any, start: int) -> str:
        return value


@dataclass(frozen=True)
class Number:
    """A number; its value is its digits, least significant first, zeros included."""

    name: str
    format: NumberFormat

    @property
    def alphabet(self) -> str:
        return self.format.alphabet

    def read(self, reading: _Reading, at: int) -> tuple[int, str]:
        end = _run(self.alphabet).match(reading.text, at).end()
        if end == at:
            raise reading.fail(at, f"the number {self.name}")
        digits, start = self.format.read(reading.text[at:end])
        if start is not None and start != reading.start:
            if reading.start is not None:
                raise ValueError(f"{_shown(reading.text)} has numbers whose index hints start with different letters")
            reading.start = start
        reading.roles += [self.name] * (end - at)
        return end, digits

    def write(self, value: Any, start: int) -> str:
        return self.format.write(value, start)


@dataclass(frozen=True)
class Repeat:
    """Steps of a chain of thought: one or more records of the same pieces.

    The value is a list of dictionaries. Without a mark in `between` a record follows as long as the next
    character can begin one.
    """

    name: str
    pieces: tuple[Any, ...]
    between: str = ""

    @property
    def alphabet(self) -> str:
        return self.pieces[0].alphabet

    def read(self, reading: _Reading, at: int) -> tuple[int, list[dict[str, Any]]]:
        records: list[dict[str, Any]] = []
        text, first = reading.text, set(self.alphabet)
        while True:
            at, record = _read_all(self.pieces, reading, at)
            records.append(record)
            if self.between:
                if not text.startswith(self.between, at):
                    return at, records
                reading.roles += ["mark"] * len(self.between)
                at += len(self.between)
            elif at >= len(text) or text[at] not in first:
                return at, records

    def write(self, value: Any, start: int) -> str:
        return self.between.join(_write_all(self.pieces, record, start) for record in value)


Piece = Mark | Symbol | Text | Number | Repeat


class Grammar:
    """A sequence of pieces: text -> named values and back.

    Index hints, where numbers have them, start with the same letter in the whole text; its number is the value
    "start".
    """

    def __init__(self, *pieces: Piece) -> None:
        self.pieces = pieces

    @cached_property
    def steps(self) -> str | None:
        """The name of the first repeated piece, or None."""
        return next((piece.name for piece in self.pieces if isinstance(piece, Repeat)), None)

    def read(self, text: str) -> dict[str, Any]:
        """The values in a text.

        Raises:
            ValueError: the text does not follow the grammar; the sentence says where.
        """
        reading, values = self._read(text)
        return values if reading.start is None else {**values, "start": reading.start}

    def write(self, values: Mapping[str, Any]) -> str:
        """The text with these values."""
        return _write_all(self.pieces, values, values.get("start", 0))

    def roles(self, text: str) -> list[str]:
        """The name of the piece that every character belongs to, "mark" for marks."""
        return self._read(text)[0].roles

    def _read(self, text: str) -> tuple[_Reading, dict[str, Any]]:
        reading = _Reading(text)
        at, values = _read_all(self.pieces, reading, 0)
        if at < len(text):
            raise reading.fail(at, "nothing")
        return reading, values


def _read_all(pieces: Sequence[Piece], reading: _Reading, at: int) -> tuple[int, dict[str, Any]]:
    values = {}
    for piece in pieces:
        at, value = piece.read(reading, at)
        if piece.name is not None:
            values[piece.name] = value
    return at, values


def _write_all(pieces: Sequence[Piece], values: Mapping[str, Any], start: int) -> str:
    return "".join(piece.write(None if piece.name is None else values[piece.name], start) for piece in pieces)


def _run(alphabet: str) -> re.Pattern[str]:
    return re.compile(f"[{re.escape(alphabet)}]*")
