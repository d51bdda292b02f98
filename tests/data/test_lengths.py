import hashlib

import numpy as np
import pytest

from hf_lengthgen.data.lengths import Lengths
from hf_lengthgen.data.load_dataset import load_dataset
from hf_lengthgen.data.online import OnlineBatches
from hf_lengthgen.data.tokenizer import build_tokenizer
from hf_lengthgen.tasks import get_task

RNG = np.random.default_rng
COPY, PAIR = get_task("copy"), get_task("addition", widths="unequal")


def draw(lengths, count=20_000, task=COPY, at=0):
    return lengths.draw(task, count, RNG(0), at=at)


def shares(lengths, **options):
    scales = draw(lengths, **options)
    return np.bincount(scales.ravel()) / scales.size


def test_the_default_is_what_the_task_draws():
    for task in (COPY, PAIR):
        assert np.array_equal(draw(Lengths(3, 9), task=task), task.draw_scales(3, 9, 20_000, RNG(0)))


def test_weights_are_relative_frequencies():
    for weights in ([1, 0, 3], {2: 1, 4: 3}, np.array([0.1, 0.0, 0.3])):
        assert np.allclose(shares(Lengths(2, 4, weights)), [0, 0, 0.25, 0, 0.75], atol=0.02)
    assert np.allclose(shares(Lengths(2, 4, [1, 0, 3]), task=PAIR), [0, 0, 0.25, 0, 0.75], atol=0.02)


def test_weights_as_they_are_given_do_not_matter():
    assert Lengths(2, 4, [1, 0, 3]) == Lengths(2, 4, {2: 1, 4: 3}) == Lengths(2, 4, (1.0, 0.0, 3.0))


def test_a_curriculum_grows():
    lengths = Lengths(2, 9, curriculum={0: 3, 100: 9})
    assert lengths == Lengths(2, 9, curriculum=[(0, 3), (100, 9)])
    for at, n_max in ((0, 3), (99, 3), (100, 9), (10**9, 9)):
        assert np.array_equal(draw(lengths, at=at), draw(Lengths(2, n_max)))
    assert lengths.largest == 9


def test_what_so_many_steps_reach():
    assert Lengths(2, 9).reached(1) == (2, 9)
    assert Lengths((2, 3), (9, 4)).reached(5) == (2, 9)
    growing = Lengths(2, 9, curriculum={0: 3, 100: 9})
    assert [growing.reached(count) for count in (0, 100, 101)] == [(2, 3), (2, 3), (2, 9)]
    assert Lengths(2, 6, [0, 1, 3, 1, 0]).reached(1) == (3, 5)
    assert Lengths(2, 9, priming_share=0.1, priming_n=(40, 50)).reached(1) == (2, 50)


def test_weights_keep_their_proportions_in_a_curriculum():
    lengths = Lengths(2, 4, [1, 3, 100], curriculum={0: 3, 10: 4})
    assert np.allclose(shares(lengths), [0, 0, 0.25, 0.75], atol=0.02)
    assert np.allclose(shares(lengths, at=10), np.array([0, 0, 1, 3, 100]) / 104, atol=0.02)


def test_priming_mixes_in_a_share_of_long_rows():
    lengths = Lengths(1, 4, priming_share=0.1, priming_n=(30, 31))
    scales = draw(lengths, task=PAIR)
    long = scales >= 30
    assert (long[:, 0] == long[:, 1]).all(), "all hints of a row are long, or none is"
    assert abs(long[:, 0].mean() - 0.1) < 0.01
    assert set(scales[long]) == {30, 31} and scales[~long].max() == 4
    assert set(draw(Lengths(1, 4, priming_share=0.5, priming_n=20)).ravel()) == {1, 2, 3, 4, 20}
    assert (lengths.largest, Lengths(1, 40, priming_share=0.1, priming_n=20).largest) == (31, 40)


def test_every_hint_may_have_a_range_of_its_own():
    scales = draw(Lengths((1, 5), (3, 6)), task=PAIR)
    assert [sorted(set(column.tolist())) for column in scales.T] == [[1, 2, 3], [5, 6]]
    scales = draw(Lengths(2, (3, 6)), task=PAIR)
    assert [sorted(set(column.tolist())) for column in scales.T] == [[2, 3], [2, 3, 4, 5, 6]]
    assert Lengths((1, 5), (3, 6)).largest == 6


