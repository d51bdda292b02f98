import dataclasses
import json
import shutil

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

from hf_lengthgen.evaluation.result import Result
from hf_lengthgen.hub import digests
from hf_lengthgen.hub.assemble import assemble
from hf_lengthgen.hub.digests import digest, installed
from hf_lengthgen.hub.verification import verify_folder
from hf_lengthgen.training.arguments import load_training_config
from hf_lengthgen.training.saving import read_training

from .loopback import check_card
from .models import LENGTHS


@pytest.fixture
def copy(model, tmp_path):
    return shutil.copytree(model, tmp_path / "copy")


def test_everything_is_there(assembled, model):
    names = {path.relative_to(assembled).as_posix() for path in assembled.rglob("*") if path.is_file()}
    assert names - installed().keys() == {
        "README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json", "training.json", "recipe.yaml", "result.json", "curve.svg",
        ".eval_results/lengthgen.yaml",
    }  # fmt: skip
    assert verify_folder(assembled).release == "installed"
    for name in ("model.safetensors", "config.json", "tokenizer.json", "training.json"):
        assert (assembled / name).read_bytes() == (model / name).read_bytes()
    assert Result.load(assembled / "result.json") == Result.load(model / "result.json")
    card = (assembled / "README.md").read_text()
    assert check_card(card) == {"errors": [], "warnings": []}
    assert 'from_pretrained("me/adder"' in card and "](curve.svg)" in card and "--config recipe.yaml" in card


def test_the_recipe_trains_the_same(assembled):
    """Everything but where the run lies and how it is run."""
    recorded, _ = read_training(assembled)
    again = load_training_config(assembled / "recipe.yaml", ["--seed", str(recorded.seed)])
    one, other = recorded.to_dict(), again.to_dict()
    for key in ("output_dir", "resume", "name", "threads", "num_processes"):
        del one[key], other[key]
    assert one == other


def test_eval_results_are_those_of_the_result(assembled):
    entries = parse_eval_result_entries(yaml.safe_load((assembled / ".eval_results/lengthgen.yaml").read_text()))
    result = Result.load(assembled / "result.json")
    assert [(e.dataset_id, e.task_id) for e in entries] == [("me/lengthgen-addition", f"n{n[0]}") for n in LENGTHS]
    assert [entry.value for entry in entries] == [result.at(n).exact_match for n in LENGTHS]


def test_a_run_with_results_one_level_up(copy, tmp_path):
    """output_dir with model/ in it, old code and no auto_map."""
    run = tmp_path / "run"
    run.mkdir()
    shutil.move(copy, run / "model")
    shutil.move(run / "model" / "result.json", run / "result.json")
    (run / "model" / "relation.py").write_text("old")
    config = json.loads((run / "model" / "config.json").read_text())
    auto_map = config.pop("auto_map")
    (run / "model" / "config.json").write_text(json.dumps(config))
    folder = assemble(run, tmp_path / "out", "me/adder", dataset_id="me/sums", license="mit")
    assert verify_folder(folder).release == "installed"
    assert json.loads((folder / "config.json").read_text()) == config | {"auto_map": auto_map}
    assert "license: mit" in (folder / "README.md").read_text()
    assert "id: me/sums" in (folder / ".eval_results/lengthgen.yaml").read_text()


def test_only_its_own_folder_is_replaced(model, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    assemble(model, out, "me/adder")
    (out / "model.safetensors").unlink()
    assert (assemble(model, out, "me/adder") / "model.safetensors").is_file()
    (out / "relation.py").write_text("old")
    assemble(out, out, "you/adder")
    assert verify_folder(out).release == "installed" and "you/adder" in (out / "README.md").read_text()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    for target in (tmp_path / "mine", model):
        with pytest.raises(FileExistsError, match="is not empty; choose another folder"):
            assemble(model, target, "me/adder")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "name", [".git/config", "notes.txt", ".eval_results/mine.yaml", "train.py", "adapter.safetensors"]
)
def test_a_folder_with_anything_of_the_users_is_left_alone(name, assembled, tmp_path):
    """A clone of what was pushed has all that `assemble` writes, and more."""
    clone = shutil.copytree(assembled, tmp_path / "clone")
    (clone / name).parent.mkdir(exist_ok=True)
    (clone / name).write_text("mine")
    for source in (assembled, clone):
        with pytest.raises(FileExistsError, match="is not empty; choose another folder") as error:
            assemble(source, clone, "me/adder")
        assert name.removesuffix("/config") in str(error.value) and "\n" not in str(error.value)
    assert (clone / name).read_text() == "mine" and (clone / "README.md").is_file()


