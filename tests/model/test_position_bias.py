"""Additive biases against published numbers and transformers' own code."""

import math

import pytest
import torch
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.t5.modeling_t5 import T5Attention

from hf_lengthgen.model.position_bias import alibi_slopes, t5_bucket

from .cases import Case, left_padded
from .contexts import context


def position(*args, **kwargs):
    return Case(*args, **kwargs).model().position_modules()[0]


def test_alibi_slopes_of_the_paper():
    assert alibi_slopes(8) == [2.0**-k for k in range(1, 9)]
    # Twelve heads: those of eight, then every other one of sixteen.
    assert alibi_slopes(12) == alibi_slopes(8) + alibi_slopes(16)[0::2][:4]
    assert alibi_slopes(1) == [2.0**-8]


@pytest.mark.parametrize("heads", [1, 3, 4, 6, 12, 20])
def test_alibi_equals_blooms_for_any_number_of_heads(heads):
    model = Case("alibi").model(hidden_size=8 * heads, num_attention_heads=heads)
    ours = model.position_modules()[0].bias(torch.zeros(1), None, None, context(6))
    theirs = build_alibi_tensor(torch.ones(1, 6), heads, torch.float32).view(1, heads, 1, 6)
    # Bloom's bias is slope·j; the softmax does not see the slope·i that is missing.
    own = ours.diagonal(dim1=-2, dim2=-1)[..., None] - theirs.transpose(-1, -2)
    torch.testing.assert_close((ours - own).tril(), theirs.expand(-1, -1, 6, -1).tril(), atol=1e-5, rtol=1e-4)


def test_alibi_bias_by_loops():
    bias = position("alibi").bias(torch.zeros(1), None, None, context(6))
    for h, slope in enumerate(alibi_slopes(4)):
        for i in range(6):
            for j in range(i + 1):
                assert bias[0, h, i, j] == -slope * (i - j)


def test_alibi_with_hint_measures_from_the_shifted_query():
    bias = position("alibi", scale_hint="prompt").bias(torch.zeros(1), None, None, context(9, scale=[[2], [3]]))
    for b, n in enumerate((2, 3)):
        for h, slope in enumerate(alibi_slopes(4)):
            for i in range(9):
                for j in range(i + 1):
                    assert bias[b, h, i, j] == -slope * abs(i - h * n - j)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("buckets", "furthest"), [(32, 128), (16, 64)])
def test_t5_buckets_equal_transformers(bidirectional, buckets, furthest):
    distance = torch.arange(-300, 300)
    expected = T5Attention._relative_position_bucket(-distance, bidirectional, buckets, furthest)
    ours = t5_bucket(distance, buckets, furthest, bidirectional)
    if bidirectional:
        # T5's upper half is for keys after the query, as ours.
        assert torch.equal(ours, expected)
    else:
        assert torch.equal(ours[300:], expected[300:])


def test_t5_bias_looks_up_its_bucket_and_head():
    t5 = position("t5", scale_hint="prompt")
    bias = t5.bias(None, None, None, context(9, scale=[[2]]))
    for h in range(4):
        for i in range(9):
            for j in range(i + 1):
                bucket = t5_bucket(torch.tensor(i - 2 * h - j), 32, 128, True)
                assert bias[0, h, i, j] == t5.weight[bucket, h]


def test_t5_is_shared_by_all_layers():
    assert len(Case("t5").model(num_hidden_layers=3).position_modules()) == 1


@pytest.mark.parametrize(
    ("options", "word"),
    [({"buckets": 10}, "multiple of 4"), ({"max_distance": 16}, "must exceed"), ({"bucket": 8}, "buckets")],
)
def test_bad_t5_options(options, word):
    with pytest.raises(ValueError, match=word):
        Case("t5", options).config()


