import ast
import re
from importlib.resources import files

import pytest
import yaml
from evaluation.results import make_result, score
from huggingface_hub import ModelCard, ModelCardData, eval_result_entries_to_yaml

from hf_lengthgen.evaluation.report import markdown_table, percent
from hf_lengthgen.hub.card import Example, draw_example, eval_result_entries, eval_results, render_card
from hf_lengthgen.tasks import get_task

RELATIONS = [[[["i - j = 2n + 1", 0.71], ["i - j = n", 1.93]], []], [[["i + j = 0", 0.44]], []]]


def result_with(**changes):
    scores = [score(6, 100), score(97, 83), score(1013, 11, 17, "teacher"), score(97, 14, 17, "teacher")]
    defaults = {"scores": scores, "scale_hint": "prompt", "relations": RELATIONS, "seed": 3}
    return make_result(**(defaults | changes))


def parse(text):
    card = ModelCard(text)
    assert isinstance(card.data, ModelCardData)
    return card


def table_under(text, heading):
    """Rows of the first table below a heading, as lists of cells."""
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def test_the_front_matter_parses_and_holds_every_score():
    result = result_with()
    data = parse(render_card(result, model_id="me/adder")).data
    head = data.to_dict()
    assert [head[key] for key in ("license", "library_name", "pipeline_tag")] == [
        "apache-2.0",
        "transformers",
        "text-generation",
    ]
    assert {"addition", "lbpe", "length-generalization"} <= set(data.tags) and data.metrics == ["exact_match"]
    assert data.model_name == "adder"
    found = {(item.dataset_split, item.metric_name): item.metric_value for item in data.eval_results}
    assert len(found) == len(result.lengths) == 4
    for item in result.lengths:
        method = {"generate": "greedy generation", "teacher": "teacher-forced"}[item.mode]
        (value,) = [v for (split, name), v in found.items() if split == f"n{item.n[0]}" and method in name]
        assert value == item.exact_match
    assert data.to_dict()["model-index"][0]["name"] == "adder"


def test_lengths_are_not_merged_in_the_model_index():
    """EvalResults that differ in `dataset_args` only are merged: the length stands in the split."""
    result = result_with(scores=[score([30, 100], 5), score([100, 30], 6)])
    index = yaml.safe_load(render_card(result).split("---")[1])["model-index"]
    assert [entry["dataset"]["split"] for entry in index[0]["results"]] == ["n30x100", "n100x30"]
    assert [len(entry["metrics"]) for entry in index[0]["results"]] == [1, 1]
    assert all(item.dataset_args is None for item in eval_results(result))


def test_the_score_table_equals_the_result():
    result = result_with()
    rows = table_under(render_card(result), "Exact match by length")
    assert len(rows) == len(result.lengths)
    for row, item in zip(rows, result.lengths, strict=True):
        trained = " (trained)" if item.n[0] <= 12 else ""
        assert row[:4] == [
            f"{item.n[0]}{trained}",
            f"{item.correct} of {item.examples}",
            f"{percent(item.exact_match)}%",
            f"{percent(item.ci_low)}–{percent(item.ci_high)}%",
        ]
        assert ("teacher" in row[4]) == (item.mode == "teacher")


def test_relations_fairness_and_training_equal_the_result():
    result = result_with(position_options={"window": 3, "form": "a|b"})
    text = render_card(result)
    assert table_under(text, "What it attends to") == [
        ["0", "0", "`i - j = n` (1.93), `i - j = 2n + 1` (0.71)"],
        ["0", "1", "none"],
        ["1", "0", "`i + j = 0` (0.44)"],
        ["1", "1", "none"],
    ]
    fairness = {key.replace(" ", "_"): value for key, value in table_under(text, "Fair comparison")}
    assert fairness == result.fairness
    facts = dict(table_under(text, "Training"))
    assert facts["steps"] == "1500" and facts["batch size"] == "128" and facts["seed"] == "3"
    assert facts["parameters"] == "412345" and facts["peak memory, MiB"] == "812.5"
    assert float(facts["last training loss"]) == 0.00123 and facts["position options"] == "window 3, form a\\|b"
    assert facts["hardware"] == "cpu_count 2, device cpu, threads 1"
    assert result.command in text and result.format in text


def test_a_head_with_many_relations_is_cut():
    many = [[f"j = {d}", 1 + d / 100] for d in range(30)]
    ((_, _, cell),) = table_under(render_card(result_with(relations=[[many]])), "What it attends to")
    assert cell.startswith("`j = 29` (1.29), `j = 28` (1.28)") and cell.endswith("`j = 18` (1.18), and 18 more")


def test_no_number_comes_from_elsewhere():
    """Every number of the card is one of the result, derived from it, or in the template."""
    result = result_with(train_seconds=181.0, eval_seconds=33.0, final_loss=0.125)
    text = render_card(result, model_id="me/adder", example=Example("a+b=", "ba", (1,)))
    allowed = set(re.findall(r"\d+", files("hf_lengthgen.hub").joinpath("templates/model_card.md").read_text()))
    allowed |= set(re.findall(r"\d+", repr(result.to_dict())))
    for item in result.lengths:
        for share in (item.exact_match, item.ci_low, item.ci_high):
            allowed |= set(re.findall(r"\d+", percent(share)))
    # The threshold, the template's layer and head numbers, the new tokens of the example, the licence.
    allowed |= {"99", "0", "1", "3", "2"}
    found = set(re.findall(r"\d+", text))
    assert found <= allowed, found - allowed


