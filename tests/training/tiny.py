"""A run that takes half a second."""

from typing import Any

import torch

from hf_lengthgen.training.arguments import TrainingConfig
from hf_lengthgen.training.build import assemble_model
from hf_lengthgen.training.mixture import build_parts

TINY = {
    "task": "copy",
    "n_max": 4,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "steps": 8,
    "batch_size": 8,
    "warmup_steps": 2,
    "threads": 1,
    "validate_every": 0,
    "save_every": 2,
    "eval_lengths": [2],
    "eval_examples": 4,
    "long_lengths": [3],
    "long_examples": 4,
    "stop_at_zero": False,
}
# The same on the command line.
WORDS = [word for key, value in TINY.items() for word in (f"--{key}", str(value).strip("[]").lower())]


def tiny(**settings: Any) -> TrainingConfig:
    return TrainingConfig.from_dict(TINY | {k: str(v) if k == "output_dir" else v for k, v in settings.items()})


def build_task(config: TrainingConfig) -> Any:
    """The only task of a run."""
    (part,), _ = build_parts(config)
    return part.task


def build_model(config: TrainingConfig) -> Any:
    """Its model, untrained."""
    return assemble_model(config, *build_parts(config))


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def assert_identical(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    different = [name for name in one if not torch.equal(one[name], other[name])]
    assert not different, different
