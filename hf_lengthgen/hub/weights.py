"""Whether a safetensors file is what its header says, found out without reading it as tensors."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from .. import strict_json

SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip
LONGEST_HEADER = 25_000_000


def check_safetensors(path: Path) -> None:
    """Compares header and file: lengths, offsets, types and shapes; no gap, no overlap, nothing behind the tensors.

    Raises:
        ValueError: what is wrong, without the file's name.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        if size < 8:
            raise ValueError("it is too short for a safetensors file")
        length = int.from_bytes(file.read(8), "little")
        if length > LONGEST_HEADER or 8 + length > size:
            raise ValueError(f"it announces a header of {length} bytes in a file of {size}")
        raw = file.read(length)
    if raw[:1] != b"{":
        raise ValueError("its header is no JSON object")
    try:
        header = strict_json.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError("its header is no JSON object") from None
    except ValueError as problem:
        raise ValueError(f"its header is refused: {problem}") from None
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata is not text")
    spans = sorted(_span(name, entry) for name, entry in header.items())
    end = 0
    for first, last, name in spans:
        if first != end:
            raise ValueError(f"tensor {name!r} begins at {first}, where {'a gap' if first > end else 'another'} lies")
        end = last
    if 8 + length + end != size:
        raise ValueError(f"its tensors end at {8 + length + end}, the file at {size}")


def _span(name: str, entry: Any) -> tuple[int, int, str]:
    """First and last byte of a tensor; ValueError unless type, shape and offsets agree."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name!r} has no dtype, shape and data_offsets")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in SIZES:
        raise ValueError(f"tensor {name!r} has the unknown type {kind!r}")
    if not _naturals(shape) or not _naturals(offsets) or len(offsets) != 2:
        raise ValueError(f"tensor {name!r} has a shape or offsets that are no natural numbers")
    first, last = offsets
    if last - first != math.prod(shape) * SIZES[kind]:
        raise ValueError(f"tensor {name!r} of shape {shape} and type {kind} does not have {last - first} bytes")
    return first, last, name


def _naturals(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)