@pytest.mark.parametrize(("windowed", "windows"), [(None, [1, 2, 0, 0]), (0, [0, 0, 0, 0]), (4, [1, 2, 3, 4])])
@pytest.mark.parametrize("hint", ["none", "prompt"])
def test_hard_alibi_by_loops(windowed, windows, hint):
    hard = position("hard_alibi", {"windowed_heads": windowed}, hint)
    assert hard.windows().tolist() == windows
    bias = hard.bias(torch.zeros(1), None, None, context(9, scale=[[2], [3]] if hint == "prompt" else None))
    for b, n in enumerate((2, 3) if hint == "prompt" else (0,)):
        for h, window in enumerate(windows):
            for i in range(9):
                for j in range(i + 1):
                    inside = not window or abs(i - h * n - j) < window
                    assert bias[b, h, i, j] == (0 if inside else -math.inf)


def test_hard_alibi_without_windows_is_nope():
    nope, hard = Case("none").model(), Case("hard_alibi", {"windowed_heads": 0}).model()
    ids = Case("none").prompts()
    torch.testing.assert_close(hard(ids).logits, nope(ids).logits, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_a_window_without_keys_reads_nothing(implementation):
    """Shifted by more than all there is, the head reads neither its own token nor a uniform mixture."""
    model = Case("hard_alibi", {"windowed_heads": 4}, "prompt").model(num_hidden_layers=1)
    model.set_attn_implementation(implementation)
    attention = model.model.layers[0].self_attn
    seen = []
    attention.o_proj.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    ids = Case("hard_alibi", {}, "prompt").prompts()[:1]
    n = 2  # two tokens between the beginning of the sequence and the delimiter, token 3
    model(ids)
    heads = seen[0].view(len(ids[0]), 4, -1)
    for h in range(4):
        for i in range(len(ids[0])):
            keys = [j for j in range(i + 1) if abs(i - h * n - j) < h + 1]
            assert (heads[i, h].abs().max() == 0) == (not keys), (h, i)


def naive_sandwich(distance, h, dimension, heads):
    total = sum(math.cos(distance / 10000 ** (2 * m / dimension)) for m in range(1, dimension // 2 + 1))
    return (total - dimension / 2) / (8 * (h + 1) / heads)


@pytest.mark.parametrize("hint", ["none", "prompt"])
@pytest.mark.parametrize("dimension", [128, 6])
def test_sandwich_by_loops(hint, dimension):
    sandwich = position("sandwich", {"dimension": dimension}, hint)
    bias = sandwich.bias(torch.zeros(1), None, None, context(9, scale=[[2], [3]] if hint == "prompt" else None))
    for b, n in enumerate((2, 3) if hint == "prompt" else (0,)):
        for h in range(4):
            for i in range(9):
                for j in range(i + 1):
                    expected = naive_sandwich(i - h * n - j, h, dimension, 4)
                    assert bias[b, h, i, j].item() == pytest.approx(expected, abs=1e-4)


def test_sandwich_is_the_same_far_out():
    """Distances, not positions, decide; what is left is the rounding of angles around 5,000."""
    sandwich, near, far = position("sandwich"), context(8), context(8)
    far.q_ids, far.k_ids = far.q_ids + 5000, far.k_ids + 5000
    ours = [sandwich.bias(torch.zeros(1), None, None, ctx) for ctx in (near, far)]
    torch.testing.assert_close(*ours, atol=2e-2, rtol=0)


@pytest.mark.parametrize("name", ["hard_alibi", "sandwich", "alibi"])
def test_padding_in_bfloat16_is_finite(name):
    case = Case(name, scale_hint="prompt")
    model = case.model().to(torch.bfloat16)
    ids, mask = left_padded([case.prompts()[0], case.prompts()[1, :9]])
    assert model(ids, attention_mask=mask).logits.isfinite().all()


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [("hard_alibi", {"windowed_heads": 5}, "between 0 and the 4 heads"), ("sandwich", {"dimension": 7}, "even")],
)
def test_bad_options(name, options, word):
    with pytest.raises(ValueError, match=word):
        Case(name, options).config()
