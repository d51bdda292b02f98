"""The history of a run in an experiment tracker, through Accelerate. None by default."""

from __future__ import annotations

import importlib.util
from typing import Any

from .arguments import TrainingConfig

PACKAGES = {"tensorboard": ("tensorboard", "tensorboardX"), "trackio": ("trackio",), "wandb": ("wandb",)}


def check_tracker(name: str) -> None:
    """ValueError unless the tracker's package is installed: Accelerate would leave it out without a word."""
    packages = PACKAGES.get(name, ())
    if packages and not any(importlib.util.find_spec(package) for package in packages):
        raise ValueError(f"tracker {name!r} needs the package {packages[0]}: pip install {packages[0]}.")


class Tracker:
    """Within its scope `log` hands records of the history on; does nothing where the tracker is `none`."""

    def __init__(self, accelerator: Any, config: TrainingConfig) -> None:
        self.accelerator, self.config = accelerator, config
        self.active = config.tracker != "none"

    def __enter__(self) -> Tracker:
        if self.active:
            plain = {key: value for key, value in self.config.to_dict().items() if isinstance(value, int | float | str)}
            self.accelerator.init_trackers(self.config.run_name, config=plain)
        return self

    def log(self, record: dict[str, Any]) -> None:
        """Logs the numbers of a record under its step."""
        if not self.active:
            return
        values = {key: value for key, value in record.items() if isinstance(value, int | float) and key != "step"}
        values |= {f"exact_match/{scale}": share for scale, share in record.get("exact_match", {}).items()}
        self.accelerator.log(values, step=record["step"])

    def __exit__(self, *problem: Any) -> None:
        if self.active:
            self.accelerator.end_training()
