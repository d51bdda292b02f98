"""From a TrainingConfig to a task, a tokenizer and a freshly initialised model."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from typing import Any

import torch

from .arguments import TrainingConfig
from .mixture import Part, scale_rule


def keyed_seed(*key: Any) -> int:
    """A 63-bit seed from any key: unlike seed + step, neighbouring keys share nothing."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def own_generator(device: torch.device | None = None) -> AbstractContextManager:
    """A scope in which torch's global generators may be seeded: the caller finds them as they were."""
    devices = [device] if device is not None and device.type == "cuda" else []
    return torch.random.fork_rng(devices=devices)


def mixed_batches(config: TrainingConfig, parts: list[Part]) -> Any:
    """What gives the batch of every step of a run: of its only task, or of the task drawn for the step."""
    from ..data.mixed import MixedBatches

    made = {part.label: build_batches(config, part.task, part.tokenizer) for part in parts}
    if config.tasks is None:
        return made[None]
    return MixedBatches(made, [entry["weight"] for entry in config.tasks], config.seed)


def build_batches(config: TrainingConfig, task: Any, tokenizer: Any) -> Any:
    """What gives the batch of every step: `OnlineBatches`, or `StoredBatches` where there is a data set.

    ValueError for lengths that do not fit together, and for a data set that does not fit the task.
    """
    from ..data.online import OnlineBatches
    from ..data.stored import StoredBatches

    size = {"batch_size": config.batch_size, "groups": config.groups, "seed": config.seed}
    if config.dataset is not None:
        return StoredBatches(config.dataset, task, tokenizer, **size)
    return OnlineBatches(task, tokenizer, **config.lengths, **size)


def position_options(config: TrainingConfig, task: Any) -> dict[str, Any]:
    """The options of the position embedding; with `relations: discovered` those that leave LBPE the relations which
    discovery finds the task to need, before anything is trained. ValueError where it finds none."""
    if config.relations != "discovered":
        return config.position_options
    from ..theory.discovery import discover
    from ..theory.found import discovered_options

    found = discover(task, n_max=config.n_max, scale_hint=config.scale_hint != "none")
    return discovered_options(found) | config.position_options


def assemble_model(config: TrainingConfig, parts: list[Part], tokenizer: Any) -> Any:
    """A model, for the parts and the tokenizer that `build_parts` gives, whose weights are a function of the config
    alone (the caller's generator is left as it was)."""
    from ..model.configuration_lengthgen import LengthGenConfig
    from ..model.modeling_lengthgen import LengthGenForCausalLM

    model_config = LengthGenConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        intermediate_size=config.intermediate_size,
        max_position_embeddings=config.max_position_embeddings,
        position_embedding=config.position_embedding,
        position_options=position_options(config, parts[0].task),
        scale_hint=config.scale_hint,
        attention_temperature=config.attention_temperature,
        temperature_length=config.temperature_length,
        logit_scale=config.logit_scale,
        num_scale_hints=parts[0].task.hints,
        scale_rule=scale_rule(config, parts, tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        unk_token_id=tokenizer.unk_token_id,
    )
    with own_generator():
        torch.manual_seed(keyed_seed(config.seed, "weights"))
        return LengthGenForCausalLM(model_config)
