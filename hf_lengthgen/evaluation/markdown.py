"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1, others: str = "---:") -> str:
    """A table whose first `left` columns are aligned left, the others right, or as the mark `others` says.

    A | in a cell is escaped.
    """
    align = ["---"] * left + [others] * (len(head) - left)
    cells = [[text.replace("|", "\\|") for text in row] for row in (head, *rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (cells[0], align, *cells[1:])) + "\n"
