import json

import pytest

from hf_lengthgen.training import tracking
from hf_lengthgen.training.loop import train
from hf_lengthgen.training.tracking import Tracker, check_tracker

from .tiny import tiny


class Recorder:
    """What Accelerate is told."""

    def __init__(self):
        self.calls = []

    def init_trackers(self, name, config):
        json.dumps(config)
        self.calls.append(("init", name, config["task"]))

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
    assert recorder.calls[3:] == [("init", "copy-lbpe-seed0", "copy"), ("log", 20, {"loss": 0.4}), ("end",)]
    assert recorder.calls[:3] == [
        ("init", "copy-lbpe-seed0", "copy"),
        ("log", 10, {"loss": 0.5, "open_gates": 7, "exact_match/2": 1.0, "exact_match/30x100": 0.25}),
        ("end",),
    ]


def test_nothing_is_told_without_a_tracker():
    recorder = Recorder()
    with Tracker(recorder, tiny()) as tracker:
        tracker.log({"step": 1, "loss": 1.0})
    assert recorder.calls == []


def test_a_missing_package_is_told_before_training(monkeypatch):
    monkeypatch.setattr(tracking.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="tracker 'trackio' needs the package trackio: pip install trackio"):
        train(tiny(tracker="trackio"), progress=False)
    check_tracker("none")
