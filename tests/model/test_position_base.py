"""The interface itself: a third party's embedding that uses the hooks no built-in one uses yet."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from hf_lengthgen import LengthGenConfig, LengthGenForCausalLM, PositionEmbedding, register_position_embedding
from hf_lengthgen.model import position_registry
from hf_lengthgen.model.position_base import Capabilities
from hf_lengthgen.model.position_registry import get_position_embedding, list_position_embeddings

from .cases import Case, left_padded


class Gated(PositionEmbedding):
    """Content-dependent bias from a cached state (as forgetting attention), and a factor after the softmax (as
    URPE)."""

    name = "test_gated"
    per_layer = True

    @dataclass(frozen=True)
    class Options:
        width: int = 2

        def validate(self, config):
            if self.width < 1:
                raise ValueError("width must be at least 1")

    def __init__(self, config, layer_idx=None):
        super().__init__(config, layer_idx)
        self.project = nn.Linear(config.hidden_size, self.num_heads * self.options.width, bias=False)
        self.factor = nn.Parameter(torch.ones(self.num_heads))

    @property
    def capabilities(self):
        return Capabilities(sdpa=False, learned_parameters=True)

    def key_state(self, hidden, ctx):
        return self.project(hidden).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def bias(self, q, k, state, ctx):
        return state.sum(-1)[:, :, None, :] / (1 + ctx.distance().abs())

    def reweight(self, probs, ctx):
        return probs * self.factor[:, None, None] / (1 + 0.1 * ctx.distance().abs())


class Near(PositionEmbedding):
    """A plain additive bias, for others to build on."""

    name = "test_near"

    def bias(self, q, k, state, ctx):
        return -ctx.distance().abs().to(q.dtype)


class Shuffled(PositionEmbedding):
    """Ids of its own, made where the full input is known."""

    name = "test_ids"

    @property
    def capabilities(self):
        return Capabilities(structured_ids=True, cache=False)

    def make_ids(self, input_ids, position_ids):
        if input_ids is None:
            raise ValueError("needs the full input_ids")
        return torch.where(position_ids >= 0, (input_ids * 7) % 5, -1)

    def embed(self, ctx):
        return torch.nn.functional.one_hot(ctx.q_ids.clamp(min=0), 32).float()


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(position_registry, "_REGISTRY", dict(position_registry._REGISTRY))
    register_position_embedding(Gated)
    register_position_embedding(Shuffled)
    register_position_embedding(Near)


def test_hooks_agree_between_cached_padded_and_full(registered):
    case = Case("test_gated", {"width": 3})
    model = case.model()
    assert model.config._attn_implementation == "eager"
    rows = [case.prompts()[0], case.prompts()[1, :9]]
    ids, mask = left_padded(rows)
    full, real = model(ids, attention_mask=mask).logits, mask.bool()
    for index, row in enumerate(rows):
        torch.testing.assert_close(full[index][real[index]], model(row[None]).logits[0], atol=1e-5, rtol=1e-5)
    options = dict(max_new_tokens=5, do_sample=False, eos_token_id=None, pad_token_id=0, attention_mask=mask)
    cached = model.generate(ids, **options)
    for other in (dict(use_cache=False), dict(cache_implementation="static")):
        assert torch.equal(cached, model.generate(ids, **options, **other))


def test_the_factor_after_the_softmax_counts(registered):
    case = Case("test_gated")
    model = case.model()
    before = model(case.prompts()).logits
    with torch.no_grad():
        model.position_modules()[0].factor.mul_(0.5)
    assert (model(case.prompts()).logits - before).abs().max() > 1e-3


def test_sdpa_where_it_cannot_be_is_an_error(registered):
    with pytest.raises(ValueError, match="'test_gated' works on probabilities"):
        LengthGenForCausalLM._from_config(Case("test_gated").config(), attn_implementation="sdpa")
    model = Case("test_gated").model()
    with pytest.raises(ValueError, match="'test_gated' works on probabilities"):
        model.set_attn_implementation("sdpa")


def test_ids_follow_the_input_and_a_bare_cached_step_is_an_error(registered):
    case = Case("test_ids")
    model, ids = case.model(), case.prompts()
    cache = model(ids, use_cache=True).past_key_values
    with pytest.raises(ValueError, match="full input_ids"):
        model(ids[:, :1], past_key_values=cache)


@pytest.mark.parametrize(("name", "expected"), [("path", True), ("rpe_square", True), ("rope", False), ("lbpe", False)])
def test_which_embeddings_have_square_tables(name, expected):
    assert Case(name).model().square_tables is expected


def test_saving_an_embedding_built_on_a_third_partys_warns_too(registered, tmp_path):
    model = Case("dape", {"base": "test_near"}).model()
    with pytest.warns(UserWarning, match="'test_near' is defined in .* does not\\s+travel"):
        model.save_pretrained(tmp_path)
    assert LengthGenConfig.from_pretrained(tmp_path).position_package == __name__


def test_saving_a_third_partys_embedding_warns_and_names_the_package(registered, tmp_path):
    model = Case("test_gated").model()
    with pytest.warns(UserWarning, match="does not\\s+travel"):
        model.save_pretrained(tmp_path)
    assert LengthGenConfig.from_pretrained(tmp_path).position_package == __name__


def test_registration_errors(registered):
    register_position_embedding(Gated)  # again: fine
    with pytest.raises(ValueError, match="already taken"):
        register_position_embedding(type("Other", (PositionEmbedding,), {"name": "rope"}))
    with pytest.raises(ValueError, match="subclass of PositionEmbedding"):
        register_position_embedding(dict)
    with pytest.raises(ValueError, match="needs a name"):
        register_position_embedding(type("Nameless", (PositionEmbedding,), {}))


def test_unknown_names_give_the_nearest_match():
    with pytest.raises(ValueError, match="unknown position embedding 'ropee'. Did you mean 'rope'"):
        get_position_embedding("ropee")
    assert {"none", "learned", "sinusoidal", "rope", "alibi", "t5", "ipe", "lbpe"} <= set(list_position_embeddings())


@pytest.mark.parametrize("name", list_position_embeddings())
def test_builds_from_sizes_alone(name):
    model = LengthGenForCausalLM(LengthGenConfig(position_embedding=name))
    assert model(torch.tensor([[1, 2, 3]])).logits.shape == (1, 3, 32)


def test_no_embedding_is_special_cased_outside_the_registry():
    from pathlib import Path

    import hf_lengthgen

    for path in Path(hf_lengthgen.__file__).parent.joinpath("model").rglob("*.py"):
        text = path.read_text()
        assert "position_embedding ==" not in text and "position_embedding in (" not in text, path


def test_whoever_loads_a_third_partys_embedding_is_told_what_to_import(registered, tmp_path, monkeypatch):
    with pytest.warns(UserWarning, match="whoever loads it must import that module first"):
        Case("test_gated").model().save_pretrained(tmp_path)
    monkeypatch.delitem(position_registry._REGISTRY, "test_gated")
    with pytest.raises(ValueError, match=f"'test_gated' is registered by '{__name__}': import that first"):
        LengthGenForCausalLM.from_pretrained(tmp_path)
