"""Training a retrofitted checkpoint on one task, in one process. Everything random is a function of (seed, step)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from .settings import RetrofitTraining


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
        # LoRA on the head has a part without a row for each token.
        vocabulary = layer.weight.shape[0]
        few = {f"{name}.{key}": p[head] for key, p in layer.named_parameters() if len(p) == vocabulary}
        logits = functional_call(model, few, (), rows, tie_weights=False).logits
    logits = logits[:, :-1]
    return logits, labels[:, -logits.shape[1] :]
