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

from ..exit_code import exit_code
from ..model.position_base import nearest

PRECISIONS = ("no", "bf16")
# Where things lie on this machine: no business of a result.
PLACES = ("base_model", "start_from", "model", "output_dir", "result", "config")
SILENT_KEYS = ("base_model", "base_name", "gguf_file", "start_from", "output_dir", "result", "note")


@dataclass
class RetrofitTraining:
    """Settings of one run.

    Attributes:
        base_model: folder or name for `from_pretrained`; gguf_file: a GGUF file in it; base_name: what the result calls
            it, None for its last part.
        start_from: folder of additions to begin with, from an earlier run on this base; `retrofit` is then not read.
        task, task_options: of hf_lengthgen.tasks; n_min, n_max: every step's lengths are uniform in this range.
        template, prefix, hint_text: see `TextCodec`.
        additions: False trains the base (or its LoRA) without additions, as the comparison; retrofit: keywords of
            `retrofit`.
        lora_rank: 0 for none; else LoRA on `lora_targets` of the base, by the package `peft`, with twice the rank as
            its alpha; lora_learning_rate: its own, None for `learning_rate`.
        freeze: the base's own weights stay.
        pool: examples per length for which the base's part is computed once (`pool.py`); 0 draws fresh examples.
        candidates: tokens in the softmax of a step: the task's and as many others, drawn anew; 0 for all.
        steps, batch_size, groups: a batch is made of `groups` lengths; 0 steps evaluate what is there, the base or
            the additions of `start_from`.
        mixed_precision: 'no', or 'bf16': the base's matrix products in bfloat16 (see `precision.py`).
        compile: see `precision.compiled_layers`; needs a C++ compiler.
        attn_implementation: of the base; None for its own choice. On a CPU 'eager' has the faster backward pass.
        evaluate: lengths; evaluate_examples; evaluate_mode: 'teacher' or 'generate'; evaluate_batch.
        output_dir: gets what was trained and `result.json`; result: a file that gets the result too; None: neither.
        note: a sentence that the result carries.
    """

    base_model: str = ""
    gguf_file: str | None = None
    base_name: str | None = None
    start_from: str | None = None
    task: str = "addition"
    task_options: dict[str, Any] = field(default_factory=dict)
    n_min: int = 1
    n_max: int = 12
    template: str = "plain"
    prefix: str = ""
    hint_text: bool = False
    additions: bool = True
    retrofit: dict[str, Any] = field(default_factory=dict)
    lora_rank: int = 0
    lora_targets: str = r".*\.(q_proj|k_proj|v_proj|o_proj)"
    lora_learning_rate: float | None = None
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
    mixed_precision: str = "no"
    attn_implementation: str | None = None
    compile: bool = False
    seed: int = 0
    evaluate: list[int] = field(default_factory=lambda: [6, 12, 24, 50, 100])
    evaluate_examples: int = 32
    evaluate_mode: str = "teacher"
    evaluate_batch: int = 8
    output_dir: str | None = None
    result: str | None = None
    note: str | None = None

    def validate(self) -> None:
        """Raise ValueError for what cannot be trained."""
        if not self.base_model:
            raise ValueError("base_model is missing: a folder or a name for from_pretrained.")
        for name, least in (("n_min", 1), ("steps", 0), ("batch_size", 1), ("groups", 1), ("evaluate_examples", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}.")
        if self.n_max < self.n_min:
            raise ValueError(f"n_max {self.n_max} is below n_min {self.n_min}.")
        if self.batch_size % self.groups:
            raise ValueError(f"groups {self.groups} must divide batch_size {self.batch_size}.")
        if self.mixed_precision not in PRECISIONS:
            raise ValueError(
                f"mixed_precision must be one of {', '.join(PRECISIONS)}, not {self.mixed_precision!r}."
                f"{nearest(str(self.mixed_precision), PRECISIONS)}"
            )
        if self.pool and (self.lora_rank or not self.additions or not self.freeze):
            raise ValueError("a pool needs additions on a frozen base without LoRA.")
        if self.start_from and not self.additions:
            raise ValueError("start_from is a folder of additions: it needs additions: true.")
        if self.steps and not self.additions and self.freeze and not self.lora_rank:
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
    if settings.attn_implementation is not None:
        extra["attn_implementation"] = settings.attn_implementation
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
    from .lora import add_lora
    from .text import TextCodec

    task = get_task(settings.task, **settings.task_options)
    codec = TextCodec(task, tokenizer, settings.prefix, settings.template, hint_text=settings.hint_text)
    model = base
    if settings.start_from:
        from .modeling_retrofit import RetrofitForCausalLM

        model = RetrofitForCausalLM.from_pretrained(settings.start_from, base=base)
    elif settings.additions:
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
        add_lora(base, settings)
    return model, codec


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
    from .precision import compiled_layers, frozen_in_bfloat16

    with frozen_in_bfloat16(model, settings.mixed_precision), compiled_layers(model, settings.compile):
        return _train(model, codec, settings, report)


def _train(model: Any, codec: Any, settings: RetrofitTraining, report: Callable[[dict], None] | None) -> list[dict]:
    import numpy as np
    import torch

    from ..training.build import keyed_seed, own_generator
    from ..training.optimizer import set_learning_rate
    from ..training.schedule import learning_rate_factor, penalty_weight
    from .pool import build_pool, pooled_logits
    from .precision import autocast

    gated = hasattr(model, "additions")
    optimizer = _optimizer(model, settings)
    lengths = list(range(settings.n_min, settings.n_max + 1))
    device = next(model.parameters()).device
    history, began, size = [], time.perf_counter(), settings.batch_size // settings.groups
    pools = None
    if settings.pool:
        with autocast(device, settings.mixed_precision):
            pools = build_pool(model, codec, lengths, settings.pool, settings.seed)
    digits = sorted({codec.eos, *(int(codec.table[ord(c)]) for c in codec.task.vocabulary)})
    vocabulary = model.get_output_embeddings().weight.shape[0]
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
                samples = codec.task.sample(int(n), size, rng) if pools is None else None
                head = None
                if 0 < settings.candidates < vocabulary:
                    others = rng.choice(vocabulary, settings.candidates, replace=False)
                    head = torch.tensor(digits + [t for t in others.tolist() if t not in set(digits)], device=device)
                with autocast(device, settings.mixed_precision):
                    if pools is not None:
                        logits, targets = pooled_logits(model, pools[n], rows, head), pools[n].targets[rows]
                    else:
                        logits, targets = _answer(model, codec, samples, gated, device, head)
                if head is not None:  # the task's tokens come first, in order
                    targets = torch.where(
                        targets < 0, targets, torch.searchsorted(head[: len(digits)], targets.contiguous())
                    )
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


def _optimizer(model: Any, settings: RetrofitTraining) -> Any:
    """AdamW, with LoRA in a group of its own where it has a learning rate of its own."""
    from ..training.optimizer import build_optimizer
    from .lora import lora_parameters

    optimizer = build_optimizer(model if hasattr(model, "additions") else _Plain(model), settings)
    if settings.lora_learning_rate is not None and (lora := lora_parameters(model)):
        its = {id(p) for p in lora}
        for group in optimizer.param_groups:
            group["params"] = [p for p in group["params"] if id(p) not in its]
        optimizer.param_groups[:] = [group for group in optimizer.param_groups if group["params"]]
        decay = settings.weight_decay
        optimizer.add_param_group({"params": lora, "peak": settings.lora_learning_rate, "weight_decay": decay})
    return optimizer


def _answer(model: Any, codec: Any, samples: Any, gated: bool, device, head=None) -> tuple[Any, Any]:
    """Logits (B, A, vocab) and targets (B, A) of the answer tokens of fresh rows of one length.

    Args:
        head: token ids (V,) to give logits for; None for all.
    """
    import torch
    from torch.func import functional_call

    rows = {key: torch.from_numpy(array).to(device) for key, array in codec.rows(samples).items()}
    labels = rows.pop("labels")
    answer = int((labels != -100).sum(-1).max())
    if not gated or model.config.scale_hint == "none":
        rows.pop("scale_hint")
    # Ragged rows are padded on the right: their answers end earlier, and the last columns hold no label.
    first = int((labels != -100).int().argmax(-1).min())
    keep = labels.shape[1] - first + 1
    rows |= {"use_cache": False, "logits_to_keep": max(keep, answer + 1)}
    if head is None:
        logits = model(**rows).logits
    else:  # the same model with fewer rows in its head; where the head is tied, the embeddings keep all of theirs
        layer = model.get_output_embeddings()
        name = next(name for name, module in model.named_modules() if module is layer)
        few = {f"{name}.{key}": p[head] for key, p in layer.named_parameters()}
        logits = functional_call(model, few, (), rows, tie_weights=False).logits
    logits = logits[:, :-1]
    return logits, labels[:, -logits.shape[1] :]


def run(settings: RetrofitTraining, command: str = "") -> dict[str, Any]:
    """Load, add, train, evaluate; with `output_dir`, write. Returns the result."""
    import torch

    from ..files import write_json
    from .evaluate import evaluate_text
    from .fitting import weights_digest

    base, tokenizer = load_base(settings)
    digest = weights_digest(base)
    model, codec = build(settings, base, tokenizer)
    hint = settings.additions and model.config.scale_hint != "none"
    began, cpu_began = time.perf_counter(), time.process_time()
    history = []
    if settings.steps:
        history = train(model, codec, settings, lambda r: print(json.dumps(r), flush=True))
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    if settings.additions and model.config.mode == "adapter" and model.gate_parameters():
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
    if settings.output_dir is not None:
        folder = Path(settings.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        _save(model, base, tokenizer, settings, folder)
        write_json(folder / "result.json", result)
    if settings.result is not None:
        Path(settings.result).parent.mkdir(parents=True, exist_ok=True)
        write_json(Path(settings.result), result)
    return result


def portable(words: list[str]) -> str:
    """A command line as others can give it: an absolute path of this machine becomes its setting in capitals, or
    where it lies below the current folder the path from there."""
    plain, key = [], ""
    for word in words:
        name, equals, value = word.partition("=") if word.startswith("--") else (key, "", word)
        if name.lstrip("-") in PLACES and Path(value).is_absolute():
            below = Path(value).is_relative_to(Path.cwd())
            value = str(Path(value).relative_to(Path.cwd())) if below else name.lstrip("-").upper()
            word = f"{name}={value}" if equals else value
        plain.append(word)
        key = name if word.startswith("--") and not equals else ""
    return shlex.join(plain)


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


def main(arguments: list[str] | None = None) -> int:
    """The command line; exit code 2 for bad input, told in one line."""
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "hf_lengthgen.retrofit.train", *given])
    return exit_code(lambda: train_from_words(given, command))


if __name__ == "__main__":
    sys.exit(main())
