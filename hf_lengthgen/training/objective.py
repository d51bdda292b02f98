"""What is minimised, as one module, so that DistributedDataParallel sees every use of every parameter."""

from __future__ import annotations

import torch
from torch import nn


class Objective(nn.Module):
    """loss = cross-entropy per answer token + λ · expected open gates.

    The cross-entropy is divided by the number of answer tokens of the *global* batch, so that N processes,
    each with its share of the rows, step like one process with all of them (DistributedDataParallel averages
    gradients, hence the factor `world_size`).
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, batch: dict[str, torch.Tensor], share: torch.Tensor | float, penalty_weight: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`share`: this process's answer tokens · world_size / answer tokens of the global batch.

        Returns two scalars: what to differentiate, and the local mean cross-entropy (detached).
        """
        output = self.model(**batch)
        cross_entropy = output.loss
        total = cross_entropy * share
        if penalty_weight:
            total = total + penalty_weight * self.model.penalty()
        return total, cross_entropy.detach()


def answer_tokens(labels: torch.Tensor) -> torch.Tensor:
    """Number of supervised tokens in labels (B, L); the first column is never predicted."""
    return (labels[:, 1:] != -100).sum()
