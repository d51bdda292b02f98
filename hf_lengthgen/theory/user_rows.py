"""Rows from any data set: what users bring."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .rows import BOS, EOS, NAMES, Rows, find_boundaries, shorten


def dataset_rows(dataset, answer_after: str | None = None, delimiters: str = "") -> Rows:
    """Rows of a `datasets.Dataset`, or of any sequence of dicts.

    Columns read: `text` (or `prompt` and `answer`), `n` or `scale_hint` (an integer, or a list of them). What is to
    be predicted is the answer and the end: what follows the first `answer_after` in the text, where that is given;
    otherwise the column `answer`, or what `answer_mask` marks (as `load_dataset` makes it: a flag each for <bos>, the
    characters, <eos>).

    Args:
        delimiters: one character per hint that closes the hint's tokens, for relations inside segments: "+=".

    Raises:
        ValueError: a column is missing or has values of a wrong kind, or nothing says where the answer begins.
    """
    records = list(dataset)
    if not records:
        raise ValueError("the data set has no rows.")
    columns = set(records[0])
    if not {"n", "scale_hint"} & columns:
        raise ValueError(f"the data set needs a column 'n' (or 'scale_hint'); it has {_listed(columns)}.")
    if not ("text" in columns or {"prompt", "answer"} <= columns):
        raise ValueError(f"the data set needs a column 'text', or 'prompt' and 'answer'; it has {_listed(columns)}.")
    texts, starts, masks, scales = [], [], [], []
    for number, record in enumerate(records):
        prompt, text, mask = _prompt(record, columns, answer_after, number)
        texts.append(text)
        starts.append(len(prompt) if prompt is not None else 0)
        masks.append(mask)
        scales.append(_scale(record, number))
    if len({len(scale) for scale in scales}) > 1:
        raise ValueError("the rows of the data set have different numbers of scales n.")
    if delimiters and len(delimiters) != len(scales[0]):
        raise ValueError(f"{len(scales[0])} scales need as many delimiters, got {delimiters!r}.")
    if len(set(delimiters)) < len(delimiters):
        raise ValueError(f"every hint needs a delimiter of its own, got {delimiters!r}.")
    alphabet = sorted({character for text in texts for character in text})
    code = {character: EOS + 1 + k for k, character in enumerate(alphabet)}
    tokens = np.zeros((len(texts), max(map(len, texts)) + 2), dtype=np.int32)
    asked = np.zeros(tokens.shape, dtype=bool)
    for row, text in enumerate(texts):
        tokens[row, : len(text) + 2] = [BOS, *(code[character] for character in text), EOS]
        if masks[row] is None:
            asked[row, starts[row] : len(text) + 1] = True
        else:
            asked[row, : len(text) + 1] = masks[row][1:]
    boundaries = None
    if delimiters:
        for number, text in enumerate(texts):
            missing = [mark for mark in delimiters if mark not in text]
            if missing:
                raise ValueError(f"row {number}, {shorten(text)}, lacks the delimiter {missing[0]!r}.")
            places = [text.index(mark) for mark in delimiters]  # of its first occurrence, as a model reads it
            if places != sorted(places):
                raise ValueError(
                    f"row {number}, {shorten(text)}, has its delimiters in another order than {delimiters!r}."
                )
        marks = [[code[s] if s else None, code[e]] for s, e in zip(("", *delimiters[:-1]), delimiters, strict=True)]
        boundaries = find_boundaries(tokens, marks)
    return Rows(tokens, asked, np.array(scales, dtype=np.int64), boundaries, (*NAMES, *alphabet))


def _prompt(record: dict, columns: set[str], answer_after: str | None, number: int):
    """(prompt or None, whole text, mask or None) of one record."""
    if {"prompt", "answer"} <= columns:
        prompt, answer = record.get("prompt"), record.get("answer")
        if not isinstance(prompt, str) or not isinstance(answer, str):
            raise ValueError(f"row {number} of the data set: prompt and answer must be strings.")
        text = prompt + answer
    else:
        prompt, text = None, record.get("text")
        if not isinstance(text, str) or not text:
            raise ValueError(f"row {number} of the data set: text must be a string that is not empty, got {text!r}.")
    if answer_after:
        before, mark, _ = text.partition(answer_after)
        if not mark:
            raise ValueError(
                f"row {number} of the data set, {shorten(text)}, lacks {answer_after!r}, behind which the answer "
                f"begins (answer_after)."
            )
        return before + mark, text, None
    if prompt is not None:
        return prompt, text, None
    if "answer_mask" in columns:
        mask = record.get("answer_mask")
        if not isinstance(mask, list | tuple | np.ndarray) or not all(flag in (0, 1) for flag in mask):
            raise ValueError(f"row {number} of the data set: answer_mask must be a list of flags, got {mask!r}.")
        if len(mask) != len(text) + 2:
            raise ValueError(
                f"row {number} of the data set: answer_mask has {len(mask)} flags for {len(text)} characters, <bos> "
                f"and <eos>."
            )
        return None, text, mask
    raise ValueError(
        "nothing says where the answer begins: the data set has no column 'answer' or 'answer_mask', and "
        "answer_after is not given."
    )


def _scale(record: dict, number: int) -> tuple[int, ...]:
    value = record["scale_hint"] if record.get("scale_hint") is not None else record.get("n")
    scale = tuple(value) if isinstance(value, list | tuple | np.ndarray) else (value,)
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 1 for n in scale)
    if not whole or not scale:
        raise ValueError(f"row {number} of the data set: a scale n is an integer of at least 1, got {value!r}.")
    return tuple(int(n) for n in scale)


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(sorted(columns)) or "none"


def open_dataset(path: str | os.PathLike):
    """The rows of a Parquet file, or of every Parquet file below a folder (as `lengthgen data export` writes it).

    Raises:
        ValueError: there is no such file, or none below the folder; or it is not Parquet.
    """
    import datasets

    path = Path(path)
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not files or not all(file.is_file() and file.suffix == ".parquet" for file in files):
        raise ValueError(f"{path} is no Parquet file and no folder that holds any.")
    try:
        return datasets.Dataset.from_parquet([str(file) for file in files], keep_in_memory=True)
    except (ValueError, OSError) as error:  # pyarrow's own are of these kinds
        raise ValueError(f"{path} cannot be read as Parquet: {' '.join(str(error).split())}") from None
