"""Checks that every task must pass; a task's test file calls them with its options and scales."""

import hashlib
import re

import numpy as np

from hf_lengthgen.tasks import Samples, Task

BOS, EOS, NOTHING = 1, 2, -1  # codes that are no printable character


def assert_answers_right(task: Task, scales, count: int = 200) -> None:
    """The sampler agrees with the oracle, on easy and hard rows; lengths and scales are as declared."""
    for hard in (0.0, 1.0):
        drawing = type(task)(**{**task.options, "hard": hard})
        for scale in scales:
            samples = drawing.sample(scale, count, np.random.default_rng([7, *task.expand(scale)]))
            assert samples.prompts.dtype == samples.answers.dtype == np.uint8
            assert samples.scales.dtype == np.int64
            assert samples.prompts.all() and samples.answers.all(), "fixed-width tasks have no padding"
            assert (samples.prompts.shape[1], samples.answers.shape[1]) == task.lengths(scale)
            for prompt, answer, hint in zip(
                samples.prompt_strings(), samples.answer_strings(), samples.scales, strict=True
            ):
                assert task.answer(prompt) == answer
                assert task.scale_of(prompt) == tuple(hint) == task.expand(scale)
                assert set(prompt + answer) <= set(task.vocabulary)


def digest(samples: Samples) -> str:
    """A short digest of rows as text."""
    rows = zip(samples.prompt_strings(), samples.answer_strings(), strict=True)
    return hashlib.blake2b("\n".join(map("".join, rows)).encode(), digest_size=8).hexdigest()


def golden(task: Task) -> str:
    """Digest of rows at three scales; it must be the same on every platform and with every NumPy release."""
    rng = np.random.default_rng([2024, 10, 4])
    return digest(Samples.concatenate([task.sample(task.expand(n), 16, rng) for n in (1, 5, 23)]))


# ---- ideal relations


def assert_relations_hold(task: Task, small, large, count: int = 400, all_seen: bool = True) -> None:
    """The next token is one function of the tokens read through the relations, at small and large scales.

    The table of that function is learned at the scales `small`. At the scales `large` no entry may contradict
    it, and if `all_seen`, there is no new entry either: the number of operators does not grow with the scale.
    """
    table = _table(task, small, count)
    assert table, "the relations do not determine the next token"
    seen = dict(table)
    for scale in large:
        assert _read_into(table, task, scale, count), f"contradiction at scale {scale}"
    if all_seen:
        assert table == seen


def relations_determine(task: Task, relations, scales, count: int = 400) -> bool:
    """Whether these relations, in place of the task's own, determine every next token."""
    return _table(task, scales, count, relations) is not None


def _table(task, scales, count, relations=None) -> dict | None:
    table: dict[tuple, int] = {}
    if all(_read_into(table, task, scale, count, relations) for scale in scales):
        return table
    return None


def _read_into(table, task, scale, count, relations=None) -> bool:
    """Add (tokens read -> next token) for all answer positions; False on a contradiction."""
    scale = task.expand(scale)
    samples = task.sample(scale, count, np.random.default_rng([11, *scale]))
    frame = np.ones((count, 1), dtype=np.int64)
    tokens = np.concatenate([BOS * frame, samples.prompts, samples.answers, EOS * frame], axis=1)
    if not tokens.all():  # answers of unequal length: <eos> follows the last character
        tokens = np.take_along_axis(tokens, np.argsort(tokens == 0, axis=1, kind="stable"), axis=1)
    first = samples.prompts.shape[1]  # the last prompt character predicts the answer's first
    keys = _keys(task, task.hint(scale), relations or task.ideal_relations, tokens[0], first)
    read = np.where(keys >= 0, tokens[:, keys], NOTHING)  # (count, queries, relations)
    wanted = tokens[:, first + 1 :]
    for reads, token in zip(read.reshape(-1, read.shape[2]).tolist(), wanted.ravel().tolist(), strict=True):
        if token and table.setdefault(tuple(reads), token) != token:
            return False
    return True


def _keys(task, scale, relations, row, first) -> np.ndarray:
    """The position each relation reads at each query: (queries, relations), -1 where it holds nowhere."""
    prompt = bytes(row[1 : first + 1].tolist()).decode()
    marks = sorted({0, *(1 + prompt.index(end) for _, end in task.scale_rule)})
    segments = []
    for start, end in task.scale_rule:
        begin = 0 if start is None else 1 + prompt.index(start)
        segments.append(range(begin + 1, 1 + prompt.index(end)))

    def offset(position):
        return position - max(mark for mark in marks if mark <= position)

    names = {"offset": offset, "n": scale[0], **{f"n{k}": entry for k, entry in enumerate(scale)}}
    keys = np.full((len(row) - 1 - first, len(relations)), -1)
    for column, text in enumerate(relations):
        equation, _, segment = text.partition(" in segment ")
        allowed = segments[int(segment)] if segment else range(len(row))
        equation = re.sub(r"(\d)([a-z])", r"\1 * \2", equation)
        if not segment:
            keys[:, column] = _solved(equation, names, np.arange(first, len(row) - 1))
            continue
        code = compile(equation.replace("=", "=="), text, "eval")
        for query in range(first, len(row) - 1):
            held = [key for key in range(query + 1) if key in allowed and eval(code, {**names, "i": query, "j": key})]
            assert len(held) <= 1, f"{text} reads several keys"
            if held:
                keys[query - first, column] = held[0]
    return keys


def _solved(equation: str, names: dict, queries: np.ndarray) -> np.ndarray:
    """The key that a linear equation in i and j names for each query: -1 where there is none in 0..i."""
    left, right = equation.split("=")
    code = compile(f"({left}) - ({right})", equation, "eval")
    at_0, at_1 = (eval(code, {**names, "i": queries, "j": j}) + 0 * queries for j in (0, 1))
    slope = at_1 - at_0
    assert slope.all(), f"{equation} names no key"
    keys, rest = np.divmod(-at_0, slope)
    return np.where((rest == 0) & (keys >= 0) & (keys <= queries), keys, -1)
