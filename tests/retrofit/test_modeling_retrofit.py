"""Right after retrofit the model is the base; disturbed additions agree with themselves, cached, padded and batched."""

import copy
import warnings

import accelerate
import pytest
import torch
from transformers import DynamicCache, StaticCache

from hf_lengthgen import ScaleHintError
from hf_lengthgen.hub.verify_retrofit import verify_retrofit
from hf_lengthgen.retrofit import RetrofitForCausalLM, retrofit

from .tiny import CONFIGS, SMALL, options, tiny

HINT = torch.tensor([2, 3])
MODES = ("adapter", "bias")
GREEDY = {"max_new_tokens": 8, "do_sample": False}


def batch(length: int = 7, pad: int = 2):
    ids = torch.randint(3, 64, (2, length))
    mask = torch.ones_like(ids)
    mask[0, :pad], ids[0, :pad] = 0, 0
    return ids, mask, (mask.cumsum(-1) - 1).clamp(min=0)


def disturb(model, size: float = 0.3):
    with torch.no_grad():
        for parameter in model.additions.parameters():
            parameter.add_(size * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", CONFIGS)
@torch.no_grad()
def test_right_after_retrofit_it_is_the_base(family, mode):
    base = tiny(family)
    ids, mask, _ = batch()
    real = mask.bool()
    logits = base(ids, attention_mask=mask).logits
    cached = base.generate(ids, attention_mask=mask, **GREEDY)
    uncached = base.generate(ids, attention_mask=mask, use_cache=False, **GREEDY)
    model = retrofit(base, **options(mode))
    for hint in (None, HINT):
        got = model(ids, attention_mask=mask, scale_hint=hint).logits
        torch.testing.assert_close(got[real], logits[real], atol=1e-5, rtol=0)
        assert mode == "bias" or torch.equal(got[real], logits[real])  # adapters add zeros, and nothing else
        assert torch.equal(model.generate(ids, attention_mask=mask, scale_hint=hint, **GREEDY), cached)
        kept = model.generate(ids, attention_mask=mask, scale_hint=hint, use_cache=False, **GREEDY)
        assert torch.equal(kept, uncached)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", CONFIGS)
@torch.no_grad()
def test_disturbed_additions_agree_with_themselves(family, mode):
    model = disturb(retrofit(tiny(family), **options(mode)))
    ids, mask, positions = batch(9)
    without = model(ids, attention_mask=mask, position_ids=positions).logits
    whole = model(ids, attention_mask=mask, position_ids=positions, scale_hint=HINT).logits
    assert (whole - without)[mask.bool()].abs().max() > 1e-3  # a hint changes something
    # Without a hint the disturbed model is still the base, to the bit.
    assert torch.equal(without, model.base(ids, attention_mask=mask, position_ids=positions).logits)
    # Step by step with a cache, the hint given once.
    first = model(
        ids[:, :4], attention_mask=mask[:, :4], position_ids=positions[:, :4], scale_hint=HINT, use_cache=True
    )
    parts, cache = [first.logits], first.past_key_values
    for t in range(4, 9):
        step = model(
            ids[:, t : t + 1],
            attention_mask=mask[:, : t + 1],
            position_ids=positions[:, t : t + 1],
            past_key_values=cache,
        )
        parts.append(step.logits)
    torch.testing.assert_close(torch.cat(parts, 1)[mask.bool()], whole[mask.bool()], atol=1e-5, rtol=0)
    # Alone, without its padding.
    alone = model(ids[:1, 2:], scale_hint=HINT[:1]).logits
    torch.testing.assert_close(alone, whole[:1, 2:], atol=1e-5, rtol=0)
    # The past does not see the future.
    changed = ids.clone()
    changed[:, -1] = (changed[:, -1] + 7 - 3) % 61 + 3
    other = model(changed, attention_mask=mask, position_ids=positions, scale_hint=HINT).logits
    torch.testing.assert_close(
        other[:, :-1][mask[:, :-1].bool()], whole[:, :-1][mask[:, :-1].bool()], atol=1e-6, rtol=0
    )


@torch.no_grad()
def test_greedy_text_is_the_same_with_and_without_a_cache():
    model = disturb(retrofit(tiny(), **SMALL))
    ids, mask, _ = batch()
    texts = [
        model.generate(ids, attention_mask=mask, scale_hint=HINT, use_cache=use, **GREEDY) for use in (True, False)
    ]
    assert torch.equal(*texts)
    beams = model.generate(ids, attention_mask=mask, scale_hint=HINT, max_new_tokens=5, num_beams=3, do_sample=False)
    # Beams of two examples together are those of each alone: the adapters' keys follow the beams.
    alone = model.generate(ids[1:], scale_hint=HINT[1:], max_new_tokens=5, num_beams=3, do_sample=False)
    assert beams[1].tolist()[: alone.shape[1]] == alone[0].tolist()


@torch.no_grad()
def test_an_example_without_a_hint_is_served_by_the_base():
    model = disturb(retrofit(tiny(), **SMALL))
    ids, mask, positions = batch(pad=0)
    mixed = model(ids, scale_hint=torch.tensor([0, 3])).logits
    assert torch.equal(mixed[0], model.base(ids).logits[0])
    torch.testing.assert_close(mixed[1], model(ids, scale_hint=HINT).logits[1], atol=1e-6, rtol=0)


@torch.no_grad()
def test_the_hint_is_read_from_the_prompt_where_it_shows_one():
    rule = [[None, 60]]
    model = disturb(retrofit(tiny(), scale_hint="prompt", scale_rule=rule, **SMALL))
    shown = torch.tensor([[5, 6, 7, 60, 8, 9, 10, 61]])
    plain = torch.tensor([[5, 6, 7, 59, 8, 9, 10, 61]])
    assert torch.equal(model(shown).logits, model(shown, scale_hint=torch.tensor([3])).logits)
    assert torch.equal(model(plain).logits, model.base(plain).logits)
    both = model(torch.cat((shown, plain))).logits
    torch.testing.assert_close(both[0], model(shown).logits[0], atol=1e-6, rtol=0)
    assert torch.equal(both[1], model.base(torch.cat((shown, plain))).logits[1])
    texts = model.generate(shown, scale_hint=torch.tensor([3]), **GREEDY), model.generate(shown, **GREEDY)
    assert torch.equal(*texts)
    # What a model writes does not switch the additions on: the cache was begun without a hint.
    cache = model(plain, use_cache=True).past_key_values
    model(torch.tensor([[60]]), past_key_values=cache)
    assert len(cache.layers) == model.config.num_hidden_layers
    with pytest.raises(ScaleHintError, match="contradicts example 0"):
        model(shown, scale_hint=torch.tensor([4]))


def test_bad_hints_and_caches_are_refused():
    model = retrofit(tiny(), **SMALL)
    ids, _, _ = batch(pad=0)
    with pytest.raises(ScaleHintError, match="at least 1, not -1"):
        model(ids, scale_hint=torch.tensor([-1, 2]))
    with pytest.raises(ScaleHintError, match="integers"):
        model(ids, scale_hint=torch.tensor([1.0, 2.0]))
    with pytest.raises(ScaleHintError, match="shape"):
        model(ids, scale_hint=torch.tensor([1, 2, 3]))
    cache = DynamicCache(config=model.base.config)
    model(ids, past_key_values=cache)
    with pytest.raises(ScaleHintError, match="begun without one"):
        model(ids[:, :1], past_key_values=cache, scale_hint=HINT)
    begun = model(ids, scale_hint=HINT, use_cache=True).past_key_values
    model(ids[:, :1], past_key_values=begun, scale_hint=HINT)
    with pytest.raises(ScaleHintError, match="contradicts the one this cache was begun with"):
        model(ids[:, :1], past_key_values=begun, scale_hint=HINT + 1)
    with pytest.raises(ValueError, match="DynamicCache, not in a StaticCache"):
        model(ids, scale_hint=HINT, past_key_values=StaticCache(config=model.base.config, max_cache_len=16))
    without = retrofit(tiny(), scale_hint="none", **SMALL)
    with pytest.raises(ScaleHintError, match="takes no scale_hint"):
        without(ids, scale_hint=HINT)
    eager = retrofit(tiny(), mode="bias", layers=[0])
    eager.base.set_attn_implementation("eager")
    with pytest.raises(ValueError, match="needs attn_implementation='sdpa'"):
        eager(ids, scale_hint=HINT)


def test_gradients_reach_the_additions_alone_and_checkpointing_changes_nothing():
    model = disturb(retrofit(tiny(), **SMALL)).train()
    ids, mask, _ = batch()
    labels, calls = ids.masked_fill(mask == 0, -100), []
    # A hook of the layer itself does not see the recomputation, which goes on inside.
    model.base.model.layers[1].self_attn.register_forward_pre_hook(lambda *_: calls.append(1))

    def gradients():
        model.zero_grad()
        model.set_gate_noise(0, 0)
        model(ids, attention_mask=mask, labels=labels, scale_hint=HINT).loss.backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    plain = gradients()
    assert all(name.startswith("additions.") for name in plain)
    assert len(plain) == len(list(model.additions.parameters()))
    assert len(calls) == 1
    model.gradient_checkpointing_enable()
    checkpointed = gradients()
    assert len(calls) == 1 + 2  # computed, and once more on the way back
    assert plain.keys() == checkpointed.keys()
    for name in plain:
        torch.testing.assert_close(plain[name], checkpointed[name], atol=1e-6, rtol=1e-4)


def test_writes_last_needs_no_backward_pass_through_the_base():
    model = disturb(retrofit(tiny(), writes="last", **SMALL)).train()
    ids, _, _ = batch(pad=0)
    seen = []
    model.base.model.layers[1].register_forward_hook(lambda m, a, out: seen.append(out.requires_grad))
    model(ids, labels=ids, scale_hint=HINT).loss.backward()
    assert seen == [False]
    assert model.additions[0].up is None
    assert model.additions[0].down.weight.grad.abs().sum() > 0  # by way of the stream


@torch.no_grad()
def test_hardening_keeps_what_settled_gates_compute():
    model = disturb(retrofit(tiny(), **SMALL), 0.1)
    ids, mask, positions = batch()
    for position in model.position_modules():
        position.gate.copy_(20 * torch.randn_like(position.gate).sign())
        position.gate[:, -1] = -20  # `other` shut: attention becomes sparse
    before = model(ids, attention_mask=mask, position_ids=positions, scale_hint=HINT).logits
    model.harden()
    after = model(ids, attention_mask=mask, position_ids=positions, scale_hint=HINT).logits
    assert model.position_modules()[0].is_sparse
    torch.testing.assert_close(before, after, atol=1e-5, rtol=1e-4)
    assert len(model.config.open_relations) == 2 and len(model.relations()[0]) == 4
    with pytest.raises(ValueError, match="needs mode='adapter'"):
        retrofit(tiny(), mode="bias").harden()


def test_a_copy_has_additions_of_its_own():
    model = disturb(retrofit(tiny(), **SMALL))
    ids, _, _ = batch(pad=0)
    other = disturb(copy.deepcopy(model))
    with torch.no_grad():
        assert (other(ids, scale_hint=HINT).logits - model(ids, scale_hint=HINT).logits).abs().max() > 1e-3


@torch.no_grad()
def test_several_models_share_one_base():
    base = tiny()
    models = [disturb(retrofit(base, **options(mode))) for mode in ("adapter", "adapter", "bias")]
    ids, _, _ = batch(pad=0)
    got = [model(ids, scale_hint=HINT).logits for model in models]
    for model, logits in zip(models, got, strict=True):
        alone = retrofit(copy.deepcopy(base), **options(model.config.mode))
        alone.additions.load_state_dict(model.additions.state_dict())
        assert torch.equal(alone(ids, scale_hint=HINT).logits, logits)
    assert (got[0] - got[1]).abs().max() > 1e-3 and torch.equal(models[0](ids).logits, base(ids).logits)


@pytest.mark.parametrize("through", ("model", "base"))
@pytest.mark.parametrize("tied", (False, True))
@torch.no_grad()
def test_more_tokens(tied, through, tmp_path):
    model = disturb(retrofit(tiny(tie_word_embeddings=tied), **SMALL))
    ids, _, _ = batch(pad=0)
    before = model(ids, scale_hint=HINT).logits
    old = model.config.base_digest, model.config.base_weights
    assert model.resize_token_embeddings().weight.shape[0] == 64
    assert (model.config.base_digest, model.config.base_weights) == old
    (model if through == "model" else model.base).resize_token_embeddings(80)
    torch.testing.assert_close(model(ids, scale_hint=HINT).logits[..., :64], before, atol=1e-6, rtol=0)
    ids[:, 3] = 75
    out = model(ids, labels=ids, scale_hint=HINT)
    wanted = torch.nn.functional.cross_entropy(out.logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    torch.testing.assert_close(out.loss, wanted)
    assert not any(p.requires_grad for p in model.base.parameters())
    head, embeddings = model.get_output_embeddings().weight, model.get_input_embeddings().weight
    assert (head is embeddings) is tied and len(head) == len(embeddings) == 80
    model.save_pretrained(tmp_path / "whole")
    model.save_pretrained(tmp_path / "part", additions_only=True)
    assert model.config.vocab_size == model.config.base_config.vocab_size == 80
    verify_retrofit(tmp_path / "whole")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        part = RetrofitForCausalLM.from_pretrained(tmp_path / "part", base=model.base)
    for loaded in (RetrofitForCausalLM.from_pretrained(tmp_path / "whole"), part):
        assert torch.equal(loaded(ids, scale_hint=HINT).logits, out.logits)
    with pytest.raises(ValueError, match="vocab_size=80; the given base has vocab_size=64"):
        RetrofitForCausalLM.from_pretrained(tmp_path / "part", base=tiny(tie_word_embeddings=tied))


@torch.no_grad()
def test_reads_first_depends_on_the_layers_between_by_their_own_output_alone():
    model = disturb(retrofit(tiny(), reads="first", writes="last", **SMALL))
    assert model.additions[1].down is None and model.additions[0].up is None
    ids, mask, positions = batch()
    streams = []
    model.additions[1].register_forward_hook(lambda m, a, out: streams.append(out[0]))
    model(ids, attention_mask=mask, position_ids=positions, scale_hint=HINT)
    for parameter in model.base.model.layers[1].parameters():
        parameter.mul_(2)
    model(ids, attention_mask=mask, position_ids=positions, scale_hint=HINT)
    assert torch.equal(*streams)
    cache = model(ids[1:, :6], scale_hint=HINT[1:], use_cache=True).past_key_values
    last = model(ids[1:, 6:], past_key_values=cache).logits
    torch.testing.assert_close(last, model(ids[1:], scale_hint=HINT[1:]).logits[:, 6:], atol=1e-5, rtol=0)


def test_a_prompt_in_chunks_has_the_hint_of_the_whole():
    torch.manual_seed(0)
    model = disturb(retrofit(tiny(), scale_hint="prompt", scale_rule=[[None, 50]], **options("adapter")), 0.5)
    whole = torch.tensor([[5, 6, 7, 9, 12, 50, 8, 9], [5, 6, 50, 9, 12, 4, 8, 9]])
    greedy = GREEDY | {"eos_token_id": None}
    wanted = model.generate(whole, **greedy)
    assert not torch.equal(wanted, model.base.generate(whole, **greedy))
    assert torch.equal(model.generate(whole, prefill_chunk_size=2, **greedy), wanted)
    padded = torch.cat((torch.zeros(2, 3, dtype=torch.long), whole), -1)
    mask = (padded != 0).long()
    assert torch.equal(model.generate(padded, attention_mask=mask, prefill_chunk_size=2, **greedy)[:, 3:], wanted)
    silent = torch.tensor([[5, 6, 7, 9, 12, 5]])  # shows no hint
    assert torch.equal(model.generate(silent, prefill_chunk_size=2, **greedy), model.base.generate(silent, **greedy))


def test_dropped_positions_are_not_switched_on_again():
    model = disturb(retrofit(tiny(), mode="bias", layers=[0, 2], own_positions="drop"))
    ids, mask, _ = batch()
    model(ids, attention_mask=mask, scale_hint=HINT)
    model.set_attn_implementation("sdpa")
    with pytest.raises(
        ValueError, match="needs attn_implementation='lengthgen_relation_heads' of the base, not 'sdpa'"
    ):
        model(ids, attention_mask=mask, scale_hint=HINT)


def test_reentrant_checkpointing_is_refused():
    """What one adapter hands on to the next has no gradient there."""
    model = retrofit(tiny(), **options("adapter"))
    with pytest.raises(ValueError, match="use_reentrant=False"):
        model.gradient_checkpointing_enable({"use_reentrant": True})
    model.gradient_checkpointing_enable({"use_reentrant": False})


def test_a_base_on_several_devices_is_refused():
    base = tiny()
    base.model.layers[1].to("meta")
    with pytest.raises(ValueError, match="needs? a base that lies on one device, not on cpu and meta"):
        retrofit(base, **options("adapter"))
    with pytest.raises(ValueError, match="lies on one device, not on meta"):
        retrofit(accelerate.cpu_offload(tiny(), execution_device=torch.device("cpu")), **options("adapter"))