@pytest.mark.parametrize(
    "scores, verdict",
    [
        (
            [(10, 100), (60, 99), (120, 98)],
            "At every tested length up to **60**, 5 times the longest it was trained on",
        ),
        ([(10, 100), (60, 50)], "At every tested length up to **10**, it solves at least 99%"),
        ([(10, 50), (60, 100)], "At the shortest tested length it solves less than 99%"),
    ],
)
def test_the_verdict_claims_what_was_measured(scores, verdict):
    assert verdict in render_card(result_with(scores=scores))


def test_optional_parts_appear_only_when_given():
    bare = render_card(make_result("rope", command="", final_loss=None, peak_memory_mb=None))
    for absent in (
        "curve.svg",
        "What it attends to",
        "Beside other runs",
        "```shell",
        "2510.04130",
        "loss",
        "MiB",
        "None",
    ):
        assert absent not in bare
    others = [make_result("rope", seed=seed) for seed in range(3)]
    result = result_with(scores=[(5, 100), (50, 90)])
    full = render_card(result, figure="curve.svg", comparison=others)
    assert "](curve.svg)" in full and markdown_table([result, *others]).strip() in full
    assert "2510.04130" in full
    assert "of another size" not in full
    sized = render_card(result, comparison=[make_result("rope", seed=seed, parameters=100_000) for seed in range(3)])
    assert "This model has 412,345 parameters; of another size are RoPE 100,000." in sized
    assert all("\n\n\n" not in text for text in (bare, full, sized))


def code_of(text):
    return text.split("```python\n")[1].split("```")[0]


@pytest.mark.parametrize("hint", ["none", "prompt", "input"])
def test_the_code_compiles_and_shows_a_right_example(hint):
    result = result_with(scale_hint=hint)
    code = code_of(render_card(result, model_id="me/adder"))
    compile(code, "card", "exec")
    example = draw_example(result)
    assert get_task("addition").answer(example.prompt) == example.answer
    assert f'tokenizer("{example.prompt}"' in code and f"# {example.prompt}{example.answer}" in code
    assert f"max_new_tokens={len(example.answer) + 1}" in code and 'from_pretrained("me/adder"' in code
    assert ("scale_hint=torch.tensor([[4]])" in code) == (hint == "input") == ("import torch\n" in code)


@pytest.mark.parametrize("symbols", ["ab'\"", "\\n", "ab\n", "ab\x85", "\u00e9\u00df", "a<b", "{}%"])
def test_the_code_is_python_whatever_the_prompt(symbols):
    result = result_with(task="copy", task_options={"symbols": symbols}, scale_hint="none")
    example = Example(f"{symbols}=", symbols, (len(symbols),))
    code = code_of(render_card(result, example=example))
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    (given,) = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "tokenizer"]
    assert ast.literal_eval(given) == example.prompt
    assert 'tokenizer("' in code and len(code.splitlines()) == 7


@pytest.mark.parametrize(
    ("result", "exported"),
    [
        (result_with(), True),
        (make_result("rope"), True),
        (make_result("dape"), False),
        (make_result("rpe_square"), False),
        (
            result_with(relations=[[[["offset(i) - offset(j) = 0 in segment 0", 1.0]]]], scores=[score([5, 6], 9)]),
            False,
        ),
    ],
)
def test_an_export_is_promised_where_it_can_be_had(result, exported):
    text = render_card(result)
    (limit,) = [line for line in text.splitlines() if line.startswith("- It runs in transformers")]
    assert ("and exported by torch.export or to ONNX. " in limit) == exported
    assert ("exporting it (torch.export, ONNX) is not supported. " in limit) != exported
    assert limit.endswith("and are not supported.")


def test_a_task_that_is_not_registered_here_still_gets_a_card():
    code = code_of(render_card(result_with(task="their_task")))
    compile(code, "card", "exec")
    assert "generate" not in code


def test_unpublished_models_have_a_placeholder():
    text = render_card(result_with())
    assert 'from_pretrained("path/to/model"' in text
    assert parse(text).data.model_name == "addition-lbpe-seed3"


@pytest.mark.parametrize(
    "results, options, message",
    [
        (result_with(scores=[]), {}, "has no tested length"),
        (result_with(), {"model_id": "not a name"}, "model_id must be 'user/name', got 'not a name'"),
        (result_with(), {"model_id": "a/b/c"}, "model_id must be 'user/name'"),
        (result_with(), {"comparison": [result_with()]}, "seed 3 .* is given 2 times"),
    ],
)
def test_what_makes_no_card_is_refused(results, options, message):
    with pytest.raises(ValueError, match=message) as error:
        render_card(results, **options)
    assert "\n" not in str(error.value)


def test_entries_for_the_newer_format():
    entries = eval_result_entries_to_yaml(eval_result_entries(result_with(), "me/addition"))
    assert [entry["dataset"] for entry in entries] == [{"id": "me/addition", "task_id": f"n{n}"} for n in (6, 97, 1013)]
    assert [entry["value"] for entry in entries] == [1.0, 0.83, 11 / 17]
    assert "83 of 100" in entries[1]["notes"]
