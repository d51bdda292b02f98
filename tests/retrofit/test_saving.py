"""Whole models and additions alone: written, read, put on a base that fits, refused on one that does not."""

import json
import warnings

import pytest
import torch
from transformers import AutoModelForCausalLM, pipeline

from hf_lengthgen.retrofit import RetrofitConfig, RetrofitForCausalLM, retrofit
from hf_lengthgen.retrofit.digest import digest_of_tensors

from .test_modeling_retrofit import HINT, batch, disturb
from .tiny import CONFIGS, SMALL, options, tiny


@pytest.mark.parametrize("mode", ("adapter", "bias"))
@pytest.mark.parametrize("family", CONFIGS)
@torch.no_grad()
def test_whole_model_and_additions_come_back(family, mode, tmp_path):
    base = tiny(family)
    base.save_pretrained(tmp_path / "base")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    model = disturb(retrofit(base, **options(mode))).eval()
    ids, mask, _ = batch()
    want = model(ids, attention_mask=mask, scale_hint=HINT).logits
    model.save_pretrained(tmp_path / "whole")
    model.save_pretrained(tmp_path / "part", additions_only=True)
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "whole")
    parts = AutoModelForCausalLM.from_pretrained(tmp_path / "part")  # loads the base by its recorded name
    fresh = RetrofitForCausalLM.from_pretrained(
        tmp_path / "part", base=AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    )
    for loaded in (whole, parts, fresh):
        assert type(loaded) is RetrofitForCausalLM and not loaded.training
        assert torch.equal(loaded(ids, attention_mask=mask, scale_hint=HINT).logits, want)
        buffers = dict(loaded.named_buffers())
        for name, buffer in model.named_buffers():
            assert torch.equal(buffer, buffers[name]), name
    assert {path.name for path in (tmp_path / "part").iterdir()} == {"config.json", "additions.safetensors"}


@torch.no_grad()
def test_hardened_additions_come_back_sparse(tmp_path):
    base = tiny()
    model = disturb(retrofit(base, **SMALL), 0.1)
    for position in model.position_modules():
        position.gate[:, -1] = -20
    model.harden().save_pretrained(tmp_path, additions_only=True)
    loaded = RetrofitForCausalLM.from_pretrained(tmp_path, base=base)
    ids, _, _ = batch(pad=0)
    assert torch.equal(loaded(ids, scale_hint=HINT).logits, model(ids, scale_hint=HINT).logits)
    assert loaded.relations() == model.relations()


def test_the_configuration_names_the_base(tmp_path):
    model = retrofit(tiny(), base_name="someone/base", base_revision="abc", **SMALL)
    model.save_pretrained(tmp_path, additions_only=True)
    raw = json.loads((tmp_path / "config.json").read_text())
    assert (raw["base_name"], raw["base_revision"], raw["additions_only"]) == ("someone/base", "abc", True)
    assert raw["base_config"]["model_type"] == "llama" and len(raw["base_digest"]) == 32
    assert not model.config.additions_only  # the model in memory is whole
    again = RetrofitConfig.from_dict(raw)
    assert again.layers == [0, 2] and again.vocab_size == 64 and again.base_config.hidden_size == 32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 48, "head_dim": 12}, "hidden_size=32; the given base has hidden_size=48"),
        ({"num_hidden_layers": 4}, "num_hidden_layers=3; the given base has num_hidden_layers=4"),
        ({"vocab_size": 65}, "vocab_size=64; the given base has vocab_size=65"),
        ({"rms_norm_eps": 1e-3}, "differs from the given one in rms_norm_eps"),
    ],
)
def test_a_base_that_does_not_fit_is_refused(changes, message, tmp_path):
    retrofit(tiny(), **SMALL).save_pretrained(tmp_path, additions_only=True)
    with pytest.raises(ValueError, match=message):
        RetrofitForCausalLM.from_pretrained(tmp_path, base=tiny(**changes))


def test_other_families_and_other_weights(tmp_path):
    base = tiny()
    retrofit(base, **SMALL).save_pretrained(tmp_path, additions_only=True)
    with pytest.raises(ValueError, match="model_type='llama'; the given base has model_type='mistral'"):
        RetrofitForCausalLM.from_pretrained(tmp_path, base=tiny("mistral"))
    with pytest.warns(UserWarning, match="not the weights of"):
        RetrofitForCausalLM.from_pretrained(tmp_path, base=tiny())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RetrofitForCausalLM.from_pretrained(tmp_path, base=base)
    with pytest.raises(ValueError, match="does not name their base|cannot be loaded"):
        RetrofitForCausalLM.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="already has additions"):
        RetrofitForCausalLM.from_pretrained(tmp_path, base=retrofit(base, **SMALL))


