"""Absolute position embeddings: a vector per position, added to the token embedding."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from transformers import initialization as init

from .position_base import Capabilities, PositionEmbedding
from .position_context import PositionContext
from .position_ids import per_example, require_full_input, training_generator


class NoPositionEmbedding(PositionEmbedding):
    """NoPE (2305.19466): positions enter through the causal mask alone. φ is one single value."""

    name = "none"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(extrapolates=True)


class LearnedEmbedding(PositionEmbedding):
    """A free vector for each of `max_position_embeddings` positions (1706.03762, section 3.5; BERT, GPT-2).

    φ(i, j) = j. Rows that training never visits keep their initial values.

    With `offset` = K > 0, training adds to all positions of an example one number drawn uniformly from 0, …, K, or
    as much of it as the table leaves, so that every row is visited (2109.05644, there with sinusoids). Evaluation
    begins at 0.
    """

    name = "learned"

    @dataclass(frozen=True)
    class Options:
        """`offset`: the largest random offset in training; 0 is none."""

        offset: int = 0

        def validate(self, config) -> None:
            if not 0 <= self.offset < config.max_position_embeddings:
                raise ValueError(
                    f"position option offset of 'learned' must be at least 0 and below max_position_embeddings = "
                    f"{config.max_position_embeddings}, not {self.offset}."
                )

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.noise_key: tuple[int, int] | None = None
        self.noise_rows: torch.Tensor | None = None
        self.max_positions = config.max_position_embeddings
        self.std = config.embedding_initializer_range
        self.weight = nn.Parameter(torch.empty(self.max_positions, config.hidden_size))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(learned_parameters=True)

    def init_weights(self) -> None:
        init.normal_(self.weight, mean=0.0, std=self.std)

    def make_ids(self, input_ids, position_ids):
        """(B, S) positions plus this step's offset of each example, in training with an offset.

        Raises:
            ValueError: in training with an offset, without the full input.
        """
        if not (self.training and self.options.offset):
            return None
        require_full_input(self.name, input_ids)
        room = min(self.options.offset, max(0, self.max_positions - position_ids.shape[1]))
        generator = training_generator(self.noise_key)
        offset = per_example(
            lambda k: torch.randint(room + 1, (k, 1), generator=generator), len(input_ids), self.noise_rows
        ).to(position_ids.device)
        return torch.where(position_ids >= 0, position_ids + offset, -1)

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
