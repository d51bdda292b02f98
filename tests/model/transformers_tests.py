"""transformers' own model tests, taken at test time from its source archive on PyPI; nothing of it is kept."""

import importlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import transformers

PACKAGE = "transformers_own_tests"
# The archive leaves out two test modules that its test_modeling_common imports; an empty mix-in stands in.
STAND_INS = {"exporters/test_export.py": "ExportTesterMixin", "generation/test_utils.py": "GenerationTesterMixin"}


def model_tester_mixin():
    """`ModelTesterMixin` of the installed version of transformers.

    Raises:
        RuntimeError: the archive cannot be downloaded.
    """
    if PACKAGE not in sys.modules:
        folder = Path(tempfile.mkdtemp(prefix="conformance_"))
        sys.path.insert(0, str(folder))
        _unpack(_download(folder), folder / PACKAGE)
    return importlib.import_module(f"{PACKAGE}.test_modeling_common").ModelTesterMixin


def _download(folder: Path) -> Path:
    wanted = f"transformers=={transformers.__version__}"
    options = ["-q", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "-d", str(folder)]
    done = subprocess.run([sys.executable, "-m", "pip", "download", *options, wanted], capture_output=True, text=True)
    found = list(folder.glob("transformers-*.tar.gz"))
    if not found:
        raise RuntimeError(f"the source archive of {wanted} cannot be downloaded: {done.stderr.strip()[-300:]}")
    return found[0]


def _unpack(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as tar:
        members = [m for m in tar.getmembers() if m.isfile() and m.name.split("/")[1:2] == ["tests"]]
        for member in members:
            path = target.joinpath(*Path(member.name).parts[2:])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tar.extractfile(member).read())
    for name, mixin in STAND_INS.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(f"class {mixin}:\n    pass\n")
    for folder in {target, *(p.parent for p in target.rglob("*.py"))}:
        (folder / "__init__.py").touch()
