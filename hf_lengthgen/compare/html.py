"""A report as one HTML file that needs nothing else: figures inside, no network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_TEMPLATES = Path(__file__).resolve().parent / "templates"


def render(**values: Any) -> str:
    """The template `report.html` with these values, escaped unless marked safe by `inline_svg` or `table`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("report.html").render(**values)


def inline_svg(path: Path, prefix: str) -> Any:
    """An SVG file as an element of a page. Its ids get a prefix: matplotlib gives several figures the same ones."""
    from markupsafe import Markup

    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    # The one link of such a file goes to the vocabulary of its metadata.
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{prefix}-", text)
    return Markup(text)


def table(markdown: str) -> Any:
    """A Markdown table (and the paragraphs below it) as HTML."""
    from markupsafe import Markup, escape

    lines = [line for line in markdown.split("\n") if line.strip()]
    rows = [line for line in lines if line.startswith("|")]
    html = []
    if rows:
        head, align, *body = ([cell.strip() for cell in _cells(row)] for row in rows)
        sides = ["right" if cell.endswith(":") else "left" for cell in align]

        def line(cells: list[str], tag: str) -> str:
            parts = (
                f'<{tag} class="{side}">{escape(cell.replace(chr(92) + "|", "|"))}</{tag}>'
                for side, cell in zip(sides, cells, strict=True)
            )
            return f"<tr>{''.join(parts)}</tr>"

        html.append(f"<table><thead>{line(head, 'th')}</thead><tbody>")
        html += [line(cells, "td") for cells in body]
        html.append("</tbody></table>")
    html += [f"<p>{escape(text)}</p>" for text in lines if not text.startswith("|")]
    return Markup("\n".join(html))


def _cells(row: str) -> list[str]:
    """Cut at every | that is not escaped."""
    return re.split(r"(?<!\\)\|", row.strip())[1:-1]
