"""PaTH: between key and query lie transformations that depend on what was read there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from transformers import initialization as init

from .position_base import Capabilities, PositionEmbedding
from .position_context import PositionContext


class HouseholderPathEmbedding(PositionEmbedding):
    """PaTH (2505.16381): score(i, j) = k_jᵀ H_{j+1} H_{j+2} … H_i q_i / sqrt(d), H_s = I - β_s w_s w_sᵀ.

    β_s = 2·sigmoid(linear), w_s of length one from a low-rank projection (`rank`), a causal convolution over `kernel`
    tokens per channel and SiLU. Per head. The product of all H between any key and any query has a closed form (the
    UT transform), so the score is q·k plus the bias

        -( lower(Q Wᵀ) (I + D·strictly_lower(W Wᵀ))⁻¹ D·strictly_lower(W Kᵀ) ) / sqrt(d),   D = diag(β),

    one triangular system, in float32. The projection before the convolution and β are cached beside the keys, and W
    is made from them again: cached steps are exact, but a step costs O(S²·d) where the authors' kernel, which keeps
    transformed keys, needs O(S·d). A forward pass costs O(S³).

    There is no Scale Hint: the transformations between a key and a shifted query before it would need inverses, which
    need not exist.
    """

    name = "path"
    per_layer = True
    square_tables = True

    @dataclass(frozen=True)
    class Options:
        """rank: of the projection that gives w; kernel: tokens that its convolution sees, itself included."""

        rank: int = 32
        kernel: int = 3

        def validate(self, config) -> None:
            for name in ("rank", "kernel"):
                if getattr(self, name) < 1:
                    raise ValueError(f"position option {name} of 'path' must be at least 1, not {getattr(self, name)}.")

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.head_dim = config.head_dim
        self.std = config.initializer_range
        self.down = nn.Linear(config.hidden_size, self.options.rank, bias=False)
        self.up = nn.Linear(self.options.rank, self.num_heads * self.head_dim, bias=False)
        self.mix = nn.Parameter(torch.empty(self.options.kernel, self.num_heads, self.head_dim))
        self.beta = nn.Linear(config.hidden_size, self.num_heads)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(learned_parameters=True)

    def init_weights(self) -> None:
        init.normal_(self.down.weight, mean=0.0, std=self.std)
        init.normal_(self.up.weight, mean=0.0, std=self.options.rank**-0.5)
        # The variance of PyTorch's own convolutions, which the authors' code uses.
        init.normal_(self.mix, mean=0.0, std=(3 * self.options.kernel) ** -0.5)
        init.normal_(self.beta.weight, mean=0.0, std=self.std)
        init.zeros_(self.beta.bias)

    def key_state(self, hidden: torch.Tensor, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, d + 1): the projection before its convolution, and the logit of β."""
        direction = self.up(self.down(hidden)).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        return torch.cat((direction, self.beta(hidden).transpose(1, 2)[..., None]), dim=-1)

    def directions(self, state: torch.Tensor, k_pos: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """w (B, H, S, d) of length one and β (B, H, S), float32; both zero in padding, where H is the identity.

        Args:
            state: (B, H, S, d + 1) as cached; k_pos: (B|1, S).
        """
        real = (k_pos >= 0)[:, None, :, None]
        state = torch.where(real, state.float(), 0.0)
        raw, keys = state[..., :-1], state.shape[2]
        mixed = torch.zeros_like(raw)
        for back, weight in enumerate(self.mix.float()):
            earlier = nn.functional.pad(raw, (0, 0, back, 0))[:, :, :keys]
            mixed = mixed + earlier * weight[None, :, None, :]
        mixed = nn.functional.silu(mixed)
        w = mixed * (mixed.square().sum(-1, keepdim=True) + 1e-6).rsqrt()
        beta = 2.0 * state[..., -1].sigmoid()
        return torch.where(real, w, 0.0), torch.where(real[..., 0], beta, 0.0)

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, S)."""
        w, beta = self.directions(state, ctx.k_pos)
        slots = torch.arange(k.shape[2], device=q.device)
        queries = slots[: q.shape[2]] + ctx.memo.get("query_offset", 0)
        before = slots[None, :] < slots[:, None]
        passed = slots[None, :] <= queries[:, None]

        # Kept finite where no one looks: padding and unwritten slots hold w = 0.
        seen = torch.matmul(q.float(), w.transpose(2, 3)).masked_fill(~passed, 0.0)
        system = beta[..., None] * torch.matmul(w, w.transpose(2, 3)).masked_fill(~before, 0.0)
        # solve_triangular takes the unit diagonal as given.
        undone = torch.linalg.solve_triangular(system, seen, upper=False, left=False, unitriangular=True)
        onto_keys = torch.matmul(w, k.float().transpose(2, 3)).masked_fill(~before, 0.0)
        removed = torch.matmul(undone * beta[:, :, None, :], onto_keys)
        return (-removed * q.shape[-1] ** -0.5).to(q.dtype)
