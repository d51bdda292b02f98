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


def test_the_first_guess_grows_with_steps_tokens_and_size():
    """40 seconds around it, and 4 ms per step and token of 2 layers of width 128 at 128 rows a step."""

    def guess(task="copy", **changes):
        cell, *_ = grid(seeds=[0], tasks=[{"name": task} | changes]).cells
        return prior(cell)

    size = {"hidden_size": 128, "batch_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    # Copying 4 symbols: <bos>, 4 symbols, ">", 4 symbols, <eos>.
    assert guess(steps=1000, **size) == pytest.approx(40 + 0.004 * 1000 * 11)
    assert guess(steps=1000, **size | {"n_max": 9}) == pytest.approx(40 + 0.004 * 1000 * 21)
    # A sum of 4 digits has one more: <bos>, 4 digits, "+", 4 digits, "=", 5 digits, <eos>.
    assert guess("addition", steps=1000, **size) == pytest.approx(40 + 0.004 * 1000 * 17)
    for name, share in (("hidden_size", 2), ("batch_size", 4), ("num_hidden_layers", 2)):
        smaller = size | {name: size[name] // share}
        assert guess(steps=1000, **smaller) == pytest.approx(40 + 0.004 * 1000 * 11 / share)


def test_wall_seconds_and_duration():
    assert wall_seconds(make_result(wall_seconds=7.0)) == 7.0
    assert wall_seconds(make_result(train_seconds=3.0, eval_seconds=None)) == 3.0
    assert wall_seconds(make_result(train_seconds=3.0, eval_seconds=4.0)) == 7.0
    assert [duration(s) for s in (45, 720, 12600)] == ["45 s", "12 min", "3.5 h"]
