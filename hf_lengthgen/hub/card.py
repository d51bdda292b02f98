"""Model cards: a README.md whose every number comes from a result file."""

import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Any, NamedTuple

from ..evaluation.labels import variant_name
from ..evaluation.length_result import LengthResult
from ..evaluation.report import markdown_table, percent
from ..evaluation.result import Result
from ..evaluation.scale import scale_text
from ..evaluation.statistics import effective_length
from .words import in_words

METHODS = {"generate": "greedy generation", "teacher": "one forward pass (teacher-forced)"}
# Relations of a head that a card lists; a head that kept more has not become readable.
SHOWN = 12
# Where the model lies until it is published.
UNPUBLISHED = "path/to/model"


class Example(NamedTuple):
    """One instance of the task, for the code that shows how to use the model."""

    prompt: str
    answer: str
    scale: tuple[int, ...]

    @property
    def new_tokens(self) -> int:
        """Tokens of the answer and its `<eos>`."""
        return len(self.answer) + 1


def render_card(
    result: Result,
    *,
    model_id: str | None = None,
    license: str = "apache-2.0",
    figure: str | None = None,
    example: Example | None = None,
    comparison: Iterable[Result] = (),
    recipe: str | None = None,
    threshold: float = 0.99,
) -> str:
    """The card of one trained model: Markdown with YAML front matter, ready to be written to README.md.

    Args:
        result: what the card is about; the front matter's `model-index` and every table are made from it.
        model_id: where the model will be, "user/name"; None while it is not published.
        license: identifier of the model's licence, as the Hub spells it.
        figure: file name of the curve, relative to the card; None: no figure.
        example: shown in the code; None: one is drawn if the task is registered, else the code only loads.
        comparison: results of other seeds and embeddings for a second table, which `result` itself joins: the
            controls.
        recipe: file name of the training config, relative to the card; None: none lies beside it.
        threshold: share that counts as solved.

    Raises:
        ValueError: a result without a tested length, a `model_id` the Hub would refuse, or comparison results
            that cannot stand in one table.
    """
    from huggingface_hub import ModelCardData

    from .. import __version__

    if not result.lengths:
        raise ValueError(f"result {result.name!r} has no tested length: there is nothing to put on a card.")
    name = _repo_name(result, model_id)
    example = example or draw_example(result)
    others = list(comparison)
    data = ModelCardData(
        license=license,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["length-generalization", "lengthgen", "custom_code", result.task, result.position_embedding],
        metrics=["exact_match"],
        model_name=name,
        eval_results=eval_results(result),
    )
    return render(
        "model_card.md",
        front_matter=data.to_yaml().strip(),
        title=name,
        model_id=model_id or UNPUBLISHED,
        task=result.task,
        n_min=result.n_min,
        n_max=result.n_max,
        variant=variant_name(result.position_embedding, result.scale_hint),
        verdict=_verdict(result, threshold),
        figure=figure,
        example=example,
        hint_argument=hint_argument(result, example),
        format=result.format,
        scale_hint=result.scale_hint,
        rows=[score_row(score, result) for score in result.lengths],
        table=markdown_table([result, *others], threshold=threshold).strip() if others else None,
        sizes=_sizes(result, others),
        heads=head_rows(result.relations),
        glossary=_glossary(result.relations),
        limits=_limits(result, threshold),
        recipe=recipe,
        seed=result.seed,
        license=license,
        version=__version__,
        fairness=[(key.replace("_", " "), cell(value)) for key, value in result.fairness.items()],
        facts=[(key, cell(value)) for key, value in _facts(result)],
        command="" if evaluates(result.command) else result.command,
        evaluation=result.command if evaluates(result.command) else "",
    )


def render(template: str, **values: Any) -> str:
    """A template of this package's with its values filled in; every name in it must be given."""
    import jinja2

    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"literal": literal, "comment": _comment}
    text = files(__package__).joinpath("templates", template).read_text(encoding="utf-8")
    return environment.from_string(text).render(**values)


