import random
import re
import shutil
from types import SimpleNamespace

import pytest
import torch
from evaluation.results import make_result, score

from hf_lengthgen.data.tokenizer import build_tokenizer
from hf_lengthgen.evaluation.result import Result
from hf_lengthgen.hub.demo_logic import LONGEST, ROWS, Model, find_models, python_sum
from hf_lengthgen.tasks import get_task

from .test_ecosystem import small


@pytest.fixture(scope="module")
def adder(model):
    return Model(model)


def digits(count, seed):
    return "".join(random.Random(seed).choices("123456789", k=count))


@pytest.mark.parametrize(("one", "other"), [(1, 1), (3, 9), (60, 41)])
def test_an_addition_as_people_write_it(one, other, adder):
    a, b = digits(one, 1), digits(other, 2)
    answer = adder.ask(f" {a} + {b} ")
    assert answer.sum_expected == str(int(a) + int(b)) == answer.sum_written and answer.right
    width = max(one, other)
    assert answer.prompt == f"{a[::-1].ljust(width, '0')}+{b[::-1].ljust(width, '0')}="
    assert answer.prompt_tokens == len(answer.prompt) + 1
    html = adder.verdict_html(answer)
    assert "✓ right" in html and html.count(answer.sum_expected) == 2


def test_grouped_digits_and_the_equals_sign(adder):
    assert adder.ask("1,000,000 + 99 =").sum_written == "1000099"
    assert adder.ask("0+0").sum_written == "0"


def test_the_example_is_twice_as_long_as_training(adder):
    answer = adder.ask(adder.example())
    assert answer.right and len(answer.prompt) == 2 * 24 + 2


def test_a_wrong_answer_is_told(adder, monkeypatch):
    right = adder.ask("12+34")
    monkeypatch.setattr(
        adder.model,
        "generate",
        lambda **_: torch.tensor([[*right.ids[:-1], adder.tokenizer.convert_tokens_to_ids("7")]]),
    )
    answer = adder.ask("12+34")
    assert not answer.right and not answer.ended and answer.sum_written == "746" and answer.sum_expected == "46"
    html = adder.verdict_html(answer)
    assert "✗ wrong" in html and "the model went on writing" not in html


def test_a_right_answer_that_goes_on_is_wrong_and_says_why(adder, monkeypatch):
    """More zeros: written as people write it, the sum looks right."""
    right = adder.ask("12+34")
    row = [*right.ids, *adder.tokenizer.convert_tokens_to_ids(["0", "0"])]
    monkeypatch.setattr(adder.model, "generate", lambda **_: torch.tensor([row]))
    answer = adder.ask("12+34")
    assert not answer.right and answer.sum_written == answer.sum_expected == "46"
    html = adder.verdict_html(answer)
    assert "✗ wrong" in html and "The answer should have ended there: the model went on writing." in html
    assert "went on" not in adder.verdict_html(right)


@pytest.mark.parametrize("text", ["", "hello", "12+", "12-3", "12+34+56", "<b>1</b>+2", "9" * LONGEST + "+1"])
def test_what_is_no_addition(text, adder):
    with pytest.raises(ValueError) as error:
        adder.ask(text)
    assert "\n" not in str(error.value)


