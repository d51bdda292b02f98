"""The loopback Hub behaves as the Hub does where our tests rely on it."""

from pathlib import Path

import datasets
import pytest
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from hf_lengthgen.data.load_dataset import load_dataset
from hf_lengthgen.data.publish import push_to_hub

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


def test_a_data_set_by_datasets_itself(hub, tmp_path):
    """`data.publish.push_to_hub`, which leaves the pushing to `datasets`, and reading it, streamed too."""
    address = push_to_hub("me/copies", "copy", rows=100, n_max=5, private=True)
    assert address == f"{hub.url}/datasets/me/copies"
    made = {s: load_dataset("copy", split=s, rows=n, n_max=5) for s, n in {"train": 80, "test": 10}.items()}
    read = datasets.load_dataset("me/copies", cache_dir=str(tmp_path))
    streamed = datasets.load_dataset("me/copies", streaming=True)
    for split, rows in made.items():
        assert read[split].to_list() == rows.to_list() == list(streamed[split])
    card = hub.files("me/copies", "dataset")["README.md"].decode()
    assert "## Splits" in card and "dataset_info:" in card
