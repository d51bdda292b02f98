"""Small comparisons, and results for their cells."""

from evaluation.results import make_result, score

from hf_lengthgen.compare.grid import make_grid
from hf_lengthgen.compare.layout import Layout
from hf_lengthgen.training.deciding import deciding, digest

TINY = {
    "n_max": 4,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "steps": 20,
    "batch_size": 8,
    "eval_lengths": [4, 8],
    "eval_examples": 8,
    "long_lengths": [],
    "validate_every": 0,
}


def data(**changes):
    """What a grid file of 2 tasks x 2 variants x 2 seeds holds."""
    return {
        "name": "small",
        "base": dict(TINY),
        "tasks": [{"name": "copy"}, {"name": "reverse", "steps": 10}],
        "variants": [
            {"name": "rope", "scale_hint": "none"},
            {"name": "hinted", "position_embedding": "lbpe", "scale_hint": "prompt"},
        ],
        "seeds": [0, 1],
    } | changes


def grid(**changes):
    return make_grid(data(**changes), "small.yaml")


def layout(folder):
    return Layout(folder / "results", folder / "runs")


def file_result(cell, where, *correct, **changes):
    """File a result with so many right of 8 at the cell's lengths; a zero ends it."""
    scores = []
    for n, count in zip(cell.config.eval_lengths, correct, strict=False):
        scores.append(score(n, count, 8))
        if count == 0:
            break
    config, settings = cell.config, deciding(cell.config)
    fields = {
        "task": config.task,
        "task_options": config.task_options,
        "position_options": config.position_options,
        "scale_hint": config.scale_hint,
        "seed": cell.seed,
        "n_max": config.n_max,
        "steps": config.steps,
        "batch_size": config.batch_size,
        "lengths": scores,
        "settings": settings,
        "settings_digest": digest(settings),
        "wall_seconds": 60.0,
    }
    result = make_result(config.position_embedding, **(fields | changes))
    result.save(where.result(cell))
    return result
