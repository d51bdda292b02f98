"""The attention layer: masks, biases and the sink, where libraries swallow them silently."""

import torch

from hf_lengthgen.model.attention_lengthgen import add_sink, eager_attention_forward

from .cases import Case


def test_changing_the_bias_changes_sdpa():
    """transformers before 5.14 drops `position_bias` without a word."""
    model, ids = Case("t5").model(), Case("t5").prompts()
    before = model(ids).logits
    with torch.no_grad():
        model.position_modules()[0].weight[:4] += 1.0
    assert (model(ids).logits - before).abs().max() > 1e-2


def test_a_query_that_sees_nothing_reads_the_sink_and_not_the_future():
    """Where every visible key has bias -inf, a mask of finite minimum would let the future in."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    module = torch.nn.Module().eval()
    q, k, v = (torch.randn(1, 1, 4, 8) for _ in range(3))
    bias = torch.zeros(1, 1, 4, 4)
    bias[0, 0, 1] = -torch.inf
    visible = torch.ones(1, 1, 4, 4, dtype=torch.bool).tril()
    k1, v1, bias1, visible1 = add_sink(k, v, bias, visible, -9.0)
    sdpa, _ = sdpa_attention_forward(module, q, k1, v1, visible1, scaling=0.3, position_bias=bias1)
    eager, _ = eager_attention_forward(module, q, k1, v1, visible1, scaling=0.3, position_bias=bias1)
    torch.testing.assert_close(sdpa, eager)
    assert torch.equal(sdpa[0, 1], torch.zeros(1, 8))
    without, _ = sdpa_attention_forward(module, q, k, v, visible, scaling=0.3, position_bias=bias)
    assert without[0, 1].abs().max() > 0.1  # the trap: future values


def test_sink_takes_its_share_of_the_softmax():
    module = torch.nn.Module().eval()
    q, k, v = torch.zeros(1, 1, 1, 8), torch.zeros(1, 1, 1, 8), torch.ones(1, 1, 1, 8)
    out, probs = eager_attention_forward(
        module, q, *add_sink(k, v, torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1, dtype=torch.bool), -1.0)[:2],
        torch.ones(1, 1, 1, 2, dtype=torch.bool), 1.0, position_bias=torch.tensor([[[[0.0, -1.0]]]]),
    )  # fmt: skip
    expected = 1 / (1 + torch.exp(torch.tensor(-1.0)))
    torch.testing.assert_close(out.flatten(), expected.expand(8))
    torch.testing.assert_close(probs.flatten()[0], expected)


def test_custom_masks_bool_and_additive():
    model, ids = Case("alibi").model(), Case("alibi").prompts()
    allowed = torch.ones(3, 1, 12, 12, dtype=torch.bool)
    allowed[:, :, :, 2] = False
    additive = torch.where(allowed, 0.0, torch.finfo(torch.float32).min)
    masked = model(ids, attention_mask=allowed).logits
    torch.testing.assert_close(masked, model(ids, attention_mask=additive).logits)
    changed = ids.clone()
    changed[:, 2] = 19
    later = model(changed, attention_mask=allowed).logits
    torch.testing.assert_close(masked[:, 3:], later[:, 3:])
    assert (model(ids).logits - masked).abs().max() > 1e-3
