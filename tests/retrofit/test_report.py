"""The tables of docs/retrofit.md are made of the files in results/smollm2, which hold nothing of a machine."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from hf_lengthgen.retrofit.report import arm, exact_match_table, knowledge_table, load, main
from hf_lengthgen.retrofit.run import SILENT_KEYS
from hf_lengthgen.retrofit.settings import RetrofitTraining

ROOT = Path(__file__).parents[2]
FOLDER, PAGE = ROOT / "results" / "smollm2", ROOT / "docs" / "retrofit.md"


def test_the_page_shows_what_the_files_say():
    text, results = PAGE.read_text(encoding="utf-8"), load(FOLDER)
    for table in (exact_match_table(results, PAGE), knowledge_table(results, PAGE)):
        assert table in text
    for path in results:
        assert f"(../results/smollm2/{path.name})" in text


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_files_hold_nothing_of_a_machine_and_settings_that_exist(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(tmp|home|root|work|Users)/", text)
    result = json.loads(text)
    assert result["command"] and result["base"]
    assert set(result.get("settings", {})) <= {field.name for field in fields(RetrofitTraining)} - set(SILENT_KEYS)


def result(command="lengthgen train", scores=(("6", 0.5),), seconds=90.0, **settings):
    base = {"additions": True, "lora_rank": 0, "steps": 10, "batch_size": 4, "seed": 0, "retrofit": {"reads": "first"}}
    return {"command": command, "settings": base | settings, "exact_match": dict(scores), "training_seconds": seconds}


def test_rows_by_hand(tmp_path):
    alone = result(additions=False, steps=0, scores=(("6", 0.0), ("12", 0.03125)), seconds=0)
    runs = {"b": result(seed=1), "a": result(seed=0), "c": alone | {"training_cpu_seconds": 240}}
    for name, run in runs.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(run))
    asked = {"note": "it", "model": "m", "scale_hint": None, "same_texts": 3, "same_most_likely_token": 0.5}
    (tmp_path / "k.json").write_text(json.dumps(asked | {"perplexity": {"before": 1.234, "after": 5.0}}))
    results = load(tmp_path)
    assert exact_match_table(results, tmp_path / "page.md").splitlines()[2:] == [
        "| [base alone](c.json) | 0 | 0 | 4 | 0 | 3.1 |",
        "| [additions only](a.json) | 0 | 40 | 2 | 50 | – |",
        "| [additions only](b.json) | 1 | 40 | 2 | 50 | – |",
    ]
    assert knowledge_table(results, tmp_path / "docs" / "page.md").splitlines()[2:] == [
        "| [it](../k.json) | 1.23 | 5.00 | 50 | 3 |"
    ]


def test_every_arm_has_a_name_of_its_own():
    on = "lengthgen train --start_from X"
    runs = [
        result(additions=False, steps=0),
        result(additions=False, lora_rank=8),
        result(additions=False, lora_rank=8, hint_text=True),
        result(lora_rank=8),
        result(on, lora_rank=8),
        result(),
        result(retrofit={}),
        result(on, steps=0, retrofit={}),
    ]
    names = [arm(run) for run in runs]
    assert len({name for _, name in names}) == len(runs) and names == sorted(names)


def test_bad_input_is_one_line(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    (tmp_path / "x.json").write_text("{}")
    assert main([str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "There are no result files" in lines[0] and "is no result of lengthgen train" in lines[1] and len(lines) == 2
    (tmp_path / "x.json").write_text(json.dumps(result()))
    assert main([str(tmp_path)]) == 0 and "additions only" in capsys.readouterr().out
