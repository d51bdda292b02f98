"""What a finished run shows: relations in words, and an instance with a verdict that is earned."""

import pytest
import torch

from hf_lengthgen import LengthGenConfig, LengthGenForCausalLM, build_tokenizer, get_task
from hf_lengthgen.data.tokenizer import scale_rule_ids
from hf_lengthgen.training.summary import relations_text, solved_example


class Oracle(LengthGenForCausalLM):
    """Writes `self.reply` whatever it is asked."""

    def generate(self, input_ids, **_):
        return torch.cat((input_ids, self.reply[None]), dim=1)


@pytest.fixture
def parts():
    task = get_task("copy")
    tokenizer = build_tokenizer(task)
    config = LengthGenConfig(
        vocab_size=len(tokenizer), hidden_size=32, scale_hint="input", scale_rule=scale_rule_ids(task, tokenizer)
    )
    return Oracle(config), tokenizer, task


def reply(model, tokenizer, text, eos=True):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    model.reply = torch.tensor(ids + [tokenizer.eos_token_id] * eos)


def test_verdict(parts):
    model, tokenizer, task = parts
    reply(model, tokenizer, "aaaaa")
    expected = solved_example(model, tokenizer, task, 5).splitlines()[3].split()[1]
    assert len(expected) == 5
    for text, eos, verdict in ((expected, True, "right"), (expected, False, "wrong"), (expected[:-1], True, "wrong")):
        reply(model, tokenizer, text, eos)
        assert solved_example(model, tokenizer, task, 5).splitlines()[-1].strip() == verdict


def test_a_real_model_is_asked_with_its_hint(parts):
    model, tokenizer, task = parts
    real = LengthGenForCausalLM(model.config).eval()
    lines = solved_example(real, tokenizer, task, 7).splitlines()
    assert lines[1].split()[1] == lines[3].split()[1] + "="


def test_relations_in_words():
    text = relations_text([[[["i - j = n", 1.5], ["j = 0", 0.5]], []]])
    assert text.splitlines()[1:] == ["  layer 0 head 0: i - j = n, j = 0", "  layer 0 head 1: reads nothing"]
    assert relations_text(None) == ""
