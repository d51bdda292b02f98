"""Exact match per length of a model with a text tokenizer, as for our own models."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from ..evaluation.length_result import LengthResult
from ..evaluation.metrics import align_left, exact_match, teacher_forced

MODES = ("generate", "teacher")


def evaluate_text(
    model: Any,
    codec: Any,
    lengths: list[int],
    examples: int = 32,
    mode: str = "teacher",
    batch_size: int = 8,
    seed: int = 0,
    give_hint: bool = True,
) -> list[LengthResult]:
    """One LengthResult per length: greedy exact match of the whole answer, <eos> included.

    Args:
        model: a retrofitted model, or any causal LM with `give_hint=False`; codec: a TextCodec.
        mode: 'generate', or 'teacher': one pass over the right answer, which gives the same number.

    Raises:
        ValueError: an unknown mode.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, not {mode!r}.")
    was_training = model.training
    model.eval()
    results = []
    try:
        with torch.no_grad():
            for n in lengths:
                start = time.perf_counter()
                scale = codec.task.expand(n)
                samples = codec.task.sample(scale, examples, np.random.default_rng([seed, *scale]))
                right = sum(
                    _score(model, codec, samples[first : first + batch_size], mode, give_hint)
                    for first in range(0, examples, batch_size)
                )
                results.append(LengthResult.of(list(scale), examples, right, mode, time.perf_counter() - start))
    finally:
        model.train(was_training)
    return results


def _score(model: Any, codec: Any, samples: Any, mode: str, give_hint: bool) -> int:
    rows = codec.rows(samples)
    target = align_left(rows["labels"])
    arrays = codec.prompts(samples) if mode == "generate" else rows
    keys = ["input_ids", "attention_mask", *(["scale_hint"] if give_hint else [])]
    inputs = {key: torch.from_numpy(arrays[key]).to(model.device) for key in keys}
    if mode == "teacher":
        first = int((rows["labels"] != -100).argmax(-1).min())
        labels = rows["labels"][:, first - 1 :]  # logits of the prompt would cost more than the model does
        predicted = model(**inputs, use_cache=False, logits_to_keep=labels.shape[1]).logits.argmax(-1).cpu().numpy()
        return int(teacher_forced(predicted, labels).sum())
    written = model.generate(
        **inputs, max_new_tokens=target.shape[1], do_sample=False, eos_token_id=codec.eos, pad_token_id=codec.pad
    )
    return int(exact_match(written[:, inputs["input_ids"].shape[1] :].cpu().numpy(), target).sum())
