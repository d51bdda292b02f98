"""Every number of every released card, and of cards rendered anew, is one of the result file beside it."""

import re
from pathlib import Path

import pytest
import yaml
from evaluation.results import make_result, score
from huggingface_hub import ModelCard, eval_result_entries_to_yaml, parse_eval_result_entries

from hf_lengthgen.evaluation.report import percent
from hf_lengthgen.evaluation.result import FAIRNESS, Result
from hf_lengthgen.evaluation.scale import scale_text
from hf_lengthgen.hub.card import eval_result_entries, eval_results_yaml, render_card, split_name
from hf_lengthgen.hub.check import check
from hf_lengthgen.hub.verification import verify_folder

from .loopback import check_card, front_matter
from .test_card import table_under

ROOT = Path(__file__).parents[2]
RELEASED = sorted(path.parent for path in (ROOT / "model_cards").glob("*/result.json"))
# The result files under results/ that `lengthgen push … --compare` was given for a released card, in this order.
COMPARED = {
    "addition-lbpe": [f"addition/{name}" for name in ("rope", "alibi", "lbpe_no_hint", "none", "t5", "learned")],
    "parity-lbpe": ["parity_no_cot/lbpe"],
    "division-digit-lbpe": ["main/division_digit/rope", "main/division_digit/lbpe"],
}


def check_numbers(text, result):
    """The front matter and every table of a card against the result."""
    results = front_matter(text)["model-index"][0]["results"]
    told = {(r["dataset"]["split"], m["name"]): m["value"] for r in results for m in r["metrics"]}
    methods = {"generate": "greedy generation", "teacher": "one forward pass (teacher-forced)"}
    assert told == {
        (split_name(item.n), f"Exact match, {methods[item.mode]}"): item.exact_match for item in result.lengths
    }
    rows = table_under(text, "Exact match by length")
    assert [row[:5] for row in rows] == [
        [
            scale_text(item.n) + (" (trained)" if all(result.n_min <= n <= result.n_max for n in item.n) else ""),
            f"{item.correct} of {item.examples}",
            f"{percent(item.exact_match)}%",
            f"{percent(item.ci_low)}–{percent(item.ci_high)}%",
            methods[item.mode],
        ]
        for item in result.lengths
    ]
    fairness = {key.replace(" ", "_"): value.replace("\\|", "|") for key, value in table_under(text, "Fair comparison")}
    assert fairness == {key: " ".join(result.fairness[key].split()) for key in FAIRNESS}
    facts = dict(table_under(text, "Training"))
    for name, value in {
        "seed": result.seed, "steps": result.steps, "batch size": result.batch_size, "parameters": result.parameters,
    }.items():  # fmt: skip
        assert facts[name] == str(value)
    for name, value in {
        "last training loss": result.final_loss, "training time, seconds": result.train_seconds,
        "evaluation time, seconds": result.eval_seconds, "peak memory, MiB": result.peak_memory_mb,
    }.items():  # fmt: skip
        assert (name in facts) == (value is not None)
        assert value is None or float(facts[name]) == pytest.approx(value, rel=5e-4)
    for name, value in result.versions.items():
        assert f"{name} {value}" in facts["versions"]
    if result.relations:
        heads = table_under(text, "What it attends to")
        assert len(heads) == sum(map(len, result.relations))
        for layer, head, cell in heads:
            own = sorted(result.relations[int(layer)][int(head)], key=lambda pair: -pair[1])[:12]
            assert re.findall(r"`([^`]+)` \(([\d.]+)\)", cell) == [(name, f"{weight:.2f}") for name, weight in own]
    assert result.command in text


@pytest.mark.parametrize("folder", RELEASED, ids=lambda folder: folder.name)
def test_released_cards(folder):
    result = Result.load(folder / "result.json")
    written = (folder / "README.md").read_text(encoding="utf-8")
    for text in (written, render_card(result, model_id=f"me/{folder.name}", figure="curve.svg")):
        check_numbers(text, result)
        assert check_card(text) == {"errors": [], "warnings": []}
        loaded = ModelCard(text).data  # huggingface_hub reads every length back
        assert len(loaded.eval_results) == len(result.lengths)
    assert (folder / "model.safetensors").stat().st_size < 2.5e6, "small enough for git"
    (figure,) = re.findall(r"!\[[^]]*\]\(([^)]+)\)", written)
    assert (folder / figure).is_file()


