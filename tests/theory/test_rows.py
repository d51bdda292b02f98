import numpy as np
import pytest

from hf_lengthgen.tasks import Samples, get_task
from hf_lengthgen.theory.rows import BOS, EOS, Rows, check_consistent, neighbours, rows_of_samples, task_rows


def texts(rows):
    """Per row: text, what is asked."""
    for number in range(len(rows)):
        queries = np.flatnonzero(rows.asked[number])
        yield rows.text(number), "".join(rows.names[c] for c in rows.tokens[number, queries + 1])


@pytest.mark.parametrize(
    ("name", "options", "scale"),
    [
        ("addition", {}, 4),
        ("addition", {"padding": "none"}, 4),
        ("dyck", {}, 7),
        ("parity", {"cot": False}, 3),
        ("copy", {"symbols": "äöü"}, 4),
    ],
)
def test_rows_of_a_task(name, options, scale):
    task = get_task(name, **options)
    samples = task.sample(scale, 50, np.random.default_rng(0))
    rows = rows_of_samples(task, samples)
    wanted = zip(samples.prompt_strings(), samples.answer_strings(), strict=True)
    for (text, asked), (prompt, answer) in zip(texts(rows), wanted, strict=True):
        assert text == prompt + answer and asked == answer + "<eos>"
    assert (rows.tokens[:, 0] == BOS).all() and ((rows.tokens == EOS).sum(axis=1) == 1).all()
    assert (rows.scales == samples.scales).all()


def test_boundaries_are_where_the_scale_rule_says():
    task = get_task("addition", widths="unequal")
    rows = rows_of_samples(task, task.sample((3, 5), 4, np.random.default_rng(0)))
    assert rows.boundaries[0].tolist() == [[0, 4], [4, 10]]


@pytest.mark.parametrize(("name", "options"), [("addition", {}), ("copy", {"symbols": "äöü"})])
def test_neighbours_differ_in_one_character_and_are_right(name, options):
    task = get_task(name, **options)
    samples = task.sample(6, 40, np.random.default_rng(0))
    near = neighbours(task, samples, 30, np.random.default_rng(1))
    prompts = set(samples.prompt_strings())
    assert 10 < len(near) <= 30
    for prompt, answer in zip(near.prompt_strings(), near.answer_strings(), strict=True):
        assert task.answer(prompt) == answer
        assert any(sum(a != b for a, b in zip(prompt, other, strict=True)) == 1 for other in prompts)


def test_as_many_queries_as_wanted():
    task = get_task("copy")
    rows = task_rows(task, [(3,), (10,)], 440, np.random.default_rng(0))
    asked = [rows.asked[rows.largest == n].sum() for n in (3, 10)]
    assert all(440 <= count <= 1.6 * 440 for count in asked)
    assert (rows.largest == 3).sum() >= 110


def test_concatenation_pads_behind():
    task = get_task("copy")
    rng = np.random.default_rng(0)
    parts = [rows_of_samples(task, task.sample(n, 3, rng)) for n in (2, 5)]
    joined = Rows.concatenate(parts)
    assert list(texts(joined)) == [*texts(parts[0]), *texts(parts[1])]
    assert list(texts(joined.take(np.array([4, 0])))) == [list(texts(parts[1]))[1], list(texts(parts[0]))[0]]


def test_inconsistent_rows_are_named():
    task = get_task("copy")
    good = task.sample(3, 3, np.random.default_rng(0))
    check_consistent(rows_of_samples(task, good))
    twice = Samples(
        np.frombuffer(b"abc=xbc=abc=", np.uint8).reshape(3, 4).copy(),
        np.frombuffer(b"abcxbcabd", np.uint8).reshape(3, 3).copy(),
        np.full((3, 1), 3),
    )
    with pytest.raises(ValueError, match=r"after 'abc=ab' \(rows 0 and 2\) comes 'c' in one row and 'd' in another"):
        check_consistent(rows_of_samples(get_task("copy", symbols="abcdx"), twice))
