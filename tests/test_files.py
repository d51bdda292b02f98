import errno
import json
import os
from pathlib import Path

import pytest

from hf_lengthgen import files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_json_round_trip_leaves_one_file(tmp_path):
    files.write_json(tmp_path / "a.json", {"x": [1, None, "é"]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1, None, "é"]}
    assert names(tmp_path) == ["a.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    files.write_text(tmp_path / "a", "old")

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_new_folder_appears_whole(tmp_path):
    with files.new_folder(tmp_path / "deep" / "f") as new:
        (new / "inner").mkdir()
        (new / "inner" / "x").write_text("1")
        assert not (tmp_path / "deep" / "f").exists()
    assert (tmp_path / "deep" / "f" / "inner" / "x").read_text() == "1"
    assert names(tmp_path / "deep") == ["f"]


def test_new_folder_replaces_an_old_one(tmp_path):
    for text in ("old", "new"):
        with files.new_folder(tmp_path / "f") as new:
            (new / text).write_text(text)
    assert names(tmp_path / "f") == ["new"]
    assert names(tmp_path) == ["f"]


def test_a_failure_inside_changes_nothing(tmp_path):
    with files.new_folder(tmp_path / "f") as new:
        (new / "x").write_text("old")
    with pytest.raises(RuntimeError), files.new_folder(tmp_path / "f") as new:
        (new / "x").write_text("new")
        raise RuntimeError
    assert (tmp_path / "f" / "x").read_text() == "old"
    assert names(tmp_path) == ["f"]


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    (tmp_path / ".tmp-step-1-99").mkdir()
    (tmp_path / ".tmp-step-1-99" / "x").write_text("1")
    (tmp_path / ".tmp-a.json-99").write_text("1")
    (tmp_path / "kept").write_text("1")
    files.remove_leftovers(tmp_path)
    assert names(tmp_path) == ["kept"]


def test_fingerprint_is_blake2b_of_the_contents(tmp_path):
    import hashlib

    data = bytes(range(256)) * 1000
    (tmp_path / "x").write_bytes(data)
    assert files.fingerprint(tmp_path / "x") == hashlib.blake2b(data, digest_size=16).hexdigest()


def test_check_writable_makes_the_folder_and_leaves_nothing(tmp_path):
    files.check_writable(tmp_path / "a" / "b", ValueError)
    assert names(tmp_path / "a" / "b") == []


def test_a_folder_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"output_dir '.*file/x' cannot be written: Not a directory\.$"):
        files.check_writable(tmp_path / "file" / "x", ValueError)


def test_a_read_only_folder(tmp_path, monkeypatch):
    """Simulated: permissions do not bind every user that runs tests."""

    def refuse(self, data):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(ValueError, match="cannot be written: Read-only file system"):
        files.check_writable(tmp_path, ValueError)


@pytest.mark.parametrize(("name", "reason"), [(".", "is a folder"), ("/dev/null/x.json", "cannot be written")])
def test_a_file_that_cannot_be_written_is_found_out_before(name, reason):
    with pytest.raises(ValueError, match=f"--output '{name}' {reason}"):
        files.check_file("--output", name)


def test_checking_a_file_makes_its_folder_and_nothing_else(tmp_path):
    files.check_file("--output", None)
    files.check_file("--output", str(tmp_path / "new" / "x.json"))
    assert list((tmp_path / "new").iterdir()) == []
