import numpy as np
import pytest

from hf_lengthgen.tasks import get_task
from hf_lengthgen.tasks.strings import draw_symbols


def test_easy_strings_are_uniform():
    symbols = draw_symbols(6, 4, np.zeros(10_000, dtype=bool), np.random.default_rng(0))
    assert symbols.shape == (10_000, 6)
    for place in range(6):
        counts = np.bincount(symbols[:, place], minlength=4)
        assert (abs(counts - 2500) < 5 * 44).all()  # five standard deviations


def test_hard_strings_repeat_symbols():
    hard = np.ones(3000, dtype=bool)
    symbols = draw_symbols(20, 10, hard, np.random.default_rng(0))
    different = np.array([len(set(row)) for row in symbols.tolist()])
    changes = (np.diff(symbols.astype(int), axis=1) != 0).sum(axis=1)
    # A third is constant, and one in ten of the two-symbol third, whose symbols are equal by chance.
    assert 0.30 < (different == 1).mean() < 0.42
    assert 0.60 < (different <= 2).mean() < 0.72
    runs = different > 2
    # 19 places, a new symbol in one of five; uniform strings change 17 times.
    assert changes[runs].mean() < 6


def test_only_the_marked_rows_are_hard():
    hard = np.arange(1000) % 2 == 0
    symbols = draw_symbols(30, 10, hard, np.random.default_rng(0))
    constant = (symbols == symbols[:, :1]).all(axis=1)
    assert constant[hard].any() and not constant[~hard].any()


@pytest.mark.parametrize("symbols", ["", "a", "aba", "ab=", "ab ", "aЖ", "a\nb", "a\u00ad"])
def test_symbols_are_checked(symbols):
    with pytest.raises(ValueError, match="two or more different printable Latin-1"):
        get_task("copy", symbols=symbols)


def test_symbols_are_used():
    task = get_task("reverse", symbols="xyz")
    assert task.vocabulary == "xyz="
    samples = task.sample(50, 20, np.random.default_rng(0))
    assert set("".join(samples.answer_strings())) == set("xyz")
    with pytest.raises(ValueError, match="foreign characters 'a'"):
        task.answer("xa=")
