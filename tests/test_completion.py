import subprocess

import pytest

from hf_lengthgen.cli import main
from hf_lengthgen.model.position_registry import list_position_embeddings
from hf_lengthgen.tasks import list_tasks
from hf_lengthgen.training.arguments import list_configs, setting_names


@pytest.fixture
def complete(capsys):
    """What bash offers behind these words, the last of which is being typed."""
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out

    def offered(*words):
        typed = " ".join(f"'{word}'" for word in ("lengthgen", *words))
        ask = f'{script}\nCOMP_WORDS=({typed}); COMP_CWORD={len(words)}; _lengthgen; printf "%s\\n" "${{COMPREPLY[@]}}"'
        done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return set(done.stdout.split())

    return offered


def test_commands(complete):
    assert {"train", "evaluate", "compare", "report", "tasks", "data", "positions"} <= complete("")
    assert complete("eval") == {"evaluate"}


def test_settings_of_training(complete):
    assert {f"--{name}" for name in setting_names()} | {"--config"} <= complete("train", "--")
    assert complete("train", "--config", "addition/lbpe", "--gate_l") == {"--gate_learning_rate"}


@pytest.mark.parametrize(
    ("option", "names"),
    [("--config", list_configs()), ("--task", list_tasks()), ("--position_embedding", list_position_embeddings())],
)
def test_names(complete, option, names):
    assert complete("train", option, "") == set(names)


def test_choices_and_options_of_other_commands(complete):
    assert {"list", "show", "addition", "--n"} <= complete("tasks", "")
    assert "--figure" in complete("report", "--f")


@pytest.mark.parametrize(
    "modules", [["--import", "mine"], ["--import", "=", "mine"], ["--import=mine"], ["--import", "a", "--import", "b"]]
)
def test_behind_modules_to_import(complete, modules):
    """bash hands `--import=mine` over as three words, zsh as one."""
    assert complete(*modules, "eval") == {"evaluate"}
    assert complete(*modules, "report", "--f") == {"--figure"}
    assert complete(*modules, "train", "--task", "") == set(list_tasks())
    assert complete("--im") == {"--import"} and complete("--import", "") == set()


def test_packaged_comparisons_and_tasks_as_arguments(complete):
    assert {"main", "copy_20_to_40", "--jobs"} <= complete("compare", "")
    assert complete("src", "additio") == {"addition"}


def test_zsh_speaks_bash(capsys):
    assert main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out.startswith("autoload -U +X bashcompinit && bashcompinit\n")


def test_another_shell(capsys):
    assert main(["completion", "fish"]) == 2
    assert "completion is made for bash and zsh, not for 'fish'." in capsys.readouterr().err
