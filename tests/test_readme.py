"""The README keeps its word: its code runs, its tables are those of the result files, its files exist."""

import contextlib
import io
import json
import re
import shlex
from pathlib import Path

import pytest

from hf_lengthgen.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def reports():
    lines = (ROOT / "recipes" / "report.sh").read_text(encoding="utf-8").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("lengthgen report")]


@pytest.mark.parametrize("words", reports(), ids=lambda words: words[words.index("--table") + 1])
def test_tables_are_those_of_the_results(words, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    name = words[words.index("--table") + 1]
    shown = [w for w in words[: words.index("--write_into")] if w != "--figure" and not w.endswith(".svg")]
    assert main(shown) == 0
    assert f"<!-- table: {name} -->\n{capsys.readouterr().out}<!-- /table -->" in README


def test_the_headline_is_the_comparison_s():
    from hf_lengthgen.compare.grid import load_grid
    from hf_lengthgen.compare.layout import Layout
    from hf_lengthgen.compare.outcomes import gather
    from hf_lengthgen.compare.tables import headline_table

    assert "lengthgen compare main --report_only --write_into README.md" in (ROOT / "recipes" / "report.sh").read_text()
    grid = load_grid(str(ROOT / "recipes" / "comparisons" / "main.yaml"), [])
    outcomes = gather(grid, Layout(ROOT / "results" / "main", ROOT / "runs" / "main"))
    assert f"<!-- table: main -->\n{headline_table(outcomes).markdown()}<!-- /table -->" in README


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_python_code_runs_as_printed(code, monkeypatch):
    monkeypatch.chdir(ROOT)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    assert printed.getvalue().strip()


def test_the_first_example_adds():
    tokens = {}
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0].replace('"model_cards', f'"{ROOT}/model_cards')
    exec(compile(code, "README.md", "exec"), tokens)
    answer = tokens["tokenizer"].decode(
        tokens["model"].generate(**tokens["prompt"], max_new_tokens=7)[0], skip_special_tokens=True
    )
    left, right, total = re.match(r"(\d+)\+(\d+)=(\d+)$", answer).groups()
    assert int(left[::-1]) + int(right[::-1]) == int(total[::-1])


def test_links_lead_to_files():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_commands_and_recipes_named_exist():
    for config in re.findall(r"--config (\S+/\S+)", README):
        assert (ROOT / "recipes" / "configs" / f"{config}.yaml").is_file(), config
    for target in re.findall(r"\bmake ([a-z-]+)", README):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target


def test_the_number_of_embeddings_is_right():
    from hf_lengthgen import list_position_embeddings

    assert f"{len(list_position_embeddings())} position embeddings" in README


def test_speeds_are_those_of_the_benchmark():
    measured = json.loads((ROOT / "benchmarks" / "datasets.json").read_text(encoding="utf-8"))
    (pair,) = (pair for pair in measured["compared"] if pair["ours"] == "addition")
    millions = {kind: f"{rate['cpu'] / 1e6:.2f}" for kind, rate in pair["rates"].items()}
    text = " ".join(README.split())
    ratio = {kind: rates["cpu"] for kind, rates in pair["ratios"].items()}
    assert (
        f"streams {millions['streamed']} million additions a second in Arrow batches and stores {millions['stored']} "
        f"million, {ratio['streamed']} and {ratio['stored']} times the rate at which reasoning-gym "
        f"{measured['versions']['reasoning-gym']} makes its nearest rows, the Python dictionaries of `{pair['theirs']}`"
    ) in text
    assert f"ours come at {millions['dictionaries']} million, {ratio['dictionaries']} times as many" in text
    assert f"at {millions['examples']} million, {ratio['examples']} times as many" in text
