"""Fine-tuning of a retrofitted checkpoint on one task, and its exact match per length.

    python -m hf_lengthgen.retrofit.train --config recipes/configs/retrofit/smollm2/addition.yaml --base_model FOLDER

Everything random is a function of (seed, step). The command is for one process.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

from ..model.position_base import nearest

SILENT_KEYS = ("base_model", "gguf_file", "output_dir")


@dataclass
class RetrofitTraining:
    """Settings of one run.

    Attributes:
        base_model: folder or name for `from_pretrained`; gguf_file: a GGUF file in it.
        task, task_options: of hf_lengthgen.tasks; n_min, n_max: every step's lengths are uniform in this range.
        template, prefix: see `TextCodec`.
        additions: False trains the base (or its LoRA) without additions, as the comparison; retrofit: keywords of
            `retrofit`.
        lora_rank: 0 for none; else LoRA on `lora_targets` of the base, by the package `peft`.
        freeze: the base's own weights stay.
        pool: examples per length for which the base's part is computed once (`pool.py`); 0 draws fresh examples.
        candidates: with a pool, tokens in the softmax of a step: the task's and as many others, drawn anew.
        steps, batch_size, groups: a batch is made of `groups` lengths.
        evaluate: lengths; evaluate_examples; evaluate_mode: 'teacher' or 'generate'; evaluate_batch.
        output_dir: gets the additions and `result.json`; None writes nothing.
    """

    base_model: str = ""
    gguf_file: str | None = None
    task: str = "addition"
    task_options: dict[str, Any] = field(default_factory=dict)
    n_min: int = 1
    n_max: int = 12
    template: str = "plain"
    prefix: str = ""
    additions: bool = True
    retrofit: dict[str, Any] = field(default_factory=dict)
    lora_rank: int = 0
    lora_targets: str = r".*base.*\.(q_proj|k_proj|v_proj|o_proj)|^model.*\.(q_proj|k_proj|v_proj|o_proj)"
    freeze: bool = True
    pool: int = 0
    candidates: int = 2048
    steps: int = 300
    batch_size: int = 8
    groups: int = 1
    learning_rate: float = 1e-3
    gate_learning_rate: float = 2e-2
    final_learning_rate_ratio: float = 0.02
    weight_decay: float = 0.01
    adam_beta1: float = 0.9
    adam_beta2: float = 0.98
    clip: float = 1.0
    warmup_steps: int = 50
    penalty: float = 0.003
    penalty_warmup: float = 0.5
    settle: float = 0.8
    seed: int = 0
    evaluate: list[int] = field(default_factory=lambda: [6, 12, 24, 50, 100])
    evaluate_examples: int = 32
    evaluate_mode: str = "teacher"
    evaluate_batch: int = 8
    output_dir: str | None = None

    def validate(self) -> None:
        """Raise ValueError for what cannot be trained."""
        if not self.base_model:
            raise ValueError("base_model is missing: a folder or a name for from_pretrained.")
        for name, least in (("n_min", 1), ("steps", 1), ("batch_size", 1), ("groups", 1), ("evaluate_examples", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}.")
        if self.n_max < self.n_min:
            raise ValueError(f"n_max {self.n_max} is below n_min {self.n_min}.")
        if self.batch_size % self.groups:
            raise ValueError(f"groups {self.groups} must divide batch_size {self.batch_size}.")
        if self.pool and (self.lora_rank or not self.additions or not self.freeze):
            raise ValueError("a pool needs additions on a frozen base without LoRA.")
        if not self.additions and self.freeze and not self.lora_rank:
            raise ValueError("nothing would train: no additions, no LoRA, and the base is frozen.")


def read_settings(path: str | None, given: dict[str, Any]) -> RetrofitTraining:
    """Settings of a YAML file, changed by those given.

    Raises:
        ValueError: a key that does not exist, a file that is no mapping; OSError: no such file.
    """
    import yaml

    values: dict[str, Any] = {}
    if path is not None:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        if not isinstance(values, dict):
            raise ValueError(f"{path} must hold keys and values.")
    known = {f.name: f for f in fields(RetrofitTraining)}
    values |= given
    for key, value in values.items():
        if key not in known:
            raise ValueError(f"retrofit training has no setting {key!r}.{nearest(key, known)}")
        if known[key].type in ("float", "int") and isinstance(value, str):  # plain YAML reads 1e-3 as text
            try:
                values[key] = float(value) if known[key].type == "float" else int(value)
            except ValueError:
                raise ValueError(f"{key} must be a number, not {value!r}.") from None
    settings = RetrofitTraining(**values)
    settings.validate()
    return settings


def load_base(settings: RetrofitTraining) -> tuple[Any, Any]:
    """Model and tokenizer, on the CPU or the GPU if there is one. A GGUF file becomes a plain float32 model."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    extra = {"gguf_file": settings.gguf_file} if settings.gguf_file else {}
    tokenizer = AutoTokenizer.from_pretrained(settings.base_model, **extra)
    base = AutoModelForCausalLM.from_pretrained(settings.base_model, **extra)
    if settings.gguf_file:
        base = dequantized(base)
    return base.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer


