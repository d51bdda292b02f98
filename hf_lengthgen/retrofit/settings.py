"""Settings of the fine-tuning of a retrofitted checkpoint."""

from __future__ import annotations

import typing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..model.position_base import nearest
from ..training.values import convert

PRECISIONS = ("no", "bf16")


@dataclass
class RetrofitTraining:
    """Settings of one run. Text that reads as the type of a setting is converted.

    Attributes:
        base_model: folder or name for `from_pretrained`; gguf_file: a GGUF file in it; base_name: what the result calls
            it, None for its last part.
        start_from: folder of additions to begin with, from an earlier run on this base; `retrofit` is then not read.
        task, task_options: of hf_lengthgen.tasks; n_min, n_max: every step's lengths are uniform in this range.
        template, prefix, hint_text: see `TextCodec`.
        additions: False trains the base (or its LoRA) without additions, as the comparison; retrofit: keywords of
            `retrofit`.
        lora_rank: 0 for none; else LoRA on `lora_targets` of the base, by the package `peft`, with twice the rank as
            its alpha; lora_learning_rate: its own, None for `learning_rate`.
        freeze: the base's own weights stay.
        pool: examples per length for which the base's part is computed once (`pool.py`); 0 draws fresh examples.
        candidates: tokens in the softmax of a step: the task's and as many others, drawn anew; 0 for all.
        steps, batch_size, groups: a batch is made of `groups` lengths; 0 steps evaluate what is there, the base or
            the additions of `start_from`.
        mixed_precision: 'no', or 'bf16': the base's matrix products in bfloat16 (see `precision.py`).
        compile: see `precision.compiled_layers`; needs a C++ compiler.
        attn_implementation: of the base; None for its own choice. On a CPU 'eager' has the faster backward pass.
        evaluate: lengths, or one; evaluate_examples; evaluate_mode: 'teacher' or 'generate'; evaluate_batch.
        output_dir: gets what was trained and `result.json`; result: a file that gets the result too; None: neither.
        note: a sentence that the result carries.

    Raises:
        ValueError: a value of another type.
    """

    base_model: str = ""
    gguf_file: str | None = None
    base_name: str | None = None
    start_from: str | None = None
    task: str = "addition"
    task_options: dict[str, Any] = field(default_factory=dict)
    n_min: int = 1
    n_max: int = 12
    template: str = "plain"
    prefix: str = ""
    hint_text: bool = False
    additions: bool = True
    retrofit: dict[str, Any] = field(default_factory=dict)
    lora_rank: int = 0
    lora_targets: str = r".*\.(q_proj|k_proj|v_proj|o_proj)"
    lora_learning_rate: float | None = None
    freeze: bool = True
    pool: int = 0
    candidates: int = 2048
    steps: int = 300
    batch_size: int = 8
    groups: int = 1
    learning_rate: float = 1e-3
    gate_learning_rate: float = 2e-2
    final_learning_rate_ratio: float = 0.02
    weight_decay: float = 0.01
    adam_beta1: float = 0.9
    adam_beta2: float = 0.98
    clip: float = 1.0
    warmup_steps: int = 50
    penalty: float = 0.003
    penalty_warmup: float = 0.5
    settle: float = 0.8
    mixed_precision: str = "no"
    attn_implementation: str | None = None
    compile: bool = False
    seed: int = 0
    evaluate: list[int] = field(default_factory=lambda: [6, 12, 24, 50, 100])
    evaluate_examples: int = 32
    evaluate_mode: str = "teacher"
    evaluate_batch: int = 8
    output_dir: str | None = None
    result: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        for name, kind in typing.get_type_hints(type(self)).items():
            value, outer = getattr(self, name), typing.get_origin(kind)
            if name == "evaluate" and type(value) is int:
                value = [value]
            setattr(self, name, convert(value, outer if outer in (dict, list) else kind, name))
        self.evaluate = [convert(n, int, "evaluate") for n in self.evaluate]

    def validate(self) -> None:
        """Raise ValueError for what cannot be trained or evaluated."""
        from .evaluate import MODES
        from .text import TEMPLATES

        if not self.base_model:
            raise ValueError("base_model is missing: a folder or a name for from_pretrained.")
        positive = ("n_min", "batch_size", "groups", "evaluate_examples", "evaluate_batch")
        for name in (*positive, "steps", "pool", "candidates", "lora_rank"):
            if getattr(self, name) < (least := int(name in positive)):
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}.")
        if self.evaluate and min(self.evaluate) < 1:
            raise ValueError(f"evaluate must hold lengths of at least 1, not {min(self.evaluate)}.")
        if not 0 <= self.settle <= 1:
            raise ValueError(f"settle must be from 0 to 1, not {self.settle}: a share of the steps.")
        if self.n_max < self.n_min:
            raise ValueError(f"n_max {self.n_max} is below n_min {self.n_min}.")
        if self.batch_size % self.groups:
            raise ValueError(f"groups {self.groups} must divide batch_size {self.batch_size}.")
        choices = {"mixed_precision": PRECISIONS, "evaluate_mode": MODES, "template": TEMPLATES}
        for name, allowed in choices.items():
            if (value := getattr(self, name)) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {value!r}.{nearest(value, allowed)}")
        if self.pool and (self.lora_rank or not self.additions or not self.freeze):
            raise ValueError("a pool needs additions on a frozen base without LoRA.")
        if self.start_from and not self.additions:
            raise ValueError("start_from is a folder of additions: it needs additions: true.")
        if self.steps and not self.additions and self.freeze and not self.lora_rank:
            raise ValueError("nothing would train: no additions, no LoRA, and the base is frozen.")


def read_settings(path: str | None, given: dict[str, Any]) -> RetrofitTraining:
    """Settings of a YAML file, changed by those given.

    Raises:
        ValueError: a key that does not exist, a value that is refused, a file that is no mapping; OSError: no such
            file.
    """
    import yaml

    values: dict[str, Any] = {}
    if path is not None:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        if not isinstance(values, dict):
            raise ValueError(f"{path} must hold keys and values.")
    known = [f.name for f in fields(RetrofitTraining)]
    values |= given
    for key in values:
        if key not in known:
            raise ValueError(f"retrofit training has no setting {key!r}.{nearest(key, known)}")
    settings = RetrofitTraining(**values)
    settings.validate()
    return settings
