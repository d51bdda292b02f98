import dataclasses
import io
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_hex
from PIL import Image

from hf_lengthgen.evaluation.curves import make_curves
from hf_lengthgen.evaluation.labels import NAMES
from hf_lengthgen.evaluation.plot import curves_figure, drawn_points, plot_curves, save_figure

from .results import make_result, score

LENGTHS = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


def falling(start):
    """Scores that fall to 0 after `start` lengths."""
    return [(n, max(0, min(100, 100 - 35 * (i - start)))) for i, n in enumerate(LENGTHS)]


def lines_of(figure):
    """(x, y) of each drawn curve; markers and the edge of the training range are other lines."""
    lines = [line for line in figure.axes[0].get_lines() if line.get_linestyle() != "None"]
    return [line for line in lines if line.get_linestyle() != ":"]


def everything():
    """Every known embedding with and without hint, three seeds each."""
    return [
        make_result(name, falling(i % 5 + seed % 2), seed=seed, scale_hint=hint)
        for i, name in enumerate(NAMES)
        for hint in ("none", "prompt")
        for seed in range(3)
    ]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
@pytest.mark.parametrize("many", [False, True])
def test_a_figure_is_written_and_small(tmp_path, suffix, many):
    crowd = [result for result in everything() if result.position_embedding in list(NAMES)[:20]]  # 40 curves
    results = crowd if many else [make_result("lbpe", falling(4)), make_result("rope", falling(1))]
    path = plot_curves(results, tmp_path / "new" / f"curve{suffix}", title="a title")
    data = path.read_bytes()
    assert 5_000 < len(data) < 200_000
    assert [item.name for item in path.parent.iterdir()] == [path.name]
    if suffix == ".png":
        image = Image.open(io.BytesIO(data))
        assert image.format == "PNG" and min(image.size) > 500
    else:
        assert ElementTree.fromstring(data).tag.endswith("svg")
    assert plot_curves(results, path, title="a title").read_bytes() == data  # no date, no random ids


def test_a_curve_ends_at_its_first_zero():
    figure = curves_figure([make_result("rope", [(10, 100), (20, 40), (50, 0), (100, 30)])])
    (line,) = lines_of(figure)
    assert list(line.get_xdata()) == [10, 20, 50] and list(line.get_ydata()) == [100, 40, 0]


def test_a_curve_is_the_mean_with_a_band():
    runs = [make_result("rope", [(10, 100), (20, 20 * seed)], seed=seed) for seed in range(3)]
    figure = curves_figure(runs)
    (line,) = lines_of(figure)
    assert list(line.get_ydata()) == pytest.approx([100, 20])
    (band,) = figure.axes[0].collections
    corners = band.get_paths()[0].vertices
    assert {(x, round(y)) for x, y in corners if x == 20} == {(20, 0), (20, 40)}
    assert not curves_figure(runs[:1]).axes[0].collections


def test_curves_and_results_can_be_mixed(tmp_path):
    (curve,) = make_curves([make_result("rope", [(10, 100), (20, 40)])])
    mixed = [curve, make_result("alibi", [(10, 100), (20, 80)])]
    assert len(lines_of(curves_figure(mixed))) == 2
    assert plot_curves(mixed, tmp_path / "mixed.svg").stat().st_size > 0


def test_axes_show_tested_lengths_training_range_and_percent():
    figure = curves_figure([make_result("rope", [(5, 100), (20, 90), (100, 50)])])
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    assert list(axes.get_xticks()) == [5, 12, 20, 100]  # 12: the end of the training range
    assert [label.get_text() for label in axes.get_xticklabels()] == ["5", "12", "20", "100"]
    assert axes.get_ylim()[0] == 0 and 100 <= axes.get_ylim()[1] <= 105
    assert axes.yaxis.get_major_formatter()(40, 0) == "40%"
    (shade,) = axes.patches
    assert shade.get_x() + shade.get_width() == 12
    assert axes.get_xlim()[0] <= 5 and axes.get_xlim()[1] >= 100
    assert axes.get_title(loc="left") == "addition: trained on n = 1–12, tested up to n = 100"


