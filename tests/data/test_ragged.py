"""Tasks whose rows differ in length at one scale, all the way through."""

import numpy as np
import pytest
import torch

from hf_lengthgen.data.collator import ScaleGroupedSampler, TaskCollator
from hf_lengthgen.data.load_dataset import load_dataset
from hf_lengthgen.data.online import OnlineBatches
from hf_lengthgen.data.splits import SPLITS, draw_split, split_of
from hf_lengthgen.data.tokenizer import build_tokenizer
from hf_lengthgen.tasks import get_task

from .ragged import RaggedEcho

TASKS = [RaggedEcho(), *(get_task(name) for name in ("stack_manipulation", "dyck", "scan"))]
each_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)


@each_task
def test_they_are_ragged(task):
    samples = task.sample(8, 200, np.random.default_rng(0))
    assert not (samples.prompts.all() and samples.answers.all())


@each_task
@pytest.mark.parametrize("split", SPLITS)
def test_splits(task, split):
    scales = task.draw_scales(6, 12, 300, np.random.default_rng(0))
    samples = draw_split(task, split, scales, np.random.default_rng(1)).samples()
    prompts = samples.prompt_strings()
    assert [task.answer(prompt) for prompt in prompts] == samples.answer_strings()
    for prompt, codes in zip(prompts, samples.prompts, strict=True):  # padding does not change the split
        alone = np.frombuffer(prompt.encode(), dtype=np.uint8)[None]
        assert split_of(alone) == split_of(codes[None]) == SPLITS.index(split)


@each_task
def test_stored_rows_give_the_batch_that_tokens_and_mask_say(task, tmp_path):
    dataset = load_dataset(task, n_min=4, n_max=9, rows=300, cache_dir=tmp_path)
    tokenizer = build_tokenizer(task)
    for row in dataset:
        assert task.answer(row["prompt"]) == row["answer"]
        assert row["tokens"] == [*tokenizer(row["text"]).input_ids, tokenizer.eos_token_id]
    loader = torch.utils.data.DataLoader(
        dataset,
        batch_sampler=ScaleGroupedSampler(dataset["n"], 16, shuffle=False),
        collate_fn=TaskCollator(tokenizer),
    )
    place = sorted(range(300), key=lambda row: dataset[row]["n"])
    rows = 0
    for batch in loader:
        for ids, mask, labels in zip(batch["input_ids"], batch["attention_mask"], batch["labels"], strict=True):
            row = dataset[place[rows]]
            length = len(row["tokens"])
            assert ids.tolist() == row["tokens"] + [tokenizer.pad_token_id] * (len(ids) - length)
            assert mask.tolist() == [1] * length + [0] * (len(ids) - length)
            assert (labels[:length] != -100).tolist() == row["answer_mask"] and (labels[length:] == -100).all()
            assert (labels == ids)[labels != -100].all()
            rows += 1
    assert rows == 300


@each_task
def test_online(task):
    tokenizer = build_tokenizer(task)
    online = OnlineBatches(task, tokenizer, 4, 12, 32, groups=4)
    samples, batch = online.samples(3), online.batch(3)
    for ids, mask, labels, prompt, answer in zip(
        *(batch[key] for key in ("input_ids", "attention_mask", "labels")),
        samples.prompt_strings(),
        samples.answer_strings(),
        strict=True,
    ):
        whole = ids[mask.bool()]
        assert mask.tolist() == sorted(mask.tolist(), reverse=True), "padding is on the right"
        assert tokenizer.decode(whole, skip_special_tokens=True) == prompt + answer
        assert tokenizer.decode(labels[labels != -100]) == answer + "<eos>"
    parts = [online.batch(3, rank, 2) for rank in range(2)]
    assert sum(len(part["input_ids"]) for part in parts) == 32
    assert {part["input_ids"].shape[1] for part in parts} == {batch["input_ids"].shape[1]}
