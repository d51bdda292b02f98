"""The Scale Hint: checking the one a caller gives, and inferring it from the prompt."""

from __future__ import annotations

import torch


class ScaleHintError(ValueError):
    """A Scale Hint is missing, malformed, or contradicts the prompt."""


def check_rule(config) -> None:
    """Raise ValueError unless `config.scale_rule` is there where the hint is read off the prompt, and has an entry
    [start_token_id or None, end_token_id] for each of `config.num_scale_hints`."""
    rule = config.scale_rule
    if config.scale_hint == "prompt" and rule is None:
        raise ValueError("scale_hint='prompt' needs scale_rule: one [start_token_id, end_token_id] per hint.")
    if rule is None:
        return
    if len(rule) != config.num_scale_hints:
        raise ValueError(f"scale_rule has {len(rule)} entries for {config.num_scale_hints} Scale Hints.")
    for entry in rule:
        good = isinstance(entry, (list, tuple)) and len(entry) == 2 and isinstance(entry[1], int)
        if not good or not (entry[0] is None or isinstance(entry[0], int)):
            raise ValueError(f"scale_rule entry {entry!r} is not [start_token_id or None, end_token_id].")


def as_hint(scale_hint, batch: int, hints: int, device) -> torch.Tensor:
    """A caller's hint as a LongTensor (batch, hints).

    Args:
        scale_hint: integers of shape (batch,) for one hint, or (batch, hints).

    Raises:
        ScaleHintError: not integers, a wrong shape, or a value below 1.
    """
    hint = torch.as_tensor(scale_hint, device=device)
    if hint.is_floating_point() or hint.is_complex() or hint.dtype == torch.bool:
        raise ScaleHintError(f"scale_hint must hold integers, not {hint.dtype}.")
    if hint.dim() == 1 and hints == 1:
        hint = hint[:, None]
    if hint.shape != (batch, hints):
        allowed = f"({batch},) or ({batch}, 1)" if hints == 1 else f"({batch}, {hints})"
        raise ScaleHintError(f"scale_hint has shape {tuple(torch.as_tensor(scale_hint).shape)}; allowed: {allowed}.")
    if not torch.compiler.is_compiling() and bool((hint < 1).any()):
        raise ScaleHintError(f"scale_hint must be at least 1, not {int(hint.min())}.")
    return hint.long()


def first_occurrence(input_ids: torch.Tensor, token: int | None, left_pad: torch.Tensor) -> torch.Tensor:
    """(B,) physical index of a token's first occurrence behind the padding, which may be the same token; L where it
    does not occur. None: the first real token."""
    if token is None:
        return left_pad.expand(len(input_ids))
    real = torch.arange(input_ids.shape[1], device=input_ids.device) >= left_pad[:, None]
    found = (input_ids == token) & real
    return torch.where(found.any(-1), found.int().argmax(-1), input_ids.shape[1])


def has_delimiters(input_ids: torch.Tensor, rule: list[list[int | None]]) -> bool:
    """Every example shows every delimiter of the rule."""
    tokens = {token for entry in rule for token in entry if token is not None}
    return all(bool((input_ids == token).any(-1).all()) for token in tokens)


