"""Writing so that a file or folder is either the old one or the new one, whatever happens in between."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TEMPORARY = ".tmp-"  # such names are remains of a killed process, or of one at work


def write_json(path: Path, value: Any) -> None:
    """Writes JSON; see `write_text`."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text to a temporary name and renames it."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}-{os.getpid()}")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yields an empty folder to fill; on a normal exit its files are synced to disk and it becomes `path`.

    An older `path` is replaced. On an exception nothing changes and the temporary folder is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{path.name}-{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        yield temporary
        for file in temporary.rglob("*"):
            _sync(file)
        _sync(temporary)
        remove_folder(path)
        os.rename(temporary, path)
        _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Removes a folder, if there. It is renamed first: half of it is never seen under its own name."""
    if path.exists():
        trash = path.with_name(f"{TEMPORARY}trash-{path.name}-{os.getpid()}")
        shutil.rmtree(trash, ignore_errors=True)
        os.rename(path, trash)
        shutil.rmtree(trash, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Removes what killed processes left behind in `folder`."""
    for path in folder.glob(f"{TEMPORARY}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def fingerprint(path: Path) -> str:
    """A digest of a file's contents (128 bits, hexadecimal)."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def model_folder(folder: Path) -> Path:
    """`folder`, or `folder`/model for the output_dir of a run. FileNotFoundError without a config.json."""
    for candidate in (folder, folder / "model"):
        if (candidate / "config.json").is_file():
            return candidate
    raise FileNotFoundError(f"{folder} holds no model: there is no config.json in it, nor in {folder / 'model'}.")


def check_writable(folder: Path, error: Callable[[str], Exception], name: str = "output_dir") -> None:
    """Makes `folder` if needed and writes a file in it; raises error(one sentence about the folder `name`) if that
    fails."""
    problem = _unwritable(folder)
    if problem:
        raise error(f"{name} {str(folder)!r} cannot be written: {problem}.")


def check_file(option: str, name: str | None) -> None:
    """ValueError unless a file of this name can be written: found out before the work whose result goes there. Its
    folder is made; None is nothing to check.
    """
    if name is None:
        return
    if Path(name).is_dir():
        raise ValueError(f"{option} {name!r} is a folder; give the name of a file.")
    problem = _unwritable(Path(name).parent)
    if problem:
        raise ValueError(f"{option} {name!r} cannot be written: {problem}.")


def _unwritable(folder: Path) -> str | None:
    """Why no file can be written in a folder, which is made if needed; None where one can."""
    probe = folder / f"{TEMPORARY}probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as problem:
        return problem.strerror or str(problem)
    return None


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
