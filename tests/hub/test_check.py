"""The check in a clean process. `test_publish.py` has one that passes."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from evaluation.results import make_result, score

from hf_lengthgen import LengthGenConfig, LengthGenForCausalLM, LengthGenModel
from hf_lengthgen.evaluation.lengths import evaluate_lengths
from hf_lengthgen.evaluation.result import Result
from hf_lengthgen.hub import check as module
from hf_lengthgen.hub.check import CheckError, check
from hf_lengthgen.hub.folder_files import VerifyError
from hf_lengthgen.hub.loading import load
from hf_lengthgen.tasks import get_task

from .test_ecosystem import small

AUTO_CLASSES = (
    (LengthGenConfig, "AutoConfig"), (LengthGenModel, "AutoModel"), (LengthGenForCausalLM, "AutoModelForCausalLM"),
)  # fmt: skip


@pytest.fixture
def copy(assembled, tmp_path):
    return shutil.copytree(assembled, tmp_path / "copy")


def lengths_of(folder, *scores):
    result = Result.load(folder / "result.json")
    dataclasses.replace(result, lengths=list(scores)).save(folder / "result.json")


def test_a_result_that_is_not_reproduced_is_found(copy):
    lengths_of(copy, score(12, 40, 64))
    with pytest.raises(CheckError, match="says: at n = 12 it solves 64 of 64, recorded are 40"):
        check(copy)


@pytest.mark.parametrize(
    ("recorded", "right", "good"), [(64, 64, True), (64, 63, True), (62, 63, True), (64, 62, False), (40, 42, False)]
)
def test_one_answer_in_fifty_may_differ_either_way(copy, monkeypatch, recorded, right, good):
    """Other processors round otherwise."""
    monkeypatch.setattr(module, "_run", lambda job: {"right": [k < right for k in range(64)]})
    lengths_of(copy, score(12, recorded, 64))
    if good:
        assert (check(copy).correct, check(copy).recorded) == (right, recorded)
    else:
        with pytest.raises(CheckError, match=f"it solves {right} of 64, recorded are {recorded}"):
            check(copy)


def test_a_tampered_folder_is_not_run(copy):
    (copy / "relation.py").write_text("import os\n")
    with pytest.raises(VerifyError, match="relation.py differs"):
        check(copy)


def test_a_folder_whose_code_needs_the_package_does_not_pass(copy, monkeypatch):
    """As a module that forgets to import relatively would."""
    path = copy / "relation.py"
    path.write_text(path.read_text() + "\nimport hf_lengthgen.tasks\n")
    monkeypatch.setattr(module, "verify_folder", lambda folder: None)
    with pytest.raises(CheckError, match="does not load without this package: .*hf_lengthgen"):
        check(copy)


def test_a_model_that_is_told_the_length(tmp_path, monkeypatch):
    """An untrained one, whose 0 of 8 is reproduced: the clean process passes the hint, or it would be an error."""
    network, tokenizer = small("rope", "input")
    for cls, auto in AUTO_CLASSES:
        monkeypatch.setattr(cls, "_auto_class", auto)
    network.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    made = make_result("rope", task="copy", task_options={}, scores=[score(5, 0, 8)], scale_hint="input")
    made.save(tmp_path / "result.json")
    assert str(check(tmp_path)) == "loads in a clean process and solves 0 of 8 at n = 5 (recorded: 0)"


def test_the_examples_are_those_of_the_evaluation(assembled, monkeypatch):
    """The job that the clean process gets, answered here: its exact match is that of `evaluate_lengths`."""
    jobs = []
    monkeypatch.setattr(module, "_run", lambda job: jobs.append(job) or {"right": [True] * len(job["prompts"])})
    assert "solves 64 of 64 at n = 24 (recorded: 64)" in str(check(assembled))
    task = get_task("addition")
    samples = task.sample((24,), 64, np.random.default_rng([1234, 24]))
    assert jobs[0]["prompts"] == samples.prompt_strings() and jobs[0]["answers"] == samples.answer_strings()
    model, tokenizer = load(assembled)
    seen = []
    generate = model.generate
    monkeypatch.setattr(model, "generate", lambda **inputs: seen.append(inputs["input_ids"]) or generate(**inputs))
    evaluate_lengths(model, tokenizer, task, [24], 64, seed=1234)
    asked = [tokenizer.decode(row, skip_special_tokens=True) for ids in seen for row in ids]
    assert asked == jobs[0]["prompts"]


def test_the_share_of_hard_cases_is_the_one_of_the_evaluation(assembled, monkeypatch):
    jobs = []
    monkeypatch.setattr(module, "_run", lambda job: jobs.append(job) or {"right": [True] * len(job["prompts"])})
    result = Result.load(assembled / "result.json")
    settings = result.settings | {"eval_seed": 7, "eval_hard": 0.0}  # which training.json need not know of
    dataclasses.replace(result, settings=settings).save(assembled / "result.json")
    check(assembled)
    plain = get_task("addition", hard=0.0).sample((24,), 64, np.random.default_rng([7, 24]))
    assert jobs[0]["prompts"] == plain.prompt_strings()


def test_without_a_record_the_evaluation_had_the_settings_of_training(tmp_path, assembled):
    result = dataclasses.replace(Result.load(assembled / "result.json"), settings={})
    assert module._evaluated(tmp_path, result) == (1234, 0.25)
    training = json.loads((assembled / "training.json").read_text())
    training["config"] |= {"eval_seed": 5, "eval_hard": None}
    (tmp_path / "training.json").write_text(json.dumps(training))
    assert module._evaluated(tmp_path, result) == (5, None)


def test_the_longest_affordable_length_is_chosen():
    def chosen(*scores, **changes):
        found, why = module._choose(make_result(scores=list(scores), **changes))
        return found[0].n if found else why

    long = [score(n, 64, 64) for n in (12, 50, 200, 500)]
    assert chosen(*long) == [200]
    assert chosen(*long[2:], score(9000, 1, 1, "teacher")) == [200]
    assert chosen(long[3]) == [500], "nothing is affordable: the shortest"
    assert chosen(score(50, 1000, 1000), score(20, 1000, 1000)) == [50]
    assert "none was measured by generation" in chosen(score(9, 1, 1, "teacher"))
    assert "the task is not known here" in chosen(*long, task="their_task")
