import ast
import re

import pytest
import yaml
from evaluation.results import make_result
from training.test_mixture import mixed, model_of

from hf_lengthgen.data.mixed import build_mixed_tokenizer
from hf_lengthgen.evaluation.length_result import LengthResult
from hf_lengthgen.evaluation.report import percent
from hf_lengthgen.hub.card import draw_example
from hf_lengthgen.hub.mixture_card import render_mixture_card
from hf_lengthgen.training.mixture import build_parts
from hf_lengthgen.training.progress import History
from hf_lengthgen.training.record import build_result


@pytest.fixture(scope="module")
def made():
    config = mixed(tasks=["copy", {"name": "reverse", "weight": 3}])
    model, parts, _ = model_of(config)
    counts = {"copy": (64, 63), "reverse": (64, 0)}
    results = {}
    for part in parts:
        lengths = [
            LengthResult.of([n], 64, right, mode, 1.0)
            for n, right, mode in zip((3, 50), counts[part.label], ("generate", "teacher"), strict=True)
        ]
        results[part.label] = build_result(config, part.task, model, History(), lengths, "typed", label=part.label)
    return config, results, render_mixture_card(config, results)


def test_every_score_is_in_its_table_and_in_the_index(made):
    _, results, card = made
    for label, result in results.items():
        table = card.split(f"### {label}\n\n")[1].split("\n\n")[0]
        assert len(table.splitlines()) == 2 + len(result.lengths)
        for score in result.lengths:
            assert f"{score.correct} of {score.examples} | {percent(score.exact_match)}% |" in table
        assert "| 3 (trained) |" in table and "| 50 |" in table
    matter = yaml.safe_load(card.split("---\n")[1])
    values = {
        (entry["dataset"]["type"], entry["dataset"]["split"]): entry["metrics"][0]["value"]
        for entry in matter["model-index"][0]["results"]
    }
    assert values == {
        (f"lengthgen-{label}", f"n{score.n[0]}"): score.exact_match
        for label, result in results.items()
        for score in result.lengths
    }


def test_what_was_mixed_is_said(made):
    config, results, card = made
    assert "| copy | copy | 25% | `<copy>` | repeat a string" in card
    assert "| reverse | reverse | 75% | `<reverse>` | reverse a string" in card
    assert "| extra knowledge | the scale n, read off the prompt; the task |" in card
    assert "\ntyped\n" in card
    assert len(re.findall(r"\| 0 \| \d \|.* and \d+ more \|", card)) == 2  # nothing is settled: long lists are cut


def test_the_code_is_python_whatever_the_symbols():
    options = {"symbols": "\"\\'"}
    tasks = ["copy", {"name": "reverse", "task_options": options}]
    results = {"copy": make_result(task="copy", task_options={})}
    results["reverse"] = make_result(task="reverse", task_options=options)
    card = render_mixture_card(mixed(tasks=tasks), results)
    code = ast.parse(card.split("```python\n")[1].split("```")[0])
    texts = [node.value for node in ast.walk(code) if isinstance(node, ast.Constant) and "=" in str(node.value)]
    assert texts == [f"<{label}>{draw_example(result).prompt}" for label, result in results.items()]
    assert set(texts[1]) & set(options["symbols"])


def test_the_code_shows_prompts_that_the_tokenizer_reads(made):
    config, _, card = made
    parts, tokenizer = build_parts(config)
    prompts = re.findall(r'tokenizer\("(<.*?=)", return', card)
    answers = re.findall(r"# (.*=)(.*)", card)
    assert len(prompts) == len(answers) == len(parts)
    assert tokenizer.get_vocab() == build_mixed_tokenizer({p.label: p.task for p in parts}).get_vocab()
    for part, prompt, (plain, answer) in zip(parts, prompts, answers, strict=True):
        assert prompt == f"<{part.label}>{plain}"
        assert part.task.answer(plain) == answer
        assert tokenizer(prompt).input_ids == part.tokenizer(plain).input_ids
