"""Publishing: a folder, checked, becomes one commit on the Hub, or nothing is said to be done."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from .assemble import EVAL_RESULTS, assemble, check_repo_id
from .check import Checked, check
from .errors import LOGIN, HubError, TransientHubError, hub_errors
from .verification import remote_files

PARQUET = re.compile(r"data/[a-z]+-\d{5}-of-\d{5}\.parquet")  # of an exported data set
BESIDE = re.compile(r"\.gitattributes|README\.md|LICENSE(\.\w+)?")  # what a repository of no model yet may hold
TRIES = 3
PAUSE = 2.0  # seconds before the second try, then twice as long
SILENCE = 60.0  # seconds without a byte from the Hub after which a request counts as failed
# What an earlier push may have left in the repository, and what would be read with the new files if it stayed.
STALE = {
    "model": ("*.py", "*.safetensors", "*.json", ".eval_results/lengthgen.yaml"),
    "dataset": ("data/*.parquet", "*.json"),
    "space": (),
}


@dataclass(frozen=True)
class Pushed:
    """What is on the Hub now.

    Attributes:
        url: address of the repository.
        commit: 40 hexadecimal digits, for `revision=`.
        files: how many files the commit's tree was compared with.
        checked: what was reproduced before; None for data sets and where the check was left out.
    """

    url: str
    commit: str
    files: int
    checked: Checked | None = None


def push(
    source: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    token: str | None = None,
    to_folder: str | Path | None = None,
    license: str = "apache-2.0",
    dataset_id: str | None = None,
    comparison: Iterable[Any] = (),
    message: str | None = None,
    checks: bool = True,
) -> Pushed | Path:
    """Publish a trained model: everything in one folder (see `assemble`), checked in a clean process (see `check`),
    then one commit.

    Args:
        source: output_dir of a run, or its model/.
        repo_id: "user/name"; made if it is not there.
        private: True or False: a new repository's visibility, and what an old one's must be; None: no matter (a new
            one is as the account's settings say).
        revision: branch, made if it is not there; None: main.
        token: None: the one that is logged in.
        to_folder: only write the folder, and ask nothing of the Hub.
        license, dataset_id, comparison: see `assemble`.
        message: of the commit.
        checks: False leaves the clean process out.

    Returns:
        What is on the Hub; with `to_folder`, that folder.

    Raises:
        ValueError: a source that cannot be published (`CheckError`, `VerifyError`), or a name the Hub would refuse.
        HubError: no token, no right, no network, or a Hub that ended up with other files than these.
    """
    check_repo_id(repo_id)
    if to_folder is None:
        check_token(token)  # before minutes of checking
    with tempfile.TemporaryDirectory() as place:
        options: dict[str, Any] = {"license": license, "dataset_id": dataset_id, "comparison": list(comparison)}
        folder = assemble(source, Path(place) / "model", repo_id, **options)
        checked = check(folder) if checks else None
        if to_folder is not None:  # only what has passed takes the place of an earlier one
            return assemble(source, to_folder, repo_id, **options)
        pushed = upload(
            folder, repo_id, private=private, revision=revision, token=token, message=message or "Model and results"
        )
    return Pushed(pushed.url, pushed.commit, pushed.files, checked)


def push_dataset(
    source: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    token: str | None = None,
    message: str | None = None,
) -> Pushed:
    """Publish a folder that `data.publish.export` wrote: Parquet files and card, in one commit.

    Raises: as `push`.
    """
    check_repo_id(repo_id)
    folder = Path(source)
    if not (folder / "README.md").is_file() or not any(folder.glob("data/*.parquet")):
        raise ValueError(f"{folder} is no exported data set: it lacks README.md or data/*.parquet.")
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (name in ("README.md", "data") or PARQUET.fullmatch(name)):
            raise ValueError(f"{folder} is no exported data set: {name} is none of its files, and would go public.")
    options = {"private": private, "revision": revision, "token": token}
    return upload(folder, repo_id, repo_type="dataset", message=message or "Data set", **options)


def check_token(token: str | None = None) -> None:
    """HubError unless there is a token."""
    from huggingface_hub import get_token

    if not (token or get_token()):
        raise HubError(f"Nothing was published: you are not logged in. {LOGIN}")


def upload(
    folder: str | Path,
    repo_id: str,
    *,
    repo_type: str = "model",
    private: bool | None = None,
    revision: str | None = None,
    token: str | None = None,
    message: str = "Upload",
) -> Pushed:
    """Make the repository if needed, commit all files of the folder at once, and compare what the Hub then has.

    Transient faults are retried; content that is on the Hub already is not sent again, also by a later call. Files of
    an earlier push that this one lacks are deleted in the same commit.

    Raises: as `push`.
    """
    from huggingface_hub import HfApi

    check_token(token)
    api, folder, branch = HfApi(token=token), Path(folder), revision or "main"
    local = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    failed = f"Nothing was published to {repo_id}"
    unread = f"{repo_id} was written, but cannot be read back, so nothing is known about it"
    with _patience():
        url = _retry(lambda: _prepare(api, repo_id, repo_type, private, branch), failed)
        commit = _retry(lambda: _commit(api, repo_id, repo_type, branch, local, message), failed)
        different = _retry(lambda: _different(api, repo_id, repo_type, commit, local), unread)
    if different:
        raise HubError(
            f"{repo_id} does not hold what was sent: {', '.join(different[:5])} of commit {commit} "
            f"{'is' if len(different) == 1 else 'are'} missing or damaged there. Push again."
        )
    return Pushed(url, commit, len(local))


def _prepare(api: Any, repo_id: str, repo_type: str, private: bool | None, branch: str) -> str:
    """The repository and its branch exist, and are as private as wanted; returns the address."""
    url = api.create_repo(repo_id, repo_type=repo_type, private=private, exist_ok=True)
    if private is not None:
        found = api.repo_info(repo_id, repo_type=repo_type).private
        if found != private:
            words = ("private", "public") if private else ("public", "private")
            raise HubError(f"Nothing was published: {repo_id} was to be {words[0]}, but is {words[1]} on the Hub.")
    if branch != "main":
        api.create_branch(repo_id, branch=branch, repo_type=repo_type, exist_ok=True)
    return str(url)


def _commit(api: Any, repo_id: str, repo_type: str, branch: str, local: dict[str, Path], message: str) -> str:
    """One commit, and its name. If an earlier try got through and only the answer was lost, there is nothing to do."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    head = api.repo_info(repo_id, repo_type=repo_type, revision=branch).sha
    there = remote_files(api, repo_id, repo_type, head)
    old = [path for path in there if path not in local and _stale(path, repo_type)]
    if not old and all(path in there and there[path].matches(file) for path, file in local.items()):
        return head
    foreign = sorted(path for path in there if not BESIDE.fullmatch(path))
    if repo_type == "model" and foreign and EVAL_RESULTS not in there:
        raise HubError(
            f"Nothing was published: {repo_id} holds something that was not published by this package ({foreign[0]}), "
            f"and would be overwritten. Choose another name."
        )
    operations: list[Any] = [CommitOperationDelete(path) for path in old]
    operations += [CommitOperationAdd(path, str(file)) for path, file in local.items()]
    # Not upload_folder: with hf_xet it makes several commits of many files.
    return api.create_commit(
        repo_id, operations, commit_message=message, repo_type=repo_type, revision=branch, parent_commit=head
    ).oid


def _stale(path: str, repo_type: str) -> bool:
    return any(fnmatch(path, one) and path.count("/") == one.count("/") for one in STALE[repo_type])


def _different(api: Any, repo_id: str, repo_type: str, commit: str, local: dict[str, Path]) -> list[str]:
    """Files that the commit lacks or has with other content."""
    there = remote_files(api, repo_id, repo_type, commit)
    return [path for path, file in local.items() if path not in there or not there[path].matches(file)]


def _retry(call: Any, doing: str) -> Any:
    for number in range(1, TRIES + 1):
        try:
            with hub_errors(doing):
                return call()
        except TransientHubError:
            if number == TRIES:
                raise
            time.sleep(PAUSE * 2 ** (number - 1))


@contextmanager
def _patience() -> Iterator[None]:
    """huggingface_hub waits for ever for an upload's answer; inside, it waits SILENCE seconds."""
    from huggingface_hub import get_session

    session = get_session()
    before, session.timeout = session.timeout, float(os.environ.get("HF_HUB_UPLOAD_TIMEOUT", SILENCE))
    try:
        yield
    finally:
        session.timeout = before
