"""docs/theory.md: its code runs, what it links to is there, and its table is what discovery says."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from hf_lengthgen.compare.grid import load_grid
from hf_lengthgen.evaluation.result import Result
from hf_lengthgen.tasks import get_task, list_tasks
from hf_lengthgen.theory.discovery import discover

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
TABLE = re.findall(r"^\| `(\w+)` \| constant \| (.*) \| ([\d,]+) \| (\w+) \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_code_runs(block):
    exec(compile(block, "docs/theory.md", "exec"), {})


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
    for target in re.findall(r"(?:`|pytest )((?:hf_lengthgen|tests|recipes)/[\w/.]+)", PAGE):
        assert (ROOT / target).exists(), target


def test_every_task_is_spoken_of():
    missing = [name for name in list_tasks() if not re.search(rf"\b{name}\b", PAGE)]
    assert not missing or all(get_task(name).__module__.startswith("tests") for name in missing)


def test_chance_on_the_negative_control():
    """How often `0` is right, on the examples of the comparison, and by how much any run beyond n = 12 is above it."""
    config = load_grid(str(ROOT / "recipes" / "comparisons" / "main.yaml")).choose(["parity_no_cot"]).cells[0].config
    task = get_task(config.task, **config.task_options)
    chance = {}
    for n in config.eval_lengths:
        rows = task.sample(n, config.eval_examples, np.random.default_rng([config.eval_seed, n]))
        chance[n] = 100 * np.mean([answer == "0" for answer in rows.answer_strings()])
    text = " ".join(PAGE.split())
    assert f"answering `0` always gives, {min(chance.values()):.0f} to {max(chance.values()):.0f}%" in text
    results = [Result.load(file) for file in (ROOT / "results" / "main" / "parity_no_cot").glob("*/seed*.json")]
    scores = [(100 * r.exact_match, r.n[0]) for result in results for r in result.lengths if r.n[0] > config.n_max]
    excess, right, n = max((right - chance[n], right, n) for right, n in scores)
    told = (
        f"The largest of {len(scores)} excesses is {excess:.1f} points, {right:.1f}% where `0` gives {chance[n]:.1f}%"
    )
    assert told in text


@pytest.mark.parametrize("row", TABLE[::4], ids=lambda row: row[0])
def test_the_table_is_current(row):
    """A quarter of it; the slow test has all rows."""
    check(row)


@pytest.mark.slow
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_the_whole_table_is_current(row):
    check(row)


def check(row):
    name, relations, operators, dictionary = row
    found = discover(get_task(name))
    assert found.verdict == "constant" and found.dictionary == dictionary
    assert [f"`{text}`" for text in found.texts()] == relations.split("; ")
    assert f"{found.tuples:,}" == operators


def test_what_is_told_of_the_run_that_falls_short():
    """The comparison's runs of LBPE with the hint, and what closing the relations of one of them gave."""
    text = " ".join(PAGE.split())
    files = [file for file in (ROOT / "results" / "main").glob("*/lbpe_hint/seed*.json") if "no_cot" not in str(file)]
    short = {file: score.correct for file in files if (score := Result.load(file).at(1000)).correct < score.examples}
    ((file, right),) = short.items()
    assert file.parent.parent.name == "division_digit" and file.stem == "seed4"
    assert f"Of the {len(files)} runs" in text and f"constant, {len(files) - 1} have all 64" in text
    ablated = json.loads((ROOT / "results" / "division_seed4_closed.json").read_text())
    closed = ablated["right_without"]
    assert right == ablated["right"] and f"has {right}:" in text and f"It has {len(closed)} relations open" in text
    assert f"python -m hf_lengthgen.theory.ablation runs/division/{file.parent.parent.name}/lbpe_hint/seed4." in PAGE
    assert [relation for relation, score in closed.items() if score == 64] == ["i - j = n + 2"]
    needed = ["i - 2j = n + 1", "i - 2j = n + 2", "j = n + 2"]
    assert f"at most {max(closed[relation] for relation in needed)} are" in text
    assert {*needed, "i - j = 0"} == set(get_task("division_digit").ideal_relations)


def test_what_is_told_of_ipe_and_fire_holds_for_every_run():
    def shares(variant, n, task="*"):
        files = sorted((ROOT / "results" / "main").glob(f"{task}/{variant}/seed*.json"))
        scores = [Result.load(file).at(n) for file in files]
        return [100 * score.exact_match if score else 0.0 for score in scores]

    text = " ".join(PAGE.split())
    assert min(shares("ipe_hint", 12)) == 100
    low, high = min(shares("ipe_hint", 24)), max(shares("ipe_hint", 24))
    middle, far = max(shares("ipe_hint", 50)), max(shares("ipe_hint", 100))
    told = f"at {low:.1f} to {high:.1f}% at 24, at {middle:.1f}% or less at 50, and at {far:g} at 100, over all runs"
    assert told in text
    worst = [min(shares("fire_hint", n, "running_sum")) for n in (50, 100)]
    assert "FIRE on the running sum: at worst {:.0f}% at 50, {:.0f}% at 100".format(*worst) in text
