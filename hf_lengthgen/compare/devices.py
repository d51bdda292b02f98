"""Where cells can run."""

from __future__ import annotations

import os


def visible_devices() -> list[str]:
    """The GPUs this process may use, as CUDA_VISIBLE_DEVICES names them; [] on a machine without."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() and name.strip() != "-1"]
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]


def usable_cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def slots(jobs: int | None, devices: list[str]) -> list[str | None]:
    """One entry per cell that may run at a time: the device it gets, None for the CPU.

    jobs: how many; None: one per device or, without devices, one per core. More jobs than devices share them.
    """
    if not devices:
        return [None] * (jobs or usable_cores())
    return [devices[index % len(devices)] for index in range(jobs or len(devices))]
