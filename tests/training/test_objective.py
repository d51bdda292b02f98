import pytest
import torch

from hf_lengthgen.data.online import OnlineBatches
from hf_lengthgen.data.tokenizer import build_tokenizer
from hf_lengthgen.training.objective import Objective, answer_tokens

from .tiny import build_model, build_task, tiny


@pytest.fixture
def parts():
    config = tiny(groups=4, n_max=9)
    task = build_task(config)
    tokenizer = build_tokenizer(task)
    model = build_model(config).train()
    model.set_gate_noise(0, 0)
    return model, OnlineBatches(task, tokenizer, 1, 9, 8, groups=4)


def gradients(model, total):
    model.zero_grad()
    total.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_answer_tokens_by_counting():
    labels = torch.tensor([[5, 5, -100, 7], [-100, -100, 3, -100]])
    assert answer_tokens(labels) == 3  # the 5 of the first column is what nothing predicts


def test_loss_is_the_mean_over_answer_tokens(parts):
    model, batches = parts
    batch = batches.batch(0)
    total, cross_entropy = Objective(model)(batch, 1.0, 0.0)
    logits = model(**{k: v for k, v in batch.items() if k != "labels"}).logits
    losses = []
    for row, targets in enumerate(batch["labels"].tolist()):
        for place, target in enumerate(targets[1:]):
            if target != -100:
                losses.append(-logits[row, place].log_softmax(-1)[target])
    mean = float(torch.stack(losses).mean().detach())
    assert float(total.detach()) == pytest.approx(mean, rel=1e-5)
    assert float(cross_entropy) == pytest.approx(mean, rel=1e-5)
    assert not cross_entropy.requires_grad


def test_penalty_is_added_with_its_weight(parts):
    model, batches = parts
    plain, _ = Objective(model)(batches.batch(0), 1.0, 0.0)
    total, cross_entropy = Objective(model)(batches.batch(0), 1.0, 0.25)
    assert float((total - plain).detach()) == pytest.approx(0.25 * float(model.penalty().detach()), rel=1e-4)
    assert float(cross_entropy) == float(plain.detach())


def test_mean_over_shares_is_the_gradient_of_the_whole_batch(parts):
    """Two processes whose shares hold different numbers of answer tokens, averaged as DDP averages them."""
    model, batches = parts
    objective = Objective(model)
    for step in range(50):
        batch = batches.batch(step)
        shares = [{key: rows[part] for key, rows in batch.items()} for part in (slice(4), slice(4, 8))]
        tokens = [answer_tokens(share["labels"]) for share in shares]
        if tokens[0] != tokens[1]:
            break
    assert tokens[0] != tokens[1]
    whole = gradients(model, objective(batch, 1.0, 0.003)[0])
    one, other = (
        gradients(model, objective(share, count * 2 / sum(tokens), 0.003)[0])
        for share, count in zip(shares, tokens, strict=True)
    )
    for name, gradient in whole.items():
        torch.testing.assert_close((one[name] + other[name]) / 2, gradient, rtol=1e-4, atol=1e-6)
