"""Results as a Markdown table: variants down, lengths across."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..files import write_text
from .curves import Curve, Point, by_reach, make_curves
from .length_grid import curve_grid, grid_table
from .result import Result
from .scale import percent, scale_text
from .table import Table

_OF_MODELS = ("model", "best", "checkpoints")  # what a run has beside its results
SPREADS = {"t": "± half the 95% t-interval", "range": "(lowest–highest)"}


def load_results(paths: Iterable[str | os.PathLike]) -> list[Result]:
    """Result files, and those of folders, in the order of their paths, each once.

    A folder with a result.json is that of a run, whose other files are no results; of another one, all *.json below it
    are, but for those of a model or checkpoint.

    Raises:
        ValueError: a path that does not exist, a folder without result files, or what `Result.load` refuses.
    """
    files: dict[Path, Path] = {}
    for path in map(Path, paths):
        found = _result_files(path) if path.is_dir() else [path]
        if not found:
            raise ValueError(f"the folder {path} holds no result file (*.json).")
        for file in found:
            files.setdefault(file.resolve(), file)
    return [Result.load(file) for file in files.values()]


def _result_files(folder: Path) -> list[Path]:
    own = folder / "result.json"
    if own.is_file():
        return [own]
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            found += [] if path.name in _OF_MODELS else _result_files(path)
        elif path.suffix == ".json":
            found.append(path)
    return found


def replace_table(path: str | os.PathLike, name: str, table: str) -> None:
    """Put a table between `<!-- table: NAME -->` and the next `<!-- /table -->` of a Markdown file.

    Raises:
        ValueError: the file cannot be read, or has no such pair of marks.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} cannot be read: it is no text (UTF-8).") from None
    start, end = f"<!-- table: {name} -->\n", "<!-- /table -->"
    before, mark, after = text.partition(start)
    inside, closing, rest = after.partition(end)
    if not mark or not closing:
        raise ValueError(f"{path} has no table {name!r}: it needs the lines {start.strip()} and {end}.")
    write_text(path, f"{before}{start}{table}{end}{rest}")


def markdown_table(
    results: Iterable[Result], lengths: Sequence[int | Sequence[int]] | None = None, threshold: float = 0.99
) -> str:
    """Rows are variants, farthest reach first, columns are lengths; below it, a line that says what the
    numbers are. A variant that was tested at all pairs of some first and second hints has a grid of its own below.

    A cell is the mean exact match in percent over the seeds, with ± half the 95% t-interval where there is
    more than one seed and they differ. "–": not tested. "*": some seed was not tested here because it had
    solved nothing at a shorter length; it counts as 0. "[3 of 5]": only so many seeds were tested.

    Args:
        results: any number of tasks, embeddings and seeds.
        lengths: the columns; by default every tested length.
        threshold: share that counts as solved in the last column, "solved to" or, with several seeds, "mean solved to".

    Raises:
        ValueError: what `make_curves` refuses, or a length that no result has.
    """
    by_length = by_reach(make_curves(results), threshold)
    curves = sorted(by_length, key=lambda curve: curve.first.task)  # stable: by reach within a task
    parts = [curves_table(curves, lengths, threshold).markdown()]
    many = len({curve.first.task for curve in curves}) > 1
    for curve in curves:
        grid = curve_grid(curve) if lengths is None else None
        if grid is not None:
            name = f"{curve.first.task}, {curve.label}" if many else curve.label
            parts.append(f"{name}, first hint down, second across:\n\n{grid_table(grid)}")
    return "\n".join(parts)


