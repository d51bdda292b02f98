"""What a folder with a retrofitted model holds, judged before it is loaded: additions alone, or a whole model.

It carries no code: its classes are this package's and transformers'. So files that could run, and every way to name
code elsewhere, are refused; tensors must be those that the configuration asks for, the additions' digest the one
recorded when they were saved, and the base that is described the one whose digest is recorded. The base that additions
name is loaded from elsewhere and not looked at here; `from_pretrained` compares it with its digests.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .folder_files import (
    Verified,
    VerifyError,
    attention_problems,
    index_problems,
    inside,
    json_problems,
    keys,
    list_files,
    read_files,
)
from .folder_files import name_problem as model_name_problem

MODEL_TYPE = "lengthgen_retrofit"
ADDITIONS_FILE, LORA = "additions.safetensors", "lora"
TEMPLATE = "chat_template.jinja"  # rendered in a sandbox by transformers; instruction-tuned bases have one
LORA_FILES = ("adapter_config.json", "adapter_model.safetensors", "README.md")
WHOLE = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
RENAMED = {"base.embed_out.weight": "base.lm_head.weight"}  # transformers keeps GPT-NeoX's old name in files
MOST_LAYERS = 1000


@dataclass(frozen=True)
class VerifiedRetrofit(Verified):
    """A folder that may be loaded.

    Attributes:
        kind: "whole" or "additions".
        base: name of the base that additions are to be put on, with its revision; None where it is not recorded.
    """

    kind: str = "whole"
    base: str | None = None


def is_retrofit(folder: Path) -> bool:
    """Whether the folder's config.json says that it is a retrofitted model. Never raises."""
    try:
        data = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(data, dict) and data.get("model_type") == MODEL_TYPE


def name_problem(path: str) -> str | None:
    """Why a file of this name (POSIX, relative) has no place in such a folder; None if it has."""
    folder, _, name = path.rpartition("/")
    if path == TEMPLATE or (folder == LORA and name in LORA_FILES):
        return None
    return f"{path} is unexpected code" if path.lower().endswith(".py") else model_name_problem(path)


def verify_retrofit(folder: Path, revision: str | None = None) -> VerifiedRetrofit:
    """Checks a folder.

    Args:
        revision: the commit it was downloaded from.

    Raises:
        VerifyError: with every problem found.
        FileNotFoundError: no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {str(folder)!r}.")
    names, problems = list_files(folder, inside(folder), name_problem)
    checks = {"config.json": _config_problems, "tokenizer_config.json": _tokenizer_problems}
    checks |= {"model.safetensors.index.json": index_problems, f"{LORA}/adapter_config.json": _lora_problems}
    data, more = read_files(folder, names, checks)
    problems += more
    if "config.json" not in names:
        problems.append("there is no config.json")
    if problems:  # what follows reads the files as what they say they are
        raise VerifyError(str(folder), problems)
    config, problems = _configuration(data["config.json"])
    if config is not None:
        problems += _weight_problems(folder, names, config)
    if problems:
        raise VerifyError(str(folder), problems)
    base = "@".join(filter(None, (config.base_name, config.base_revision))) or None
    return VerifiedRetrofit(folder, None, revision, len(names), "additions" if config.additions_only else "whole", base)


def _config_problems(data: dict, names: list[str]) -> list[str]:
    """In config.json, before a configuration is made of it."""
    problems = json_problems(data, names)
    if data.get("model_type") != MODEL_TYPE:
        problems.append(f"is of a model of type {data.get('model_type')!r}, not {MODEL_TYPE!r}")
    base = data.get("base_config")
    for part in (data, base if isinstance(base, dict) else {}):
        problems += attention_problems(part)
    if "quantization_config" in set(keys(data)):
        problems.append("asks for a quantization, whose code is not this package's")
    if "transformers_weights" in set(keys(data)):
        problems.append("names a file of weights other than the usual ones")
    if data.get("tokenizer_class") is not None:  # read where tokenizer_config.json has none
        problems += _tokenizer_problems({"tokenizer_class": data["tokenizer_class"]}, names)
    return problems


def _tokenizer_problems(data: dict, names: list[str]) -> list[str]:
    """A base's tokenizer may be of any class that transformers itself has: none of them runs code of a folder."""
    import transformers

    problems, kind = json_problems(data, names), data.get("tokenizer_class")
    if kind is None:
        return [*problems, "does not say its tokenizer_class, so that other files would decide it"]
    if not (isinstance(kind, str) and re.fullmatch(r"\w*Tokenizer(Fast|sBackend)?|TokenizersBackend", kind)):
        return [*problems, f"asks for the tokenizer class {kind!r}, which is none"]
    return (
        problems
        if hasattr(transformers, kind)
        else [*problems, f"asks for the tokenizer class {kind!r}, which transformers has not"]
    )


