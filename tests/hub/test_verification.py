"""Tampered models are refused, each for its own reason, before any of their code is imported."""

import json
import pickle
import shutil
import struct
import sys
from pathlib import Path

import pytest
import torch
from huggingface_hub import snapshot_download

from hf_lengthgen.files import model_folder
from hf_lengthgen.hub import digests
from hf_lengthgen.hub.errors import HubError
from hf_lengthgen.hub.folder_files import VerifyError
from hf_lengthgen.hub.loading import load
from hf_lengthgen.hub.verification import verify, verify_folder


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of a pickle ran')",)


def change_json(name, **changes):
    def change(folder):
        data = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(data | changes))

    return change


def without_key(name, key):
    def change(folder):
        data = json.loads((folder / name).read_text())
        del data[key]
        (folder / name).write_text(json.dumps(data))

    return change


def header_of(folder):
    """The header of the weights, and the bytes behind it."""
    data = (folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def change_header(change, behind=b""):
    def apply(folder):
        header, tensors = header_of(folder)
        text = change(header)
        text = text if isinstance(text, str) else json.dumps(text)
        data = struct.pack("<Q", len(text)) + text.encode() + tensors + behind
        (folder / "model.safetensors").write_bytes(data)

    return apply


def with_entry(name, **changes):
    return lambda header: header | {name: header[name] | changes}


def append(name, text):
    def apply(folder):
        with open(folder / name, "a", encoding="utf-8") as file:
            file.write(text)

    return apply


def write(name, data):
    def apply(folder):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)

    return apply


def link(name, target):
    def apply(folder):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return apply


