"""Checkpoints: one folder per step, written whole or not at all, nothing in it pickled.

    checkpoints/step-00000250/model.safetensors      parameters and persistent buffers
                              optimizer.safetensors  AdamW's moments and step counts, by parameter name
                              state.json             step, config, history, digests of the two files
                best/model.safetensors               the weights of the best validation
                     state.json                      its step

There is no state of a random generator: everything random in training is a function of (seed, step).
"""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from .. import files
from .arguments import TrainingConfig
from .deciding import deciding
from .progress import History

SCHEMA = 1


class CheckpointError(ValueError):
    """A checkpoint, or the folder for them, cannot be written, read or used."""


class CheckpointStore:
    """The checkpoints of one run.

    `folder`: where they lie. `config`: the run's; a checkpoint of another config is refused, not overwritten.
    Of several processes only the main one may call `prepare` and `save`.
    """

    def __init__(self, folder: Path, config: TrainingConfig) -> None:
        self.folder, self.config = folder, config

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}"

    def all(self) -> list[Path]:
        """Complete checkpoints, oldest first."""
        return sorted(path for path in self.folder.glob("step-*") if (path / "state.json").is_file())

    def latest(self) -> Path | None:
        found = self.all()
        return found[-1] if found else None

    def prepare(self) -> None:
        """Checks that checkpoints can be written; with `resume=False` discards those of an earlier run."""
        files.check_writable(self.folder, CheckpointError)
        files.remove_leftovers(self.folder)
        if not self.config.resume:
            for path in (*self.all(), self.best):
                files.remove_folder(path)

    def save(
        self,
        step: int,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        history: History,
        scaler: Any = None,
    ) -> None:
        """Writes the checkpoint of `step` and removes all but the last `keep_checkpoints`, and those of later steps:
        damaged ones, which this run has passed over.

        `scaler`: the gradient scaler of fp16, if there is one.

        CheckpointError where the disk is full or the folder is read-only; earlier checkpoints stay intact.
        """
        try:
            with files.new_folder(self.path(step)) as new:
                save_file(_model_tensors(model), new / "model.safetensors")
                save_file(_optimizer_tensors(model, optimizer), new / "optimizer.safetensors")
                state = {
                    "schema": SCHEMA,
                    "step": step,
                    "config": self.config.to_dict(),
                    "files": {
                        name: files.fingerprint(new / name) for name in ("model.safetensors", "optimizer.safetensors")
                    },
                    "history": asdict(history),
                }
                if scaler is not None:
                    state["scaler"] = scaler.state_dict()
                files.write_json(new / "state.json", state)
            here = self.path(step)
            earlier, later = [p for p in self.all() if p <= here], [p for p in self.all() if p > here]
            for path in (*earlier[: -self.config.keep_checkpoints], *later):
                files.remove_folder(path)
        except (OSError, SafetensorError) as problem:  # safetensors reports a full disk as its own error
            raise self._not_written(step, problem) from problem

    @property
    def best(self) -> Path:
        return self.folder / "best"

    def save_best(self, step: int, model: torch.nn.Module) -> None:
        """Keeps the weights of `step` as the best so far. CheckpointError as in `save`."""
        try:
            with files.new_folder(self.best) as new:
                save_file(_model_tensors(model), new / "model.safetensors")
                digest = files.fingerprint(new / "model.safetensors")
                files.write_json(new / "state.json", {"step": step, "files": {"model.safetensors": digest}})
        except (OSError, SafetensorError) as problem:
            raise self._not_written(step, problem) from problem

    def load_best(self, step: int, model: torch.nn.Module) -> bool:
        """Loads the weights that `save_best` kept of `step`. False, with a warning, where they are damaged, gone, or
        those of another step, which a run that crashed may have kept."""
        try:
            state = json.loads((self.best / "state.json").read_text(encoding="utf-8"))
            if state["step"] != step:
                raise _Damaged(f"they are those of step {state['step']}")
            tensors = _read_tensors(self.best, "model.safetensors", state)
        except (OSError, ValueError, KeyError, TypeError, _Damaged) as problem:
            warnings.warn(f"The best weights, of step {step}, are not in {str(self.best)!r}: {problem}.", stacklevel=2)
            return False
        _load_model(model, tensors, self.best)
        return True

    def _not_written(self, step: int, problem: Exception) -> CheckpointError:
        last = self.latest()
        kept = f"the last complete checkpoint is {last}" if last else "there is no earlier checkpoint"
        reason = getattr(problem, "strerror", None) or problem
        return CheckpointError(
            f"The checkpoint of step {step} cannot be written to {str(self.folder)!r}: {reason}; {kept}."
        )

    def restore(
        self, model: torch.nn.Module, optimizer: torch.optim.Optimizer, scaler: Any = None
    ) -> tuple[int, History]:
        """Loads the last good checkpoint into model, optimizer and (fp16) scaler.

        Returns its step and history; 0 and an empty history where there is none. A damaged checkpoint is
        passed over with a warning. CheckpointError if all are damaged, or if they belong to a run with other
        settings (the message says which).
        """
        found = self.all()
        for path in reversed(found):
            try:
                state = _read_state(path)
                check_same_config(state["config"], self.config, path)
                model_tensors = _read_tensors(path, "model.safetensors", state)
                optimizer_tensors = _read_tensors(path, "optimizer.safetensors", state)
            except _Damaged as problem:
                warnings.warn(f"Checkpoint {path} is damaged and passed over: {problem}.", stacklevel=2)
                continue
            _load_model(model, model_tensors, path)
            _load_optimizer(model, optimizer, optimizer_tensors, path)
            if scaler is not None and "scaler" in state:
                scaler.load_state_dict(state["scaler"])
            return state["step"], History(**state["history"])
        if found:
            raise CheckpointError(
                f"Every checkpoint in {str(self.folder)!r} is damaged: start over with resume=false, or "
                "choose another output_dir."
            )
        return 0, History()


