"""Folders of retrofitted models: sound ones pass, tampered ones are refused, each for its own reason."""

import json
import pickle
import shutil
import struct
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi, snapshot_download
from retrofit.test_modeling_retrofit import disturb
from retrofit.test_text import byte_pairs
from retrofit.tiny import CONFIGS, SMALL, options, tiny
from transformers import AutoModelForCausalLM

from hf_lengthgen.cli import main
from hf_lengthgen.hub.folder_files import VerifyError
from hf_lengthgen.hub.loading import load
from hf_lengthgen.hub.verify_retrofit import is_retrofit, verify_retrofit
from hf_lengthgen.retrofit import RetrofitForCausalLM, retrofit

FILES = {"part": "additions.safetensors", "whole": "model.safetensors"}


def save(folder, kind, family="llama", **settings):
    model = disturb(retrofit(tiny(family), base_name="someone/base", base_revision="abc", **settings))
    model.save_pretrained(folder, additions_only=kind == "part")
    return model


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    for kind in FILES:
        save(folder / kind, kind, **SMALL)
        byte_pairs().save_pretrained(folder / kind)
        (folder / kind / "chat_template.jinja").write_text("{{ messages }}")
        (folder / kind / "result.json").write_text("{}")
    return folder


@pytest.mark.parametrize("mode", ["adapter", "bias"])
@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("family", CONFIGS)
def test_what_save_pretrained_writes_is_verified(family, kind, mode, tmp_path):
    model = save(tmp_path / "m", kind, family, **options(mode))
    found = verify_retrofit(tmp_path / "m")
    assert (found.kind, found.base) == ({"part": "additions"}.get(kind, kind), "someone/base@abc")
    assert found.release is None and found.files == len(list((tmp_path / "m").iterdir()))
    if mode == "adapter":
        model.harden().save_pretrained(tmp_path / "hard", additions_only=kind == "part")
        verify_retrofit(tmp_path / "hard")


def test_tied_bases_in_bfloat16_and_in_shards(tmp_path):
    model = disturb(retrofit(tiny("gemma").to(torch.bfloat16), **SMALL))
    assert model.config.tie_word_embeddings
    model.save_pretrained(tmp_path / "whole", max_shard_size="10KB")
    assert len(list((tmp_path / "whole").glob("*.safetensors"))) > 1
    assert verify_retrofit(tmp_path / "whole").kind == "whole"


def test_with_tokenizer_template_result_and_lora(sound, tmp_path):
    folder = tmp_path / "m"
    shutil.copytree(sound / "part", folder)
    (folder / "lora").mkdir()
    (folder / "lora" / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "auto_mapping": None}))
    assert verify_retrofit(folder).files == len([p for p in folder.rglob("*") if p.is_file()])


def test_which_folders_are_retrofits(sound, tmp_path):
    assert is_retrofit(sound / "part") and is_retrofit(sound / "whole")
    tiny().save_pretrained(tmp_path / "base")
    assert not is_retrofit(tmp_path / "base") and not is_retrofit(tmp_path)
    (tmp_path / "config.json").write_text("[" * 100_000)
    assert not is_retrofit(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        verify_retrofit(tmp_path / "none")


def configure(**changes):
    def change(folder, kind):
        data = json.loads((folder / "config.json").read_text())
        for key, value in changes.items():
            if key == "base":
                data["base_config"] |= value
            else:
                data[key] = value
        (folder / "config.json").write_text(json.dumps(data))

    return change


def write(name, data):
    def change(folder, kind):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)

    return change


def one_value(folder, kind):
    """One bit of a weight of the additions."""
    file = folder / FILES[kind]
    data = bytearray(file.read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    name = next(n for n in header if n.endswith("down.weight"))
    data[8 + length + header[name]["data_offsets"][0]] ^= 1
    file.write_bytes(bytes(data))


def header(change):
    def apply(folder, kind):
        file = folder / FILES[kind]
        data = file.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        text = json.dumps(change(json.loads(data[8 : 8 + length]))).encode()
        file.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])

    return apply


def renamed(entries):
    name = next(n for n in entries if n.endswith("down.weight"))
    return {("other.weight" if n == name else n): entry for n, entry in entries.items()}


def reshaped(entries):
    name = next(n for n in entries if n.endswith("down.weight"))
    return entries | {name: entries[name] | {"shape": entries[name]["shape"][::-1]}}


