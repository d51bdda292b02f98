import numpy as np
import pytest
import torch

from hf_lengthgen.data.collator import ScaleGroupedSampler, TaskCollator, rows_to_samples
from hf_lengthgen.data.load_dataset import load_dataset
from hf_lengthgen.data.online import OnlineBatches
from hf_lengthgen.data.tokenizer import build_tokenizer
from hf_lengthgen.tasks import get_task


def rows_of(samples):
    columns = zip(samples.prompt_strings(), samples.answer_strings(), samples.scales.tolist(), strict=True)
    return [{"prompt": p, "answer": a, "scale_hint": hint} for p, a, hint in columns]


def test_the_same_batch_as_online():
    task = get_task("addition", widths="unequal")
    tokenizer = build_tokenizer(task)
    online = OnlineBatches(task, tokenizer, 1, 9, 24, groups=6)
    expected = online.batch(0)
    batch = TaskCollator(tokenizer)(rows_of(online.samples(0)))
    assert batch.keys() == expected.keys()
    assert all(torch.equal(batch[key], expected[key]) for key in batch)


def test_a_plain_integer_is_a_hint():
    batch = TaskCollator(build_tokenizer("ab="))([{"prompt": "ab=", "answer": "ab", "scale_hint": 2}])
    assert batch["scale_hint"].tolist() == [[2]]
    assert batch["input_ids"].tolist() == [[1, 4, 5, 6, 4, 5, 2]]
    assert batch["labels"].tolist() == [[-100] * 4 + [4, 5, 2]]


def test_an_empty_answer_is_an_eos():
    samples = rows_to_samples([{"prompt": "a=", "answer": "", "scale_hint": 1}])
    assert samples.answer_strings() == [""]
    batch = TaskCollator(build_tokenizer("ab="))([{"prompt": "a=", "answer": "", "scale_hint": 1}])
    assert batch["input_ids"].tolist() == [[1, 4, 6, 2]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "at least one row"),
        ([{"prompt": "a=", "answer": "a"}], "'scale_hint' is missing.*remove_unused_columns=False"),
        ([{"prompt": "ac=", "answer": "a", "scale_hint": 1}], "'ac=a' has characters 'c'; allowed: 'ab='"),
        ([{"prompt": "a=", "answer": "x", "scale_hint": 1}], "'a=x' has characters 'x'"),
        ([{"prompt": "a\u0416=", "answer": "a", "scale_hint": 1}], "the character '\u0416', which is not in Latin-1"),
        (
            [{"prompt": "a=", "answer": "a", "scale_hint": h} for h in ([1], [1, 2])],
            "equally many scale hints",
        ),
    ],
)
def test_bad_rows_are_named(rows, message):
    with pytest.raises(ValueError, match=message):
        TaskCollator(build_tokenizer("ab="))(rows)


def test_with_a_data_loader(tmp_path):
    dataset = load_dataset("addition", widths="unequal", n_max=3, rows=300, cache_dir=tmp_path)
    loader = torch.utils.data.DataLoader(
        dataset,
        batch_sampler=ScaleGroupedSampler(dataset["scale_hint"], 16),
        collate_fn=TaskCollator(build_tokenizer(get_task("addition"))),
    )
    rows = 0
    for batch in loader:
        assert (batch["scale_hint"] == batch["scale_hint"][:1]).all()
        assert batch["attention_mask"].all(), "rows of one scale need no padding"
        rows += len(batch["input_ids"])
    assert rows == 300


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("drop_last", [True, False])
def test_every_row_once_and_one_scale_a_batch(shuffle, drop_last):
    scales = np.random.default_rng(0).integers(1, 4, size=(100, 2))
    sampler = ScaleGroupedSampler(scales, 4, shuffle=shuffle, drop_last=drop_last)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    used = sorted(row for batch in batches for row in batch)
    counts = np.unique(scales, axis=0, return_counts=True)[1]
    if drop_last:
        assert {len(batch) for batch in batches} == {4}
        assert len(used) == len(set(used)) == sum(counts // 4 * 4)
    else:
        assert used == list(range(100))
        assert len(batches) == sum(-(-counts // 4))
    for batch in batches:
        assert len(np.unique(scales[batch], axis=0)) == 1
        assert all(type(row) is int for row in batch)


def test_the_order_is_a_function_of_seed_and_epoch():
    scales = [1, 2] * 50
    sampler = ScaleGroupedSampler(scales, 8, seed=1)
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    assert second != list(ScaleGroupedSampler(scales, 8, seed=2))
    sampler.set_epoch(0)
    assert list(sampler) == first


def test_without_shuffling_the_order_is_kept():
    sampler = ScaleGroupedSampler([2, 1, 2, 1, 2], 2, shuffle=False)
    assert list(sampler) == [[1, 3], [0, 2], [4]]


@pytest.mark.parametrize(
    ("scales", "options", "message"),
    [
        ([], {}, "scales must be integers"),
        ([1.5, 2.5], {}, "scales must be integers"),
        ([1, 2], {"batch_size": 0}, "batch_size must be an integer >= 1"),
        ([1, 2], {"seed": -1}, "seed must be an integer >= 0"),
    ],
)
def test_sampler_arguments_are_checked(scales, options, message):
    with pytest.raises(ValueError, match=message):
        ScaleGroupedSampler(scales, **{"batch_size": 2, **options})


def test_a_model_without_a_hint_gets_none():
    task = get_task("copy")
    tokenizer = build_tokenizer(task)
    rows = [{"prompt": "ab=", "answer": "ab", "scale_hint": [2]}]
    assert "scale_hint" in TaskCollator(tokenizer)(rows)
    batch = TaskCollator(tokenizer, scale_hint=False)(rows)
    assert set(batch) == {"input_ids", "attention_mask", "labels"}
