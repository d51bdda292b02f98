"""The pages in docs/ keep their word: what is rendered is current, what is code runs."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from hf_lengthgen import gallery
from hf_lengthgen.cli import main
from hf_lengthgen.data.load_dataset import load_dataset
from hf_lengthgen.evaluation.curves import point_at
from hf_lengthgen.evaluation.result import Result
from hf_lengthgen.tasks import get_task, list_tasks, registry

ROOT = Path(__file__).parents[1]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_links_lead_somewhere(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    headings = set(re.findall(r"^## (\S+)$", text, re.MULTILINE))
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    for target, heading in re.findall(r"(?<!\\)\]\((?!http)([^)#]*)#?([^)]*)\)", prose):
        assert (ROOT / "docs" / target).exists(), target
        assert not heading or heading in headings, heading
    for target in re.findall(r"`((?:hf_lengthgen|tests)/\S+?)`", text):
        assert (ROOT / target).exists() or "complement" in target, target


# ---- docs/reading_the_report.md


def test_our_side_of_the_published_comparison_is_that_of_the_results():
    """Lengths 51-100 are the third to sixth that were tested, 101-150 the rest."""
    page = (ROOT / "docs" / "reading_the_report.md").read_text(encoding="utf-8")
    ours = r"([\d.]+(?: \([\d.]+–[\d.]+\))?)"
    rows = re.findall(rf"^\| (\w+) \| (APE|NoPE) \| [\d.]+ \| {ours} \| [\d.]+ \| {ours} \|$", page, re.MULTILINE)
    assert len(rows) == 6
    for task, embedding, *told in rows:
        folder = ROOT / "results" / "offset_ape_or_none" / task / {"APE": "ape", "NoPE": "none"}[embedding]
        shares = np.array([exact_matches(folder / f"seed{seed}.json") for seed in range(3)])
        assert told == [of_seeds(shares[:, 2:6].mean(axis=1)), of_seeds(shares[:, 6:].mean(axis=1))]
    longer = exact_matches(ROOT / "results" / "unique_copy_30000" / "unique_copy" / "ape" / "seed0.json")
    assert f"with 30,000 steps {np.mean(longer[6:]):.1f}% are right there" in page


def exact_matches(path):
    """In %, at the ten lengths of that comparison."""
    shares = [100 * length.exact_match for length in Result.load(path).lengths]
    assert len(shares) == 10
    return shares


def of_seeds(values):
    """The mean and, where seeds differ, the lowest and highest."""
    spread = f" ({min(values):.1f}–{max(values):.1f})" if min(values) != max(values) else ""
    return f"{np.mean(values):.1f}{spread}"


def test_the_ordering_on_copy_and_reverse_is_that_of_the_results():
    page = (ROOT / "docs" / "reading_the_report.md").read_text(encoding="utf-8")
    shares = r"((?: \| \d+\.\d){10}) \|$"
    rows = re.findall(rf"^\| (T5|NoPE|ALiBi|RoPE|learned){shares}", page, re.MULTILINE)
    folders = {"T5": "t5", "NoPE": "none", "ALiBi": "alibi", "RoPE": "rope", "learned": "learned"}
    assert [name for name, _ in rows] == list(folders)
    for name, told in rows:
        means = []
        for task in ("copy", "reverse"):
            folder = ROOT / "results" / "copy_20_to_40" / task / folders[name]
            results = [Result.load(folder / f"seed{seed}.json") for seed in range(3)]
            means += [point_at((n,), results).exact_match for n in (20, 22, 25, 30, 40)]
        assert told.split(" | ")[1:] == [f"{100 * mean:.1f}" for mean in means]


# ---- docs/positions.md


def test_positions_md_is_current(capsys):
    assert main(["positions", "--markdown"]) == 0
    rendered = capsys.readouterr().out
    written = (ROOT / "docs" / "positions.md").read_text(encoding="utf-8")
    assert written == rendered, "render it anew: lengthgen positions --markdown > docs/positions.md"


# ---- docs/tasks.md


def test_tasks_md_is_current(capsys):
    assert main(["tasks", "--markdown"]) == 0
    rendered = capsys.readouterr().out
    written = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    assert written == rendered, "render it anew: lengthgen tasks --markdown > docs/tasks.md"


def test_tasks_md_has_a_right_example_of_every_task():
    text = gallery.markdown()
    for name in list_tasks():
        section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        prompt, answer = re.search(r"^- example: `(.*)` → `(.*)`$", section, re.MULTILINE).groups()
        task = get_task(name)
        assert task.answer(prompt) == answer
        assert re.search(r"^- SRC: (constant|growing|unknown): ", section, re.MULTILINE)
        for part in ("scale", "format", "options", "relations"):
            assert f"\n- {part}: " in section


def test_only_built_in_tasks_are_in_it(monkeypatch):
    before = gallery.markdown()
    monkeypatch.setattr(registry, "_REGISTERED", {"mine": type("Mine", (type(get_task("copy")),), {"name": "mine"})})
    assert "mine" in list_tasks() and gallery.markdown() == before


def test_markdown_takes_no_name(capsys):
    assert main(["tasks", "show", "copy", "--markdown"]) == 2
    assert "takes no name" in capsys.readouterr().err


# ---- lengthgen tasks show


@pytest.mark.parametrize("name", [name for name in list_tasks() if get_task(name).ideal_relations])
def test_reads_are_where_the_relations_hold(name):
    task = get_task(name)
    samples = task.sample(task.expand(4), 1, np.random.default_rng(0))
    prompt, answer, hint = samples.prompt_strings()[0], samples.answer_strings()[0], tuple(samples.scales[0].tolist())
    keys = gallery.reads(task, prompt, answer, hint)
    assert keys.shape == (len(answer) + 1, len(task.ideal_relations))
    names = {"n": hint[0], **{f"n{k}": entry for k, entry in enumerate(hint)}}
    for row, query in enumerate(range(len(prompt), len(prompt) + len(answer) + 1)):
        for text, found in zip(task.ideal_relations, keys[row], strict=True):
            if "segment" in text:
                continue
            left, right = re.sub(r"(\d)([a-z])", r"\1 * \2", text).split("=")
            held = [j for j in range(query + 1) if eval(f"{left} == {right}", {**names, "i": query, "j": j})]
            assert held == ([] if found < 0 else [found])


def test_reads_of_segments():
    task = get_task("addition", widths="unequal")
    keys = gallery.reads(task, "12+345=", "4650", (2, 3))
    # <bos>=0, "1"=1, "2"=2, "+"=3, "3"=4, ...: digit k and digit k - 1 of both operands, and the token before
    found = {text: keys[:, column].tolist() for column, text in enumerate(task.ideal_relations)}
    assert found["offset(i) - offset(j) = -1 in segment 0"] == [1, 2, -1, -1, -1]
    assert found["offset(i) - offset(j) = -1 in segment 1"] == [4, 5, 6, -1, -1]
    assert found["offset(i) - offset(j) = 0 in segment 0"] == [-1, 1, 2, -1, -1]
    assert found["i - j = 0"] == [7, 8, 9, 10, 11]


def test_show_explains_the_first_example(capsys):
    assert main(["tasks", "show", "addition", "--n", "2", "--count", "2", "--task_options.hard", "0"]) == 0
    out = capsys.readouterr().out
    assert "SRC: constant" in out and "examples, n = 2, scale hint 2:" in out
    prompt, _, answer = out.splitlines()[-2].strip().partition(" -> ")
    table = out[out.index("  token") :].splitlines()[1 : len(answer) + 2]
    first = f"= at 6 {answer[0]} sum {prompt[0]} at 1 {prompt[3]} at 4 <bos> at 0 + at 3 = at 6"
    assert table[0].split() == first.split()
    assert table[-1].split()[3] == "<eos>"


def test_show_names_the_steps(capsys):
    assert main(["tasks", "show", "division_digit", "--n", "3", "--count", "1"]) == 0
    out = capsys.readouterr().out
    assert "steps of the first example:\n  1. " in out
    assert main(["tasks", "show", "parity", "--n", "3", "--count", "1"]) == 0
    out = capsys.readouterr().out
    assert f"final answer of the first example: {out.strip()[-1]}" in out


def test_show_cuts_long_answers(capsys):
    assert main(["tasks", "show", "copy", "--n", "100", "--count", "1"]) == 0
    assert "... and 61 tokens more" in capsys.readouterr().out


def test_show_of_no_examples(capsys):
    assert main(["tasks", "show", "copy", "--count", "0"]) == 0
    assert "vocabulary" in capsys.readouterr().out


# ---- docs/add_a_task.md


def test_a_task_is_added_in_under_30_lines(monkeypatch, capsys):
    monkeypatch.setattr(registry, "_REGISTERED", {})
    code, test = blocks("add_a_task.md", "python")
    assert len(code.splitlines()) < 30
    exec(compile(code, "add_a_task.md", "exec"), {"__name__": "add_a_task"})
    prompt, _, answer = capsys.readouterr().out.strip().partition("=")
    assert answer == prompt.translate(str.maketrans("01", "10"))

    names = {}
    exec(compile(test.replace("from .contract", "from tasks.contract"), "add_a_task.md", "exec"), names)
    contract = names["TestComplement"]()
    checks = [name for name in dir(contract) if name.startswith("test_")]
    assert len(checks) > 5
    for name in checks:
        getattr(contract, name)()
    assert len(load_dataset("complement", rows=10, streaming=True).take(3).to_list()) == 3


# ---- docs/add_an_embedding.md


def test_the_embedding_of_the_page_works(monkeypatch, capsys):
    from hf_lengthgen.model import position_registry

    monkeypatch.setattr(position_registry, "_REGISTRY", dict(position_registry._REGISTRY))
    code, listing = blocks("add_an_embedding.md", "python")
    exec(compile(code, "add_an_embedding.md", "exec"), {"__name__": "add_an_embedding"})
    assert capsys.readouterr().out == "torch.Size([1, 7])\n"
    exec(compile(listing, "add_an_embedding.md", "exec"), {})
    assert re.search(r"^decay\b", capsys.readouterr().out, re.MULTILINE)


def test_hooks_named_on_the_page_exist():
    from hf_lengthgen import PositionEmbedding, list_position_embeddings

    text = (ROOT / "docs" / "add_an_embedding.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|.*\| (.*) \|$", text, re.MULTILINE)
    assert len(rows) > 5
    for hooks, users in rows:
        for hook in re.findall(r"`(\w+)", hooks):
            assert hasattr(PositionEmbedding, hook), hook
        assert set(re.findall(r"`(\w+)`", users)) <= set(list_position_embeddings())


# ---- commands on all pages


def commands(page: str) -> list[list[str]]:
    text = "\n".join(blocks(page, "bash")).replace("\\\n", " ")
    lines = [line for line in text.splitlines() if "lengthgen " in line or "train.py" in line]
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_settings_and_recipes_on_the_page_exist(page):
    from hf_lengthgen.training.arguments import load_training_config

    for words in commands(page):
        start = next((k + 1 for k, word in enumerate(words) if word in ("train", "recipes/train.py")), None)
        if start is None or "--base_model" in words:  # those are settings of retrofit
            continue
        config, *rest = words[start + 1 :] if words[start] == "--config" else [None, *words[start:]]
        load_training_config(config, rest)