@pytest.fixture
def named(tmp_path):
    """A folder of additions that name a base, and the base."""
    base = tiny()
    base.save_pretrained(tmp_path / "base")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    retrofit(base, **SMALL).save_pretrained(tmp_path / "part", additions_only=True)
    return tmp_path / "part", base


@pytest.mark.parametrize("kind", (RetrofitForCausalLM, AutoModelForCausalLM))
def test_keywords_reach_the_base_that_is_loaded(kind, named):
    folder, _ = named
    given = {"attn_implementation": "eager", "dtype": torch.float16, "use_safetensors": True, "use_cache": False}
    loaded = kind.from_pretrained(folder, **given)
    assert loaded.base.config._attn_implementation == "eager" and loaded.base.config.use_cache is False
    assert loaded.base.dtype == torch.float16 and loaded.additions[0].up.weight.dtype == torch.float32
    assert kind.from_pretrained(folder, torch_dtype=torch.bfloat16).base.dtype == torch.bfloat16
    assert kind.from_pretrained(folder).base.config._attn_implementation == "sdpa"
    with pytest.raises(TypeError, match="nonsense"):
        kind.from_pretrained(folder, nonsense=3)


def test_keywords_that_cannot_be_applied_to_a_given_base_are_refused(named):
    folder, base = named
    for key, value in {"attn_implementation": "eager", "dtype": torch.float16, "nonsense": 3}.items():
        with pytest.raises(ValueError, match=f"{key!r} cannot be applied to a base that is given"):
            RetrofitForCausalLM.from_pretrained(folder, base=base, **{key: value})
    harmless = {"local_files_only": True, "revision": None, "use_safetensors": True, "trust_remote_code": False}
    assert RetrofitForCausalLM.from_pretrained(folder, base=base, **harmless).base is base


@torch.no_grad()
def test_additions_beside_a_bfloat16_base_stay_in_float32(tmp_path):
    tiny().save_pretrained(tmp_path / "base")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base", dtype=torch.bfloat16)
    model = disturb(retrofit(base, **SMALL)).eval()
    model.save_pretrained(tmp_path / "whole")
    ids, _, _ = batch(pad=0)
    for given in ({}, {"dtype": torch.bfloat16}, {"dtype": torch.float16}):
        loaded = RetrofitForCausalLM.from_pretrained(tmp_path / "whole", **given)
        assert loaded.base.dtype == given.get("dtype", torch.bfloat16)
        assert digest_of_tensors(loaded.additions.state_dict()) == model.config.additions_digest
        if not given:
            assert torch.equal(loaded(ids, scale_hint=HINT).logits, model(ids, scale_hint=HINT).logits)
    loaded.save_pretrained(tmp_path / "again")
    assert loaded.config.additions_digest == model.config.additions_digest


def test_damaged_additions_are_refused_in_one_sentence(tmp_path):
    base = tiny()
    retrofit(base, **SMALL).save_pretrained(tmp_path, additions_only=True)
    file = tmp_path / "additions.safetensors"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(ValueError, match="no weights that fit"):
        RetrofitForCausalLM.from_pretrained(tmp_path, base=base)


def test_additions_for_smollm2_are_below_two_megabytes(tmp_path):
    from safetensors.torch import save_file
    from transformers import LlamaConfig

    config = LlamaConfig(
        vocab_size=49152, hidden_size=576, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3
    )
    with torch.device("meta"):
        additions = RetrofitForCausalLM(RetrofitConfig(base_config=config)).additions
    save_file({k: torch.zeros(v.shape) for k, v in additions.state_dict().items()}, tmp_path / "a.safetensors")
    assert 100_000 < (tmp_path / "a.safetensors").stat().st_size < 2_000_000


@torch.no_grad()
def test_a_pipeline_takes_a_scale_hint(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": 0, "<s>": 1, "</s>": 2} | {f"w{i}": i for i in range(3, 64)}
    raw = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="</s>")
    model = disturb(retrofit(tiny(), **SMALL))
    generator = pipeline("text-generation", model=model, tokenizer=tokenizer, device="cpu")
    got = generator("w5 w6 w7", scale_hint=torch.tensor([2]), max_new_tokens=6, do_sample=False, return_tensors=True)
    want = model.generate(torch.tensor([[5, 6, 7]]), scale_hint=torch.tensor([2]), max_new_tokens=6, do_sample=False)
    assert got[0]["generated_token_ids"] == want[0].tolist()
