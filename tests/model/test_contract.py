"""What every position embedding must get right, in one model test run over all of them."""

import copy
import subprocess
import sys
import textwrap

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM
from transformers.cache_utils import DynamicCache, StaticCache
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from hf_lengthgen import PositionEmbedding
from hf_lengthgen.hub.export import exportable

from .cases import CASES, FIRST_CHARACTER, VOCABULARY, left_padded

TOLERANCE = dict(atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request):
    return request.param


@pytest.fixture
def model(case):
    return case.model()


def close(a, b, **tolerance):
    torch.testing.assert_close(a, b, **(TOLERANCE | tolerance))


def test_future_tokens_change_nothing(case, model):
    ids = case.prompts(length=14)
    changed = ids.clone()
    changed[:, 11:] = FIRST_CHARACTER + (changed[:, 11:] - FIRST_CHARACTER + 1) % (VOCABULARY - FIRST_CHARACTER)
    before, after = model(ids).logits, model(changed).logits
    close(before[:, :11], after[:, :11], atol=0, rtol=0)
    assert not torch.equal(before[:, 11:], after[:, 11:])


def test_the_capability_record_is_true_of_parameters_and_hint(case, model):
    """The other cells are what the rest of this file checks."""
    modules = model.position_modules()
    has_parameters = any(True for module in modules for _ in module.parameters())
    assert modules[0].capabilities.learned_parameters == has_parameters
    if case.scale_hint != "none":
        other = case.model(scale_hint="input", scale_rule=None)
        ids = case.prompts(rows=1)
        boundaries = torch.tensor([[[0, 3], [3, 6]]])[:, : case.hints]
        one, two = (
            other(ids, scale_hint=torch.full((1, case.hints), n), scale_boundaries=boundaries).logits for n in (2, 4)
        )
        assert type(other.position_modules()[0]).takes_scale_hint and not torch.equal(one, two)


def test_every_parameter_learns(case, model):
    ids = case.prompts()
    model.train()
    (model(ids, labels=ids).loss + 0.1 * model.penalty()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_training_under_autocast(case, model):
    """As a Trainer with bf16=True does it."""
    ids = case.prompts(length=20)
    model.train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(ids, labels=ids).loss
    loss.backward()
    assert loss.isfinite() and all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def refuses_sdpa(model):
    """Where the capability record says that sdpa cannot be, asking for it is an error."""
    if model.position_modules()[0].capabilities.sdpa:
        return False
    with pytest.raises(ValueError, match="works on probabilities"):
        model.set_attn_implementation("sdpa")
    return True


def test_eager_equals_sdpa(case, model, monkeypatch):
    """And each is what is used: sdpa once per layer, except where attention runs over the open relations alone."""
    ids, library, calls = case.prompts(), ALL_ATTENTION_FUNCTIONS["sdpa"], []
    if refuses_sdpa(model):
        return
    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS, "sdpa", lambda *a, **k: calls.append(1) or library(*a, **k))
    model.set_attn_implementation("sdpa")
    sdpa = model(ids).logits
    assert len(calls) == (0 if model.sparse else 2)
    model.set_attn_implementation("eager")
    close(model(ids).logits, sdpa)
    assert len(calls) == (0 if model.sparse else 2)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("static", [False, True], ids=["dynamic", "static"])
def test_cached_equals_full(case, model, static, implementation):
    """Fed in chunks of several tokens and of one, on padded rows of mixed scale."""
    if implementation == "sdpa" and refuses_sdpa(model):
        return
    model.set_attn_implementation(implementation)
    rows = [case.prompts()[0], case.prompts()[1, :9], case.prompts()[2]]
    ids, mask = left_padded(rows)
    full = model(ids, attention_mask=mask)
    prepared = model.prepare_inputs_for_generation(ids, attention_mask=mask, is_first_iteration=True)
    hints = {key: prepared.get(key) for key in ("scale_hint", "scale_boundaries", "position_structure_ids")}
    cache = StaticCache(config=model.config, max_cache_len=20) if static else DynamicCache(config=model.config)
    pieces, start = [], 0
    for width in (7, 3, 1, 1):
        chunk = model(
            ids[:, start : start + width],
            attention_mask=mask[:, : start + width],
            past_key_values=cache,
            **hints,
        )
        pieces.append(chunk.logits)
        start += width
    real = mask.bool()
    close(torch.cat(pieces, 1)[real], full.logits[real])


