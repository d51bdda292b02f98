import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hf_lengthgen import get_task
from hf_lengthgen.cli import main
from hf_lengthgen.evaluation.result import Result

ROOT = Path(__file__).parents[1]
TINY = shlex.split(
    "--task copy --n_max 4 --hidden_size 16 --num_hidden_layers 1 --num_attention_heads 2 "
    "--intermediate_size 24 --steps 4 --batch_size 8 --threads 1 --validate_every 0 --eval_lengths 2 "
    "--eval_examples 4 --long_lengths 3 --long_examples 4 --stop_at_zero false"
)


@pytest.fixture
def lengthgen(capsys):
    """Runs a command; returns exit code, stdout, stderr."""

    def call(*words):
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "out"
    assert main(["train", *TINY, "--output_dir", str(folder)]) == 0
    return folder


# ------------------------------------------------------------------------------------------------ help


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["evaluate", "--help"], ["tasks", "--help"]])
def test_help_exits_with_zero(capsys, words):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: lengthgen") and "%%" not in out


def test_help_of_training_lists_every_setting(capsys):
    from hf_lengthgen.training.arguments import list_configs, setting_names

    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = capsys.readouterr().out
    assert all(f"--{name} " in text for name in setting_names())
    assert all(name in text for name in list_configs())
    assert "for greedy generation" in text
    assert "[1500]" in text


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
        main(["train", *TINY])


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


# ------------------------------------------------------------------------------------------------ commands


def test_train_prints_the_scores_and_records_its_command(lengthgen, trained):
    code, out, _ = lengthgen("train", *TINY, "--output_dir", trained)  # finished: read, not redone
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["n", "exact"]
    assert [line.split()[0] for line in lines[1:]] == ["2", "3"]
    command = Result.load(trained / "result.json").command
    assert command.startswith("lengthgen train --task copy")


def test_train_refuses_other_settings_in_the_same_place(lengthgen, trained):
    code, _, err = lengthgen("train", *TINY, "--seed", "1", "--output_dir", trained)
    assert code == 2
    assert "seed = 0 there and 1 now" in err


def test_sigterm_ends_with_one_line_and_code_one(tmp_path):
    changed = {"--steps": "100000", "--validate_every": "5"}
    words = [changed.get(before, word) for before, word in zip(["", *TINY], TINY, strict=False)]
    command = [sys.executable, "-m", "hf_lengthgen.cli", "train", *words, "--output_dir", str(tmp_path)]
    said = []
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            said.append(line)
            if line.startswith("step 10/"):
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 1, "".join(said)
    assert "Traceback" not in "".join(said)
    last = said[-1]
    assert last.startswith("lengthgen: error: SIGTERM received: stopped after step ")
    (checkpoint,) = (tmp_path / "checkpoints").glob("step-*")
    assert checkpoint.name in last


@pytest.mark.parametrize("place", ["", "model"])
@pytest.mark.parametrize("mode", ["generate", "teacher"])
def test_evaluate_knows_the_task(lengthgen, trained, place, mode):
    code, out, _ = lengthgen("evaluate", trained / place, "--lengths", 2, 5, "--examples", 6, "--mode", mode)
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows] == ["n", "2", "5"]
    assert all(row[-3].endswith("/6") and row[-2] == mode for row in rows[1:])


def test_evaluate_shows_what_is_right_in_part(lengthgen, trained, tmp_path):
    words = ["evaluate", trained, "--lengths", 3, "--examples", 6, "--output", tmp_path / "r.json"]
    code, out, _ = lengthgen(*words, "--details")
    score = Result.load(tmp_path / "r.json").lengths[0]
    assert code == 0 and "token accuracy  final accuracy  step accuracy" in out
    assert score.token_accuracy is not None and f"{score.token_accuracy:.1%}" in out
    code, _, err = lengthgen(*words, "--details", "--mode", "teacher")
    assert code == 2 and "details" in err


def test_evaluate_agrees_with_the_run(lengthgen, trained):
    told = json.loads((trained / "lengths.json").read_text())["lengths"][0]
    _, out, _ = lengthgen("evaluate", trained, "--lengths", 2, "--examples", told["examples"])
    assert f"{told['correct']}/{told['examples']}" in out


def test_evaluate_writes_a_result_file(lengthgen, trained, tmp_path):
    code, _, _ = lengthgen("evaluate", trained, "--lengths", 4, "--examples", 3, "--output", tmp_path / "r.json")
    assert code == 0
    result = Result.load(tmp_path / "r.json")
    assert [score.n for score in result.lengths] == [[4]]
    assert (result.steps, result.task) == (4, "copy")
    assert result.command.startswith("lengthgen evaluate ")


