"""The one call: a pretrained model in, the same model with additions out."""

from __future__ import annotations

import copy
from typing import Any

from .configuration_retrofit import RetrofitConfig
from .families import check_base, only_device
from .fitting import architecture_digest, weights_digest
from .modeling_retrofit import RetrofitForCausalLM


def retrofit(
    model: Any,
    position_embedding: str = "lbpe",
    scale_hint: str = "input",
    scale_rule: list | None = None,
    layers: list[int] | str | None = None,
    heads: int | list[int] | None = None,
    own_positions: str = "keep",
    mode: str = "adapter",
    base_name: str | None = None,
    base_revision: str | None = None,
    freeze: bool = True,
    **options: Any,
) -> RetrofitForCausalLM:
    """Add a Scale Hint and learned relations to a pretrained decoder. It computes what it did before, to the bit where
    no hint is given and to rounding where one is, until the additions are trained.

    Args:
        model: the causal LM of a supported family (`families.FAMILIES`). It is used, not copied.
        position_embedding: of the additions; 'lbpe' for learned relations with gates.
        scale_hint: 'input', 'prompt' (needs `scale_rule`) or 'none'.
        scale_rule: per hint [start token id or None, end token id].
        layers: which layers get an addition; None for the first and the last, 'all', or a list.
        heads: mode 'adapter': how many heads are added (4); mode 'bias': which heads of the base (all).
        own_positions: 'keep', or with mode 'bias' 'drop': where the additions are not silent, the chosen heads are
            without their own rotary positions, and the model is then *not* the base before training.
        mode: 'adapter' or 'bias'.
        base_name, base_revision: where others get the base; None takes the name it was loaded by. The revision is to be
            given (transformers 5.23 does not keep it); without one the base's digests alone tell another version.
        freeze: the base's weights do not train.
        options: further keys of `RetrofitConfig`: position_options, num_scale_hints, width, intermediate_size, carry,
            reads, writes.

    Raises:
        ValueError: an unsupported family, or settings that do not fit each other or the base.
    """
    check_base(model)
    only_device(model)
    if layers == "all":
        layers = list(range(model.config.num_hidden_layers))
    base_config = copy.deepcopy(model.config)
    base_config._name_or_path = ""  # a folder of this machine has no place in a file that travels; see base_name
    name = base_name or getattr(model, "name_or_path", None) or None
    config = RetrofitConfig(
        base_config=base_config,
        base_name=name,
        base_revision=base_revision or getattr(model.config, "_commit_hash", None),
        base_digest=architecture_digest(model.config),
        base_weights=weights_digest(model),
        mode=mode,
        position_embedding=position_embedding,
        scale_hint=scale_hint,
        scale_rule=scale_rule,
        layers=layers,
        heads=heads,
        own_positions=own_positions,
        **options,
    )
    retrofitted = RetrofitForCausalLM(config, base=model)
    retrofitted.additions.to(only_device(model))
    retrofitted.generation_config = copy.deepcopy(model.generation_config)
    retrofitted.train(model.training)
    return retrofitted.freeze_base() if freeze else retrofitted
