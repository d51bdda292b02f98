"""The shell scripts under recipes/, in a folder where `lengthgen` only writes down what it was asked for."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LENGTHGEN = """#!/bin/sh
echo "$*" >> asked
while [ $# -gt 0 ]; do [ "$1" = --output_dir ] && mkdir -p "$2" && echo '{}' > "$2/result.json"; shift; done
"""


@pytest.fixture
def results(tmp_path):
    """Runs recipes/results.sh with these words; returns the exit code, stderr, and what was trained."""
    (tmp_path / "recipes").mkdir()
    shutil.copy(ROOT / "recipes" / "results.sh", tmp_path / "recipes")
    program = tmp_path / ".venv" / "bin" / "lengthgen"
    program.parent.mkdir(parents=True)
    program.write_text(LENGTHGEN)
    program.chmod(0o755)

    def call(*words):
        script = tmp_path / "recipes" / "results.sh"
        done = subprocess.run(
            [script, *words], env=os.environ | {"JOBS": "1"}, capture_output=True, text=True, timeout=60
        )
        asked = tmp_path / "asked"
        lines = asked.read_text().splitlines() if asked.exists() else []
        return done.returncode, done.stderr, [" ".join(line.split()[2:5:2]) for line in lines]

    return call


def test_an_unknown_recipe_is_named_and_nothing_is_trained(results, tmp_path):
    code, told, trained = results("copy/lbpe", "addition/lpbe")
    assert code == 2 and trained == []
    assert told == (
        "recipes/results.sh knows no recipe 'addition/lpbe', only addition/alibi addition/lbpe addition/lbpe_no_hint "
        "addition/learned addition/none addition/rope addition/t5 addition_unequal/lbpe copy/lbpe division_digit/lbpe "
        "parity/lbpe parity_no_cot/lbpe reverse/lbpe shift/lbpe.\n"
    )
    assert not (tmp_path / "runs").exists()


def test_the_chosen_recipes_are_trained(results, tmp_path):
    code, told, trained = results("addition/rope", "addition_unequal/lbpe")
    assert (code, told) == (0, "")
    assert trained == [
        "addition_unequal/lbpe 0",
        "addition_unequal/lbpe 1",
        "addition_unequal/lbpe 2",
        "addition/rope 0",
    ]
    assert (tmp_path / "results" / "addition" / "rope" / "seed0.json").is_file()


def test_all_recipes_exist_and_are_trained(results):
    code, told, trained = results()
    assert (code, told, len(trained), len(set(trained))) == (0, "", 36, 36)
    for line in trained:
        assert (ROOT / "recipes" / "configs" / f"{line.split()[0]}.yaml").is_file()


@pytest.mark.parametrize("word", ["", "addition/lbpe copy/lbpe", "*"])
def test_a_word_is_one_name(word, results):
    code, told, trained = results(word)
    assert code == 2 and f"knows no recipe '{word}'" in told and trained == []
