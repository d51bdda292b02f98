"""The model card of a model that was trained on several tasks: every number comes from their results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..evaluation.labels import variant_name
from ..evaluation.result import Result
from .card import UNPUBLISHED, cell, draw_example, eval_results, head_rows, hint_argument, render, score_row


def render_mixture_card(config: Any, results: Mapping[str, Result]) -> str:
    """Markdown with YAML front matter: what was mixed, how a prompt says which task it is, and one table per task.

    Args:
        config: the run's `TrainingConfig`, with `tasks`.
        results: label -> result of that task.
    """
    from huggingface_hub import ModelCardData

    from ..data.mixed import task_mark
    from ..training.mixture import told

    first = next(iter(results.values()))
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["length-generalization", "lengthgen", "custom_code", *results, config.position_embedding],
        metrics=["exact_match"],
        model_name=config.run_name,
        eval_results=[item for result in results.values() for item in eval_results(result)],
    )
    total = sum(entry["weight"] for entry in config.tasks)
    tasks = []
    for entry in config.tasks:
        label = entry["label"]
        result = results[label]
        example = draw_example(result)
        tasks.append(
            {
                "label": label,
                "name": entry["name"],
                "share": f"{entry['weight'] / total:.0%}",
                "mark": task_mark(label),
                "format": cell(result.format.removesuffix(f" ({told(config, label)})")),
                "example": example,
                "hint_argument": hint_argument(result, example),
                "rows": [score_row(score, result) for score in result.lengths],
            }
        )
    return render(
        "mixture_card.md",
        front_matter=data.to_yaml().strip(),
        title=config.run_name,
        model_id=UNPUBLISHED,
        n_min=first.n_min,
        n_max=first.n_max,
        variant=variant_name(config.position_embedding, config.scale_hint),
        scale_hint=config.scale_hint,
        tasks=tasks,
        heads=head_rows(first.relations),
        fairness=[(key.replace("_", " "), cell(value)) for key, value in first.fairness.items() if key != "format"],
        seed=config.seed,
        steps=first.steps,
        batch_size=config.batch_size,
        parameters=first.parameters,
        command=first.command,
    )
