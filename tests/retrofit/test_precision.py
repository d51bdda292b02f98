"""Training in bfloat16 and compiled: close to float32, and the base's exact weights are back afterwards."""

import pytest
import torch

from hf_lengthgen.retrofit.precision import autocast, compiled_layers, frozen_in_bfloat16
from hf_lengthgen.retrofit.train import build, train

from .test_text import byte_pairs
from .test_train import answer_loss, fresh
from .tiny import SMALL, tiny

CPU = torch.device("cpu")


@pytest.mark.parametrize("pool", [0, 16])
def test_bfloat16_learns_as_float32_does_and_leaves_the_base(pool):
    extra = {"pool": pool, "retrofit": SMALL | {"writes": "last"}} if pool else {}
    after = {}
    for precision in ("no", "bf16"):
        settings, model, codec = fresh(mixed_precision=precision, **extra)
        before = {name: p.clone() for name, p in model.base.named_parameters()}
        start = answer_loss(model, codec)
        train(model, codec, settings)
        after[precision] = answer_loss(model, codec) / start
        assert all(torch.equal(before[name], p) for name, p in model.base.named_parameters())
        assert all(p.dtype == torch.float32 for p in model.parameters())
    assert after["bf16"] < 0.9 and after["bf16"] == pytest.approx(after["no"], abs=0.05)
    assert after["bf16"] != after["no"]  # it was another computation


def test_frozen_linear_layers_are_held_in_bfloat16_and_what_autocast_computes_is_the_same():
    base = tiny()
    base.lm_head.weight = base.model.embed_tokens.weight
    base.requires_grad_(False)
    base.model.layers[0].mlp.up_proj.weight.requires_grad_(True)
    ids = torch.randint(3, 64, (2, 6))
    exact = {name: p.clone() for name, p in base.named_parameters()}
    with autocast(CPU, "bf16"), torch.no_grad():
        want = base(ids).logits
    with pytest.raises(KeyError), frozen_in_bfloat16(base, "bf16"):
        kinds = {name: p.dtype for name, p in base.named_parameters()}
        assert kinds["model.layers.1.mlp.up_proj.weight"] == torch.bfloat16
        # What trains, what the embeddings share, and norms stay.
        for name in ("model.layers.0.mlp.up_proj.weight", "model.embed_tokens.weight", "model.norm.weight"):
            assert kinds[name] == torch.float32
        with autocast(CPU, "bf16"), torch.no_grad():
            assert torch.equal(base(ids).logits, want)
        raise KeyError  # also after an error the exact weights are back
    assert all(torch.equal(exact[name], p) and p.dtype == torch.float32 for name, p in base.named_parameters())
    with frozen_in_bfloat16(base, "no"):
        assert all(p.dtype == torch.float32 for p in base.parameters())


def test_additions_stay_in_float32_under_autocast():
    settings, model, _ = fresh()
    seen = []
    for module in model.additions.modules():
        module.register_forward_hook(lambda m, a, out: seen.append(out) if isinstance(out, torch.Tensor) else None)
    model.base.model.layers[1].mlp.up_proj.register_forward_hook(lambda m, a, out: seen.append(out))
    with autocast(CPU, "bf16"):
        model(torch.randint(3, 20, (1, 6)), scale_hint=torch.tensor([2]))
    kinds = [out.dtype for out in seen]
    assert kinds.count(torch.bfloat16) == 1 and kinds.count(torch.float32) > 5


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_compiled_layers_compute_the_same_and_only_while_training():
    settings, _, _ = fresh()
    base = tiny()
    model, codec = build(settings, base, byte_pairs())
    with torch.no_grad():
        for adapter in model.additions:
            adapter.up.weight.normal_(std=0.1)
    ids, hint = torch.randint(3, 64, (2, 6)), torch.tensor([2, 2])
    want = model(ids, scale_hint=hint, use_cache=False).logits
    with compiled_layers(model, True):
        compiled = [layer._compiled_call_impl is not None for layer in base.model.layers]
        assert compiled == [False, True, False]  # the layers with additions are not
        for length in (6, 4):
            got = model(ids[:, :length], scale_hint=hint, use_cache=False).logits
            torch.testing.assert_close(got, want[:, :length], atol=1e-5, rtol=1e-5)
    assert all(layer._compiled_call_impl is None for layer in base.model.layers)
    with compiled_layers(model, False):
        assert all(layer._compiled_call_impl is None for layer in base.model.layers)
