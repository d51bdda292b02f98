"""What a result says of the run that it came from."""

import pytest

from hf_lengthgen.data.publish import export
from hf_lengthgen.evaluation.curves import make_curves
from hf_lengthgen.evaluation.length_result import LengthResult
from hf_lengthgen.training import record
from hf_lengthgen.training.deciding import deciding, digest
from hf_lengthgen.training.progress import History
from hf_lengthgen.training.record import build_result, checkpoint_text
from hf_lengthgen.training.run import run

from .tiny import build_model, build_task, tiny


def result_of(folder, **settings):
    return run(tiny(output_dir=folder / str(settings.get("seed", 0)), **settings), progress=False)


def test_the_settings_that_decide_are_kept(tmp_path):
    result = result_of(tmp_path)
    assert result.settings == deciding(tiny()) and result.settings_digest == digest(result.settings)


def test_the_training_lengths_are_those_of_a_data_set(tmp_path):
    config = tiny()
    export(tmp_path / "data", build_task(config), rows={"train": 40}, n_min=20, n_max=30)
    result = result_of(tmp_path, dataset=str(tmp_path / "data"))
    assert 20 <= result.n_min < result.n_max <= 30
    assert "from instances of length 2" in (tmp_path / "0" / "model" / "README.md").read_text()


@pytest.mark.parametrize(
    ("settings", "n_max"),
    [({}, 4), ({"priming_share": 0.5, "priming_n": [9, 11]}, 11), ({"curriculum": {0: 2, 100: 4}}, 2)],
)
def test_the_training_lengths_are_those_that_occurred(tmp_path, settings, n_max):
    result = result_of(tmp_path, **settings)
    assert (result.n_min, result.n_max) == (1, n_max)
    told = "50% of the instances are of length 9 to 11" in result.fairness["extra_knowledge"]
    assert told == ("priming_share" in settings)


@pytest.mark.parametrize(("evaluating", "most"), [(200.0, 300.0), (400.0, 400.0), (None, 300.0)])
def test_the_last_loss_and_the_largest_memory_are_told(monkeypatch, evaluating, most):
    monkeypatch.setattr(record, "peak_memory_mb", lambda device: evaluating)
    config = tiny()
    history = History([{"step": 4, "loss": 1.5}, {"step": 8, "loss": 0.25}], seconds=2.5, peak_memory_mb=300.0)
    result = build_result(config, build_task(config), build_model(config), history, [], "typed")
    assert (result.final_loss, result.train_seconds, result.peak_memory_mb) == (0.25, 2.5, most)


def test_seeds_that_stop_early_are_still_one_variant():
    results = []
    for seed, done in ((0, 8), (1, 4)):
        config, history = tiny(seed=seed), History([{"step": done, "loss": 1.0}])
        task, model = build_task(config), build_model(config)
        results.append(
            build_result(config, task, model, history, [LengthResult.of([2], 4, 4, "generate", 0.1)], "typed")
        )
    assert [(r.steps, r.steps_done) for r in results] == [(8, 8), (8, 4)]
    (curve,) = make_curves(results)
    assert len(curve.results) == 2


def test_runs_of_other_settings_are_not_seeds_of_one_variant(tmp_path):
    one = result_of(tmp_path)
    longer = result_of(tmp_path, seed=2, eval_lengths=[2, 5])
    assert len(make_curves([one, longer])) == 1
    other = result_of(tmp_path, seed=1, learning_rate=0.5)
    with pytest.raises(ValueError, match=r"differ in learning_rate \(0.001 and 0.5\)"):
        make_curves([one, other])


def test_which_weights_are_told():
    validations = [{"step": step, "loss": 1.0, "exact_match": {"2": share}} for step, share in ((2, 1.0), (4, 0.5))]
    history = History(validations)
    assert checkpoint_text(history) == "last (the best validation was at step 2)"
    assert checkpoint_text(history.cut_at(2)) == "best validation (step 2)"
