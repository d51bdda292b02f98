"""The history of a run in an experiment tracker, through Accelerate. None by default."""

from __future__ import annotations

import importlib.util
from typing import Any

from .arguments import TrainingConfig

PROJECT = "hf_lengthgen"  # in trackers with projects: runs that are to be compared lie side by side
PACKAGES = {"tensorboard": ("tensorboard", "tensorboardX"), "trackio": ("trackio",), "wandb": ("wandb",)}


def check_tracker(name: str) -> None:
    """ValueError unless the tracker's package is installed: Accelerate would leave it out without a word."""
    packages = PACKAGES.get(name, ())
    if packages and not any(importlib.util.find_spec(package) for package in packages):
        raise ValueError(f"tracker {name!r} needs the package {packages[0]}: pip install {packages[0]}.")


class Tracker:
    """Within its scope `log` hands records of the history on; does nothing where the tracker is `none`.

    resumed: the run goes on from a checkpoint, and so does what is tracked of it.
    """

    def __init__(self, accelerator: Any, config: TrainingConfig, *, resumed: bool = False) -> None:
        self.accelerator, self.config, self.resumed = accelerator, config, resumed
        self.active = config.tracker != "none"

    def __enter__(self) -> Tracker:
        if self.active:
            plain = {key: value for key, value in self.config.to_dict().items() if isinstance(value, int | float | str)}
            self.accelerator.init_trackers(self._project(), config=plain, init_kwargs=self._options())
        return self

    def _project(self) -> str:
        """For tensorboard the name of the run's own folder in output_dir."""
        return self.config.run_name if self.config.tracker == "tensorboard" else PROJECT

    def _options(self) -> dict[str, dict[str, str]]:
        options = {
            "trackio": {"name": self.config.run_name, "resume": "allow" if self.resumed else "never"},
            "wandb": {"name": self.config.run_name},
        }
        return {name: given for name, given in options.items() if name == self.config.tracker}

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
