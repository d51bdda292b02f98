"""Rows of text with a scale, as the arrays that discovery works on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..tasks import Samples, Task
from ..tasks.task import assemble

NOTHING, BOS, EOS = 0, 1, 2  # codes of "no token" (a relation that holds nowhere, or the end of a row) and of marks
NAMES = ("⊥", "<bos>", "<eos>")


@dataclass(frozen=True)
class Rows:
    """Rows <bos> text <eos>, and which of their tokens are to be predicted.

    Attributes:
        tokens: int32 (R, L) codes; NOTHING behind the end of a row.
        asked: bool (R, L); True at query i where token i + 1 is to be predicted from tokens 0..i.
        scales: int64 (R, hints).
        boundaries: int64 (R, hints, 2) positions of the delimiters around each hint's tokens, or None.
        names: what each code stands for; the first three are ⊥, <bos> and <eos>.
    """

    tokens: np.ndarray
    asked: np.ndarray
    scales: np.ndarray
    boundaries: np.ndarray | None
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def hints(self) -> int:
        return self.scales.shape[1]

    @property
    def largest(self) -> np.ndarray:
        """int64 (R,) the largest hint of each row: its n where a row has several."""
        return self.scales.max(axis=1)

    def take(self, rows: np.ndarray) -> Rows:
        """The rows chosen by an index array or a mask."""
        boundaries = None if self.boundaries is None else self.boundaries[rows]
        return Rows(self.tokens[rows], self.asked[rows], self.scales[rows], boundaries, self.names)

    def text(self, row: int, end: int | None = None) -> str:
        """Row `row` as a reader knows it, up to and without token `end`."""
        codes = self.tokens[row, 1:end]
        return "".join(self.names[code] for code in codes.tolist() if code > EOS)

    @classmethod
    def concatenate(cls, parts: Sequence[Rows]) -> Rows:
        """Stack rows of one vocabulary; shorter ones are padded behind their end."""
        width = max(part.tokens.shape[1] for part in parts)

        def padded(array: np.ndarray) -> np.ndarray:
            return np.pad(array, ((0, 0), (0, width - array.shape[1])))

        boundaries = [part.boundaries for part in parts]
        return cls(
            np.concatenate([padded(part.tokens) for part in parts]),
            np.concatenate([padded(part.asked) for part in parts]),
            np.concatenate([part.scales for part in parts]),
            None if any(b is None for b in boundaries) else np.concatenate(boundaries),
            parts[0].names,
        )


# ---- rows of a task


def rows_of_samples(task: Task, samples: Samples) -> Rows:
    """Rows of a task: the answer and <eos> are to be predicted."""
    table = np.zeros(256, dtype=np.int32)
    table[list(task.vocabulary.encode("latin-1"))] = EOS + 1 + np.arange(len(task.vocabulary))
    codes = table[np.concatenate([samples.prompts, samples.answers], axis=1)]
    count = len(codes)
    tokens = np.zeros((count, codes.shape[1] + 2), dtype=np.int32)
    tokens[:, 0], tokens[:, 1:-1] = BOS, codes
    asked = np.zeros(tokens.shape, dtype=bool)
    width = samples.prompts.shape[1]
    # Character k of the row is token k + 1, predicted at k; behind the last one comes <eos>.
    asked[:, width:-1] = True
    if not codes.all():
        order = np.argsort(tokens == NOTHING, axis=1, kind="stable")
        tokens = np.take_along_axis(tokens, order, axis=1)
        prompt_lengths = 1 + np.count_nonzero(samples.prompts, axis=1)
        places = np.arange(tokens.shape[1])
        asked = (places >= prompt_lengths[:, None] - 1) & (places < np.count_nonzero(tokens, axis=1)[:, None])
    tokens[np.arange(count), np.count_nonzero(tokens, axis=1)] = EOS
    marks = [[None if start is None else table[ord(start)], table[ord(end)]] for start, end in task.scale_rule]
    names = (*NAMES, *task.vocabulary)
    return Rows(tokens, asked, samples.scales, find_boundaries(tokens, marks), names)


def find_boundaries(tokens: np.ndarray, marks: list[list[int | None]]) -> np.ndarray:
    """(R, hints, 2) first positions of the codes in `marks`; None is <bos>."""

    def first(code: int | None) -> np.ndarray:
        return np.zeros(len(tokens), dtype=np.int64) if code is None else (tokens == code).argmax(axis=1)

    return np.stack([np.stack([first(start), first(end)], axis=1) for start, end in marks], axis=1)


def task_rows(task: Task, scales: Iterable[tuple[int, ...]], queries: int, rng: np.random.Generator) -> Rows:
    """Rows of a task, about `queries` tokens to be predicted at each scale, at least four rows.

    Some have a neighbour: the same prompt with one character taken from another row. Rows that differ in one
    character show whether that character matters; among independent rows they would be too rare to be met. One is
    tried for every two rows drawn (at most 200 times a scale), and many a try gives none, so neighbours are at most a
    third of all rows.
    """
    parts = []
    for scale in scales:
        samples = task.sample(scale, 4, rng)
        width = max(int(np.count_nonzero(samples.answers, axis=1).max()), 1) + 1
        if queries // width > 4:
            samples = Samples.concatenate([samples, task.sample(scale, queries // width - 4, rng)])
        near = neighbours(task, samples, min(200, len(samples) // 2), rng)
        parts.append(rows_of_samples(task, samples if near is None else Samples.concatenate([samples, near])))
    return Rows.concatenate(parts)


def neighbours(task: Task, samples: Samples, count: int, rng: np.random.Generator) -> Samples | None:
    """Up to `count` rows that differ from one of `samples` in one character of the prompt; None if there are none.

    The answers come from `task.answer`; a prompt that it refuses is left out, and so is one of another scale.
    """
    found: list[tuple[str, str, np.ndarray]] = []
    for _ in range(count):
        row, other = rng.integers(0, len(samples), size=2)
        place = rng.integers(0, samples.prompts.shape[1])
        prompt = samples.prompts[row].copy()
        if prompt[place] == samples.prompts[other, place] or 0 in (prompt[place], samples.prompts[other, place]):
            continue
        prompt[place] = samples.prompts[other, place]
        text = prompt[prompt != 0].tobytes().decode("latin-1")
        try:
            if task.scale_of(text) == tuple(samples.scales[row].tolist()):
                found.append((text, task.answer(text), samples.scales[row]))
        except ValueError:
            continue
    if not found:
        return None
    return Samples(
        _characters([prompt for prompt, _, _ in found]),
        _characters([answer for _, answer, _ in found]),
        np.stack([scale for _, _, scale in found]),
    )


def _characters(texts: list[str]) -> np.ndarray:
    """uint8 (count, longest), 0 behind the end."""
    out = np.zeros((len(texts), max(map(len, texts))), dtype=np.uint8)
    for row, text in zip(out, texts, strict=True):
        row[: len(text)] = assemble(np.zeros((1, 0), np.uint8), text)[0]
    return out


# ---- consistency


def check_consistent(rows: Rows) -> None:
    """Refuse data in which what came before does not decide what comes next.

    Raises:
        ValueError: two rows with the same scale and the same tokens up to some query have different next tokens.
    """
    seed = np.uint64(0x9E3779B97F4A7C15)
    state = np.zeros(len(rows), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for hint in rows.scales.T:
            state = (state + hint.astype(np.uint64)) * seed
        prefix = np.empty(rows.tokens.shape, dtype=np.uint64)
        for place, column in enumerate(rows.tokens.T.astype(np.uint64)):
            state = (state ^ (state >> np.uint64(29))) * seed + column + np.uint64(1)
            prefix[:, place] = state
    row, place = np.nonzero(rows.asked)
    following = rows.tokens[row, place + 1]
    order = np.lexsort((following, prefix[row, place]))
    same = prefix[row, place][order]
    differs = (same[1:] == same[:-1]) & (following[order][1:] != following[order][:-1])
    pairs = [order[k : k + 2] for k in np.flatnonzero(differs).tolist()]
    for pair in sorted(pairs, key=lambda pair: (place[pair].max(), row[pair].min())):
        (one, two), (i, j) = row[pair], place[pair]
        if i == j and (rows.tokens[one, : i + 1] == rows.tokens[two, : i + 1]).all():
            a, b = (rows.names[rows.tokens[r, i + 1]] for r in (one, two))
            raise ValueError(
                f"the data is inconsistent: after {shorten(rows.text(one, i + 1))} (rows {one} and {two}) comes {a!r} "
                f"in one row and {b!r} in another, so no function of what was read can be right."
            )


def shorten(text: str) -> str:
    """A text in quotes, cut to 60 characters."""
    return repr(text) if len(text) <= 60 else f"{text[:57]!r}..."
