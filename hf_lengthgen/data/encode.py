"""Rows of characters -> arrays of token ids, without a Python loop over rows."""

from collections.abc import Sequence

import numpy as np

from ..tasks import Samples

PAD, BOS, EOS, UNK = SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<unk>")  # tokens 0 to 3
IGNORED = -100  # the label that torch's cross entropy leaves out


def vocabulary_table(vocabulary: str) -> np.ndarray:
    """Latin-1 code -> token id in the order of `build_tokenizer`, int64 (256,): 4, 5, ...; 3, <unk>, elsewhere."""
    table = np.full(256, SPECIAL_TOKENS.index(UNK), dtype=np.int64)
    table[list(vocabulary.encode("latin-1"))] = len(SPECIAL_TOKENS) + np.arange(len(vocabulary))
    return table


def text_codes(texts: Sequence[str]) -> np.ndarray:
    """Strings -> Latin-1 codes, 0 behind the shorter ones: uint8 (count, the longest; at least 1).

    Raises:
        ValueError: a character beyond Latin-1.
    """
    try:
        packed = np.array([text.encode("latin-1") for text in texts], dtype=np.bytes_)
    except UnicodeEncodeError as error:
        foreign = error.object[error.start]
        raise ValueError(f"{error.object[:40]!r} has the character {foreign!r}, which is not in Latin-1") from None
    return packed.view(np.uint8).reshape(len(texts), -1)


def encode(samples: Samples, table: np.ndarray, bos: int, eos: int, pad: int) -> dict[str, np.ndarray]:
    """Training rows <bos> prompt answer <eos>, padded on the right.

    Args:
        table: Latin-1 code -> token id, (256,), from `character_table`.
        bos, eos, pad: token ids.

    Returns:
        int64 arrays: `input_ids`, `attention_mask` and `labels` (B, L), L = the longest row; `scale_hint` (B,
        hints). Labels are the ids themselves (the model shifts them), -100 on <bos>, prompt and padding: the
        loss is on the answer and <eos> only.
    """
    count = len(samples)
    codes = np.concatenate([samples.prompts, samples.answers], axis=1)
    ids = _framed(codes, table, bos, eos)
    learned = np.zeros(ids.shape, dtype=bool)
    learned[:, 1 + samples.prompts.shape[1] :] = True
    labels = np.where(learned, ids, IGNORED)
    present = np.ones((count, ids.shape[1]), dtype=bool)
    present[:, 1:-1] = codes != 0
    if not present.all():
        # Rows of unequal length: keep the order inside a row, and move the gaps to its end.
        order = np.argsort(~present, axis=1, kind="stable")[:, : present.sum(axis=1).max(initial=2)]
        ids, labels, present = (np.take_along_axis(array, order, axis=1) for array in (ids, labels, present))
        ids, labels = np.where(present, ids, pad), np.where(present, labels, IGNORED)
    return {
        "input_ids": ids,
        "attention_mask": present.astype(np.int64),
        "labels": labels,
        "scale_hint": samples.scales.astype(np.int64),
    }


def encode_prompts(samples: Samples, table: np.ndarray, bos: int, pad: int) -> dict[str, np.ndarray]:
    """Rows <bos> prompt, padded on the left, for generation.

    Returns:
        int64 arrays: `input_ids` and `attention_mask` (B, P + 1); `scale_hint` (B, hints).
    """
    codes = samples.prompts
    ids = _framed(codes, table, bos)
    present = np.ones(ids.shape, dtype=bool)
    present[:, 1:] = codes != 0
    if not present.all():
        order = np.argsort(present, axis=1, kind="stable")[:, -present.sum(axis=1).max(initial=1) :]
        ids, present = (np.take_along_axis(array, order, axis=1) for array in (ids, present))
        ids = np.where(present, ids, pad)
    return {
        "input_ids": ids,
        "attention_mask": present.astype(np.int64),
        "scale_hint": samples.scales.astype(np.int64),
    }


def _framed(codes: np.ndarray, table: np.ndarray, bos: int, eos: int | None = None) -> np.ndarray:
    """Token ids (count, 1 + width [+ 1]) of codes (count, width): <bos> in front, <eos>, if given, behind."""
    ids = np.empty((len(codes), codes.shape[1] + (1 if eos is None else 2)), dtype=np.int64)
    ids[:, 0] = bos
    ids[:, 1 : 1 + codes.shape[1]] = table.take(codes)
    if eos is not None:
        ids[:, -1] = eos
    return ids
