import pytest
from evaluation.results import make_result

from hf_lengthgen.compare.estimate import Estimate, duration, prior, wall_seconds

from .grids import grid


def test_finished_cells_correct_the_guess():
    """Known pairs as measured; others by the variant's ratio to the guess; else by that of all."""
    cells = {cell.pair: cell for cell in grid(seeds=[0]).cells}
    rope, hinted = cells["copy/rope"], cells["copy/hinted"]
    assert Estimate({})(rope) == prior(rope) > 0
    estimate = Estimate({rope: 2 * prior(rope)})
    assert estimate(rope) == pytest.approx(2 * prior(rope))
    assert estimate(cells["reverse/rope"]) == pytest.approx(2 * prior(cells["reverse/rope"]))
    assert estimate(hinted) == pytest.approx(2 * prior(hinted))
    estimate = Estimate({rope: 2 * prior(rope), hinted: 4 * prior(hinted)})
    assert estimate(cells["reverse/hinted"]) == pytest.approx(4 * prior(cells["reverse/hinted"]))
    assert estimate.total([rope, hinted]) == pytest.approx(estimate(rope) + estimate(hinted))


def test_more_steps_and_longer_answers_take_longer():
    short, long = grid(seeds=[0]).cells[0], grid(seeds=[0], tasks=[{"name": "copy", "steps": 2000}]).cells[0]
    assert prior(long) > prior(short)


def test_wall_seconds_and_duration():
    assert wall_seconds(make_result(wall_seconds=7.0)) == 7.0
    assert wall_seconds(make_result(train_seconds=3.0, eval_seconds=None)) == 3.0
    assert [duration(s) for s in (45, 720, 12600)] == ["45 s", "12 min", "3.5 h"]