def test_reads_are_the_attention_of_the_model(adder):
    """Recomputed with the sparse path: reading only what `reads` names gives the same answer; the rest is zero."""
    answer = adder.ask("123456+654321")
    n, prompt = 6, answer.prompt_tokens
    both = adder.reads(answer)
    layers = [adder.reads(answer, layer) for layer in range(2)]
    assert len(both) == len(answer.written) == n + 1
    for k, row in enumerate(both):
        assert len(row) == prompt + k and 0 < sum(row) <= 1 + 1e-5
        assert row == pytest.approx([(a + b) / 2 for a, b in zip(layers[0][k], layers[1][k], strict=True)])
    # The keys read are exactly those that the open relations name for that query.
    from hf_lengthgen.model.relation import LinearRelation

    for layer, heads in enumerate(adder.result.relations):
        relations = [LinearRelation.parse(text) for head in heads for text, _ in head]
        for k, row in enumerate(layers[layer]):
            query = prompt + k - 1
            named = {key for relation in relations if (key := relation.key(query, (n,))) is not None}
            assert {key for key, weight in enumerate(row) if weight > 0} <= named
    # And their weights are those of the heads, one by one.
    adder.model.set_attn_implementation("eager")
    with torch.no_grad():
        attentions = adder.model(input_ids=torch.tensor([answer.ids]), output_attentions=True).attentions
    adder.model.set_attn_implementation("sdpa")
    for k, row in enumerate(layers[1]):
        heads = attentions[1][0, :, prompt + k - 1, : prompt + k]
        assert row == pytest.approx([sum(float(head[key]) for head in heads) / len(heads) for key in range(len(row))])
    assert adder.model.sparse, "and the model is as it was"
    assert adder.ask("123456+654321").right


def test_reads_drawn_over_the_string(adder):
    answer = adder.ask(f"{digits(41, 3)}+{digits(41, 4)}")
    html = adder.reads_html(answer)
    assert html.count("<div>") == ROWS and html.count("→") == ROWS
    rows = re.findall(r"<div>\s*(\d+) (.*?)<b [^>]*> → (.)</b></div>", html)
    assert "".join(row[2] for row in rows) == answer.written[:ROWS]
    text = re.sub(r"<[^>]+>", "", rows[0][1])
    assert text == "▸" + answer.prompt
    assert "⋯" not in html and "⋯" in adder.reads_html(adder.ask(f"{digits(90, 3)}+{digits(90, 4)}"))
    later = adder.reads_html(answer, 1, first=40)
    assert later.count("<div>") == 2 and "  41 " in later
    assert "layer must be one of 0 to 1" in adder.reads_html(answer, 7)


def test_a_token_is_as_dark_as_it_is_read(adder):
    """The most read of a row is drawn full, the others by their share of it."""
    answer = adder.ask("123456+654321")
    html = adder.reads_html(answer)
    shades = [
        [float(shade) for shade in re.findall(r"rgba\(0,114,178,([\d.]+)\)", row)]
        for row in re.findall(r"<div>(.*?)</div>", html)
    ]
    for row, weights in zip(shades, adder.reads(answer), strict=True):
        assert row == pytest.approx([weight / max(weights) for weight in weights], abs=0.0051)
        assert max(row) == 1 and min(row) == 0


def test_too_long_to_draw(adder, monkeypatch):
    monkeypatch.setattr("hf_lengthgen.hub.demo_logic.LONGEST_DRAWN", 10)
    answer = adder.ask("123456+654321")
    assert "drawn up to 10 tokens" in adder.reads_html(answer)


def test_curve_and_relations(adder):
    assert adder.curve_html().count("<svg") == 1
    assert "<code>i - j = n</code>: the token n places back" in adder.relations_html()


def test_other_tasks_take_their_prompt(adder, tmp_path):
    """An untrained copy model: what it writes is wrong, and the task says so."""
    network, tokenizer = small("rope")
    network.save_pretrained(tmp_path / "copy-rope")
    tokenizer.save_pretrained(tmp_path / "copy-rope")
    made = make_result("rope", task="copy", task_options={}, scores=[score(4, 0)], scale_hint="prompt")
    made.save(tmp_path / "copy-rope" / "result.json")
    assert Result.load(tmp_path / "copy-rope" / "result.json") == made
    copier = Model(tmp_path / "copy-rope")
    answer = copier.ask(copier.example())
    assert answer.expected == copier.task.answer(answer.prompt) and answer.sum_expected is None and not answer.right
    assert "the task" in copier.verdict_html(answer) and copier.relations_html() == ""
    if answer.written:
        assert "→" in copier.reads_html(answer)