def _lora_problems(data: dict, names: list[str]) -> list[str]:
    problems = json_problems(data, names)
    if data.get("peft_type") != "LORA":
        problems.append(f"is of an adapter of type {data.get('peft_type')!r}, not 'LORA'")
    if data.get("auto_mapping"):
        problems.append("names code to run (auto_mapping)")
    if data.get("megatron_config") or data.get("megatron_core") not in (None, "megatron.core"):
        problems.append("names a module that peft would import (megatron_core)")
    return problems


def _configuration(data: dict) -> tuple[Any, list[str]]:
    """The RetrofitConfig of config.json, and what is wrong with it; None where it is none."""
    from ..retrofit.configuration_retrofit import RetrofitConfig
    from ..retrofit.fitting import architecture_digest

    base = data.get("base_config")
    layers = base.get("num_hidden_layers", base.get("n_layer", 1)) if isinstance(base, dict) else None
    if type(layers) is not int or not 1 <= layers <= MOST_LAYERS:
        return None, [f"config.json describes no base of at most {MOST_LAYERS} layers"]
    try:
        config = RetrofitConfig.from_dict(data)
    except Exception as problem:  # whatever transformers' many configurations raise: the file is not one of ours
        return None, [f"config.json is no sound configuration: {' '.join(str(problem).split())[:300]}"]
    recorded = config.base_digest
    if recorded is None:
        return config, ["config.json records no digest of its base"]
    if architecture_digest(config.base_config) != recorded:
        return config, ["config.json describes another base than the one whose digest it records"]
    return config, []


def _weight_problems(folder: Path, names: list[str], config: Any) -> list[str]:
    """Tensors of another name or shape than the model's; additions that are not those that were saved."""
    import torch

    from ..retrofit.digest import PREFIX, digest_of_files, header_of
    from ..retrofit.modeling_retrofit import RetrofitForCausalLM

    with torch.device("meta"):
        model = RetrofitForCausalLM(config)
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    if config.additions_only:
        files, prefix = [ADDITIONS_FILE], ""
        shapes = {k.removeprefix(PREFIX): v for k, v in shapes.items() if k.startswith(PREFIX)}
    else:
        files, prefix = [name for name in names if WHOLE.fullmatch(name)], PREFIX
    known = [name for name in names if "/" not in name and name.endswith(".safetensors")]
    problems = [f"{name} is unexpected" for name in known if name not in files]
    if not files or not all(name in names for name in files):
        return [*problems, f"there are no weights ({ADDITIONS_FILE if config.additions_only else '*.safetensors'})"]
    found: dict[str, list[int]] = {}
    for name in files:
        for tensor, entry in header_of(folder / name)[0].items():
            tensor = RENAMED.get(tensor, tensor)
            if tensor in found:
                problems.append(f"{name} has the tensor {tensor!r} of another file again")
            found[tensor] = entry["shape"]
    problems += [f"there is an unexpected tensor {name!r}" for name in sorted(found.keys() - shapes.keys())][:5]
    shared = _shared(model, found)
    problems += [f"the tensor {n!r} is missing" for n in sorted(shapes.keys() - found.keys() - shared)][:5]
    for name in sorted(found.keys() & shapes.keys()):
        if found[name] != shapes[name]:
            problems.append(f"the tensor {name!r} has the shape {found[name]}, not {shapes[name]}")
    if config.additions_digest is None:
        problems.append("config.json records no digest of its additions")
    elif not problems and digest_of_files([folder / n for n in files], prefix) != config.additions_digest:
        problems.append("its additions are not those whose digest was recorded when they were saved")
    return problems


def _shared(model: Any, found: dict) -> set[str]:
    """Names of tensors that may be missing since another name has them: the head of a base whose embeddings serve."""
    if not model.config.tie_word_embeddings:
        return set()
    pair = (model.get_input_embeddings(), model.get_output_embeddings())
    names = {f"{name}.weight" for name, module in model.named_modules() if any(module is one for one in pair)}
    return names if names & found.keys() else set()