def check_same_config(old: dict[str, Any], config: TrainingConfig, place: Path) -> None:
    """CheckpointError, naming the settings that differ, unless both lead to the same trained weights."""
    new = deciding(config, "weights")
    old = TrainingConfig().to_dict() | old  # a setting that is newer than the checkpoint had its default
    differing = [key for key in new if old[key] != new[key]]
    if differing:
        listed = ", ".join(f"{key} = {old[key]!r} there and {new[key]!r} now" for key in differing)
        raise CheckpointError(
            f"{str(place)!r} belongs to a run with other settings ({listed}): choose another output_dir, or "
            "start over with resume=false."
        )


# ------------------------------------------------------------------------------------------------ contents


class _Damaged(Exception):
    pass


def _persistent(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and saved buffers by name; a shared (tied) parameter once."""
    saved = model.state_dict().keys()
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in saved}
    return dict(model.named_parameters()) | buffers


def _model_tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in _persistent(model).items()}


def _optimizer_tensors(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    state = getattr(optimizer, "optimizer", optimizer).state  # Accelerate wraps it
    tensors = {}
    for name, parameter in model.named_parameters():
        for slot, value in state.get(parameter, {}).items():
            tensors[f"{slot}/{name}"] = torch.as_tensor(value).detach().cpu().contiguous()
    return tensors


def _load_model(model: torch.nn.Module, tensors: dict[str, torch.Tensor], path: Path) -> None:
    own = _persistent(model)
    if own.keys() != tensors.keys() or any(own[name].shape != tensors[name].shape for name in own):
        odd = sorted(own.keys() ^ tensors.keys()) or [n for n in own if own[n].shape != tensors[n].shape]
        raise CheckpointError(f"Checkpoint {path} does not fit the model (e.g. {odd[0]}): was the code changed?")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])


def _load_optimizer(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor], path: Path
) -> None:
    numbers = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            numbers[parameter] = len(numbers)
    names = dict(model.named_parameters())
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        slot, name = key.split("/", 1)
        if name not in names or names[name] not in numbers:
            raise CheckpointError(f"Checkpoint {path} does not fit the optimizer ({name}): was the code changed?")
        state.setdefault(numbers[names[name]], {})[slot] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state = json.loads((path / "state.json").read_text(encoding="utf-8"))
        if state["schema"] != SCHEMA:
            raise CheckpointError(f"Checkpoint {path} has format {state['schema']}, this version reads {SCHEMA}.")
        if not isinstance(state["step"], int) or not isinstance(state["config"], dict):
            raise _Damaged("state.json is incomplete")
        History(**state["history"])
        return state
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as problem:
        raise _Damaged(f"state.json cannot be read ({type(problem).__name__})") from None


def _read_tensors(path: Path, name: str, state: dict[str, Any]) -> dict[str, torch.Tensor]:
    try:
        if files.fingerprint(path / name) != state["files"].get(name):
            raise _Damaged(f"{name} is not the file that was written")
        return load_file(path / name)
    except (OSError, SafetensorError, AttributeError, KeyError) as problem:
        raise _Damaged(f"{name} cannot be read ({problem})") from None
