"""RoPE against transformers' own, and against its defining property."""

import pytest
import torch
from transformers import GPTNeoXConfig, LlamaConfig
from transformers.models.gpt_neox import modeling_gpt_neox as gpt_neox
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

from .cases import Case
from .contexts import context


def test_equals_llama():
    rope = Case("rope").model().position_modules()[0]
    llama = LlamaRotaryEmbedding(LlamaConfig(hidden_size=32, num_attention_heads=4))
    q, k, ctx = torch.randn(2, 4, 9, 8), torch.randn(2, 4, 9, 8), context(9)
    expected = apply_rotary_pos_emb(q, k, *llama(q, ctx.q_pos))
    torch.testing.assert_close(rope.rotate_query(q, ctx), expected[0])
    torch.testing.assert_close(rope.rotate_key(k, ctx.q_ids, ctx), expected[1])


def test_with_a_hint_the_score_depends_on_i_minus_cn_minus_j():
    rope = Case("rope", scale_hint="prompt").model().position_modules()[0]
    q, k = torch.randn(1, 4, 1, 8), torch.randn(1, 4, 1, 8)

    def scores(i, j, n):
        ctx = context(40, scale=[[n]])
        turned_q = rope.rotate_query(q.expand(-1, -1, 40, -1), ctx)[:, :, i]
        turned_k = rope.rotate_key(k.expand(-1, -1, 40, -1), ctx.q_ids, ctx)[:, :, j]
        return (turned_q * turned_k).sum(-1)[0]

    for head in range(4):
        # i - head·n - j = 10 - 3·head in both.
        torch.testing.assert_close(scores(20, 10, 3)[head], scores(20 + 2 * head, 10, 5)[head], atol=1e-5, rtol=1e-4)
    assert (scores(20, 10, 3)[1:] - scores(20, 10, 5)[1:]).abs().min() > 1e-4


def test_partial_rope_equals_gpt_neox():
    rope = Case("rope", {"fraction": 0.25}).model(hidden_size=64).position_modules()[0]
    config = GPTNeoXConfig(
        hidden_size=64,
        num_attention_heads=4,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.25},
    )
    q, k, ctx = torch.randn(2, 4, 9, 16), torch.randn(2, 4, 9, 16), context(9)
    cos, sin = gpt_neox.GPTNeoXRotaryEmbedding(config)(q, ctx.q_pos)
    assert cos.shape[-1] == 4
    expected = gpt_neox.apply_rotary_pos_emb(q, k, cos, sin)
    torch.testing.assert_close(rope.rotate_query(q, ctx), expected[0])
    torch.testing.assert_close(rope.rotate_key(k, ctx.q_ids, ctx), expected[1])
    assert torch.equal(rope.rotate_query(q, ctx)[..., 4:], q[..., 4:])


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"theta": -1.0}, "theta"),
        ({"scale_shifts": 0}, "scale_shifts"),
        ({"fraction": 0.0}, "fraction"),
        ({"fraction": 0.4}, "turns 3 of 8"),
        ({"scaling": 2.0}, "scaling"),
    ],
)
def test_bad_options(options, word):
    with pytest.raises(ValueError, match=word):
        Case("rope", options).config()


def test_odd_head_width_is_refused():
    with pytest.raises(ValueError, match="even head_dim"):
        Case("rope").config(head_dim=7)


def test_growing_frequencies_under_autocast():
    scaling = {"rope_type": "dynamic", "factor": 4.0}
    case = Case("rope", {"scaling": scaling}, settings={"max_position_embeddings": 8})
    model, ids = case.model(), case.prompts(length=12)
    exact = model(ids).logits
    with torch.autocast("cpu", torch.bfloat16):
        close = model(ids).logits
    torch.testing.assert_close(close.float(), exact, atol=0.1, rtol=0.1)