def dequantized(base: Any) -> Any:
    """The same weights in a plain model: one read from GGUF calls itself quantized and refuses to be saved."""
    values = {k: v for k, v in base.config.to_dict().items() if k != "quantization_config"}
    plain = type(base)(type(base.config)(**values))
    plain.load_state_dict(base.state_dict())
    plain.generation_config = base.generation_config
    plain.config._name_or_path = plain.name_or_path = base.name_or_path
    return plain.eval()


def build(settings: RetrofitTraining, base: Any, tokenizer: Any) -> tuple[Any, Any]:
    """The model to train and the codec of its texts."""
    import torch

    from ..tasks import get_task
    from ..training.build import keyed_seed, own_generator
    from . import retrofit
    from .text import TextCodec

    codec = TextCodec(get_task(settings.task, **settings.task_options), tokenizer, settings.prefix, settings.template)
    model = base
    if settings.additions:
        options = dict(settings.retrofit)
        options.setdefault("num_scale_hints", codec.task.hints)
        if options.get("scale_hint") == "prompt":
            options.setdefault("scale_rule", codec.scale_rule())
        with own_generator():
            torch.manual_seed(keyed_seed(settings.seed, "weights"))
            model = retrofit(base, freeze=settings.freeze, **options)
    elif settings.freeze:
        base.requires_grad_(False)
    if settings.lora_rank:
        add_lora(model, settings)
    return model, codec


