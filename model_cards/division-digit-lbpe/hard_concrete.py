"""Hard-concrete gates: L0 regularisation (Louizos et al. 2018, 1712.01312)."""

from __future__ import annotations

import math

import torch

LOWER, UPPER, TEMPERATURE = -0.1, 1.1, 0.66
SETTLED = 20.0  # a gate with this logit is open, with its negative shut, whatever the noise


def sample_gate(logits: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """A stochastic gate in [0, 1], with mass at both ends; the shape of `logits`."""
    noise = torch.rand(logits.shape, generator=generator, device=logits.device, dtype=torch.float32)
    noise = noise.clamp(1e-6, 1 - 1e-6)
    soft = torch.sigmoid((noise.log() - (-noise).log1p() + logits) / TEMPERATURE)
    return (soft * (UPPER - LOWER) + LOWER).clamp(0, 1)


def mean_gate(logits: torch.Tensor) -> torch.Tensor:
    """The deterministic gate of evaluation, in [0, 1]."""
    return (torch.sigmoid(logits) * (UPPER - LOWER) + LOWER).clamp(0, 1)


def open_probability(logits: torch.Tensor) -> torch.Tensor:
    """P(gate > 0); its sum is the expected number of open gates."""
    return torch.sigmoid(logits - TEMPERATURE * math.log(-LOWER / UPPER))
