"""What a base knew: perplexity by hand, additions that are silent without a hint, a model that has forgotten."""

import json

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from hf_lengthgen.retrofit import retrofit
from hf_lengthgen.retrofit.knowledge import HERE, compare, load_trained, main, perplexity

from .test_modeling_retrofit import disturb
from .tiny import SMALL, tiny

TEXT = (HERE / "knowledge_text.txt").read_text(encoding="utf-8")


def words() -> PreTrainedTokenizerFast:
    """A tokenizer that knows some words and calls the rest w4."""
    known = {"<pad>": 0, "<s>": 1, "</s>": 2, "+": 3} | {f"w{i}": i for i in range(4, 60)} | {"the": 60, "of": 61}
    raw = Tokenizer(models.WordLevel(known, unk_token="w4"))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.WhitespaceSplit(), decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="</s>")


def test_the_text_and_the_prompts_are_what_the_page_says():
    assert 300 < len((HERE / "knowledge_text.txt").read_text().split()) < 500
    prompts = (HERE / "knowledge_prompts.txt").read_text().splitlines()
    assert len(prompts) == len(set(prompts)) == 20 and all(p.strip() == p and p for p in prompts)


def test_perplexity_by_hand():
    base, ids = tiny(), torch.randint(3, 64, (1, 9))
    with torch.no_grad():
        probabilities = base(ids).logits[0].double().softmax(-1)
    product = 1.0
    for t in range(8):
        product *= float(probabilities[t, ids[0, t + 1]])
    assert perplexity(base, ids)[0] == pytest.approx(product ** (-1 / 8), rel=1e-5)


@pytest.mark.parametrize("mode", ["prompt", "input"])
def test_additions_change_nothing_where_no_hint_is_given(mode, tmp_path):
    base = tiny()
    base.save_pretrained(tmp_path / "base")
    words().save_pretrained(tmp_path / "base")
    disturb(retrofit(base, scale_hint="prompt", scale_rule=[[None, 3]], **SMALL)).save_pretrained(
        tmp_path / "part", additions_only=True
    )
    arguments = ["--base_model", str(tmp_path / "base"), "--model", str(tmp_path / "part"), "--scale_hint", mode]
    assert main([*arguments, "--result", str(tmp_path / "out" / "k.json")]) == 0
    result = json.loads((tmp_path / "out" / "k.json").read_text())
    assert result["perplexity"]["before"] == result["perplexity"]["after"]
    assert result["largest_difference_of_logits"] == 0 and result["same_texts"] == 20
    assert (result["model"], result["scale_hint"]) == ("part", mode) and str(tmp_path) not in json.dumps(result)
    assert load_trained(tmp_path / "part", base, mode).config.scale_hint == mode
    assert all(set(entry) == {"prompt", "before", "after"} for entry in result["prompts"])


def test_a_changed_model_is_told_from_its_base():
    base = tiny()

    def change():
        with torch.no_grad():
            base.lm_head.weight.add_(torch.randn_like(base.lm_head.weight))
        return base

    result = compare(base, words(), change, new_tokens=4)
    assert result["largest_difference_of_logits"] > 0.1 and result["same_texts"] < 20
    assert result["perplexity"]["after"] > result["perplexity"]["before"]
    assert result["same_most_likely_token"] < 1


def test_bad_input_is_one_line(tmp_path, capsys):
    assert main(["--model", "x"]) == 2 and main(["--base_model", str(tmp_path / "none"), "--model", "x"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == (
        "lengthgen: error: the following arguments are required: --base_model "
        "(see python -m hf_lengthgen.retrofit.knowledge --help)"
    )
    assert len(lines) == 2


def test_a_model_beside_its_base_is_the_one_compared():
    base, other = tiny(), tiny()
    with torch.no_grad():
        other.lm_head.weight.add_(torch.randn_like(other.lm_head.weight))
    result = compare(base, words(), lambda: other, new_tokens=1)
    assert result["largest_difference_of_logits"] > 0.1
    assert result["perplexity"]["after"] == perplexity(other, words()(TEXT, return_tensors="pt").input_ids)[0]
