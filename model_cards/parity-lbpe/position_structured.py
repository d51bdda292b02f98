"""Absolute embeddings whose ids follow the structure of the input: Abacus and position coupling.

The structure is declared in the options. Ids are read off the full input; a cached step is given them as
`position_structure_ids`, which `generate` makes from all tokens so far.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import initialization as init

from .position_base import Capabilities, PositionEmbedding
from .position_context import PositionContext
from .position_ids import per_example, require_full_input, training_generator
from .position_parts import build_part, check_part
from .structure import coupled_ids, run_ids

DIRECTIONS = ("forward", "backward")


def _check_tokens(name: str, option: str, tokens, config) -> None:
    """ValueError unless the option lists different token ids of the vocabulary."""
    good = all(isinstance(t, int) and not isinstance(t, bool) and 0 <= t < config.vocab_size for t in tokens)
    if not good or len(set(tokens)) < len(tokens):
        raise ValueError(
            f"position option {option} of {name!r} must list different token ids in 0..{config.vocab_size - 1}, "
            f"not {list(tokens)}."
        )


def _check_shared(name: str, options, config) -> None:
    check_part(config, name, options.base, options.base_options, rotary=True)
    if options.max_offset is not None and options.max_offset < 0:
        raise ValueError(f"position option max_offset of {name!r} must be at least 0, not {options.max_offset}.")


class StructuredEmbedding(PositionEmbedding):
    """A free vector for each id, added to the token embedding; φ(i, j) = id(j). Id 0 is outside of the structure.

    There are `max_position_embeddings` rows. In training a random offset, one per example, is added to all ids but 0,
    uniform on 0..max_offset as far as the rows reach (max_offset None: as far as they reach), so that the rows of
    long inputs are trained on short ones. With `set_gate_noise` the offsets are a function of (seed, step).

    A relative or rotary `base` may run beside it on ordinary positions (Abacus was published with FIRE and RoPE).
    """

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.rows = config.max_position_embeddings
        self.bos, self.pad = config.bos_token_id, config.pad_token_id
        self.std = config.embedding_initializer_range
        self.noise_key: tuple[int, int] | None = None
        self.noise_rows: torch.Tensor | None = None
        self.weight = nn.Parameter(torch.empty(self.rows, config.hidden_size))
        self.base = build_part(config, self.options.base, self.options.base_options, layer_idx)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(structured_ids=True, learned_parameters=True)

    def init_weights(self) -> None:
        init.normal_(self.weight, mean=0.0, std=self.std)

    @property
    def declared(self) -> bool:
        """The options say what the structure is; otherwise every id is 0."""
        raise NotImplementedError

    def structure(self, input_ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """(B, L) ids of the full input, 0 outside of the structure.

        Args:
            input_ids: (B, L); positions: (B|1, L) logical positions, -1 in front of the first token.
        """
        raise NotImplementedError

    def make_ids(self, input_ids, position_ids) -> torch.Tensor:
        """(B|1, S) ids of all slots, -1 in padding in front and in slots not yet written.

        Raises:
            ValueError: a structure is declared, and the full input is not given.
        """
        if not self.declared:
            return position_ids.clamp(max=0)
        if input_ids is None:
            raise ValueError(
                f"{self.name!r} numbers tokens by the structure of the full input_ids; a cached step or inputs_embeds "
                f"needs position_structure_ids (batch, past + new tokens), which model.generate() makes by itself."
            )
        length = input_ids.shape[1]
        positions = position_ids[:, :length]
        ids = self.structure(input_ids, positions)
        if self.pad is not None:
            ids = torch.where(input_ids == self.pad, 0, ids)
        ids = torch.where(positions >= 0, ids, -1)
        return nn.functional.pad(ids, (0, position_ids.shape[1] - length), value=-1)

    def _offsets(self, ids: torch.Tensor) -> torch.Tensor:
        """(B, 1) how far each example's ids are moved in training."""
        room = (self.rows - 1 - ids.max(-1, keepdim=True).values).clamp(min=0)
        if self.options.max_offset is not None:
            room = room.clamp(max=self.options.max_offset)
        generator = training_generator(self.noise_key)
        share = per_example(lambda k: torch.rand(k, 1, generator=generator), len(room), self.noise_rows).to(ids.device)
        return torch.minimum((share * (room + 1)).long(), room)

    def embed(self, ctx: PositionContext) -> torch.Tensor:
        """(B|1, T, hidden).

        Raises:
            ValueError: an id is beyond `max_position_embeddings`; a cached step in training mode.
        """
        ids = ctx.q_ids.clamp(min=0)
        if not torch.compiler.is_compiling() and ids.numel() and int(ids.max()) >= self.rows:
            raise ValueError(
                f"id {int(ids.max())} is beyond the {self.rows} rows of the {self.name!r} embedding; build the model "
                f"with a larger max_position_embeddings."
            )
        if self.training:
            require_full_input(self.name, None if ctx.memo.get("query_offset") else ids)
            ids = torch.where(ids > 0, ids + self._offsets(ids), 0)
        return self.weight[ids]

    # -- the base runs on positions, not on ids --------------------------------------------------------------------

    def _plain(self, ctx: PositionContext) -> PositionContext:
        if "plain_context" not in ctx.memo:
            ctx.memo["plain_context"] = dataclasses.replace(ctx, q_ids=ctx.q_pos, k_ids=ctx.k_pos)
        return ctx.memo["plain_context"]

    def rotate_query(self, q, ctx: PositionContext) -> torch.Tensor:
        return q if self.base is None else self.base.rotate_query(q, self._plain(ctx))

    def rotate_key(self, k, ids, ctx: PositionContext) -> torch.Tensor:
        return k if self.base is None else self.base.rotate_key(k, ctx.q_pos, self._plain(ctx))

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor | None:
        return None if self.base is None else self.base.bias(q, k, state, self._plain(ctx))


