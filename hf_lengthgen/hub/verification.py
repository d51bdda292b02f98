"""What a model's folder or repository holds, judged before any of it is imported.

Code is compared with the digests of this package and its releases; pickles, lying safetensors headers and every way to
name code elsewhere are refused. Weights themselves cannot be judged: verified means that loading runs no code but ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import model_folder
from . import verify_retrofit as retrofits
from .digests import digest, releases
from .errors import HubError, hub_errors
from .folder_files import (
    PICKLES,
    Verified,
    VerifyError,
    attention_problems,
    index_problems,
    inside,
    json_problems,
    list_files,
    name_problem,
    read_files,
    read_json,
    weights_name_problems,
)

AUTO_MAP = {
    "AutoConfig": "configuration_lengthgen.LengthGenConfig",
    "AutoModel": "modeling_lengthgen.LengthGenModel",
    "AutoModelForCausalLM": "modeling_lengthgen.LengthGenForCausalLM",
}
TOKENIZERS = ("TokenizersBackend", "PreTrainedTokenizerFast")


def verify(place: str, *, token: str | None = None) -> Verified:
    """Checks a folder, or a repository on the Hub: `OWNER/NAME` or `OWNER/NAME@REVISION`.

    Raises:
        VerifyError: it is refused.
        HubError: it cannot be had.
    """
    if Path(place).exists():
        return verify_folder(model_folder(Path(place)))
    repo_id, _, revision = str(place).partition("@")
    if repo_id.count("/") != 1 or repo_id.startswith((".", "/", "~")):
        raise HubError(f"There is no folder {place!r}; a model on the Hub is named OWNER/NAME or OWNER/NAME@REVISION.")
    return verify_repo(repo_id, revision or None, token=token)


def verify_repo(repo_id: str, revision: str | None = None, *, token: str | None = None) -> Verified:
    """Looks at the list of files, then downloads, compares what came with the Hub's digests, and checks the folder.

    Raises: what `verify` raises.
    """
    from huggingface_hub import HfApi, snapshot_download

    name = f"{repo_id}@{revision}" if revision else repo_id
    api = HfApi(token=token)
    with hub_errors(f"{name} cannot be read"):
        commit = api.model_info(repo_id, revision=revision).sha
        remote = remote_files(api, repo_id, "model", commit)
    # Which kind of model it is, its config.json will say: so far a name may be that of a file of either.
    problems = [problem for path in remote if (problem := name_problem(path)) and retrofits.name_problem(path)]
    if problems:
        raise VerifyError(name, problems)
    with hub_errors(f"{name} cannot be downloaded"):
        folder = Path(snapshot_download(repo_id, revision=commit, token=token))
    for path, expected in remote.items():
        found = folder / path
        if not found.is_file() or not expected.matches(found):
            _forget(found, folder)
            problems.append(f"{path} is not what the Hub announced: broken off, or exchanged on the way (now deleted)")
    if problems:
        raise VerifyError(name, problems)
    if retrofits.is_retrofit(folder):
        return retrofits.verify_retrofit(folder, commit)
    release, files = _check(folder, name, inside(folder))
    return Verified(folder, release, commit, files)


def _forget(path: Path, folder: Path) -> None:
    """Deletes a file of a snapshot in the cache, which would hand it out again; never one that lies elsewhere."""
    real = path.resolve()
    if any(real.is_relative_to(root) for root in inside(folder)):
        real.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def verify_folder(folder: Path) -> Verified:
    """Checks a folder that is here. VerifyError with every problem found."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {str(folder)!r}.")
    if retrofits.is_retrofit(folder):
        return retrofits.verify_retrofit(folder)
    release, files = _check(folder, str(folder), inside(folder))
    return Verified(folder, release, None, files)


def check_loadable(folder: Path) -> None:
    """VerifyError if a folder that is here holds pickles, or names weights that are no safetensors or code for its
    tokenizer. Less than `verify_folder`, for what this package's classes load: other files and old code may lie there,
    for none of it is read. Files that are missing are left to the loader."""
    paths = sorted(path for path in Path(folder).iterdir() if path.is_file())
    names = [path.name for path in paths]
    problems = [problem for name in names if Path(name).suffix.lower() in PICKLES and (problem := name_problem(name))]
    checks = {"config.json": weights_name_problems, "tokenizer_config.json": json_problems}
    checks["model.safetensors.index.json"] = index_problems
    for name in sorted(checks.keys() & set(names)):
        try:
            problems += [f"{name} {problem}" for problem in checks[name](read_json(Path(folder) / name), names)]
        except ValueError as problem:  # such as a key twice, of which the loader might read the other one
            problems.append(f"{name} {problem}")
    if problems:
        raise VerifyError(str(folder), problems)


