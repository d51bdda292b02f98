import ast
import re
from pathlib import Path

import numpy as np
import pytest

import hf_lengthgen.tasks
from hf_lengthgen.tasks import Samples, get_task, list_tasks
from hf_lengthgen.tasks.task import assemble, nearest

RNG = np.random.default_rng


def test_tasks_import_the_standard_library_and_numpy_only():
    for file in Path(hf_lengthgen.tasks.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level < 2, f"{file.name} imports from outside tasks/"
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            for name in names:
                assert name.partition(".")[0] not in {"torch", "transformers", "datasets", "hf_lengthgen"}


def test_assemble():
    left, right = np.array([[65], [66]], np.uint8), np.array([[67, 68], [69, 70]])
    assert assemble(left, "=>", right).tolist() == [list(b"A=>CD"), list(b"B=>EF")]


def test_nearest():
    assert nearest("cpy", ["copy", "parity"]) == "allowed: copy, parity; did you mean 'copy'?"
    assert nearest("zzz", ["copy"]) == "allowed: copy"


def test_samples_of_different_widths_are_stacked_and_indexed():
    task = get_task("copy")
    parts = [task.sample(n, 3, RNG(n)) for n in (2, 5)]
    both = Samples.concatenate(parts)
    assert len(both) == 6
    assert both.prompts.shape == (6, 6)
    assert both.prompt_strings() == parts[0].prompt_strings() + parts[1].prompt_strings()
    assert both[[4, 0]].answer_strings() == [parts[1].answer_strings()[1], parts[0].answer_strings()[0]]
    assert both.scales.ravel().tolist() == [2, 2, 2, 5, 5, 5]


@pytest.mark.parametrize("name", list_tasks())
def test_sampling_depends_on_the_generator_alone(name):
    task = get_task(name)
    one, two, three = (task.sample(9, 50, RNG(seed)) for seed in (4, 4, 5))
    assert np.array_equal(one.prompts, two.prompts) and np.array_equal(one.answers, two.answers)
    assert not np.array_equal(one.prompts, three.prompts)


@pytest.mark.parametrize("name", list_tasks())
def test_no_rows(name):
    samples = get_task(name).sample(3, 0, RNG(0))
    assert len(samples) == 0 and samples.prompt_strings() == []


@pytest.mark.parametrize("n", [0, -1, 1.5, "3", None, True, (3, 4), ()])
def test_a_scale_is_a_positive_integer(n):
    with pytest.raises(ValueError, match="scale"):
        get_task("copy").sample(n, 1, RNG(0))


def test_numpy_integers_are_scales():
    assert get_task("copy").expand(np.int64(3)) == (3,)


def test_expand():
    task = get_task("addition", widths="unequal")
    assert task.expand(5) == (5, 5)
    assert task.expand((5, 7)) == (5, 7)
    with pytest.raises(ValueError, match=r"takes 2 scale\(s\) n, got 3"):
        task.expand((1, 2, 3))


@pytest.mark.parametrize("count", [-1, 1.0, "2", True])
def test_a_count_is_an_integer(count):
    with pytest.raises(ValueError, match="count must be an integer >= 0"):
        get_task("copy").sample(3, count, RNG(0))


def test_the_generator_is_a_numpy_generator():
    with pytest.raises(ValueError, match=r"numpy\.random\.Generator, got int"):
        get_task("copy").sample(3, 1, 42)


def test_scales_are_uniform_per_hint():
    scales = get_task("addition", widths="unequal").draw_scales(3, 7, 10_000, RNG(0))
    assert scales.shape == (10_000, 2) and scales.dtype == np.int64
    for hint in scales.T:
        counts = np.bincount(hint, minlength=8)
        assert not counts[:3].any() and (abs(counts[3:] - 2000) < 5 * 40).all()
    pairs = np.unique(scales, axis=0)
    assert len(pairs) == 25, "the hints are independent"


@pytest.mark.parametrize("bounds", [(0, 3), (4, 3), (1.0, 3), (1, None)])
def test_ranges_are_checked(bounds):
    with pytest.raises(ValueError, match="n_m"):
        get_task("copy").draw_scales(*bounds, 1, RNG(0))


@pytest.mark.parametrize(
    ("hard", "message"),
    [(-0.1, "between 0 and 1"), (1.5, "between 0 and 1"), ("x", "float"), (True, "float")],
)
def test_the_share_of_hard_rows_is_checked(hard, message):
    with pytest.raises(ValueError, match=message):
        get_task("copy", hard=hard)


def test_the_share_of_hard_rows_is_kept():
    task = get_task("copy", hard=0.3, symbols="abcdefghijklmnopqrstuvwxyz")
    rows = task.sample(40, 10_000, RNG(0)).answers
    few = np.array([len(set(row)) for row in rows.tolist()]) < 14  # 40 uniform letters: 20.6 different on average
    assert abs(few.mean() - 0.3) < 0.03


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("12+34", "lacks '='"),
        ("12=", "lacks '\\+'"),
        ("12+34=5", "goes on after '='"),
        ("12+34==", "goes on after '='"),
        ("1+2+3=", "foreign characters '\\+'"),
        ("+34=", "empty field"),
        ("1a+34=", "foreign characters 'a'"),
        (" 1+34=", "foreign characters ' '"),
        ("", "lacks"),
        ("9" * 50, "50 characters"),
        (12, "must be a string, got int"),
    ],
)
def test_malformed_prompts_are_named(prompt, message):
    with pytest.raises(ValueError, match=message):
        get_task("addition").answer(prompt)


@pytest.mark.parametrize("prompt", ["", "12", "=12+", "1=2"])
def test_the_scale_of_a_malformed_prompt(prompt):
    with pytest.raises(ValueError, match="lacks"):
        get_task("addition", widths="unequal").scale_of(prompt)


def test_what_a_task_is_said_to_be_has_its_own_format():
    assert '"01101=" -> "01001:1"' in get_task("parity").summary
    assert get_task("parity", hard=0.5).summary == get_task("parity").summary, "the format is the same"
    assert re.fullmatch(r'with cot=False: "[01]{4}=" -> "[01]"\.', get_task("parity", cot=False).summary)
    assert get_task("parity", cot=False).describe().startswith("parity: with cot=False: ")


@pytest.mark.parametrize("name", list_tasks())
def test_describe(name):
    text = get_task(name).describe()
    assert text.startswith(f"{name}: ")
    prompt, arrow, answer = text.splitlines()[-1].split()[1:4]
    assert arrow == "->" and get_task(name).answer(prompt) == answer


def test_repr_shows_what_was_changed():
    assert repr(get_task("addition", base=2)) == "Addition(base=2)"
    assert repr(get_task("copy")) == "Copy()"


def test_the_digest_separates_names_and_options():
    tasks = [get_task(name) for name in list_tasks()]
    tasks += [get_task("addition", base=2), get_task("addition", widths="unequal"), get_task("copy", hard=1)]
    assert len({task.digest for task in tasks}) == len(tasks)
    assert get_task("copy", hard=1).digest == get_task("copy", hard=1.0).digest
    assert get_task("copy", hard=0.25).digest == get_task("copy").digest
    assert all(0 <= task.digest < 2**64 for task in tasks)


@pytest.mark.parametrize("name", list_tasks())
def test_the_vocabulary_is_plain(name):
    vocabulary = get_task(name).vocabulary
    assert vocabulary.isascii() and len(set(vocabulary)) == len(vocabulary)