def test_settings_rebuild_it():
    lengths = Lengths(2, 9, {2: 1, 9: 2}, {0: 3, 100: 9}, 0.1, 30)
    assert Lengths(**lengths.settings()) == lengths
    assert Lengths().settings() == {}
    assert Lengths(n_max=20).settings() == {"n_max": 20}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_min": 0}, "n_min must be an integer >= 1, got 0"),
        ({"n_max": (3, 0)}, "n_max must be an integer >= 1, got 0"),
        ({"n_min": 5, "n_max": 4}, "n_min must not exceed n_max, got n_min=5, n_max=4"),
        ({"n_min": (1, 5), "n_max": (3, 4)}, "n_min must not exceed n_max"),
        ({"n_min": (1, 5), "n_max": (3, 4, 5)}, "equally many entries"),
        ({"n_max": 3, "length_weights": [1, 2]}, "must have 3 entries, one per n, got 2"),
        ({"n_max": 3, "length_weights": {4: 1}}, "has n = 4, outside 1 to 3"),
        ({"n_max": 3, "length_weights": [1, -1, 1]}, "must not be negative"),
        ({"n_max": 3, "length_weights": [0, 0, 0]}, "one of them must be positive"),
        ({"n_max": 3, "length_weights": [1, float("nan"), 1]}, "must not be negative"),
        ({"n_max": 2, "length_weights": ["a", "b"]}, "must be numbers"),
        ({"n_max": (2, 2), "length_weights": [1, 1]}, "need one range"),
        ({"n_max": 4, "curriculum": {0: 5}}, "n_max = 5, which exceeds n_max=4"),
        ({"n_min": 3, "n_max": 4, "curriculum": {0: 2}}, "curriculum must be an integer >= 3, got 2"),
        ({"curriculum": {5: 3}}, r"must begin with 0 and grow, got \[5\]"),
        ({"curriculum": [(0, 3), (0, 4)]}, "must begin with 0 and grow"),
        ({"curriculum": {}}, "must begin with 0"),
        ({"curriculum": 7}, "a mapping start -> n_max, got 7"),
        ({"n_max": 3, "length_weights": [0, 0, 1], "curriculum": {0: 2}}, "leave no length up to 2"),
        ({"n_max": (3, 3), "curriculum": {0: 2}}, "needs one range"),
        ({"priming_share": 0.1}, "go together"),
        ({"priming_n": 30}, "go together"),
        ({"priming_share": 1.5, "priming_n": 30}, "between 0 and 1"),
        ({"priming_share": 0.1, "priming_n": (30, 20)}, "must not exceed the second"),
        ({"priming_share": 0.1, "priming_n": (1, 2, 3)}, "a pair"),
        ({"priming_share": 0.1, "priming_n": 0}, "priming_n must be an integer >= 1"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        Lengths(**arguments)


def test_the_ranges_must_fit_the_task():
    Lengths((1, 1), (2, 3)).check(PAIR)
    with pytest.raises(ValueError, match="takes 1 scale"):
        Lengths(1, (2, 3)).check(COPY)
    with pytest.raises(ValueError, match="takes 1 scale"):
        load_dataset("copy", n_max=(2, 3))


# ---- where they are used


def test_online_batches_follow_them():
    tokenizer = build_tokenizer(COPY)
    plain = OnlineBatches(COPY, tokenizer, 1, 9, 64, groups=16)
    online = OnlineBatches(COPY, tokenizer, 1, 9, 64, groups=16, curriculum={0: 2, 5: 9})
    assert {n for step in range(5) for n in online.samples(step).scales.ravel()} == {1, 2}
    for step in (5, 6):  # as if there had been no curriculum
        assert np.array_equal(online.samples(step).prompts, plain.samples(step).prompts)
    online = OnlineBatches(COPY, tokenizer, 1, 9, 64, groups=64, priming_share=0.2, priming_n=40)
    long = np.mean([(online.samples(step).scales == 40).mean() for step in range(30)])
    assert abs(long - 0.2) < 0.04
    with pytest.raises(ValueError, match="go together"):
        OnlineBatches(COPY, tokenizer, 1, 9, 64, priming_n=40)


def test_data_sets_follow_them(tmp_path):
    def n(**options):
        return np.array(load_dataset("copy", n_max=9, cache_dir=tmp_path, **options)["n"])

    block = 4096
    grown = n(rows=2 * block, curriculum={0: 2, 1: 9})  # from row 1 on means from the next block on
    assert set(grown[:block]) == {1, 2} and set(grown[block:]) == set(range(1, 10))
    assert np.array_equal(grown[block:], n(rows=2 * block)[block:])
    assert set(n(rows=500, length_weights={3: 1, 9: 1})) == {3, 9}
    primed = n(rows=5000, priming_share=0.1, priming_n=50)
    assert abs((primed == 50).mean() - 0.1) < 0.02
    few = n(rows=100, priming_share=0.1, priming_n=50)
    assert np.array_equal(few, primed[:100])


def test_rows_of_a_scale_of_two_dimensions(tmp_path):
    options = {"widths": "unequal", "cache_dir": tmp_path}
    dataset = load_dataset("addition", n_min=(2, 7), n_max=(3, 8), rows=400, **options)
    assert {tuple(hint) for hint in dataset["scale_hint"]} == {(2, 7), (2, 8), (3, 7), (3, 8)}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"length_weights": {1: 1, 7: 2.5}}, "a44b8161a4e841b7"),
        ({"curriculum": {0: 3, 4096: 12}}, "0650553caf0f5ff3"),
        ({"priming_share": 0.2, "priming_n": (20, 40)}, "bcece90c26af58cc"),
        ({"widths": "unequal", "n_min": (1, 3), "n_max": (9, 5)}, "8a27148b9e2d9db8"),
    ],
)
def test_rows_are_the_same_everywhere(options, expected, tmp_path):
    rows = load_dataset("addition", rows=5000, seed=5, cache_dir=tmp_path, **options)["text"]
    assert hashlib.blake2b("\n".join(rows).encode(), digest_size=8).hexdigest() == expected