def read_scale(
    input_ids: torch.Tensor, left_pad: torch.Tensor, rule: list[list[int | None]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and delimiters that the prompt itself shows, by `config.scale_rule`.

    Args:
        input_ids: (B, L) the full input; left_pad: (B,) or (1,) padding tokens in front.
        rule: per hint (start token id, end token id); n is the number of tokens strictly between their first
            occurrences. A start of None is the first token.

    Returns:
        scale (B, hints), boundaries (B, hints, 2): logical positions of the two delimiters.

    Raises:
        ScaleHintError: a delimiter is missing, they stand in the wrong order, or nothing stands between them.
    """
    starts = torch.stack([first_occurrence(input_ids, start, left_pad) for start, _ in rule], -1)
    ends = torch.stack([first_occurrence(input_ids, end, left_pad) for _, end in rule], -1)
    scale = ends - starts - 1
    if not torch.compiler.is_compiling():
        length = input_ids.shape[1]
        for places, column in ((starts, 0), (ends, 1)):
            if bool((places >= length).any()):
                row, hint = (places >= length).nonzero()[0].tolist()
                raise ScaleHintError(
                    f"the scale cannot be read from example {row}: token {rule[hint][column]} of scale_rule "
                    f"{list(rule[hint])} does not occur in it."
                )
        if bool((scale < 1).any()):
            row, hint = (scale < 1).nonzero()[0].tolist()
            raise ScaleHintError(
                f"the scale read from example {row} by scale_rule {list(rule[hint])} is {int(scale[row, hint])}; "
                f"it must be at least 1."
            )
    boundaries = torch.stack((starts, ends), -1) - left_pad[:, None, None]
    return scale, boundaries


def resolve_scale(config, input_ids, left_pad, batch, device, scale_hint, scale_boundaries, needs_boundaries):
    """The Scale Hint and delimiters of one forward pass.

    Args:
        input_ids: (B, L) where the full input is known, else None (a cached step, `inputs_embeds`).
        scale_hint: the caller's hint or None; scale_boundaries: (B, hints, 2) handed on by generation, or None.
        needs_boundaries: the embedding reads `PositionContext.boundaries`.

    Returns:
        scale (B, hints) or None; boundaries (B, hints, 2) or None.

    Raises:
        ScaleHintError: a hint is given to a model without, missing, malformed, or contradicts the prompt.
    """
    if config.scale_hint == "none":
        if scale_hint is not None:
            raise ScaleHintError("this model was built with scale_hint='none'; it takes no scale_hint.")
        return None, None
    hint = None if scale_hint is None else as_hint(scale_hint, batch, config.num_scale_hints, device)
    if hint is None and config.scale_hint == "input":
        raise ScaleHintError("scale_hint is missing: this model was built with scale_hint='input', pass scale_hint=….")
    read = None
    rule = config.scale_rule
    # A given hint may come with the first piece of a prompt, whose delimiters are still to follow.
    if rule is not None and input_ids is not None and (hint is None or has_delimiters(input_ids, rule)):
        read, boundaries = read_scale(input_ids, left_pad, rule)
        scale_boundaries = boundaries if scale_boundaries is None else scale_boundaries
    if hint is None:
        if read is None:
            raise ScaleHintError(
                "scale_hint is missing, and without the full input_ids (a cached step or inputs_embeds) it cannot be "
                "read from the prompt: pass scale_hint=…."
            )
        hint = read
    elif read is not None and not torch.compiler.is_compiling() and bool((hint != read).any()):
        row = int((hint != read).any(-1).nonzero()[0])
        raise ScaleHintError(
            f"scale_hint {hint[row].tolist()} contradicts example {row} of the prompt, whose scale is "
            f"{read[row].tolist()} by config.scale_rule."
        )
    if needs_boundaries and scale_boundaries is None:
        raise ScaleHintError(
            "this model's relations read segments: pass the full input_ids, or scale_boundaries (batch, hints, 2)."
        )
    return hint, scale_boundaries if needs_boundaries else None


def check_characters(input_ids: torch.Tensor, config, unknown: bool = True) -> None:
    """Refuse token ids that training never saw.

    Args:
        unknown: look for `unk_token_id` too. An untrained model may write that token itself: what it wrote is then
            wrong, but no bad input.

    Raises:
        ValueError: an id is outside the vocabulary, or is `unk_token_id` (a character the tokenizer does not know).
    """
    if torch.compiler.is_compiling() or input_ids.numel() == 0:
        return
    low, high = int(input_ids.min()), int(input_ids.max())
    if low < 0 or high >= config.vocab_size:
        raise ValueError(f"token id {low if low < 0 else high} is outside the vocabulary of {config.vocab_size}.")
    if unknown and config.unk_token_id is not None and bool((input_ids == config.unk_token_id).any()):
        row, place = (input_ids == config.unk_token_id).nonzero()[0].tolist()
        raise ValueError(
            f"example {row} has a character that the tokenizer does not know, at token {place}; the vocabulary is "
            f"that of the task the model was trained on."
        )
