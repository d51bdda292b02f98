"""What a finished run shows a person: the relations in use, and one long instance solved."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def relations_text(relations: list | None) -> str:
    """`model.relations()` as lines, one per head, the heaviest relation first; '' for an embedding without."""
    lines = []
    for layer, heads in enumerate(relations or []):
        for head, pairs in enumerate(heads):
            texts = ", ".join(text for text, _ in pairs) or "reads nothing"
            lines.append(f"  layer {layer} head {head}: {texts}")
    return "\n".join(["Query i reads key j where", *lines]) if lines else ""


def solved_example(model: Any, tokenizer: Any, task: Any, n: int, seed: int = 0) -> str:
    """One instance of scale n that the model has never seen, answered by `generate`, beside the task's oracle."""
    prompt = task.sample(task.expand(n), 1, np.random.default_rng([seed, n])).prompt_strings()[0]
    expected = task.answer(prompt)
    inputs = tokenizer(prompt, return_tensors="pt").to(model.device)
    if model.config.scale_hint == "input":
        inputs["scale_hint"] = torch.tensor([task.scale_of(prompt)], device=model.device)
    limit = len(expected) + 1
    written = model.generate(**inputs, max_new_tokens=limit, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    answer = tokenizer.decode(written, skip_special_tokens=True)
    right = answer == expected and len(written) == limit
    return "\n".join(
        [
            f"One instance of scale {n}:",
            f"  prompt   {prompt}",
            f"  model    {answer}",
            f"  expected {expected}",
            f"  {'right' if right else 'wrong'}",
        ]
    )
