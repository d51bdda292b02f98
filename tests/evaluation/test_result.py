import json
import os

import numpy as np
import pytest

from hf_lengthgen.evaluation.result import FAIRNESS, Result

from .results import make_result, score

RELATIONS = [[[("i - j = n + 1", 0.5)], []], [[("i - j = 0", np.float32(1.25))], []]]


def full():
    return make_result(
        scores=[score(10, 100), score(1000, 15, 16, "teacher"), score(10, 16, 16, "teacher")],
        relations=RELATIONS,
        position_options={"forms": ((1, -1), (1, 1)), "window": np.int64(3)},
        task_options={"widths": "equal", "note": "ä\n|"},
    )


def test_round_trip_through_a_file(tmp_path):
    result = full()
    path = tmp_path / "deep" / "result.json"
    result.save(path)
    again = Result.load(path)
    assert again == result
    assert again.to_dict() == result.to_dict() == json.loads(path.read_text(encoding="utf-8"))
    assert again.relations[1][0] == [["i - j = 0", 1.25]] and again.position_options["forms"] == [
        [1, -1],
        [1, 1],
    ]
    assert os.listdir(path.parent) == ["result.json"]


def test_what_was_not_measured_is_null(tmp_path):
    result = make_result(
        scores=[], relations=None, train_seconds=None, eval_seconds=None, peak_memory_mb=None, final_loss=None
    )
    result.save(tmp_path / "r.json")
    assert Result.load(tmp_path / "r.json") == result


def test_at_prefers_generation():
    result = full()
    assert result.at(10).mode == "generate" and result.at([10], "teacher").correct == 16
    assert result.at(1000).mode == "teacher" and result.at(11) is None


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    full().save(path)
    before = path.read_bytes()
    unwritable = full()
    unwritable.hardware = {"device": object()}
    with pytest.raises(ValueError, match="what JSON cannot write"):
        unwritable.save(path)
    infinite = full()
    infinite.hardware = {"load": float("inf")}
    with pytest.raises(ValueError, match="what JSON cannot write"):
        infinite.save(path)

    def crash(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="disk full"):
        make_result(seed=7).save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["result.json"]


def test_save_checks_what_was_changed_since(tmp_path):
    result = full()
    result.lengths.append(score(10, 3))
    with pytest.raises(ValueError, match="n=\\[10\\] in mode 'generate' twice"):
        result.save(tmp_path / "r.json")
    assert os.listdir(tmp_path) == []


def one_line(error):
    return "\n" not in str(error.value) and len(str(error.value)) < 300


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "is not JSON"),
        ('{"schema": 1, "name": "x"', "is not JSON: .* in line 1, column"),
        ("schema: 1", "is not JSON"),
        ("[1, 2]", "is not a result file of hf_lengthgen: it has no 'schema'"),
        ('{"model": "gpt"}', "is not a result file of hf_lengthgen: it has no 'schema'"),
        ('{"schema": 2}', "has the schema 2; this version reads schema 1"),
        ('{"schema": 1, "schema": 1}', "'schema' occurs twice"),
        ('{"schema": 1, "final_loss": NaN}', "holds NaN"),
        ('{"schema": 1}', "lacks 'name', 'task'"),
        ("[" * 100_000, "is not"),
    ],
)
def test_foreign_files_are_refused(tmp_path, text, message):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        Result.load(path)
    assert one_line(error) and str(path) in str(error.value)


def test_missing_and_binary_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no result file") as error:
        Result.load(tmp_path / "none.json")
    assert one_line(error)
    (tmp_path / "weights").write_bytes(b"\xff\xfe\x00PK")
    for path in (tmp_path / "weights", tmp_path):
        with pytest.raises(ValueError, match="cannot be read as a result file") as error:
            Result.load(path)
        assert one_line(error)


def change(**changes):
    return lambda data: data | changes


def change_length(**changes):
    return lambda data: data | {"lengths": [data["lengths"][0] | changes, *data["lengths"][1:]]}


@pytest.mark.parametrize(
    "broken, message",
    [
        (change(stepps=3), "unknown key 'stepps'; the nearest known key is 'steps'"),
        (change(steps="many"), "'steps' must be a whole number, got str 'many'"),
        (change(steps=-1), "steps is not negative"),
        (change(schema=True), "'schema' must be a whole number"),
        (change(scale_hint="yes"), "scale_hint is one of none, input, prompt, got 'yes'"),
        (change(n_min=13), "n_min <= n_max"),
        (change(fairness={"format": "x"}), "fairness has the keys format, metric, seeds"),
        (change(fairness=dict.fromkeys([*FAIRNESS, "luck"], "x")), "fairness has the keys"),
        (change(lengths={}), "'lengths' must be a list"),
        (change(lengths=[3]), r"lengths\[0\] must be an object"),
        (change(relations=["i - j = 0"]), "relations holds, per layer and head"),
        (change(relations=[[[["i - j = 0"]]]]), "relations holds, per layer and head"),
        (change(versions=None), "'versions' must be an object"),
        (change_length(correct=99), r"lengths\[0\]: exact_match 1.0 is not 99 of 100"),
        (change_length(n=[10, 10]), "equally many scale hints"),
        (change_length(n=10), r"lengths\[0\]: 'n' must be a list"),
        (change_length(n=[1000], mode="teacher"), "in mode 'teacher' twice"),
        (change_length(accuracy=1), r"lengths\[0\] has the unknown key 'accuracy'"),
    ],
)
def test_broken_files_are_refused(tmp_path, broken, message):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(broken(full().to_dict())))
    with pytest.raises(ValueError, match=message) as error:
        Result.load(path)
    assert one_line(error) and str(error.value).startswith(str(path))


@pytest.mark.parametrize("key", [k for k in make_result().to_dict() if k not in ("lengths",)])
def test_each_required_field_is_required(key):
    data = make_result().to_dict()
    del data[key]
    optional = {"relations", "train_seconds", "eval_seconds", "peak_memory_mb", "final_loss"}
    optional |= {
        "versions",
        "command",
        "hardware",
        "commit",
        "wall_seconds",
        "settings",
        "settings_digest",
        "steps_done",
    }
    if key in optional:
        assert Result.from_dict(data).name == make_result().name
    else:
        with pytest.raises(ValueError, match=f"'{key}'"):
            Result.from_dict(data)
