"""The training loop: Accelerate, online data, everything random a function of (seed, step).

Because nothing depends on a generator's history, a run that is killed and resumed is the same run (bit for
bit on CPU), and so is a run watched by more or fewer validations.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..data.batches import shared_rows
from . import checkpoints
from .arguments import TrainingConfig
from .build import assemble_model, keyed_seed, mixed_batches, own_generator
from .environment import peak_memory_mb
from .initial import load_initial, tell
from .mixture import build_parts
from .objective import Objective, answer_tokens
from .optimizer import build_optimizer, set_learning_rate
from .progress import History, Progress
from .schedule import learning_rate_factor, penalty_weight
from .scores import check_rows
from .sharding import Whole, WholeOfShards, check_engine, gathered, shard_on_cpu
from .signals import StopRequest, TrainingInterrupted
from .tracking import Tracker, check_tracker

LOG_EVERY = 10  # steps between records of the history


class TrainingDiverged(ValueError):
    """The loss or the gradient is no longer a finite number."""

    exit_code = 1


class Trained(NamedTuple):
    """What `train` returns: `model, tokenizer, history = train(config)`."""

    model: Any
    tokenizer: Any
    history: History


def train(
    config: TrainingConfig,
    *,
    accelerator: Any = None,
    progress: bool = True,
    on_step: Callable[[int, Any], None] | None = None,
    on_start: Callable[[], None] | None = None,
) -> Trained:
    """Trains a model on batches made as they are needed.

    With `config.output_dir`, checkpoints go to output_dir/checkpoints and a run already there is resumed
    (with `resume=False`: discarded); without it nothing is written.

    accelerator: an `accelerate.Accelerator`, with the precision and the tracker of the config; None makes one.
    on_step: `on_step(step, model)` is called after each of the steps 1 … config.steps.
    on_start: called once everything fits, in the main process, before anything is written.

    The model comes back in evaluation mode, gates not yet rounded (`model.harden()` does that).

    Raises ValueError (a bad setting, task or embedding; a run with other settings in output_dir),
    TrainingDiverged, CheckpointError (output_dir cannot be written or read), TrainingInterrupted (SIGTERM or
    Ctrl-C; the state is saved first where there is an output_dir).
    """
    config.validate()
    accelerator = accelerator or make_accelerator(config)
    config = in_force(config, accelerator)
    check_processes(config, accelerator.num_processes)
    set_threads(config)
    parts, tokenizer = build_parts(config)
    batches = mixed_batches(config, parts)
    model = assemble_model(config, parts, tokenizer)
    if config.dataset is not None:
        check_rows(config, batches, model)
        if progress and accelerator.is_local_main_process:
            print(f"{config.dataset}: {batches.told()}", file=sys.stderr, flush=True)
    store = None
    if config.output_dir is not None:
        store = checkpoints.CheckpointStore(Path(config.output_dir) / "checkpoints", config)
    # A checkpoint replaces every weight: what the run began from may be gone by now.
    if config.init_from is not None and not (store is not None and config.resume and store.latest()):
        inherited = load_initial(model, tokenizer, config.init_from, None if config.tasks else config.task)
        if progress and accelerator.is_local_main_process:
            tell(inherited, config.init_from)
    model = model.to(accelerator.device)
    if config.gradient_checkpointing:
        model.gradient_checkpointing_enable()
    optimizer = build_optimizer(model, config)
    accelerator.wait_for_everyone()  # nobody removes what another process still reads
    if accelerator.is_main_process:
        if store is not None:
            store.prepare()
        if on_start is not None:
            on_start()
    accelerator.wait_for_everyone()
    start, history = 0, History()
    if store is not None:
        start, history = store.restore(model, optimizer, accelerator.scaler)
        accelerator.wait_for_everyone()  # nobody prunes what another process still reads
    if accelerator.is_fsdp2:
        whole = WholeOfShards(model, optimizer, config, accelerator.is_main_process)
        objective, prepared = accelerator.prepare(Objective(whole.live), whole.live_optimizer)
        whole.push_optimizer()
    else:
        objective, prepared = accelerator.prepare(Objective(model), optimizer)
        whole = Whole(model, prepared)
    loop = _Loop(config, accelerator, objective, prepared, whole, parts, batches, store, history)
    tracker = Tracker(accelerator, config, resumed=start > 0)
    with own_generator(accelerator.device), StopRequest() as stop, tracker as loop.tracker:
        loop.go(start, stop, progress and accelerator.is_local_main_process, on_step)
        whole.pull(config.steps)  # before the tracker ends, which takes the connection between processes with it
    whole.live.set_gate_noise(None)
    history.n_range = list(batches.reached(history.steps))
    model.eval()
    return Trained(model, tokenizer, history)


def in_force(config: TrainingConfig, accelerator: Any) -> TrainingConfig:
    """The config with the reduced precision that `accelerate launch` chose, where it names none itself.

    ValueError where the Accelerator has not what the config asks for.
    """
    precision = accelerator.mixed_precision
    if config.mixed_precision not in (None, precision):
        raise ValueError(
            f"mixed_precision is {config.mixed_precision!r}, but the Accelerator that was given has {precision!r}."
        )
    if config.tracker != "none" and not accelerator.log_with:
        raise ValueError(f"tracker is {config.tracker!r}, but the Accelerator that was given has none (log_with).")
    return config if precision == "no" else dataclasses.replace(config, mixed_precision=precision)


def make_accelerator(config: TrainingConfig) -> Any:
    """An Accelerator that lets a parameter go unused in a step, as one of a shut gate may be.

    ValueError: this machine lacks the tracker or the precision of the config, an engine was launched in which runs
    have not been shown to work, or this Python process already has an Accelerator of another precision.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState, is_initialized

    check_tracker(config.tracker)
    check_engine()
    wanted = config.mixed_precision or os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    if is_initialized() and AcceleratorState().mixed_precision != wanted:
        raise ValueError(
            f"this Python process has an Accelerator with mixed_precision {AcceleratorState().mixed_precision!r}, and "
            f"Accelerate keeps one precision per process: train with {wanted!r} in a new one."
        )
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        log_with=None if config.tracker == "none" else config.tracker,
        project_dir=config.output_dir,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    if accelerator.mixed_precision == "fp16" and accelerator.scaler is None:
        raise ValueError(
            f"mixed_precision fp16 is not for the device {accelerator.device.type!r}, where Accelerate would compute "
            "in float32 without a word: use bf16 or no."
        )
    shard_on_cpu(accelerator)
    return accelerator


