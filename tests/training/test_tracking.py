import json
import os
import subprocess
import sys

import pytest

from hf_lengthgen.training import tracking
from hf_lengthgen.training.loop import train
from hf_lengthgen.training.tracking import Tracker, check_tracker

from .tiny import tiny


class Recorder:
    """What Accelerate is told."""

    def __init__(self):
        self.calls = []

    def init_trackers(self, name, config, init_kwargs):
        json.dumps(config)
        self.calls.append(("init", name, config["task"], init_kwargs))

    def log(self, values, step):
        self.calls.append(("log", step, values))

    def end_training(self):
        self.calls.append(("end",))


def test_records_become_numbers_under_their_step():
    recorder = Recorder()
    record = {"step": 10, "loss": 0.5, "open_gates": 7, "task": "copy", "solved": [2]}
    record["exact_match"] = {"2": 1.0, "30x100": 0.25}
    with Tracker(recorder, tiny(tracker="tensorboard")) as tracker:
        tracker.log(record)
    with Tracker(recorder, tiny(tracker="tensorboard")) as tracker:
        tracker.log({"step": 20, "loss": 0.4, "open_gates": None})  # an embedding without gates
    assert recorder.calls[3:] == [("init", "copy-lbpe-seed0", "copy", {}), ("log", 20, {"loss": 0.4}), ("end",)]
    assert recorder.calls[:3] == [
        ("init", "copy-lbpe-seed0", "copy", {}),
        ("log", 10, {"loss": 0.5, "open_gates": 7, "exact_match/2": 1.0, "exact_match/30x100": 0.25}),
        ("end",),
    ]


@pytest.mark.parametrize(
    ("name", "resumed", "options"),
    [
        ("trackio", False, {"name": "copy-lbpe-seed0", "resume": "never"}),
        ("trackio", True, {"name": "copy-lbpe-seed0", "resume": "allow"}),
        ("wandb", False, {"name": "copy-lbpe-seed0"}),
    ],
)
def test_runs_share_a_project_and_have_names(name, resumed, options):
    recorder = Recorder()
    with Tracker(recorder, tiny(tracker=name), resumed=resumed):
        pass
    assert recorder.calls == [("init", "hf_lengthgen", "copy", {name: options}), ("end",)]


def test_nothing_is_told_without_a_tracker():
    recorder = Recorder()
    with Tracker(recorder, tiny()) as tracker:
        tracker.log({"step": 1, "loss": 1.0})
    assert recorder.calls == []


def test_a_missing_package_is_told_before_training(monkeypatch):
    monkeypatch.setitem(tracking.PACKAGES, "trackio", ("not_there",))
    with pytest.raises(ValueError, match="tracker 'trackio' needs the package not_there: pip install not_there"):
        train(tiny(tracker="trackio"), progress=False)
    check_tracker("none")


def told(record):
    """What a record of the history is as numbers."""
    values = {key: value for key, value in record.items() if isinstance(value, int | float) and key != "step"}
    return values | {f"exact_match/{n}": share for n, share in record["exact_match"].items()}


def test_tensorboard_holds_the_history(tmp_path):
    pytest.importorskip("tensorboard", reason="an extra: make test-extras")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = train(tiny(tracker="tensorboard", output_dir=str(tmp_path), validate_every=2), progress=False).history
    assert len(history.records) > 1
    events = EventAccumulator(str(tmp_path / "copy-lbpe-seed0")).Reload()
    found = {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in events.Tags()["scalars"]}
    for record in history.records:
        for name, value in told(record).items():
            assert found[name][record["step"]] == pytest.approx(value, rel=1e-6)


def test_trackio_holds_the_history_and_goes_on_with_a_resumed_run(tmp_path):
    """In a process of its own: trackio takes its folder from the environment when it is imported."""
    pytest.importorskip("trackio", reason="an extra: make test-extras")
    done = subprocess.run(
        [sys.executable, "-c", TRACKED],
        capture_output=True,
        text=True,
        env=os.environ | {"TRACKIO_DIR": str(tmp_path), "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("[["))
    first, again = json.loads(line)
    assert first == [[10, 0.5, 0.25], [20, 0.4, 1.0]] and again == [[10, 0.6, 0.0]]


TRACKED = """
import json
from accelerate import Accelerator
from hf_lengthgen.training.arguments import TrainingConfig
from hf_lengthgen.training.tracking import Tracker

config = TrainingConfig(task="copy", tracker="trackio")
for resumed, step, loss, share in ((False, 10, 0.5, 0.25), (True, 20, 0.4, 1.0), (False, 10, 0.6, 0.0)):
    with Tracker(Accelerator(log_with="trackio", cpu=True), config, resumed=resumed) as tracker:
        tracker.log({"step": step, "loss": loss, "exact_match": {"4": share}})

import trackio

runs = []
for run in trackio.Api().runs("hf_lengthgen"):
    assert run.name == "copy-lbpe-seed0"
    logs = trackio.SQLiteStorage.get_logs("hf_lengthgen", run.name, run_id=run.id)
    runs.append([[log["step"], log["loss"], log["exact_match/4"]] for log in logs])
print(json.dumps(sorted(runs, key=len, reverse=True)))
"""
