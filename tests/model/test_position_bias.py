"""Additive biases against published numbers and transformers' own code."""

import pytest
import torch
from transformers.models.t5.modeling_t5 import T5Attention

from hf_lengthgen.model.position_bias import alibi_slopes, t5_bucket

from .cases import Case
from .contexts import context


def position(*args, **kwargs):
    return Case(*args, **kwargs).model().position_modules()[0]


def test_alibi_slopes_of_the_paper():
    assert alibi_slopes(8) == [2.0**-k for k in range(1, 9)]
    # Twelve heads: those of eight, then every other one of sixteen.
    assert alibi_slopes(12) == alibi_slopes(8) + alibi_slopes(16)[0::2][:4]
    assert alibi_slopes(1) == [2.0**-8]


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
