"""Tables of text, and their Markdown."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence


@dataclasses.dataclass(frozen=True)
class Table:
    """A head, rows of as many cells each, and a paragraph below.

    left: number of columns, from the first, that hold words and are aligned left; the others are aligned right.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    note: str = ""

    def markdown(self) -> str:
        text = markdown(self.head, self.rows, self.left)
        return f"{text}\n{self.note}\n" if self.note else text


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1, others: str = "---:") -> str:
    """A Markdown table whose first `left` columns are aligned left, the others right, or as the mark `others` says.

    A | in a cell is escaped.
    """
    align = ["---"] * left + [others] * (len(head) - left)
    cells = [[text.replace("|", "\\|") for text in row] for row in (head, *rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (cells[0], align, *cells[1:])) + "\n"


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows of as many cells each as lines for a terminal, each column as wide as its widest cell, aligned left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
