import hashlib
import itertools
import json

import datasets
import numpy as np
import psutil
import pytest

from hf_lengthgen.data.builder import BLOCK
from hf_lengthgen.data.load_dataset import load_dataset
from hf_lengthgen.data.tokenizer import build_tokenizer
from hf_lengthgen.tasks import Task, get_task, list_tasks
from hf_lengthgen.tasks.task import assemble

SPLITS = ("train", "validation", "test")
COLUMNS = ["prompt", "answer", "text", "tokens", "answer_mask", "n", "scale_hint", "difficulty"]


@pytest.fixture(autouse=True)
def no_progress_bars():
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.mark.parametrize("name", list_tasks())
def test_rows_are_right(name, tmp_path):
    task = get_task(name)
    dataset = load_dataset(name, n_min=5, n_max=11, rows=200, cache_dir=tmp_path)
    assert isinstance(dataset, datasets.Dataset)
    assert dataset.column_names == COLUMNS
    assert len(dataset) == 200
    tokenizer = build_tokenizer(task)
    for row in dataset:
        assert task.answer(row["prompt"]) == row["answer"]
        assert row["text"] == row["prompt"] + row["answer"]
        assert list(task.scale_of(row["prompt"])) == row["scale_hint"]
        assert row["tokens"] == [*tokenizer(row["text"]).input_ids, tokenizer.eos_token_id]
        learned = 1 + len(row["answer"])
        assert row["answer_mask"] == [False] * (len(row["tokens"]) - learned) + [True] * learned
        assert row["difficulty"] >= 0
    assert set(dataset["n"]) <= set(range(5, 12))
    assert task.hints > 1 or set(dataset["n"]) == set(range(5, 12))


def test_two_hints(tmp_path):
    dataset = load_dataset("addition", widths="unequal", rows=500, n_max=5, cache_dir=tmp_path)
    assert {tuple(hint) for hint in dataset["scale_hint"]} == set(itertools.product(range(1, 6), repeat=2))


def test_rows_do_not_depend_on_the_number_of_processes(tmp_path):
    rows = 2 * BLOCK + 100
    one = load_dataset("addition", rows=rows, num_proc=1, cache_dir=tmp_path / "one")
    two = load_dataset("addition", rows=rows, num_proc=2, cache_dir=tmp_path / "two")
    assert one[:] == two[:]


def test_fewer_rows_are_the_beginning_of_more(tmp_path):
    few = load_dataset("copy", rows=100, cache_dir=tmp_path)
    many = load_dataset("copy", rows=BLOCK + 5, cache_dir=tmp_path)
    assert len(many) == BLOCK + 5
    assert few[:] == many[:100]


def test_streaming_gives_the_same_rows(tmp_path):
    stored = load_dataset("copy", rows=BLOCK + 5, cache_dir=tmp_path / "stored")
    stream = load_dataset("copy", rows=BLOCK + 5, streaming=True, cache_dir=tmp_path / "stream")
    assert isinstance(stream, datasets.IterableDataset)
    assert stream.num_shards == 2
    assert list(stream) == stored.to_list()
    assert not list((tmp_path / "stream").rglob("*.arrow"))


@pytest.mark.parametrize("rows", [200_000, pytest.param(10_000_000, marks=pytest.mark.slow)])
def test_streaming_needs_no_more_memory_for_more_rows(rows, tmp_path):
    stream = load_dataset("addition", rows=rows, streaming=True, cache_dir=tmp_path).with_format("arrow")
    process, seen, used = psutil.Process(), 0, []
    for batch in stream.iter(BLOCK):
        seen += len(batch)
        used.append(process.memory_info().rss)
    assert seen == rows
    warm = len(used) // 5
    assert max(used[warm:]) - used[warm] < 16 * 2**20  # a block has less than 1 MB, 10 M rows 1.8 GB


def test_a_second_call_reads_the_cache(tmp_path):
    load_dataset("copy", rows=10, cache_dir=tmp_path)
    times = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.arrow")}
    assert len(times) == 1
    load_dataset("copy", rows=10, cache_dir=tmp_path)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.arrow")} == times
    load_dataset("copy", rows=10, cache_dir=tmp_path, seed=1)
    assert len(list(tmp_path.rglob("*.arrow"))) == 2


