import numpy as np
import pytest

from hf_lengthgen.data.encode import encode, encode_prompts, text_codes, vocabulary_table
from hf_lengthgen.data.tokenizer import build_tokenizer, character_table
from hf_lengthgen.tasks import Samples, get_task, list_tasks

PAD, BOS, EOS = 0, 1, 2


def ragged(texts: list[str]) -> np.ndarray:
    width = max(map(len, texts))
    return np.array([list(text.ljust(width, "\0").encode()) for text in texts], dtype=np.uint8)


def by_hand(tokenizer, prompts, answers):
    """What `encode` must give, from the tokenizer and one row at a time."""
    rows = [(tokenizer(p).input_ids, tokenizer(a).input_ids[1:] + [EOS]) for p, a in zip(prompts, answers, strict=True)]
    width = max(len(p) + len(a) for p, a in rows)
    gaps = [width - len(p) - len(a) for p, a in rows]
    return (
        [p + a + [PAD] * gap for (p, a), gap in zip(rows, gaps, strict=True)],
        [[-100] * len(p) + a + [-100] * gap for (p, a), gap in zip(rows, gaps, strict=True)],
        [[1] * (width - gap) + [0] * gap for gap in gaps],
    )


def check(task, samples):
    tokenizer = build_tokenizer(task)
    batch = encode(samples, character_table(tokenizer), BOS, EOS, PAD)
    ids, labels, mask = by_hand(tokenizer, samples.prompt_strings(), samples.answer_strings())
    assert batch["input_ids"].tolist() == ids
    assert batch["labels"].tolist() == labels
    assert batch["attention_mask"].tolist() == mask
    assert batch["scale_hint"].tolist() == samples.scales.tolist()
    assert {array.dtype for array in batch.values()} == {np.dtype(np.int64)}
    prompts = encode_prompts(samples, character_table(tokenizer), BOS, PAD)
    expected = tokenizer(samples.prompt_strings(), padding=True)
    assert prompts["input_ids"].tolist() == expected.input_ids
    assert prompts["attention_mask"].tolist() == expected.attention_mask
    assert prompts["scale_hint"].tolist() == samples.scales.tolist()


@pytest.mark.parametrize("options", [{}, {"widths": "unequal"}])
def test_rows_of_one_scale(options):
    task = get_task("addition", **options)
    check(task, task.sample(task.expand(6), 10, np.random.default_rng(0)))


def test_rows_of_many_scales():
    task = get_task("addition", widths="unequal")
    rng = np.random.default_rng(0)
    check(task, Samples.concatenate([task.sample(n, 4, rng) for n in [(3, 9), (1, 1), (8, 2), (5, 5)]]))


def test_ragged_prompts_and_answers():
    task = get_task("copy")
    samples = Samples(ragged(["a=", "abcdef=", "abc="]), ragged(["abcdefgh", "a", "abc"]), np.array([[1], [6], [3]]))
    check(task, samples)


def test_the_longest_row_sets_the_width():
    # The longest prompt and the longest answer belong to different rows: no column is padding in every row.
    samples = Samples(ragged(["a=", "abcdef="]), ragged(["abcdefgh", "a"]), np.array([[1], [6]]))
    batch = encode(samples, character_table(build_tokenizer("abcdefgh=")), BOS, EOS, PAD)
    assert batch["input_ids"].shape == (2, 1 + 2 + 8 + 1)


def test_no_rows():
    samples = get_task("copy").sample(3, 0, np.random.default_rng(0))
    table = character_table(build_tokenizer("abc="))
    assert encode(samples, table, BOS, EOS, PAD)["input_ids"].shape[0] == 0
    assert encode_prompts(samples, table, BOS, PAD)["input_ids"].shape[0] == 0


@pytest.mark.parametrize("name", list_tasks())
def test_the_table_of_a_vocabulary_is_that_of_its_tokenizer(name):
    vocabulary = get_task(name).vocabulary
    assert np.array_equal(vocabulary_table(vocabulary), character_table(build_tokenizer(vocabulary)))


@pytest.mark.parametrize("texts", [["ab=", "", "a"], ["1+2="] * 3, [""], ["\xff\x80", "a"]])
def test_codes_of_texts(texts):
    """The same from a list and from an array, whose strings are NumPy's."""
    for given in (texts, np.array(texts)):
        codes = text_codes(given)
        assert codes.dtype == np.uint8 and len(codes) == len(texts)
        assert [bytes(row).rstrip(b"\0").decode("latin-1") for row in codes] == texts


def test_codes_of_foreign_texts():
    with pytest.raises(ValueError, match="'a\u0416b' has the character '\u0416', which is not in Latin-1"):
        text_codes(["ab", "a\u0416b"])
