import errno
import json
import resource
import shutil

import pytest
import torch
from safetensors.torch import load_file

from hf_lengthgen.training import checkpoints
from hf_lengthgen.training.checkpoints import CheckpointError, CheckpointStore, check_same_config
from hf_lengthgen.training.loop import train

from .tiny import assert_identical, tiny, weights


@pytest.fixture(scope="module")
def reference():
    """Final weights of the undisturbed run."""
    return weights(train(tiny(), progress=False).model)


@pytest.fixture(scope="module")
def halfway(tmp_path_factory):
    """An output_dir in which training stopped after step 5 of 8; copied by `stopped`."""
    folder = tmp_path_factory.mktemp("halfway")
    stop_after(5, tiny(output_dir=folder))
    return folder


@pytest.fixture
def stopped(halfway, tmp_path):
    return shutil.copytree(halfway, tmp_path / "out")


class Killed(Exception):
    pass


def stop_after(step: int, config) -> None:
    def kill(done, model):
        if done == step:
            raise Killed

    with pytest.raises(Killed):
        train(config, progress=False, on_step=kill)


def held(folder) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def test_names_and_pruning(stopped):
    assert held(stopped) == ["step-00000002", "step-00000004"]
    train(tiny(output_dir=stopped), progress=False)
    assert held(stopped) == ["step-00000006", "step-00000008"]


def test_keep_one_and_save_only_at_the_end(tmp_path):
    train(tiny(output_dir=tmp_path / "a", keep_checkpoints=1), progress=False)
    train(tiny(output_dir=tmp_path / "b", save_every=0), progress=False)
    assert held(tmp_path / "a") == held(tmp_path / "b") == ["step-00000008"]


def test_resumed_is_the_undisturbed_run(stopped, reference):
    steps = []
    trained = train(tiny(output_dir=stopped), progress=False, on_step=lambda done, model: steps.append(done))
    assert steps == [5, 6, 7, 8]
    assert_identical(weights(trained.model), reference)


def test_a_finished_run_is_read_not_redone(stopped, reference):
    train(tiny(output_dir=stopped), progress=False)
    steps = []
    trained = train(tiny(output_dir=stopped), progress=False, on_step=lambda done, model: steps.append(done))
    assert steps == []
    assert_identical(weights(trained.model), reference)


def test_nothing_is_pickled(stopped):
    folder = stopped / "checkpoints" / "step-00000004"
    assert sorted(path.name for path in folder.iterdir()) == [
        "model.safetensors", "optimizer.safetensors", "state.json",
    ]  # fmt: skip
    state = json.loads((folder / "state.json").read_text())
    assert state["step"] == 4
    slots = {key.split("/")[0] for key in load_file(folder / "optimizer.safetensors")}
    assert slots == {"exp_avg", "exp_avg_sq", "step"}


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_checkpoint_is_passed_over(stopped, reference, name, damage):
    path = stopped / "checkpoints" / "step-00000004" / name
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "flip":
        path.write_bytes(data[:-9] + bytes([data[-9] ^ 255]) + data[-8:])
    else:
        path.unlink()
    if (name, damage) == ("state.json", "gone"):  # not a checkpoint at all, then: silently older
        trained = train(tiny(output_dir=stopped), progress=False)
    else:
        with pytest.warns(UserWarning, match=r"step-00000004 is damaged and passed over: .*\.$"):
            trained = train(tiny(output_dir=stopped), progress=False)
    assert_identical(weights(trained.model), reference)


def test_all_damaged_is_an_error(stopped):
    for path in (stopped / "checkpoints").glob("*/model.safetensors"):
        path.write_bytes(b"")
    with (
        pytest.warns(UserWarning),
        pytest.raises(CheckpointError, match="Every checkpoint in .* resume=false"),
    ):
        train(tiny(output_dir=stopped), progress=False)
    assert train(tiny(output_dir=stopped, resume=False), progress=False).history.final_loss is not None


def test_leftovers_of_a_killed_writer_do_no_harm(stopped, reference):
    leftover = stopped / "checkpoints" / ".tmp-step-00000006-123"
    leftover.mkdir()
    (leftover / "model.safetensors").write_bytes(b"half")
    assert_identical(weights(train(tiny(output_dir=stopped), progress=False).model), reference)
    assert not leftover.exists()


def test_other_settings_are_refused_by_name(stopped):
    config = tiny(output_dir=stopped, learning_rate=0.5, position_options={"window": 1})
    with pytest.raises(CheckpointError, match="other settings") as error:
        train(config, progress=False)
    message = str(error.value)
    assert "learning_rate = 0.001 there and 0.5 now" in message
    assert "position_options = {} there and {'window': 1} now" in message
    assert "steps" not in message
    assert held(stopped) == ["step-00000002", "step-00000004"]


