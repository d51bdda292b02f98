import pytest

from hf_lengthgen.evaluation.length_grid import grid_figure, grid_scales, grid_table, length_grid

from .results import score

RESULTS = [score([10, 10], 100), score([10, 30], 42), score([30, 10], 0)]


def test_a_grid_of_two_hints():
    grid = length_grid(reversed(RESULTS))
    assert (grid.rows, grid.columns) == ((10, 30), (10, 30))
    assert grid.values == ((1.0, 0.42), (0.0, None))


def test_table_and_figure_show_every_value():
    grid = length_grid(RESULTS)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in grid_table(grid).splitlines()]
    assert lines[0][1:] == ["10", "30"] and lines[2:] == [["10", "100", "42.0"], ["30", "0", "–"]]
    axes = grid_figure(grid, n_max=12, title="addition").axes[0]
    assert [text.get_text() for text in axes.texts] == ["100", "42.0", "0", ""]
    assert axes.lines[0].get_xdata().max() == 1 and axes.get_title(loc="left") == "addition"
    assert not grid_figure(grid, n_max=5).axes[0].lines and not grid_figure(grid).axes[0].lines


def test_scales_to_evaluate():
    assert grid_scales([10, 30], [5, 20]) == [(10, 5), (10, 20), (30, 5), (30, 20)]
    with pytest.raises(ValueError, match="rows of a grid are different lengths"):
        grid_scales([10, 10], [5])
    with pytest.raises(ValueError, match="columns of a grid"):
        grid_scales([10], [])


@pytest.mark.parametrize(
    "results, message",
    [([], "no results"), ([score(5, 3)], "two hints, got \\[5\\]"), (RESULTS + RESULTS[:1], "one result a scale")],
)
def test_what_is_no_grid(results, message):
    with pytest.raises(ValueError, match=message):
        length_grid(results)
