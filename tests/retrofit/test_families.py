"""Where attention is, and what is refused."""

import pytest
import torch
from transformers import BertConfig, BertModel, FalconConfig, FalconForCausalLM

from hf_lengthgen.retrofit import RetrofitConfig, RetrofitForCausalLM, retrofit
from hf_lengthgen.retrofit.families import FAMILIES, attention_modules

from .tiny import CONFIGS, SMALL, tiny


@pytest.mark.parametrize("family", CONFIGS)
def test_every_layer_has_one_attention_module(family):
    modules = attention_modules(tiny(family))
    assert len(modules) == 3
    assert all("Attention" in type(module).__name__ for module in modules)
    assert [module.layer_idx for module in modules] == [0, 1, 2]


def test_all_families_are_tested():
    assert set(CONFIGS) == set(FAMILIES)


def test_unknown_families_are_refused_with_the_known_ones():
    falcon = FalconForCausalLM(FalconConfig(vocab_size=32, hidden_size=16, num_hidden_layers=1, num_attention_heads=2))
    with pytest.raises(ValueError, match="family 'falcon'; it knows llama, mistral, qwen2"):
        retrofit(falcon)
    bert = BertModel(
        BertConfig(vocab_size=32, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    )
    with pytest.raises(ValueError, match="'bert'|language-model head"):
        retrofit(bert)
    with pytest.raises(ValueError, match="whose layers are at 'model.layers'"):
        retrofit(tiny().model)
    with pytest.raises(ValueError, match="not Linear"):
        retrofit(torch.nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "adaptor"}, "mode must be one of adapter, bias"),
        ({"reads": "first", "carry": False}, "needs carry=True"),
        ({"layers": [2, 0]}, "layers must be ascending"),
        ({"layers": [3]}, "from 0 to 2"),
        ({"heads": 3, "width": 16}, "not a multiple"),
        ({"heads": [0]}, "number of added heads"),
        ({"heads": 0}, "num_attention_heads must be at least 1"),
        ({"mode": "bias", "heads": [4]}, "must name heads from 0 to 3"),
        ({"mode": "bias", "position_embedding": "rope"}, "must be one of lbpe, ipe"),
        ({"position_embedding": "abacus"}, "must be one of lbpe"),
        ({"scale_hint": "prompt"}, "needs scale_rule"),
        ({"scale_hint": "prompt", "scale_rule": [[1, 2], [3, 4]]}, "2 entries for 1"),
        ({"scale_hint": "prompt", "scale_rule": [["+", 4]]}, "is not \\[start_token_id"),
        ({"own_positions": "some"}, "own_positions must be one of keep, drop"),
        ({"widht": 8}, "no key 'widht'. Did you mean 'width'"),
        ({"position_options": {"windw": 2}}, "no option 'windw'"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        retrofit(tiny(), **settings)


def test_the_package_is_the_function_too():
    import hf_lengthgen

    model = hf_lengthgen.retrofit(tiny(), **SMALL)
    assert type(model) is RetrofitForCausalLM and hf_lengthgen.retrofit.RetrofitConfig is RetrofitConfig


def test_a_model_needs_a_base():
    with pytest.raises(ValueError, match="needs a configuration with a base_config"):
        RetrofitForCausalLM(RetrofitConfig())


@pytest.mark.parametrize("embedding", ["ipe", "none", "rope", "alibi", "t5", "kerple", "fire"])
@torch.no_grad()
def test_other_embeddings_serve_as_adapters(embedding):
    hint = "input" if embedding == "ipe" else "none"
    model = retrofit(tiny(), position_embedding=embedding, scale_hint=hint, **SMALL)
    ids = torch.randint(3, 64, (2, 6))
    given = {"scale_hint": torch.tensor([2, 2])} if hint == "input" else {}
    torch.testing.assert_close(model(ids, **given).logits, model.base(ids).logits, atol=1e-5, rtol=0)
    for adapter in model.additions:
        adapter.up.weight.normal_()
    cache = model(ids[:, :5], use_cache=True, **given).past_key_values
    last = model(ids[:, 5:], past_key_values=cache).logits
    torch.testing.assert_close(last, model(ids, **given).logits[:, 5:], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_bias_of_chosen_heads_leaves_the_others():
    base = tiny()
    everything = retrofit(base, mode="bias", layers=[1], heads=[1, 3])
    everything.additions[0].position.weight.normal_()
    seen = []
    base.model.layers[1].self_attn.register_forward_pre_hook(
        lambda m, a, k: seen.append(k["position_bias"]), with_kwargs=True
    )
    everything(torch.randint(3, 64, (1, 8)), scale_hint=torch.tensor([2]))
    assert seen[0].shape == (1, 4, 8, 8)
    assert seen[0][0, [0, 2]].abs().max() == 0 and seen[0][0, 1].abs().max() > 0 and seen[0][0, 3].abs().max() > 0
