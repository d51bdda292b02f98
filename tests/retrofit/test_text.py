"""A task through a pretrained tokenizer: one token per character, or a clear refusal."""

import numpy as np
import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from hf_lengthgen import get_task
from hf_lengthgen.retrofit.text import TextCodec

CHARACTERS = "0123456789+= \n:AdS"


def byte_pairs(merges=(), prefix_bos: bool = False, split_digits: bool = False) -> PreTrainedTokenizerFast:
    """A byte-pair tokenizer with the characters above and the merges given."""
    words = ["<pad>", "<bos>", "<eos>", *CHARACTERS, *("".join(m) for m in merges)]
    raw = Tokenizer(models.BPE({w: i for i, w in enumerate(words)}, [tuple(m) for m in merges]))
    if split_digits:
        raw.pre_tokenizer = pre_tokenizers.Split(Regex(r"\d"), "isolated")
    if prefix_bos:
        raw.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>")


SPACED = [(" ", c) for c in "0123456789+="]


def test_plain_rows_are_what_the_tokenizer_makes_of_the_text():
    task, tokenizer = get_task("addition"), byte_pairs([("1", "2")], split_digits=True)
    codec = TextCodec(task, tokenizer)
    samples = task.sample(4, 3, np.random.default_rng(0))
    rows = codec.rows(samples)
    assert codec.style == "plain" and codec.prefix_ids == []
    for row, (prompt, answer) in enumerate(zip(samples.prompt_strings(), samples.answer_strings(), strict=True)):
        assert rows["input_ids"][row].tolist() == tokenizer(prompt + answer).input_ids + [2]
        wanted = [-100] * len(prompt) + tokenizer(answer).input_ids + [2]
        assert rows["labels"][row].tolist() == wanted
        assert codec.prompts(samples)["input_ids"][row].tolist() == tokenizer(prompt).input_ids
    assert rows["scale_hint"].tolist() == [[4]] * 3 and rows["attention_mask"].min() == 1
    assert codec.scale_rule() == [[None, tokenizer.convert_tokens_to_ids("+")]]


def test_merged_digits_are_separated_by_spaces_where_that_works():
    task, tokenizer = get_task("addition"), byte_pairs([*SPACED, ("1", "2"), ("3", "4"), ("5", "6"), ("0", "0")])
    codec = TextCodec(task, tokenizer)
    samples = task.sample(5, 2, np.random.default_rng(1))
    assert codec.style == "spaced"
    text = codec.text(samples.prompt_strings()[0] + samples.answer_strings()[0])
    assert text.startswith(" ") and codec.rows(samples)["input_ids"][0].tolist() == tokenizer(text).input_ids + [2]


def test_a_tokenizer_that_keeps_merging_is_refused():
    with pytest.raises(
        ValueError, match="does not give every character of 'addition' a token of its own .plain: it merges"
    ):
        TextCodec(get_task("addition"), byte_pairs([("1", "2"), ("3", "4"), ("5", "6"), ("7", "8"), ("0", "9")]))


def test_prefixes_and_special_tokens_come_first_and_carry_the_rule():
    task = get_task("addition")
    tokenizer = byte_pairs(prefix_bos=True)
    codec = TextCodec(task, tokenizer, prefix="Add:")
    samples = task.sample(2, 2, np.random.default_rng(0))
    ids = codec.rows(samples)["input_ids"]
    assert ids[0].tolist() == tokenizer(
        "Add:" + samples.prompt_strings()[0] + samples.answer_strings()[0]
    ).input_ids + [2]
    assert codec.scale_rule()[0][0] == tokenizer.convert_tokens_to_ids(":")
    with pytest.raises(ValueError, match="occurs in it twice"):
        TextCodec(task, byte_pairs(), prefix="A:d:").scale_rule()
    assert TextCodec(task, tokenizer).scale_rule()[0][0] == 1


def test_a_prefix_with_a_delimiter_of_the_rule_is_refused():
    task, tokenizer = get_task("addition"), byte_pairs(prefix_bos=True)
    with pytest.raises(ValueError, match=r"the prefix holds '\+', by which") as error:
        TextCodec(task, tokenizer, prefix="3+4=7:").scale_rule()
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"the prefix holds '\+'"):
        TextCodec(task, tokenizer, prefix="A+").scale_rule()
    with pytest.raises(ValueError, match="the prefix holds '='"):
        TextCodec(get_task("addition", widths="unequal"), tokenizer, prefix="S=:").scale_rule()
    assert TextCodec(task, tokenizer, prefix="S=:").scale_rule()  # a sum of equal widths does not look for it


def test_chat_template():
    tokenizer = byte_pairs()
    with pytest.raises(ValueError, match="needs a tokenizer with a chat template"):
        TextCodec(get_task("addition"), tokenizer, template="chat")
    tokenizer.chat_template = "{% for m in messages %}S{{ m.content }}\n{% endfor %}A:"
    codec = TextCodec(get_task("addition"), tokenizer, template="chat", instruction="Add")
    assert tokenizer.decode(codec.prefix_ids).replace(" ", "") == "SAdd\nA:"
    with pytest.raises(ValueError, match="template must be one of"):
        TextCodec(get_task("addition"), tokenizer, template="caht")


def test_prompts_of_unequal_length_are_padded_on_the_left():
    task = get_task("addition", widths="unequal")
    codec = TextCodec(task, byte_pairs(prefix_bos=True))
    rng = np.random.default_rng(0)
    samples = type(task.sample((2, 3), 1, rng)).concatenate([task.sample((2, 3), 1, rng), task.sample((4, 1), 1, rng)])
    prompts = codec.prompts(samples)
    for ids, mask in zip(prompts["input_ids"], prompts["attention_mask"], strict=True):
        assert mask.tolist() == sorted(mask.tolist()) and (ids[mask == 0] == 0).all() and ids[mask == 1][0] == 1


def test_a_hint_as_text_stands_in_front_of_the_prompt():
    task, tokenizer = get_task("addition"), byte_pairs(prefix_bos=True)
    codec = TextCodec(task, tokenizer, hint_text=True)
    samples = task.sample(12, 3, np.random.default_rng(0))
    rows, plain = codec.rows(samples), TextCodec(task, tokenizer).rows(samples)
    for row, (prompt, answer) in enumerate(zip(samples.prompt_strings(), samples.answer_strings(), strict=True)):
        assert rows["input_ids"][row].tolist() == tokenizer(f"12:{prompt}{answer}").input_ids + [2]
        assert codec.prompts(samples)["input_ids"][row].tolist() == tokenizer(f"12:{prompt}").input_ids
    assert (rows["labels"][:, 3:] == plain["labels"]).all() and (rows["labels"][:, :3] == -100).all()
    # Additions that read the hint from the prompt begin to count behind the colon.
    assert codec.scale_rule()[0][0] == tokenizer.convert_tokens_to_ids(":")
    two = get_task("addition", widths="unequal")
    codec = TextCodec(two, byte_pairs(), hint_text=True)
    drawn = two.sample((2, 10), 1, np.random.default_rng(0))
    assert codec.prompts(drawn)["input_ids"][0].tolist()[:5] == byte_pairs()("2:10:").input_ids
    others = two.sample((3, 4), 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="samples of one scale"):
        codec.rows(type(drawn).concatenate([drawn, others]))


def test_a_hint_as_text_needs_digits_and_a_colon_of_their_own():
    merged = byte_pairs([("1", ":")])  # harmless for the task's own characters
    assert TextCodec(get_task("addition"), merged).style == "plain"
    with pytest.raises(ValueError, match="does not give every character"):
        TextCodec(get_task("addition"), merged, hint_text=True)
