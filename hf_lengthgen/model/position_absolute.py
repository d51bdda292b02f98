"""Absolute position embeddings: a vector per position, added to the token embedding."""

from __future__ import annotations

import math

import torch
from torch import nn
from transformers import initialization as init

from .position_base import Capabilities, PositionEmbedding
from .position_context import PositionContext


class NoPositionEmbedding(PositionEmbedding):
    """NoPE (2305.19466): positions enter through the causal mask alone. φ is one single value."""

    name = "none"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(extrapolates=True)


class LearnedEmbedding(PositionEmbedding):
    """A free vector for each of `max_position_embeddings` positions (1706.03762, section 3.5; BERT, GPT-2).

    φ(i, j) = j. Rows that training never visits keep their initial values.
    """

    name = "learned"

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.max_positions = config.max_position_embeddings
        self.std = config.embedding_initializer_range
        self.weight = nn.Parameter(torch.empty(self.max_positions, config.hidden_size))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(learned_parameters=True)

    def init_weights(self) -> None:
        init.normal_(self.weight, mean=0.0, std=self.std)

    def embed(self, ctx: PositionContext) -> torch.Tensor:
        """(B|1, T, hidden).

        Raises:
            ValueError: the input is longer than `max_position_embeddings`.
        """
        if not torch.compiler.is_compiling() and ctx.q_ids.numel() and int(ctx.q_ids.max()) >= self.max_positions:
            raise ValueError(
                f"position {int(ctx.q_ids.max())} is beyond the {self.max_positions} rows of the learned position "
                f"embedding; build the model with a larger max_position_embeddings."
            )
        return self.weight[ctx.q_ids.clamp(min=0)]


class SinusoidalEmbedding(PositionEmbedding):
    """Fixed sines and cosines (1706.03762, section 3.5): dimensions 2m and 2m + 1 hold sin and cos of
    p / 10000^(2m / hidden)."""

    name = "sinusoidal"

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.hidden_size = config.hidden_size

    def embed(self, ctx: PositionContext) -> torch.Tensor:
        """(B|1, T, hidden), float32; computed from the positions, so no length is out of range."""
        half = (self.hidden_size + 1) // 2
        exponent = torch.arange(half, device=ctx.q_ids.device, dtype=torch.float32) * (2 / self.hidden_size)
        angles = ctx.q_ids[..., None].float() * torch.exp(-math.log(10000.0) * exponent)
        return torch.stack((angles.sin(), angles.cos()), -1).flatten(-2)[..., : self.hidden_size]
