"""Pushing for real, to a Hub in this process: what arrives, what faults do, and what is said then."""

import json
import os
import shutil
import subprocess
import sys

import datasets
import numpy as np
import pytest
from huggingface_hub import HfApi, constants, get_session

from hf_lengthgen.data.load_dataset import load_dataset
from hf_lengthgen.data.publish import export
from hf_lengthgen.evaluation.lengths import evaluate_lengths
from hf_lengthgen.evaluation.result import Result
from hf_lengthgen.hub import clean_process, publish
from hf_lengthgen.hub.check import CheckError
from hf_lengthgen.hub.errors import HubError
from hf_lengthgen.hub.loading import load
from hf_lengthgen.hub.publish import push, push_dataset, upload
from hf_lengthgen.tasks import get_task

from .loopback import READER, WRITER

WEIGHTS = "PUT /lfs/"


def on_disk(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def on_hub(hub, repo_id="me/adder", **where):
    return {path: data for path, data in hub.files(repo_id, **where).items() if path != ".gitattributes"}


def test_push_load_generate_gives_the_same_exact_match(hub, model, tmp_path, capsys):
    """The whole way, once: pushed, loaded from an empty cache by a stranger and by us, same exact match as recorded."""
    result = Result.load(model / "result.json")
    pushed = push(model, "me/adder", private=True)
    score = result.at(24)
    assert (pushed.checked.n, pushed.checked.correct, pushed.checked.examples) == ([24], score.correct, 64)
    repo = hub.repos["model", "me/adder"]
    assert repo.private and len(repo.history) == 2, "the commit that makes a repository, and ours"
    assert pushed.commit == repo.branches["main"] and pushed.url == f"{hub.url}/me/adder"

    task = get_task("addition")
    loaded, tokenizer = load("me/adder", pushed.commit)
    (again,) = evaluate_lengths(loaded, tokenizer, task, [24], 64)
    assert again.correct == score.correct

    # A stranger: another process, an empty cache, and hf_lengthgen cannot be imported there.
    samples = task.sample((24,), 8, np.random.default_rng(5))
    job = {"folder": "me/adder", "prompts": samples.prompt_strings(), "answers": samples.answer_strings()}
    done = subprocess.run(
        [sys.executable, "-P", clean_process.__file__],
        input=json.dumps(job | {"hints": None, "batch_size": 8}), capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "stranger"), "HF_HUB_OFFLINE": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["right"] == [True] * 8 and told["classes"][0].startswith("transformers_modules.me.adder.")

    # And the card's own code, as printed.
    card = hub.files("me/adder")["README.md"].decode()
    code = card.split("```python\n")[1].split("```")[0]
    exec(code, {})
    assert capsys.readouterr().out == code.split("  # ")[1]


def test_a_data_set_pushed_and_read(hub, tmp_path):
    folder = export(tmp_path / "out", "copy", rows=200, n_max=6, seed=3)
    pushed = push_dataset(folder, "me/copies", private=True)
    repo = hub.repos["dataset", "me/copies"]
    assert repo.private and len(repo.history) == 2 and pushed.commit == repo.branches["main"]
    assert on_hub(hub, "me/copies", repo_type="dataset") == on_disk(folder)
    read = datasets.load_dataset("me/copies", cache_dir=str(tmp_path / "fresh"))
    streamed = datasets.load_dataset("me/copies", streaming=True)
    for split, rows in {"train": 160, "validation": 20, "test": 20}.items():
        made = load_dataset("copy", split=split, rows=rows, n_max=6, seed=3)
        assert read[split].to_list() == made.to_list() == list(streamed[split])


def test_a_second_push_replaces_and_a_third_does_nothing(hub, assembled):
    old = {"README.md": b"old", "old_code.py": b"old", "notes/mine.txt": b"mine", "w.safetensors": b"x"}
    hub.put("me/adder", old | {".eval_results/lengthgen.yaml": b"old"})
    pushed = upload(assembled, "me/adder")
    assert on_hub(hub) == on_disk(assembled) | {"notes/mine.txt": b"mine"}
    commits = len(hub.repos["model", "me/adder"].history)
    assert upload(assembled, "me/adder") == pushed
    assert len(hub.repos["model", "me/adder"].history) == commits == 2


def test_every_commit_says_what_it_is(hub, model, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(publish, "_commit", lambda api, repo_id, kind, branch, local, message: said.append(message))
    monkeypatch.setattr(publish, "_different", lambda *_: [])
    push(model, "me/adder", checks=False)
    push(model, "me/adder", checks=False, message="Longer")
    folder = export(tmp_path / "out", "copy", rows=20, n_max=4)
    push_dataset(folder, "me/copies")
    push_dataset(folder, "me/copies", message="More rows")
    assert said == ["Model and results", "Longer", "Data set", "More rows"]


def test_the_wait_for_an_answer_is_bounded_during_a_push_alone(hub, few, monkeypatch):
    session = get_session()
    before, during = session.timeout, []
    real = publish._commit
    monkeypatch.setattr(publish, "_commit", lambda *given: during.append(get_session().timeout) or real(*given))
    upload(few, "me/adder")
    assert get_session() is session and session.timeout == before
    monkeypatch.setenv("HF_HUB_UPLOAD_TIMEOUT", "7")
    hub.inject(r"POST .*/commit/", "status", value=402)
    with pytest.raises(HubError):
        upload(few, "me/other")
    assert session.timeout == before
    assert [timeout.read for timeout in during] == [publish.SILENCE, 7]


def test_another_branch(hub, assembled):
    upload(assembled, "me/adder", revision="v1")
    assert on_hub(hub, revision="v1") == on_disk(assembled) and on_hub(hub) == {}


def test_to_folder_sends_nothing(hub, model, tmp_path):
    folder = push(model, "me/adder", to_folder=tmp_path / "dry", checks=False)
    assert folder == tmp_path / "dry" and (folder / "README.md").is_file() and hub.requests == []


@pytest.fixture(scope="module")
def few(assembled, tmp_path_factory):
    """Four files of the folder: faults do not care how many there are."""
    folder = tmp_path_factory.mktemp("few")
    for name in ("README.md", "config.json", "relation.py", "model.safetensors"):
        shutil.copyfile(assembled / name, folder / name)
    return folder


# ---- faults: each is a retry that succeeds, or one clear error and an unchanged repository

RETRIED = {
    "create 500": [(r"POST /api/repos/create", "status", {})],
    "create hangs up": [(r"POST /api/repos/create", "drop", {})],
    "preupload 503": [(r"POST .*/preupload/", "status", {"value": 503})],
    "too many requests": [(r"POST .*/preupload/", "status", {"value": 429})],
    "LFS upload 500": [(WEIGHTS, "status", {})],
    "LFS upload hangs up": [(WEIGHTS, "drop", {})],
    "LFS file truncated": [(WEIGHTS, "truncate", {})],
    "LFS file with wrong hash": [(WEIGHTS, "corrupt", {})],
    "slow upload": [(WEIGHTS, "slow", {"value": 0.3})],
    "commit 500": [(r"POST .*/commit/", "status", {})],
    "commit hangs up": [(r"POST .*/commit/", "drop", {})],
    "answer to the commit lost": [(r"POST .*/commit/", "lost", {})],
    "somebody else committed": [(r"POST .*/commit/", "status", {"value": 412})],
    "commit never answers": [(r"POST .*/commit/", "stall", {})],
    "reading back 502": [(r"GET .*/tree/", "status", {"value": 502})],
}


@pytest.mark.parametrize("fault", RETRIED)
def test_a_passing_fault_is_retried(fault, hub, few, no_pauses, monkeypatch):
    monkeypatch.setattr(publish, "SILENCE", 1.5)
    for pattern, kind, options in RETRIED[fault]:
        hub.inject(pattern, kind, **options)
    pushed = upload(few, "me/adder")
    assert [one.times for one in hub.faults] == [0], "the fault never happened"
    assert on_hub(hub) == on_disk(few)
    repo = hub.repos["model", "me/adder"]
    assert pushed.commit == repo.branches["main"] and len(repo.history) == 2, "one commit"


LASTING = {
    "create": (r"POST /api/repos/create", "status", 500, "Nothing was published to me/adder: .*500"),
    "upload": (WEIGHTS, "status", 500, "Nothing was published to me/adder: .*500"),
    "upload hangs up": (WEIGHTS, "drop", 0, "Nothing was published to me/adder: the Hub cannot be reached"),
    "wrong hash": (WEIGHTS, "corrupt", 0, "Nothing was published to me/adder: .*422"),
    "quota": (r"POST .*/commit/", "status", 402, "Nothing was published to me/adder: .*402"),
    "commit": (r"POST .*/commit/", "status", 503, "Nothing was published to me/adder: .*503"),
    "never answers": (r"POST .*/commit/", "stall", 0, "Nothing was published to me/adder: .*Timeout"),
}


@pytest.mark.parametrize("fault", LASTING)
def test_a_lasting_fault_is_one_clear_error_and_the_next_push_goes_on(fault, hub, few, no_pauses, monkeypatch):
    monkeypatch.setattr(publish, "SILENCE", 0.5)
    pattern, kind, value, message = LASTING[fault]
    hub.inject(pattern, kind, times=10**6, value=value)
    with pytest.raises(HubError, match=message) as error:
        upload(few, "me/adder")
    assert "\n" not in str(error.value)
    repo = hub.repos.get(("model", "me/adder"))
    assert repo is None or len(repo.history) == 1, "nothing, not half of it"
    hub.faults.clear()
    sent = set(hub.objects)
    hub.requests.clear()
    upload(few, "me/adder")
    assert on_hub(hub) == on_disk(few)
    assert not [line for line in hub.requests if line.startswith("PUT") and line.split("/")[-1] in sent], "sent twice"


def test_a_damaged_repository_is_not_reported_as_done(hub, few):
    """The Hub stores half of the weights and says that all is well."""
    hub.inject(WEIGHTS, "truncate")
    hub.inject(r"POST /lfs/.*/verify", "status", value=200)
    with pytest.raises(HubError, match="does not hold what was sent: model.safetensors .*damaged"):
        upload(few, "me/adder")


def test_what_cannot_be_read_back_is_not_reported_as_done(hub, few, no_pauses):
    hub.inject(r"GET .*/tree/", "status", times=10**6, skip=1)
    with pytest.raises(HubError, match="me/adder was written, but cannot be read back, so nothing is known.*500"):
        upload(few, "me/adder")


# ---- rights


def test_without_a_token(hub, few, model, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    for call in (lambda: upload(few, "me/adder"), lambda: push(model, "me/adder")):
        with pytest.raises(HubError, match="Nothing was published.*not logged in.*hf auth login"):
            call()
    assert hub.requests == []


@pytest.mark.parametrize(
    ("token", "repo_id", "message"),
    [
        (READER, "me/adder", "Nothing was published to me/adder: your token has no right"),
        ("hf_wrong", "me/adder", "the Hub does not accept your token.*hf auth login"),
        (WRITER, "others/adder", "Nothing was published to others/adder: your token has no right"),
    ],
)
def test_without_rights(token, repo_id, message, hub, few):
    with pytest.raises(HubError, match=message) as error:
        upload(few, repo_id, token=token)
    assert "\n" not in str(error.value) and hub.repos == {}


def test_a_card_the_hub_would_refuse(hub, few, tmp_path):
    folder = shutil.copytree(few, tmp_path / "copy")
    text = (folder / "README.md").read_text()
    (folder / "README.md").write_text(text.replace("license: apache-2.0", "license: 2"))
    with pytest.raises(HubError, match='Nothing was published to me/adder: .*"license" must be a string'):
        upload(folder, "me/adder")
    assert on_hub(hub) == {}


def test_without_network(hub, few, no_pauses, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match="Nothing was published to me/adder: the Hub cannot be reached .*ConnectError"):
        upload(few, "me/adder")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE is set"):
        upload(few, "me/adder")


@pytest.mark.parametrize("private", [True, False])
def test_a_repository_with_the_other_visibility_is_left_alone(private, hub, few):
    HfApi().create_repo("me/adder", private=not private)
    with pytest.raises(HubError, match="Nothing was published: me/adder was to be"):
        upload(few, "me/adder", private=private)
    assert on_hub(hub) == {}


def test_names_the_hub_would_refuse(hub, few, model):
    for call in (lambda: upload(few, "no name"), lambda: push(model, "no name")):
        with pytest.raises(ValueError, match="no name"):
            call()


def test_a_name_without_an_owner(hub, model, tmp_path):
    """The Hub would take it for one of whoever is logged in; the card could not name it."""
    for call in (
        lambda: push(model, "adder", to_folder=tmp_path / "dry"),
        lambda: push(model, "adder"),
        lambda: push_dataset(tmp_path, "copies"),
    ):
        with pytest.raises(ValueError, match="named OWNER/NAME, got '(adder|copies)'"):
            call()
    assert hub.requests == [] and not (tmp_path / "dry").exists()


def test_no_data_set(hub, tmp_path):
    with pytest.raises(ValueError, match="is no exported data set"):
        push_dataset(tmp_path, "me/copies")


def test_somebody_elses_model_is_not_overwritten(hub, assembled):
    """A name that is spelled wrong, say: nothing there was written by this package."""
    theirs = {"README.md": b"x", "config.json": b"{}", "model-00001-of-00002.safetensors": b"x"}
    hub.put("me/big", theirs)
    with pytest.raises(HubError, match="me/big holds something that was not published by this package .config.json."):
        upload(assembled, "me/big")
    assert on_hub(hub, "me/big") == theirs
    hub.put("me/begun", {".gitattributes": b"", "README.md": b"to come", "LICENSE": b""})
    upload(assembled, "me/begun")


@pytest.mark.parametrize("name", [".env", "runs/private.txt", "data/train.parquet.bak"])
def test_a_data_set_goes_alone(name, hub, tmp_path):
    """Any folder with a README and data/*.parquet looks like one: the root of a project, say."""
    folder = export(tmp_path / "out", "copy", rows=20, n_max=6)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("secret")
    with pytest.raises(ValueError, match="is no exported data set: .* is none of its files"):
        push_dataset(folder, "me/copies")
    assert hub.requests == []


def test_a_link_in_a_data_set_is_not_followed(hub, tmp_path):
    folder = export(tmp_path / "out", "copy", rows={"train": 20}, n_max=6)
    (tmp_path / "secret").write_text("mine")
    (folder / "data" / "test-00000-of-00001.parquet").symlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match="test-00000-of-00001.parquet is none of its files"):
        push_dataset(folder, "me/copies")
    assert hub.requests == []


def test_what_does_not_pass_the_check_does_not_replace_an_earlier_folder(hub, model, tmp_path, monkeypatch):
    push(model, "me/adder", to_folder=tmp_path / "dry", checks=False)
    before = on_disk(tmp_path / "dry")

    def refuse(folder):
        raise CheckError("no")

    monkeypatch.setattr("hf_lengthgen.hub.publish.check", refuse)
    with pytest.raises(CheckError):
        push(model, "me/other", to_folder=tmp_path / "dry")
    assert on_disk(tmp_path / "dry") == before
