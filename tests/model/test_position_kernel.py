"""KERPLE and FIRE by loops from their formulas, and what their papers say of the start."""

import math

import pytest
import torch

from .cases import Case, left_padded
from .contexts import context


def position(name, options=None, scale_hint="none"):
    return Case(name, options or {}, scale_hint).model().position_modules()[0]


def softplus(x):
    return math.log1p(math.exp(x))


def naive_kerple(kerple, h, distance):
    first, second = float(kerple.raw1[h]), float(kerple.raw2[h])
    if kerple.options.kind == "log":
        return -softplus(first) * math.log(1 + softplus(second) * distance)
    return -softplus(first) * distance ** (2 / (1 + math.exp(-second)))


@pytest.mark.parametrize("kind", ["log", "power"])
@pytest.mark.parametrize("hint", ["none", "prompt"])
@torch.no_grad()
def test_kerple_by_loops(kind, hint):
    kerple = position("kerple", {"kind": kind}, hint)
    bias = kerple.bias(torch.zeros(1), None, None, context(9, scale=[[2], [3]] if hint == "prompt" else None))
    for b, n in enumerate((2, 3) if hint == "prompt" else (0,)):
        for h in range(4):
            for i in range(9):
                for j in range(i + 1):
                    expected = naive_kerple(kerple, h, abs(i - h * n - j))
                    assert bias[b, h, i, j].item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("kind", "ends"), [("log", (2.0, 1.0)), ("power", (1.0, 2.0))])
def test_kerple_starts_as_its_authors(kind, ends):
    kerple = position("kerple", {"kind": kind})
    values = []
    for _ in range(300):
        kerple.init_weights()
        values.append(torch.stack(kerple.numbers()))
    values = torch.stack(values).detach()
    for number, end in zip(values.unbind(1), ends, strict=True):
        assert 0 < number.min() < 0.05 and 0.9 * end < number.max() < end
        assert number.mean().item() == pytest.approx(end / 2, abs=0.1)


@pytest.mark.parametrize("kind", ["log", "power"])
def test_kerple_gradients_are_finite_at_distance_zero(kind):
    kerple = position("kerple", {"kind": kind})
    kerple.bias(torch.zeros(1), None, None, context(5)).sum().backward()
    assert kerple.raw1.grad.isfinite().all() and kerple.raw2.grad.isfinite().all()


def naive_fire(fire, h, distance, i):
    c, threshold = abs(float(fire.c)), abs(float(fire.threshold)) * fire.options.threshold

    def psi(x):
        return math.log(c * x + 1)

    x = psi(distance) / psi(max(threshold, i))
    total = float(fire.out.bias[h])
    for unit in range(fire.options.width):
        hidden = max(0.0, float(fire.hidden.weight[unit, 0]) * x + float(fire.hidden.bias[unit]))
        total += float(fire.out.weight[h, unit]) * hidden
    return total


@pytest.mark.parametrize("hint", ["none", "prompt"])
@torch.no_grad()
def test_fire_by_loops(hint):
    """With L inside the range of positions, so that both sides of max(L, i) are met."""
    fire = position("fire", {"threshold": 4.0, "width": 5}, hint)
    fire.threshold.fill_(1.1)
    bias = fire.bias(torch.zeros(1), None, None, context(9, scale=[[2], [3]] if hint == "prompt" else None))
    for b, n in enumerate((2, 3) if hint == "prompt" else (0,)):
        for h in range(4):
            for i in range(9):
                for j in range(i + 1):
                    expected = naive_fire(fire, h, abs(i - h * n - j), i)
                    assert bias[b, h, i, j].item() == pytest.approx(expected, abs=1e-4)


@torch.no_grad()
def test_fires_normaliser_is_the_larger_of_threshold_and_position():
    """The oldest key of a late query stands at exactly 1, of an early one below: min(L, i) would leave [0, 1]."""
    fire = position("fire", {"threshold": 10.0})
    fire.c.fill_(0.1)
    fire.threshold.fill_(1.0)
    x = fire.arguments(context(200))[0, 0].tril()
    assert x.min() == 0 and x.max() <= 1
    assert x[10:, 0].min() > 0.9999
    assert x[5, 0].item() == pytest.approx(math.log(1.5) / math.log(2), rel=1e-4)
    # Below the threshold the bias is a function of the distance alone, above it is not.
    assert torch.equal(x[6, 3], x[9, 6]) and x[60, 57] != x[90, 87]


def test_fire_learns_its_threshold_and_its_slope():
    fire = position("fire", {"threshold": 4.0})
    fire.bias(torch.zeros(1), None, None, context(9)).square().sum().backward()
    assert fire.threshold.grad.abs() > 0 and fire.c.grad.abs() > 0


def test_fire_starts_at_the_papers_values():
    fire = position("fire")
    fire.init_weights()
    assert fire.c.item() == pytest.approx(0.1) and fire.threshold.item() * fire.options.threshold == 512
    assert fire.hidden.out_features == 32


def test_fire_is_each_layers_own_or_shared():
    assert len(Case("fire").model(num_hidden_layers=3).position_modules()) == 3
    assert len(Case("fire", {"shared": True}).model(num_hidden_layers=3).position_modules()) == 1


@torch.no_grad()
def test_fire_in_pieces_equals_fire_at_once(monkeypatch):
    fire, ctx = position("fire", scale_hint="prompt"), context(30, scale=[[2], [3]])
    whole = fire.bias(torch.zeros(1), None, None, ctx)
    limit, network, queries = 5 * (2 * 4 * 30 * 32), fire.network, []  # of examples, heads, keys and hidden units
    monkeypatch.setattr("hf_lengthgen.model.position_kernel._HIDDEN_NUMBERS", limit)
    fire.network = lambda x: queries.append(x.shape[2]) or network(x)
    torch.testing.assert_close(fire.bias(torch.zeros(1), None, None, ctx), whole)
    assert queries == [5] * 6
    with torch.enable_grad():  # the hidden layer is kept for the gradient anyhow
        fire.bias(torch.zeros(1), None, None, ctx)
    assert queries[6:] == [30]


@pytest.mark.parametrize("name", ["kerple", "fire"])
def test_padding_in_bfloat16_is_finite(name):
    case = Case(name, {"kind": "power"} if name == "kerple" else {"threshold": 4.0}, "prompt")
    model = case.model().to(torch.bfloat16)
    ids, mask = left_padded([case.prompts()[0], case.prompts()[1, :9]])
    loss = model(ids, attention_mask=mask).logits.square().mean()
    loss.backward()
    assert loss.isfinite() and all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("kerple", {"kind": "powr"}, "Did you mean 'power'"),
        ("fire", {"threshold": 0.0}, "threshold"),
        ("fire", {"width": 0}, "width"),
        ("fire", {"shared": "yes"}, "shared"),
    ],
)
def test_bad_options(name, options, word):
    with pytest.raises(ValueError, match=word):
        Case(name, options).config()
