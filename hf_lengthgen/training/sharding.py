"""Sharded training: which engine of Accelerate runs, and the whole model beside the shards of FSDP2.

Under FSDP2 a process trains its shard of every parameter. What looks at the model as a whole (validation, checkpoints,
the gates) sees a plain copy of it instead, which every process has and which is brought up to date when it is needed.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable
from typing import Any

import torch

from .optimizer import build_optimizer


def check_engine() -> None:
    """ValueError for an engine of Accelerate in which runs have not been shown to be the run of one process."""
    if _asked("ACCELERATE_USE_DEEPSPEED"):
        raise ValueError(
            "DeepSpeed is not supported: its engine takes over backward pass, clipping and optimizer step; shard with "
            "recipes/accelerate_configs/fsdp2.yaml."
        )
    if _asked("ACCELERATE_USE_MEGATRON_LM"):
        raise ValueError("Megatron-LM is not supported: shard with recipes/accelerate_configs/fsdp2.yaml.")
    if _asked("ACCELERATE_USE_FSDP") and os.environ.get("FSDP_VERSION", "1") != "2":
        raise ValueError("FSDP is supported in its version 2: set fsdp_version: 2, as fsdp2.yaml does.")


def shard_on_cpu(accelerator: Any) -> None:
    """Turns FSDP2 on where Accelerate was asked for it but sees CPUs: it selects it on GPUs only, though the engine
    runs on gloo as well. So two processes on a CPU try out what GPUs do."""
    from accelerate import DistributedType, FullyShardedDataParallelPlugin

    if _asked("ACCELERATE_USE_FSDP") and accelerator.distributed_type == DistributedType.MULTI_CPU:
        accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin()
        if accelerator.mixed_precision != "no":
            accelerator.state.fsdp_plugin.set_mixed_precision(accelerator.mixed_precision)
        accelerator.state.distributed_type = DistributedType.FSDP


def _asked(variable: str) -> bool:
    return os.environ.get(variable, "false").lower() in ("true", "1")


class Whole:
    """The model as a whole where nothing is sharded: `model` is `live`, the one that is trained."""

    def __init__(self, model: Any, optimizer: Any) -> None:
        self.model, self.live, self.optimizer = model, model, optimizer

    def pull(self, done: int) -> None:
        """Brings `model` up to date with training after step `done`. Every process has to call it."""

    def push(self) -> None:
        """Hands `model`, changed from outside, to training."""

    def pull_optimizer(self) -> None:
        """Brings `optimizer` up to date, in the main process. Every process has to call it."""

    def push_optimizer(self) -> None:
        """Hands the state of `optimizer` to training."""

    def release_optimizer(self) -> None:
        """The state of `optimizer` is not needed until the next `pull_optimizer`."""


class WholeOfShards(Whole):
    """The whole model beside the shards of FSDP2: `model` and `optimizer` are plain copies, made before sharding.

    Args:
        model, optimizer: plain, the optimizer that of the model.
        config: of the run.
        main: whether this is the main process, which alone keeps the state of the optimizer as a whole.
    """

    def __init__(self, model: Any, optimizer: Any, config: Any, main: bool) -> None:
        super().__init__(model, optimizer)
        self.main = main
        self.live = copy.deepcopy(model)
        self.live_optimizer = build_optimizer(self.live, config)
        self.done = -1  # the step whose weights `model` has

    @torch.no_grad()
    def pull(self, done: int) -> None:
        if done == self.done:
            return
        for plain, shard in self._pairs():
            plain.copy_(gathered(shard))
        self.done = done

    @torch.no_grad()
    def push(self) -> None:
        for plain, shard in self._pairs():
            shard.copy_(_like(plain, shard))

    @torch.no_grad()
    def pull_optimizer(self) -> None:
        state = self._live_state()
        for plain, shard in self._pairs(parameters_only=True):
            slots = {slot: gathered(value).cpu() for slot, value in state.get(shard, {}).items()}
            if slots and self.main:
                self.optimizer.state[plain] = slots

    @torch.no_grad()
    def push_optimizer(self) -> None:
        state = self._live_state()
        for plain, shard in self._pairs(parameters_only=True):
            slots = self.optimizer.state.get(plain, {})
            if slots:
                state[shard] = {  # a count of steps has no shards: it is the same everywhere
                    slot: _like(value, shard) if value.shape == shard.shape else value.clone()
                    for slot, value in slots.items()
                }
        self.release_optimizer()

    def release_optimizer(self) -> None:
        self.optimizer.state.clear()

    def _live_state(self) -> Any:
        return getattr(self.live_optimizer, "optimizer", self.live_optimizer).state  # Accelerate wraps it

    def _pairs(self, parameters_only: bool = False) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
        """(tensor of the plain copy, tensor of training), name by name."""
        live = dict(self.live.named_parameters()) | ({} if parameters_only else dict(self.live.named_buffers()))
        plain = dict(self.model.named_parameters()) | ({} if parameters_only else dict(self.model.named_buffers()))
        return [(plain[name], live[name]) for name in plain]


def gathered(tensor: torch.Tensor) -> torch.Tensor:
    """A sharded tensor as a whole, in every process; any other as it is."""
    from torch.distributed.tensor import DTensor

    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def _like(whole: torch.Tensor, shard: torch.Tensor) -> torch.Tensor:
    """This process's part of a tensor that every process has as a whole, sharded as `shard` is."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(shard, DTensor):
        return whole.clone()
    return distribute_tensor(whole.detach().to(shard.device), shard.device_mesh, shard.placements, src_data_rank=None)
