"""LBPE against its formula, gated and hard, and the sparse path against the dense one."""

import copy
import math

import pytest
import torch

from hf_lengthgen import LengthGenForCausalLM, LinearRelation
from hf_lengthgen.model.hard_concrete import mean_gate, sample_gate
from hf_lengthgen.model.position_learned import default_forms, relation_dictionary

from .cases import BOS, DELIMITER, Case, left_padded
from .contexts import context

HINTED = Case("lbpe", scale_hint="prompt")


def naive_attention(lbpe, q, k, v, scaling, scales):
    """The definition: weight ∝ exp(q·k·scaling) · Σ_{r holds} z_r exp(b_r), with a sink of 1e-4."""
    gates = mean_gate(lbpe.gate).detach()
    relations = lbpe.dictionary.relations
    out = torch.zeros_like(q)
    for b, n in enumerate(scales):
        for h in range(q.shape[1]):
            for i in range(q.shape[2]):
                total, value = 1e-4, torch.zeros(q.shape[-1])
                for j in range(i + 1):
                    held = [r for r, relation in enumerate(relations) if relation.key(i, (n,)) == j]
                    weight = sum(float(gates[h, r]) * math.exp(float(lbpe.weight.detach()[h, r])) for r in held)
                    if not held:
                        weight = float(gates[h, -1]) * math.exp(float(lbpe.weight.detach()[h, -1]))
                    weight *= math.exp(float(q[b, h, i] @ k[b, h, j]) * scaling)
                    total, value = total + weight, value + weight * v[b, h, j]
                out[b, h, i] = value / total
    return out


def attention_of(model, hidden, ctx):
    layer = model.model.layers[0].self_attn
    layer.o_proj.weight.data = torch.eye(32)
    return layer(hidden, model.position_modules()[0], ctx)[0].unflatten(-1, (4, 8)).transpose(1, 2)


