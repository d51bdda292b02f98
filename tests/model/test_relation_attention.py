"""O(L·K) attention against a loop over queries, heads and relations."""

import math

import torch

from hf_lengthgen.model.relation_attention import relation_attention


def naive_relation_attention(q, k, v, slots, valid, log_weight, scaling, sink_logit):
    batch, heads, queries, _ = q.shape
    out = torch.zeros_like(q)
    for b in range(batch):
        for h in range(heads):
            for i in range(queries):
                total, value = math.exp(sink_logit), 0.0
                for r in range(slots.shape[2]):
                    if valid[b % len(valid), h, r, i] and log_weight[h, r] > -math.inf:
                        j = slots[b % len(slots), h, r, i]
                        weight = math.exp(float(q[b, h, i] @ k[b, h, j]) * scaling + float(log_weight[h, r]))
                        total, value = total + weight, value + weight * v[b, h, j]
                out[b, h, i] = value / total
    return out


def random_case(batch_of_slots):
    generator = torch.Generator().manual_seed(4)
    q, k, v = (torch.randn(2, 3, n, 8, generator=generator) for n in (5, 9, 9))
    slots = torch.randint(0, 9, (batch_of_slots, 3, 4, 5), generator=generator)
    valid = torch.rand(batch_of_slots, 3, 4, 5, generator=generator) < 0.7
    log_weight = torch.randn(3, 4, generator=generator)
    log_weight[1, 2] = -math.inf
    return q, k, v, slots, valid, log_weight


def test_equals_the_loop():
    for batch in (1, 2):
        case = random_case(batch)
        torch.testing.assert_close(relation_attention(*case, 0.3, -2.0), naive_relation_attention(*case, 0.3, -2.0))


def test_a_key_named_twice_counts_twice():
    q, k, v = torch.randn(1, 1, 1, 4), torch.randn(1, 1, 3, 4), torch.randn(1, 1, 3, 4)
    twice = relation_attention(
        q, k, v, torch.full((1, 1, 2, 1), 1), torch.ones(1, 1, 2, 1, dtype=torch.bool), torch.zeros(1, 2), 0.5, -3.0
    )
    once = relation_attention(
        q, k, v, torch.full((1, 1, 1, 1), 1), torch.ones(1, 1, 1, 1, dtype=torch.bool),
        torch.full((1, 1), math.log(2)), 0.5, -3.0,
    )  # fmt: skip
    torch.testing.assert_close(twice, once)


def test_nothing_valid_gives_exactly_zero():
    q, k, v, slots, valid, log_weight = random_case(2)
    out = relation_attention(q, k, v, slots, torch.zeros_like(valid), log_weight, 0.3, -2.0)
    assert torch.equal(out, torch.zeros_like(out))


def test_large_scores_stay_finite():
    q, k, v, slots, valid, log_weight = random_case(2)
    assert relation_attention(1e4 * q, k, v, slots, valid, log_weight, 1.0, -9.0).isfinite().all()
