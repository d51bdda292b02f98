"""`lengthgen train`."""

import signal
import subprocess
import sys

import pytest

from hf_lengthgen.cli import main
from hf_lengthgen.evaluation.result import Result

from .tiny import WORDS


def test_help_of_training_lists_every_setting(capsys):
    from hf_lengthgen.training.arguments import list_configs, setting_names

    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = capsys.readouterr().out
    assert all(f"--{name} " in text for name in setting_names())
    assert all(name in text for name in list_configs())
    assert "for greedy generation" in text
    assert "[1500]" in text


def test_train_prints_the_scores_and_records_its_command(lengthgen, tiny_run):
    code, out, _ = lengthgen("train", *WORDS, "--output_dir", tiny_run)  # finished: read, not redone
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["n", "exact"]
    assert [line.split()[0] for line in lines[1:]] == ["2", "3"]
    command = Result.load(tiny_run / "result.json").command
    assert command.startswith("lengthgen train --task copy")


def test_train_refuses_other_settings_in_the_same_place(lengthgen, tiny_run):
    code, _, err = lengthgen("train", *WORDS, "--seed", "1", "--output_dir", tiny_run)
    assert code == 2
    assert "seed = 0 there and 1 now" in err


def test_sigterm_ends_with_one_line_and_code_one(tmp_path):
    changed = {"--steps": "100000", "--validate_every": "5", "--save_every": "100000"}
    words = [changed.get(before, word) for before, word in zip(["", *WORDS], WORDS, strict=False)]
    command = [sys.executable, "-m", "hf_lengthgen.cli", "train", *words, "--output_dir", str(tmp_path)]
    said = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
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