def without_version(text):
    """A card says which version of the package wrote it; that one may be older."""
    return re.sub(r"^  version = \{.*\}$", "  version", text, flags=re.MULTILINE)


@pytest.mark.parametrize("folder", RELEASED, ids=lambda folder: folder.name)
def test_released_cards_are_written_by_their_result_files(folder):
    """To the letter: every number, in tables, sentences and front matter. `lengthgen push model_cards/NAME OWNER/NAME
    --to_folder model_cards/NAME --compare …` with the files of COMPARED brings one up to date."""
    result = Result.load(folder / "result.json")
    others = [Result.load(ROOT / "results" / name / "seed0.json") for name in COMPARED.get(folder.name, [])]
    names = {"model_id": f"OWNER/{folder.name}", "figure": "curve.svg", "recipe": "recipe.yaml"}
    written = (folder / "README.md").read_text(encoding="utf-8")
    assert without_version(written) == without_version(render_card(result, comparison=others, **names))
    entries = (folder / ".eval_results" / "lengthgen.yaml").read_text(encoding="utf-8")
    assert entries == eval_results_yaml(result, f"OWNER/lengthgen-{result.task}")


@pytest.mark.slow  # true of a release; between releases the package's code may run ahead of the released models'
@pytest.mark.parametrize("folder", RELEASED, ids=lambda folder: folder.name)
def test_released_models_carry_known_code_and_do_what_they_say(folder):
    assert verify_folder(folder).release is not None
    assert check(folder).n


def test_there_is_a_released_card():
    assert RELEASED


def test_the_hub_accepts_our_cards(hub):
    """`RepoCard.validate` asks the Hub; the loopback checks what its pages need."""
    result = make_result(scores=[score(6, 100), score(97, 83), score([1013], 11, 17, "teacher")])
    ModelCard(render_card(result, model_id="me/adder")).validate()
    assert hub.requests == ["POST /api/validate-yaml"]
    with pytest.raises(ValueError, match="license.* must be a string"):
        ModelCard(render_card(result, model_id="me/adder").replace("license: apache-2.0", "license: 2")).validate()


def test_lengths_survive_a_round_trip():
    """Card -> huggingface_hub -> card, and .eval_results likewise: no length is merged with another, none is lost."""
    result = make_result(scores=[score(n, n) for n in range(1, 60)] + [score(7, 3, 9, "teacher")])
    card = ModelCard(render_card(result, model_id="me/adder"))
    again = ModelCard(str(card))
    assert again.data.to_dict() == card.data.to_dict() and len(again.data.eval_results) == 60
    check_numbers(str(again), result)
    entries = eval_result_entries(result, "me/sums")
    assert parse_eval_result_entries(yaml.safe_load(eval_results_yaml(result, "me/sums"))) == entries
    assert parse_eval_result_entries(eval_result_entries_to_yaml(entries)) == entries and len(entries) == 59


def section(text, heading):
    return text.split(f"## {heading}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(
    ("result", "told", "untold"),
    [
        (
            make_result(scores=[(6, 100), (97, 83), (200, 12)], scale_hint="prompt"),
            ["At length 97 it is right in 83.0% of", "beyond length 200,", "without the delimiters", "the control"],
            ["has to be passed"],
        ),
        (make_result("rope", scores=[(6, 100)]), ["beyond length 6,", "one task in this one format"], ["At length"]),
        (make_result(scale_hint="input"), ["has to be passed", "the control"], ["reads off"]),
    ],
)
def test_the_card_says_what_the_model_cannot_do(result, told, untold):
    text = section(render_card(result), "What it cannot do")
    assert all(part in text for part in told) and not any(part in text for part in untold)


def test_relations_are_told_in_words():
    result = make_result(relations=[[[["i - j = n", 0.5], ["j = 0", 1.0]], [["i - j = n", 0.7], ["other", 0.1]]]])
    text = section(render_card(result), "What it attends to")
    assert re.findall(r"^- (.*)$", text, re.MULTILINE) == [
        "`j = 0`: the token in front of the prompt",
        "`i - j = n`: the token n places back",
        "`other`: whatever no single relation names",
    ]


def test_the_card_warns_of_remote_code():
    text = render_card(make_result(), model_id="me/adder", license="mit")
    use = section(text, "Use")
    assert "without any check" in use and "`lengthgen verify me/adder`" in use and 'revision="COMMIT"' in use
    assert section(text, "Licence and citation").strip().startswith("mit\n")
