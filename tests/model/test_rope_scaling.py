"""Scaled RoPE frequencies against transformers' own Llama, and dynamic scaling against a full pass per query."""

import pytest
import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

from hf_lengthgen.model.position_rotary import turn
from hf_lengthgen.model.rope_scaling import dynamic_frequencies

from .cases import Case
from .contexts import context

SCALINGS = {
    "linear": {"rope_type": "linear", "factor": 4.0},
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 8.0},
    "llama3": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 24},
}
DYNAMIC = {"rope_type": "dynamic", "factor": 3.0, "original_max_position_embeddings": 6}


def rope(scaling, scale_hint="none", **options):
    case = Case("rope", {"scaling": scaling, "theta": 500.0} | options, scale_hint)
    return case.model(hidden_size=64).position_modules()[0]


def llama(scaling, length=64):
    defaults = {"low_freq_factor": 1.0, "high_freq_factor": 4.0} if scaling["rope_type"] == "llama3" else {}
    config = LlamaConfig(
        hidden_size=64,
        num_attention_heads=4,
        max_position_embeddings=length,
        rope_parameters={**defaults, **scaling, "rope_theta": 500.0},
    )
    return LlamaRotaryEmbedding(config)


def pair(length):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 2, 4, length, 16, generator=generator)


@pytest.mark.parametrize("kind", SCALINGS)
def test_equals_llama(kind):
    ours, theirs = rope(SCALINGS[kind]), llama(SCALINGS[kind])
    (q, k), ctx = pair(40), context(40)
    expected = apply_rotary_pos_emb(q, k, *theirs(q, ctx.q_pos))
    torch.testing.assert_close(ours.rotate_query(q, ctx), expected[0])
    torch.testing.assert_close(ours.rotate_key(k, ctx.q_ids, ctx), expected[1])
    assert ours.bias(q, k, None, ctx) is None
    plain = rope(None)
    assert (ours.rotate_query(q, ctx) - plain.rotate_query(q, ctx)).abs().max() > 0.1


def test_yarns_attention_factor_reaches_queries_and_keys():
    ours, (q, _), ctx = rope(SCALINGS["yarn"]), pair(5), context(5)
    factor = 0.1 * torch.tensor(4.0).log() + 1
    torch.testing.assert_close(ours.rotate_query(q, ctx).norm(dim=-1), q.norm(dim=-1) * factor)


def naive_dynamic_scores(q, k, query):
    """Row `query` of the scores of transformers' own full pass over the first query + 1 tokens."""
    seen = query + 1
    rotary = llama(DYNAMIC, length=6)
    turned = apply_rotary_pos_emb(q[:, :, :seen], k[:, :, :seen], *rotary(q, torch.arange(seen)[None]))
    return turned[0][:, :, -1:] @ turned[1].transpose(-1, -2) / 4


def test_each_query_scores_as_in_a_full_pass_that_ends_with_it():
    ours, (q, k), ctx = rope(DYNAMIC), pair(20), context(20)
    turned_q, turned_k = ours.rotate_query(q, ctx), ours.rotate_key(k, ctx.q_ids, ctx)
    scores = turned_q @ turned_k.transpose(-1, -2) / 4 + ours.bias(turned_q, turned_k, None, ctx)
    for query in range(20):
        expected = naive_dynamic_scores(q, k, query)[:, :, 0]
        torch.testing.assert_close(scores[:, :, query, : query + 1], expected, atol=1e-4, rtol=1e-4)


def test_up_to_the_original_length_nothing_is_added():
    ours, (q, k) = rope(DYNAMIC), pair(6)
    assert ours.bias(q, k, None, context(6)) is None
    q, k = pair(8)
    bias = ours.bias(q, k, None, context(8))
    assert bias[:, :, :6].abs().max() == 0 and bias[:, :, 6:].abs().max() > 1e-3


def test_dynamic_frequencies_of_many_lengths_equal_those_of_each():
    lengths = torch.tensor([[1, 5, 6, 7, 30], [0, 6, 8, 100, 9]])
    made, original = dynamic_frequencies(DYNAMIC, 16, 500.0, 64, lengths)
    assert original == 6
    for row, some in enumerate(lengths.tolist()):
        for column, length in enumerate(some):
            expected, _ = llama(DYNAMIC, length=6).compute_default_rope_parameters(llama(DYNAMIC, 6).config)
            if length > 6:
                theirs = llama(DYNAMIC, length=6)
                theirs(torch.zeros(1), torch.arange(length)[None])
                expected = theirs.inv_freq
            torch.testing.assert_close(made[row, column], expected)


def test_dynamic_with_a_hint_turns_the_shifted_query():
    """By loops: the angle of the pair is the query's own frequency times i - c·n - j."""
    ours, (q, k), ctx = rope(DYNAMIC, "prompt"), pair(12), context(12, scale=[[2], [3]])
    turned_q, turned_k = ours.rotate_query(q, ctx), ours.rotate_key(k, ctx.q_ids, ctx)
    scores = turned_q @ turned_k.transpose(-1, -2) / 4 + ours.bias(turned_q, turned_k, None, ctx)
    for b, n in enumerate((2, 3)):
        for h in range(4):
            for i in (3, 8, 11):
                w = dynamic_frequencies(DYNAMIC, 16, 500.0, 64, torch.tensor([[i + 1]]))[0][0, 0]
                for j in range(i + 1):
                    angle = w * (i - h * n - j)
                    q1, q2, k1, k2 = *q[b, h, i].chunk(2), *k[b, h, j].chunk(2)
                    same, cross = q1 * k1 + q2 * k2, q1 * k2 - q2 * k1
                    expected = (same * angle.cos() + cross * angle.sin()).sum() / 4
                    torch.testing.assert_close(scores[b, h, i, j], expected, atol=1e-4, rtol=1e-4)


def test_in_pieces_equals_at_once(monkeypatch):
    ours, (q, k), ctx = rope(DYNAMIC), pair(20), context(20, left_pad=(0, 3))
    whole = ours.bias(q, k, None, ctx)
    queries = []
    monkeypatch.setattr("hf_lengthgen.model.position_rotary._TURNED_NUMBERS", 3 * k.numel())
    monkeypatch.setattr(
        "hf_lengthgen.model.position_rotary.turn", lambda k, angles: queries.append(angles.shape[2]) or turn(k, angles)
    )
    torch.testing.assert_close(ours.bias(q, k, None, ctx), whole)
    assert queries == [3, 3, 3, 3, 2]  # those beyond the original length of 6


@pytest.mark.parametrize(
    ("scaling", "word"),
    [
        ({"rope_type": "yarm", "factor": 2.0}, "Did you mean 'yarn'"),
        ({"factor": 2.0}, "needs a rope_type"),
        ({"rope_type": "linear"}, "factor of at least 1"),
        ({"rope_type": "linear", "factor": "2"}, "positive number"),
        ({"rope_type": "linear", "factor": 2.0, "beta_fast": 3.0}, "no key 'beta_fast'"),
        ({"rope_type": "yarn", "factor": 2.0, "beta_fasst": 3.0}, "Did you mean 'beta_fast'"),
        ({"rope_type": "llama3", "factor": 2.0, "low_freq_factor": 4.0}, "low_freq_factor below"),
    ],
)
def test_bad_scaling(scaling, word):
    with pytest.raises(ValueError, match=word):
        Case("rope", {"scaling": scaling}).config()


def test_dynamic_needs_more_than_one_pair():
    with pytest.raises(ValueError, match="at least 4 turned dimensions"):
        Case("rope", {"scaling": DYNAMIC, "fraction": 0.25}).config()
