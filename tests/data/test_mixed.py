import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from hf_lengthgen.data.encode import encode
from hf_lengthgen.data.mixed import (
    MixedBatches,
    build_mixed_tokenizer,
    mixed_scale_rule,
    task_labels,
    task_mark,
    task_tokenizer,
)
from hf_lengthgen.data.online import OnlineBatches
from hf_lengthgen.data.tokenizer import build_tokenizer, character_table
from hf_lengthgen.tasks import get_task


def tasks(**named):
    return {label: get_task(name) for label, name in named.items()}


PAIR = {"copy": get_task("copy"), "parity": get_task("parity")}


def mixed(weights=(1, 1), seed=0, batch_size=8, groups=2):
    tokenizer = build_mixed_tokenizer(PAIR)
    parts = {
        label: OnlineBatches(task, task_tokenizer(tokenizer, label), 1, 6, batch_size, groups=groups, seed=seed)
        for label, task in PAIR.items()
    }
    return MixedBatches(parts, weights, seed), tokenizer


def test_one_vocabulary_and_a_mark_for_every_task():
    tokenizer = build_mixed_tokenizer(PAIR)
    # copy's characters, then those of parity that copy lacks, then the marks.
    assert tokenizer.convert_ids_to_tokens(range(len(tokenizer))) == [
        "<pad>", "<bos>", "<eos>", "<unk>", *"abcdefghij=", *"01:", "<copy>", "<parity>",
    ]  # fmt: skip
    assert task_labels(tokenizer) == ["copy", "parity"]
    assert task_labels(build_tokenizer("ab=")) == []


def test_a_prompt_opens_with_its_mark_which_is_one_token(tmp_path):
    build_mixed_tokenizer(PAIR).save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    ids = loaded("<parity>01=")["input_ids"]
    assert loaded.convert_ids_to_tokens(ids) == ["<parity>", "0", "1", "="]
    assert loaded.decode(ids, skip_special_tokens=True) == "01="
    padded = loaded(["<copy>ab=", "<copy>abc="], padding=True)
    assert padded["attention_mask"] == [[0, 1, 1, 1, 1], [1, 1, 1, 1, 1]]


def test_the_tokenizer_of_one_task_has_the_same_ids_and_its_mark_as_begin_token(tmp_path):
    tokenizer = build_mixed_tokenizer(PAIR)
    own = task_tokenizer(tokenizer, "parity")
    assert own("01=")["input_ids"] == tokenizer("<parity>01=")["input_ids"]
    assert own.bos_token_id == tokenizer.convert_tokens_to_ids("<parity>")
    assert np.array_equal(character_table(own), character_table(tokenizer))
    assert tokenizer("01=")["input_ids"] == own("01=")["input_ids"][1:]  # the shared one is as it was
    with pytest.raises(ValueError, match="not trained on a task 'copi'; allowed: copy, parity; did you mean 'copy'"):
        task_tokenizer(tokenizer, "copi")
    with pytest.raises(ValueError, match="not trained on a task 'copy'"):
        task_tokenizer(build_tokenizer("ab="), "copy")


def test_rows_are_those_of_the_task_alone_behind_its_mark():
    batches, tokenizer = mixed()
    alone = {
        label: OnlineBatches(task, build_tokenizer(task), 1, 6, 8, groups=2, seed=0) for label, task in PAIR.items()
    }
    seen = set()
    for step in range(12):
        label = batches.label(step)
        seen.add(label)
        own, theirs = batches.batch(step), alone[label].batch(step)
        begin = tokenizer.convert_tokens_to_ids(task_mark(label))
        assert (own["input_ids"][:, 0] == begin).all()
        assert torch.equal(own["scale_hint"], theirs["scale_hint"])
        assert torch.equal(own["labels"] == -100, theirs["labels"] == -100)
        expected = encode(alone[label].samples(step), character_table(tokenizer), begin, 2, 0)
        assert np.array_equal(own["input_ids"].numpy(), expected["input_ids"])
    assert seen == {"copy", "parity"}


def test_the_task_of_a_step_is_a_function_of_seed_and_step():
    one, two = mixed(seed=3)[0], mixed(seed=3)[0]
    labels = [one.label(step) for step in range(50)]
    assert [two.label(step) for step in reversed(range(50))] == labels[::-1]
    assert [mixed(seed=4)[0].label(step) for step in range(50)] != labels
    assert torch.equal(one.batch(17)["input_ids"], two.batch(17)["input_ids"])


def test_processes_share_the_batch_of_a_step():
    batches, _ = mixed()
    for step in range(4):
        whole = batches.batch(step)
        shares = [batches.batch(step, rank, 2) for rank in range(2)]
        rows = sorted(tuple(row) for row in whole["input_ids"].tolist())
        assert sorted(tuple(row) for share in shares for row in share["input_ids"].tolist()) == rows


def test_the_weights_are_shares_of_the_steps():
    batches, _ = mixed(weights=(1, 3))
    share = np.mean([batches.label(step) == "parity" for step in range(2000)])
    assert abs(share - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 2000)


def test_a_common_scale_rule_counts_from_the_first_token():
    pair = tasks(copy="copy", reverse="reverse")
    tokenizer = build_mixed_tokenizer(pair)
    assert mixed_scale_rule(pair, tokenizer) == [[None, tokenizer.convert_tokens_to_ids("=")]]
    later = {"a": get_task("lego"), "b": get_task("lego")}  # its rule starts at a character, not at <bos>
    tokenizer = build_mixed_tokenizer(later)
    assert mixed_scale_rule(later, tokenizer) == [[tokenizer.convert_tokens_to_ids(mark) for mark in ":="]]


def test_rules_that_differ():
    pair = tasks(copy="copy", addition="addition")
    assert mixed_scale_rule(pair, build_mixed_tokenizer(pair)) is None
    pair = tasks(copy="copy", tape="tape")
    with pytest.raises(ValueError, match="equally many Scale Hints for all of its tasks, these have: copy 1, tape 2"):
        mixed_scale_rule(pair, build_mixed_tokenizer(pair))


def test_bad_mixtures_are_told():
    with pytest.raises(ValueError, match="at least two tasks, got copy"):
        build_mixed_tokenizer(tasks(copy="copy"))
    for label in ("a b", "<x>", "", "eos"):
        with pytest.raises(ValueError, match="a label is made of letters"):
            build_mixed_tokenizer({label: get_task("copy"), "other": get_task("copy")})
    parts = mixed()[0].parts
    for weights in ((1, 0), (1, -1), (1, float("inf")), (1, float("nan"))):
        with pytest.raises(ValueError, match="weights of a mixture are positive numbers"):
            MixedBatches(parts, weights)
    with pytest.raises(ValueError, match="one weight per task, got 1 for 2"):
        MixedBatches(parts, [1])
    with pytest.raises(ValueError, match="seed"):
        MixedBatches(parts, [1, 1], seed=-1)
    with pytest.raises(ValueError, match="step"):
        MixedBatches(parts, [1, 1]).label(-1)
