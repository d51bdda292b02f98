"""A digest of the additions' weights, the same from a model in memory and from a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# torch's names of what weights are made of, and safetensors' names.
KINDS = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "bool": "BOOL"}
PREFIX = "additions."  # of their names in a whole model


def header_of(path: Path) -> tuple[dict[str, Any], int]:
    """Name → dtype, shape and offsets of a safetensors file, and where its data begins."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return header, 8 + length


def digest_of_tensors(tensors: dict[str, Any]) -> str:
    """Of a state dict of the additions."""
    import torch

    def entries() -> Iterable[tuple[str, str, list[int], bytes]]:
        for name in sorted(tensors):
            tensor = tensors[name].detach().cpu().contiguous()
            kind = KINDS[str(tensor.dtype).removeprefix("torch.")]
            yield name, kind, list(tensor.shape), tensor.reshape(-1).view(torch.uint8).numpy().tobytes()

    return _digest(entries())


def digest_of_files(paths: Iterable[Path], prefix: str = "") -> str:
    """Of the tensors in safetensors files whose names begin with `prefix`, which is left out."""
    places = {}
    for path in paths:
        header, begin = header_of(path)
        places |= {k.removeprefix(prefix): (path, begin, v) for k, v in header.items() if k.startswith(prefix)}

    def entries() -> Iterable[tuple[str, str, list[int], bytes]]:
        for name in sorted(places):
            path, begin, entry = places[name]
            first, last = entry["data_offsets"]
            with open(path, "rb") as file:
                file.seek(begin + first)
                yield name, entry["dtype"], entry["shape"], file.read(last - first)

    return _digest(entries())


def _digest(entries: Iterable[tuple[str, str, list[int], bytes]]) -> str:
    total = hashlib.blake2b(digest_size=16)
    for name, kind, shape, data in entries:
        total.update(json.dumps([name, kind, shape]).encode())
        total.update(data)
    return total.hexdigest()