def test_code_of_an_older_release_is_replaced(assembled, tmp_path, monkeypatch):
    """A module that this package no longer has."""
    out = shutil.copytree(assembled, tmp_path / "out")
    (out / "position_old.py").write_text("old")
    (tmp_path / "releases.json").write_text(json.dumps({"0.0.1": {"position_old.py": digest(out / "position_old.py")}}))
    monkeypatch.setattr(digests, "RELEASES", tmp_path / "releases.json")
    assemble(assembled, out, "me/adder")
    assert verify_folder(out).release == "installed"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "llama"}, "holds a model of type 'llama'"),
        ({"position_package": "theirs"}, "is defined in the package 'theirs', whose code does not travel"),
    ],
)
def test_what_cannot_travel(change, message, copy, tmp_path):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(ValueError, match=message):
        assemble(copy, tmp_path / "out", "me/adder")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", "holds no model"),
        ("result.json", "copy has no result.json: `lengthgen evaluate copy"),
        ("model.safetensors", "has no weights"),
    ],
)
def test_incomplete_folders(name, message, copy, tmp_path):
    (copy / name).unlink()
    with pytest.raises((ValueError, OSError), match=message):
        assemble(copy, tmp_path / "out", "me/adder")
    assert not (tmp_path / "out").exists()


def test_from_within_the_folder(copy, tmp_path, monkeypatch):
    """`.` has a name, and a folder above it."""
    shutil.move(copy / "result.json", tmp_path / "result.json")
    monkeypatch.chdir(copy)
    assert (assemble(".", tmp_path / "out", "me/adder") / "result.json").is_file()
    (tmp_path / "result.json").unlink()
    with pytest.raises(ValueError, match="copy has no result.json: `lengthgen evaluate copy"):
        assemble(".", tmp_path / "out", "me/adder")


@pytest.mark.parametrize("text", ["{}", '{"config": 3}', '{"config": []}', "[]", "{"])
def test_a_training_file_that_is_none(text, copy, tmp_path):
    (copy / "training.json").write_text(text)
    with pytest.raises(ValueError, match="training.json (cannot be read|holds no)") as error:
        assemble(copy, tmp_path / "out", "me/adder")
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["adder", "a/b/c", "/adder", "me/", ""])
def test_a_name_has_an_owner(name, model, tmp_path):
    with pytest.raises(ValueError, match=f"named OWNER/NAME, got '{name}'"):
        assemble(model, tmp_path / "out", name)
    with pytest.raises(ValueError, match=f"named OWNER/NAME, got '{name}'"):
        assemble(model, tmp_path / "out", "me/adder", dataset_id=name)
    assert not (tmp_path / "out").exists()


def test_best_is_not_published_with_the_result_of_the_last(copy, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    shutil.copytree(copy, run / "best")
    (run / "best" / "result.json").rename(run / "result.json")
    with pytest.raises(ValueError, match="best has no result.json: `lengthgen evaluate best --output best/result.json"):
        assemble(run / "best", tmp_path / "out", "me/adder")


def test_a_result_of_another_model(copy, tmp_path):
    result = Result.load(copy / "result.json")
    dataclasses.replace(result, position_embedding="alibi").save(copy / "result.json")
    with pytest.raises(ValueError, match="is of another model: position_embedding is 'alibi' there and 'lbpe' in"):
        assemble(copy, tmp_path / "out", "me/adder")


def test_places_of_this_machine_stay_here(copy, tmp_path):
    training = json.loads((copy / "training.json").read_text())
    training["config"]["init_from"] = "/home/alice/secret/model"
    (copy / "training.json").write_text(json.dumps(training))
    result = Result.load(copy / "result.json")
    dataclasses.replace(result, settings=result.settings | {"init_from": "/home/alice/secret/model"}).save(
        copy / "result.json"
    )
    folder = assemble(copy, tmp_path / "out", "me/adder")
    told = {path.name: path.read_text() for path in folder.iterdir() if path.suffix in (".json", ".yaml", ".md")}
    assert not [name for name, text in told.items() if "alice" in text]
    assert "init_from: INIT_FROM" in told["recipe.yaml"]