def test_settings_that_do_not_touch_the_weights_may_change(stopped, reference):
    config = tiny(output_dir=stopped, eval_lengths=[7], keep_checkpoints=5, save_every=3, name="other")
    assert_identical(weights(train(config, progress=False).model), reference)


def test_a_setting_newer_than_the_checkpoint_had_its_default(tmp_path):
    config = tiny()
    old = {key: value for key, value in config.to_dict().items() if key != "clip"}
    check_same_config(old, config, tmp_path)
    with pytest.raises(CheckpointError, match=r"settings \(clip = 1.0 there and 0.5 now\)"):
        check_same_config(old, tiny(clip=0.5), tmp_path)


@pytest.mark.parametrize("resume", [True, False])
def test_the_best_weights_go_with_the_run_that_is_discarded(tmp_path, resume):
    model = torch.nn.Linear(1, 1)
    CheckpointStore(tmp_path / "checkpoints", tiny()).save_best(2, model)
    store = CheckpointStore(tmp_path / "checkpoints", tiny(resume=resume))
    store.prepare()
    assert held(tmp_path) == (["best"] if resume else [])


def test_resume_false_starts_over(stopped):
    steps = []
    config = tiny(output_dir=stopped, resume=False, seed=9)
    train(config, progress=False, on_step=lambda done, model: steps.append(done))
    assert steps == list(range(1, 9))


def test_a_full_disk_is_told_and_the_last_checkpoint_is_whole(stopped, reference, monkeypatch):
    def full(tensors, path):
        path.write_bytes(b"half a file")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_file", full)
        with pytest.raises(CheckpointError, match="step 6 .*No space left on device.*step-00000004"):
            train(tiny(output_dir=stopped), progress=False)
    assert held(stopped) == ["step-00000002", "step-00000004"]
    assert_identical(weights(train(tiny(output_dir=stopped), progress=False).model), reference)


def test_a_write_that_the_system_refuses(stopped, reference):
    """For real: the operating system allows this process no file beyond 4 kB."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(CheckpointError, match="(?i)step 6 .*file too large.*step-00000004"):
            train(tiny(output_dir=stopped), progress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert held(stopped) == ["step-00000002", "step-00000004"]
    assert_identical(weights(train(tiny(output_dir=stopped), progress=False).model), reference)


def test_an_output_dir_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written: Not a directory"):
        train(tiny(output_dir=tmp_path / "file" / "out"), progress=False)


def test_a_checkpoint_of_another_architecture_is_refused(stopped):
    state = stopped / "checkpoints" / "step-00000004" / "state.json"
    text = state.read_text().replace('"hidden_size": 16', '"hidden_size": 32')
    state.write_text(text)
    with pytest.raises(CheckpointError, match="does not fit the model"):
        train(tiny(output_dir=stopped, hidden_size=32), progress=False)


def test_a_newer_format_is_told(stopped):
    state = stopped / "checkpoints" / "step-00000004" / "state.json"
    state.write_text(state.read_text().replace('"schema": 1', '"schema": 99'))
    with pytest.raises(CheckpointError, match="format 99, this version reads 1"):
        train(tiny(output_dir=stopped), progress=False)


def test_tied_weights_are_saved_once(tmp_path):
    from hf_lengthgen.training.progress import History

    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2, bias=False)
            self.b.weight = self.a.weight
            self.register_buffer("kept", torch.ones(1))
            self.register_buffer("not_kept", torch.ones(1), persistent=False)

    model = Tied()
    optimizer = torch.optim.AdamW(model.parameters())
    model.b(torch.ones(2)).sum().backward()
    optimizer.step()
    store = CheckpointStore(tmp_path, tiny())
    store.save(1, model, optimizer, History())
    assert set(load_file(store.path(1) / "model.safetensors")) == {"a.weight", "kept"}
    other = Tied()
    other_optimizer = torch.optim.AdamW(other.parameters())
    assert store.restore(other, other_optimizer)[0] == 1
    assert torch.equal(other.b.weight, model.a.weight)
    assert other.b.weight is other.a.weight


def test_a_damaged_later_checkpoint_does_not_outlive_new_ones(stopped):
    """Pruning goes by steps: it would keep the damaged one, and remove each new one at once."""
    last = sorted((stopped / "checkpoints").glob("step-*"))[-1]
    bad = last.with_name("step-00000007")
    shutil.copytree(last, bad)
    (bad / "model.safetensors").write_bytes(b"short")

    def leave(done, model):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="is damaged and passed over"), pytest.raises(KeyboardInterrupt):
        train(tiny(output_dir=stopped, save_every=1, keep_checkpoints=1), progress=False, on_step=leave)
    assert held(stopped) == ["step-00000005"]