def test_operand_length_times_operand_count(tmp_path):
    options = {"operands": 0, "n_min": (2, 2), "n_max": (3, 5), "rows": 300, "cache_dir": tmp_path}
    dataset = load_dataset("multi_addition", **options)
    sizes = {(len(prompt.partition("+")[0]), prompt.count("+") + 1) for prompt in dataset["prompt"]}
    assert sizes == {(length, count) for length in (2, 3) for count in (2, 3, 4, 5)}
    task = get_task("multi_addition", operands=0)
    for row in dataset:
        assert list(task.scale_of(row["prompt"])) == row["scale_hint"]
        assert row["n"] == max(len(row["prompt"].partition("+")[0]), row["prompt"].count("+") + 1)


def test_scales_are_such_as_the_task_has():
    """A sum has at least two operands, however the scale is drawn."""
    task, rng = get_task("multi_addition", operands=0), np.random.default_rng(0)
    for lengths in (
        Lengths(1, (6, 4)),
        Lengths(1, 4, [1, 1, 1, 1]),
        Lengths(1, 4, priming_share=0.5, priming_n=(1, 9)),
    ):
        scales = lengths.draw(task, 400, rng)
        assert scales[:, 0].min() == 1 and scales[:, 1].min() == 2
        for scale in np.unique(scales, axis=0):
            task.sample(tuple(scale), 1, rng)
    pairs = Lengths(1, (6, 4)).draw(task, 3000, rng)
    assert np.allclose(np.bincount(pairs[:, 1])[2:] / 3000, 1 / 3, atol=0.05)


def test_a_stage_of_a_curriculum_that_no_block_begins_in_is_refused():
    with pytest.raises(
        ValueError, match="n_max = 12 from row 500 on is never reached: the last block of the 1000 rows"
    ):
        load_dataset("copy", rows=1000, curriculum={0: 4, 500: 12})