def test_dense_path_is_the_formula():
    model = HINTED.model()
    lbpe, layer = model.position_modules()[0], model.model.layers[0].self_attn
    hidden, ctx = torch.randn(2, 9, 32), context(9, scale=[[2], [3]])
    q, k, v = (layer._heads(p(hidden)) for p in (layer.q_proj, layer.k_proj, layer.v_proj))
    expected = naive_attention(lbpe, q, k, v, layer.scaling, (2, 3))
    torch.testing.assert_close(attention_of(model, hidden, ctx), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("hints", [1, 2])
def test_sparse_equals_dense_for_random_gates(seed, hints):
    """Random relations, gates, weights, scales and padding; not only those that training finds."""
    generator = torch.Generator().manual_seed(seed)

    def draw(low, high, *shape):
        return torch.randint(low, high, shape, generator=generator)

    forms = [[int(draw(-1, 3)), int(draw(1, 3)) * (-1) ** seed, draw(-3, 2, hints).tolist()] for _ in range(5)]
    options = {"forms": forms, "window": 3, "segments": list(range(hints))}
    case = Case("lbpe", options, "prompt", hints=hints)
    model = LengthGenForCausalLM(case.config()).eval()
    with torch.no_grad():
        for module in model.position_modules():
            module.gate.copy_(torch.randn(module.gate.shape, generator=generator) * 2)
            module.weight.copy_(torch.randn(module.weight.shape, generator=generator))
            module.gate[:, -1] = -5.0
    soft = LengthGenForCausalLM(case.config()).eval()
    soft.load_state_dict(model.state_dict())
    with torch.no_grad():  # gates of exactly 0 and 1
        for module in soft.position_modules():
            module.gate.copy_(torch.where(mean_gate(module.gate) > 0.5, 20.0, -20.0))
    model.harden()
    assert model.sparse and not soft.sparse and model.open_gates() == soft.open_gates() > 0
    ids, mask = left_padded([row[: 10 + index] for index, row in enumerate(case.prompts(rows=3, length=12))])
    real = mask.bool()
    sparse = model(ids, attention_mask=mask).logits[real]
    torch.testing.assert_close(sparse, soft(ids, attention_mask=mask).logits[real], atol=1e-5, rtol=1e-5)
    model.set_attn_implementation("eager")  # which gives the probabilities asked for
    dense = model(ids, attention_mask=mask, output_attentions=True)
    assert [layer.shape for layer in dense.attentions] == [(3, 4, *mask.shape[1:] * 2)] * 2
    torch.testing.assert_close(sparse, dense.logits[real], atol=1e-5, rtol=1e-5)


def test_a_query_with_no_open_relation_outputs_exactly_zero():
    for harden in (False, True):
        model = HINTED.model()
        with torch.no_grad():
            for module in model.position_modules():
                module.gate.fill_(-20.0)
        model = model.harden() if harden else model
        assert model.open_gates() == 0
        out = attention_of(model, torch.randn(2, 9, 32), context(9, scale=[[2], [3]]))
        assert torch.equal(out, torch.zeros_like(out))


def test_closed_gates_give_finite_gradients():
    model = HINTED.model()
    with torch.no_grad():
        model.position_modules()[0].gate.fill_(-20.0)
    model.train()
    ids = HINTED.prompts()
    model(ids, labels=ids).loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_open_other_keeps_a_layer_dense_and_exact():
    model = HINTED.model()
    with torch.no_grad():
        for module in model.position_modules():
            module.gate.copy_(torch.where(mean_gate(module.gate) > 0.5, 20.0, -20.0))
            module.gate[0, -1] = 20.0
    ids = HINTED.prompts()
    before = model(ids).logits
    model.harden()
    assert not model.sparse and any(text == "other" for text, _ in model.relations()[0][0])
    torch.testing.assert_close(model(ids).logits, before, atol=1e-5, rtol=1e-5)


def test_custom_mask_is_obeyed_after_hardening():
    model = Case("lbpe", scale_hint="prompt", harden=True).model()
    ids = HINTED.prompts(rows=1)
    mask = torch.ones(1, 1, 12, 12, dtype=torch.bool).tril()
    torch.testing.assert_close(model(ids, attention_mask=mask).logits, model(ids).logits, atol=1e-5, rtol=1e-5)
    mask[..., :4] = False
    assert (model(ids, attention_mask=mask).logits - model(ids).logits).abs().max() > 1e-3


def test_penalty_is_the_expected_number_of_open_gates():
    model = Case("lbpe", {"other_penalty": 1.0}, "prompt").model()
    for module in model.position_modules():
        module.train()
    generator_state = torch.random.get_rng_state()
    sampled = torch.stack(
        [sum((m.gates() > 0).float().mean(0).sum() for m in model.position_modules()) for _ in range(3000)]
    )
    torch.random.set_rng_state(generator_state)
    torch.testing.assert_close(model.penalty().detach(), sampled.mean(), atol=0.15, rtol=0)


def test_other_has_its_own_penalty_weight():
    light, heavy = (Case("lbpe", {"other_penalty": w}, "prompt").model() for w in (0.0, 5.0))
    open_other = sum(torch.sigmoid(m.gate[:, -1] - 0.66 * math.log(0.1 / 1.1)).mean() for m in light.position_modules())
    torch.testing.assert_close(heavy.penalty() - light.penalty(), 5 * open_other)


def test_gate_noise_is_a_function_of_seed_step_and_layer():
    model = HINTED.model().train()

    def noise(seed, step, layer=0):
        model.set_gate_noise(seed, step)
        return model.position_modules()[layer].gates().detach()

    first = noise(0, 7)
    torch.manual_seed(99)
    assert torch.equal(first, noise(0, 7))
    gates = model.position_modules()
    with torch.no_grad():
        gates[1].gate.copy_(gates[0].gate)
    assert not torch.equal(first, noise(0, 8)) and not torch.equal(first, noise(1, 7))
    assert not torch.equal(first, noise(0, 7, layer=1))


def test_relations_are_readable_and_survive_hardening():
    model = HINTED.model()
    before = model.relations()
    assert len(before) == 2 and all(len(heads) == 4 for heads in before)
    for heads in before:
        for pairs in heads:
            assert [w for _, w in pairs] == sorted((w for _, w in pairs), reverse=True)
            assert all(text == "other" or str(LinearRelation.parse(text)) == text for text, _ in pairs)
    count = model.open_gates()
    model.harden()
    assert model.relations() == before and model.open_gates() == count
    assert model.config.open_relations is not None
    assert [m.harden() for m in model.position_modules()] == model.config.open_relations


@pytest.mark.parametrize("threshold", [0.2, 0.8])
def test_hardening_opens_what_has_a_mean_gate_above_the_threshold(threshold):
    model = HINTED.model()
    gates = [m.gate.tolist() for m in model.position_modules()]
    names = [*map(str, model.position_modules()[0].dictionary.relations), "other"]
    # The mean gate is 1.2·sigmoid - 0.1, between 0 and 1.
    expected = [
        [[t for t, g in zip(names, head, strict=True) if 1.2 / (1 + math.exp(-g)) - 0.1 > threshold] for head in layer]
        for layer in gates
    ]
    assert model.harden(threshold).config.open_relations == expected
    assert sum(len(head) for layer in expected for head in layer) != HINTED.model().open_gates()  # those above a half


def test_gates_start_open_and_close_to_one_another():
    """Normal around 1 with deviation 0.1; four standard errors are allowed."""
    model = LengthGenForCausalLM(HINTED.config())
    gates = torch.cat([gate.detach().flatten() for gate in model.gate_parameters()])
    assert gates.mean().item() == pytest.approx(1, abs=4 * 0.1 / len(gates) ** 0.5)
    assert gates.std().item() == pytest.approx(0.1, abs=4 * 0.1 / (2 * len(gates)) ** 0.5)
    assert model.open_gates() == len(gates)


def test_default_dictionary():
    forms = default_forms(hints=1, has_scale=True, largest=3)
    assert len(forms) == 11 and (1, 1, (0,)) not in forms and (1, -1, (-3,)) in forms
    config = HINTED.config()
    lbpe = HINTED.model().position_modules()[0]
    relations = relation_dictionary(lbpe.options, config)
    # 11 forms of 5 offsets, less i - j = -1, -2 and j = -1, -2, which name no key.
    assert len(relations) == len(set(relations)) == 51
    assert default_forms(hints=1, has_scale=False, largest=3) == [(1, -1, (0,)), (0, 1, (0,))]


def test_hardened_model_keeps_learning():
    model = Case("lbpe", scale_hint="prompt", harden=True).model().train()
    assert model.gate_parameters() == [] and model.penalty() == 0
    ids = HINTED.prompts()
    model(ids, labels=ids).loss.backward()
    assert model.position_modules()[0].weight.grad.abs().sum() > 0


def test_long_inputs_are_cheap_after_hardening():
    """3,000 tokens: the dense form would hold 4 heads x 9 M scores twice; the sparse one stays linear."""
    model = Case("lbpe", scale_hint="prompt", harden=True).model()
    ids = torch.full((1, 3000), 15)
    ids[0, 0], ids[0, 1000] = BOS, DELIMITER
    with torch.profiler.profile(profile_memory=True) as profile, torch.inference_mode():
        model(ids, use_cache=False)
    largest = max(event.self_cpu_memory_usage for event in profile.events())
    assert largest < 64 * 2**20


@pytest.mark.parametrize(
    ("options", "hint", "word"),
    [
        ({"parametrisation": "liner"}, "none", "Did you mean 'linear'"),
        ({"window": -1}, "none", "window"),
        ({"windows": 2}, "none", "Did you mean 'window'"),
        ({"window": 1.5}, "none", "must be int"),
        ({"forms": [[1, 0, 0]]}, "none", "b must not be 0"),
        ({"forms": [[1, -1, -1]]}, "none", "scale_hint is 'none'"),
        ({"forms": [[1, -1, [0, -1]]]}, "prompt", "one c for each of 1 hints"),
        ({"forms": []}, "none", "must not be empty"),
        ({"forms": [[1, -1]]}, "none", r"not \[a, b, c\]"),
        ({"segments": [0]}, "none", "0 Scale Hints"),
        ({"segments": [1]}, "prompt", "1 Scale Hints"),
        ({"segments": [0], "parametrisation": "mlp"}, "prompt", "parametrisation='linear'"),
    ],
)
def test_bad_options(options, hint, word):
    with pytest.raises(ValueError, match=word) as error:
        Case("lbpe", options, hint).config()
    assert "\n" not in str(error.value)


def settled_pair():
    """A model with random gates, and a copy of it settled."""
    model = HINTED.model().eval()
    with torch.no_grad():
        for module in model.position_modules():
            module.gate.normal_(mean=-1.0, std=2.0)
            module.weight.normal_()
    settled = copy.deepcopy(model)
    settled.settle()
    return model, settled


def test_settled_gates_are_zero_or_one_whatever_the_noise():
    _, settled = settled_pair()
    for module in settled.position_modules():
        still = module.gates().detach()
        assert set(still.unique().tolist()) == {0.0, 1.0}
        module.train()
        for step in range(20):
            module.noise_key = (0, step)
            assert torch.equal(module.gates(), still)


def test_settling_keeps_what_is_more_often_open_than_not_with_its_weight():
    model, settled = settled_pair()
    for before, after in zip(model.position_modules(), settled.position_modules(), strict=True):
        draws = torch.stack([sample_gate(before.gate.detach()) > 0 for _ in range(4000)]).float().mean(0)
        kept = after.gate > 0
        clear = (draws - 0.5).abs() > 0.05
        expected = draws > 0.5
        expected[:, -1] = mean_gate(before.gate.detach())[:, -1] > 0.5
        assert torch.equal(kept[clear], expected[clear])
        strength = (mean_gate(before.gate) * before.weight.exp()).detach()
        torch.testing.assert_close(after.weight.detach().exp()[kept], strength[kept])


def test_settling_multiplies_a_weight_that_is_no_logarithm():
    """As in a bias on scores, Σ z·b."""
    before = HINTED.model().eval().position_modules()[0]
    with torch.no_grad():
        before.gate.normal_(std=2.0)
        before.weight.normal_()
    after = copy.deepcopy(before)
    after.log_weights = False
    after.settle()
    kept = after.gate > 0
    assert kept.any() and not kept.all()
    torch.testing.assert_close(after.weight[kept], (mean_gate(before.gate) * before.weight)[kept])


def test_hardening_a_settled_model_changes_nothing():
    _, settled = settled_pair()
    ids = torch.randint(4, 9, (3, 12))
    ids[:, 0], ids[:, 6] = BOS, DELIMITER
    before = settled(ids).logits
    torch.testing.assert_close(settled.harden()(ids).logits, before, atol=1e-5, rtol=1e-4)


def test_settling_an_embedding_without_gates_does_nothing():
    model = Case("rope").model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.settle()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