def set_threads(config: TrainingConfig) -> None:
    if config.threads is not None:
        torch.set_num_threads(config.threads)


def check_processes(config: TrainingConfig, running: int) -> None:
    """Accelerate silently runs one process, or several unconnected ones, under some launch configurations."""
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if launched != running:
        raise ValueError(
            f"{launched} processes were launched but they are not connected (Accelerate sees {running}): "
            "start them with `accelerate launch --multi_gpu --num_processes N`."
        )
    if config.num_processes is not None and config.num_processes != running:
        raise ValueError(
            f"num_processes is {config.num_processes}, but {running} run: start the recipe with "
            f"`accelerate launch --multi_gpu --num_processes {config.num_processes}`."
        )
    if (config.batch_size // config.groups) % running:
        raise ValueError(
            f"batch_size / groups = {config.batch_size // config.groups} must be a multiple of the number of "
            f"processes, {running}."
        )
    local = config.batch_size // running
    if local % config.gradient_accumulation_steps:
        raise ValueError(
            f"gradient_accumulation_steps must divide the {local} examples of a process, got "
            f"{config.gradient_accumulation_steps}."
        )


class _Loop:
    """The state of one run, and its steps."""

    def __init__(self, config, accelerator, objective, optimizer, whole, parts, batches, store, history):
        self.config, self.accelerator = config, accelerator
        self.objective, self.optimizer = objective, optimizer
        self.whole, self.model = whole, whole.model
        self.parts, self.batches = parts, batches
        self.store, self.history = store, history
        self.solved: list = next((r["solved"] for r in reversed(history.records) if "solved" in r), [])

    def go(self, start: int, stop: StopRequest, show: bool, on_step: Callable | None) -> None:
        config = self.config
        bar = Progress(config.steps, start, show, config.label)
        before, began = self.history.seconds, time.perf_counter()
        try:
            for step in range(start, start if self.solved_for_good() else config.steps):
                record = self.step(step)
                done = step + 1
                last = done == config.steps
                validating = config.validate_every and (done % config.validate_every == 0 or last)
                if validating or done % LOG_EVERY == 0 or last or on_step is not None:
                    self.whole.pull(done)
                record["open_gates"] = self.model.open_gates()
                if validating:
                    self.validate(record)
                    bar.line(record, self.solved)
                if "solved" in record or done % LOG_EVERY == 0 or last:
                    self.history.records.append(record)
                    self.tracker.log(record)
                if "solved" in record:
                    self.keep_best(record)
                    last = last or self.solved_for_good()
                bar.step(record, self.solved)
                stopping = self.agree(stop.received is not None)
                if last or stopping or (config.save_every and done % config.save_every == 0):
                    self.history.seconds = before + time.perf_counter() - began
                    self.save(done)
                if on_step is not None:
                    on_step(done, self.model)
                if stopping:
                    raise TrainingInterrupted(self.farewell(stop.received or "A signal", done))
                if last:
                    break
        finally:
            bar.close()

    def step(self, step: int) -> dict[str, Any]:
        """One optimizer step. Returns its record."""
        config, accelerator = self.config, self.accelerator
        world = accelerator.num_processes
        # What draws from torch's global generator is then a function of (seed, step, process), not of history.
        torch.manual_seed(keyed_seed(config.seed, "step", step, accelerator.process_index))
        if step == round(config.settle * config.steps):
            self.whole.pull(step)
            self.model.settle()
            self.whole.push()
        self.objective.train()
        batch = self.batches.batch(step, rank=accelerator.process_index, world_size=world)
        batch = {key: value.to(accelerator.device) for key, value in batch.items()}
        if config.scale_hint == "none":
            batch.pop("scale_hint")
        weight = penalty_weight(step, config.steps, config.penalty, config.penalty_warmup)
        factor = learning_rate_factor(step, config.steps, config.warmup_steps, config.final_learning_rate_ratio)
        set_learning_rate(self.optimizer, factor)

        self.optimizer.zero_grad()
        loss = self.backward(step, batch, weight)
        norm = float(gathered(accelerator.clip_grad_norm_(self.objective.parameters(), config.clip)))
        overflow = accelerator.scaler is not None and not math.isfinite(norm)  # fp16: the scaler skips the step
        if not (math.isfinite(loss) and (math.isfinite(norm) or overflow)):
            raise TrainingDiverged(self.diverged(step, loss, norm))
        self.optimizer.step()
        record = {"step": step + 1, "loss": loss, "learning_rate": config.learning_rate * factor}
        if config.tasks is not None:
            record["task"] = self.batches.label(step)
        return record | {"penalty_weight": weight}

    def backward(self, step: int, batch: dict[str, torch.Tensor], weight: float) -> float:
        """Gradients of the whole batch, part by part. Returns its loss: cross-entropy per answer token.

        Every part counts with its share of the global batch's answer tokens, and every example draws by its place in
        the global batch, so that the gradient depends neither on the number of parts nor on that of processes.
        """
        accelerator, config = self.accelerator, self.config
        count, world = config.gradient_accumulation_steps, accelerator.num_processes
        rows = shared_rows(config.batch_size, config.groups, accelerator.process_index, world)
        everything = accelerator.reduce(answer_tokens(batch["labels"]))
        loss: Any = 0.0
        for start in range(count):
            part = {key: value[start::count] for key, value in batch.items()}
            self.whole.live.set_gate_noise(config.seed, step, torch.from_numpy(rows[start::count].copy()))
            share = answer_tokens(part["labels"]) * world / everything
            last = start == count - 1
            with contextlib.nullcontext() if last else accelerator.no_sync(self.objective):
                total, cross_entropy = self.objective(part, share, weight if last else 0.0)
                accelerator.backward(total)
            loss = loss + cross_entropy * share
        return float(accelerator.reduce(loss, "mean"))

    def keep_best(self, record: dict[str, Any]) -> None:
        """Keeps these weights beside the last ones if no validation before was as good."""
        if self.store is not None and self.accelerator.is_main_process and self.history.best() is record:
            self.store.save_best(record["step"], self.model)

    def solved_for_good(self) -> bool:
        """Whether the last `early_stopping` validations solved every scale, all of them with the gates settled."""
        patience = self.config.early_stopping
        scales = len({self.parts[0].task.expand(n) for n in self.config.validate_lengths})
        since = round(self.config.settle * self.config.steps) if self.model.gate_parameters() else 0
        validated = [r for r in self.history.records if "solved" in r and r["step"] > since]
        last = validated[-patience:] if patience else []
        return bool(last) and len(last) == patience and all(len(r["solved"]) == scales for r in last)

    def validate(self, record: dict[str, Any]) -> None:
        """Quick teacher-forced exact match; adds `solved` (by all tasks) and `exact_match` to the record."""
        from ..evaluation.lengths import evaluate_lengths

        if not self.config.validate_lengths:
            return
        self.model.eval()
        record["validate_lengths"] = self.config.to_dict()["validate_lengths"]
        record["solved"], record["exact_match"], solved = [], {}, []
        for part in self.parts:
            results = evaluate_lengths(
                self.model,
                part.tokenizer,
                part.task,
                sorted({part.task.expand(n) for n in self.config.validate_lengths}, key=lambda s: (sum(s), s)),
                examples=16,
                mode="teacher",
                seed=self.config.eval_seed,
                hard=self.config.eval_hard,
                stop_at_zero=True,
            )
            scale = [r.n if len(r.n) > 1 else r.n[0] for r in results]
            solved.append([n for n, r in zip(scale, results, strict=True) if r.exact_match == 1.0])
            name = "" if part.label is None else f"{part.label} "
            record["exact_match"] |= {f"{name}{n}": r.exact_match for n, r in zip(scale, results, strict=True)}
        self.solved = [n for n in solved[0] if all(n in others for others in solved)]
        record["solved"] = self.solved

    def save(self, done: int) -> None:
        peak = peak_memory_mb(self.accelerator.device)
        self.history.peak_memory_mb = max(peak, self.history.peak_memory_mb or 0.0) if peak else None
        if self.store is None:
            return
        self.whole.pull(done)
        self.whole.pull_optimizer()
        if self.accelerator.is_main_process:
            self.store.save(done, self.model, self.whole.optimizer, self.history, self.accelerator.scaler)
        self.whole.release_optimizer()

    def agree(self, wanted: bool) -> bool:
        """True in every process as soon as one wants to stop: they must leave at the same step."""
        if self.accelerator.num_processes == 1:
            return wanted
        return bool(self.accelerator.reduce(torch.tensor(int(wanted), device=self.accelerator.device)))

    def farewell(self, name: str, done: int) -> str:
        place = f"{name} received: stopped after step {done} of {self.config.steps}"
        if self.store is None:
            return f"{place}; nothing is saved, since there is no output_dir."
        how = "the same command" if self.config.resume else "without resume=false the same command"
        return f"{place}, saved in {self.store.path(done)}; {how} goes on from there."

    def diverged(self, step: int, loss: float, norm: float) -> str:
        last = self.store.latest() if self.store is not None else None
        kept = f"the last good checkpoint is {last}" if last else "there is no checkpoint to go back to"
        return (
            f"Training diverged at step {step + 1}: loss {loss}, gradient norm {norm}; {kept}. "
            f"A smaller learning_rate (now {self.config.learning_rate}) or "
            f"clip (now {self.config.clip}) may help."
        )