def test_splits_share_no_prompt_whatever_the_seeds(tmp_path):
    prompts = {
        split: {
            prompt
            for seed in range(3)
            for prompt in load_dataset("copy", split=split, n_max=3, rows=2000, seed=seed, cache_dir=tmp_path)["prompt"]
        }
        for split in SPLITS
    }
    for one, two in itertools.combinations(SPLITS, 2):
        assert prompts[one].isdisjoint(prompts[two])
    assert len(set.union(*prompts.values())) > 950  # of 10 + 100 + 1000


def test_neighbouring_seeds_share_no_more_rows_than_chance(tmp_path):
    one, two = (
        np.array(load_dataset("copy", n_min=4, n_max=4, rows=2000, seed=seed, hard=0.0, cache_dir=tmp_path)["prompt"])
        for seed in (42, 43)
    )
    # 2000 x 2000 pairs of strings out of 8000: 500 coincide by chance, with a standard deviation of about 22.
    assert abs((one[:, None] == two[None, :]).sum() - 500) < 5 * 23
    assert (one == two).sum() < 10


def test_rows_are_the_same_everywhere(tmp_path):
    dataset = load_dataset("addition", rows=500, seed=5, cache_dir=tmp_path)
    rows = dataset["text"]
    assert rows[0] == "324113195016+691849526938=9169527120541"
    assert hashlib.blake2b("\n".join(rows).encode(), digest_size=8).hexdigest() == "549d34454c25b058"
    other = [[row[column] for column in COLUMNS if column != "text"] for row in dataset]
    assert hashlib.blake2b(json.dumps(other).encode(), digest_size=8).hexdigest() == "21ce5f66f27d9abb"


def test_a_task_in_place_of_a_name(tmp_path):
    class Ones(Task):
        """say "1": "11=" -> "1"."""

        name = "ones"
        vocabulary = "1="

        def rows(self, scale, hard, rng):
            ones = np.full((len(hard), *scale), ord("1"), dtype=np.uint8)
            return assemble(ones, "="), ones[:, :1]

    dataset = load_dataset(Ones(), n_max=20, rows=3 * BLOCK, num_proc=2, cache_dir=tmp_path)
    assert set(dataset["answer"]) == {"1"}
    with pytest.raises(ValueError, match="options go with the name of a task"):
        load_dataset(Ones(), hard=0.5)


def test_ten_thousand_digits(tmp_path):
    task = get_task("addition")
    dataset = load_dataset(task, n_min=10_000, n_max=10_000, rows=3, split="test", cache_dir=tmp_path)
    for row in dataset:
        assert row["n"] == 10_000 and len(row["text"]) == 30_003
        assert task.answer(row["prompt"]) == row["answer"]


@pytest.mark.parametrize("streaming", [False, True])
def test_a_split_without_prompts(streaming, tmp_path):
    with pytest.raises(ValueError, match="has no prompts for split '(validation|test)' at n = 1 to 1"):
        for split in ("validation", "test"):
            list(load_dataset("parity", split=split, n_max=1, streaming=streaming, cache_dir=tmp_path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "adition"}, "did you mean 'addition'"),
        ({"bas": 2}, "did you mean 'base'"),
        ({"split": "tset"}, "unknown split 'tset'.*did you mean 'test'"),
        ({"split": None}, "unknown split None"),
        ({"n_min": 0}, "n_min must be an integer >= 1, got 0"),
        ({"n_max": 2.5}, "n_max must be an integer >= 1, got 2.5"),
        ({"n_min": 5, "n_max": 4}, "n_min must not exceed n_max"),
        ({"rows": 0}, "rows must be an integer >= 1"),
        ({"seed": -1}, "seed must be an integer >= 0"),
        ({"num_proc": 0}, "num_proc must be an integer >= 1"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_dataset(**{"task": "addition", **arguments})
