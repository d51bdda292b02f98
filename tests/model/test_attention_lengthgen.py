"""The attention layer: masks, biases and the sink, where libraries swallow them silently."""

from math import log

import pytest
import torch

from hf_lengthgen import LengthGenForCausalLM
from hf_lengthgen.model.attention_lengthgen import add_sink, eager_attention_forward, logit_factor

from .cases import Case
from .contexts import context


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


# -- temperature and scale of the logits -------------------------------------------------------------------------------


def naive_attention(query, key, value, scaling, bias, factors):
    """softmax(factor_i · (q_i·k_j · scaling + bias_ij)) v over j <= i, one head and example at a time."""
    out = torch.zeros_like(value)
    for b in range(query.shape[0]):
        for h in range(query.shape[1]):
            for i in range(query.shape[2]):
                logits = [query[b, h, i] @ key[b, h, j] * scaling + bias[h, i, j] for j in range(i + 1)]
                out[b, h, i] = (torch.stack(logits) * factors[i]).softmax(0) @ value[b, h, : i + 1]
    return out.transpose(1, 2).flatten(2)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize(
    ("settings", "factor"),
    [
        ({"attention_temperature": "log_length", "temperature_length": 5}, lambda i: max(1, log(i + 1) / log(5))),
        ({"logit_scale": 0.5}, lambda i: 0.5),
        (
            {"attention_temperature": "log_length", "temperature_length": 3, "logit_scale": 2},
            lambda i: 2 * max(1, log(i + 1) / log(3)),
        ),
    ],
)
def test_temperature_multiplies_scores_and_bias(settings, factor, implementation):
    model = Case("alibi", settings=settings).model()
    model.set_attn_implementation(implementation)
    layer, position = model.model.layers[0].self_attn, model.position_modules()[0]
    hidden = torch.randn(2, 12, 32, generator=torch.Generator().manual_seed(0))
    ctx = context(12)
    query, key, value = (layer._heads(p(hidden)) for p in (layer.q_proj, layer.k_proj, layer.v_proj))
    bias = position.bias(query, key, None, ctx)[0]
    expected = naive_attention(query, key, value, 8**-0.5, bias, [factor(i) for i in range(12)])
    torch.testing.assert_close(layer(hidden, position, ctx)[0], layer.o_proj(expected), atol=1e-5, rtol=1e-5)


def test_padding_does_not_count_as_length():
    """A query's position is its own, not its slot's (the shared test checks the same on whole models)."""
    config = Case("none", settings={"attention_temperature": "log_length", "temperature_length": 2}).config()
    factor = logit_factor(config, context(9, left_pad=(0, 4)))
    assert torch.equal(factor[1, 0, 4:], factor[0, 0, :5]) and (factor[1, 0, :4] == 1).all()


def test_up_to_the_training_length_and_without_settings_nothing_changes():
    case = Case("t5")
    ids = case.prompts()
    assert logit_factor(case.config(), context(5)) is None
    plain = case.model()(ids).logits
    same = case.model(attention_temperature="log_length", temperature_length=12)(ids).logits
    torch.testing.assert_close(same, plain)
    later = case.model(attention_temperature="log_length", temperature_length=6)(ids).logits
    torch.testing.assert_close(later[:, :6], plain[:, :6])
    assert (later[:, 8:] - plain[:, 8:]).abs().max() > 1e-3


def test_settings_may_be_made_on_a_loaded_model(tmp_path):
    Case("rope").model().save_pretrained(tmp_path)
    chosen = {"attention_temperature": "log_length", "temperature_length": 4, "logit_scale": 1.2}
    loaded = LengthGenForCausalLM.from_pretrained(tmp_path, **chosen)
    ids = Case("rope").prompts()
    torch.testing.assert_close(loaded(ids).logits, Case("rope").model(**chosen)(ids).logits)


def test_hard_relations_under_a_temperature_equal_their_dense_form():
    """The sink is a logit too."""
    settings = {"attention_temperature": "log_length", "temperature_length": 3}
    case = Case("lbpe", scale_hint="prompt", harden=True, settings=settings)
    model, ids = case.model(), case.prompts()
    position, layer = model.position_modules()[0], model.model.layers[0].self_attn
    hidden = torch.randn(1, 12, 32, generator=torch.Generator().manual_seed(0))
    ctx = context(12, scale=[[2]])
    query, key, value = (layer._heads(p(hidden)) for p in (layer.q_proj, layer.k_proj, layer.v_proj))
    logits = query @ key.transpose(2, 3) * 8**-0.5 + position.bias(query, key, None, ctx)
    logits = torch.nn.functional.pad(logits.masked_fill(~ctx.visible, -torch.inf), (0, 1), value=log(1e-4))
    probs = (logits * logit_factor(model.config, ctx)).softmax(-1)[..., :-1]
    expected = layer.o_proj((probs @ value).transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer(hidden, position, ctx)[0], expected, atol=1e-5, rtol=1e-5)
    assert model(ids).logits.isfinite().all()
