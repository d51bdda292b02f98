"""The loopback Hub behaves as the Hub does where our tests rely on it."""

from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from .loopback import READER


def additions(**files):
    return [CommitOperationAdd(name.replace("_", "."), content) for name, content in files.items()]


def test_commit_and_download(hub, tmp_path):
    api = HfApi()
    assert api.whoami()["name"] == "me"
    url = api.create_repo("me/thing", private=True)
    assert url.repo_id == "me/thing"
    weights = bytes(range(256)) * 10
    first = api.create_commit("me/thing", additions(a_txt=b"one", w_safetensors=weights), commit_message="1")
    second = api.create_commit("me/thing", additions(a_txt=b"two"), commit_message="2")
    assert first.oid != second.oid == api.model_info("me/thing").sha
    for revision, text in ((first.oid, "one"), (None, "two"), ("main", "two")):
        path = hf_hub_download("me/thing", "a.txt", revision=revision, cache_dir=tmp_path)
        assert Path(path).read_text() == text
    folder = snapshot_download("me/thing", cache_dir=tmp_path / "fresh")
    assert Path(folder, "w.safetensors").read_bytes() == weights
    sizes = {entry.path: entry.size for entry in api.list_repo_tree("me/thing", recursive=True)}
    assert sizes["w.safetensors"] == 2560 and sizes["a.txt"] == 3
    # A file that is there already is not sent again.
    sent = sum("PUT" in line for line in hub.requests)
    third = api.create_commit("me/thing", additions(w_safetensors=weights, a_txt=b"two"), commit_message="3")
    assert third.oid == second.oid and sum("PUT" in line for line in hub.requests) == sent


def test_errors_are_those_of_the_hub(hub, tmp_path):
    api = HfApi()
    api.create_repo("me/thing", private=True)
    with pytest.raises(EntryNotFoundError):
        hf_hub_download("me/thing", "nothing", cache_dir=tmp_path)
    with pytest.raises(RevisionNotFoundError):
        api.model_info("me/thing", revision="nowhere")
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("me/other")
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("me/thing", token=False)
    with pytest.raises(HfHubHTTPError, match="403"):
        api.create_commit("me/thing", additions(a_txt=b"one"), commit_message="1", token=READER)
    with pytest.raises(HfHubHTTPError, match="403"):
        api.create_repo("others/thing")
