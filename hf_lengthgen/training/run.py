"""A whole run in stages, each of which is kept: train, harden and save, evaluate, write down.

    output_dir/checkpoints/   training in progress
               model/         the finished model for from_pretrained, and training.json: how it was made
               best/          the model of the best validation, where the last one was worse
               lengths.json   lengths evaluated so far
               result.json    everything, for comparison and model cards

model/ is what goes to the Hub: it gets the result, the curve of accuracy versus length and the model card too.

A run on several tasks has a folder tasks/<label>/ for each, with its lengths.json and result.json; model/ gets a card
that has them all.

Started again, a run goes on with the first stage that is not finished.
"""

from __future__ import annotations

import copy
import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import files
from ..evaluation.scale import scale_text
from . import saving, scores
from .arguments import TrainingConfig
from .checkpoints import CheckpointError, CheckpointStore, check_same_config
from .loop import in_force, make_accelerator, set_threads, train
from .mixture import Part, build_parts, choose_part, scale_rule
from .progress import History
from .record import build_result
from .summary import relations_text, solved_example


def run(config: TrainingConfig, command: str = "", *, progress: bool = True) -> Any:
    """Trains, evaluates and writes everything to `config.output_dir` (None: runs/<name>/seed<seed>).

    Returns the `evaluation.result.Result` that is also output_dir/result.json, with `command` recorded in it, or, with
    several tasks, a dict of label -> Result; None in every process but the main one. Raises what `train` raises.
    """
    config.validate()
    if config.output_dir is None:
        config = dataclasses.replace(config, output_dir=f"runs/{config.label}/seed{config.seed}")
    folder = Path(config.output_dir)
    # Tasks that do not fit together, and scales that do not fit a task, are found now: before anything is written.
    parts, tokenizer = build_parts(config)
    scale_rule(config, parts, tokenizer)
    scores.check_scales(config, parts, tokenizer)
    set_threads(config)
    accelerator = make_accelerator(config)
    config = in_force(config, accelerator)
    show = progress and accelerator.is_main_process
    if accelerator.is_main_process:
        files.check_writable(folder, CheckpointError)
    accelerator.wait_for_everyone()

    if not config.resume or not (folder / "model" / saving.TRAINING_FILE).is_file():
        start_over = None if config.resume else lambda: _discard(folder)
        model, tokenizer, history = train(config, accelerator=accelerator, progress=progress, on_start=start_over)
        if accelerator.is_main_process:
            best = history.better_than_last()
            if best is not None:
                better = copy.deepcopy(model)
                if CheckpointStore(folder / "checkpoints", config).load_best(best["step"], better):
                    _finish(folder / "best", better, tokenizer, config, history.cut_at(best["step"]))
            _finish(folder / "model", model, tokenizer, config, history)
    if not accelerator.is_main_process:
        return None

    # Read back even if it was just trained: what is evaluated is what others will load.
    saved = saving.load_model(folder / "model")
    check_same_config(saved.config.to_dict(), config, folder / "model")
    model = saved.model.to(accelerator.device)
    labels = [None] if config.tasks is None else [entry["label"] for entry in config.tasks]
    parts = [choose_part(config, saved.tokenizer, label) for label in labels]
    with _refusals_told(folder):
        results = {part.label: _evaluate(folder, saved, model, part, config, command, show) for part in parts}
        if config.tasks is None:
            _write(folder, results[None])
        else:
            from ..hub.mixture_card import render_mixture_card

            files.write_text(folder / "model" / "README.md", render_mixture_card(config, results))
    if show:
        print(f"{folder / ('result.json' if config.tasks is None else 'tasks')} written.", file=sys.stderr)
        for part in parts:
            _show(model, part, config, results[part.label])
    return results[None] if config.tasks is None else results


def _evaluate(
    folder: Path, saved: Any, model: Any, part: Part, config: TrainingConfig, command: str, show: bool
) -> Any:
    """The Result of one task; that of one of several is written beside its lengths.json."""
    place = folder
    if part.label is not None:
        place = folder / "tasks" / part.label
        place.mkdir(parents=True, exist_ok=True)
        if show:
            print(f"{part.label}:", file=sys.stderr)
    lengths = scores.evaluate_all(
        model,
        part.tokenizer,
        part.task,
        config,
        place / "lengths.json",
        digest=files.fingerprint(folder / "model" / "model.safetensors"),
        report=report_length if show else lambda result: None,
    )
    result = build_result(config, part.task, model, saved.history, lengths, command, label=part.label)
    if part.label is not None:
        result.save(place / "result.json")
    return result


@contextmanager
def _refusals_told(folder: Path) -> Iterator[None]:
    """A full disk, once training is over: the operating system's own sentence names no file."""
    try:
        yield
    except OSError as problem:
        raise CheckpointError(
            f"The results cannot be written to {str(folder)!r}: {problem.strerror or problem}; the finished model is "
            f"in {str(folder / 'model')!r}, and the same command, without resume=false, goes on from there."
        ) from problem


def _finish(folder: Path, model: Any, tokenizer: Any, config: TrainingConfig, history: History) -> None:
    """Rounds the gates and writes the model."""
    if model.open_gates() is not None:
        model.harden()
    saving.save_model(folder, model, tokenizer, config, history)


def _discard(folder: Path) -> None:
    """Removes what a run wrote into `folder`, and nothing else."""
    for name in ("model", "best", "tasks"):
        files.remove_folder(folder / name)
    for name in ("lengths.json", "result.json"):
        (folder / name).unlink(missing_ok=True)


def _write(folder: Path, result: Any) -> None:
    """Result file, curve and card; the last two only where some length was evaluated."""
    from ..evaluation.plot import plot_curves
    from ..hub.card import render_card

    result.save(folder / "result.json")
    if result.lengths:
        plot_curves([result], folder / "model" / "curve.svg")
        result.save(folder / "model" / "result.json")
        files.write_text(folder / "model" / "README.md", render_card(result, figure="curve.svg"))


def _show(model: Any, part: Part, config: TrainingConfig, result: Any) -> None:
    """The relations in use and one instance well beyond the training lengths, before the user's eyes."""
    text = relations_text(result.relations)
    if text and part.label in (None, config.tasks and config.tasks[0]["label"]):  # one model: once is enough
        print(f"\n{text}", file=sys.stderr)
    name = "" if part.label is None else f"{part.label}. "
    try:
        example = solved_example(model, part.tokenizer, part.task, 3 * result.n_max)
    except ValueError as error:  # the task has no row of that scale, or the model no positions
        example = f"No instance of scale {3 * result.n_max} is shown: {error}"
    print(f"\n{name}{example}\n", file=sys.stderr, flush=True)


def report_length(result: Any) -> None:
    """One line per length, as soon as it is evaluated."""
    scored = f"{result.exact_match:.1%} of {result.examples} ({result.mode}, {result.seconds:.1f} s)"
    print(f"n = {scale_text(result.n)}: {scored}", file=sys.stderr, flush=True)
