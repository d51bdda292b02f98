"""Digests of the code that travels with a model, of this package and of its releases.

python -m hf_lengthgen.hub.digests            prints the digests of the installed package
python -m hf_lengthgen.hub.digests --write    records them in releases.json under the package's version (when tagging)
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from importlib.resources import files
from pathlib import Path

from .. import __version__

RELEASES = Path(__file__).with_name("releases.json")


def code_folder() -> Path:
    """Where the modules that travel lie: all of hf_lengthgen/model but its `__init__.py`, which is empty of code."""
    return Path(str(files("hf_lengthgen") / "model"))


def code_names() -> list[str]:
    """The names of the modules that travel, sorted; `save_pretrained` copies the same ones, byte for byte."""
    return sorted(path.name for path in code_folder().glob("*.py") if path.name != "__init__.py")


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def installed() -> dict[str, str]:
    """File name -> SHA-256 of the code of the installed package."""
    return {name: digest(code_folder() / name) for name in code_names()}


def releases() -> dict[str, dict[str, str]]:
    """Version -> (file name -> SHA-256): the tagged releases, and the installed package as "installed"."""
    return json.loads(RELEASES.read_text(encoding="utf-8")) | {"installed": installed()}


def write(path: Path = RELEASES) -> None:
    """Record the installed package under its version.

    Raises:
        ValueError: the version is recorded with other digests: a release never changes.
    """
    from ..files import write_text

    known = json.loads(path.read_text(encoding="utf-8"))
    now = installed()
    if known.get(__version__, now) != now:
        raise ValueError(
            f"release {__version__} is recorded with other code; a release never changes: bump the version."
        )
    known[__version__] = now
    write_text(path, json.dumps(known, indent=1) + "\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="record them in releases.json")
    if parser.parse_args(arguments).write:
        try:
            write()
        except ValueError as problem:
            print(f"error: {problem}", file=sys.stderr)
            return 2
    else:
        print(json.dumps({__version__: installed()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
