from collections import Counter

import datasets
import pytest
import torch

from hf_lengthgen.data.publish import export
from hf_lengthgen.data.stored import StoredBatches
from hf_lengthgen.data.tokenizer import build_tokenizer
from hf_lengthgen.tasks import get_task


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("stored") / "rows"
    export(place, "addition", rows={"train": 500}, n_min=1, n_max=6, length_weights={3: 3, 6: 1}, widths="unequal")
    return str(place)


def batches(folder, batch_size=16, groups=4, seed=0, **options):
    task = get_task("addition", **({"widths": "unequal"} | options))
    return StoredBatches(folder, task, build_tokenizer(task), batch_size, groups, seed)


def test_every_row_is_one_of_the_data_set_and_tokenized_alike(folder):
    stored = batches(folder)
    rows = datasets.load_dataset(folder, split="train")
    known = set(zip(rows["prompt"], rows["answer"], map(tuple, rows["scale_hint"]), strict=True))
    tokenizer = build_tokenizer(stored.task)
    for step in range(5):
        samples, batch = stored.samples(step), stored.batch(step)
        for row, (prompt, answer) in enumerate(zip(samples.prompt_strings(), samples.answer_strings(), strict=True)):
            assert (prompt, answer, tuple(samples.scales[row].tolist())) in known
            ids = batch["input_ids"][row][batch["attention_mask"][row] == 1]
            assert tokenizer.decode(ids, skip_special_tokens=True) == prompt + answer
            assert batch["scale_hint"][row].tolist() == samples.scales[row].tolist()


def test_a_group_has_one_scale_and_scales_come_as_often_as_they_are_there(folder):
    stored = batches(folder)
    drawn = Counter()
    for step in range(300):
        hints = stored.samples(step).scales.reshape(4, 4, 2)
        assert (hints == hints[:, :1]).all()
        drawn.update(map(tuple, hints[:, 0].tolist()))
    shares = Counter(map(tuple, datasets.load_dataset(folder, split="train")["scale_hint"]))
    for scale, count in shares.items():
        assert drawn[scale] / 1200 == pytest.approx(count / 500, abs=0.05)


def test_batches_depend_on_seed_and_step_and_not_on_processes(folder):
    stored = batches(folder)
    assert torch.equal(stored.batch(3)["input_ids"], batches(folder).batch(3)["input_ids"])
    assert stored.samples(3).prompt_strings() != stored.samples(4).prompt_strings()
    assert stored.samples(3).prompt_strings() != batches(folder, seed=1).samples(3).prompt_strings()
    whole, (one, two) = stored.batch(5), [stored.batch(5, rank, 2) for rank in (0, 1)]
    rows = torch.stack([one["input_ids"], two["input_ids"]], dim=1).flatten(0, 1)
    assert torch.equal(rows, whole["input_ids"])


def test_bad_data_sets_are_told(folder, tmp_path):
    with pytest.raises(ValueError, match="dataset: .*has 2 Scale Hints a row, but task 'addition' has 1"):
        batches(folder, widths="equal")
    with pytest.raises(ValueError, match="dataset: the folder .* cannot be loaded"):
        batches(str(tmp_path))
    foreign = datasets.Dataset.from_dict({"prompt": ["1+?="], "answer": ["2"], "scale_hint": [[1, 1]]})
    foreign.to_parquet(tmp_path / "train.parquet")
    with pytest.raises(ValueError, match=r"has '\?', which is foreign to task 'addition'"):
        batches(str(tmp_path))
    other = tmp_path / "other"
    other.mkdir()
    datasets.Dataset.from_dict({"prompt": ["1+1="]}).to_parquet(other / "train.parquet")
    with pytest.raises(ValueError, match="has no column 'answer', only prompt"):
        batches(str(other))


def test_answers_may_be_empty(tmp_path, monkeypatch):
    """All of a scale, too: a row is then its prompt and `<eos>`."""
    monkeypatch.setattr(get_task("addition").__class__, "answer", lambda task, prompt: "")
    texts = {"prompt": ["1+2=", "3+4="], "answer": ["", ""], "scale_hint": [[1, 1], [1, 1]]}
    datasets.Dataset.from_dict(texts).to_parquet(tmp_path / "train.parquet")
    batch = batches(str(tmp_path)).batch(0)
    assert batch["input_ids"].shape == (16, 6) and (batch["labels"][:, :-1] == -100).all()
    assert (batch["input_ids"][:, -1] == 2).all() and batch["attention_mask"].all()


def test_answers_of_other_options_are_refused(tmp_path):
    """The digits' order is one: the rows would be learned in theirs, and tested in the task's."""
    export(tmp_path / "plain", "addition", rows={"train": 50}, n_max=6, order="plain")
    with pytest.raises(ValueError, match="answers '.*' with '.*', task 'addition' with '.*': are its task_options"):
        StoredBatches(str(tmp_path / "plain"), get_task("addition"), build_tokenizer(get_task("addition")), 4)
    rows = datasets.Dataset.from_list([{"prompt": "12=", "answer": "33", "scale_hint": [2]}])
    rows.to_parquet(tmp_path / "none" / "rows.parquet")
    with pytest.raises(ValueError, match="none of task 'addition'"):
        StoredBatches(str(tmp_path / "none"), get_task("addition"), build_tokenizer(get_task("addition")), 4)


def test_numbers_are_no_text(tmp_path):
    """`datasets` reads the digits of a CSV as integers, without the zeros in front."""
    (tmp_path / "train.csv").write_text("prompt,answer,scale_hint\n1+2=,30,1\n")
    with pytest.raises(ValueError, match="column 'answer' of .* holds int, not text"):
        StoredBatches(str(tmp_path), get_task("addition"), build_tokenizer(get_task("addition")), 4)


def test_n_is_not_what_the_format_spends_on_it(tmp_path):
    export(tmp_path / "wide", "addition", rows={"train": 200}, n_max=4, padding="fixed", width=20)
    task = get_task("addition", padding="fixed", width=20)
    stored = StoredBatches(str(tmp_path / "wide"), task, build_tokenizer(task), 4)
    assert stored.reached(10) == (1, 4) and stored.told() == "200 rows of n = 1 to 4."


def test_the_longest_row(folder):
    stored = batches(folder)
    rows = datasets.load_dataset(folder, split="train")
    longest = max(len(row["prompt"] + row["answer"]) for row in rows)
    assert stored.longest()["input_ids"].shape == (1, longest + 2)
