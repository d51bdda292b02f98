"""Which version of the source code is running."""

from __future__ import annotations

import subprocess
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def source_commit(package: Path = PACKAGE) -> str | None:
    """The git commit of the checkout that holds the package, with "+changes" if its files differ from the commit.

    None outside a checkout, or without git. A package installed into somebody else's repository is outside.
    """
    try:
        if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
            return None
        commit, changes = _git(package, "rev-parse", "HEAD"), _git(package, "status", "--porcelain", "--", ".")
    except OSError:
        return None
    if commit is None or changes is None:
        return None
    return commit + ("+changes" if changes else "")


def _git(folder: Path, *words: str) -> str | None:
    """What a git command prints; None if it fails."""
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
