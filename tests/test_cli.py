import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from training.tiny import WORDS

from hf_lengthgen.cli import main
from hf_lengthgen.evaluation.result import Result

ROOT = Path(__file__).parents[1]
# ------------------------------------------------------------------------------------------------ help


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["evaluate", "--help"], ["tasks", "--help"]])
def test_help_exits_with_zero(capsys, words):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: lengthgen") and "%%" not in out


def test_the_version_is_the_installed_one(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0 and capsys.readouterr().out == f"hf_lengthgen {version('hf_lengthgen')}\n"


def test_help_is_quick():
    """Nothing heavy is imported before a command needs it."""
    script = (
        "import sys; from hf_lengthgen.cli import main\n"
        "try: main(['train', '--help'])\n"
        "except SystemExit: pass\n"
        "print(*({'torch', 'transformers', 'numpy', 'accelerate'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


# ------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "COMMAND"),
        (["trian"], "invalid choice: 'trian'"),
        (["train", "--sead", "3"], "unknown setting 'sead'; did you mean 'seed'"),
        (["train", "--seed", "x"], "--seed must be a whole number, got 'x'"),
        (["train", "--config", "additon/lbpe"], "did you mean 'addition/lbpe'"),
        (["train", "--config"], "expected one argument"),
        (["train", "--task", "additon"], "did you mean 'addition'"),
        (["train", "--task_options.bas", "2"], "did you mean 'base'"),
        (["train", "--position_options.windo", "2"], "Did you mean 'window'"),
        (["train", "--position_embedding", "lpbe"], "lbpe"),
        (["train", "--output_dir", __file__], "cannot be written"),
        (["evaluate", "nowhere", "--lengths", "3"], "no folder 'nowhere'"),
        (["evaluate", ".", "--lengths", "3"], "holds no model"),
        (["evaluate", "nowhere"], "--lengths"),
        (["evaluate", "nowhere", "--lengths", "ten"], "a scale is a whole number"),
        (["evaluate", "nowhere", "--lengths", "3", "--exampels", "5"], "unknown argument '--exampels'"),
        (["tasks", "show"], "needs the name of a task"),
        (["tasks", "show", "additon"], "did you mean 'addition'"),
        (["tasks", "show", "addition", "--task_options.bas", "2"], "did you mean 'base'"),
        (["tasks", "show", "addition", "--n", "0"], "0"),
        (["tasks", "show", "addition", "--seed", "-1"], "--seed must be at least 0"),
        (["tasks", "list", "copy"], "tasks list takes no name, got 'copy'; did you mean tasks show copy?"),
        (["tasks", "--task_options.base=2"], "tasks list takes no options of a task"),
        (["tasks", "show", "copy", "--n", "1000000000000000"], "not enough memory"),
        (["positions", "extra"], "unknown argument 'extra'"),
        (["evaluate", "nowhere", "--lengths", "3", "--output", "/dev/null/x/r.json"], "--output '/dev/null/x/r.json'"),
        (["evaluate", "nowhere", "--lengths", "3", "--output", "."], "--output '.' is a folder"),
        (["report", "nowhere", "--figure", "x.pdf"], ".pdf"),
        (["report", "nowhere", "--figure", "/dev/null/x.svg"], "--figure '/dev/null/x.svg' cannot be written"),
        (["report", "nowhere", "--table", "t", "--write_into", "no.md"], "--write_into 'no.md': there is no such file"),
    ],
)
def test_bad_input_is_one_line_and_code_two(lengthgen, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = lengthgen(*words)
    assert code == 2
    assert out == ""
    assert err.startswith("lengthgen: error: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_bug_shows_its_traceback(monkeypatch):
    from hf_lengthgen.training import run

    def broken(config, command):
        raise RuntimeError("a bug")

    monkeypatch.setattr(run, "run", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["train", *WORDS])


def test_only_the_first_process_speaks(lengthgen, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert lengthgen("train", "--sead", "3") == (2, "", "")


# ------------------------------------------------------------------------------------------------ --import

MINE = """
import beside
from hf_lengthgen import PositionEmbedding, register_position_embedding

@register_position_embedding
class Mine(PositionEmbedding):
    name = "mine"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder; what is imported from it is forgotten afterwards."""
    from hf_lengthgen.model import position_registry
    from hf_lengthgen.tasks import registry

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(position_registry, "_REGISTRY", dict(position_registry._REGISTRY))
    monkeypatch.setattr(registry, "_REGISTERED", dict(registry._REGISTERED))
    (tmp_path / "beside.py").write_text("")
    (tmp_path / "mine.py").write_text(MINE)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]


def test_a_module_is_imported_before_the_command(lengthgen, folder):
    code, out, _ = lengthgen("--import", "mine", "positions")
    assert code == 0 and "\nmine " in out


def test_an_installed_module_wins_over_one_in_the_current_folder(lengthgen, folder):
    (folder / "wave.py").write_text("raise ValueError('the wrong one')")
    sys.modules.pop("wave", None)
    assert lengthgen("--import", "wave", "--import=mine", "positions")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--import", "mne", "positions"], "--import mne: ModuleNotFoundError: No module named 'mne'"),
        (["--import", "broken", "positions"], "--import broken: NameError: name 'x' is not defined"),
        (["--import", "half", "positions"], "--import half: SyntaxError: '(' was never closed (half.py, line 1)"),
        (["--import", "twice", "positions"], "--import twice: ValueError: "),
        (["positions", "--import", "mine"], "--import MODULE goes before the command"),
        (["train", "--import=mine"], "--import MODULE goes before the command"),
        (["--import"], "expected one argument"),
    ],
)
def test_what_cannot_be_imported(lengthgen, folder, words, message):
    (folder / "broken.py").write_text("x")
    (folder / "half.py").write_text("f(")
    (folder / "twice.py").write_text(MINE.replace('"mine"', '"rope"'))
    code, out, err = lengthgen(*words)
    assert (code, out) == (2, "") and err.startswith("lengthgen: error: ") and err.count("\n") == 1
    assert message in err