def literal(text: str) -> str:
    """Python code of a string, in double quotes."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _comment(text: str) -> str:
    """The text where a line of code ends with it."""
    return text if text.isprintable() else literal(text)[1:-1]


def eval_results(result: Result) -> list[Any]:
    """The scores as `huggingface_hub.EvalResult`, for the front matter's `model-index`.

    The length stands in the name of the data set's split, `n50` or `n30x100`: entries that differ in other
    arguments only would be merged into one. The value is the exact match, from 0 to 1.
    """
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type="text-generation",
            task_name="Text generation",
            dataset_type=f"lengthgen-{result.task}",
            dataset_name=f"{result.task} of length {scale_text(score.n)}",
            dataset_split=split_name(score.n),
            metric_type="exact_match",
            metric_name=f"Exact match, {METHODS[score.mode]}",
            metric_value=score.exact_match,
        )
        for score in result.lengths
    ]


def eval_result_entries(result: Result, dataset_id: str) -> list[Any]:
    """The scores as `huggingface_hub.EvalResultEntry`, for a file in `.eval_results/`.

    Args:
        result: the result; of two scores at one length the one by generation is taken.
        dataset_id: "user/name" of the data set on the Hub whose tasks are the lengths, `n50`.
    """
    from huggingface_hub import EvalResultEntry

    scales = dict.fromkeys(tuple(score.n) for score in result.lengths)
    scores = [result.at(scale) for scale in scales]
    return [
        EvalResultEntry(
            dataset_id=dataset_id,
            task_id=split_name(score.n),
            value=score.exact_match,
            notes=f"exact match by {METHODS[score.mode]}, {score.correct} of {score.examples}",
        )
        for score in scores
    ]


def eval_results_yaml(result: Result, dataset_id: str) -> str:
    """The text of `.eval_results/lengthgen.yaml`."""
    import yaml
    from huggingface_hub import eval_result_entries_to_yaml

    return yaml.safe_dump(eval_result_entries_to_yaml(eval_result_entries(result, dataset_id)), sort_keys=False)


def split_name(n: list[int]) -> str:
    """`n50`, or `n30x100` for a scale of two hints."""
    return f"n{scale_text(n)}"


def draw_example(result: Result) -> Example | None:
    """A short instance of the result's task, always the same one; None if no such task is registered here."""
    import numpy as np

    from ..tasks import get_task

    try:
        task = get_task(result.task, **result.task_options)
    except ValueError:
        return None
    samples = task.sample(min(4, result.n_max), 1, np.random.default_rng(0))
    return Example(samples.prompt_strings()[0], samples.answer_strings()[0], tuple(samples.scales[0].tolist()))


def _repo_name(result: Result, model_id: str | None) -> str:
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    if model_id is None:
        return result.name.replace("/", "-")
    try:
        validate_repo_id(model_id)
    except HFValidationError as error:
        raise ValueError(f"model_id must be 'user/name', got {model_id!r}: {error}") from None
    return model_id.split("/")[-1]


def hint_argument(result: Result, example: Example | None) -> str:
    """What a call of `generate` needs beside the prompt."""
    if example is None or result.scale_hint != "input":
        return ""
    return f", scale_hint=torch.tensor([{list(example.scale)}])"


def _verdict(result: Result, threshold: float) -> str:
    reach = effective_length(result.by_scale(), threshold)
    share = f"{100 * threshold:g}%"
    if not reach:
        return f"At the shortest tested length it solves less than {share} of the instances."
    longer = f", {reach / result.n_max:.3g} times the longest it was trained on" if reach > result.n_max else ""
    return f"At every tested length up to **{reach}**{longer}, it solves at least {share} of the instances."


def evaluates(command: str) -> bool:
    """Whether a command line evaluates a model that was there, instead of training one."""
    return "evaluate" in command.split()[:4]  # behind `lengthgen`, and a module to import


def score_row(score: LengthResult, result: Result) -> dict[str, Any]:
    """A length's line in a card's table."""
    return {
        "length": scale_text(score.n),
        "trained": all(result.n_min <= n <= result.n_max for n in score.n),
        "correct": score.correct,
        "examples": score.examples,
        "percent": percent(score.exact_match),
        "low": percent(score.ci_low),
        "high": percent(score.ci_high),
        "mode": METHODS[score.mode],
    }


