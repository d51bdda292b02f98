"""Position ids other than 0, 1, 2, …: drawn anew at each training step, or fixed for good by a seed."""

from __future__ import annotations

from collections.abc import Callable

import torch

# Gaps of floating-point ids are whole multiples of 1 / UNIT: their sums are exact however they are added up, and
# distinct in float32 up to 2^24 / UNIT = 16,384.
UNIT = 2**10


def training_generator(noise_key: tuple[int, int] | None, device="cpu") -> torch.Generator | None:
    """The generator of this step's draws.

    Args:
        noise_key: (seed, step) from `set_gate_noise`: the draws are then the same on every process and after every
            resume. None: torch's global generator.
    """
    if noise_key is None:
        return None
    seed, step = noise_key
    return torch.Generator(device=device).manual_seed((seed * 1_000_003 + step) * 1_009 % 2**63)


def per_example(draw: Callable[[int], torch.Tensor], count: int, rows: torch.Tensor | None) -> torch.Tensor:
    """(count, …) one draw per example, `draw(k)` giving those of k examples, a prefix of those of more.

    Args:
        rows: the examples' numbers in the whole batch, from `set_gate_noise`: each then has the draw that it has
            where the batch is not divided. None: 0, 1, 2, ….
    """
    return draw(count) if rows is None else draw(int(rows.max()) + 1)[rows]


def require_full_input(name: str, input_ids) -> None:
    """In training mode ids are drawn where a sequence begins; a later piece of it could not know them.

    Raises:
        ValueError: `input_ids` is None: a cached step, or `inputs_embeds`.
    """
    if input_ids is None:
        raise ValueError(
            f"in training mode {name!r} draws new positions at every forward pass over full input_ids; a cached step "
            f"or inputs_embeds needs model.eval()."
        )


def hashed(positions: torch.Tensor, seed: int) -> torch.Tensor:
    """Pseudo-random integers in [0, 2^32), a function of (position, seed) alone: the same on every device, for every
    length. A 32-bit mixer (multiply, shift, exclusive or) in 64-bit integers.

    Args:
        positions: non-negative integers of any shape.
    """
    mask = 0xFFFFFFFF
    x = (positions + 0x9E3779B9 * (seed % 2**31 + 1)) & mask
    for factor, shift in ((0x7FEB352D, 15), (0x846CA68B, 16)):
        x = x ^ (x >> 16)
        x = (x * factor) & mask
        x = x ^ (x >> shift)
    return x


def seeded_ids(count: int, gap: float, seed: int, device, whole: bool) -> torch.Tensor:
    """(count,) increasing ids: the cumulative sum of seeded positive gaps. The first k ids are the same for every
    count ≥ k, so that a cached prefix keeps its ids.

    Args:
        gap: mean gap. Whole ids: gaps are uniform on 1, …, 2·gap - 1, the first id is its gap - 1. Otherwise they are
            uniform on (0, 2·gap] in steps of 2^-10.
    """
    values = hashed(torch.arange(count, device=device), seed)
    if whole:
        return (1 + (values * (2 * int(gap) - 1) >> 32)).cumsum(0) - 1
    steps = int(2 * gap * UNIT)
    return (1 + (values * steps >> 32)).cumsum(0).float() / UNIT


def place(table: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """(B|1, S) the table's entry at each position; -1 where the position is -1.

    Args:
        table: (S,) an id for each position 0, …, S - 1; positions: (B|1, S) integers ≥ -1.
    """
    return torch.where(positions >= 0, table[positions.clamp(min=0)], -1)
