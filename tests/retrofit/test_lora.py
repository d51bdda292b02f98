"""LoRA, alone and beside additions: what trains, what is written, what comes back; without peft a clear error."""

import copy
import json
import sys

import pytest
import torch

from hf_lengthgen.cli import main
from hf_lengthgen.retrofit import RetrofitForCausalLM
from hf_lengthgen.retrofit.knowledge import load_trained
from hf_lengthgen.retrofit.lora import lora_parameters, save_lora
from hf_lengthgen.retrofit.train import _optimizer, train

from .test_text import byte_pairs
from .test_train import fresh
from .tiny import SMALL, tiny


@pytest.fixture
def peft():
    return pytest.importorskip("peft", reason="an extra: make test-extras")


def test_lora_trains_beside_the_additions(peft):
    settings, model, codec = fresh(lora_rank=2, steps=10)
    moving = {name for name, p in model.named_parameters() if p.requires_grad}
    lora = {name for name in moving if "lora_" in name}
    assert lora and all(name.startswith("base.") for name in lora)
    assert moving - lora == {name for name, _ in model.named_parameters() if name.startswith("additions.")}
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    train(model, codec, settings)
    changed = {name for name, p in model.named_parameters() if not torch.equal(before[name], p)}
    assert changed <= moving and any("lora_B" in name for name in changed)
    alone, model, codec = fresh(lora_rank=2, additions=False, steps=10)
    assert train(model, codec, alone)[-1]["step"] == 10


def test_lora_on_the_head_trains_with_candidates(peft):
    """Its parts: one with a row for each token, and one without."""
    settings, model, codec = fresh(lora_rank=2, lora_targets="lm_head", candidates=20, steps=3)
    before = [p.detach().clone() for p in lora_parameters(model)]
    train(model, codec, settings)
    assert len(before) == 2 and not any(torch.equal(a, b) for a, b in zip(before, lora_parameters(model), strict=True))


def check_learning_rates(settings, model):
    """LoRA alone has its own; everything else that trains has another."""
    groups = _optimizer(model, settings).param_groups
    its = {id(p) for p in lora_parameters(model)}
    assert {id(p) for g in groups for p in g["params"] if g["peak"] == 7e-5} == its
    assert {id(p) for g in groups for p in g["params"]} == {id(p) for p in model.parameters() if p.requires_grad}
    settings.lora_learning_rate = None
    assert 7e-5 not in {g["peak"] for g in _optimizer(model, settings).param_groups}


def test_lora_may_have_a_learning_rate_of_its_own(peft):
    settings, model, _ = fresh(lora_rank=2, lora_learning_rate=7e-5)
    check_learning_rates(settings, model)


def test_what_trains_under_the_names_that_peft_gives_is_lora():
    settings, model, _ = fresh(lora_learning_rate=7e-5)
    parts = []
    for layer in model.base.model.layers:
        for name, sizes in (("lora_A", (32, 2)), ("lora_B", (2, 32))):
            parts.append(torch.nn.Linear(*sizes, bias=False))
            layer.self_attn.q_proj.add_module(name, torch.nn.ModuleDict({"default": parts[-1]}))
    parts.pop().requires_grad_(False)  # of another adapter, say
    assert [id(p) for p in lora_parameters(model)] == [id(part.weight) for part in parts]
    check_learning_rates(settings, model)


def test_both_come_back_from_an_output_folder(peft, tmp_path):
    base = tiny()
    base.save_pretrained(tmp_path / "base")
    byte_pairs().save_pretrained(tmp_path / "base")
    words = ["--base_model", str(tmp_path / "base"), "--steps", "5", "--batch_size", "4", "--n_max", "2"]
    words += ["--lora_rank", "2", "--evaluate", "[1]", "--evaluate_examples", "2", "--learning_rate", "0.05"]
    both = [*words, "--retrofit", json.dumps(SMALL), "--output_dir", str(tmp_path / "both")]
    alone = [*words, "--additions", "false", "--output_dir", str(tmp_path / "alone")]
    assert main(["train", *both]) == main(["train", *alone]) == 0
    assert (tmp_path / "both" / "additions.safetensors").is_file()
    assert not (tmp_path / "alone" / "additions.safetensors").exists()
    ids, hint = torch.randint(3, 64, (2, 5)), torch.tensor([2, 2])
    with torch.no_grad():
        plain = base(ids).logits
        with_both = load_trained(tmp_path / "both", copy.deepcopy(base))
        assert type(with_both) is RetrofitForCausalLM
        assert (with_both(ids).logits - plain).abs().max() > 1e-4  # LoRA works without a hint too
        assert (with_both(ids, scale_hint=hint).logits - with_both(ids).logits).abs().max() > 1e-4
        alone = load_trained(tmp_path / "alone", copy.deepcopy(base))
        other = peft.PeftModel.from_pretrained(copy.deepcopy(base), str(tmp_path / "alone" / "lora"))
        torch.testing.assert_close(alone(ids).logits, other(ids).logits, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="holds no LoRA of this base"):
        load_trained(tmp_path / "alone", tiny(hidden_size=48, head_dim=12))
    with pytest.raises(ValueError, match="holds neither additions nor a LoRA"):
        load_trained(tmp_path / "base", base)


@torch.no_grad()
def test_what_is_saved_is_what_was_trained_beside_the_additions(peft, tmp_path):
    settings, model, _ = fresh(lora_rank=2)
    for p in [*lora_parameters(model), *model.additions.parameters()]:
        p.add_(0.1 * torch.randn_like(p))
    ids, hint = torch.randint(3, 64, (2, 5)), torch.tensor([2, 2])
    want = model(ids, scale_hint=hint).logits
    save_lora(model.base, tmp_path / "lora")
    model.save_pretrained(tmp_path, additions_only=True)
    torch.manual_seed(1)
    base = tiny()
    base.lm_head.weight.mul_(40)
    torch.testing.assert_close(load_trained(tmp_path, base)(ids, scale_hint=hint).logits, want, atol=1e-4, rtol=1e-4)


def test_peft_wraps_a_retrofitted_model_and_merges(peft):
    settings, model, _ = fresh()
    ids, hint = torch.randint(3, 64, (2, 5)), torch.tensor([2, 2])
    config = peft.LoraConfig(r=2, target_modules=r"base.*q_proj", init_lora_weights=False)
    wrapped = peft.get_peft_model(model, config).eval()
    with torch.no_grad():
        want = wrapped(ids, scale_hint=hint).logits
        written = wrapped.generate(ids, scale_hint=hint, max_new_tokens=4, do_sample=False)
        merged = wrapped.merge_and_unload()
        assert type(merged) is RetrofitForCausalLM
        torch.testing.assert_close(merged(ids, scale_hint=hint).logits, want, atol=1e-4, rtol=1e-4)
        assert torch.equal(merged.generate(ids, scale_hint=hint, max_new_tokens=4, do_sample=False), written)


def test_without_peft_lora_is_a_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ValueError, match="pip install peft"):
        fresh(lora_rank=2)


def test_without_peft_a_saved_lora_is_a_clear_error(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "peft", None)
    (tmp_path / "lora").mkdir()
    with pytest.raises(ValueError, match="holds a LoRA, which needs the package peft"):
        load_trained(tmp_path, tiny())
