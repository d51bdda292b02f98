"""`own_positions="drop"`: heads without rotary positions, against a base without them and against attention by hand."""

import copy

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from hf_lengthgen.retrofit import RetrofitForCausalLM, retrofit
from hf_lengthgen.retrofit.families import FAMILIES
from hf_lengthgen.retrofit.relation_heads import turn_back

from .test_modeling_retrofit import GREEDY, HINT, batch, disturb
from .tiny import CONFIGS, tiny

ROTARY = [family for family in CONFIGS if FAMILIES[family].rotary]
DROP = {"mode": "bias", "own_positions": "drop"}


class Unturned(torch.nn.Module):
    """In the place of a rotary embedding: cos = 1 and sin = 0 everywhere."""

    def __init__(self, rotary, config):
        super().__init__()
        positions = torch.zeros(1, 1, dtype=torch.long)
        self.width = rotary(torch.zeros(1), positions)[0].shape[-1]

    def forward(self, x, position_ids):
        shape = (*position_ids.shape, self.width)
        return torch.ones(shape, dtype=x.dtype), torch.zeros(shape, dtype=x.dtype)


def without_positions(base):
    """A copy of the base in which no head of any layer is turned."""
    plain = copy.deepcopy(base)
    path, _, name = FAMILIES[base.config.model_type].rotary.rpartition(".")
    parent = plain.get_submodule(path)
    setattr(parent, name, Unturned(getattr(parent, name), base.config))
    return plain


@pytest.mark.parametrize("family", ROTARY)
@torch.no_grad()
def test_with_all_heads_dropped_it_is_the_base_without_rotary(family):
    base = tiny(family)
    with_positions, plain = copy.deepcopy(base), without_positions(base)
    model = retrofit(base, layers="all", **DROP)
    ids, mask, positions = batch(9)
    real, given = mask.bool(), {"attention_mask": mask}
    want = plain(ids, **given).logits[real]
    assert (want - with_positions(ids, **given).logits[real]).abs().max() > 1e-5  # there is something to drop
    # Positions counted from the first slot (the base's default) or from the first real token: the same.
    for extra in ({}, {"position_ids": positions}):
        got = model(ids, **given, **extra, scale_hint=HINT).logits
        torch.testing.assert_close(got[real], want, atol=1e-5, rtol=0)
    # Without a hint the base is the base, to the bit.
    assert torch.equal(model(ids, **given).logits, with_positions(ids, **given).logits)
    # With a cache and left padding, step by step.
    wanted = plain.generate(ids, **given, **GREEDY)
    assert torch.equal(model.generate(ids, **given, scale_hint=HINT, **GREEDY), wanted)
    first = model(ids[:, :5], attention_mask=mask[:, :5], scale_hint=HINT, use_cache=True)
    logits = [first.logits]
    for t in range(5, 9):
        step = {"attention_mask": mask[:, : t + 1], "past_key_values": first.past_key_values}
        logits.append(model(ids[:, t : t + 1], **step).logits)
    torch.testing.assert_close(torch.cat(logits, 1)[real], want, atol=1e-5, rtol=0)


def turned(x, positions, theta=10000.0):
    """x (B, H, T, D) rotated by hand: entries d and d + D/2 are a complex number."""
    half = x.shape[-1] // 2
    angles = positions[:, None, :, None] * theta ** (-torch.arange(half, dtype=torch.float64) / half)
    z = torch.complex(x[..., :half].double(), x[..., half:].double()) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat((z.real, z.imag), -1)


