import errno
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from hf_lengthgen.evaluation.result import Result
from hf_lengthgen.training import run as run_module
from hf_lengthgen.training import scores
from hf_lengthgen.training.checkpoints import CheckpointError, CheckpointStore
from hf_lengthgen.training.loop import TrainingDiverged
from hf_lengthgen.training.record import checkpoint_text
from hf_lengthgen.training.run import run
from hf_lengthgen.training.saving import read_training

from .tiny import tiny


@pytest.fixture
def trained_steps(monkeypatch):
    """How often training is entered."""
    calls, real = [], run_module.train

    def spy(config, **options):
        calls.append(config.steps)
        return real(config, **options)

    monkeypatch.setattr(run_module, "train", spy)
    return calls


def test_everything_is_written(tmp_path):
    result = run(tiny(output_dir=tmp_path), "lengthgen train --task copy", progress=False)
    names = {"checkpoints", "model", "lengths.json", "result.json"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert Result.load(tmp_path / "result.json") == result
    assert (result.task, result.steps, result.seed, result.command) == (
        "copy",
        8,
        0,
        "lengthgen train --task copy",
    )
    assert [(score.mode, score.n, score.examples) for score in result.lengths] == [
        ("generate", [2], 4),
        ("teacher", [3], 4),
    ]
    assert result.train_seconds > 0
    assert result.eval_seconds == sum(score.seconds for score in result.lengths)
    assert result.parameters == sum(
        tensor.numel() for tensor in load_file(tmp_path / "model/model.safetensors").values()
    )
    assert result.peak_memory_mb > 10
    assert result.hardware["threads"] == 1
    assert Result.load(tmp_path / "model" / "result.json") == result
    assert set(result.fairness) == {"format", "metric", "seeds", "checkpoint", "extra_knowledge"}
    assert "scale" in result.fairness["extra_knowledge"]
    assert "curve.svg" in (tmp_path / "model" / "README.md").read_text()
    training = json.loads((tmp_path / "model" / "training.json").read_text())
    assert str(tmp_path) not in json.dumps(training)
    assert result.final_loss == training["history"]["records"][-1]["loss"]


def test_gates_are_rounded_and_told(tmp_path):
    result = run(tiny(output_dir=tmp_path), progress=False)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["open_relations"] is not None
    assert len(result.relations) == 1
    assert len(result.relations[0]) == 2


def test_an_embedding_without_gates(tmp_path):
    config = tiny(output_dir=tmp_path, position_embedding="rope", scale_hint="none")
    result = run(config, progress=False)
    assert result.relations is None
    assert result.fairness["extra_knowledge"] == "none"


def test_finished_stages_are_not_redone(tmp_path, trained_steps, monkeypatch):
    def fall_over(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(scores, "evaluate_all", fall_over)
        with pytest.raises(KeyboardInterrupt):
            run(tiny(output_dir=tmp_path), progress=False)
    assert (tmp_path / "model" / "training.json").exists()
    first = run(tiny(output_dir=tmp_path), progress=False)
    second = run(tiny(output_dir=tmp_path), progress=False)
    assert trained_steps == [8]
    assert second.lengths == first.lengths
    assert second.train_seconds == first.train_seconds


def test_other_settings_are_refused(tmp_path):
    run(tiny(output_dir=tmp_path), progress=False)
    before = (tmp_path / "result.json").read_bytes()
    with pytest.raises(CheckpointError, match="seed = 0 there and 1 now"):
        run(tiny(output_dir=tmp_path, seed=1), progress=False)
    assert (tmp_path / "result.json").read_bytes() == before


def test_resume_false_starts_over_and_spares_foreign_files(tmp_path, trained_steps):
    run(tiny(output_dir=tmp_path), progress=False)
    (tmp_path / "notes.txt").write_text("mine")
    result = run(tiny(output_dir=tmp_path, seed=1, resume=False), progress=False)
    assert result.seed == 1
    assert trained_steps == [8, 8]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_run_that_starts_over_leaves_no_results_of_the_one_before(tmp_path):
    run(tiny(output_dir=tmp_path), progress=False)
    with pytest.raises(TrainingDiverged):
        run(tiny(output_dir=tmp_path, resume=False, learning_rate=1e30, warmup_steps=0), progress=False)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoints"}


def test_the_default_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(tiny(seed=4, steps=1), progress=False)
    assert (tmp_path / "runs" / "copy" / "lbpe" / "seed4" / "result.json").is_file()


def test_no_lengths_no_curve(tmp_path):
    result = run(tiny(output_dir=tmp_path, eval_lengths=[], long_lengths=[]), progress=False)
    assert result.lengths == []
    assert not (tmp_path / "model" / "curve.svg").exists()
    assert not (tmp_path / "model" / "result.json").exists()


def test_misfits_are_told_before_training(tmp_path, trained_steps):
    with pytest.raises(ValueError, match="scale"):
        run(tiny(output_dir=tmp_path, eval_lengths=["3x4"]), progress=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        run(tiny(output_dir=tmp_path / "file"), progress=False)
    assert trained_steps == []


def test_a_full_disk_after_training_is_told_and_nothing_is_trained_again(tmp_path, trained_steps, monkeypatch):
    def full(self, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Result, "save", full)
        with pytest.raises(
            CheckpointError, match="results cannot be written to .*: No space left on device; the finish"
        ):
            run(tiny(output_dir=tmp_path), progress=False)
    assert not (tmp_path / "result.json").exists()
    assert run(tiny(output_dir=tmp_path), progress=False) == Result.load(tmp_path / "result.json")
    assert trained_steps == [8]


def test_progress_is_told_line_by_line(tmp_path, capsys):
    run(tiny(output_dir=tmp_path, validate_every=4, validate_lengths=[2]))
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("step 4/8: loss ") and "solved" in line for line in lines)
    assert any(line.startswith("n = 2: ") for line in lines)
    assert any(line.endswith("result.json written.") for line in lines)
    assert "Query i reads key j where" in lines
    told = lines[lines.index("One instance of scale 12:") :]
    prompt, _, expected = (line.split()[-1] for line in told[1:4])
    assert prompt == expected[:12] + "="
    assert told[4].strip() in ("right", "wrong")


def test_the_best_weights_are_kept_where_the_last_are_worse(tmp_path, monkeypatch):
    """Validations are made to score 0, 1, 0: the weights of the second have to be the ones in best/."""
    from types import SimpleNamespace

    from safetensors.torch import load_file

    from hf_lengthgen.evaluation import lengths

    real, scores_given = lengths.evaluate_lengths, iter([0.0, 1.0, 0.0])

    def scripted(model, *arguments, **options):
        if "examples" in options:
            return [SimpleNamespace(n=(2,), exact_match=next(scores_given))]
        return real(model, *arguments, **options)

    monkeypatch.setattr(lengths, "evaluate_lengths", scripted)
    settings = {"validate_lengths": [2], "validate_every": 2, "position_embedding": "rope", "scale_hint": "none"}
    result = run(tiny(output_dir=tmp_path, steps=6, keep_checkpoints=9, **settings), progress=False)
    assert result.fairness["checkpoint"] == "last (the best validation was at step 4)"
    best, at_4 = (load_file(tmp_path / name / "model.safetensors") for name in ("best", "checkpoints/step-00000004"))
    assert best.keys() <= at_4.keys()
    assert all((best[name] == at_4[name]).all() for name in best)
    _, history = read_training(tmp_path / "best")
    assert (history.steps, checkpoint_text(history)) == (4, "best validation (step 4)")


@pytest.mark.parametrize("change", ["gone", "of another step"])
def test_best_weights_that_are_not_there_do_not_hold_up_the_run(tmp_path, monkeypatch, change):
    """A run that crashed behind a better validation leaves the weights of that one."""
    scored = [{"step": 2, "loss": 1.0, "exact_match": {"2": 1.0}}, {"step": 8, "loss": 1.0, "exact_match": {"2": 0.0}}]
    config = tiny(output_dir=tmp_path, position_embedding="rope", scale_hint="none")
    model, tokenizer, history = run_module.train(config, progress=False)
    monkeypatch.setattr(run_module, "train", lambda *a, **k: (model, tokenizer, replace(history, records=scored)))
    if change == "of another step":
        CheckpointStore(tmp_path / "checkpoints", config).save_best(6, model)
    with pytest.warns(UserWarning, match="The best weights, of step 2, are not in"):
        result = run(config, progress=False)
    assert result.lengths and not (tmp_path / "best").exists()


def test_an_instance_that_cannot_be_shown_is_told(tmp_path, capsys):
    config = tiny(task="unique_copy", n_max=32, eval_lengths=[2], long_lengths=[], output_dir=tmp_path)
    run(config)
    assert "No instance of scale 96 is shown: n = 96 is too long" in capsys.readouterr().err
    assert (tmp_path / "result.json").is_file()


def test_no_best_model_where_the_last_is_as_good(tmp_path):
    result = run(tiny(output_dir=tmp_path, validate_every=4, validate_lengths=[2]), progress=False)
    assert result.fairness["checkpoint"] == "last"
    assert not (tmp_path / "best").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"curriculum": {5: 4}},
        {"init_from": "nowhere/at_all"},
        {"dataset": "nowhere/at_all"},
        {"num_processes": 2},
        {"priming_share": 0.1},
        {"length_weights": {9: 1.0}},
        {"priming_share": 0.5, "priming_n": [90], "position_embedding": "learned", "scale_hint": "none"}
        | {"max_position_embeddings": 32},
    ],
)
def test_a_finished_run_outlives_a_mistake_in_the_next(tmp_path, wrong, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "out"
    run(tiny(output_dir=place), progress=False)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    with pytest.raises(ValueError):
        run(tiny(output_dir=place, resume=False, **wrong), progress=False)
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_a_run_may_start_over_from_its_own_model(tmp_path):
    run(tiny(output_dir=tmp_path), progress=False)
    before = load_file(tmp_path / "model" / "model.safetensors")
    still = {"learning_rate": 1e-9, "gate_learning_rate": 1e-9}
    result = run(tiny(output_dir=tmp_path, init_from=str(tmp_path), resume=False, seed=1, **still), progress=False)
    assert result.seed == 1 and result.settings["init_from"] == str(tmp_path)
    after = load_file(tmp_path / "model" / "model.safetensors")
    assert all(torch.allclose(after[name], before[name], atol=1e-6) for name in ("lm_head.weight", "model.norm.weight"))
