import dataclasses
import json

import pytest
import torch

import hf_lengthgen.evaluation.lengths as lengths_module
from hf_lengthgen.evaluation.length_result import LengthResult
from hf_lengthgen.tasks import get_task
from hf_lengthgen.training import scores
from hf_lengthgen.training.loop import train
from hf_lengthgen.training.mixture import build_parts
from hf_lengthgen.training.run import run

from .tiny import build_task, tiny


@pytest.fixture(scope="module")
def trained():
    return train(tiny(), progress=False)


@pytest.fixture
def asked(monkeypatch):
    """What evaluate_lengths is asked for; it goes on working."""
    calls, real = [], lengths_module.evaluate_lengths

    def spy(model, tokenizer, task, lengths, examples, *, mode, **rest):
        calls.append((mode, *lengths))
        return real(model, tokenizer, task, lengths, examples, mode=mode, **rest)

    monkeypatch.setattr(lengths_module, "evaluate_lengths", spy)
    return calls


def evaluate(trained, path, config, **rest):
    return scores.evaluate_all(*trained[:2], build_task(config), config, path, **rest)


def test_the_plan_goes_from_short_to_long():
    config = tiny(eval_lengths=[9, 3, 3], long_lengths=[100, [50]], eval_examples=7, long_examples=2)
    plan = scores.planned(config, get_task("copy"))
    assert plan == [
        ("generate", (3,), 7),
        ("generate", (9,), 7),
        ("teacher", (50,), 2),
        ("teacher", (100,), 2),
    ]


def test_the_plan_expands_scales_and_refuses_misfits():
    task = get_task("addition", widths="unequal")
    config = tiny(eval_lengths=[9, "3x4"], long_lengths=[])
    assert [scale for _, scale, _ in scores.planned(config, task)] == [(3, 4), (9, 9)]
    with pytest.raises(ValueError, match="3"):
        scores.planned(tiny(eval_lengths=["3x4"]), get_task("copy"))


@pytest.mark.parametrize(
    ("key", "value"),
    [("eval_lengths", [3, 94]), ("long_lengths", [94]), ("validate_lengths", [94]), ("n_max", 94)],
)
def test_scales_of_which_there_is_no_row_are_found_before_training(key, value, tmp_path):
    config = tiny(
        **{"task": "unique_copy", "long_lengths": [], "validate_lengths": [], "eval_lengths": [3], "validate_every": 4}
        | {key: value}
    )
    with pytest.raises(ValueError, match=f"^{key}: n = 94 is too long .* n <= 93"):
        scores.check_scales(config, *build_parts(config))
    with pytest.raises(ValueError, match=f"^{key}: n = 94 is too long"):
        run(dataclasses.replace(config, output_dir=str(tmp_path / "run")))
    assert not (tmp_path / "run").exists()


def test_what_lies_beyond_a_zero():
    zero = LengthResult.of([10, 20], 4, 0, "generate", 0.1)
    some = LengthResult.of([5, 5], 4, 1, "generate", 0.1)
    beyond = {scale: scores.beyond_a_zero(scale, [some, zero]) for scale in [(10, 20), (11, 30), (9, 99), (99, 19)]}
    assert beyond == {(10, 20): True, (11, 30): True, (9, 99): False, (99, 19): False}


def test_evaluated_lengths_are_kept(trained, tmp_path, asked):
    path = tmp_path / "lengths.json"
    first = evaluate(trained, path, tiny())
    assert asked == [("generate", (2,)), ("teacher", (3,))]
    assert evaluate(trained, path, tiny()) == first
    again = evaluate(trained, path, tiny(eval_lengths=[2, 4]))
    assert asked[2:] == [("generate", (4,))]
    assert [result.n for result in again] == [[2], [4], [3]]


def test_each_is_on_disk_before_the_next(trained, tmp_path):
    path = tmp_path / "lengths.json"
    held = []
    evaluate(trained, path, tiny(), report=lambda r: held.append(len(json.loads(path.read_text())["lengths"])))
    assert held == [1, 2]


