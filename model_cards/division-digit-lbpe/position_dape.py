"""DAPE: a relative bias made to depend on the attention scores it is added to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import initialization as init

from .position_base import Capabilities, PositionEmbedding
from .position_context import PositionContext
from .position_parts import build_part, check_part, part_class

# Hidden activations over (queries, keys) made at once: long inputs go through the network in blocks of queries.
_BLOCK = 2**25


class DataAdaptiveEmbedding(PositionEmbedding):
    """DAPE (2405.14722) and DAPE V2 (2410.04798): score(i, j) = A(i, j) + B(i, j) + f(A, B)(i, j).

    A (H heads) are the scaled scores q·k, B the bias of a base embedding, f a network over the heads: concatenated
    2H → `width`, LeakyReLU, `width` → H. With `kernel` 1 it sees one pair (i, j) at a time (DAPE). With an odd kernel
    > 1 both layers are convolutions over neighbouring keys (DAPE V2). With base 'none' f sees A alone.

    V2 zeroes the future before the first convolution only; the hidden activations it leaves there reach the second,
    and they depend on how many keys there are. Here both layers see zeros at every key that the query does not see
    (future, padding, unwritten cache), so that cached and padded runs equal the full one.

    With a Scale Hint, B is the base's shifted bias.
    """

    name = "dape"
    per_layer = True
    takes_scale_hint = True

    @dataclass(frozen=True)
    class Options:
        """base, base_options: the embedding that gives B; kernel: 1 or an odd number; width: of the hidden layer."""

        base: str = "kerple"
        base_options: dict[str, Any] | None = None
        kernel: int = 1
        width: int = 32

        def validate(self, config) -> None:
            check_part(config, "dape", self.base, self.base_options, shared=False)
            base = None if self.base == "none" else part_class(config, self.base, self.base_options)
            if config.scale_hint != "none" and (base is None or not base.takes_scale_hint):
                raise ValueError(f"'dape' takes a Scale Hint through its base, which {self.base!r} does not use.")
            if self.kernel < 1 or self.kernel % 2 == 0:
                raise ValueError(f"position option kernel of 'dape' must be odd and positive, not {self.kernel}.")
            if self.width < 1:
                raise ValueError(f"position option width of 'dape' must be at least 1, not {self.width}.")

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.base = build_part(config, self.options.base, self.options.base_options, layer_idx)
        features = self.num_heads * (1 if self.base is None else 2)
        shape = dict(kernel_size=(1, self.options.kernel), padding=(0, self.options.kernel // 2))
        self.hidden = nn.Conv2d(features, self.options.width, **shape)
        self.out = nn.Conv2d(self.options.width, self.num_heads, **shape)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(learned_parameters=True, export=False)

    def init_weights(self) -> None:
        for layer in (self.hidden, self.out):
            # The variance of PyTorch's own initialisation, which the paper's code uses.
            init.normal_(layer.weight, mean=0.0, std=(3 * layer.in_channels * self.options.kernel) ** -0.5)
            init.zeros_(layer.bias)

    def refine(self, scores: torch.Tensor, base: torch.Tensor | None, visible: torch.Tensor) -> torch.Tensor:
        """f(A, B).

        Args:
            scores: (B, H, T, S) A; base: (B|1, H|1, T, S) B or None; visible: (B|1, 1|H, T, S) bool.

        Returns:
            (B, H, T, S).
        """
        features = scores.masked_fill(~visible, 0.0)
        if base is not None:
            base = base.to(scores.dtype).expand_as(scores).masked_fill(~visible, 0.0)
            features = torch.cat((features, base), dim=1)
        hidden = nn.functional.leaky_relu(self.hidden(features))
        return self.out(hidden.masked_fill(~visible.any(1, keepdim=True), 0.0))

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, S): B + f(A, B)."""
        scores = torch.matmul(q, k.transpose(2, 3)) * q.shape[-1] ** -0.5
        base = None if self.base is None else self.base.bias(q, k, state, ctx)
        batch, _, queries, keys = scores.shape
        rows = max(1, _BLOCK // (batch * keys * self.options.width))
        blocks = []
        for start in range(0, queries, rows):
            part = slice(start, start + rows)
            below = None if base is None else base[:, :, part]
            blocks.append(self.refine(scores[:, :, part], below, ctx.visible[:, :, part]))
        refined = torch.cat(blocks, dim=2)
        return refined if base is None else refined + base
