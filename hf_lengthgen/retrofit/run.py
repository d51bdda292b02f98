"""`lengthgen train --base_model …`: load, add, train, evaluate, write."""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NoReturn

from ..portable import portable
from .base import load_base
from .settings import RetrofitTraining, read_settings
from .train import build, train

SILENT_KEYS = ("base_model", "base_name", "gguf_file", "start_from", "output_dir", "result", "note")


def run(settings: RetrofitTraining, command: str = "") -> dict[str, Any]:
    """Load, add, train, with `output_dir` save, evaluate, write. Returns the result."""
    import torch

    from ..files import write_json
    from .evaluate import evaluate_text
    from .fitting import weights_digest

    base, tokenizer = load_base(settings)
    digest = weights_digest(base)
    model, codec = build(settings, base, tokenizer)
    folder = None if settings.output_dir is None else Path(settings.output_dir)
    file = None if settings.result is None else Path(settings.result)
    for place in filter(None, (folder, file and file.parent)):  # one that cannot be made is found before training
        place.mkdir(parents=True, exist_ok=True)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)  # hardening leaves fewer
    hint = settings.additions and model.config.scale_hint != "none"
    began, cpu_began = time.perf_counter(), time.process_time()
    history = []
    if settings.steps:
        history = train(model, codec, settings, lambda r: print(json.dumps(r), flush=True))
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    if settings.additions and model.config.mode == "adapter" and model.gate_parameters():
        model.harden()
    if folder is not None:  # before the evaluation, whose failure is then no loss
        _save(model, base, tokenizer, settings, folder)
    scores = evaluate_text(
        model, codec, settings.evaluate, settings.evaluate_examples, settings.evaluate_mode, settings.evaluate_batch,
        seed=settings.seed + 1, give_hint=hint,
    )  # fmt: skip
    threads = f"{torch.get_num_threads()} thread(s)"
    result = {
        "command": command,
        "hardware": f"{platform.machine()}, {threads}, torch {torch.__version__}, {base.device}",
        "settings": {k: v for k, v in asdict(settings).items() if k not in SILENT_KEYS},
        "note": settings.note,
        "base": settings.base_name or "/".join(filter(None, (Path(settings.base_model).name, settings.gguf_file))),
        "base_weights": digest,
        "trainable_parameters": trainable,
        "training_examples": settings.steps * settings.batch_size,
        "training_seconds": round(seconds, 1),
        "training_cpu_seconds": round(cpu_seconds, 1),
        "loss": history[-1]["loss"] if history else None,
        "exact_match": {str(r.n[0]): r.correct / r.examples for r in scores},
        "examples": settings.evaluate_examples,
        "mode": settings.evaluate_mode,
        "relations": model.relations() if hasattr(model, "additions") else None,
    }
    print(json.dumps(result["exact_match"]))
    if folder is not None:
        write_json(folder / "result.json", result)
    if file is not None:
        write_json(file, result)
    return result


def _save(model: Any, base: Any, tokenizer: Any, settings: RetrofitTraining, folder: Path) -> None:
    """What was trained, and the tokenizer: LoRA in `lora/`; additions, or the whole where the base trained too."""
    from .lora import FOLDER, save_lora

    if settings.lora_rank:
        save_lora(base, folder / FOLDER)
    if settings.additions:
        model.save_pretrained(folder, additions_only=settings.freeze or bool(settings.lora_rank))
    elif not settings.freeze and not settings.lora_rank:
        base.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def train_from_words(words: list[str], command: str) -> dict:
    """`--config FILE` and `--key value` for every setting, values in YAML. ValueError for words that are neither."""
    import yaml

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise ValueError(
                f"{message}; the settings are {', '.join(entry.name for entry in fields(RetrofitTraining))}."
            )

    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config")
    for entry in fields(RetrofitTraining):
        parser.add_argument(f"--{entry.name}", type=yaml.safe_load)
    parsed = vars(parser.parse_args(words))
    config = parsed.pop("config")
    settings = read_settings(config, {key: value for key, value in parsed.items() if value is not None})
    return run(settings, portable(shlex.split(command)))
