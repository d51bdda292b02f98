"""LoRA (2106.09685) on the base, alone or beside additions, by the package peft."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = "lora"  # of its own: the Auto classes would take a folder with an adapter_config.json for an adapter


def add_lora(base: Any, settings: Any) -> None:
    """LoRA inside the base, in place. Its own weights stop training, and parameters outside of it go on.

    Args:
        base: the causal LM; settings: a RetrofitTraining, of which lora_rank, lora_targets and seed are read.

    Raises:
        ValueError: peft is not installed, or no module has such a name.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise ValueError("lora_rank needs the package peft: pip install peft.") from None
    import torch

    from ..training.build import keyed_seed, own_generator

    config = LoraConfig(r=settings.lora_rank, lora_alpha=2 * settings.lora_rank, target_modules=settings.lora_targets)
    with own_generator():
        torch.manual_seed(keyed_seed(settings.seed, "lora"))
        inject_adapter_in_model(config, base)


def lora_parameters(model: Any) -> list:
    """The weights that LoRA trains."""
    return [p for name, p in model.named_parameters() if "lora_" in name and p.requires_grad]


def save_lora(base: Any, folder: Path) -> None:
    """Write `adapter_config.json` and `adapter_model.safetensors`, which `PeftModel.from_pretrained(base, …)` reads."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"base_model.model.{k}": v.cpu().contiguous() for k, v in get_peft_model_state_dict(base).items()}
    temporary = folder / ".tmp-adapter_model.safetensors"
    save_file(tensors, temporary, metadata={"format": "pt"})
    temporary.replace(folder / "adapter_model.safetensors")
    base.peft_config["default"].save_pretrained(folder)


def load_lora(base: Any, folder: Path) -> Any:
    """The base with the LoRA of a folder merged into its weights.

    Raises:
        ValueError: peft is not installed, or the folder's LoRA is not this base's.
    """
    try:
        from peft import PeftModel
    except ImportError:
        raise ValueError(f"{folder.name} holds a LoRA, which needs the package peft: pip install peft.") from None
    try:
        return PeftModel.from_pretrained(base, str(folder)).merge_and_unload()
    except (RuntimeError, ValueError, KeyError, json.JSONDecodeError) as problem:
        raise ValueError(f"{folder} holds no LoRA of this base: {' '.join(str(problem).split())[:200]}") from problem
