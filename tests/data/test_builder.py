import importlib

import datasets
import numpy as np
import pytest

from hf_lengthgen.data import builder
from hf_lengthgen.data.builder import (
    BLOCK,
    FEATURES,
    TaskBuilder,
    block_drawn,
    block_rows,
    drawn_table,
    source_digest,
)
from hf_lengthgen.data.encode import encode
from hf_lengthgen.data.lengths import Lengths
from hf_lengthgen.data.splits import Drawn
from hf_lengthgen.data.tokenizer import build_tokenizer, character_table
from hf_lengthgen.tasks import get_task
from hf_lengthgen.tasks.copy import Copy

from .ragged import RaggedEcho

LATIN = "".join(map(chr, range(0xAE, 0x100))) + "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) != "=")


def drawn(task, scales, count, order=None):
    """`count` rows of each scale, in this order."""
    rng = np.random.default_rng(0)
    parts = [task.sample(scale, count, rng) for scale in scales]
    order = np.arange(count * len(parts)) if order is None else np.array(order)
    return Drawn(parts, np.array([task.expand(scale) for scale in scales]), order)


@pytest.mark.parametrize(
    ("task", "scales"),
    [
        (get_task("addition", widths="unequal"), [(3, 9), (1, 1), (8, 2)]),
        (RaggedEcho(), [1, 4, 9]),
        (get_task("unique_copy", symbols=LATIN), [1, 50, 150]),
    ],
)
def test_the_table_holds_the_rows(task, scales):
    rows = drawn(task, scales, 5, order=[14, 0, 3, 3, 7, 12, 1, 6])
    table = drawn_table(task, rows)
    assert datasets.Features.from_arrow_schema(table.schema) == FEATURES
    table.validate(full=True)
    columns, samples = table.to_pydict(), rows.samples()
    assert columns["prompt"] == samples.prompt_strings()
    assert columns["answer"] == samples.answer_strings()
    assert columns["text"] == [p + a for p, a in zip(columns["prompt"], columns["answer"], strict=True)]
    assert columns["scale_hint"] == samples.scales.tolist()
    assert columns["n"] == [max(task.expand(scales[k // 5])) for k in rows.order]
    tokenizer = build_tokenizer(task)
    batch = encode(samples, character_table(tokenizer), 1, 2, 0)
    for tokens, mask, ids, labels in zip(
        columns["tokens"], columns["answer_mask"], batch["input_ids"], batch["labels"], strict=True
    ):
        assert tokens == ids[: len(tokens)].tolist() and not ids[len(tokens) :].any()
        assert mask == (labels[: len(mask)] != -100).tolist() and len(mask) == len(tokens)


def test_the_difficulty_is_that_of_the_task():
    rows = drawn(get_task("addition"), [2, 5], 50, order=np.random.default_rng(0).permutation(100))
    table = drawn_table(get_task("addition"), rows).to_pydict()
    for prompt, difficulty in zip(table["prompt"], table["difficulty"], strict=True):
        a, b = prompt[:-1].split("+")
        carries = [int(a[: k + 1][::-1]) + int(b[: k + 1][::-1]) >= 10 ** (k + 1) for k in range(len(a))]
        assert difficulty == sum(carries)
    task = RaggedEcho()
    table = drawn_table(task, drawn(task, [3, 9], 20)).to_pydict()
    assert table["difficulty"] == [len(answer) for answer in table["answer"]]


def test_blocks_differ_by_every_argument():
    task = get_task("copy")
    changes = [{}, {"seed": 1}, {"block": 1}, {"split": "test"}, {"task": get_task("copy", hard=0.5)}]
    base = {"task": task, "split": "train", "seed": 0, "lengths": Lengths(12, 12), "block": 0}
    prompts = [block_drawn(**{**base, **change}).samples().prompts for change in changes]
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
    monkeypatch.setattr(builder, "source_digest", lambda task: "changed")
    assert directory() != first


def test_the_source_digest_sees_what_a_registered_task_is_built_on(tmp_path, monkeypatch):
    """A helper in its file, and a base class in another: rows of the old code must not come from the cache."""
    monkeypatch.syspath_prepend(tmp_path)
    base, own = tmp_path / "digest_base.py", tmp_path / "digest_own.py"
    base.write_text("from hf_lengthgen.tasks.copy import Copy\nclass Base(Copy):\n    pass\n")
    own.write_text("from digest_base import Base\ndef helper():\n    return 1\nclass Own(Base):\n    pass\n")
    task = importlib.import_module("digest_own").Own()
    digests = [source_digest(task)]
    for file in (own, base):
        file.write_text(file.read_text() + "# repaired\n")
        digests.append(source_digest(task))
    assert len(set(digests)) == 3


def test_the_source_digest_of_a_class_without_a_file():
    made = type("Made", (Copy,), {})
    made.__module__ = "nowhere"
    assert source_digest(made()) == source_digest(made())


def test_a_column_beyond_arrows_limit_is_refused(monkeypatch):
    rows = drawn(get_task("copy"), [4], 3)
    monkeypatch.setattr(builder, "_MAX_BYTES", 3 * 11)  # <bos>, 9 characters, <eos>
    drawn_table(get_task("copy"), rows)
    monkeypatch.setattr(builder, "_MAX_BYTES", 3 * 11 - 1)
    with pytest.raises(ValueError, match="3 rows of 11 characters exceed an Arrow column of 32 bytes"):
        drawn_table(get_task("copy"), rows)


def test_blocks_shrink_at_long_scales():
    assert [block_rows(n) for n in (1, 256, 1000, 10_000, 10**7)] == [4096, 4096, 1048, 104, 1]