def curves_table(
    curves: Sequence[Curve],
    lengths: Sequence[int | Sequence[int]] | None = None,
    threshold: float = 0.99,
    spread: str = "t",
) -> Table:
    """The table of `markdown_table`, of curves already made and in their order.

    spread: "t": ± half the 95% t-interval; "range": (lowest–highest), which says more where seeds either solve a
        length or do not.

    Raises:
        ValueError: a length that no curve has, another `spread`.
    """
    if spread not in SPREADS:
        raise ValueError(f"spread is one of {', '.join(SPREADS)}, got {spread!r}.")
    tested = {point.n for curve in curves for point in curve.points}
    if lengths is None:
        columns = sorted(tested, key=lambda n: (max(n), n))
    else:
        columns = [(n,) if isinstance(n, int) else tuple(n) for n in lengths]
        for column in columns:
            if column not in tested:
                known = ", ".join(map(scale_text, sorted(tested)))
                raise ValueError(f"no result has the length {scale_text(column)}; tested are {known or 'none'}.")
    many = len({curve.first.task for curve in curves}) > 1
    head = [*(["task"] if many else []), "variant", "seeds", *map(scale_text, columns), _reach_head(curves)]
    rows = [_row(curve, columns, threshold, many, spread) for curve in curves]
    return Table(head, rows, 2 if many else 1, _caption(curves, columns, threshold, spread))


def _row(curve: Curve, columns: list[tuple[int, ...]], threshold: float, many: bool, spread: str) -> list[str]:
    at = {point.n: point for point in curve.points}
    return [
        *([curve.first.task] if many else []),
        curve.label,
        str(len(curve.results)),
        *(point_text(at.get(column), spread) for column in columns),
        _reach(curve.reach(threshold), curve.n_max),
    ]


def _several(curves: Sequence[Curve]) -> bool:
    """Whether some variant has several seeds, so that its row holds means."""
    return any(len(curve.results) > 1 for curve in curves)


def _reach_head(curves: Sequence[Curve]) -> str:
    return "mean solved to" if _several(curves) else "solved to"


def _reach(reach: int, n_max: int) -> str:
    if not reach:
        return "none"
    return f"{reach:,} ({reach / n_max:.3g}×)" if reach > n_max else f"{reach:,}"


def point_text(point: Point | None, spread: str = "t") -> str:
    """A cell of a table: "99.2 ± 1.5" or "99.2 (98.4–100)", "0 *", "42.1 [3 of 5]", "–"; see `markdown_table`."""
    if point is None or not point.modes:  # in no run: neither tested nor, therefore, a number
        return "–"
    text = percent(point.exact_match)
    if spread == "t" and point.half_width:
        text += f" ± {100 * point.half_width:.1f}"
    if spread == "range" and min(point.values) != max(point.values):
        text += f" ({percent(min(point.values))}–{percent(max(point.values))})"
    if point.stopped:
        text += " *"
    if point.missing:
        text += f" [{len(point.values)} of {len(point.values) + point.missing}]"
    return text


def _caption(curves: Sequence[Curve], columns: list[tuple[int, ...]], threshold: float, kind: str) -> str:
    ranges = sorted({(curve.n_min, curve.n_max) for curve in curves})
    trained = " or ".join(f"{low}..{high}" for low, high in ranges)
    several = _several(curves)
    cells = [{point.n: point for point in curve.points}.get(column) for curve in curves for column in columns]
    shown = [point for point in cells if point is not None and point.modes]
    spread = f", mean over seeds {SPREADS[kind]}" if several else ""
    solved = f"every tested length has at least {100 * threshold:g}%"
    if several:
        solved = f"the mean is at least {100 * threshold:g}% at every tested length"
    parts = [
        f"Exact match in % of the whole answer{spread}.",
        f"Trained on n = {trained}.",
        f'"{_reach_head(curves).capitalize()}": the largest length up to which {solved}.',
    ]
    if any(point.stopped for point in shown):
        parts.append("*: a seed that had solved nothing at a shorter length was not tested here and counts as 0.")
    if len(shown) < len(cells):
        parts.append("–: no seed was tested here; one that had solved nothing at a shorter length counts as 0.")
    if any(point.missing for point in shown):
        parts.append("[1 of 2]: the seeds tested here, of those there are.")
    return " ".join(parts)
