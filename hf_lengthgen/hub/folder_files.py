"""The files of a model's folder, whatever kind of model it is: which may lie there, and what may stand in them.

Pickles, lying names, links that lead out and every key that makes transformers fetch or run code are found here; none
of it is imported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from .. import strict_json
from .weights import check_safetensors

JSON_FILES = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "model.safetensors.index.json", "result.json", "training.json",
)  # fmt: skip
OTHER_FILES = ("README.md", "LICENSE", "recipe.yaml", ".gitattributes", ".gitignore")
PICTURES = (".svg", ".png")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5", ".msgpack", ".dill")
LARGEST_TEXT = 50_000_000


class VerifyError(ValueError):
    """A model is refused; `problems` has every reason."""

    def __init__(self, what: str, problems: list[str]) -> None:
        super().__init__(f"{what} is refused: {'; '.join(problems)}.")
        self.problems = problems


@dataclass(frozen=True)
class Verified:
    """A folder that may be loaded.

    Attributes:
        folder: where it is.
        release: the version whose code it carries; "installed": that of this package; None: it carries no code.
        revision: the commit on the Hub; None for a folder.
        files: how many files were looked at.
    """

    folder: Path
    release: str | None
    revision: str | None
    files: int


def inside(folder: Path) -> list[Path]:
    """Where the files of a folder may really lie: in it; in huggingface_hub's cache, whose models--OWNER--NAME/
    snapshots/COMMIT is made of links, also in the repository's own blobs beside the snapshots."""
    folder = Path(folder).resolve()
    roots = [folder]
    if folder.parent.name == "snapshots" and folder.parents[1].name.startswith("models--"):
        roots.append(folder.parents[1] / "blobs")
    return roots


def name_problem(path: str) -> str | None:
    """Why a file of this name (POSIX, relative) has no place in a model's folder; None if it has."""
    pure = PurePosixPath(path)
    name, suffix = pure.name, pure.suffix.lower()
    if pure.is_absolute() or ".." in pure.parts or "\\" in path:
        return f"the path {path!r} leads out of the folder"
    if suffix in PICKLES:
        return f"{path} is a kind of file that can run code when it is read; only safetensors are accepted"
    if suffix in (".py", ".pyc", ".pyd", ".so", ".dll", ".ipynb", ".sh"):
        return None if pure.suffix == ".py" and len(pure.parts) == 1 else f"{path} is unexpected code"
    if pure.parts[0] == ".eval_results" and len(pure.parts) == 2 and suffix in (".yaml", ".yml"):
        return None
    # Exact names: what differs in case only would escape the checks below, and some file systems would not tell.
    if len(pure.parts) == 1 and (name in JSON_FILES + OTHER_FILES or pure.suffix in (*PICTURES, ".safetensors")):
        return None
    return f"{path} is unexpected"


def list_files(
    folder: Path, roots: Iterable[Path], refused: Callable[[str], str | None]
) -> tuple[list[str], list[str]]:
    """The names of the files that have a place in a folder, and what is wrong with the others.

    roots: the folders into which links may lead; refused: why a name has no place there, or None.
    """
    names, problems = [], []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        if f"{relative}/".startswith((".cache/huggingface/", ".git/")) or relative == ".cache":
            continue  # what huggingface_hub and git keep for themselves; nothing reads it as part of a model
        real = path.resolve()
        if not any(real.is_relative_to(root) for root in roots):
            problems.append(f"{relative} is a link that leads out of the folder")
        elif path.is_dir():
            if path.is_symlink():
                problems.append(f"{relative} is a link to a folder")
        elif not path.is_file():
            problems.append(f"{relative} is no plain file")
        elif problem := refused(relative):
            problems.append(problem)
        else:
            names.append(relative)
    return names, problems


def read_files(
    folder: Path, names: list[str], checks: Mapping[str, Callable[[dict, list[str]], list[str]]]
) -> tuple[dict[str, dict], list[str]]:
    """What the JSON files hold, by name, and what is wrong with any of the files.

    checks: name of a JSON file -> what is asked of its object, given the names of all; of the others `json_problems`.
    """
    found, problems = {}, []
    for name in names:
        path = folder / name
        try:
            if name.endswith(".safetensors"):
                check_safetensors(path)
            elif problem := content_problem(path):
                problems.append(f"{name} {problem}")
            elif name.endswith(".json"):
                found[name] = read_json(path)
                problems += [f"{name} {problem}" for problem in checks.get(name, json_problems)(found[name], names)]
        except ValueError as problem:
            kind = "is no sound safetensors file: " if name.endswith(".safetensors") else ""
            problems.append(f"{name} {kind}{problem}")
    return found, problems


def content_problem(path: Path) -> str | None:
    """Why a text file is none: the first bytes of a pickle or an archive, NULs, or too many bytes."""
    if path.stat().st_size > LARGEST_TEXT:
        return f"has more than {LARGEST_TEXT:,} bytes"
    if path.suffix.lower() == ".png":
        return None
    with open(path, "rb") as file:
        start = file.read(4096)
    if start[:1] == b"\x80" or start[:4] in (b"PK\x03\x04", b"\x93NUM", b"\x89HDF", b"\x7fELF") or b"\0" in start:
        return "is a binary file (a pickle, an archive or a program) under a harmless name"
    return None


def read_json(path: Path) -> dict:
    """The object in a JSON file; ValueError, to be put behind the file's name, if it holds none or a key twice."""
    try:
        data = strict_json.loads(path.read_text(encoding="utf-8"), constants=True)  # losses, bounds: Python writes them
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError("is not JSON") from None
    except ValueError as problem:
        raise ValueError(f"is refused: {problem}") from None
    if not isinstance(data, dict):
        raise ValueError("holds no object")
    return data


def json_problems(data: dict, names: list[str]) -> list[str]:
    """In whatever file: keys that make transformers fetch or run code."""
    found = sorted({key for key in keys(data) if key in ("auto_map", "custom_pipelines", "custom_generate")})
    return [f"names code to run ({key})" for key in found]


def attention_problems(data: dict) -> list[str]:
    """In a configuration: an attention other than transformers' own two."""
    asked = [value for key, value in data.items() if key.endswith("attn_implementation")]
    wrong = [value for value in asked if value not in ("eager", "sdpa", None)]
    return [f"asks for the attention {value!r}, which may be fetched from elsewhere" for value in wrong]


def weights_name_problems(data: dict, names: list[str]) -> list[str]:
    """In config.json: weights under another name than those that are looked at."""
    name = data.get("transformers_weights")
    return [] if name is None else [f"names a file of weights, {name!r}, other than the usual ones"]


def index_problems(data: dict, names: list[str]) -> list[str]:
    """In the index of sharded weights: files that are not there, or are no safetensors."""
    shards = data.get("weight_map")
    if not isinstance(shards, dict):
        return ["has no weight_map"]
    known = [name for name in names if name.endswith(".safetensors")]
    wrong = sorted({str(shard) for shard in shards.values() if shard not in known})
    return [f"refers to {shard!r}, which is no safetensors file of this folder" for shard in wrong]


def keys(value: Any) -> Iterable[str]:
    """All keys at any depth; no recursion, for Python's own depth may be less than what was parsed."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield from one
            left += one.values()
        elif isinstance(one, list):
            left += one
