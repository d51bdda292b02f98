"""Exact match of a model at every length of a list, by greedy generation or in one forward pass."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from .answers import answer_scores
from .batching import default_batch_size
from .hard import HARD, with_hard
from .length_result import MODES, LengthResult
from .metrics import (
    IGNORE,
    align_left,
    error_histogram,
    exact_match,
    first_errors,
    right_tokens,
    teacher_forced,
)
from .scale import beyond_a_zero, scale_text

Scale = int | tuple[int, ...]
ERROR_BINS = 10

__all__ = ["LengthResult", "evaluate_lengths"]


def evaluate_lengths(
    model: Any,
    tokenizer: Any,
    task: Any,
    lengths: Sequence[Scale],
    examples: int = 100,
    *,
    mode: str = "generate",
    batch_size: int | None = None,
    seed: int = 1234,
    hard: float | None = HARD,
    progress: bool | Callable[[LengthResult], None] | None = None,
    stop_at_zero: bool = False,
    details: bool = False,
) -> list[LengthResult]:
    """How many examples of each length a model solves.

    An example is right if the whole answer is, `<eos>` included: cut short or running on is wrong.

    Args:
        model: a causal language model, such as LengthGenForCausalLM. It gets `scale_hint` if its config asks
            for one. It is put into evaluation mode for the time of the call.
        tokenizer: from `build_tokenizer(task)`.
        task: where the examples come from. Those of scale n depend on (seed, n) alone, not on the other
            lengths, the mode or the batch size.
        lengths: scales >= 1, in the order of evaluation; an int stands for all of the task's hints, a tuple
            has one entry per hint.
        examples: how many per length.
        mode: "generate": greedy decoding with a static cache. "teacher": the most likely token at every
            answer position, given the right ones before it, in one pass; the same exact match
            (`metrics.teacher_forced` says why).
        batch_size: examples at once; None: what a fixed memory budget holds (`batching.default_batch_size`).
        seed: of the examples, >= 0.
        hard: share of hard cases among the examples, so that models trained on different shares meet the same
            test; None: the task's own share.
        progress: True shows a bar that counts examples; a function is called with each LengthResult as soon
            as it is there.
        stop_at_zero: leave out what lies beyond a length at which nothing is right (`scale.beyond_a_zero`).
        details: in mode "generate", decode wrong answers to their end too, which takes longer, and report token
            accuracy, final answers and steps; an error in mode "teacher".

    Returns:
        One LengthResult per length, in the given order, but for those left out.

    Raises:
        ValueError: an empty list of lengths, a length that is repeated or not made of integers >= 1, examples
            or batch_size below 1, a length that the task has no rows of or the model no positions for, an unknown mode,
            a negative seed, details of a mode that writes no answers.
    """
    scales = _scales(task, lengths)
    for key, value, least in (("examples", examples, 1), ("batch_size", batch_size, 1), ("seed", seed, 0)):
        optional = key == "batch_size" and value is None
        if not optional and (isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least):
            raise ValueError(f"{key} must be an integer >= {least}, got {value!r}.")
    examples, seed = int(examples), int(seed)
    batch_size = None if batch_size is None else int(batch_size)
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}.")
    if details and mode != "generate":
        raise ValueError(f"details are of answers as the model writes them: they go with mode generate, not {mode}.")
    task = with_hard(task, hard)
    for scale in scales:  # a misfit is found before the work on the others
        check_scale(model, tokenizer, task, scale)

    results: list[LengthResult] = []
    bar = tqdm(total=examples * len(scales), unit="example", disable=progress is not True)
    with _evaluating(model), torch.inference_mode(), bar:
        for scale in scales:
            if stop_at_zero and beyond_a_zero(scale, results):
                continue
            result = _evaluate_scale(model, tokenizer, task, scale, examples, mode, batch_size, seed, bar, details)
            results.append(result)
            if callable(progress):
                progress(result)
    return results


def check_scale(model: Any, tokenizer: Any, task: Any, scale: tuple[int, ...]) -> None:
    """Draw a row of this scale and number its tokens.

    Raises:
        ValueError: the task has no row of it, or a table of the model's positions ends before it.
    """
    from ..data.encode import encode
    from ..data.tokenizer import character_table

    sample = task.sample(scale, 1, np.random.default_rng(0))
    if not hasattr(model, "model") or not hasattr(model.model, "check_positions"):
        return  # of another kind, such as a retrofitted one
    specials = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    row = encode(sample, character_table(tokenizer), *specials)
    devices = [model.device] if model.device.type == "cuda" else []
    try:
        with (
            _evaluating(model),
            torch.random.fork_rng(devices=devices),
        ):  # positions may be random: the evaluation draws what it drew
            model.model.check_positions(**{k: v for k, v in _inputs(model, row).items() if k != "attention_mask"})
    except ValueError as error:
        raise ValueError(f"n = {scale_text(scale)}: {error}") from None


def _scales(task: Any, lengths: Sequence[Scale]) -> list[tuple[int, ...]]:
    if isinstance(lengths, int | str) or not len(lengths):
        raise ValueError(f"lengths must be a list of at least one length, got {lengths!r}.")
    scales = [task.expand(tuple(n) if isinstance(n, list) else n) for n in lengths]
    for scale in scales:
        if scales.count(scale) > 1:
            raise ValueError(f"lengths holds {scale if len(scale) > 1 else scale[0]} more than once.")
    return scales


def _evaluate_scale(
    model: Any,
    tokenizer: Any,
    task: Any,
    scale: tuple[int, ...],
    examples: int,
    mode: str,
    batch_size: int | None,
    seed: int,
    bar: tqdm,
    details: bool,
) -> LengthResult:
    from ..data.encode import encode, encode_prompts
    from ..data.tokenizer import character_table

    start = time.perf_counter()
    table = character_table(tokenizer)
    bos, eos, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    samples = task.sample(scale, examples, np.random.default_rng([seed, *scale]))
    prompts, rows = encode_prompts(samples, table, bos, pad), encode(samples, table, bos, eos, pad)
    size = batch_size or default_batch_size(model, prompts["input_ids"].shape[1], rows["input_ids"].shape[1], mode)

    correct = right = total = 0
    errors = np.zeros(ERROR_BINS, dtype=np.int64)
    texts: list[str | None] = []
    bar.set_description(f"n = {scale_text(scale)}")
    for first in range(0, examples, size):
        part = slice(first, first + size)
        batch = {key: array[part] for key, array in rows.items()}
        target = align_left(batch["labels"])
        if mode == "generate":
            inputs = {key: array[part] for key, array in prompts.items()}
            written = _generate(model, inputs, target, eos, pad, to_the_end=details)
            exact = exact_match(written, target)
        else:
            predicted = _predict(model, batch)
            exact = teacher_forced(predicted, batch["labels"])
            written = align_left(np.where(batch["labels"][:, 1:] == IGNORE, IGNORE, predicted[:, :-1]))
        if details:
            texts += _texts(written, table, eos)
        right, total = right + int(right_tokens(written, target).sum()), total + int((target != IGNORE).sum())
        errors += error_histogram(first_errors(written, target), (target != IGNORE).sum(axis=1), ERROR_BINS)
        correct += int(exact.sum())
        bar.update(len(exact))
    bar.set_postfix(exact_match=f"{correct / examples:.1%}")
    accuracy = right / total if mode == "teacher" or details else None
    more: dict[str, Any] = {"first_errors": errors.tolist()}
    if details:
        more |= answer_scores(task, texts, samples.answer_strings())
    return LengthResult.of(list(scale), examples, correct, mode, time.perf_counter() - start, accuracy, **more)


def _texts(written: np.ndarray, table: np.ndarray, eos: int) -> list[str | None]:
    """Generated tokens as characters, up to `<eos>`; None where there is no `<eos>`, "?" for any other special one."""
    characters = np.full(int(max(table.max(), written.max(initial=0))) + 1, "?", dtype="U1")
    known = [code for code in range(256) if table[code] != table[0]]  # NUL is in no vocabulary
    characters[table[known]] = [chr(code) for code in known]
    texts: list[str | None] = []
    for row in written:
        ends = np.flatnonzero(row == eos)
        texts.append("".join(characters[row[: ends[0]]]) if len(ends) else None)
    return texts


def _predict(model: Any, batch: dict[str, np.ndarray]) -> np.ndarray:
    """The most likely next token at every position: (rows, length)."""
    inputs = _inputs(model, batch)
    return model(**inputs, use_cache=False).logits.argmax(-1).cpu().numpy()


def _generate(
    model: Any, batch: dict[str, np.ndarray], target: np.ndarray, eos: int, pad: int, to_the_end: bool
) -> np.ndarray:
    """What the model writes after the prompts, greedily: (rows, at most the target's width).

    to_the_end: wrong rows are decoded to their `<eos>` too, instead of to the first error.
    """
    from transformers import GenerationConfig, StaticCache, StoppingCriteriaList

    inputs = _inputs(model, batch)
    prompt, new = inputs["input_ids"].shape[1], target.shape[1]
    greedy = GenerationConfig(
        max_new_tokens=new,
        do_sample=False,
        num_beams=1,
        # A loaded model's generation_config fills in whatever is left open here.
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        min_new_tokens=0,
        eos_token_id=eos,
        pad_token_id=pad,
        # Every length has shapes of its own: on a GPU each would be compiled anew.
        disable_compile=True,
    )
    # `cache_implementation="static"` would never shrink the cache again after the longest length seen
    # (transformers 5), which breaks the memory budget of shorter lengths: so the cache is made here.
    cache = StaticCache(config=model.config, max_cache_len=prompt + new)
    written = model.generate(
        **inputs,
        generation_config=greedy,
        past_key_values=cache,
        stopping_criteria=StoppingCriteriaList([] if to_the_end else [_first_mistake(target, prompt, model.device)]),
    )
    return written[:, prompt:].cpu().numpy()


def _first_mistake(target: np.ndarray, prompt: int, device: torch.device) -> Any:
    """Ends each row at its first wrong token: the verdict is known then, and wrong answers cost little."""
    from transformers import StoppingCriteria

    wanted = torch.from_numpy(target).to(device)

    class FirstMistake(StoppingCriteria):
        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
            column = wanted[:, input_ids.shape[1] - prompt - 1]
            return (column != IGNORE) & (input_ids[:, -1] != column)

    return FirstMistake()


def _inputs(model: Any, batch: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    keys = ["input_ids", "attention_mask"]
    if getattr(model.config, "scale_hint", "none") != "none":
        keys.append("scale_hint")
    return {key: torch.from_numpy(np.ascontiguousarray(batch[key])).to(model.device) for key in keys}


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Evaluation mode inside; afterwards every module has the training flag it had."""
    flags = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in flags:
            module.training = training