def add_lora(model: Any, settings: RetrofitTraining) -> None:
    """LoRA (2106.09685) inside the model, by peft; the additions keep training beside it.

    Raises:
        ValueError: peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise ValueError("lora_rank needs the package peft: pip install peft.") from None
    import torch

    from ..training.build import keyed_seed, own_generator

    trains = {name for name, p in model.named_parameters() if p.requires_grad and "additions." in name}
    config = LoraConfig(r=settings.lora_rank, lora_alpha=2 * settings.lora_rank, target_modules=settings.lora_targets)
    with own_generator():
        torch.manual_seed(keyed_seed(settings.seed, "lora"))
        inject_adapter_in_model(config, model)
    for name, parameter in model.named_parameters():  # peft freezes all that is not its own
        if name in trains:
            parameter.requires_grad_(True)


class _Plain:
    """What the optimizer and the loop ask of gates, for a model that has none."""

    def __init__(self, model: Any):
        self.model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def gate_parameters(self) -> list:
        return []


def train(
    model: Any, codec: Any, settings: RetrofitTraining, report: Callable[[dict], None] | None = None
) -> list[dict[str, Any]]:
    """Minimise the cross-entropy of the answer, plus λ · expected open gates. Returns a record per 10 steps.

    Raises:
        ValueError: the loss is no longer a finite number; with a pool, see `pool.check_pool`.
    """
    import numpy as np
    import torch

    from ..training.build import keyed_seed, own_generator
    from ..training.optimizer import build_optimizer, set_learning_rate
    from ..training.schedule import learning_rate_factor, penalty_weight
    from .pool import build_pool, pooled_logits

    gated = hasattr(model, "additions")
    optimizer = build_optimizer(model if gated else _Plain(model), settings)
    lengths = list(range(settings.n_min, settings.n_max + 1))
    pools = build_pool(model, codec, lengths, settings.pool, settings.seed) if settings.pool else None
    device = next(model.parameters()).device
    digits = sorted({codec.eos, *(int(codec.table[ord(c)]) for c in codec.task.vocabulary)})
    vocabulary = model.get_output_embeddings().weight.shape[0]
    history, began, size = [], time.perf_counter(), settings.batch_size // settings.groups
    trained = [p for p in model.parameters() if p.requires_grad]
    with own_generator(device if device.type == "cuda" else None):
        for step in range(settings.steps):
            torch.manual_seed(keyed_seed(settings.seed, "step", step))
            rng = np.random.default_rng([settings.seed, step])
            if gated:
                model.set_gate_noise(settings.seed, step)
                if step == round(settings.settle * settings.steps):
                    model.settle()
            model.train()
            factor = learning_rate_factor(
                step, settings.steps, settings.warmup_steps, settings.final_learning_rate_ratio
            )
            set_learning_rate(optimizer, factor)
            optimizer.zero_grad()
            losses = []
            for n in rng.choice(lengths, settings.groups):
                if pools is not None:
                    rows = torch.from_numpy(rng.choice(settings.pool, min(size, settings.pool), replace=False))
                    others = rng.choice(vocabulary, min(settings.candidates, vocabulary), replace=False)
                    head = torch.tensor(digits + [t for t in others.tolist() if t not in set(digits)], device=device)
                    targets = pools[n].targets[rows]
                    logits = pooled_logits(model, pools[n], rows, head)
                    targets = torch.searchsorted(head[: len(digits)], targets)
                else:
                    logits, targets = _answer(model, codec, codec.task.sample(int(n), size, rng), gated, device)
                loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
                (loss / settings.groups).backward()
                losses.append(float(loss.detach()))
            weight = penalty_weight(step, settings.steps, settings.penalty, settings.penalty_warmup)
            if gated and weight and (penalty := model.penalty()).requires_grad:
                (weight * penalty).backward()
            norm = float(torch.nn.utils.clip_grad_norm_(trained, settings.clip))
            mean = sum(losses) / len(losses)
            if not (math.isfinite(mean) and math.isfinite(norm)):
                raise ValueError(f"training diverged at step {step + 1}: loss {mean}; try a lower learning_rate.")
            optimizer.step()
            if (step + 1) % 10 == 0 or step + 1 == settings.steps:
                record = {"step": step + 1, "loss": mean, "seconds": round(time.perf_counter() - began, 1)}
                if gated:
                    record["open_gates"] = model.open_gates()
                history.append(record)
                if report is not None:
                    report(record)
    model.eval()
    return history


def _answer(model: Any, codec: Any, samples: Any, gated: bool, device) -> tuple[Any, Any]:
    """Logits (B, A, vocab) and targets (B, A) of the answer tokens of fresh rows of one length."""
    import torch

    rows = {key: torch.from_numpy(array).to(device) for key, array in codec.rows(samples).items()}
    labels = rows.pop("labels")
    answer = int((labels != -100).sum(-1).max())
    if not gated or model.config.scale_hint == "none":
        rows.pop("scale_hint")
    # Ragged rows are padded on the right: their answers end earlier, and the last columns hold no label.
    first = int((labels != -100).int().argmax(-1).min())
    keep = labels.shape[1] - first + 1
    logits = model(**rows, use_cache=False, logits_to_keep=max(keep, answer + 1)).logits[:, :-1]
    return logits, labels[:, -logits.shape[1] :]


def run(settings: RetrofitTraining, command: str = "") -> dict[str, Any]:
    """Load, add, train, evaluate; with `output_dir`, write. Returns the result."""
    import torch

    from ..training.files import write_json
    from .evaluate import evaluate_text

    base, tokenizer = load_base(settings)
    model, codec = build(settings, base, tokenizer)
    hint = settings.additions and model.config.scale_hint != "none"
    began = time.perf_counter()
    history = train(model, codec, settings, lambda r: print(json.dumps(r), flush=True))
    seconds = time.perf_counter() - began
    if settings.additions and settings.retrofit.get("mode", "adapter") == "adapter" and model.gate_parameters():
        model.harden()
    scores = evaluate_text(
        model, codec, settings.evaluate, settings.evaluate_examples, settings.evaluate_mode, settings.evaluate_batch,
        seed=settings.seed + 1, give_hint=hint,
    )  # fmt: skip
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    threads = f"{torch.get_num_threads()} thread(s)"
    result = {
        "command": command,
        "hardware": f"{platform.machine()}, {threads}, torch {torch.__version__}, {base.device}",
        "settings": {k: v for k, v in asdict(settings).items() if k not in SILENT_KEYS},
        "base": Path(settings.base_model).name + (f"/{settings.gguf_file}" if settings.gguf_file else ""),
        "trainable_parameters": trainable,
        "training_seconds": round(seconds, 1),
        "loss": history[-1]["loss"],
        "exact_match": {str(r.n[0]): r.correct / r.examples for r in scores},
        "examples": settings.evaluate_examples,
        "mode": settings.evaluate_mode,
        "relations": model.relations() if hasattr(model, "additions") else None,
    }
    print(json.dumps(result["exact_match"]))
    if settings.output_dir is not None:
        folder = Path(settings.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        if settings.additions and not settings.lora_rank:
            model.save_pretrained(folder, additions_only=settings.freeze)
            tokenizer.save_pretrained(folder)
        write_json(folder / "result.json", result)
    return result


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
    return run(settings, command)


def main(arguments: list[str] | None = None) -> int:
    """The command line; exit code 2 for bad input, told in one line."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        train_from_words(given, shlex.join(["python", "-m", "hf_lengthgen.retrofit.train", *given]))
    except (ValueError, OSError) as problem:
        print(f"lengthgen: error: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