class AbacusEmbedding(StructuredEmbedding):
    """Abacus (2405.17399): a digit's id is its place in its number, 1, 2, 3, … from the number's first digit; all
    other tokens have id 0. Digits of equal significance share a vector where numbers are written least significant
    digit first, as in the paper. In training ids start at 1 + k, k uniform on 0..max_offset (the paper's code: one k
    per batch; here one per example).

    Options:
        digit_tokens: the token ids of the digits; none: no token is a digit.
    """

    name = "abacus"

    @dataclass(frozen=True)
    class Options:
        digit_tokens: list[int] | tuple[int, ...] = ()
        max_offset: int | None = 99
        base: str = "none"
        base_options: dict[str, Any] | None = None

        def validate(self, config) -> None:
            _check_shared("abacus", self, config)
            _check_tokens("abacus", "digit_tokens", self.digit_tokens, config)

    @property
    def declared(self) -> bool:
        return bool(self.options.digit_tokens)

    def structure(self, input_ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        digits = torch.tensor(list(self.options.digit_tokens), device=input_ids.device)
        return run_ids(torch.isin(input_ids, digits) & (positions >= 0))


class CouplingEmbedding(StructuredEmbedding):
    """Position coupling (2405.20671): tokens that belong together across segments share an id, such as the digits of
    equal significance of both operands and the sum.

    The input is cut into segments by its delimiters, in their order: segment 0 follows <bos>, segment s the first
    occurrence of delimiter s behind delimiter s - 1. A segment counted forward gives its tokens 2, 3, 4, … from its
    beginning; one counted backward from its end, so that the token before its closing delimiter has 2 (operands
    written most significant digit first). Delimiters have id 1 as in the paper's code, <bos> and padding 0. The last
    segment, the answer, is counted forward.

    In training all ids but 0 are moved by a random start per example, as far as the rows reach (max_offset None), as
    in the paper.

    Options:
        delimiters: token ids, in order; none: every id is 0.
        directions: 'forward' or 'backward' per segment, one more than delimiters; none: all forward.
    """

    name = "coupling"

    @dataclass(frozen=True)
    class Options:
        delimiters: list[int] | tuple[int, ...] = ()
        directions: list[str] | tuple[str, ...] = ()
        max_offset: int | None = None
        base: str = "none"
        base_options: dict[str, Any] | None = None

        def validate(self, config) -> None:
            _check_shared("coupling", self, config)
            _check_tokens("coupling", "delimiters", self.delimiters, config)
            if not self.directions:
                return
            if any(d not in DIRECTIONS for d in self.directions) or len(self.directions) != len(self.delimiters) + 1:
                raise ValueError(
                    f"position option directions of 'coupling' must have one of {', '.join(DIRECTIONS)} for each of "
                    f"{len(self.delimiters) + 1} segments, not {list(self.directions)}."
                )
            if self.directions[-1] != "forward":
                raise ValueError("position option directions of 'coupling': the last segment has no end to count from.")

    @property
    def capabilities(self) -> Capabilities:
        return dataclasses.replace(super().capabilities, export=not self.declared)  # ids are found row by row

    @property
    def declared(self) -> bool:
        return bool(self.options.delimiters)

    def structure(self, input_ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        backward = [direction == "backward" for direction in self.options.directions]
        return coupled_ids(input_ids, positions, self.bos, list(self.options.delimiters), backward)