class Knowing(Model):
    """A model of the addition task, with these options, that writes the right answer to whatever prompt."""

    def __init__(self, **options):
        self.task = get_task("addition", **options)
        self.result = make_result(task_options=options)
        self.tokenizer = build_tokenizer(self.task)
        self.model = SimpleNamespace(config=SimpleNamespace(scale_hint="none"), generate=self.generate)

    def generate(self, input_ids, **_):
        prompt = self.tokenizer.decode(input_ids[0], skip_special_tokens=True)
        return torch.tensor([[*self.tokenizer(prompt + self.task.answer(prompt)).input_ids, 2]])


OTHER_FORMATS = [
    {"order": "plain"},
    {"base": 2},
    {"separator": ","},
    {"separator": " "},
    {"index_hints": "fixed"},
    {"padding": "none"},
    {"padding": "fixed", "width": 30},
    {"order": "plain", "base": 7, "padding": "none", "widths": "unequal", "index_hints": "random"},
]


@pytest.mark.parametrize("options", OTHER_FORMATS, ids=str)
def test_additions_in_another_format_are_asked_as_prompts(options):
    """Nothing is turned round, padded, or added in base 10: right answers of these models were called wrong."""
    model = Knowing(**options)
    example = model.example()
    answer = model.ask(example)
    assert answer.prompt == example and answer.right and answer.sum_written is None is answer.sum_expected
    assert "the task" in model.verdict_html(answer) and "Python" not in model.verdict_html(answer)


@pytest.mark.parametrize("options", [{}, {"widths": "unequal"}, {"hard": 0.5}], ids=str)
def test_additions_in_the_usual_format_are_asked_as_people_write_them(options):
    model = Knowing(**options)
    answer = model.ask("123+7896")
    assert answer.right and answer.sum_written == answer.sum_expected == "8019"
    assert answer.prompt == ("321+6987=" if options.get("widths") == "unequal" else "3210+6987=")
    assert model.ask(model.example()).right


def test_what_is_no_prompt_of_another_format():
    with pytest.raises(ValueError, match="'12\\+34' lacks '='") as error:
        Knowing(order="plain").ask("12+34")
    assert "\n" not in str(error.value)


def test_models_are_found(model, tmp_path):
    shutil.copytree(model, tmp_path / "run" / "model")
    label = "addition: LBPE + hint (run)"
    assert find_models([tmp_path / "run"]) == {label: tmp_path / "run" / "model"}
    assert list(find_models([model.parent])) == ["addition: LBPE + hint (adder)"]
    with pytest.raises(ValueError, match="there is no model with a result.json in .*nothing"):
        find_models([tmp_path / "nothing"])


def test_no_model_is_lost_where_names_clash(model, tmp_path):
    """Runs of two comparisons are both called seed0: then the path is the name."""
    for place in ("a", "b"):
        shutil.copytree(model, tmp_path / place / "seed0" / "model")
    found = find_models([tmp_path / "a" / "seed0", tmp_path / "b" / "seed0", model])
    assert found == {
        f"addition: LBPE + hint ({tmp_path / 'a' / 'seed0'})": tmp_path / "a" / "seed0" / "model",
        f"addition: LBPE + hint ({tmp_path / 'b' / 'seed0'})": tmp_path / "b" / "seed0" / "model",
        "addition: LBPE + hint (adder)": model,
    }
    again = find_models([tmp_path / "a" / "seed0", tmp_path / "a" / "seed0" / "model", tmp_path / "a" / "seed0"])
    assert list(again) == ["addition: LBPE + hint (seed0)"], "one model, however often it is named"


def test_a_pickle_is_no_model(model, tmp_path):
    folder = shutil.copytree(model, tmp_path / "pickled")
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="pytorch_model.bin .* run code"):
        Model(folder)


def test_python_sum_has_no_limit():
    assert python_sum("9" * 6000, "1") == "1" + "0" * 6000
