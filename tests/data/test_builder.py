import inspect

import datasets
import numpy as np
import pytest

from hf_lengthgen.data import builder
from hf_lengthgen.data.builder import (
    BLOCK,
    FEATURES,
    TaskBuilder,
    block_rows,
    block_samples,
    samples_table,
    source_digest,
)
from hf_lengthgen.tasks import Samples, get_task
from hf_lengthgen.tasks.copy import Copy


def test_the_table_holds_the_strings():
    task = get_task("addition", widths="unequal")
    rng = np.random.default_rng(0)
    samples = Samples.concatenate([task.sample(n, 5, rng) for n in [(3, 9), (1, 1), (8, 2)]])
    table = samples_table(samples)
    assert datasets.Features.from_arrow_schema(table.schema) == FEATURES
    table.validate(full=True)
    columns = table.to_pydict()
    assert columns["prompt"] == samples.prompt_strings()
    assert columns["answer"] == samples.answer_strings()
    assert columns["text"] == [p + a for p, a in zip(columns["prompt"], columns["answer"], strict=True)]
    assert columns["scale_hint"] == samples.scales.tolist()
    assert columns["n"] == [max(hint) for hint in columns["scale_hint"]]


def test_blocks_differ_by_every_argument():
    task = get_task("copy")
    changes = [{}, {"seed": 1}, {"block": 1}, {"split": "test"}, {"task": get_task("copy", hard=0.5)}]
    base = {"task": task, "split": "train", "seed": 0, "n_min": 12, "n_max": 12, "block": 0}
    prompts = [block_samples(**{**base, **change}).prompts for change in changes]
    assert {len(rows) for rows in prompts} == {BLOCK}
    for k, one in enumerate(prompts):
        assert all((one == other).all(axis=1).sum() < 20 for other in prompts[:k])


def test_the_cache_sees_options_and_code(tmp_path, monkeypatch):
    def directory(**options):
        return TaskBuilder(get_task("copy", **options), cache_dir=str(tmp_path), rows=10).cache_dir

    first = directory()
    assert directory() == first
    assert directory(hard=0.5) != first
    assert "lengthgen" in first and "copy" in first
    source = inspect.getsource
    monkeypatch.setattr(inspect, "getsource", lambda thing: source(thing) + "# changed")
    assert directory() != first


def test_the_source_digest_of_a_class_without_a_file():
    made = type("Made", (Copy,), {})
    made.__module__ = "nowhere"
    assert source_digest(made()) == source_digest(made())


def test_a_column_beyond_arrows_limit_is_refused(monkeypatch):
    samples = get_task("copy").sample(4, 3, np.random.default_rng(0))
    monkeypatch.setattr(builder, "_MAX_BYTES", 3 * 9)
    samples_table(samples)
    monkeypatch.setattr(builder, "_MAX_BYTES", 3 * 9 - 1)
    with pytest.raises(ValueError, match="3 rows of 9 characters exceed an Arrow column of 26 bytes"):
        samples_table(samples)


def test_blocks_shrink_at_long_scales():
    assert [block_rows(n) for n in (1, 256, 1000, 10_000, 10**7)] == [4096, 4096, 1048, 104, 1]
