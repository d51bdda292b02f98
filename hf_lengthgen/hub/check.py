"""Whether a folder is fit to be published: verified, loads for a stranger, and does what its result file says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluation.hard import with_hard
from ..evaluation.result import Result
from ..evaluation.scale import scale_text
from ..training.arguments import TrainingConfig
from .verification import verify_folder

BATCH = 256
STEPS = 256  # of generation that a check may take; the largest recorded length within is taken
TOLERANCE = 0.02  # share of examples that other hardware may decide otherwise
SECONDS = 900


class CheckError(ValueError):
    """The folder must not be published."""


@dataclass(frozen=True)
class Checked:
    """What was reproduced: at scale `n`, `correct` of `examples`, where the result file has `recorded`.

    n is empty where nothing could be compared, for the reason `why`.
    """

    n: list[int]
    examples: int
    correct: int
    recorded: int
    why: str = ""

    def __str__(self) -> str:
        if not self.n:
            return f"loads in a clean process; {self.why}"
        return (
            f"loads in a clean process and solves {self.correct} of {self.examples} at n = {scale_text(self.n)} "
            f"(recorded: {self.recorded})"
        )


def check(folder: str | Path) -> Checked:
    """Loads the folder in a process of its own, where this package cannot be imported, and answers there the very
    examples of one recorded length.

    Raises:
        VerifyError: there is something in the folder that has no place there.
        CheckError: it does not load, or does not reproduce its recorded exact match.
    """
    folder = Path(folder).resolve()
    verify_folder(folder)
    result = Result.load(folder / "result.json")
    chosen, why = _choose(result)
    job: dict[str, Any] = {"folder": str(folder), "batch_size": BATCH, "prompts": [], "answers": [], "hints": None}
    if chosen is None:
        _run(job)
        return Checked([], 0, 0, 0, why)
    score, task = chosen
    # Drawn as `evaluate_lengths` draws them.
    seed, hard = _evaluated(folder, result)
    rng = np.random.default_rng([seed, *score.n])
    samples = with_hard(task, hard).sample(tuple(score.n), score.examples, rng)
    job |= {"prompts": samples.prompt_strings(), "answers": samples.answer_strings()}
    if result.scale_hint == "input":
        job["hints"] = samples.scales.tolist()
    correct = sum(_run(job)["right"])
    checked = Checked(score.n, score.examples, correct, score.correct)
    if abs(correct - score.correct) > TOLERANCE * score.examples:
        raise CheckError(
            f"{folder} does not do what its result.json says: at n = {scale_text(score.n)} it solves {correct} of "
            f"{score.examples}, recorded are {score.correct}."
        )
    return checked


def _choose(result: Result) -> tuple[tuple[Any, Any] | None, str]:
    """The largest recorded length that generation reaches within STEPS, and the task; or why there is none."""
    from ..tasks import get_task

    try:
        task = get_task(result.task, **result.task_options)
    except ValueError as problem:
        return None, f"its exact match was not reproduced, for the task is not known here ({problem})"
    scores = [score for score in result.lengths if score.mode == "generate"]
    if not scores:
        return None, "its exact match was not reproduced, for none was measured by generation"
    costs = {tuple(s.n): -(-s.examples // BATCH) * (task.lengths(tuple(s.n))[1] + 1) for s in scores}
    cheap = [score for score in scores if costs[tuple(score.n)] <= STEPS]
    if cheap:
        return (max(cheap, key=lambda score: sum(score.n)), task), ""
    return (min(scores, key=lambda score: costs[tuple(score.n)]), task), ""


def _evaluated(folder: Path, result: Result) -> tuple[int, float | None]:
    """Seed and share of hard cases of the evaluation, as the result records them; one that does not: as training.json
    does; where that cannot be read: the defaults."""
    from ..training.saving import read_training

    if {"eval_seed", "eval_hard"} <= result.settings.keys():
        return result.settings["eval_seed"], result.settings["eval_hard"]
    try:
        config = read_training(folder)[0]
    except (OSError, ValueError):
        config = TrainingConfig()
    return config.eval_seed, config.eval_hard


def _run(job: dict[str, Any]) -> dict[str, Any]:
    """One clean process: -P keeps the current folder off its path, its caches are new, and Hugging Face's libraries are
    told that they are offline. Nothing else bars the network, nor need it: the code that runs was verified before."""
    with tempfile.TemporaryDirectory() as home:
        new = {"HF_HOME": home, "HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": f"{home}/modules", "OMP_NUM_THREADS": "1"}
        words = [sys.executable, "-P", "-W", "ignore", str(Path(__file__).with_name("clean_process.py"))]
        try:
            done = subprocess.run(
                words, input=json.dumps(job), env=os.environ | new, cwd=home,
                capture_output=True, text=True, timeout=SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise CheckError(f"{job['folder']} did not answer its examples within {SECONDS} seconds.") from None
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CheckError(f"{job['folder']} does not load without this package: {reason}")
    return json.loads(lines[-1])
