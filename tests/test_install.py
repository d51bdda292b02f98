"""The wheel and the launcher, as a user meets them (slow: builds, installs, starts processes)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TINY = ["--steps", "4", "--eval_lengths", "2", "--eval_examples", "2", "--long_lengths", "3", "--long_examples", "2"]
pytestmark = pytest.mark.slow


def call(words, cwd, **environment):
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The built wheel, unpacked where nothing of the checkout is."""
    folder = tmp_path_factory.mktemp("wheel")
    call(["-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT], folder)
    (wheel,) = folder.glob("hf_lengthgen-*.whl")
    call(["-m", "pip", "install", "-q", "--no-deps", "--target", folder / "site", wheel], folder)
    return folder / "site"


def test_wheel_trains_a_packaged_recipe_from_an_empty_directory(installed, tmp_path):
    where = call(["-c", "import hf_lengthgen; print(hf_lengthgen.__file__)"], tmp_path, PYTHONPATH=str(installed))
    assert Path(where.strip()).is_relative_to(installed)
    call(["-m", "hf_lengthgen.cli", "train", "--config", "addition/lbpe", *TINY], tmp_path, PYTHONPATH=str(installed))
    result = json.loads((tmp_path / "runs" / "addition" / "lbpe" / "seed0" / "result.json").read_text())
    assert result["steps"] == 4 and [row["n"] for row in result["lengths"]] in ([[2]], [[2], [3]])


def test_accelerate_launches_the_recipes(tmp_path):
    launch = ["-m", "accelerate.commands.launch", "--config_file", ROOT / "recipes/accelerate_configs/cpu.yaml"]
    out = tmp_path / "out"
    call([*launch, ROOT / "recipes/train.py", "--config", "copy/lbpe", *TINY, "--output_dir", out], tmp_path)
    printed = call([*launch, ROOT / "recipes/evaluate.py", out, "--lengths", "2", "--examples", "2"], tmp_path)
    assert "exact match" in printed
