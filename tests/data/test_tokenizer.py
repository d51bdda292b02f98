import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from hf_lengthgen.data.tokenizer import build_tokenizer, character_table, check_characters, scale_rule_ids
from hf_lengthgen.tasks import get_task, list_tasks

PRINTABLE = "".join(map(chr, range(32, 127))) + "\n\t"
TOKENIZER = build_tokenizer(PRINTABLE)


def test_ids_follow_the_vocabulary():
    task = get_task("addition")
    tokenizer = build_tokenizer(task)
    assert tokenizer.convert_ids_to_tokens(range(4)) == ["<pad>", "<bos>", "<eos>", "<unk>"]
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)
    assert tokenizer.unk_token_id == 3
    assert tokenizer.convert_ids_to_tokens(range(4, len(tokenizer))) == list(task.vocabulary)


def test_bos_in_front_and_no_eos():
    assert build_tokenizer("ab=")("ba=").input_ids == [1, 5, 4, 6]


def test_left_padding():
    batch = build_tokenizer("ab=")(["a=", "abba="], padding=True)
    assert batch.input_ids == [[0, 0, 0, 1, 4, 6], [1, 4, 5, 5, 4, 6]]
    assert batch.attention_mask == [[0, 0, 0, 1, 1, 1], [1] * 6]
    assert set(batch) == {"input_ids", "attention_mask"}


def test_special_tokens_are_dropped_in_decoding():
    tokenizer = build_tokenizer("ab=")
    assert tokenizer.decode([0, 1, 4, 5, 6, 2, 0], skip_special_tokens=True) == "ab="
    assert tokenizer.decode([1, 4, 2]) == "<bos>a<eos>"


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet=PRINTABLE, max_size=40))
def test_round_trip(text):
    for special in ("<pad>", "<bos>", "<eos>", "<unk>"):  # the names of special tokens are not text
        text = text.replace(special, "")
    ids = TOKENIZER(text).input_ids
    assert len(ids) == 1 + len(text)
    assert TOKENIZER.decode(ids, skip_special_tokens=True) == text


@pytest.mark.parametrize("name", list_tasks())
def test_saved_and_loaded_without_our_code(name, tmp_path):
    tokenizer = build_tokenizer(get_task(name))
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert isinstance(loaded, PreTrainedTokenizerFast)
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert loaded.padding_side == "left"
    prompts = get_task(name).sample(7, 5, np.random.default_rng(0)).prompt_strings()
    assert loaded(prompts).input_ids == tokenizer(prompts).input_ids
    assert loaded.batch_decode(loaded(prompts).input_ids, skip_special_tokens=True) == prompts
    assert not list(tmp_path.glob("*.py"))


def test_character_table():
    tokenizer = build_tokenizer("=ab")
    table = character_table(tokenizer)
    assert table.shape == (256,) and table.dtype == np.int64
    assert table[list(b"=abc")].tolist() == [4, 5, 6, 3]
    assert (np.delete(table, list(b"=ab")) == tokenizer.unk_token_id).all()


def test_scale_rule_in_ids():
    task = get_task("addition", widths="unequal")
    tokenizer = build_tokenizer(task)
    plus, equals = tokenizer.convert_tokens_to_ids(["+", "="])
    assert scale_rule_ids(task, tokenizer) == [[1, plus], [plus, equals]]
    with pytest.raises(ValueError, match=r"characters '\+'"):
        scale_rule_ids(task, build_tokenizer("ab="))


def test_foreign_characters_are_named():
    tokenizer = build_tokenizer("ab=")
    check_characters("abba=", tokenizer)
    with pytest.raises(ValueError, match="characters 'B\u00fc'; allowed: 'ab='; did you mean 'b'"):
        check_characters("aB\u00fcB=", tokenizer)


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        ("", "non-empty|a task or a string"),
        (None, "a task or a string"),
        ("abca", "repeats 'a'"),
        ("a\u0416", "Latin-1"),
        ("a\0", "NUL"),
    ],
)
def test_bad_vocabularies(vocabulary, message):
    with pytest.raises(ValueError, match=message):
        build_tokenizer(vocabulary)
