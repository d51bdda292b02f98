"""Exact match against length: the figure of READMEs and model cards."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .curves import Curve, Point, by_reach, make_curves
from .labels import NAMES
from .length_grid import curve_grid, grid_figure
from .result import Result

FORMATS = (".svg", ".png")
LBPE = "lbpe"

# The palette of Okabe & Ito, which the colour-blind tell apart, with grey for its yellow (too pale on white), and three
# of Paul Tol's muted colours for figures with many curves.
_COLOURS = (
    *("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F"),
    *("#882255", "#44AA99", "#999933"),
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
_DASHES = {"prompt": "-", "input": (0, (6, 1.5, 1, 1.5)), "none": (0, (3.5, 1.8))}
_INK, _FAINT = "#222222", "#DDDDDD"


def plot_curves(
    results: Iterable[Result | Curve], path: str | os.PathLike, title: str | None = None, threshold: float = 0.99
) -> Path:
    """Draw `curves_figure` and write it with `save_figure`; of a single variant that was tested at all pairs of two
    hints (`curve_grid`), draw `grid_figure`.

    Returns:
        The path.

    Raises:
        ValueError: what these two refuse.
    """
    check_format(path)  # before anything is drawn
    curves = _curves_of(results, threshold)
    grid = curve_grid(curves[0]) if len(curves) == 1 else None
    if grid is not None:
        (curve,) = curves
        default = f"{curve.first.task}, {curve.label}: exact match in %, {trained_on(curves)}"
        return save_figure(grid_figure(grid, curve.n_max, default if title is None else title), path)
    return save_figure(curves_figure(curves, title, threshold), path)


def save_figure(figure: Any, path: str | os.PathLike) -> Path:
    """Write a matplotlib Figure to `path` (.svg or .png), whole or not at all.

    The same figure gives the same bytes. Folders are made as needed.

    Returns:
        The path.

    Raises:
        ValueError: another file type.
    """
    path = check_format(path)

    from matplotlib import rc_context

    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        with rc_context({"svg.fonttype": "path", "svg.hashsalt": "hf_lengthgen"}):
            figure.savefig(temporary, dpi=160, metadata=metadata, facecolor="white")
        _shrink(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def check_format(path: str | os.PathLike) -> Path:
    """The path; ValueError unless it ends in .svg or .png."""
    path = Path(path)
    if path.suffix not in FORMATS:
        raise ValueError(f"a figure is written as {' or '.join(FORMATS)}, got {path.name!r}.")
    return path


def curves_figure(results: Iterable[Result | Curve], title: str | None = None, threshold: float = 0.99) -> Any:
    """A matplotlib Figure with one curve per variant.

    Each curve is the mean over its seeds, with the band from worst to best seed, and ends at its first 0%.
    The training lengths are shaded, if all curves have the same. Colour and marker tell the embedding, dashes that it
    does not know the scale, hollow markers that the point is teacher-forced. The legend is sorted by reach, the largest
    length up to which the mean is at least `threshold` at every tested length. With two or more scale hints only
    scales with equal hints are drawn, if there are any.

    Args:
        results: of one task; or curves made of them, whose labels, families (a colour each) and order are kept.
        title: default: the task, the training lengths and the largest tested one.
        threshold: share that counts as solved.

    Raises:
        ValueError: no results, none with a tested length, several tasks, or what `make_curves` refuses.
    """
    curves = [curve for curve in _curves_of(results, threshold) if curve.points]
    if not curves:
        raise ValueError("there is nothing to draw: no result has a tested length.")
    tasks = sorted({curve.first.task for curve in curves})
    if len(tasks) > 1:
        raise ValueError(f"one figure compares results of equal tasks, got {', '.join(tasks)}.")

    from matplotlib import rc_context

    with rc_context({"font.size": 10, "axes.labelsize": 10.5}):
        return _draw(curves, title, threshold)


def trained_on(curves: Iterable[Curve]) -> str:
    """ "trained on n = 1–12", or "trained on n = 1–12 or 1–20" where they differ."""
    return "trained on n = " + " or ".join(f"{low}–{high}" for low, high in _training_ranges(curves))


def _training_ranges(curves: Iterable[Curve]) -> list[tuple[int, int]]:
    return sorted({(curve.n_min, curve.n_max) for curve in curves})


def _curves_of(results: Iterable[Result | Curve], threshold: float) -> list[Curve]:
    """The curves that are given, then those of the results; ValueError where there is neither."""
    results = list(results)
    given = [curve for curve in results if isinstance(curve, Curve)]
    rest = [result for result in results if not isinstance(result, Curve)]
    return given + (by_reach(make_curves(rest), threshold) if rest or not given else [])


def drawn_points(curve: Curve) -> list[Point]:
    """What a figure shows of a curve: the points that no run lacks, up to and including the first 0%."""
    points = [point for point in curve.points if not point.missing]
    diagonal = [point for point in points if len(set(point.n)) == 1]
    shown = []
    for point in diagonal or points:
        shown.append(point)
        if point.exact_match == 0:
            break
    return shown


def _shrink(path: Path) -> None:
    """Rewrite a figure with fewer bytes and no difference to be seen.

    PNG: a palette of 256 colours. SVG: no indentation, and coordinates to a hundredth of a point instead of a
    millionth; numbers below 1 stay, they are scales of glyphs.
    """
    if path.suffix == ".svg":
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"\b([1-9]\d*\.\d\d)\d{4}\b", r"\1", re.sub(r"\n\s+", "\n", text))
        path.write_text(text, encoding="utf-8")
        return
    from PIL import Image

    with Image.open(path) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, format="PNG", optimize=True)


def _draw(curves: list[Curve], title: str | None, threshold: float) -> Any:
    from matplotlib.figure import Figure

    rows = len(curves)
    figure = Figure(figsize=(9.6, max(4.4, 1.4 + 0.19 * rows)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # inches
    axes = figure.add_subplot()
    styles = _styles(curves)
    # LBPE last; of the others, the ones that reach far first. Later markers are smaller, so that where curves
    # coincide every marker still shows its rim.
    order = sorted(curves, key=lambda curve: curve.first.position_embedding == LBPE)
    for rank, curve in enumerate(order):
        size = 8.5 - 3.5 * rank / max(1, rows - 1)
        # Many bands on top of one another would turn to mud.
        _draw_curve(axes, curve, styles[curve.label], size, 3 + rank, band=0.14 if rows <= 6 else 0.07)
    _decorate(axes, curves, title)
    _legend(figure, curves, styles, threshold)
    return figure


def _draw_curve(axes: Any, curve: Curve, style: dict, size: float, layer: float, band: float) -> None:
    points = drawn_points(curve)
    x = [max(point.n) for point in points]
    y = [100 * point.exact_match for point in points]
    low = [100 * min(point.values) for point in points]
    high = [100 * max(point.values) for point in points]
    if low != high:
        axes.fill_between(x, low, high, color=style["color"], alpha=band, linewidth=0, zorder=2)
    line = {key: style[key] for key in ("color", "linestyle", "linewidth")}
    axes.plot(x, y, **line, zorder=layer, solid_capstyle="round", clip_on=False, in_layout=False)
    marker = {
        "in_layout": False,
        "marker": style["marker"],
        "markersize": size,
        "linestyle": "none",
        "clip_on": False,
        "zorder": layer + 0.5,
    }
    for hollow in (False, True):
        chosen = [i for i, point in enumerate(points) if ("generate" not in point.modes) == hollow]
        edge, face = (style["color"], "white") if hollow else ("white", style["color"])
        axes.plot(
            [x[i] for i in chosen],
            [y[i] for i in chosen],
            **marker,
            markerfacecolor=face,
            markeredgecolor=edge,
            markeredgewidth=1.4 if hollow else 0.7,
        )


def _styles(curves: list[Curve]) -> dict[str, dict]:
    """Colour and marker by family (a variant of an embedding, with or without hint), dashes by hint."""
    known = list(NAMES)

    def place(curve: Curve) -> tuple:
        name = curve.first.position_embedding
        return (known.index(name) if name in known else len(known), name, curve.family)

    owners = {curve.family: curve.first.position_embedding for curve in sorted(curves, key=place)}
    firsts = {name: family for family, name in reversed(owners.items())}
    # A second variant of an embedding comes last, so that the other embeddings keep their colours.
    families = sorted(owners, key=lambda family: family != firsts[owners[family]])
    # LBPE's vermilion stays LBPE's, in figures without it too.
    shift = 0 if any(curve.first.position_embedding == LBPE for curve in curves) else 1
    styles = {}
    for curve in curves:
        index = families.index(curve.family) + shift
        styles[curve.label] = {
            "color": _COLOURS[1 + (index - 1) % (len(_COLOURS) - 1)] if index else _COLOURS[0],
            "marker": _MARKERS[index % len(_MARKERS)],
            "linestyle": _DASHES[curve.first.scale_hint],
            "linewidth": 3.2 if curve.first.position_embedding == LBPE else 1.7,
        }
    return styles


def _decorate(axes: Any, curves: list[Curve], title: str | None) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    ranges = _training_ranges(curves)
    ends = [high for _, high in ranges]
    lengths = sorted({max(point.n) for curve in curves for point in drawn_points(curve)})
    # Some of the shaded range shows even where all tests lie beyond it.
    left, right = min([*(max(low, high / 2) for low, high in ranges), *lengths]), max([*ends, *lengths])
    axes.set_xscale("log")
    # A little air on both sides; a log axis needs it as a factor.
    pad = (right / left) ** 0.03 if right > left else 1.3
    axes.set_xlim(left / pad, right * pad)
    axes.set_ylim(0, 103)
    axes.xaxis.set_minor_locator(NullLocator())
    ticks = sorted({*ends, *lengths})
    axes.set_xticks(ticks, labels=_tick_labels(ticks, left, right, max(ends)))
    axes.set_yticks(range(0, 101, 20))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}%"))
    if len(ranges) == 1:  # several, on top of one another, would not tell whose they are
        _shade(axes, *ranges[0], left / pad)
    axes.grid(axis="y", color=_FAINT, linewidth=0.7, zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel("length n (log scale)")
    axes.set_ylabel("exact match")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#888888")
    axes.tick_params(colors=_INK)
    tested = max(max(point.n) for curve in curves for point in curve.points)
    default = f"{curves[0].first.task}: {trained_on(curves)}, tested up to n = {tested:,}"
    axes.set_title(default if title is None else title, fontsize=12, color=_INK, loc="left", pad=12)


def _shade(axes: Any, low: int, high: int, left: float) -> None:
    """The training lengths, as far as the axis shows them."""
    axes.axvspan(max(low, left), high, color="#EFEFEF", zorder=0, linewidth=0)
    axes.axvline(high, color="#9A9A9A", linewidth=0.9, linestyle=":", zorder=1)
    text = f"trained on \nn = {low}–{high} "
    axes.text(high, 2, text, ha="right", va="bottom", fontsize=8.5, color="#6A6A6A", zorder=1)


def _tick_labels(ticks: list[int], left: int, right: int, keep: int) -> list[str]:
    """A label per tick, empty where it would run into another one; `keep` always has one."""
    from math import log

    width = log(right / left) or 1.0
    kept: list[int] = []
    for tick in sorted(ticks, key=lambda tick: (tick != keep, tick != right, -_roundness(tick), tick)):
        # A character takes about 1.6% of the axis, a gap a little more.
        room = [0.016 * ((len(_short(tick)) + len(_short(other))) / 2 + 1.2) for other in kept]
        if all(abs(log(tick / other)) / width > r for other, r in zip(kept, room, strict=True)):
            kept.append(tick)
    return [_short(tick) if tick in kept else "" for tick in ticks]


def _short(number: int) -> str:
    """5000 -> "5k"."""
    return f"{number // 1000}k" if number % 1000 == 0 else str(number)


def _roundness(number: int) -> int:
    """Trailing zeros: among crowded ticks, 100 keeps its label rather than 96."""
    text = str(number)
    return len(text) - len(text.rstrip("0"))


def _legend(figure: Any, curves: list[Curve], styles: dict[str, dict], threshold: float) -> None:
    from matplotlib.lines import Line2D

    handles, labels = [], []
    for curve in curves:
        style = styles[curve.label]
        handles.append(Line2D([], [], **style, markersize=6.5, markeredgecolor="white", markeredgewidth=0.6))
        reach = curve.reach(threshold)
        labels.append(f"{curve.label}   →  {reach:,}" if reach else f"{curve.label}   →  none")
    if any("generate" not in point.modes for curve in curves for point in drawn_points(curve)):
        handles.append(Line2D([], [], color="#777777", marker="o", linestyle="none", markerfacecolor="white"))
        labels.append("hollow: teacher-forced")
    seeds = sorted({len(curve.results) for curve in curves})
    runs = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    spread = "" if seeds == [1] else f"\nmean of {runs} seeds, band: min to max"
    figure.legend(
        handles,
        labels,
        loc="outside right upper",
        frameon=False,
        fontsize=9,
        handlelength=3.4,
        labelspacing=0.55,
        title=f"solved (≥ {100 * threshold:g}%) up to n{spread}",
        title_fontsize=9,
        alignment="left",
    )