def shifted(entries):
    name = next(n for n in entries if n.endswith("down.weight"))
    first, last = entries[name]["data_offsets"]
    return entries | {name: entries[name] | {"data_offsets": [first + 4, last + 4]}}


def cut(folder, kind):
    file = folder / FILES[kind]
    file.write_bytes(file.read_bytes()[:-4])


TAMPERED = {
    "one bit of a weight": (one_value, "additions are not those whose digest was recorded"),
    "a tensor renamed": (header(renamed), "unexpected tensor 'other.weight'; the tensor '.*down.weight' is missing"),
    "a tensor reshaped": (header(reshaped), r"has the shape \[32, 16\], not \[16, 32\]"),
    "offsets that lie": (header(shifted), "no sound safetensors file"),
    "a file cut off": (cut, "no sound safetensors file"),
    "a file too many": (write("more.safetensors", struct.pack("<Q", 2) + b"{}"), "more.safetensors is unexpected"),
    "a pickle": (write("pytorch_model.bin", pickle.dumps(1)), "pytorch_model.bin is a kind of file that can run code"),
    "a pickle as a template": (write("chat_template.jinja", pickle.dumps(1)), "chat_template.jinja is a binary file"),
    "code": (write("modeling_retrofit.py", b"import os\n"), "modeling_retrofit.py is unexpected code"),
    "code of the package": (write("relation.py", b""), "relation.py is unexpected code"),
    "code beside a LoRA": (write("lora/x.py", b""), "lora/x.py is unexpected code"),
    "a module for peft": (
        write(
            "lora/adapter_config.json", b'{"peft_type": "LORA", "megatron_config": {"x": 1}, "megatron_core": "evil"}'
        ),
        "names a module that peft would import",
    ),
    "another adapter": (write("lora/adapter_config.json", b'{"peft_type": "IA3"}'), "type 'IA3', not 'LORA'"),
    "code of a LoRA": (
        write("lora/adapter_config.json", b'{"peft_type": "LORA", "auto_mapping": {"parent_library": "evil"}}'),
        "names code to run .auto_mapping",
    ),
    "an auto_map": (configure(auto_map={"AutoConfig": "evil/repo--x.Y"}), "names code to run .auto_map"),
    "an auto_map in the base": (configure(base={"auto_map": {"AutoModel": "x.Y"}}), "names code to run .auto_map"),
    "a kernel from elsewhere": (configure(base={"attn_implementation": "evil/kernel"}), "the attention 'evil/kernel'"),
    "a quantization": (configure(base={"quantization_config": {"quant_method": "x"}}), "asks for a quantization"),
    "another type": (configure(model_type="llama"), "of type 'llama', not 'lengthgen_retrofit'"),
    "a base of another family": (configure(base={"model_type": "bert"}), "no sound configuration: .*family 'bert'"),
    "no base": (configure(base_config=None), "describes no base"),
    "endless layers": (configure(base={"num_hidden_layers": 10**9}), "no base of at most 1000 layers"),
    "another base": (configure(base={"rms_norm_eps": 1e-3}), "another base than the one whose digest it records"),
    "no digest of the base": (configure(base_digest=None), "no digest of its base"),
    "no digest of the additions": (configure(additions_digest=None), "no digest of its additions"),
    "an unknown key": (configure(widht=3), "no key 'widht'"),
    "another width": (configure(width=32), "has the shape"),
    "layers that are not there": (configure(layers=[0, 7]), "layers must be ascending"),
    "weights of another name": (configure(transformers_weights="x.bin"), "a file of weights other than the usual"),
    "a tokenizer class of its own": (
        write("tokenizer_config.json", b'{"tokenizer_class": "EvilTokenizer"}'),
        "'EvilTokenizer', which transformers has not",
    ),
    "a class that is no tokenizer": (
        write("tokenizer_config.json", b'{"tokenizer_class": "Trainer"}'),
        "'Trainer', which is none",
    ),
    "no tokenizer class": (write("tokenizer_config.json", b"{}"), "does not say its tokenizer_class"),
    "a tokenizer class in the configuration": (configure(tokenizer_class="EvilTokenizer"), "transformers has not"),
    "code of a tokenizer": (
        write("tokenizer_config.json", b'{"tokenizer_class": "GPT2Tokenizer", "auto_map": {}}'),
        "names code to run .auto_map",
    ),
    "no configuration": (lambda folder, kind: (folder / "config.json").unlink(), "there is no config.json"),
    "no JSON": (write("config.json", b"{"), "config.json is not JSON"),
    "no weights": (lambda folder, kind: (folder / FILES[kind]).unlink(), "there are no weights"),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("what", TAMPERED)
def test_tampered_folders_are_refused(sound, what, kind, tmp_path):
    change, message = TAMPERED[what]
    folder = tmp_path / "m"
    shutil.copytree(sound / kind, folder)
    verify_retrofit(folder)
    change(folder, kind)
    with pytest.raises(VerifyError, match=message) as refused:
        verify_retrofit(folder)
    assert str(refused.value).count("\n") == 0 and refused.value.problems


def test_links_that_lead_out_are_refused(sound, tmp_path):
    shutil.copytree(sound / "part", tmp_path / "m")
    (tmp_path / "secret.json").write_text("{}")
    (tmp_path / "m" / "training.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(VerifyError, match="training.json is a link that leads out of the folder"):
        verify_retrofit(tmp_path / "m")
    (tmp_path / "m" / "training.json").unlink()
    (tmp_path / "m" / "lora").symlink_to(tmp_path / "m")
    with pytest.raises(VerifyError, match="lora is a link to a folder"):
        verify_retrofit(tmp_path / "m")


@torch.no_grad()
def test_both_kinds_go_to_the_hub_and_come_back_from_it(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = tiny()
    commit = base.push_to_hub("me/base").oid
    base = AutoModelForCausalLM.from_pretrained("me/base", revision=commit)
    tiny().push_to_hub("me/base")  # the branch goes on, the commit stays
    model = disturb(retrofit(base, base_revision=commit, **SMALL)).eval()
    assert model.config.base_name == "me/base"
    model.save_pretrained("part", additions_only=True, push_to_hub=True, repo_id="me/part")
    model.push_to_hub("me/whole")
    ids, hint = torch.randint(3, 64, (2, 5)), torch.tensor([2, 2])
    want = model(ids, scale_hint=hint).logits
    for name in ("me/part", "me/whole"):  # the additions fetch their base, at its commit
        loaded = AutoModelForCausalLM.from_pretrained(name)
        assert type(loaded) is RetrofitForCausalLM
        assert torch.equal(loaded(ids, scale_hint=hint).logits, want)
    for name, kind in (("me/part", "additions"), ("me/whole", "whole")):
        found = verify_retrofit(Path(snapshot_download(name)))
        assert found.kind == kind and found.base == f"me/base@{commit}"


@pytest.mark.parametrize("kind", FILES)
def test_the_command_verifies_retrofits_here_and_on_the_hub(sound, kind, hub, tmp_path, capsys):
    folder = tmp_path / "m"
    shutil.copytree(sound / kind, folder)
    assert main(["verify", str(folder)]) == 0 and "verified" in capsys.readouterr().out
    HfApi().create_repo("me/m")
    commit = HfApi().upload_folder(repo_id="me/m", folder_path=folder).oid
    assert main(["verify", f"me/m@{commit}"]) == 0 and f"verified (commit {commit}" in capsys.readouterr().out
    base = {"base": RetrofitForCausalLM.from_pretrained(sound / "whole").base} if kind == "part" else {}
    model, _ = load("me/m", commit, **base)
    assert isinstance(model, RetrofitForCausalLM) and not model.training
    one_value(folder, kind)
    assert main(["verify", str(folder)]) == 2 and "whose digest was recorded" in capsys.readouterr().err


def test_a_folder_without_a_tokenizer_says_so(tmp_path):
    """`save_pretrained` writes none; transformers would ask for sentencepiece."""
    for kind in FILES:
        save(tmp_path / kind, kind, **SMALL)
        with pytest.raises(ValueError, match="has no tokenizer: save that of its base beside it"):
            load(tmp_path / kind)


def test_a_lora_is_not_left_out_in_silence(sound, tmp_path):
    folder = shutil.copytree(sound / "part", tmp_path / "m")
    (folder / "lora").mkdir()
    (folder / "lora" / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    with pytest.raises(ValueError, match="has a LoRA beside its additions, which belongs into the base"):
        load(folder)
