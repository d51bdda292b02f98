import pytest

from hf_lengthgen.model.position_registry import list_position_embeddings
from hf_lengthgen.model.relation import LinearRelation
from hf_lengthgen.theory.carriers import carrier, reach
from hf_lengthgen.theory.pola import Level
from hf_lengthgen.theory.prf import nope, rpe


def three_parts(count, times=1):
    """Queries of an addition, whose hint is so many times the scale."""
    hints = [times * n for n in range(1, count + 1)]
    return [Level(n, 3 * n + 4, tuple(range(2 * n + 2, 3 * n + 4))) for n in hints]


def has(can, text):
    return LinearRelation.parse(text) in can.relations


def test_every_embedding_is_spoken_of():
    for name in list_position_embeddings():
        assert carrier(name).why, name


@pytest.mark.parametrize("name", ["rope", "shaw", "transformer_xl", "fire", "xpos", "urpe", "t5"])
def test_relative_ones(name):
    plain, hinted = carrier(name), carrier(name, scale_hint="prompt")
    assert has(plain, "i - j = 3") and not has(plain, "i - j = n")
    assert has(hinted, "i - j = 3n + 2") and not has(hinted, "i - j = 4n") and not has(hinted, "i + j = n")
    assert not has(carrier(name, {"scale_shifts": 2}, "prompt"), "i - j = 2n")
    assert not has(carrier(name, scale_hint="prompt", heads=2), "i - j = 2n")


def test_the_others():
    assert carrier("none").relations == () and carrier("alibi", scale_hint="prompt").relations == ()
    assert has(carrier("learned"), "j = 2") and not has(carrier("learned"), "i - j = 0")
    assert carrier("learned", {"offset": 5}).relations is None
    assert carrier("cope").relations is None and carrier("coupling").relations is None
    assert has(carrier("hard_alibi"), "i - j = 1") and not has(carrier("hard_alibi"), "i - j = 2")
    assert has(carrier("lbpe", {"window": 3}, "prompt"), "i - j = n + 3")
    assert not has(carrier("lbpe", {}, "prompt"), "i - j = n + 3")
    assert carrier("lbpe", {"parametrisation": "mlp"}).relations is None
    assert has(carrier("lbpe", {"parametrisation": "table"}, "prompt"), "i - j = n + 3")
    assert [str(r) for r in carrier("ipe", {"relations": ["i - j = n"]}, "input").relations] == ["i - j = n"]


@pytest.mark.parametrize(
    ("name", "options", "hint", "relation", "last"),
    [
        ("shaw", {"window": 3}, "none", "i - j = {}", 2),
        ("lbpe", {"parametrisation": "table", "table_window": 3}, "none", "i - j = {}", 2),
        ("shaw", {"window": 3}, "prompt", "i - j = n + {}", 2),
        ("t5", {"buckets": 8}, "none", "i - j = {}", 3),
        ("t5", {"buckets": 12}, "prompt", "i - j = n + {}", 2),
    ],
)
def test_a_table_ends_before_the_row_that_stands_for_all_that_is_farther(name, options, hint, relation, last):
    can = carrier(name, options, hint)
    assert has(can, relation.format(last)) and not has(can, relation.format(last + 1))
    # The same by the definition, with the φ of its heads.
    for distance, farthest in ((last, 18), (last + 1, 6)):
        asked = LinearRelation.parse(relation.format(distance))
        assert reach([asked], can.prfs, three_parts(18), 6) == farthest


def test_heads_that_see_a_window():
    """Of 8 heads 4 have one; with the hint only that of the first is a class of one distance."""
    assert has(carrier("hard_alibi", heads=8), "i - j = 3") and not has(carrier("hard_alibi", heads=8), "i - j = 4")
    hinted = carrier("hard_alibi", scale_hint="prompt", heads=8)
    assert has(hinted, "i - j = 0") and not has(hinted, "i - j = 1")
    assert carrier("kerple").relations == carrier("sandwich").relations == ()


def test_what_is_carried_keeps_its_classes():
    """The table above against the definition, pair by pair."""
    for name, hint in [("rope", "none"), ("rope", "prompt"), ("t5", "none"), ("t5", "prompt"), ("learned", "none")]:
        can = carrier(name, scale_hint=hint)
        for text in ("i - j = 0", "i - j = 2", "i - j = n", "i - j = 2n + 1", "j = 1", "i + j = 3n", "j = n"):
            relation = LinearRelation.parse(text)
            found = reach([relation], can.prfs, three_parts(18), 6)
            assert (found == 18) == (relation in can.relations), (name, hint, text, found)
            assert found == 18 or found == 6, (name, hint, text, found)


def test_reach():
    assert reach([], [nope()], three_parts(9), 4) == 9
    relation = LinearRelation.parse("i - j = n")
    assert reach([relation], [rpe()], three_parts(9), 4) == 4
    assert reach([relation], [rpe(), rpe(1)], three_parts(9), 4) == 9
    # Read at one distance only, which does not change: it ends where the distance is met for another reason.
    assert reach([relation, LinearRelation.parse("i - j = 0")], [rpe(1)], three_parts(9), 4) == 4


def test_reach_counts_scales_whatever_the_hint_counts():
    relation = LinearRelation.parse("i - j = n")
    assert reach([relation], [rpe()], three_parts(9, times=2), 4) == 4
    assert reach([relation], [rpe(1)], three_parts(9, times=2), 4) == 9


def test_bad_input():
    with pytest.raises(ValueError, match="unknown position embedding 'ropee'.*'rope'"):
        carrier("ropee")
    with pytest.raises(ValueError, match="does not use a Scale Hint"):
        carrier("learned", scale_hint="prompt")
    with pytest.raises(ValueError, match="has no option 'windw'"):
        carrier("lbpe", {"windw": 3})
    with pytest.raises(ValueError, match="scale_hint is one of"):
        carrier("rope", scale_hint="yes")
