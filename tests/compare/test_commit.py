import subprocess

import pytest

from hf_lengthgen.compare.commit import source_commit


def git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return package


def test_the_commit_and_whether_the_package_differs_from_it(checkout):
    head = git(checkout, "rev-parse", "HEAD")
    assert source_commit(checkout) == head
    (checkout.parent / "notes.txt").write_text("outside of the package")
    assert source_commit(checkout) == head
    (checkout / "new.py").write_text("")
    assert source_commit(checkout) == head + "+changes"


def test_none_where_the_package_is_not_part_of_the_checkout(checkout, tmp_path, monkeypatch):
    installed = checkout.parent / "site-packages" / "pkg"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert source_commit(installed) is None
    monkeypatch.setenv("PATH", "")
    assert source_commit(checkout) is None
