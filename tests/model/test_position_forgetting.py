"""Forgetting attention by loops, and ALiBi as its special case."""

import math

import torch

from hf_lengthgen import LengthGenForCausalLM

from .cases import Case
from .contexts import context


def position(*args, **kwargs):
    return Case(*args, **kwargs).model().position_modules()[0]


def naive_forgetting(gate):
    """bias[i, j] = log of the product of the gates after j up to i."""
    length = len(gate)
    bias = torch.zeros(length, length)
    for i in range(length):
        for j in range(i + 1):
            kept = 1.0
            for m in range(j + 1, i + 1):
                kept *= float(gate[m])
            bias[i, j] = math.log(kept)
    return bias


def gates(batch=2, length=7):
    return torch.rand(batch, 4, length, 1, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1


def test_bias_by_loops():
    f = gates()
    bias = position("forgetting").bias(torch.zeros(2, 4, 7, 8), None, f.log(), context(7, left_pad=(0, 2)))
    for b, pad in enumerate((0, 2)):
        for h in range(4):
            torch.testing.assert_close(bias[b, h, pad:, pad:].tril(), naive_forgetting(f[b, h, pad:, 0]))


def test_cached_queries_are_the_last_rows():
    forgetting, f = position("forgetting"), gates()
    full = forgetting.bias(torch.zeros(2, 4, 7, 8), None, f.log(), context(7))
    ctx = context(7)
    ctx.q_pos = ctx.q_ids = ctx.q_pos[:, 5:]
    torch.testing.assert_close(forgetting.bias(torch.zeros(2, 4, 2, 8), None, f.log(), ctx), full[:, :, 5:])


def test_state_is_the_log_gate():
    forgetting = position("forgetting")
    hidden = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(0))
    for b in range(2):
        for t in range(5):
            logit = forgetting.gate_proj.weight @ hidden[b, t] + forgetting.gate_proj.bias
            expected = torch.log(1 / (1 + torch.exp(-logit.double())))
            torch.testing.assert_close(
                forgetting.key_state(hidden, None)[b, :, t, 0].double(), expected, rtol=1e-4, atol=0
            )


def test_a_constant_gate_is_alibi():
    alibi = position("alibi")
    slopes = -alibi.bias(torch.zeros(1), None, None, context(2))[0, :, 1, 0]
    state = -slopes[None, :, None, None].expand(1, 4, 9, 1)
    bias = position("forgetting").bias(torch.zeros(1, 4, 9, 8), None, state, context(9))
    torch.testing.assert_close(bias.tril(), alibi.bias(torch.zeros(1), None, None, context(9)).tril())


def test_with_a_hint_it_forgets_from_the_shifted_query():
    """F(i) = Σ log f up to i, 0 before the first token; bias -|F(i - c·n) - F(j)|."""
    f, scale, pads = gates(), (1, 2), (0, 2)
    ctx = context(7, scale=[[1], [2]], left_pad=pads)
    bias = position("forgetting", scale_hint="prompt").bias(torch.zeros(2, 4, 7, 8), None, f.log(), ctx)
    for b, (n, pad) in enumerate(zip(scale, pads, strict=True)):
        for h in range(4):

            def total(i, row=f[b, h, pad:, 0]):
                return sum(math.log(float(row[m])) for m in range(i + 1))

            for i in range(7 - pad):
                for j in range(i + 1):
                    expected = -abs(total(i - h * n) - total(j))
                    assert abs(float(bias[b, h, i + pad, j + pad]) - expected) < 1e-5


def test_initial_bias_sets_the_gates():
    model = LengthGenForCausalLM(Case("forgetting", {"initial_bias": 3}).config())
    assert all((m.gate_proj.bias == 3).all() for m in model.position_modules())