def test_different_training_ranges_are_named_and_not_shaded():
    figure = curves_figure([make_result("rope", falling(3)), make_result("alibi", falling(5), n_min=2, n_max=20)])
    axes = figure.axes[0]
    assert len(lines_of(figure)) == 2 and not axes.patches and not axes.texts
    assert {12, 20} <= set(axes.get_xticks())
    assert axes.get_title(loc="left") == "addition: trained on n = 1–12 or 2–20, tested up to n = 10,000"


def test_tick_labels_do_not_run_into_one_another(tmp_path):
    figure = curves_figure([make_result("rope", [(n, 100) for n in (*range(1, 31), *LENGTHS[3:])])])
    figure.savefig(io.BytesIO())
    axes = figure.axes[0]
    boxes = sorted(
        (label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()),
        key=lambda box: box.x0,
    )
    assert len(boxes) >= 8
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:], strict=False))
    assert "12" in [label.get_text() for label in axes.get_xticklabels()]


def test_the_legend_is_sorted_by_reach():
    figure = curves_figure(
        [
            make_result("rope", falling(1)),
            make_result("lbpe", falling(9)),
            make_result("alibi", falling(3)),
            make_result("learned", [(5, 20)]),
        ]
    )
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [text.split()[0] for text in texts] == ["LBPE", "ALiBi", "RoPE", "learned"]
    assert texts[0].endswith("5,000") and texts[1].endswith("50") and texts[3].endswith("none")


def test_lbpe_is_drawn_last_and_thicker():
    results = [make_result(name, falling(i)) for i, name in enumerate(("lbpe", "rope", "ipe", "t5"))]
    lines = lines_of(curves_figure(results))
    front = max(lines, key=lambda line: line.get_zorder())
    assert front.get_linewidth() > max(line.get_linewidth() for line in lines if line is not front)
    assert to_hex(front.get_color()).upper() == "#D55E00"
    others = lines_of(curves_figure(results[1:]))
    assert "#D55E00" not in {to_hex(line.get_color()).upper() for line in others}


def test_every_curve_has_a_look_of_its_own():
    figure = curves_figure(everything())
    looks = {
        (to_hex(h.get_color()), h.get_marker(), h.get_linestyle() == "-") for h in figure.legends[0].legend_handles
    }
    assert len(looks) == 2 * len(NAMES) and 2 * len(NAMES) == len(lines_of(figure))


def test_a_second_variant_of_an_embedding_has_a_colour_that_no_other_loses():
    results = [make_result(name, falling(k)) for k, name in enumerate(("lbpe", "rope", "alibi"))]
    wide = make_result("lbpe", falling(5), position_options={"window": 3})

    def colours(figure):
        texts = [text.get_text().partition("   ")[0] for text in figure.legends[0].get_texts()]
        return dict(zip(texts, (to_hex(h.get_color()) for h in figure.legends[0].legend_handles), strict=True))

    few, more = colours(curves_figure(results)), colours(curves_figure([*results, wide]))
    assert set(more) == {*few, "LBPE (window 3)"} and len(set(more.values())) == 4
    assert all(more[label] == colour for label, colour in few.items())


def test_teacher_forced_points_are_hollow():
    figure = curves_figure([make_result("rope", [score(10, 100), score(100, 16, 16, "teacher")])])
    markers = [line for line in figure.axes[0].get_lines() if line.get_marker() not in ("None", None, "")]
    faces = {x: line.get_markerfacecolor() for line in markers for x in line.get_xdata()}
    assert faces[100] == "white" and faces[10] != "white"
    assert figure.legends[0].get_texts()[-1].get_text() == "hollow: teacher-forced"


