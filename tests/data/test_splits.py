import itertools

import numpy as np
import pytest

from hf_lengthgen.data.splits import SHARES, SPLITS, draw_split, prompt_hash, sample_split, split_of
from hf_lengthgen.tasks import get_task, list_tasks

MASK = 2**64 - 1


def strings(texts: list[str]) -> np.ndarray:
    width = max(map(len, texts))
    return np.array([list(text.ljust(width, "\0").encode()) for text in texts], dtype=np.uint8)


def stir(value: int) -> int:
    """splitmix64 (Steele, Lea, Flood 2014) on Python integers."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & MASK
    return value ^ (value >> 31)


def hash_by_hand(text: str) -> int:
    weights = [stir((place * 0x9E3779B97F4A7C15) & MASK) for place in range(1, len(text) + 1)]
    return stir(sum(ord(c) * w for c, w in zip(text, weights, strict=True)) & MASK)


def test_the_hash_is_the_same_everywhere():
    texts = ["1+2=", "321+654=", "abcdefghij" * 50 + "="]
    assert prompt_hash(strings(texts)).tolist() == [hash_by_hand(text) for text in texts]


def test_long_prompts_are_hashed_in_pieces():
    rows = np.random.default_rng(0).integers(48, 58, size=(50, 200_000), dtype=np.uint8)  # three pieces
    assert prompt_hash(rows).tolist() == [int(prompt_hash(row[None])[0]) for row in rows]


def test_the_hash_does_not_see_the_padding():
    assert prompt_hash(strings(["ab="])) == prompt_hash(strings(["ab=", "abcdef="]))[:1]


def test_all_short_strings_have_different_hashes_and_fall_into_all_splits():
    texts = ["".join(letters) + "=" for letters in itertools.product("abcdefghij", repeat=5)]
    assert len(np.unique(prompt_hash(strings(texts)))) == 10**5
    shares = np.bincount(split_of(strings(texts))) / 10**5
    for split, share in zip(SPLITS, shares, strict=True):
        assert abs(share - SHARES[split]) < 0.006  # five standard deviations


@pytest.mark.parametrize("name", list_tasks())
@pytest.mark.parametrize("split", SPLITS)
def test_rows_have_the_scales_asked_for_and_are_in_the_split(name, split):
    task = get_task(name)
    scales = task.draw_scales(8, 12, 500, np.random.default_rng(0))
    samples = sample_split(task, split, scales, np.random.default_rng(1))
    assert np.array_equal(samples.scales, scales)
    assert (split_of(samples.prompts) == SPLITS.index(split)).all()
    assert [task.answer(prompt) for prompt in samples.prompt_strings()] == samples.answer_strings()


@pytest.mark.parametrize("scales", [[[9, 5], [5, 9], [9, 5], [7, 7]], [[400, 5], [5, 400], [400, 5]]])
def test_rows_are_kept_scale_by_scale(scales):
    task, scales = get_task("addition", widths="unequal"), np.array(scales)
    drawn = draw_split(task, "train", scales, np.random.default_rng(0))
    assert drawn.scales.tolist() == np.unique(scales, axis=0).tolist()
    for part, scale in zip(drawn.parts, drawn.scales, strict=True):
        assert (part.scales == scale).all() and part.prompts.all()
    samples = drawn.samples()
    assert len(drawn) == len(scales) and np.array_equal(samples.scales, scales)
    assert np.array_equal(drawn.head(2).samples().scales, scales[:2])
    assert len(set(samples.prompt_strings())) == len(scales)


def test_few_prompts_repeat_and_stay_in_their_split():
    task = get_task("copy", symbols="abc")
    scales = np.repeat([[1], [2], [3]], 100, axis=0)
    drawn = {split: sample_split(task, split, scales, np.random.default_rng(1)) for split in SPLITS}
    prompts = {split: set(samples.prompt_strings()) for split, samples in drawn.items()}
    assert all(len(samples) == 300 for samples in drawn.values())
    assert all(prompts[one].isdisjoint(prompts[two]) for one, two in itertools.combinations(SPLITS, 2))
    assert len(set.union(*prompts.values())) > 30  # of 3 + 9 + 27


def test_a_scale_without_prompts_in_a_split_is_replaced():
    task = get_task("parity")
    empty = [split for split in SPLITS if SPLITS.index(split) not in split_of(strings(["0=", "1="]))]
    assert empty, "two prompts cannot be in three splits"
    scales = np.array([[1], [9], [1], [9]])
    samples = sample_split(task, empty[0], scales, np.random.default_rng(0))
    assert samples.scales.ravel().tolist() == [9, 9, 9, 9]
    assert list(map(task.scale_of, samples.prompt_strings())) == [(9,)] * 4
    with pytest.raises(ValueError, match=f"no prompts for split '{empty[0]}' at n = 1 to 1"):
        sample_split(task, empty[0], np.array([[1]]), np.random.default_rng(0))
