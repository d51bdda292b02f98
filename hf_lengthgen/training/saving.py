"""The folder of a finished model: weights, tokenizer, code for `trust_remote_code`, and its training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError

from .. import files
from .arguments import TrainingConfig
from .checkpoints import CheckpointError
from .progress import History

TRAINING_FILE = "training.json"  # its presence says that training is finished


class Saved(NamedTuple):
    """A model read back, with the record of its training."""

    model: Any
    tokenizer: Any
    config: TrainingConfig
    history: History


def save_model(folder: Path, model: Any, tokenizer: Any, config: TrainingConfig, history: History) -> None:
    """Writes `folder` whole or not at all, for `AutoModelForCausalLM.from_pretrained`."""
    from ..model.configuration_lengthgen import LengthGenConfig
    from ..model.modeling_lengthgen import LengthGenForCausalLM, LengthGenModel

    # Only classes registered so have their code copied into the folder, for those without this package.
    LengthGenConfig.register_for_auto_class()
    LengthGenModel.register_for_auto_class("AutoModel")
    LengthGenForCausalLM.register_for_auto_class("AutoModelForCausalLM")
    try:
        with files.new_folder(folder) as new, _no_bars():
            model.save_pretrained(new)
            tokenizer.save_pretrained(new)
            # A path of this machine has no place in a folder that will travel.
            settings = config.to_dict() | {"output_dir": None}
            files.write_json(new / TRAINING_FILE, {"config": settings, "history": asdict(history)})
    except (OSError, SafetensorError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise CheckpointError(f"The model cannot be written to {str(folder)!r}: {reason}.") from problem


@contextmanager
def _no_bars() -> Iterator[None]:
    """Without transformers' progress bars: these models load in a blink."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def read_training(folder: Path) -> tuple[TrainingConfig, History]:
    """The settings and history recorded beside a model. ValueError if they are absent or unreadable."""
    path = folder / TRAINING_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return TrainingConfig.from_dict(record["config"], str(path)), History(**record["history"])
    except FileNotFoundError:
        raise ValueError(f"{folder} has no {TRAINING_FILE}, so how it was trained is unknown.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as problem:
        raise ValueError(f"{path} cannot be read ({type(problem).__name__}: {problem}).") from None


def complete_model(kind: Any, folder: Path, **options: Any) -> Any:
    """`kind.from_pretrained`, in evaluation mode. ValueError where weights are missing, which transformers would draw
    anew, of another shape, or not the model's."""
    # Sizes that differ are told, too, instead of ending in an error that refers to a report in a log.
    told_all = {"output_loading_info": True, "ignore_mismatched_sizes": True}
    model, told = kind.from_pretrained(folder, use_safetensors=True, **options | told_all)
    for what in ("mismatched", "missing", "unexpected"):
        if names := sorted(map(str, told[f"{what}_keys"])):
            raise ValueError(f"its weights are not those of its configuration: {what} are {', '.join(names[:3])}.")
    return model.eval()


def load_weights(folder: Path) -> tuple[Any, Any]:
    """Model (evaluation mode, on the GPU if there is one) and tokenizer.

    ValueError, one line: a damaged or incomplete folder, or a foreign model.
    """
    import torch
    from transformers import AutoTokenizer

    from ..model.configuration_lengthgen import LengthGenConfig
    from ..model.modeling_lengthgen import LengthGenForCausalLM

    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as problem:
        raise ValueError(f"The model in {folder} cannot be loaded: config.json is no configuration.") from problem
    if kind != LengthGenConfig.model_type:
        raise ValueError(f"{folder} holds a model of type {kind!r}, not {LengthGenConfig.model_type!r}.")
    try:
        with _no_bars():
            model = complete_model(LengthGenForCausalLM, folder)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as problem:  # a damaged tokenizer.json raises a bare Exception
        reason = str(problem).strip().partition("\n")[0]
        raise ValueError(f"The model in {folder} cannot be loaded: {reason}") from problem
    return model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer


def check_fits(model: Any, tokenizer: Any, task: Any) -> None:
    """ValueError unless the model's tokens and Scale Hints are those of the task."""
    from ..data.tokenizer import check_characters

    check_characters(task.vocabulary, tokenizer)
    if model.config.scale_hint != "none" and model.config.num_scale_hints != task.hints:
        raise ValueError(
            f"The task {task.name!r} has {task.hints} Scale Hints, but the model takes {model.config.num_scale_hints}."
        )


def load_model(folder: Path) -> Saved:
    """Reads what `save_model` wrote."""
    config, history = read_training(folder)
    return Saved(*load_weights(folder), config, history)
