"""A report as one HTML file that needs nothing else: figures inside, no network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_TEMPLATES = Path(__file__).resolve().parent / "templates"


def render(**values: Any) -> str:
    """The template `report.html` with these values, escaped unless marked safe by `inline_svg`; tables are a
    `Table` each."""
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