def test_a_comparison_runs_an_embedding_that_its_runs_have_to_import(lengthgen, folder):
    """The real thing: the run is a process of its own."""
    (folder / "grid.yaml").write_text(
        "name: small\n"
        "tasks: [{name: copy}]\n"
        "variants: [{name: mine, scale_hint: none}]\n"
        "seeds: [0]\n"
        "base: {n_max: 4, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16,\n"
        "  steps: 2, batch_size: 4, eval_lengths: [2], eval_examples: 2, long_lengths: [], validate_every: 0}\n"
    )
    code, out, err = lengthgen("--import", "mine", "compare", "grid.yaml", "--jobs", 1)
    assert code == 0, err
    result = Result.load("results/small/copy/mine/seed0.json")
    assert result.position_embedding == "mine"
    assert result.command == "lengthgen --import mine compare grid.yaml --only copy/mine --seeds 0"


@pytest.mark.parametrize(
    ("page", "name", "listing"), [("add_an_embedding", "decay", "positions"), ("add_a_task", "complement", "tasks")]
)
def test_the_pages_tell_how_to_use_what_they_add(lengthgen, folder, page, name, listing):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    (folder / f"{name}.py").write_text(re.split("\nconfig = |\ntask = ", code)[0])
    commands = [shlex.split(line, comments=True) for line in text.splitlines() if line.startswith("lengthgen --import")]
    assert [words[1:4] for words in commands] == [["--import", name, word] for word in (listing, "train", "compare")]
    code, out, _ = lengthgen(*commands[0][1:])
    assert code == 0 and re.search(rf"^{name}\b", out, re.MULTILINE)
    train = commands[1][1:]
    small = [word for pair in zip(WORDS[::2], WORDS[1::2], strict=True) if pair[0] not in train for word in pair]
    code, out, err = lengthgen(*train, *small, "--output_dir", folder / "out")
    assert code == 0, err
    assert Result.load(folder / "out" / "result.json").steps == 8


# ------------------------------------------------------------------------------------------------ commands


def test_tasks_lists_all(lengthgen):
    from hf_lengthgen.tasks import list_tasks

    code, out, _ = lengthgen("tasks")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()] == list_tasks()


def test_tasks_show_draws_right_examples(lengthgen):
    from hf_lengthgen.tasks import get_task

    words = ["--n", "3x6", "--count", 4, "--task_options.widths", "unequal", "--task_options.base", 2]
    code, out, _ = lengthgen("tasks", "show", "addition", *words)
    assert code == 0
    pairs = [line.strip().split(" -> ") for line in out.splitlines()[-4:]]
    task = get_task("addition", widths="unequal", base=2)
    assert all(task.answer(prompt) == answer and task.scale_of(prompt) == (3, 6) for prompt, answer in pairs)


def test_options_of_a_task_may_stand_before_the_arguments(lengthgen):
    """argparse does not know them, and would take their value for the argument."""
    code, out, _ = lengthgen("tasks", "show", "--task_options.cot", "false", "parity", "--n", 3)
    assert code == 0 and out == lengthgen("tasks", "show", "parity", "--n", 3, "--task_options.cot", "false")[1]
    assert out != lengthgen("tasks", "show", "parity", "--n", 3)[1]
    assert lengthgen("tasks", "show", "--task_options.cot=false", "parity", "--n", 3)[:2] == (0, out)


def test_positions_shows_every_embedding(lengthgen):
    from hf_lengthgen import list_position_embeddings

    code, out, _ = lengthgen("positions")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == list_position_embeddings()


def test_recipes_are_the_same_program():
    for recipe in ("train", "evaluate"):
        command = [sys.executable, f"recipes/{recipe}.py", "--help"]
        done = subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=True,
        )
        assert done.stdout.startswith(f"usage: lengthgen {recipe}")
