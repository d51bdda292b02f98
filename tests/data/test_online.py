import itertools

import numpy as np
import pytest
import torch

from hf_lengthgen.data.encode import encode
from hf_lengthgen.data.online import OnlineBatches
from hf_lengthgen.data.tokenizer import build_tokenizer
from hf_lengthgen.tasks import get_task


def batches(name="addition", seed=0, groups=4, batch_size=32, n_min=1, n_max=12, **options):
    task = get_task(name, **options)
    return OnlineBatches(task, build_tokenizer(task), n_min, n_max, batch_size, groups=groups, seed=seed)


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


def test_a_batch():
    online = batches(widths="unequal")
    batch = online.batch(3)
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}
    assert batch["input_ids"].shape == batch["labels"].shape == batch["attention_mask"].shape
    assert batch["scale_hint"].shape == (32, 2)
    expected = encode(online.samples(3), online.table, 1, 2, 0)
    assert all(np.array_equal(batch[key].numpy(), expected[key]) for key in batch)


def test_a_batch_is_a_function_of_seed_and_step():
    one, two = batches(seed=3), batches(seed=3)
    late = two.batch(7)
    assert same(one.batch(0), two.batch(0))
    assert same(one.batch(7), late)
    assert not same(one.batch(8), late)
    assert not same(batches(seed=4).batch(7), late)


def test_tasks_and_options_have_streams_of_their_own():
    streams = [("copy", {}), ("reverse", {}), ("copy", {"hard": 0.3})]
    drawn = [set(batches(name, n_min=8, n_max=8, **options).samples(0).prompt_strings()) for name, options in streams]
    for one, two in itertools.combinations(drawn, 2):
        assert len(one & two) < 6  # hard rows hold a few of the ten constant strings


def test_groups_share_one_scale_each():
    scales = batches("copy", groups=8, batch_size=64).batch(0)["scale_hint"].reshape(8, 8)
    assert (scales == scales[:, :1]).all()
    assert len(scales[:, 0].unique()) > 1


def test_scales_cover_the_range_uniformly():
    online = batches("copy", groups=4, batch_size=4, n_min=3, n_max=6)
    scales = np.concatenate([online.samples(step).scales.ravel() for step in range(500)])
    counts = np.bincount(scales, minlength=7)
    assert counts[:3].sum() == 0 and (abs(counts[3:] - 500) < 5 * 20).all()


@pytest.mark.parametrize("world_size", [1, 2, 4, 8])
def test_the_ranks_together_have_the_rows_of_one_process(world_size):
    online = batches(widths="unequal")
    whole = online.batch(5)
    parts = [online.batch(5, rank, world_size) for rank in range(world_size)]
    for key, tensor in whole.items():
        groups = tensor.reshape(4, 8, -1)
        for rank, part in enumerate(parts):
            assert torch.equal(part[key].reshape(4, 8 // world_size, -1), groups[:, rank::world_size])


def test_neighbouring_seeds_share_no_more_rows_than_chance():
    drawn = []
    for seed in (42, 43):
        online = batches("copy", seed=seed, groups=1, batch_size=50, n_min=4, n_max=4, hard=0.0)
        drawn.append([online.samples(step).prompt_strings() for step in range(40)])
    one, two = (np.array(rows) for rows in drawn)
    # 2000 x 2000 pairs of strings out of 10^4: 400 coincide by chance, with a standard deviation of about 20.
    pairs = (one.ravel()[:, None] == two.ravel()[None, :]).sum()
    assert abs(pairs - 400) < 5 * 20
    assert (one == two).sum() < 10  # row by row: 0.2 by chance
    within = (one.ravel()[:, None] == one.ravel()[None, :]).sum() - 2000
    assert abs(within - 400) < 10 * 20  # nor do the steps of one seed repeat each other


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": 3}, "groups must divide batch_size, got batch_size=32, groups=3"),
        ({"groups": 0}, "groups must be an integer >= 1"),
        ({"batch_size": 0}, "batch_size must be an integer >= 1"),
        ({"seed": -1}, "seed must be an integer >= 0"),
        ({"n_min": 5, "n_max": 4}, "n_min must not exceed n_max"),
        ({"n_min": 0}, "n_min must be an integer >= 1"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        batches(**arguments)


def test_the_tokenizer_must_fit_the_task():
    with pytest.raises(ValueError, match=r"characters '\+0123456789'"):
        OnlineBatches(get_task("addition"), build_tokenizer("abc="), 1, 2, 4)


@pytest.mark.parametrize(("step", "rank", "world_size"), [(0, 0, 3), (0, 2, 2), (0, -1, 2), (-1, 0, 1), (0.5, 0, 1)])
def test_steps_and_ranks_are_checked(step, rank, world_size):
    with pytest.raises(ValueError, match="step|rank|world_size"):
        batches().batch(step, rank, world_size)
