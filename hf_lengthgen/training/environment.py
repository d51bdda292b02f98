"""What a result file says about where it was made."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from typing import Any

PACKAGES = ("torch", "transformers", "accelerate", "tokenizers", "numpy", "safetensors", "datasets")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages on which numbers depend (those that are installed)."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def hardware(device: Any) -> dict[str, Any]:
    """Number of usable CPUs, the device's name, and torch's CPU threads."""
    import torch

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {"cpu_count": usable, "device": name, "threads": torch.get_num_threads()}


def peak_memory_mb(device: Any) -> float | None:
    """Peak memory in MiB: of the GPU where one is used, else resident (None on Windows)."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
