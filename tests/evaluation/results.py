"""Made-up results for tests."""

from hf_lengthgen.evaluation.length_result import LengthResult
from hf_lengthgen.evaluation.result import Result


def score(n, correct, examples=100, mode="generate"):
    n = [n] if isinstance(n, int) else list(n)
    return LengthResult.of(n, examples, correct, mode, 0.5, 0.75 if mode == "teacher" else None)


def make_result(position_embedding="lbpe", scores=((5, 100), (50, 42)), seed=0, **changes):
    """A complete result; `scores` holds (n, correct) or LengthResults."""
    fields = {
        "name": f"addition/{position_embedding}/seed{seed}",
        "task": "addition",
        "task_options": {"widths": "equal"},
        "format": "321+654= -> 9750",
        "position_embedding": position_embedding,
        "position_options": {},
        "scale_hint": "none",
        "seed": seed,
        "n_min": 1,
        "n_max": 12,
        "steps": 1500,
        "batch_size": 128,
        "parameters": 412345,
        "fairness": {
            "format": "reversed digits",
            "metric": "exact match of the whole answer",
            "seeds": "one run",
            "checkpoint": "last",
            "extra_knowledge": "none",
        },
        "lengths": [item if isinstance(item, LengthResult) else score(*item) for item in scores],
        "relations": None,
        "train_seconds": 181.25,
        "eval_seconds": 30.5,
        "peak_memory_mb": 812.5,
        "final_loss": 0.00123,
        "versions": {"python": "3.11.9", "torch": "2.13.0"},
        "command": "lengthgen train --config addition/lbpe --seed 0",
        "hardware": {"cpu_count": 2, "device": "cpu", "threads": 1},
    }
    return Result(**(fields | changes))
