"""Which examples of a batch have a Scale Hint, and which one.

An example without a hint is served by the base alone.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from ..model.scale_hint import ScaleHintError, as_hint, first_occurrence


class Hints(NamedTuple):
    """Scale Hints of a batch.

    Attributes:
        scale: (B, hints), 1 where the example has none; or None for a model that takes no hint.
        boundaries: (B, hints, 2) logical positions of the delimiters, or None.
        active: (B,) bool, the example has a hint; None: every one has.
    """

    scale: torch.Tensor | None
    boundaries: torch.Tensor | None
    active: torch.Tensor | None


def read_hints(input_ids: torch.Tensor, left_pad: torch.Tensor, rule: list) -> Hints:
    """The hints that the prompts show: an example with all delimiters of the rule, in order and with tokens between
    them, has one.

    Args:
        input_ids: (B, L) the full input; left_pad: (B|1,) padding tokens in front.
        rule: per hint (start token id or None for the place in front of the first token, end token id).
    """
    starts = [
        left_pad.expand(len(input_ids)) - 1 if s is None else first_occurrence(input_ids, s, left_pad) for s, _ in rule
    ]
    ends = [first_occurrence(input_ids, end, left_pad) for _, end in rule]
    starts, ends = torch.stack(starts, -1), torch.stack(ends, -1)
    scale = ends - starts - 1
    length = input_ids.shape[1]
    active = ((starts < length) & (ends < length) & (scale >= 1)).all(-1)
    boundaries = torch.stack((starts, ends), -1) - left_pad[:, None, None]
    return Hints(torch.where(active[:, None], scale, 1), boundaries, active)


def given_hints(scale_hint, batch: int, hints: int, device) -> Hints:
    """A caller's hints (B,) or (B, hints); 0 says that the example has none.

    Raises:
        ScaleHintError: not integers, a wrong shape, a negative value.
    """
    given = torch.as_tensor(scale_hint, device=device)
    if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
        as_hint(given, batch, hints, device)  # says what is wrong
    scale = as_hint(torch.where(given == 0, 1, given), batch, hints, device)
    active = (given.reshape(batch, hints) != 0).all(-1)
    return Hints(scale, None, active)


def resolve_hints(config, input_ids, left_pad, batch: int, device, scale_hint) -> Hints | None:
    """The hints at the beginning of a sequence; None where the additions are silent for the whole batch.

    Args:
        config: a RetrofitConfig.
        input_ids: (B, L) or None (`inputs_embeds`).

    Raises:
        ScaleHintError: a hint for a model without, a malformed one, or one that contradicts the prompt.
    """
    if config.scale_hint == "none":
        if scale_hint is not None:
            raise ScaleHintError("this model was built with scale_hint='none'; it takes no scale_hint.")
        return Hints(None, None, None)
    rule = config.scale_rule
    read = None if rule is None or input_ids is None else read_hints(input_ids, left_pad, rule)
    if scale_hint is None:
        hints = read if config.scale_hint == "prompt" else None
    else:
        hints = given_hints(scale_hint, batch, config.num_scale_hints, device)
        if read is not None:
            wrong = hints.active & read.active & (hints.scale != read.scale).any(-1)
            if bool(wrong.any()):
                row = int(wrong.nonzero()[0])
                raise ScaleHintError(
                    f"scale_hint {hints.scale[row].tolist()} contradicts example {row} of the prompt, whose scale is "
                    f"{read.scale[row].tolist()} by config.scale_rule."
                )
            hints = hints._replace(boundaries=read.boundaries)
    return None if hints is None or not bool(hints.active.any()) else hints
