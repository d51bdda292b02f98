"""`lengthgen train --base_model`, from words to files."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from hf_lengthgen.cli import main
from hf_lengthgen.retrofit import RetrofitForCausalLM, run
from hf_lengthgen.retrofit.settings import read_settings

from .test_text import byte_pairs
from .test_train import fresh
from .tiny import SMALL, options, tiny


def test_train_with_a_base_model_is_retrofit(monkeypatch):
    given = []
    monkeypatch.setattr(run, "run", lambda settings, command: given.append((settings, command)))
    assert main(["train", "--base_model", "some/base", "--task", "addition", "--steps", "7"]) == 0
    ((settings, command),) = given
    assert (settings.base_model, settings.task, settings.steps) == ("some/base", "addition", 7)
    assert command == "lengthgen train --base_model some/base --task addition --steps 7"


def test_a_setting_that_retrofit_lacks_is_one_line(capsys):
    assert main(["train", "--base_model", "some/base", "--stepz", "7"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lengthgen: error: unrecognized arguments: --stepz 7; the settings are base_model, ")
    assert error.count("\n") == 1


def saved_base(folder):
    base = tiny()
    base.save_pretrained(folder)
    byte_pairs().save_pretrained(folder)
    return base


def test_the_command_writes_additions_and_a_result(tmp_path, capsys):
    base = saved_base(tmp_path / "base")
    (tmp_path / "c.yaml").write_text(
        f"retrofit: {json.dumps(SMALL)}\nsteps: 10\nn_max: 2\nlearning_rate: 1e-3\n"
        "evaluate: [1, 3]\nevaluate_examples: 4\n"
    )
    arguments = ["--config", str(tmp_path / "c.yaml"), "--base_model", str(tmp_path / "base")]
    assert main(["train", *arguments, "--output_dir", str(tmp_path / "out")]) == 0
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert set(result["exact_match"]) == {"1", "3"} and result["settings"]["learning_rate"] == 1e-3
    assert str(tmp_path) not in json.dumps(result)  # nothing of this machine, the command included
    assert result["command"].endswith("--config CONFIG --base_model BASE_MODEL --output_dir OUTPUT_DIR")
    assert (result["base"], result["training_examples"]) == ("base", 80) and len(result["base_weights"]) == 32
    loaded = RetrofitForCausalLM.from_pretrained(tmp_path / "out", base=base)
    assert loaded.config.open_relations is not None
    # Without a step, the same model is evaluated again.
    again = ["--start_from", str(tmp_path / "out"), "--steps", "0", "--result", str(tmp_path / "again.json")]
    assert main(["train", *arguments, *again]) == 0
    second = json.loads((tmp_path / "again.json").read_text())
    assert second["exact_match"] == result["exact_match"] and second["relations"] == result["relations"]
    assert second["loss"] is None and second["training_examples"] == 0
    assert main(["train", *arguments, "--additions", "false", "--steps", "0"]) == 0
    assert main(["train", "--base_model", str(tmp_path / "none")]) == 2
    assert main(["train", "--base_model", "x", "--steps", "-1"]) == 2
    assert "steps must be at least 0" in capsys.readouterr().err


def quick(folder):
    """Words of a run that takes no time."""
    return ["train", "--base_model", str(folder / "base"), "--steps", "2", "--n_max", "2", "--retrofit",
            json.dumps(SMALL), "--evaluate_examples", "4"]  # fmt: skip


@pytest.fixture
def evaluated(tmp_path, monkeypatch):
    """Makes a short run; returns its result, the model that was evaluated and the keywords of that."""
    saved_base(tmp_path / "base")

    def call(**changes):
        seen = []
        monkeypatch.setattr(
            "hf_lengthgen.retrofit.evaluate.evaluate_text", lambda model, *_, **given: seen.append((model, given)) or []
        )
        values = {"base_model": str(tmp_path / "base"), "steps": 2, "n_max": 2, "retrofit": SMALL} | changes
        result = run.run(read_settings(None, values))
        return result, *seen[0]

    return call


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_a_result_tells_how_many_parameters_trained(evaluated):
    result, model, _ = evaluated()
    _, as_built, _ = fresh()
    assert result["trainable_parameters"] == count(as_built.additions) > count(model.additions), "hardened by then"
    bias = options("bias")
    result, model, _ = evaluated(retrofit=bias)
    assert result["trainable_parameters"] == count(model.additions) > 0
    result, model, _ = evaluated(retrofit=bias, freeze=False)
    assert result["trainable_parameters"] == count(model.additions) + count(model.base)
    result, base, _ = evaluated(freeze=False, additions=False)
    assert result["trainable_parameters"] == count(base)
    result, _, _ = evaluated(additions=False, steps=0)
    assert result["trainable_parameters"] == 0


def test_a_run_is_evaluated_with_the_hints_of_its_additions_on_rows_of_its_own(evaluated):
    for changes, hint in (
        ({}, True),
        ({"retrofit": SMALL | {"scale_hint": "none"}}, False),
        ({"additions": False, "freeze": False}, False),
    ):
        assert evaluated(seed=4, **changes)[2] == {"seed": 5, "give_hint": hint}


@pytest.mark.parametrize("additions", [True, False])
def test_a_base_that_trained_is_saved_too(additions, evaluated, tmp_path):
    _, model, _ = evaluated(additions=additions, freeze=False, learning_rate=0.1, output_dir=str(tmp_path / "out"))
    loaded = (RetrofitForCausalLM if additions else AutoModelForCausalLM).from_pretrained(tmp_path / "out")
    trained = model.cpu().state_dict()
    assert trained.keys() == loaded.state_dict().keys()
    assert all(torch.equal(trained[name], tensor) for name, tensor in loaded.state_dict().items())
    before = AutoModelForCausalLM.from_pretrained(tmp_path / "base").lm_head.weight
    assert not torch.equal((loaded.base if additions else loaded).lm_head.weight, before)


def test_a_failing_evaluation_loses_nothing_that_was_trained(tmp_path, monkeypatch):
    base = saved_base(tmp_path / "base")

    def fail(*args, **kwargs):
        raise RuntimeError("out of memory")

    monkeypatch.setattr("hf_lengthgen.retrofit.evaluate.evaluate_text", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        main([*quick(tmp_path), "--output_dir", str(tmp_path / "out")])
    loaded = RetrofitForCausalLM.from_pretrained(tmp_path / "out", base=base)
    assert loaded.config.open_relations is not None and not (tmp_path / "out" / "result.json").exists()


def test_what_cannot_be_evaluated_or_written_is_refused_before_training(tmp_path, monkeypatch, capsys):
    saved_base(tmp_path / "base")
    (tmp_path / "file").write_text("")
    capsys.readouterr()
    monkeypatch.setattr(run, "train", lambda *args: pytest.fail("it trained"))
    file = str(tmp_path / "file")
    for words in (["--evaluate_mode", "generat"], ["--output_dir", file], ["--result", f"{file}/r.json"]):
        assert main([*quick(tmp_path), *words]) != 0
        assert capsys.readouterr().err.strip().rpartition("\n")[2].startswith("lengthgen: error: ")


def test_one_length_to_evaluate_needs_no_brackets(tmp_path):
    saved_base(tmp_path / "base")
    assert main([*quick(tmp_path), "--evaluate", "3", "--result", str(tmp_path / "r.json")]) == 0
    assert set(json.loads((tmp_path / "r.json").read_text())["exact_match"]) == {"3"}