EMBED, HEAD = "model.embed_tokens.weight", "lm_head.weight"
OTHER = {"AutoConfig": "evil/repo--configuration_lengthgen.LengthGenConfig"}
REPEATED = '{"lm_head.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, '
TAMPERED = {
    "one byte of the code": (append("modeling_lengthgen.py", "\n"), "modeling_lengthgen.py differs from the code of"),
    "code that runs on import": (
        append("scale_hint.py", "\nimport sys; sys.tampered = True\n"),
        "scale_hint.py differs from the code of this package",
    ),
    "a code file too many": (write("helper.py", b"import os\n"), "helper.py is unexpected code"),
    "code in a folder": (write("custom_generate/generate.py", b"import os\n"), "generate.py is unexpected code"),
    "compiled code": (write("scale_hint.so", b"\x7fELF"), "scale_hint.so is unexpected code"),
    "a pickle beside the notes of huggingface_hub": (
        write(".cache/huggingface.pkl", b"x"),
        "huggingface.pkl is a kind of file that can run code",
    ),
    "code in capitals": (write("RELATION.PY", b"import os\n"), "RELATION.PY is unexpected code"),
    "weights in capitals": (write("adapter.SAFETENSORS", b""), "adapter.SAFETENSORS is unexpected"),
    "a code file missing": (lambda folder: (folder / "relation.py").unlink(), "relation.py is missing"),
    "a pickle beside the weights": (write("pytorch_model.bin", pickle.dumps(Evil())), "pytorch_model.bin .* only safe"),
    "a pickle of the optimizer": (write("training_args.bin", pickle.dumps(Evil())), "training_args.bin .* run code"),
    "a pickle as the weights": (write("model.safetensors", pickle.dumps(Evil())), "no sound safetensors file"),
    "a pickle under a harmless name": (write("result.json", pickle.dumps(Evil())), "result.json is a binary file"),
    "a torch archive as a card": (
        lambda folder: torch.save({"a": torch.ones(1)}, folder / "README.md"),
        "README.md is a binary file",
    ),
    "code from another repository": (change_json("config.json", auto_map=OTHER), "code from another repository"),
    "another class of its own": (
        change_json("config.json", auto_map={"AutoModel": "scale_hint.Evil"}),
        "names code that is not this package's",
    ),
    "a tokenizer with code": (
        change_json("tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Tok", None]}),
        "tokenizer_config.json names code to run",
    ),
    "another tokenizer class": (
        change_json("tokenizer_config.json", tokenizer_class="EvilTokenizer"),
        "asks for the tokenizer class 'EvilTokenizer'",
    ),
    "another tokenizer class beside the model": (
        change_json("config.json", tokenizer_class="BertTokenizer"),
        "config.json asks for the tokenizer class 'BertTokenizer'",
    ),
    "no tokenizer class": (without_key("tokenizer_config.json", "tokenizer_class"), "does not say its tokenizer_class"),
    "a tokenizer class that is null": (
        change_json("tokenizer_config.json", tokenizer_class=None),
        "does not say its tokenizer_class",
    ),
    "a tokenizer class that is a list": (
        change_json("tokenizer_config.json", tokenizer_class=["TokenizersBackend"]),
        "asks for the tokenizer class \\['TokenizersBackend'\\]",
    ),
    "no tokenizer": (
        lambda folder: (folder / "tokenizer_config.json").unlink(),
        "there is no tokenizer_config.json",
    ),
    "weights under another name": (
        change_json("config.json", transformers_weights="README.md"),
        "config.json names a file of weights, 'README.md'",
    ),
    "a pipeline with code": (change_json("config.json", custom_pipelines={"x": {"impl": "a.B"}}), "names code to run"),
    "an attention kernel": (change_json("config.json", attn_implementation="evil/kernel"), "fetched from elsewhere"),
    "another package": (change_json("config.json", position_package="evil"), "needs the code of another package"),
    "another model type": (change_json("config.json", model_type="llama"), "is of a model of type 'llama'"),
    "an adapter of another model": (
        write("adapter_config.json", b'{"base_model_name_or_path": "evil/repo"}'),
        "adapter_config.json is unexpected",
    ),
    "a header longer than the file": (
        write("model.safetensors", struct.pack("<Q", 1 << 40) + b"{}"),
        "announces a header of",
    ),
    "tensors that overlap": (
        change_header(lambda h: h | {EMBED: h[EMBED] | {"data_offsets": h[HEAD]["data_offsets"]}}),
        "where another lies",
    ),
    "a gap between tensors": (
        change_header(lambda h: {k: v for k, v in h.items() if k != EMBED}),
        "where a gap lies",
    ),
    "a shape of other size": (change_header(with_entry(EMBED, shape=[16, 129])), "does not have 8192 bytes"),
    "another type": (change_header(with_entry(EMBED, dtype="F16")), "does not have 8192 bytes"),
    "a type that is no text": (change_header(with_entry(EMBED, dtype=["F32"])), "unknown type \\['F32'\\]"),
    "a type that is an object": (change_header(with_entry(EMBED, dtype={})), "unknown type {}"),
    "an unknown type": (change_header(with_entry(EMBED, dtype="PY")), "unknown type 'PY'"),
    "a negative offset": (change_header(with_entry(EMBED, data_offsets=[-4, 8188])), "no natural numbers"),
    "a tensor twice": (change_header(lambda h: REPEATED + json.dumps(h)[1:]), "key 'lm_head.weight' occurs twice"),
    "bytes behind the tensors": (change_header(lambda h: h, behind=b"hidden"), "its tensors end at"),
    "an index that leads out": (
        write("model.safetensors.index.json", b'{"weight_map": {"lm_head.weight": "../../secret.safetensors"}}'),
        "refers to '../../secret.safetensors'",
    ),
    "a link to a file elsewhere": (link("result.json", "/etc/hostname"), "is a link that leads out of the folder"),
    "a link to a folder elsewhere": (link("pictures", "/etc"), "is a link that leads out of the folder"),
    "JSON with a key twice": (write("generation_config.json", b'{"a": 1, "a": 2}'), "the key 'a' occurs twice"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "there are no weights"),
}


@pytest.fixture
def copy(assembled, tmp_path):
    return shutil.copytree(assembled, tmp_path / "copy")


@pytest.mark.parametrize("case", TAMPERED)
def test_a_tampered_folder_is_refused(case, copy):
    tamper, message = TAMPERED[case]
    tamper(copy)
    before = set(sys.modules)
    with pytest.raises(VerifyError, match=message) as error:
        load(copy)
    assert len(error.value.problems) == 1 and "\n" not in str(error.value)
    imported = [name for name in set(sys.modules) - before if name.startswith("transformers_modules")]
    assert not hasattr(sys, "tampered") and not imported


REMOTE = [
    "code that runs on import", "a code file too many", "code in a folder", "a pickle beside the weights",
    "a pickle as the weights", "code from another repository", "a tokenizer with code", "tensors that overlap",
    "a shape of other size", "an adapter of another model", "a header longer than the file", "a type that is no text",
    "another tokenizer class beside the model",
]  # fmt: skip


