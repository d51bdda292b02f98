"""From a finished run to its result file."""

from __future__ import annotations

from typing import Any

from ..evaluation.labels import with_knowledge
from .arguments import TrainingConfig
from .deciding import deciding, digest
from .environment import hardware, peak_memory_mb, versions
from .mixture import told
from .progress import History


def build_result(
    config: TrainingConfig,
    task: Any,
    model: Any,
    history: History,
    lengths: list,
    command: str,
    label: str | None = None,
) -> Any:
    """The `evaluation.result.Result` of a model: how it was trained, `lengths` (LengthResults), where it ran.

    `history`: of its training (seconds, final loss). `command`: what to type to get the same. `label`: which task, of
    a model for several.
    """
    from ..evaluation.result import Result

    about = task.summary
    peaks = [mb for mb in (history.peak_memory_mb, peak_memory_mb(model.device)) if mb is not None]
    hint = {
        "none": "none",
        "prompt": "the scale n, read off the prompt",
        "input": "the scale n, given as input",
    }
    entry = {"name": config.task, "task_options": config.task_options}
    name, extra = config.run_name, hint[config.scale_hint]
    if label is not None:
        entry = next(entry for entry in config.tasks if entry["label"] == label)
        about = f"{about} ({told(config, label)})"
        name, extra = f"{name}-{label}", "the task" if extra == "none" else f"{extra}; the task"
    if config.priming_share:
        primed = f"{config.priming_share:.0%} of the instances are of length {' to '.join(map(str, config.priming_n))}"
        extra = primed if extra == "none" else f"{extra}; {primed}"
    n_min, n_max = history.n_range or (config.n_min, config.n_max)
    settings = deciding(config)
    return Result(
        name=name,
        task=entry["name"],
        task_options=entry["task_options"],
        format=about,
        position_embedding=config.position_embedding,
        position_options=model.config.position_options or {},
        scale_hint=config.scale_hint,
        seed=config.seed,
        n_min=n_min,
        n_max=n_max,
        steps=config.steps,
        steps_done=history.steps or None,
        batch_size=config.batch_size,
        parameters=sum(p.numel() for p in model.parameters()),
        fairness={
            "format": about,
            "metric": "exact match of the whole answer, end token included, greedy",
            "seeds": f"one run, seed {config.seed}; comparisons take the mean over all seeds",
            "checkpoint": checkpoint_text(history),
            "extra_knowledge": with_knowledge(extra, config.position_embedding),
        },
        lengths=lengths,
        relations=model.relations() or None,
        train_seconds=history.seconds,
        eval_seconds=sum(result.seconds for result in lengths),
        peak_memory_mb=max(peaks, default=None),
        final_loss=history.final_loss if label is None else history.final_loss_of(label),
        versions=versions(),
        command=command,
        hardware=hardware(model.device),
        settings=settings,
        settings_digest=digest(settings),
    )


def checkpoint_text(history: History) -> str:
    """Which weights are evaluated: the last, and the best validation is named where it was better; or those of it."""
    if history.best_of_run:
        return f"best validation (step {history.steps})"
    best = history.better_than_last()
    return "last" if best is None else f"last (the best validation was at step {best['step']})"
