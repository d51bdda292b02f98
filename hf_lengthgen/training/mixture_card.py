"""The model card of a model that was trained on several tasks: every number comes from their results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from .mixture import told


def mixture_card(config: Any, results: Mapping[str, Any]) -> str:
    """Markdown with YAML front matter: what was mixed, how a prompt says which task it is, and one table per task.

    `config`: the run's, with `tasks`; `results`: label -> `evaluation.result.Result`.
    """
    from ..data.mixed import task_mark
    from ..evaluation.labels import variant_name
    from ..evaluation.report import percent
    from ..evaluation.scale import scale_text
    from ..hub.card import METHODS, SHOWN, draw_example, eval_results

    first = next(iter(results.values()))
    examples = {label: draw_example(result) for label, result in results.items()}
    marked = {label: task_mark(label) + example.prompt for label, example in examples.items() if example is not None}
    total = sum(entry["weight"] for entry in config.tasks)
    variant = variant_name(config.position_embedding, config.scale_hint)
    matter = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["length-generalization", "lengthgen", "custom_code", *results, config.position_embedding],
        "metrics": ["exact_match"],
        "model-index": _index(config.run_name, [item for result in results.values() for item in eval_results(result)]),
    }
    lines = [
        "---",
        yaml.safe_dump(matter, sort_keys=False).strip(),
        "---",
        "",
        f"# {config.run_name}",
        "",
        f"A small transformer that learned **{', '.join(results)}** together, from instances of length {config.n_min} "
        f"to {config.n_max}, with the position embedding **{variant}**.",
        "",
        "| task | named in the registry | share of the steps | prompt opens with | format |",
        "| --- | --- | ---: | --- | --- |",
    ]
    for entry in config.tasks:
        text = _cell(results[entry["label"]].format.removesuffix(f" ({told(config, entry['label'])})"))
        share = f"{entry['weight'] / total:.0%}"
        lines.append(f"| {entry['label']} | {entry['name']} | {share} | `{task_mark(entry['label'])}` | {text} |")
    lines += [
        "",
        "## Use",
        "",
        "The first token says which task it is; without it the answer means nothing.",
        "",
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        'model = AutoModelForCausalLM.from_pretrained("path/to/model", trust_remote_code=True)',
        'tokenizer = AutoTokenizer.from_pretrained("path/to/model", trust_remote_code=True)',
    ]
    for label, prompt in marked.items():
        example = examples[label]
        hint = f", scale_hint=torch.tensor([{list(example.scale)}])" if config.scale_hint == "input" else ""
        lines += [
            f'inputs = tokenizer("{prompt}", return_tensors="pt")',
            f"output = model.generate(**inputs, max_new_tokens={example.new_tokens}{hint})",
            f"print(tokenizer.decode(output[0], skip_special_tokens=True))  # {example.prompt}{example.answer}",
        ]
    lines += ["```", "", "## Exact match by length", "", "The whole answer has to be right, end of sequence included."]
    for label, result in results.items():
        lines += ["", f"### {label}", "", "| length | right | exact match | 95% interval | measured by |"]
        lines.append("| ---: | ---: | ---: | :---: | --- |")
        for score in result.lengths:
            trained = " (trained)" if all(config.n_min <= n <= config.n_max for n in score.n) else ""
            lines.append(
                f"| {scale_text(score.n)}{trained} | {score.correct} of {score.examples} | "
                f"{percent(score.exact_match)}% | {percent(score.ci_low)}–{percent(score.ci_high)}% | "
                f"{METHODS[score.mode]} |"
            )
    if first.relations:
        lines += ["", "## What it attends to", "", "| layer | head | relations |", "| ---: | ---: | --- |"]
        for layer, heads in enumerate(first.relations):
            for head, pairs in enumerate(heads):
                text = ", ".join(f"`{name}` ({weight:.2f})" for name, weight in pairs[:SHOWN]) or "none"
                text += f", and {len(pairs) - SHOWN} more" if len(pairs) > SHOWN else ""
                lines.append(f"| {layer} | {head} | {_cell(text)} |")
    lines += ["", "## Fair comparison", "", "| | |", "| --- | --- |"]
    lines += [
        f"| {key.replace('_', ' ')} | {_cell(value)} |" for key, value in first.fairness.items() if key != "format"
    ]
    lines += [
        "",
        f"Seed {config.seed}, {first.steps} steps of {config.batch_size} examples, {first.parameters} parameters.",
    ]
    if first.command:
        lines += ["", "```shell", first.command, "```"]
    return "\n".join(lines) + "\n"


def _index(name: str, scores: list) -> list[dict[str, Any]]:
    """The scores as the `model-index` of a card."""
    from huggingface_hub.repocard_data import eval_results_to_model_index

    return eval_results_to_model_index(name, scores)


def _cell(text: Any) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")
