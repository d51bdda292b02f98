"""Everything that goes to the Hub with a model, put together in one folder.

config.json, *.safetensors, tokenizer   the model, as the run left it
*.py                                    this package's code, so that the digests of `lengthgen verify` agree
recipe.yaml, training.json              how to train it again, and how training went
result.json, curve.svg                  what it can do
README.md, .eval_results/lengthgen.yaml the same as a card, and for the Hub's leaderboards
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..files import model_folder
from ..portable import portable_place
from .digests import code_folder, code_names, releases
from .verification import AUTO_MAP

WEIGHTS = ("*.safetensors", "model.safetensors.index.json")
PARTS = ("generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
# What `assemble` itself writes, beside code and the above.
WRITTEN = ("README.md", "config.json", "training.json", "recipe.yaml", "result.json", "curve.svg")
EVAL_RESULTS = ".eval_results/lengthgen.yaml"
# The names that transformers gives to weights: of others nobody knows whether they are the user's own.
WEIGHT_NAMES = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
# Settings of a run that say where and how it ran, not what is trained.
NOT_IN_A_RECIPE = ("output_dir", "resume", "name", "seed", "threads", "num_processes")


def assemble(
    source: str | Path,
    target: str | Path,
    repo_id: str,
    *,
    license: str = "apache-2.0",
    dataset_id: str | None = None,
    comparison: Iterable[Any] = (),
) -> Path:
    """Writes `target` whole or not at all; returns it.

    Args:
        source: output_dir of a run, or its model/.
        target: the folder of an earlier call, with nothing else in it, is replaced, even if it is the source: that
            brings code and card up to date. Any other must not exist, or be empty.
        repo_id: "user/name", what the card's code loads.
        license: identifier of the licence, as the Hub spells it.
        dataset_id: "user/name" of the data set that `.eval_results` refers to; None: "user/lengthgen-TASK".
        comparison: results for the card's second table.

    Raises:
        ValueError: a name without an owner; a source that is incomplete or not of this package, or whose position
            embedding is another package's (its code would not travel).
        FileExistsError: `target` holds something else.
    """
    from .. import files
    from ..evaluation.plot import plot_curves
    from ..evaluation.result import Result
    from .card import eval_results_yaml, render_card

    check_repo_id(repo_id)
    if dataset_id is not None:
        check_repo_id(dataset_id)
    source, target = model_folder(Path(source)).resolve(), Path(target)
    if target.is_file() or (target.exists() and (foreign := _foreign(target))):
        holds = "" if target.is_file() else f" (it has {foreign})"
        raise FileExistsError(f"{target} is not empty; choose another folder{holds}.")
    # The result of a run is that of its model/, not of its best/.
    places = [source] if source.name == "best" else [source, source.parent]
    found = [place / "result.json" for place in places if (place / "result.json").is_file()]
    if not found:
        raise ValueError(
            f"{source} has no result.json: `lengthgen evaluate {source.name} --output {source.name}/result.json …` "
            f"makes one."
        )
    result = Result.load(found[0])
    config = _read(source / "config.json")
    if config.get("model_type") != "lengthgen":
        raise ValueError(f"{source} holds a model of type {config.get('model_type')!r}, not 'lengthgen'.")
    if config.get("position_package"):
        raise ValueError(
            f"the position embedding {config.get('position_embedding')!r} is defined in the package "
            f"{config['position_package']!r}, whose code does not travel: others could not load the model."
        )
    for key in ("position_embedding", "scale_hint"):
        if config.get(key, getattr(result, key)) != getattr(result, key):
            raise ValueError(
                f"{found[0]} is of another model: {key} is {getattr(result, key)!r} there and {config[key]!r} in "
                f"config.json."
            )
    owner = repo_id.partition("/")[0]
    has_recipe = (source / "training.json").is_file()
    training = _read(source / "training.json") if has_recipe else {}
    if has_recipe and not (isinstance(training.get("config"), dict) and training["config"]):
        raise ValueError(f"{source / 'training.json'} holds no settings of a run ('config').")
    _leave_places(training.get("config", {}))
    _leave_places(result.settings)
    card = render_card(
        result,
        model_id=repo_id,
        license=license,
        figure="curve.svg",
        comparison=comparison,
        recipe="recipe.yaml" if has_recipe else None,
    )
    evaluated = eval_results_yaml(result, dataset_id or f"{owner}/lengthgen-{result.task}")

    with files.new_folder(target) as new:
        weights = sorted(path for pattern in WEIGHTS for path in source.glob(pattern))
        if not any(path.suffix == ".safetensors" for path in weights):
            raise ValueError(f"{source} has no weights (*.safetensors).")
        for path in [*weights, *(source / name for name in PARTS if (source / name).is_file())]:
            shutil.copyfile(path, new / path.name)
        for name in code_names():
            shutil.copyfile(code_folder() / name, new / name)
        if config.get("auto_map") == AUTO_MAP:
            shutil.copyfile(source / "config.json", new / "config.json")
        else:
            text = json.dumps(config | {"auto_map": AUTO_MAP}, indent=2, sort_keys=True)
            (new / "config.json").write_text(text + "\n", encoding="utf-8")
        if has_recipe:
            files.write_json(new / "training.json", training)
            (new / "recipe.yaml").write_text(recipe(training, result), encoding="utf-8")
        result.save(new / "result.json")
        plot_curves([result], new / "curve.svg")
        (new / "README.md").write_text(card, encoding="utf-8")
        (new / EVAL_RESULTS).parent.mkdir()
        (new / EVAL_RESULTS).write_text(evaluated, encoding="utf-8")
    return target


def recipe(training: dict, result: Any) -> str:
    """All settings that decide the run, as a config of `lengthgen train`: defaults too, for they may change."""
    import yaml

    chosen = {key: value for key, value in training["config"].items() if key not in NOT_IN_A_RECIPE}
    head = f"# How {result.name} was trained: lengthgen train --config recipe.yaml --seed {result.seed}\n"
    return head + yaml.safe_dump(chosen, sort_keys=False)


def _leave_places(settings: dict) -> None:
    """In place: without the places of this machine that a run began from."""
    for key in ("init_from", "dataset"):
        if settings.get(key):
            settings[key] = portable_place(key, settings[key])


def check_repo_id(name: str) -> None:
    """ValueError unless it is OWNER/NAME."""
    owner, slash, rest = name.partition("/")
    if not (owner and rest) or "/" in rest:
        raise ValueError(f"a repository is named OWNER/NAME, got {name!r}.")


def _foreign(folder: Path) -> str | None:
    """What an earlier call did not write, so that it must not be replaced: an entry of the folder; None if all is ours,
    and for an empty folder."""
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    known = {*WRITTEN, *PARTS, WEIGHTS[1], EVAL_RESULTS, EVAL_RESULTS.partition("/")[0]}.union(*releases().values())
    foreign = sorted(name for name in names - known if not WEIGHT_NAMES.fullmatch(name))
    if not foreign and names and EVAL_RESULTS not in names:
        return f"a model but no {EVAL_RESULTS}, so no earlier call made it"
    return foreign[0] if foreign else None


def _read(path: Path) -> dict:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ValueError(f"{path} cannot be read: {problem}.") from None
    if not isinstance(data, dict):
        raise ValueError(f"{path} holds no object.")
    return data
