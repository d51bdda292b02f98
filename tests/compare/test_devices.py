import pytest

from hf_lengthgen.compare.devices import slots, usable_cores, visible_devices


@pytest.mark.parametrize(
    "named, devices", [("0,1", ["0", "1"]), ("3", ["3"]), ("", []), ("-1", []), ("GPU-a, GPU-b", ["GPU-a", "GPU-b"])]
)
def test_devices_are_those_that_are_visible(monkeypatch, named, devices):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_devices() == devices


def test_without_the_variable_torch_is_asked(monkeypatch):
    import torch

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert visible_devices() == ["0", "1", "2"]


def test_slots():
    assert slots(None, []) == [None] * usable_cores() and slots(3, []) == [None] * 3
    assert slots(None, ["a", "b"]) == ["a", "b"] and slots(3, ["a", "b"]) == ["a", "b", "a"]
    assert slots(1, ["a", "b"]) == ["a"]