def test_left_padding_equals_no_padding(case, model):
    rows = [case.prompts()[0], case.prompts()[1, :9], case.prompts()[2, :11]]
    ids, mask = left_padded(rows)
    padded = model(ids, attention_mask=mask).logits
    for index, row in enumerate(rows):
        close(padded[index, -len(row) :], model(row[None]).logits[0])


def test_right_padding_equals_no_padding(case, model):
    rows = [case.prompts()[0], case.prompts()[1, :9]]
    ids, mask = (x.flip(1) for x in left_padded([row.flip(0) for row in rows]))
    padded = model(ids, attention_mask=mask).logits
    for index, row in enumerate(rows):
        close(padded[index, : len(row)], model(row[None]).logits[0])


def test_batch_of_mixed_scale_equals_one_by_one(case, model):
    ids = case.prompts(rows=5)
    together = model(ids).logits
    close(together, torch.cat([model(row[None]).logits for row in ids]))


def test_generation_agrees_with_every_cache_and_with_padding(case, model):
    rows = [case.prompts()[0], case.prompts()[1, :9]]
    ids, mask = left_padded(rows)
    options = dict(max_new_tokens=6, do_sample=False, eos_token_id=None, pad_token_id=0)
    cached = model.generate(ids, attention_mask=mask, **options)
    for other in (dict(use_cache=False), dict(cache_implementation="static")):
        assert torch.equal(cached, model.generate(ids, attention_mask=mask, **options, **other)), other
    for index, row in enumerate(rows):
        assert torch.equal(cached[index, -6:], model.generate(row[None], **options)[0, -6:])


def test_beams(case, model):
    ids = case.prompts()
    options = dict(max_new_tokens=4, do_sample=False, num_beams=3, eos_token_id=None, pad_token_id=0)
    cached = model.generate(ids, **options)
    assert torch.equal(cached, model.generate(ids, use_cache=False, **options))
    assert torch.equal(cached[:1], model.generate(ids[:1], **options))


def test_bfloat16_is_finite(case, model):
    model = model.to(torch.bfloat16)
    ids = case.prompts()
    assert model(ids).logits.isfinite().all()
    model.train()
    model(ids, labels=ids).loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_gradient_checkpointing_changes_no_gradient(case, model):
    ids = case.prompts()
    gradients = []
    for checkpointing in (False, True):
        fresh, calls = copy.deepcopy(model).train(), []
        # A hook of the layer itself does not see the recomputation, which goes on inside.
        fresh.model.layers[0].self_attn.register_forward_pre_hook(lambda *_, calls=calls: calls.append(1))
        if checkpointing:
            fresh.gradient_checkpointing_enable()
        fresh.set_gate_noise(3, 5)
        fresh(ids, labels=ids, use_cache=False).loss.backward()
        assert len(calls) == 1 + checkpointing
        gradients.append({name: p.grad for name, p in fresh.named_parameters()})
    for name, gradient in gradients[0].items():
        close(gradient, gradients[1][name])


def test_save_and_load_keeps_every_tensor(case, model, tmp_path):
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(loaded) is type(model)
    for kind in ("named_parameters", "named_buffers"):
        ours, theirs = dict(getattr(model, kind)()), dict(getattr(loaded, kind)())
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert loaded.relations() == model.relations()
    ids = case.prompts()
    close(loaded(ids).logits, model(ids).logits, atol=0, rtol=0)
    base = AutoModel.from_pretrained(tmp_path)
    close(base(ids).last_hidden_state, model.model(ids).last_hidden_state, atol=0, rtol=0)


def test_resizing_the_embeddings(case, model):
    ids = case.prompts()
    before = model(ids).logits
    model.resize_token_embeddings(VOCABULARY + 5)
    close(model(ids).logits[..., :VOCABULARY], before)


