"""Ids that follow the structure of the input, read off its tokens."""

from __future__ import annotations

import torch


def run_ids(member: torch.Tensor) -> torch.Tensor:
    """(B, L) the place, from 1, of each member in its run of consecutive members; 0 elsewhere.

    Args:
        member: (B, L) bool.
    """
    index = torch.arange(member.shape[1], device=member.device)
    before = torch.where(member, -1, index).cummax(-1).values
    return torch.where(member, index - before, 0)


def coupled_ids(
    input_ids: torch.Tensor, positions: torch.Tensor, bos: int | None, delimiters: list[int], backward: list[bool]
) -> torch.Tensor:
    """(B, L) ids that restart in every segment: 1 on a delimiter, then 2, 3, … away from the delimiter in front or,
    in a segment counted backward, from the one behind; 0 on <bos> and before.

    Args:
        input_ids: (B, L); positions: (B|1, L) logical positions, -1 in front of the first token.
        bos: token id that opens segment 0, if the input begins with it.
        delimiters: token ids; delimiter s closes segment s, at its first occurrence behind delimiter s - 1.
        backward: per segment, counted from its end; empty: none is.

    Raises:
        ValueError: a segment is counted backward whose end is not in the input.
    """
    length = input_ids.shape[1]
    index = torch.arange(length, device=input_ids.device)
    first = positions == 0
    opening = first & (input_ids == bos) if bos is not None else torch.zeros_like(first)
    # The slot of <bos>, or the one before the first token.
    start = (first.int().argmax(-1) - 1 + opening.any(-1).int())[:, None].expand(len(input_ids), 1)
    ids = torch.zeros_like(input_ids)
    for segment in range(len(delimiters) + 1):
        end = torch.full_like(start, length)
        if segment < len(delimiters):
            found = (input_ids == delimiters[segment]) & (index > start)
            end = torch.where(found.any(-1, keepdim=True), found.int().argmax(-1, keepdim=True), length)
        count = index - start
        if backward and backward[segment]:
            if not torch.compiler.is_compiling() and bool((end >= length).any()):
                row = int((end >= length).nonzero()[0, 0])
                raise ValueError(
                    f"segment {segment} is counted from its end, but token {delimiters[segment]}, which closes it, "
                    f"does not occur in example {row}."
                )
            count = end - index
        ids = torch.where((index > start) & (index < end), 1 + count, ids)
        ids = torch.where((index == end) & (end < length), 1, ids)
        start = end
    return ids