# ---- files on the Hub


@dataclass(frozen=True)
class RemoteFile:
    """Size and digest of a file in a repository: `sha256` for LFS files, else `git`, git's own."""

    size: int
    sha256: str | None
    git: str | None

    def matches(self, path: Path) -> bool:
        if path.stat().st_size != self.size:
            return False
        if self.sha256 is not None:
            return digest(path) == self.sha256
        data = path.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == self.git


def remote_files(api: Any, repo_id: str, repo_type: str, revision: str) -> dict[str, RemoteFile]:
    """Path -> size and digest of every file of a revision."""
    files = {}
    for entry in api.list_repo_tree(repo_id, recursive=True, revision=revision, repo_type=repo_type):
        if hasattr(entry, "size"):  # folders have none
            lfs = entry.lfs
            files[entry.path] = RemoteFile(
                lfs.size if lfs else entry.size, lfs.sha256 if lfs else None, None if lfs else entry.blob_id
            )
    return files


# ---- the folder of a model


def _check(folder: Path, what: str, roots: Iterable[Path]) -> tuple[str | None, int]:
    """The release of the code, and the number of files; VerifyError with all problems."""
    names, problems = list_files(folder, roots, name_problem)
    checks = {"config.json": _config_problems, "tokenizer_config.json": _tokenizer_problems}
    checks["model.safetensors.index.json"] = index_problems
    problems += read_files(folder, names, checks)[1]
    problems += [f"there is no {name}" for name in ("config.json", "tokenizer_config.json") if name not in names]
    if not any(name.endswith(".safetensors") for name in names):
        problems.append("there are no weights (*.safetensors)")
    release, code = _code_problems(folder, [name for name in names if name.endswith(".py")])
    problems += code
    if problems:
        raise VerifyError(what, problems)
    return release, len(names)


def _config_problems(data: dict, names: list[str]) -> list[str]:
    problems = []
    if data.get("model_type") != "lengthgen":
        problems.append(f"is of a model of type {data.get('model_type')!r}, not 'lengthgen'")
    auto_map = data.get("auto_map", AUTO_MAP)
    for key, value in auto_map.items() if isinstance(auto_map, dict) else [("auto_map", auto_map)]:
        if "--" in str(value):
            problems.append(f"takes code from another repository (auto_map {key}: {value!r})")
        elif AUTO_MAP.get(key) != value:
            problems.append(f"names code that is not this package's (auto_map {key}: {value!r})")
    problems += json_problems({key: value for key, value in data.items() if key != "auto_map"}, names)
    problems += attention_problems(data)
    if data.get("quantization_config"):
        problems.append("asks for a quantization, whose code is not this package's")
    problems += weights_name_problems(data, names)
    if data.get("tokenizer_class") is not None:  # read where tokenizer_config.json has none
        problems += _tokenizer_problems({"tokenizer_class": data["tokenizer_class"]}, names)
    if data.get("position_package"):
        problems.append(f"needs the code of another package, {data['position_package']!r}")
    return problems


def _tokenizer_problems(data: dict, names: list[str]) -> list[str]:
    problems = json_problems(data, names)
    if data.get("tokenizer_class") is None:
        problems.append("does not say its tokenizer_class, so that other files would decide it")
    elif data["tokenizer_class"] not in TOKENIZERS:
        problems.append(f"asks for the tokenizer class {data['tokenizer_class']!r}, not {' or '.join(TOKENIZERS)}")
    return problems


def _code_problems(folder: Path, names: list[str]) -> tuple[str | None, list[str]]:
    """The release all code files belong to; else what tells them from the release they resemble most."""
    if not names:
        return None, []
    found = {name: digest(folder / name) for name in names}
    best: tuple[str, list[str]] | None = None
    for release, code in releases().items():
        problems = [f"{name} is unexpected code" for name in sorted(found.keys() - code.keys())]
        problems += [f"{name} is missing" for name in sorted(code.keys() - found.keys())]
        shared = sorted(found.keys() & code.keys())
        version = "this package" if release == "installed" else f"release {release}"
        problems += [f"{name} differs from the code of {version}" for name in shared if found[name] != code[name]]
        if not problems:
            return release, []
        if best is None or len(problems) < len(best[1]):
            best = release, problems
    assert best is not None
    return None, best[1]
