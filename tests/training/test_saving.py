import json

import pytest
import torch
from transformers import AutoConfig
from transformers.utils import logging

from hf_lengthgen.data.tokenizer import build_tokenizer
from hf_lengthgen.tasks import get_task
from hf_lengthgen.training import saving
from hf_lengthgen.training.checkpoints import CheckpointError
from hf_lengthgen.training.loop import train

from .tiny import assert_identical, tiny, weights


@pytest.fixture(scope="module")
def trained():
    return train(tiny(), progress=False)


@pytest.fixture
def folder(trained, tmp_path):
    saving.save_model(tmp_path / "model", *trained[:2], tiny(output_dir="/somewhere"), trained.history)
    return tmp_path / "model"


def test_round_trip(trained, folder):
    saved = saving.load_model(folder)
    assert_identical(weights(saved.model.cpu()), weights(trained.model))
    assert saved.tokenizer.get_vocab() == trained.tokenizer.get_vocab()
    assert saved.history == trained.history
    assert saved.config == tiny()  # without the output_dir: no path of the machine travels
    assert not saved.model.training


@pytest.fixture
def bars_come_back():
    shown = logging.is_progress_bar_enabled()
    yield
    (logging.enable_progress_bar if shown else logging.disable_progress_bar)()


@pytest.mark.parametrize("shown", [True, False])
def test_progress_bars_are_left_out_and_then_shown_as_before(trained, tmp_path, bars_come_back, capsys, shown):
    (logging.enable_progress_bar if shown else logging.disable_progress_bar)()
    saving.save_model(tmp_path / "model", *trained[:2], tiny(), trained.history)
    assert logging.is_progress_bar_enabled() == shown
    saving.load_weights(tmp_path / "model")
    assert logging.is_progress_bar_enabled() == shown
    assert capsys.readouterr().err == ""


def test_the_code_travels(folder):
    auto_map = json.loads((folder / "config.json").read_text())["auto_map"]
    assert set(auto_map) >= {"AutoConfig", "AutoModelForCausalLM"}
    for reference in auto_map.values():
        assert (folder / f"{reference.split('.')[0]}.py").is_file()


def test_a_full_disk_leaves_nothing_half(trained, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving.files, "write_json", full)
    with pytest.raises(CheckpointError, match="model cannot be written to .*: No space left on device"):
        saving.save_model(tmp_path / "model", *trained[:2], tiny(), trained.history)
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_its_record(folder):
    (folder / saving.TRAINING_FILE).unlink()
    with pytest.raises(ValueError, match="has no training.json"):
        saving.read_training(folder)
    saving.load_weights(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"config": {"steps": "x"}, "history": {}}'])
def test_a_broken_record(folder, text):
    (folder / saving.TRAINING_FILE).write_text(text)
    with pytest.raises(ValueError, match="training.json"):
        saving.read_training(folder)


def test_a_foreign_model(tmp_path):
    AutoConfig.for_model("gpt2").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="type 'gpt2', not 'lengthgen'"):
        saving.load_weights(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_model_is_named(folder, name, damage):
    path = folder / name
    path.write_bytes(path.read_bytes()[:40])
    if damage == "gone":
        path.unlink()
    with pytest.raises(ValueError, match="cannot be loaded") as error:
        saving.load_weights(folder)
    assert str(folder) in str(error.value) and "\n" not in str(error.value)


def test_which_tasks_fit(trained):
    saving.check_fits(trained.model, trained.tokenizer, get_task("reverse"))
    with pytest.raises(ValueError, match="has characters"):
        saving.check_fits(trained.model, trained.tokenizer, get_task("addition"))
    addition = get_task("addition")
    model = train(tiny(task="addition", steps=1), progress=False).model
    with pytest.raises(ValueError, match="has 2 Scale Hints, but the model takes 1"):
        saving.check_fits(model, build_tokenizer(addition), get_task("addition", widths="unequal"))


def test_hardened_gates_survive(tmp_path):
    model, tokenizer, history = train(tiny(), progress=False)
    with torch.no_grad():
        for gate in model.gate_parameters():
            gate.uniform_(-4, 4)
    model.harden()
    saving.save_model(tmp_path / "m", model, tokenizer, tiny(), history)
    loaded = saving.load_model(tmp_path / "m").model
    assert loaded.open_gates() == model.open_gates() > 0
    assert loaded.sparse == model.sparse
