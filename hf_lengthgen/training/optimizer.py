"""AdamW in three groups: decayed, not decayed (norms, biases), gates (own learning rate, not decayed)."""

from __future__ import annotations

import torch
from torch import nn

from .arguments import TrainingConfig


def build_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """Each group carries `peak`, its peak learning rate; before every step lr = peak · schedule(step)."""
    gates = {id(p) for p in model.gate_parameters()}
    norms = {
        id(p)
        for module in model.modules()
        if "norm" in type(module).__name__.lower()
        for p in module.parameters(recurse=False)
    }
    decayed, plain, gated = [], [], []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if id(parameter) in gates:
            gated.append(parameter)
        elif parameter.ndim < 2 or id(parameter) in norms or "bias" in name.rsplit(".", 1)[-1]:
            plain.append(parameter)
        else:
            decayed.append(parameter)
    groups = [
        {"params": decayed, "peak": config.learning_rate, "weight_decay": config.weight_decay},
        {"params": plain, "peak": config.learning_rate, "weight_decay": 0.0},
        {"params": gated, "peak": config.gate_learning_rate, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(config.adam_beta1, config.adam_beta2))


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