def test_options_of_a_task_may_stand_before_the_arguments(lengthgen, trained):
    """argparse does not know them, and would take their value for the argument."""
    words = ["--lengths", 2, "--examples", 3]
    assert lengthgen("evaluate", "--task_options.hard", 0, trained, *words)[0] == 0
    code, out, _ = lengthgen("tasks", "show", "--task_options.cot", "false", "parity", "--n", 3)
    assert code == 0 and out == lengthgen("tasks", "show", "parity", "--n", 3, "--task_options.cot", "false")[1]
    assert out != lengthgen("tasks", "show", "parity", "--n", 3)[1]
    assert lengthgen("tasks", "show", "--task_options.cot=false", "parity", "--n", 3)[:2] == (0, out)


def test_a_result_says_how_it_was_evaluated(lengthgen, trained, tmp_path):
    """Not how the run evaluated: other examples are another evaluation."""
    words = ["evaluate", trained, "--lengths", 2, 3, "--examples", 3, "--output", tmp_path / "r.json"]
    assert lengthgen(*words, "--seed", 99)[0] == 0
    settings = Result.load(tmp_path / "r.json").settings
    assert (settings["eval_lengths"], settings["eval_examples"], settings["eval_seed"]) == ([2, 3], 3, 99)
    assert settings["long_lengths"] == [] and settings["stop_at_zero"] is False
    assert Result.load(tmp_path / "r.json").settings_digest != Result.load(trained / "result.json").settings_digest
    assert lengthgen(*words, "--mode", "teacher")[0] == 0
    settings = Result.load(tmp_path / "r.json").settings
    assert (settings["eval_lengths"], settings["long_lengths"], settings["long_examples"]) == ([], [2, 3], 3)


def test_a_result_is_of_what_was_evaluated(lengthgen, trained, tmp_path):
    """Another task, or other options of its own, than the model was trained on."""
    out = tmp_path / "made" / "r.json"
    words = ["evaluate", trained, "--lengths", 3, "--examples", 2, "--output", out]
    assert lengthgen(*words, "--task", "reverse", "--task_options.symbols", "abc")[0] == 0
    result = Result.load(out)
    assert (result.task, result.task_options) == ("reverse", {"symbols": "abc"})
    assert result.format == get_task("reverse", symbols="abc").summary
    assert lengthgen(*words, "--task_options.symbols", "ab")[0] == 0
    assert (Result.load(out).task, Result.load(out).task_options) == ("copy", {"symbols": "ab"})
    assert lengthgen(*words)[0] == 0
    assert (Result.load(out).task, Result.load(out).task_options) == ("copy", {})


def test_the_share_of_hard_cases_that_is_asked_for_is_evaluated(lengthgen, trained, tmp_path, monkeypatch):
    """Without a word every model meets the same share; with one, this one, and the result says so."""
    from hf_lengthgen.evaluation import lengths

    asked = []
    plain = lengths._evaluate_scale
    monkeypatch.setattr(
        lengths, "_evaluate_scale", lambda model, tok, task, *more: asked.append(task) or plain(model, tok, task, *more)
    )
    words = ["evaluate", trained, "--lengths", 3, "--examples", 2, "--output", tmp_path / "r.json"]
    assert lengthgen(*words)[0] == lengthgen(*words, "--task_options.hard", 0.9)[0] == 0
    assert [task.options["hard"] for task in asked] == [0.25, 0.9]
    assert Result.load(tmp_path / "r.json").task_options == {"hard": 0.9}


def test_nothing_is_evaluated_before_a_bad_path_is_seen(lengthgen, trained, monkeypatch):
    from hf_lengthgen.evaluation import lengths

    monkeypatch.setattr(lengths, "evaluate_lengths", None)
    code, out, err = lengthgen("evaluate", trained, "--lengths", 3, "--output", trained / "result.json" / "r.json")
    assert (code, out) == (2, "") and "cannot be written" in err


def test_evaluate_on_another_task(lengthgen, trained):
    assert lengthgen("evaluate", trained, "--lengths", 3, "--task", "reverse", "--examples", 2)[0] == 0
    code, _, err = lengthgen("evaluate", trained, "--lengths", 3, "--task", "addition")
    assert code == 2
    assert "has characters" in err


def test_evaluate_bad_numbers(lengthgen, trained):
    for words in (["--examples", 0], ["--mode", "greedy"], ["--batch_size", 0], ["--seed", -1]):
        code, _, err = lengthgen("evaluate", trained, "--lengths", 3, *words)
        assert code == 2
        assert err.count("\n") == 1


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


def test_report_prints_draws_and_writes(lengthgen, trained, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- table: t -->\n<!-- /table -->\n")
    result = str(trained / "result.json")
    code, out, _ = lengthgen("report", result, "--figure", str(tmp_path / "curve.svg"))
    assert code == 0 and out.startswith("| variant |") and (tmp_path / "curve.svg").stat().st_size > 1000
    code, silent, _ = lengthgen("report", result, "--write_into", str(page), "--table", "t")
    assert code == 0 and silent == "" and out in page.read_text()
    page.write_text(before := page.read_text())
    code, out, _ = lengthgen("report", result, "--write_into", page, "--table", "t", "--figure", tmp_path / "x.pdf")
    assert (code, out, page.read_text()) == (2, "", before) and not (tmp_path / "x.pdf").exists()