@pytest.mark.parametrize("case", REMOTE)
def test_a_tampered_repository_is_refused(case, hub, copy):
    tamper, message = TAMPERED[case]
    tamper(copy)
    files = {path.relative_to(copy).as_posix(): path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    commit = hub.put("evil/adder", files)
    for place in ("evil/adder", f"evil/adder@{commit}"):
        with pytest.raises(VerifyError, match=message):
            verify(place)
    with pytest.raises(VerifyError, match=message):
        load("evil/adder", revision="main")
    assert not hasattr(sys, "tampered")


def test_names_are_judged_before_anything_is_downloaded(hub, copy):
    hub.put("evil/adder", {"config.json": b"{}", "model.pkl": b"x", "../up.json": b"{}"})
    with pytest.raises(VerifyError) as error:
        verify("evil/adder")
    assert len(error.value.problems) == 2 and "leads out" in str(error.value)
    assert not [line for line in hub.requests if "/resolve/" in line]


# ---- what is not tampered with is accepted


def test_what_we_publish_is_verified(hub, assembled, copy):
    files = {path.relative_to(copy).as_posix(): path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    first = hub.put("me/adder", files)
    hub.put("me/adder", {"config.json": b"{}"})
    found = verify(f"me/adder@{first}")
    assert (found.release, found.revision, found.files) == ("installed", first, len(files))
    assert verify_folder(found.folder).release == "installed", "a folder of the cache, made of links"
    with pytest.raises(VerifyError, match="there are no weights"):
        verify("me/adder")
    assert verify(str(assembled)).release == "installed" and verify(str(assembled)).revision is None


def test_a_run_without_its_code_is_verified(copy):
    """The package's classes load it; there is nothing to compare."""
    for path in copy.glob("*.py"):
        path.unlink()
    assert verify_folder(copy).release is None
    model, tokenizer = load(copy)
    inputs = tokenizer("21+41=", return_tensors="pt")
    assert tokenizer.decode(model.generate(**inputs, max_new_tokens=4)[0], skip_special_tokens=True) == "21+41=620"


def test_the_code_of_an_older_release_is_verified(copy, tmp_path, monkeypatch):
    """And one made of files of two releases is not."""
    old = copy / "relation.py"
    old.write_text("# an older release\n" + old.read_text())
    with pytest.raises(VerifyError, match="relation.py differs from the code of this package"):
        verify_folder(copy)
    table = {"0.0.1": digests.installed() | {"relation.py": digests.digest(old)}}
    (tmp_path / "releases.json").write_text(json.dumps(table))
    monkeypatch.setattr(digests, "RELEASES", tmp_path / "releases.json")
    assert verify_folder(copy).release == "0.0.1"
    (copy / "scale_hint.py").write_text("# newer\n" + (copy / "scale_hint.py").read_text())
    with pytest.raises(VerifyError, match="scale_hint.py differs from the code of release 0.0.1"):
        verify_folder(copy)


def test_sharded_weights_are_verified(copy, tmp_path):
    model, tokenizer = load(copy)
    folder = tmp_path / "sharded"
    model.save_pretrained(folder, max_shard_size="300KB")
    tokenizer.save_pretrained(folder)
    assert len(list(folder.glob("*.safetensors"))) > 3
    assert verify_folder(folder).files > 5
    shutil.move(next(folder.glob("model-00001*")), folder / "other.safetensors")
    with pytest.raises(VerifyError, match="refers to 'model-00001"):
        verify_folder(folder)


# ---- the way from the Hub


@pytest.fixture
def published(hub, assembled):
    files = {p.relative_to(assembled).as_posix(): p.read_bytes() for p in assembled.rglob("*") if p.is_file()}
    hub.put("me/adder", files)
    return "me/adder"


def test_bytes_exchanged_on_the_way_are_found(hub, published):
    """huggingface_hub compares sizes only; the next try downloads anew."""
    hub.inject(r"GET .*/resolve/.*model.safetensors", "corrupt")
    with pytest.raises(VerifyError, match="model.safetensors is not what the Hub announced"):
        load(published)
    assert verify(published).release == "installed"


@pytest.mark.parametrize("name", ["scale_hint.py", ".eval_results/lengthgen.yaml"])
def test_a_cached_file_that_was_changed_is_found(name, hub, published):
    folder = verify(published).folder
    path = (folder / name).resolve()
    path.write_bytes(path.read_bytes()[:-1] + b"#")
    with pytest.raises(VerifyError, match=f"{name} is not what the Hub announced"):
        verify(published)
    assert snapshot_download(published) and verify(published).release == "installed"


@pytest.mark.parametrize("kind", ["truncate", "drop", "slow"])
def test_a_download_that_breaks_off_goes_on(kind, hub, published, no_pauses):
    hub.inject(r"GET .*/resolve/.*model.safetensors", kind, value=0.2)
    assert verify(published).release == "installed" and hub.faults[0].times == 0


@pytest.mark.parametrize(
    ("pattern", "kind", "message"),
    [
        (r"GET .*/resolve/.*model.safetensors", "drop", "me/adder cannot be downloaded: the Hub cannot be reached"),
        (r"GET .*/resolve/", "status", "me/adder cannot be downloaded: .*500"),
        (r"GET /api/models/", "status", "me/adder cannot be read: .*500"),
        (r"GET .*/tree/", "status", "me/adder cannot be read: .*500"),
    ],
)
def test_a_download_that_fails_is_one_clear_error(pattern, kind, message, hub, published, no_pauses):
    hub.inject(pattern, kind, times=10**6)
    with pytest.raises(HubError, match=message) as error:
        load(published)
    assert "\n" not in str(error.value)


def test_links_of_the_cache_lead_to_its_own_blobs_only(hub, published, monkeypatch):
    """models--me--adder/snapshots/COMMIT/README.md -> ../../blobs/DIGEST, and nowhere else: not into another model."""
    folder = verify(published).folder
    repository = folder.parents[1]
    assert repository.name == "models--me--adder" and (repository / "blobs").is_dir()
    assert (folder / "README.md").is_symlink() and verify_folder(folder).release == "installed"
    monkeypatch.chdir(folder)
    assert verify_folder(Path(".")).release == "installed"
    blob = (folder / "README.md").resolve()
    for place in (
        repository,
        repository.parent,
        repository.parents[1],
        repository.parent / "models--me--other" / "blobs",
    ):
        place.mkdir(parents=True, exist_ok=True)
        (place / "secret.md").write_text("secret")
        link("README.md", place / "secret.md")(folder)
        with pytest.raises(VerifyError, match="README.md is a link that leads out of the folder"):
            verify_folder(folder)
        with pytest.raises(VerifyError, match="README.md is not what the Hub announced"):
            verify(published)
        assert (place / "secret.md").read_text() == "secret", "only the cache's own is deleted"
    link("README.md", blob)(folder)
    assert verify(published).release == "installed"


def test_snapshots_that_are_no_cache(copy, tmp_path):
    """A folder of that name alone opens no door to what lies beside it."""
    (tmp_path / "secret.md").write_text("secret")
    (tmp_path / "snapshots").mkdir()
    folder = shutil.move(copy, tmp_path / "snapshots" / "copy")
    link("README.md", tmp_path / "secret.md")(folder)
    with pytest.raises(VerifyError, match="README.md is a link that leads out of the folder"):
        verify_folder(folder)


def test_deep_nesting_is_no_crash(copy):
    (copy / "generation_config.json").write_text('{"a": ' + "[" * 10**5 + "]" * 10**5 + "}")
    with pytest.raises(VerifyError, match="generation_config.json is refused: it is nested too deeply"):
        verify_folder(copy)


def test_places_that_are_none(hub, tmp_path):
    for place, message in {
        "me/nothing": "me/nothing cannot be read: there is no such repository, or it is private",
        "nowhere": "There is no folder 'nowhere'",
        "./me/adder": "There is no folder",
    }.items():
        with pytest.raises(HubError, match=message):
            verify(place)
    hub.put("me/adder", {"README.md": b""})
    with pytest.raises(HubError, match="me/adder@v9 cannot be read: the repository has no such revision"):
        verify("me/adder@v9")
    with pytest.raises(FileNotFoundError, match="holds no model"):
        model_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        verify_folder(tmp_path / "none")


def test_the_loader_runs_no_foreign_code(assembled):
    with pytest.raises(ValueError, match="leave out trust_remote_code"):
        load(assembled, trust_remote_code=True)
    with pytest.raises(ValueError, match="which has no revision 'main'"):
        load(assembled, "main")
    model, _ = load(assembled, dtype=torch.bfloat16)
    assert type(model).__module__ == "hf_lengthgen.model.modeling_lengthgen" and model.dtype == torch.bfloat16
