import re
import shlex
from collections import Counter

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from hf_lengthgen.cli import main
from hf_lengthgen.data import publish
from hf_lengthgen.data.builder import FEATURES
from hf_lengthgen.data.load_dataset import load_dataset
from hf_lengthgen.data.publish import Summary, export, render_card
from hf_lengthgen.tasks import get_task

from .ragged import RaggedEcho


@pytest.fixture(autouse=True)
def no_progress_bars():
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def rows_of(folder, tmp_path):
    """split -> rows, read as anybody would."""
    return datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "read"))


def card_of(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


@pytest.mark.parametrize("task", ["addition", RaggedEcho()], ids=["fixed", "ragged"])
def test_what_is_exported_is_what_load_dataset_gives(task, tmp_path):
    settings = {"n_max": 9, "seed": 3}
    folder = export(tmp_path / "out", task, rows=10_000, shard_rows=3000, **settings)
    assert sorted(path.name for path in (folder / "data").iterdir()) == [
        "test-00000-of-00001.parquet",
        *(f"train-0000{k}-of-00003.parquet" for k in range(3)),
        "validation-00000-of-00001.parquet",
    ]
    read = rows_of(folder, tmp_path)
    assert {split: len(rows) for split, rows in read.items()} == {"train": 8000, "validation": 1000, "test": 1000}
    for split, rows in read.items():
        assert rows.features == FEATURES
        made = load_dataset(task, split=split, rows=len(rows), cache_dir=tmp_path / "made", **settings)
        assert rows.to_list() == made.to_list()
    plain = datasets.load_dataset(
        "parquet", data_files={"train": str(folder / "data" / "train-*.parquet")}, cache_dir=str(tmp_path / "plain")
    )
    assert plain["train"][:] == read["train"][:]
    assert [len(pq.read_table(path)) for path in sorted(folder.glob("data/train-*"))] == [3000, 3000, 2000]


@pytest.mark.parametrize(
    "other",
    [{"task": "reverse"}, {"seed": 1}, {"n_max": 5}, {"rows": {"train": 31}}, {"rows": {"train": 30, "test": 1}}],
)
def test_folders_of_the_same_name_are_not_mistaken_for_each_other(other, tmp_path):
    """`datasets` 5.2 caches a folder by its name and card, and gave the first one's rows for those of the second."""
    usual = {"task": "copy", "rows": {"train": 30}, "seed": 0, "n_max": 6}
    for place, settings in (("one", usual), ("two", usual | other)):
        folder = export(tmp_path / place / "rows", **settings)
        (file,) = folder.glob("data/train-*")
        loaded = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
        assert loaded["text"] == pq.read_table(file)["text"].to_pylist()


def test_row_groups_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(publish, "_GROUP_CELLS", 9 * 700)
    folder = export(tmp_path / "out", "copy", rows={"train": 5000}, shard_rows=2000, n_max=9)
    groups = [
        [meta.row_group(k).num_rows for k in range(meta.num_row_groups)]
        for meta in (pq.read_metadata(path) for path in sorted(folder.glob("data/*")))
    ]
    assert groups == [[700, 700, 600], [700, 700, 600], [700, 300]]
    made = load_dataset("copy", rows=5000, n_max=9, cache_dir=tmp_path / "made")
    assert rows_of(folder, tmp_path)["train"].to_list() == made.to_list()


def test_the_card_tells_the_truth(tmp_path):
    folder = export(tmp_path / "out", "copy", rows={"train": 3000, "test": 500}, seed=7, n_max=4, license="cc0-1.0")
    front, body = card_of(folder)
    assert front["license"] == "cc0-1.0" and front["size_categories"] == ["1K<n<10K"]
    assert [entry["split"] for entry in front["configs"][0]["data_files"]] == ["train", "test"]
    assert {"length-generalization", "copy"} <= set(front["tags"])
    assert get_task("copy").describe() in body
    read = rows_of(folder, tmp_path)
    for split, rows in read.items():
        difficulty, prompts = np.array(rows["difficulty"]), set(rows["prompt"])
        assert f"| {split} | {len(rows)} | {len(prompts)} | {difficulty.mean():.2f} | {difficulty.max()} |\n" in body
    assert "- train and test share 0 prompts\n" in body
    for n in range(1, 5):
        counts = [rows["n"][:].count(n) for rows in read.values()]
        assert f"| {n} | {counts[0]} | {counts[1]} |\n" in body
    first = read["train"][0]
    assert f"{first['prompt']} -> {first['answer']}\n" in body
    assert "Seed 7," in body


def test_shared_prompts_are_counted():
    """They cannot be made, so the summaries here are."""
    hashes = {"train": [1, 2, 3], "validation": [4, 2], "test": [5, 5]}
    summaries = {
        split: Summary(len(prompts), Counter({1: 2}), [np.array(prompts, dtype=np.uint64)], (4, 2), [("a=", "a")])
        for split, prompts in hashes.items()
    }
    card = render_card(publish._builders("copy", dict.fromkeys(hashes, 3), 0, {}), summaries, "apache-2.0")
    assert "- train and validation share 1 prompts\n- train and test share 0 prompts\n" in card
    assert "| test | 2 | 1 | 2.00 | 2 |\n" in card
    only = {"train": summaries["train"]}
    assert "- there is one split only\n" in render_card(publish._builders("copy", {"train": 3}, 0, {}), only, "mit")


SETTINGS = {
    "plain": ("addition", {}),
    "options": ("addition", {"n_max": (4, 6), "widths": "unequal", "base": 2, "hard": 0.5}),
    "lengths": (
        "copy",
        {
            "n_min": 2,
            "n_max": 6,
            "length_weights": {2: 0.1, 6: 2},
            "curriculum": {0: 3, 4096: 6},
            "priming_share": 0.05,
            "priming_n": 20,
            "symbols": "0123",
        },
    ),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_the_card_says_how_to_make_the_rows_again(case, tmp_path, monkeypatch, capsys):
    task, settings = SETTINGS[case]
    folder = export(tmp_path / "out", task, rows={"train": 5000, "validation": 50}, seed=5, **settings)
    read = {split: rows.to_list() for split, rows in rows_of(folder, tmp_path).items()}
    code = card_of(folder)[1]
    (command,) = re.findall(r"```bash\n(.*)\n```", code)
    words = [str(tmp_path / "again") if word == "FOLDER" else word for word in shlex.split(command)]
    assert words[0] == "lengthgen" and main(words[1:]) == 0
    assert "train-00000-of-00001.parquet" in capsys.readouterr().out
    assert (tmp_path / "again" / "README.md").read_text() == (folder / "README.md").read_text()
    for path in sorted(folder.glob("data/*")):
        assert pq.read_table(tmp_path / "again" / "data" / path.name).equals(pq.read_table(path))
    names = {}
    exec(re.findall(r"```python\n(from hf_lengthgen.*?)```", code, re.DOTALL)[0], names)
    assert {split: names[split].to_list() for split in read} == read


def test_the_card_names_where_a_task_of_others_is_defined(tmp_path):
    folder = export(tmp_path / "out", RaggedEcho(), rows=10, n_max=5)
    assert f"`{RaggedEcho.__module__}.RaggedEcho`, which has to be registered first" in card_of(folder)[1]


def test_many_lengths_are_binned(tmp_path):
    folder = export(tmp_path / "out", "copy", rows={"train": 3000}, n_max=100)
    lines = re.findall(r"^\| (\d+)–(\d+) \| (\d+) \|$", card_of(folder)[1], re.MULTILINE)
    assert lines[0][:2] == ("1", "5") and lines[-1][1] == "100"
    assert sum(int(count) for *_, count in lines) == 3000


def test_a_single_number_of_rows_is_divided():
    assert publish._rows(10_000) == {"train": 8000, "validation": 1000, "test": 1000}
    assert publish._rows(9) == {"train": 9}
    assert publish._rows(25) == {"train": 21, "validation": 2, "test": 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "adition"}, "did you mean 'addition'"),
        ({"rows": 0}, "rows must be an integer >= 1"),
        ({"rows": {"tset": 1}}, "unknown split 'tset'.*did you mean 'test'"),
        ({"rows": {"test": -1}}, "rows of test must be an integer >= 0"),
        ({"rows": {"test": 0}}, "at least 1 in some split"),
        ({"shard_rows": 0}, "shard_rows must be an integer >= 1"),
        ({"n_min": 5, "n_max": 4}, "n_min must not exceed n_max"),
        ({"bas": 2}, "did you mean 'base'"),
        ({"task": "parity", "n_max": 1}, "has no prompts for split"),
    ],
)
def test_errors_leave_nothing_behind(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export(tmp_path / "out", **{"task": "addition", "rows": 100, **arguments})
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(FileExistsError, match="is the current folder"):
        export(".", "copy", rows=10)
    monkeypatch.chdir(tmp_path)
    assert export(tmp_path / "empty", "copy", rows=10).joinpath("README.md").is_file()
    with pytest.raises(FileExistsError, match="is not empty"):
        export(tmp_path / "empty", "copy", rows=10)


# ---- the command


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["adition"], "did you mean 'addition'"),
        (["addition", "--rows", "many"], "--rows must be a whole number"),
        (["addition", "--rows", "train=5", "7"], "--rows takes words like 1=2"),
        (["addition", "--rows", "tset=5"], "did you mean 'test'"),
        (["addition", "--rows", "train=5", "test=1", "train=7"], "--rows gives 'train' twice."),
        (["addition", "--curriculum", "0=4", "00=8"], "--curriculum gives 0 twice."),
        (["addition", "--length_weights", "2=1", "2=1"], "--length_weights gives 2 twice."),
        (["addition", "--n_max", "x"], "a scale is a whole number"),
        (["addition", "--curriculum", "0"], "--curriculum takes words like 1=2"),
        (["addition", "--length_weights", "1=a"], "--length_weights must be a number"),
        (["addition", "--priming_n", "30"], "go together"),
        (["addition", "--seed", "-1"], "seed must be an integer >= 0"),
        (["addition", "--task_options.bas", "2"], "did you mean 'base'"),
        (["addition", "--colour", "red"], "unknown argument '--colour'"),
    ],
)
def test_bad_commands_are_one_line(words, message, tmp_path, capsys):
    assert main(["data", "export", *words, "--output_dir", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and message in captured.err
    assert not list(tmp_path.iterdir())


def test_help(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["data", "--help"])
    assert stop.value.code == 0 and "80, 10 and 10%" in capsys.readouterr().out


def test_a_curriculum_is_that_of_the_rows_to_train_on(tmp_path):
    rows = {"train": 4100, "validation": 50, "test": 50}
    folder = export(tmp_path / "rows", "copy", rows=rows, n_max=9, curriculum={0: 2, 4096: 9})
    n = {split: datasets.load_dataset(str(folder), split=split)["n"] for split in rows}
    assert max(n["train"][:4096]) == 2 and max(n["train"]) > 2
    assert max(n["validation"]) > 2 and max(n["test"]) > 2