def _sizes(result: Result, others: list[Result]) -> str | None:
    """A sentence where models of other sizes stand in the table beside this one."""
    told = {
        f"{variant_name(other.position_embedding, other.scale_hint)} {other.parameters:,}"
        for other in others
        if abs(other.parameters - result.parameters) > 0.1 * result.parameters
    }
    if not told:
        return None
    return f"This model has {result.parameters:,} parameters; of another size are {', '.join(sorted(told))}."


def head_rows(relations: list | None) -> list[dict[str, Any]]:
    """One line per head, its relations by falling weight: "i - j = n (0.52)"."""
    lines = []
    for layer, heads in enumerate(relations or []):
        for head, open_ones in enumerate(heads):
            ordered = sorted(open_ones, key=lambda relation: -relation[1])
            text = ", ".join(f"`{name}` ({weight:.2f})" for name, weight in ordered[:SHOWN]) or "none"
            if len(ordered) > SHOWN:
                text += f", and {len(ordered) - SHOWN} more"
            lines.append({"layer": layer, "head": head, "relations": text.replace("|", "\\|")})
    return lines


def _glossary(relations: list | None) -> list[tuple[str, str]]:
    """Every relation that `head_rows` shows, once, with its meaning in words; in the order of first appearance."""
    shown: dict[str, str] = {}
    for heads in relations or []:
        for open_ones in heads:
            for name, _ in sorted(open_ones, key=lambda relation: -relation[1])[:SHOWN]:
                shown[name] = in_words(name)
    return list(shown.items())


def _limits(result: Result, threshold: float) -> list[str]:
    """What the card does not claim, in sentences that follow from the result."""
    from .export import result_exports

    scores = [result.at(score.n) for score in result.lengths]
    failing = [score for score in scores if score.exact_match < threshold]
    longest = max(scores, key=lambda score: (sum(score.n), score.n))
    limits = []
    if failing:
        first = min(failing, key=lambda score: (sum(score.n), score.n))
        limits.append(
            f"At length {scale_text(first.n)} it is right in {percent(first.exact_match)}% of the instances only."
        )
    limits.append(f"Nothing is claimed beyond length {scale_text(longest.n)}, the longest that was tested.")
    limits.append("It knows this one task in this one format; other characters in a prompt are an error.")
    exported = (
        ", and exported by torch.export or to ONNX"
        if result_exports(result)
        else "; exporting it (torch.export, ONNX) is not supported"
    )
    limits.append(
        f"It runs in transformers{exported}. Serving engines that put their own "
        "attention in its place (vLLM, TGI) would leave out the position embedding, and are not supported."
    )
    if result.scale_hint == "prompt":
        limits.append(
            "It needs the length, which it reads off the prompt: a prompt without the delimiters is an error."
        )
    elif result.scale_hint == "input":
        limits.append("It needs the length, which has to be passed: that is knowledge other models do without.")
    if result.scale_hint != "none":
        limits.append("Comparisons must show the same embedding without the length beside it: that is the control.")
    return limits


def _facts(result: Result) -> list[tuple[str, Any]]:
    facts = [
        ("task options", _pairs(result.task_options)),
        ("position options", _pairs(result.position_options)),
        ("seed", result.seed),
        ("steps", result.steps),
        ("stopped early, after steps", None if result.steps_done == result.steps else result.steps_done),
        ("batch size", result.batch_size),
        ("parameters", result.parameters),
        ("last training loss", result.final_loss),
        ("training time, seconds", result.train_seconds),
        ("evaluation time, seconds", result.eval_seconds),
        ("peak memory, MiB", result.peak_memory_mb),
        ("hardware", _pairs(result.hardware)),
        ("versions", _pairs(result.versions)),
    ]
    return [(name, value) for name, value in facts if value not in (None, "")]


def _pairs(options: dict) -> str:
    return ", ".join(f"{key} {value}" for key, value in options.items())


def cell(value: Any) -> str:
    """A value inside a Markdown table: floats with four digits, no line breaks, no column separators."""
    text = f"{value:.4g}" if isinstance(value, float) and abs(value) < 1e4 else str(value)
    if isinstance(value, float) and abs(value) >= 1e4:
        text = f"{value:.0f}"
    return " ".join(text.split()).replace("|", "\\|")