@torch.no_grad()
def test_chosen_heads_against_attention_by_hand():
    base = tiny()
    model = disturb(retrofit(base, layers=[1], heads=[0, 3], **DROP))
    ids, mask, positions = batch(9)
    attention, seen = base.model.layers[1].self_attn, {}
    attention.register_forward_pre_hook(lambda m, a, k: seen.update(k), with_kwargs=True, prepend=True)
    attention.o_proj.register_forward_pre_hook(lambda m, a: seen.update(output=a[0]))
    model(ids, attention_mask=mask, position_ids=positions, scale_hint=HINT)
    hidden = seen["hidden_states"]
    q, k, v = (
        p(hidden).view(2, 9, -1, 8).transpose(1, 2).double()
        for p in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    k, v = k.repeat_interleave(2, 1), v.repeat_interleave(2, 1)
    keep = torch.tensor([False, True, True, False])[None, :, None, None]
    q, k = torch.where(keep, turned(q, positions), q), torch.where(keep, turned(k, positions), k)
    bias = model.additions[0](seen["retrofit_pass"].context, torch.float32).double()
    assert bias[:, [0, 3]].abs().max() > 0.1 and bias[:, [1, 2]].abs().max() == 0
    visible = torch.ones(9, 9).tril().bool()[None, None] & mask.bool()[:, None, None]
    scores = (q @ k.transpose(-1, -2) / 8**0.5 + bias).masked_fill(~visible, -1e9)
    want = (scores.softmax(-1) @ v).transpose(1, 2).reshape(2, 9, 32)
    torch.testing.assert_close(seen["output"].double()[mask.bool()], want[mask.bool()], atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", ["llama", "mistral", "phi", "gpt_neox"])
@torch.no_grad()
def test_chosen_heads_with_a_cache_padding_and_examples_without_a_hint(family):
    model = disturb(retrofit(tiny(family), layers=[0, 2], heads=[1], **DROP))
    ids, mask, positions = batch(10)
    given = {"attention_mask": mask, "position_ids": positions}
    real = mask.bool()
    whole = model(ids, **given, scale_hint=HINT).logits
    kept = copy.deepcopy(model)
    kept.config.own_positions = "keep"
    assert (kept(ids, **given, scale_hint=HINT).logits - whole)[real].abs().max() > 1e-4
    first = model(ids[:, :4], attention_mask=mask[:, :4], position_ids=positions[:, :4], scale_hint=HINT)
    rest = model(ids[:, 4:], **{**given, "position_ids": positions[:, 4:]}, past_key_values=first.past_key_values)
    logits = torch.cat((first.logits, rest.logits), 1)
    torch.testing.assert_close(logits[real], whole[real], atol=1e-5, rtol=0)
    mixed = model(ids, **given, scale_hint=torch.tensor([0, 3])).logits
    base = model.base(ids, **given).logits
    torch.testing.assert_close(mixed[0][real[0]], base[0][real[0]], atol=1e-5, rtol=0)
    torch.testing.assert_close(mixed[1], whole[1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("scaling", [1.0, 1.3])
def test_turning_back_undoes_a_rotation_and_leaves_what_was_not_turned(scaling):
    x, positions = torch.randn(2, 3, 5, 12), torch.arange(5)[None] + torch.tensor([[0], [7]])
    angles = positions[..., None] * torch.tensor([1.0, 0.1, 0.01, 1.0, 0.1, 0.01])
    rotated = torch.cat((scaling * turned(x[..., :6], positions, 10.0**3), x[..., 6:].double()), -1)
    back = turn_back(rotated.float(), scaling * angles.cos(), scaling * angles.sin(), scaling)
    torch.testing.assert_close(back, x, atol=1e-5, rtol=0)


@torch.no_grad()
def test_both_kinds_of_folder_come_back(tmp_path):
    tiny().save_pretrained(tmp_path / "base")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    model = disturb(retrofit(base, layers=[1], heads=[2], **DROP)).eval()
    ids, mask, _ = batch()
    want = model(ids, attention_mask=mask, scale_hint=HINT).logits
    model.save_pretrained(tmp_path / "whole")
    model.save_pretrained(tmp_path / "part", additions_only=True)
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "whole")
    part = RetrofitForCausalLM.from_pretrained(tmp_path / "part")
    for loaded in (whole, part):
        assert loaded.config.own_positions == "drop"
        assert torch.equal(loaded(ids, attention_mask=mask, scale_hint=HINT).logits, want)
        assert torch.equal(
            loaded(ids, attention_mask=mask).logits,
            AutoModelForCausalLM.from_pretrained(tmp_path / "base")(ids, attention_mask=mask).logits,
        )


def test_what_cannot_be_dropped_is_refused():
    with pytest.raises(ValueError, match="'gpt2' has none, but position embeddings added to its tokens"):
        retrofit(tiny("gpt2"), **DROP)
    with pytest.raises(ValueError, match="needs mode='bias'"):
        retrofit(tiny(), own_positions="drop")
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    sizes = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    moving = AutoModelForCausalLM.from_config(LlamaConfig(**sizes, intermediate_size=48, rope_parameters=rope))
    with pytest.raises(ValueError, match="do not depend on the length; this base has 'dynamic'"):
        retrofit(moving, **DROP)
