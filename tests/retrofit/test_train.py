"""Fine-tuning of a tiny base: only what should changes."""

import numpy as np
import pytest
import torch

from hf_lengthgen.retrofit.evaluate import evaluate_text
from hf_lengthgen.retrofit.settings import RetrofitTraining
from hf_lengthgen.retrofit.train import _answer, build, train
from hf_lengthgen.training.optimizer import build_optimizer

from .test_text import byte_pairs
from .tiny import SMALL, tiny

QUICK = {"base_model": "x", "steps": 30, "batch_size": 8, "n_max": 3, "warmup_steps": 3, "learning_rate": 5e-3}


def fresh(**changes):
    torch.manual_seed(1)
    settings = RetrofitTraining(**QUICK | {"retrofit": SMALL} | changes)
    settings.validate()
    base = tiny()
    with torch.no_grad():
        base.lm_head.weight.mul_(40)  # a random head, frozen, could not tell tokens apart
    return settings, *build(settings, base, byte_pairs())


def answer_loss(model, codec) -> float:
    """Of fixed rows."""
    rows = codec.rows(codec.task.sample(2, 64, np.random.default_rng(9)))
    with torch.no_grad():
        return float(model.eval()(**{key: torch.from_numpy(array) for key, array in rows.items()}).loss)


@pytest.mark.parametrize("pool", [0, 16])
def test_training_lowers_the_loss_and_leaves_the_base(pool):
    extra = {"pool": 16, "retrofit": SMALL | {"writes": "last"}} if pool else {}
    settings, model, codec = fresh(**extra)
    before = {name: p.clone() for name, p in model.base.named_parameters()}
    start, passes = answer_loss(model, codec), []
    model.base.model.layers[0].register_forward_pre_hook(lambda *_: passes.append(1))
    history = train(model, codec, settings)
    assert len(passes) == (3 if pool else 30)  # of the base: one for each length, or for each step
    assert answer_loss(model, codec) < 0.9 * start
    assert all(torch.equal(before[name], p) for name, p in model.base.named_parameters())
    assert [r["step"] for r in history] == [10, 20, 30]


def additions(model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.additions.parameters()])


def test_training_is_a_function_of_the_seed():
    runs = []
    for _ in range(2):
        settings, model, codec = fresh(steps=4)
        train(model, codec, settings)
        runs.append(additions(model))
    assert torch.equal(*runs)


@pytest.mark.parametrize(("candidates", "pool"), [(0, 0), (20, 0), (20, 6)])
def test_every_step_is_what_the_settings_say(candidates, pool):
    """Against a loop in plain torch: each step's rows, noise and softmax, both schedules, the norm clipped, the
    penalty."""
    own = {"steps": 4, "warmup_steps": 2, "final_learning_rate_ratio": 0.1, "clip": 0.05, "seed": 3, "groups": 2}
    own |= {"penalty": 0.1, "penalty_warmup": 0.5, "settle": 1, "candidates": candidates, "pool": pool}
    own |= {"retrofit": SMALL | {"writes": "last"}} if pool else {}
    settings, plain, codec = fresh(**own)
    optimizer = build_optimizer(plain.train(), settings)
    norms = []
    for step, (factor, weight) in enumerate(zip([0.5, 1, 1, 0.1], [0, 0.05, 0.1, 0.1], strict=True)):
        for group in optimizer.param_groups:
            gates = group["params"][0] is plain.gate_parameters()[0]
            group["lr"] = factor * (settings.gate_learning_rate if gates else settings.learning_rate)
        plain.set_gate_noise(3, step)
        optimizer.zero_grad()
        rng = np.random.default_rng([3, step])
        for n in rng.choice([1, 2, 3], 2):
            chosen, source = slice(None), rng
            if pool:
                chosen, source = rng.choice(pool, 4, replace=False), np.random.default_rng([3, n, 1])
            rows = codec.rows(codec.task.sample(int(n), pool or 4, source))
            rows = {key: torch.from_numpy(array)[chosen] for key, array in rows.items()}
            labels, logits = rows.pop("labels"), plain(**rows).logits
            if candidates:  # the rest of the vocabulary has no share of the softmax
                kept = byte_pairs().convert_tokens_to_ids([*codec.task.vocabulary, "<eos>"])
                rest = sorted({*range(64)} - {*kept, *rng.choice(64, candidates, replace=False)})
                logits = logits.index_fill(-1, torch.tensor(rest), -torch.inf)
            loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
            (loss / 2).backward()
        (weight * plain.penalty()).backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.05)))
        optimizer.step()
    assert min(norms) > 0.05
    settings, model, codec = fresh(**own)
    moved = (additions(plain) - additions(model)).norm()
    train(model, codec, settings)
    # A head of fewer rows sums in another order, which Adam magnifies where a gradient is almost zero.
    allowed = 5e-3 if candidates else 1e-5
    assert (additions(plain) - additions(model)).norm() < allowed * moved and moved > 0.1


