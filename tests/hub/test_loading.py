"""What our own loaders accept; `test_verification.py` has what `load` refuses of a repository."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from hf_lengthgen.cli import main
from hf_lengthgen.hub.errors import HubError
from hf_lengthgen.hub.folder_files import VerifyError
from hf_lengthgen.hub.loading import find_folder, load, load_folder


@pytest.fixture
def copy(model, tmp_path):
    return shutil.copytree(model, tmp_path / "copy")


def pickled(folder, name="pytorch_model.bin"):
    """The weights, true to the last bit, in a format that can run code."""
    torch.save(load_file(folder / "model.safetensors"), folder / name)
    (folder / "model.safetensors").unlink()


def named_in_the_index(folder):
    pickled(folder, "weights.dat")
    keys = torch.load(folder / "weights.dat")
    index = {"metadata": {}, "weight_map": dict.fromkeys(keys, "weights.dat")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def named_in_the_configuration(folder):
    pickled(folder, "weights.dat")
    data = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(data | {"transformers_weights": "weights.dat"}))


def named_twice_in_the_configuration(folder):
    pickled(folder, "weights.dat")
    text = (folder / "config.json").read_text().lstrip()
    both = '{"transformers_weights": null, "transformers_weights": "weights.dat", '
    (folder / "config.json").write_text(both + text[1:])


def beside_the_weights(folder):
    torch.save({}, folder / "training_args.bin")


def code_for_the_tokenizer(folder):
    data = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(
        json.dumps(data | {"auto_map": {"AutoTokenizer": ["evil.Tok", None]}})
    )


REFUSED = {
    pickled: "pytorch_model.bin is a kind of file that can run code",
    beside_the_weights: "training_args.bin is a kind of file that can run code",
    named_in_the_index: "refers to 'weights.dat', which is no safetensors file",
    named_in_the_configuration: "names a file of weights, 'weights.dat'",
    named_twice_in_the_configuration: "the key 'transformers_weights' occurs twice",
    code_for_the_tokenizer: "names code to run",
}


@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_a_folder_whose_files_could_run_code(change, copy, capsys):
    change(copy)
    with pytest.raises(VerifyError, match=REFUSED[change]):
        load_folder(copy)
    assert main(["evaluate", str(copy), "--lengths", "5", "--examples", "2"]) == 2
    assert "is refused: " in capsys.readouterr().err


def test_a_folder_here_may_hold_notes_and_old_code(copy):
    """None of it is run: the classes are this package's."""
    (copy / "notes.txt").write_text("mine")
    (copy / "relation.py").write_text("raise SystemExit")
    network, tokenizer = load_folder(copy)
    assert type(network).__module__ == "hf_lengthgen.model.modeling_lengthgen" and not network.training
    inputs = tokenizer("21+41=", return_tensors="pt").to(network.device)
    assert tokenizer.decode(network.generate(**inputs, max_new_tokens=4)[0], skip_special_tokens=True) == "21+41=620"


def test_a_damaged_folder(copy):
    (copy / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be loaded") as error:
        load_folder(copy)
    assert "\n" not in str(error.value)


def test_a_place_here_or_on_the_hub(hub, model, assembled, tmp_path, capsys):
    shutil.copytree(model, tmp_path / "run" / "model")
    assert find_folder(tmp_path / "run") == find_folder(tmp_path / "run" / "model") == tmp_path / "run" / "model"
    paths = (path for path in assembled.rglob("*") if path.is_file())
    files = {path.relative_to(assembled).as_posix(): path.read_bytes() for path in paths}
    first = hub.put("me/adder", files)
    words = ["--lengths", "24", "--examples", "4"]
    for place in ("me/adder", f"me/adder@{first}"):
        assert find_folder(place).name == first
        assert main(["evaluate", place, *words]) == 0
        assert "4/4" in capsys.readouterr().out
    hub.put("me/adder", files | {"relation.py": b"import os\n"})
    assert main(["evaluate", "me/adder", *words]) == 2
    assert "is refused: relation.py differs from the code" in capsys.readouterr().err
    hub.put("me/pickle", {"config.json": files["config.json"], "pytorch_model.bin": b"x"})
    before = len(hub.requests)
    with pytest.raises(VerifyError, match="pytorch_model.bin is a kind of file that can run code"):
        find_folder("me/pickle")
    assert not [line for line in hub.requests[before:] if "/resolve/" in line], "seen before it was fetched"
    with pytest.raises(HubError, match="There is no folder 'nowhere'"):
        find_folder("nowhere")


def drop(tensors):
    del tensors["lm_head.weight"]


def add(tensors):
    tensors["model.extra"] = torch.zeros(2)


def reshape(tensors):
    tensors["lm_head.weight"] = tensors["lm_head.weight"][:-1].contiguous()


@pytest.mark.parametrize(
    ("change", "told"), [(drop, "missing"), (add, "unexpected"), (reshape, "mismatched are .*lm_head")]
)
def test_weights_that_are_not_the_models(change, told, copy):
    """transformers would draw the missing ones anew, and go on."""
    tensors = load_file(copy / "model.safetensors")
    change(tensors)
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    for read in (load_folder, load):
        with pytest.raises(ValueError, match=f"cannot be loaded.*{told}"):
            read(copy)
