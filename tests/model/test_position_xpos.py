"""xPos by loops from its formula, and where its powers would leave float32."""

import math

import pytest
import torch

from .cases import Case, left_padded
from .contexts import context

H, D = 4, 8


def xpos(options=None, scale_hint="none"):
    return Case("xpos", options or {}, scale_hint).model().position_modules()[0]


def pair(length):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 2, H, length, D, generator=generator)


def scores(embedding, q, k, ctx):
    turned_q, turned_k = embedding.rotate_query(q, ctx), embedding.rotate_key(k, ctx.k_ids, ctx)
    return turned_q @ turned_k.transpose(-1, -2) / math.sqrt(D) + embedding.bias(turned_q, turned_k, None, ctx)


def naive_score(q, k, distance, scale_base, gamma=0.4):
    """Pair by pair, zeta to the power of the distance (0 where it is negative)."""
    total = 0.0
    for m in range(D // 2):
        zeta = (m / (D / 2) + gamma) / (1 + gamma)
        angle = distance * 10000 ** (-2 * m / D)
        q1, q2, k1, k2 = (float(x) for x in (q[m], q[m + D // 2], k[m], k[m + D // 2]))
        turned = (q1 * k1 + q2 * k2) * math.cos(angle) + (q1 * k2 - q2 * k1) * math.sin(angle)
        total += zeta ** (max(distance, 0) / scale_base) * turned
    return total / math.sqrt(D)


@pytest.mark.parametrize("hint", ["none", "prompt"])
@pytest.mark.parametrize("scale_base", [512.0, 3.0])
def test_by_loops(hint, scale_base):
    embedding, (q, k) = xpos({"scale_base": scale_base}, hint), pair(12)
    made = scores(embedding, q, k, context(12, scale=[[2], [3]] if hint == "prompt" else None))
    for b, n in enumerate((2, 3) if hint == "prompt" else (0, 0)):
        for h in range(H):
            for i in range(12):
                for j in range(i + 1):
                    expected = naive_score(q[b, h, i], k[b, h, j], i - h * n - j, scale_base)
                    assert made[b, h, i, j].item() == pytest.approx(expected, abs=1e-4)


def test_many_blocks_equal_one():
    """A steep zeta makes the blocks short: 20 / 0.44 = 45 queries."""
    (q, k), ctx = pair(150), context(150)
    steep = xpos({"scale_base": 2.84})
    assert int(20 / steep.steepest()) < 50
    made = scores(steep, q, k, ctx)
    for i, j in [(0, 0), (44, 1), (46, 45), (90, 89), (149, 140), (149, 149)]:
        assert made[0, 1, i, j].item() == pytest.approx(naive_score(q[0, 1, i], k[0, 1, j], i - j, 2.84), abs=1e-4)


def test_finite_and_right_at_a_hundred_thousand_positions():
    """zeta^(-100,000 / 512) is 10^106: the query's power times the key's would be 0 times infinity."""
    embedding, (q, k), ctx = xpos(), pair(6), context(6)
    ctx.q_ids, ctx.k_ids = ctx.q_ids + 100_000, ctx.k_ids * 1000 + 95_000
    made = scores(embedding, q, k, ctx)
    assert made.isfinite().all()
    # Angles around 100,000 are only known to 1e-2 in float32.
    for i, j in [(5, 5), (0, 5), (3, 0)]:
        distance = int(ctx.q_ids[0, i] - ctx.k_ids[0, j])
        assert made[0, 0, i, j].item() == pytest.approx(naive_score(q[0, 0, i], k[0, 0, j], distance, 512.0), abs=5e-2)


def test_negative_distances_do_not_grow():
    """Shifted by 3·20,000 positions, the unclamped factor would be 10^63."""
    embedding, (q, k) = xpos(scale_hint="prompt"), pair(9)
    made = scores(embedding, q, k, context(9, scale=[[20_000], [1]]))
    assert made.abs().max() < 20 and made.isfinite().all()


def test_padding_in_bfloat16_is_finite():
    case = Case("xpos", {"scale_base": 2.0}, "prompt")
    model = case.model().to(torch.bfloat16)
    ids, mask = left_padded([case.prompts()[0], case.prompts()[1, :9]])
    assert model(ids, attention_mask=mask).logits.isfinite().all()


@pytest.mark.parametrize(
    ("options", "word"),
    [({"gamma": 0.0}, "gamma"), ({"scale_base": -1.0}, "scale_base"), ({"fraction": 0.5}, "no option 'fraction'")],
)
def test_bad_options(options, word):
    with pytest.raises(ValueError, match=word):
        Case("xpos", options).config()
