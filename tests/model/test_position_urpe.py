"""URPE by loops, its identity with plain attention at C = 1, and what no bias can do but a factor can."""

import pytest
import torch

from hf_lengthgen import LengthGenForCausalLM
from hf_lengthgen.model.position_context import PositionContext

from .cases import Case
from .contexts import context


def position(*args, **kwargs):
    return Case(*args, **kwargs).model().position_modules()[0]


def naive_urpe(probs, factor, furthest, shifts=None, scale=None):
    """Every probability times the factor of its head and clipped distance."""
    out = torch.zeros_like(probs)
    for b in range(probs.shape[0]):
        for h in range(probs.shape[1]):
            for i in range(probs.shape[2]):
                for j in range(i + 1):
                    distance = i - j - (shifts[h] * scale[b] if shifts else 0)
                    row = min(distance, furthest) if not shifts else max(-furthest, min(furthest, distance)) + furthest
                    out[b, h, i, j] = probs[b, h, i, j] * factor[h, row]
    return out


def test_factor_by_loops():
    urpe = position("urpe", {"max_distance": 3})
    probs = torch.rand(2, 4, 7, 7, generator=torch.Generator().manual_seed(0)).tril()
    torch.testing.assert_close(urpe.reweight(probs, context(7)), naive_urpe(probs, urpe.factor, 3))


def test_factor_with_hint_by_loops():
    urpe = position("urpe", {"max_distance": 3}, "prompt")
    assert urpe.factor.shape == (4, 7)
    probs = torch.rand(2, 4, 7, 7, generator=torch.Generator().manual_seed(0)).tril()
    expected = naive_urpe(probs, urpe.factor, 3, [0, 1, 2, 3], [1, 2])
    torch.testing.assert_close(urpe.reweight(probs, context(7, scale=[[1], [2]])), expected)


@pytest.mark.parametrize(("base", "plain"), [("none", "none"), ("t5", "t5"), ("alibi", "alibi")])
def test_with_all_factors_one_it_is_plain_attention(base, plain):
    """c starts at one: a fresh model is the base's model, to the last bit."""
    model = LengthGenForCausalLM(Case("urpe", {"base": base}).config()).eval()
    assert (model.position_modules()[0].factor == 1).all()
    other = LengthGenForCausalLM._from_config(Case(plain).config(), attn_implementation="eager").eval()
    weights = {k.replace("positions.0.base.", "positions.0."): v for k, v in model.state_dict().items()}
    weights.pop("model.positions.0.factor")
    other.load_state_dict(weights)
    ids = Case("urpe").prompts()
    assert torch.equal(model(ids).logits, other(ids).logits)


def test_one_instance_serves_all_layers():
    model = Case("urpe", {"base": "none"}).model(num_hidden_layers=3)
    assert len(model.position_modules()) == 1


@pytest.mark.parametrize("name", ["none", "alibi", "t5", "rope"])
def test_over_equal_tokens_a_bias_gives_every_position_the_same_output(name):
    """The theorem: a right-stochastic matrix over equal values returns that value."""
    ids = torch.full((1, 10), 15)
    logits = Case(name).model()(ids).logits
    torch.testing.assert_close(logits, logits[:, :1].expand_as(logits))


def test_over_equal_tokens_a_factor_tells_positions_apart():
    logits = Case("urpe").model()(torch.full((1, 10), 15)).logits[0]
    apart = torch.cdist(logits, logits) + 100 * torch.eye(10)
    assert apart.min() > 0.1


@pytest.mark.parametrize(
    ("options", "word"),
    [({"max_distance": 0}, "max_distance"), ({"base": "rope"}, "additive bias"), ({"base": "urpe"}, "additive bias")],
)
def test_bad_options(options, word):
    with pytest.raises(ValueError, match=word):
        Case("urpe", options).config()


# -- the paper's two synthetic tasks (section 5.1), smaller ------------------------------------------------------------

LENGTH, SYMBOLS, FIRST, END = 16, 8, 4, 3


def position_identification(ids):
    """The answer at position i is i."""
    return (FIRST + SYMBOLS + torch.arange(LENGTH)).expand_as(ids)


def even_tokens(ids):
    """The answer at position i is the token at position 2i, counted from 1; the end symbol where there is none."""
    answer = torch.full_like(ids, END)
    answer[:, : LENGTH // 2] = ids[:, 1::2]
    return answer


def solved(monkeypatch, task, name, options, steps):
    """Share of 500 unseen sequences right at every position, after training on random ones.

    As in the paper the model reads in both directions and has no other position information. A hint whose shift is
    zero in every head is the package's way to signed distances.
    """
    everything = property(lambda ctx: torch.ones(1, 1, ctx.q_pos.shape[1], ctx.k_pos.shape[1], dtype=torch.bool))
    monkeypatch.setattr(PositionContext, "visible", everything)
    case = Case(name, options | {"scale_shifts": 1}, "input")
    torch.manual_seed(0)
    config = case.config(
        vocab_size=FIRST + SYMBOLS + LENGTH, hidden_size=64, intermediate_size=128, scale_rule=None, bos_token_id=None
    )
    model = LengthGenForCausalLM._from_config(config, attn_implementation="eager")
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.0)

    def draw(rows):
        ids = torch.randint(FIRST, FIRST + SYMBOLS, (rows, LENGTH), generator=generator)
        return ids, model(ids, scale_hint=torch.ones(rows, dtype=torch.long), use_cache=False).logits, task(ids)

    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1, (step + 1) / 50) * (1 - step / steps)
        _, logits, answer = draw(64)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), answer.flatten()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval()
    with torch.no_grad():
        _, logits, answer = draw(500)
    return float((logits.argmax(-1) == answer).all(-1).float().mean())


@pytest.mark.slow
@pytest.mark.parametrize(("task", "steps"), [(position_identification, 400), (even_tokens, 1500)])
def test_it_solves_the_two_tasks_that_a_relative_bias_cannot(monkeypatch, task, steps):
    bias = {"buckets": 64, "max_distance": 128}  # a bucket for every distance of this length
    urpe = {"max_distance": LENGTH, "base_options": bias | {"scale_shifts": 1}}
    assert solved(monkeypatch, task, "urpe", urpe, steps) > 0.99
    assert solved(monkeypatch, task, "t5", bias, steps) < 0.05