def test_points_that_lack_runs_and_unequal_scales_are_left_out():
    (curve,) = make_curves(
        [
            make_result(scores=[(10, 100), (20, 100), (50, 100)], seed=0),
            make_result(scores=[(10, 100), (50, 90)], seed=1),
        ]
    )
    assert [point.n for point in drawn_points(curve)] == [(10,), (50,)]
    (curve,) = make_curves([make_result(scores=[score(n, 50) for n in ([10, 10], [30, 100], [50, 50])])])
    assert [point.n for point in drawn_points(curve)] == [(10, 10), (50, 50)]
    (curve,) = make_curves([make_result(scores=[score([30, 100], 50)])])
    assert [point.n for point in drawn_points(curve)] == [(30, 100)]


@pytest.mark.parametrize(
    "results, name, message",
    [
        ([make_result()], "curve.jpg", "written as .svg or .png, got 'curve.jpg'"),
        ([], "curve.svg", "no results"),
        ([make_result(scores=[])], "curve.svg", "no result has a tested length"),
        ([make_result(), make_result("rope", task="copy")], "curve.svg", "equal tasks, got addition, copy"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path, results, name, message):
    with pytest.raises(ValueError, match=message):
        plot_curves(results, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_single_lengths_can_be_drawn(tmp_path):
    """Nothing to span an axis with: one length, inside or beyond the training range, or equal to it."""
    for n, low, high in ((5, 1, 12), (100, 1, 12), (12, 12, 12)):
        path = plot_curves([make_result("rope", [(n, 100)], n_min=low, n_max=high)], tmp_path / "one.png")
        assert path.stat().st_size > 5_000


def test_curves_keep_their_label_and_order():
    """Two variants that a result file cannot tell apart, such as two learning rates."""
    low, high = (make_curves([make_result(scores=falling(k))])[0] for k in (1, 5))
    curves = [dataclasses.replace(low, label="rate 0.1"), dataclasses.replace(high, label="rate 0.2")]
    labels = [text.get_text() for text in curves_figure(curves).legends[0].get_texts()]
    assert [label.partition("  ")[0] for label in labels] == ["rate 0.1", "rate 0.2"]


def test_only_svg_and_png_are_written(tmp_path):
    with pytest.raises(ValueError, match="written as .svg or .png, got 'x.pdf'"):
        save_figure(curves_figure([make_result()]), tmp_path / "x.pdf")
    assert save_figure(curves_figure([make_result()]), tmp_path / "x.svg").stat().st_size > 1000


def test_a_variant_tested_at_all_pairs_of_two_hints_is_a_heat_map(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("hf_lengthgen.evaluation.plot.save_figure", lambda figure, path: drawn.append(figure))
    pairs = [(5, 5), (5, 30), (30, 5), (30, 30)]
    lbpe, rope = (
        make_result(name, [score(pair, k) for pair, k in zip(pairs, (100, 80, 60, 40), strict=True)])
        for name in ("lbpe", "rope")
    )
    for results in ([lbpe], make_curves([lbpe]), [lbpe, rope], [make_result(scores=[score([5, 5], 9)])]):
        plot_curves(results, tmp_path / "x.svg")
    assert [figure.axes[0].get_ylabel() for figure in drawn] == ["first hint", "first hint", *["exact match"] * 2]
    assert "addition, LBPE" in drawn[0].axes[0].get_title(loc="left")
    assert [text.get_text() for text in drawn[0].axes[0].texts] == ["100", "80.0", "60.0", "40.0"]


def test_the_title_says_how_far_was_tested():
    def title(**changes):
        return curves_figure([make_result(**changes)]).axes[0].get_title(loc="left")

    assert title(n_max=50, scores=[(5, 100), (20, 90)]).endswith("trained on n = 1–50, tested up to n = 20")
    assert title(n_max=4, scores=[(5, 100), (20, 0), (100, 0)]).endswith("tested up to n = 100")  # beyond what is drawn
