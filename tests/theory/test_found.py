import pytest

from hf_lengthgen.model.relation import LinearRelation
from hf_lengthgen.theory.discovery import discovered_options
from hf_lengthgen.theory.found import Discovery, Witness
from hf_lengthgen.theory.relations import build_dictionary


@pytest.mark.parametrize(
    ("texts", "hints"),
    [
        (["i - j = n", "i - j = n + 1", "j = n + 2"], 1),
        (["i - 2j = n + 3"], 1),
        (["offset(i) - offset(j) = -1 in segment 1", "i - j = 0"], 2),
        (["offset(i) - offset(j) = 2 in segment 0"], 2),
    ],
)
def test_options_for_lbpe_hold_the_relations(texts, hints):
    relations = tuple(LinearRelation.parse(text, hints) for text in texts)
    options = discovered_options(Discovery("constant", "", relations))
    dictionary = build_dictionary(hints, **options)
    assert {r.normalized() for r in relations} <= set(dictionary)
    assert len(dictionary) < len(build_dictionary(hints, segments=tuple(range(hints))))


def test_no_relations_no_options():
    with pytest.raises(ValueError, match="found no relations"):
        discovered_options(Discovery("growing", "it grows"))


def test_a_witness_shows_where_its_rows_differ():
    text = str(Witness(99, ("0" * 200 + "1" + "0" * 50, "a"), ("0" * 251, "b")))
    assert "000100" in text and text.startswith("n = 99") and len(text) < 220
