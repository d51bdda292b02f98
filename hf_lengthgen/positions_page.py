"""Position embeddings as people read them: `lengthgen positions`, and docs/positions.md, rendered from the code."""

from __future__ import annotations

import dataclasses
import inspect

POSITIONS_HEAD = """# Position embeddings

What each embedding can do, built from sizes alone (options change some of it). Rendered by
`lengthgen positions --markdown > docs/positions.md`; the tests check every cell.

- **cache**: cached generation equals the full forward pass. **left padding**: so does a left-padded batch.
- **sdpa**, **flex**: attention implementations beside `eager`. **mixed scale**: one batch may hold several scales.
- **scale hint**: a Scale Hint changes what it computes. **structured ids**: ids are read off the tokens.
- **learned parameters**: it has some. **extrapolates**: every relation value that occurs at any length occurs at short
  lengths too, so nothing in it is new beyond the training range (whether a *model* extrapolates is another matter).
- **export**: `torch.export` gives a graph that equals the model at any batch and length; LBPE once it is hardened.
"""


def positions_table() -> list[list[str]]:
    """The capability record of every registered embedding: a row of headings, then one row each."""
    from .model.configuration_lengthgen import LengthGenConfig
    from .model.position_registry import get_position_embedding, list_position_embeddings

    rows = []
    for name in list_position_embeddings():
        cls = get_position_embedding(name)
        config = LengthGenConfig(position_embedding=name)
        embedding = cls.build(config, 0 if cls.resolve(config).per_layer else None)
        can = {"scale_hint": cls.takes_scale_hint} | dataclasses.asdict(embedding.capabilities)
        rows.append([name, *("yes" if value else "-" for value in can.values())])
    return [["embedding", *(key.replace("_", " ") for key in can)], *rows]


def positions_markdown() -> str:
    """The page docs/positions.md: the capability table, and what each embedding is."""
    from .evaluation.table import markdown
    from .model.position_registry import get_position_embedding, list_position_embeddings

    head, *rows = positions_table()
    table = markdown(head, [[f"`{name}`", *cells] for name, *cells in rows], others=":-:")
    lines = [POSITIONS_HEAD, table.removesuffix("\n")]
    for name in list_position_embeddings():
        doc = inspect.cleandoc(get_position_embedding(name).__doc__ or "")
        lines += ["", f"## {name}", "", "```text", doc, "```"]
    return "\n".join(lines) + "\n"