@pytest.mark.slow
def test_exported_graph_is_the_model_where_declared(case, model):
    """At other numbers of rows and tokens too. Where it is not declared, it cannot be had."""

    def inputs(rows, length, n):
        ids = case.prompts(rows, length)
        return (ids,) if case.scale_hint == "none" else (ids, torch.full((rows, case.hints), n))

    sizes = [{0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO}, {0: torch.export.Dim.AUTO}]
    first, other = inputs(3, 12, 3), inputs(4, 17, 5)

    def differences():
        function = exportable(model)
        program = torch.export.export(function, first, dynamic_shapes=tuple(sizes[: len(first)])).module()
        return [(program(*given) - function(*given)).abs().max() for given in (first, other)]

    if model.position_modules()[0].capabilities.export:
        assert max(differences()) < 1e-5
    else:
        with pytest.raises((AssertionError, ValueError)):
            differences()


def test_hidden_states_and_attentions(case, model):
    ids = case.prompts()
    model.set_attn_implementation("eager")
    out = model(ids, output_hidden_states=True, output_attentions=True)
    assert len(out.hidden_states) == 3
    position = model.position_modules()[0]
    normalised = type(position).reweight is PositionEmbedding.reweight
    out.attentions[0].retain_grad()
    out.logits.sum().backward()
    assert out.attentions[0].grad is not None  # what is told is what was used
    assert out.attentions[0].shape == (*ids.shape[:1], 4, ids.shape[1], ids.shape[1])
    read = out.attentions[0].sum(-1)
    if normalised and position.sink_logit is None:
        close(read, torch.ones_like(read))
    elif normalised:
        assert read.max() <= 1 + 1e-5
    if model.sparse:
        close(out.logits, model(ids).logits)


_LOAD_WITHOUT_THE_PACKAGE = """
    import sys

    class Refuse:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] == "hf_lengthgen":
                raise ImportError("the package is not installed here")

    sys.meta_path.insert(0, Refuse())
    import torch
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

    for folder in sys.argv[1:]:
        saved = torch.load(folder + "/expected.pt", weights_only=True)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
        model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)
        assert type(model).__module__.startswith("transformers_modules"), type(model)
        torch.testing.assert_close(model(saved["ids"]).logits, saved["logits"], atol=1e-5, rtol=1e-5)
        assert model.config.position_options == config.position_options
        base = AutoModel.from_pretrained(folder, trust_remote_code=True)
        torch.testing.assert_close(base(saved["ids"])[0], saved["hidden"], atol=1e-5, rtol=1e-5)
        generated = model.generate(saved["ids"], max_new_tokens=4, do_sample=False, eos_token_id=None)
        assert torch.equal(generated, saved["generated"])
        model.save_pretrained(folder + "/again")
        AutoModelForCausalLM.from_pretrained(folder + "/again", trust_remote_code=True)
    assert not any(name.split(".")[0] == "hf_lengthgen" for name in sys.modules)
    print("loaded", len(sys.argv) - 1)
"""


def test_remote_code_loads_without_the_package(tmp_path):
    """All cases in one process that cannot import the package: same logits, same generation, saves again."""
    folders = []
    for index, case in enumerate(CASES):
        model, ids = case.model(), case.prompts()
        folder = tmp_path / f"case{index}"
        model.save_pretrained(folder)
        generated = model.generate(ids, max_new_tokens=4, do_sample=False, eos_token_id=None)
        with torch.no_grad():
            expected = {"ids": ids, "logits": model(ids).logits, "hidden": model.model(ids)[0], "generated": generated}
        torch.save(expected, folder / "expected.pt")
        folders.append(str(folder))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_LOAD_WITHOUT_THE_PACKAGE), *folders],
        capture_output=True, text=True, cwd=tmp_path, timeout=280,
    )  # fmt: skip
    assert done.stdout.strip() == f"loaded {len(CASES)}", done.stderr[-3000:]


def test_the_registered_class_is_what_the_auto_classes_give():
    config = AutoConfig.for_model("lengthgen", vocab_size=11)
    assert type(AutoModelForCausalLM.from_config(config)).__name__ == "LengthGenForCausalLM"
