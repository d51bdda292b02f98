import pytest

from hf_lengthgen.hub.words import in_words
from hf_lengthgen.model.relation import LinearRelation


@pytest.mark.parametrize(
    ("relation", "words"),
    [
        ("i - j = 0", "the query's own token"),
        ("i - j = 1", "the token before"),
        ("i - j = 2n + 1", "the token 2n + 1 places back"),
        ("j = 0", "the token in front of the prompt"),
        ("j = n0 + n1 + 2", "the token at position n0 + n1 + 2"),
        ("i + j = 3n + 2", "the token at position 3n + 2 minus the query's own: mirrored"),
        ("offset(i) - offset(j) = 0 in segment 1", "in operand 1, the token at the query's own offset"),
        ("offset(i) - offset(j) = -1 in segment 0", "in operand 0, the token one place after the query's own offset"),
        ("offset(i) - offset(j) = 2 in segment 0", "in operand 0, the token 2 places before the query's own offset"),
        ("other", "whatever no single relation names"),
        ("i - 2j = n - 3", "the token whose position, doubled and with n - 3 added, is the query's own"),
        ("2i + j = 9", "the token j with 2i + j = 9"),
    ],
)
def test_relations_in_words(relation, words):
    assert in_words(relation) == words
    if relation != "other":
        hints = 2 if "n1" in relation or "segment 1" in relation else 1
        assert str(LinearRelation.parse(relation, hints)) == relation, "the model writes it so"