def test_gates_settle_at_their_step():
    """From there on the noise no longer decides."""
    settings, model, codec = fresh(steps=4, settle=0.5)
    train(model, codec, settings)
    settled = torch.cat([gate.detach().flatten() for gate in model.gate_parameters()])
    settings, model, codec = fresh(steps=4, settle=1)
    train(model, codec, settings)
    free = torch.cat([gate.detach().flatten() for gate in model.gate_parameters()])
    assert settled.abs().min() > 15 > free.abs().max()  # logits


def test_divergence_is_told():
    settings, model, codec = fresh(steps=3)
    with torch.no_grad():
        model.base.lm_head.weight.fill_(torch.nan)
    with pytest.raises(ValueError, match="training diverged at step 1: loss nan; try a lower learning_rate"):
        train(model, codec, settings)


def test_teacher_forced_and_generated_exact_match_agree():
    settings, model, codec = fresh(steps=150, n_max=1, batch_size=32, learning_rate=1e-2)
    train(model, codec, settings)
    teacher = evaluate_text(model, codec, [1], examples=40, mode="teacher")
    greedy = evaluate_text(model, codec, [1], examples=40, mode="generate")
    assert [r.correct for r in teacher] == [r.correct for r in greedy] and teacher[0].correct > 0
    with pytest.raises(ValueError, match="mode must be one of generate, teacher"):
        evaluate_text(model, codec, [1], mode="greedy")


def test_a_run_starts_from_the_additions_of_another(tmp_path):
    settings, model, codec = fresh(steps=5)
    train(model, codec, settings)
    model.harden().save_pretrained(tmp_path, additions_only=True)
    settings = RetrofitTraining(**QUICK | {"start_from": str(tmp_path), "steps": 10})
    again, codec = build(settings, model.base, byte_pairs())
    assert again.relations() == model.relations()
    for (name, a), (_, b) in zip(model.additions.named_parameters(), again.additions.named_parameters(), strict=True):
        assert torch.equal(a, b), name
    train(again, codec, settings)  # rounded gates stay rounded
    kept = [[{text for text, _ in head} for head in layer] for layer in model.relations()]
    assert [[{text for text, _ in head} for head in layer] for layer in again.relations()] == kept
    assert not torch.equal(again.additions[1].up.weight, model.additions[1].up.weight)


def test_a_frozen_base_without_additions_trains_nothing():
    _, base, _ = fresh(additions=False, steps=0)
    assert not any(p.requires_grad for p in base.parameters())
    _, base, _ = fresh(additions=False, freeze=False)
    assert all(p.requires_grad for p in base.parameters())


@pytest.mark.parametrize("tied", [False, True])
def test_a_smaller_head_gives_the_same_logits_of_its_tokens(tied):
    settings, model, codec = fresh()
    if tied:
        model.base.lm_head.weight = model.base.model.embed_tokens.weight
    samples = codec.task.sample(3, 4, np.random.default_rng(0))
    device, some = torch.device("cpu"), torch.tensor([7, 2, 40])
    whole, targets = _answer(model, codec, samples, True, device)
    few, same = _answer(model, codec, samples, True, device, some)
    assert torch.equal(targets, same)
    torch.testing.assert_close(few, whole[..., some], atol=1e-6, rtol=1e-5)
    assert model.base.lm_head.weight.shape[0] == 64


def test_with_and_without_candidates_the_answer_is_learned():
    losses = []
    for candidates in (0, 20):
        settings, model, codec = fresh(candidates=candidates)
        start = answer_loss(model, codec)
        train(model, codec, settings)
        losses.append(answer_loss(model, codec) / start)
    assert max(losses) < 0.9 and abs(losses[0] - losses[1]) < 0.1