@pytest.mark.parametrize(
    "change", [{"eval_seed": 5}, {"eval_hard": 0.5}, {"eval_examples": 5}, {"digest": "other weights"}]
)
def test_what_was_measured_otherwise_does_not_count(trained, tmp_path, asked, change):
    path = tmp_path / "lengths.json"
    evaluate(trained, path, tiny(), digest="weights")
    digest = change.pop("digest", "weights")
    evaluate(trained, path, tiny(**change), digest=digest)
    assert ("generate", (2,)) in asked[2:]


def test_the_share_of_hard_cases_is_handed_on(trained, tmp_path, monkeypatch):
    seen = []

    def fake(model, tokenizer, task, lengths, examples, *, mode, seed, hard):
        seen.append(hard)
        return [LengthResult.of(list(lengths[0]), examples, 1, mode, 0.1)]

    monkeypatch.setattr(lengths_module, "evaluate_lengths", fake)
    for share in (0.0, None):
        evaluate(trained, tmp_path / str(share), tiny(eval_hard=share, eval_lengths=[2], long_lengths=[]))
    assert seen == [0.0, None]
    old = tmp_path / "old"
    evaluate(trained, old, tiny(eval_lengths=[2], long_lengths=[]))
    kept = json.loads(old.read_text())
    del kept["eval_hard"]
    old.write_text(json.dumps(kept))
    evaluate(trained, old, tiny(eval_lengths=[2], long_lengths=[]))
    assert seen == [0.0, None, 0.25]  # a file from before the setting still counts


def test_what_is_drawn_at_a_length_does_not_depend_on_what_was_evaluated_before(trained, tmp_path, monkeypatch):
    """Embeddings with random positions draw in evaluation too."""

    def drawing(model, tokenizer, task, lengths, examples, *, mode, seed, hard):
        drawn[(mode, *lengths)] = torch.rand(1).item()
        return [LengthResult.of(list(lengths[0]), examples, 1, mode, 0.1)]

    monkeypatch.setattr(lengths_module, "evaluate_lengths", drawing)
    found = []
    for name, settings in enumerate([{"eval_lengths": [2, 4]}, {"eval_lengths": [4]}, {"eval_seed": 5}]):
        drawn = {}
        torch.manual_seed(name)
        callers = torch.random.get_rng_state()
        evaluate(trained, tmp_path / str(name), tiny(**{"long_lengths": [4], "eval_lengths": [4]} | settings))
        assert torch.equal(torch.random.get_rng_state(), callers)
        found.append(drawn)
    whole, part, other = found
    assert len(set(whole.values())) == 3 and part == {key: whole[key] for key in part}
    assert part.keys() == other.keys() and not set(part.values()) & set(other.values())


def test_stop_at_zero_skips_the_longer_ones(trained, tmp_path, monkeypatch):
    def fake(model, tokenizer, task, lengths, examples, *, mode, seed, hard):
        return [LengthResult.of(list(lengths[0]), examples, 0 if lengths[0][0] > 4 else 1, mode, 0.1)]

    monkeypatch.setattr(lengths_module, "evaluate_lengths", fake)
    config = {"eval_lengths": [2, 5, 9], "long_lengths": [3, 7]}
    stopped = evaluate(trained, tmp_path / "a", tiny(**config, stop_at_zero=True))
    assert [(r.mode, r.n) for r in stopped] == [("generate", [2]), ("generate", [5]), ("teacher", [3])]
    assert len(evaluate(trained, tmp_path / "b", tiny(**config, stop_at_zero=False))) == 5


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model": "", "eval_seed": 1234, "lengths": [{"n": [1]}]}'])
def test_a_broken_file_is_told(trained, tmp_path, text):
    (tmp_path / "lengths.json").write_text(text)
    with pytest.raises(ValueError, match="lengths.json cannot be read .*delete it"):
        evaluate(trained, tmp_path / "lengths.json", tiny())


def test_dense_attention_is_spared_what_memory_does_not_hold(trained, tmp_path):
    """2 heads and 2n + 3 tokens: 4 · 2 · (2n + 3)^2 bytes exceed 2^30 from n = 5792 on."""
    task = get_task("copy")
    assert not trained.model.sparse
    assert [scores.too_long_for_dense(trained.model, task, (n,)) for n in (5791, 5792)] == [False, True]
    with pytest.warns(UserWarning, match="n = 9000 is left out: dense attention"):
        results = evaluate(trained, tmp_path / "a", tiny(long_lengths=[3, 9000]))
    assert [result.n for result in results] == [[2], [3]]
