import numpy as np
import pytest

from hf_lengthgen.gallery import reads
from hf_lengthgen.model.relation import LinearRelation
from hf_lengthgen.tasks import get_task
from hf_lengthgen.theory.relations import build_dictionary, chain, complexity, dictionaries, read_rows
from hf_lengthgen.theory.rows import rows_of_samples


@pytest.mark.parametrize(
    ("name", "options", "scale"),
    [("addition", {}, 7), ("addition", {"widths": "unequal"}, (3, 8)), ("division_digit", {}, 6), ("reverse", {}, 9)]
    + [("interleave", {}, 5), ("tape", {}, (4, 3)), ("addition", {"padding": "none", "widths": "unequal"}, (4, 2))],
)
def test_reads_are_those_of_the_tables_of_tasks(name, options, scale):
    """`gallery.reads` finds them row by row."""
    task = get_task(name, **options)
    samples = task.sample(scale, 20, np.random.default_rng(0))
    rows = rows_of_samples(task, samples)
    relations = [LinearRelation.parse(text, task.hints) for text in task.ideal_relations]
    found = read_rows(rows, relations)
    pairs = zip(samples.prompt_strings(), samples.answer_strings(), strict=True)
    for number, (prompt, answer) in enumerate(pairs):
        here = found.row == number
        keys = reads(task, prompt, answer, tuple(samples.scales[number].tolist()))
        text = ["<bos>", *prompt, *answer, "<eos>"]
        expected = [["⊥" if key < 0 else text[key] for key in line] for line in keys.tolist()]
        assert [[rows.names[c] for c in line] for line in found.columns[here].tolist()] == expected
        assert [rows.names[c] for c in found.target[here]] == text[len(prompt) + 1 :]


def test_a_segment_needs_delimiters():
    task = get_task("copy")
    rows = rows_of_samples(task, task.sample(3, 2, np.random.default_rng(0)))
    bare = type(rows)(rows.tokens, rows.asked, rows.scales, None, rows.names)
    with pytest.raises(ValueError, match="the rows have no delimiters"):
        read_rows(bare, [LinearRelation(1, -1, (0,), 0, 0)])


def test_dictionaries_grow():
    for hints in (1, 2):
        names, sets = zip(*dictionaries(hints), strict=True)
        assert names == ("default", "wide", "strides")
        assert all(set(small) < set(large) for small, large in zip(sets, sets[1:], strict=False))
        assert any(r.segment is not None for r in sets[0]) == (hints == 2)
        assert not any(r.uses_scale for _, found in dictionaries(hints, scale_hint=False) for r in found)
    assert set(build_dictionary()) == set(dictionaries(1)[0][1])
    assert LinearRelation.parse("i - 2j = n + 3") in dictionaries(1)[1][1]


def test_a_dictionary_is_checked_as_that_of_lbpe():
    with pytest.raises(ValueError, match="b must not be 0"):
        build_dictionary(forms=[[1, 0, 0]])


def test_simple_relations_come_first():
    texts = ["2i - j = 3n", "i + j = n", "j = n + 1", "i - j = n", "i - j = 0"]
    assert [str(r) for r in sorted(map(LinearRelation.parse, texts), key=complexity)][:2] == ["i - j = 0", "i - j = n"]


def test_chains_are_what_has_been_read_at_what_is_read():
    texts = ["i - j = n + 2", "i - j = 1", "i + j = 2n + 1", "j = n + 1", "i - 2j = n", "j = 1"]
    relations = [LinearRelation.parse(text) for text in texts]
    both = chain(relations)
    assert set(relations) < set(both)
    for n in (3, 10):  # by following the reads
        for first in relations:
            for second in relations:
                landed = {}
                for i in range(60):
                    middle = first.key(i, (n,))
                    end = None if middle is None else second.key(middle, (n,))
                    if end is not None:
                        landed[i] = end
                if landed and abs(first.b) == 1:
                    found = [r for r in both if all(r.key(i, (n,)) == end for i, end in landed.items())]
                    assert found, (str(first), str(second))
    assert LinearRelation.parse("i - j = n + 3") in both and LinearRelation.parse("i - j = 2n + 4") in both
    assert LinearRelation.parse("i + j = 2n + 2") in both
