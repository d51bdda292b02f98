"""The additions alone, in a folder of their own: `config.json` and `additions.safetensors`."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, NamedTuple

from .digest import digest_of_tensors
from .fitting import check_fit

ADDITIONS_FILE = "additions.safetensors"
_PLACE = ("revision", "subfolder")  # of the additions
_HUB_KEYS = ("cache_dir", "force_download", "local_files_only", "token", *_PLACE)
# The Auto classes add these. Bases are of transformers' own classes, so that no code of theirs is ever needed.
_AUTO_KEYS = ("_from_auto", "adapter_kwargs", "trust_remote_code")


class Found(NamedTuple):
    """Where additions were found."""

    name: str
    config: Any
    weights: str


def save_additions(model: Any, folder: Any, **kwargs: Any) -> None:
    """Write the additions' weights and the configuration, which names the base.

    With `push_to_hub=True` (and `repo_id`, `token`, `private`, `commit_message`, `revision`) it goes to the Hub too.

    Raises:
        ValueError: an unknown keyword.
    """
    from safetensors.torch import save_file

    push = kwargs.pop("push_to_hub", False)
    hub = {k: kwargs.pop(k) for k in ("repo_id", "token", "private", "commit_message", "revision") if k in kwargs}
    kwargs.pop("safe_serialization", None)
    kwargs.pop("max_shard_size", None)
    if kwargs:
        raise ValueError(f"save_pretrained(additions_only=True) takes no keyword {sorted(kwargs)[0]!r}.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: p.detach().cpu().contiguous() for name, p in model.additions.state_dict().items()}
    model.config.additions_digest = digest_of_tensors(tensors)
    temporary = folder / f".tmp-{ADDITIONS_FILE}"
    save_file(tensors, temporary, metadata={"format": "pt"})
    temporary.replace(folder / ADDITIONS_FILE)
    flag, model.config.additions_only = model.config.additions_only, True
    try:
        model.config.save_pretrained(folder)
    finally:
        model.config.additions_only = flag
    if push:
        from huggingface_hub import HfApi

        api = HfApi(token=hub.get("token"))
        repo = api.create_repo(hub.get("repo_id") or folder.name, private=hub.get("private"), exist_ok=True).repo_id
        api.upload_folder(
            repo_id=repo,
            folder_path=folder,
            revision=hub.get("revision"),
            commit_message=hub.get("commit_message") or "Upload additions",
        )


def find_additions(name: Any, kwargs: dict[str, Any]) -> Found | None:
    """The additions in a folder or repository; None where it holds something else."""
    from transformers.utils import cached_file

    from .configuration_retrofit import RetrofitConfig

    if name is None:
        return None
    hub = {key: kwargs[key] for key in _HUB_KEYS if kwargs.get(key) is not None}
    config_file = cached_file(str(name), "config.json", _raise_exceptions_for_missing_entries=False, **hub)
    if config_file is None:
        return None
    raw = json.loads(Path(config_file).read_text(encoding="utf-8"))
    if raw.get("model_type") != RetrofitConfig.model_type or not raw.get("additions_only"):
        return None
    return Found(str(name), RetrofitConfig.from_dict(raw), cached_file(str(name), ADDITIONS_FILE, **hub))


def load_additions(cls: Any, found: Found, base: Any, kwargs: dict[str, Any]) -> Any:
    """The additions on a base, which is loaded with the keywords where it is not given.

    Raises:
        ValueError: no base is given and none is recorded; one is given, and keywords that it would have had to be
            loaded with; it does not fit; the weights are not those of the config.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    from .families import check_base, only_device

    config, kwargs = found.config, {k: v for k, v in kwargs.items() if k not in (*_PLACE, *_AUTO_KEYS)}
    if isinstance(kwargs.get("config"), type(config)):  # an Auto class has read it, and keywords into it
        config = copy.deepcopy(kwargs.pop("config"))
        if config._attn_implementation_internal is not None:
            kwargs["attn_implementation"] = config._attn_implementation_internal
    if base is not None:
        unapplied = [k for k, v in kwargs.items() if k not in (*_HUB_KEYS, "use_safetensors") and v is not None]
        if unapplied:
            raise ValueError(f"{unapplied[0]!r} cannot be applied to a base that is given; load the base with it.")
    else:
        if config.base_name is None:
            raise ValueError(f"{found.name} holds additions and does not name their base: pass base=….")
        try:
            base = AutoModelForCausalLM.from_pretrained(
                config.base_name, revision=config.base_revision or "main", **kwargs
            )
        except OSError as problem:
            reason = str(problem).partition("\n")[0]
            raise ValueError(
                f"{found.name} holds additions to {config.base_name!r}, which cannot be loaded ({reason}): pass base=…."
            ) from problem
    if hasattr(base, "additions"):
        raise ValueError("the given base already has additions; give the plain model.")
    check_base(base)
    check_fit(config, base)
    config.additions_only = False
    model = cls(config, base=base)
    try:
        tensors = load_file(found.weights)
        model.additions.load_state_dict(tensors, strict=True)
    except (SafetensorError, RuntimeError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise ValueError(f"{found.name} holds no weights that fit its configuration: {reason}") from problem
    model.additions.to(only_device(base))
    if base.generation_config is not None:
        model.generation_config = base.generation_config
    return model.freeze_base().eval()
