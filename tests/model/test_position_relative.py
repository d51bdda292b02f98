"""Shaw's and Transformer-XL's relative attention by loops, and against transformers' Wav2Vec2-BERT, which has both."""

import math

import pytest
import torch
from transformers import Wav2Vec2BertConfig
from transformers.models.wav2vec2_bert import modeling_wav2vec2_bert as wav2vec2

from .cases import Case
from .contexts import context

H, D, LENGTH = 4, 8, 7


def position(name, options=None, scale_hint="none"):
    return Case(name, options or {}, scale_hint).model().position_modules()[0]


def pair(batch=2, length=LENGTH):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, batch, H, length, D, generator=generator)


def distances(shaw_or_xl, scales, length=LENGTH):
    """Every (example, head, query, key) with its signed distance, by the definition."""
    for b, n in enumerate(scales):
        for h in range(H):
            shift = (h % 4) * n if shaw_or_xl.has_scale else 0
            for i in range(length):
                for j in range(i + 1):
                    yield b, h, i, j, i - shift - j


def naive_shaw_bias(q, table, window, b, h, i, distance):
    row = max(-window, min(window, distance)) + window
    head = h if len(table) > 1 else 0
    return sum(float(q[b, h, i, e] * table[head, row, e]) for e in range(D)) / math.sqrt(D)


@pytest.mark.parametrize("hint", ["none", "prompt"])
@pytest.mark.parametrize("per_head", [False, True])
@torch.no_grad()
def test_shaw_bias_by_loops(hint, per_head):
    shaw = position("shaw", {"window": 3, "per_head": per_head}, hint)
    q, k = pair()
    bias = shaw.bias(q, k, None, context(LENGTH, scale=[[1], [2]] if hint == "prompt" else None))
    assert shaw.keys.shape == (H if per_head else 1, 7, D)
    for b, h, i, j, distance in distances(shaw, (1, 2)):
        expected = naive_shaw_bias(q, shaw.keys, 3, b, h, i, distance)
        assert bias[b, h, i, j].item() == pytest.approx(expected, abs=1e-5)


@torch.no_grad()
def test_shaw_values_by_loops():
    shaw = position("shaw", {"window": 2, "values": True}, "prompt")
    probs = torch.rand(2, H, LENGTH, LENGTH).tril()
    term = shaw.value_term(probs, context(LENGTH, scale=[[1], [2]]))
    expected = torch.zeros(2, H, LENGTH, D)
    for b, h, i, j, distance in distances(shaw, (1, 2)):
        expected[b, h, i] += probs[b, h, i, j] * shaw.values[0, max(-2, min(2, distance)) + 2]
    torch.testing.assert_close(term, expected)
    assert position("shaw").value_term(probs, context(LENGTH)) is None


@torch.no_grad()
def test_shaw_values_enter_the_output():
    case = Case("shaw", {"values": True})
    model = case.model()
    before = model(case.prompts()).logits
    model.position_modules()[0].values.zero_()
    assert (model(case.prompts()).logits - before).abs().max() > 1e-3
    assert not model.position_modules()[0].capabilities.sdpa


def wav2vec2_attention(kind, **settings):
    config = Wav2Vec2BertConfig(
        hidden_size=32, num_attention_heads=H, position_embeddings_type=kind, max_source_positions=LENGTH, **settings
    )
    torch.manual_seed(3)
    return wav2vec2.Wav2Vec2BertSelfAttention(config), config


@torch.no_grad()
def test_shaw_equals_transformers():
    theirs, _ = wav2vec2_attention("relative_key", left_max_position_embeddings=3, right_max_position_embeddings=3)
    shaw = position("shaw", {"window": 3})
    # Their rows go by key - query, ours by query - key.
    shaw.keys.copy_(theirs.distance_embedding.weight.flip(0)[None])
    q, k = pair()
    _, expected = wav2vec2._apply_relative_key_position_encoding(theirs, q, k)
    torch.testing.assert_close(shaw.bias(q, k, None, context(LENGTH)).tril(), expected.tril())


def naive_sinusoid(distance, width):
    half = width // 2
    angles = [distance * 10000 ** (-2 * m / width) for m in range(half)]
    return torch.tensor([math.sin(a) for a in angles] + [math.cos(a) for a in angles])


@pytest.mark.parametrize("hint", ["none", "prompt"])
@torch.no_grad()
def test_transformer_xl_by_loops(hint):
    xl = position("transformer_xl", scale_hint=hint)
    q, k = pair()
    bias = xl.bias(q, k, None, context(LENGTH, scale=[[1], [3]] if hint == "prompt" else None))
    for b, h, i, j, distance in distances(xl, (1, 3)):
        relative = (xl.project.weight @ naive_sinusoid(distance, 32)).view(H, D)[h]
        expected = (q[b, h, i] @ relative + xl.u[h] @ k[b, h, j] + xl.v[h] @ relative) / math.sqrt(D)
        assert bias[b, h, i, j].item() == pytest.approx(expected.item(), abs=1e-4)


@torch.no_grad()
def test_transformer_xl_equals_transformers():
    theirs, config = wav2vec2_attention("relative")
    theirs.pos_bias_u.normal_()
    theirs.pos_bias_v.normal_()
    xl = position("transformer_xl")
    xl.u.copy_(theirs.pos_bias_u)
    xl.v.copy_(theirs.pos_bias_v)
    # Their sines and cosines alternate.
    xl.project.weight.copy_(torch.cat((theirs.linear_pos.weight[:, 0::2], theirs.linear_pos.weight[:, 1::2]), 1))
    q, k = pair()
    table = wav2vec2.Wav2Vec2BertRelPositionalEmbedding(config)(torch.zeros(1, LENGTH, 32))
    turned, expected = wav2vec2._apply_relative_position_encoding(theirs, q, k, table)
    # Their u is inside the query, ours inside the bias.
    expected = expected + (turned - q) @ k.transpose(-1, -2) * D**-0.5
    ours = xl.bias(q, k, None, context(LENGTH))
    torch.testing.assert_close(ours.tril(), expected.tril(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("options", "word"), [({"window": 0}, "window"), ({"value": True}, "Did you mean 'values'")])
def test_bad_shaw_options(options, word):
    with pytest.raises(ValueError, match=word):
        Case("shaw", options).config()


def test_transformer_xl_needs_an_even_width():
    with pytest.raises(ValueError, match="even hidden_size"):
        Case("transformer_xl").config(hidden_size=33, num_attention_heads=3)
