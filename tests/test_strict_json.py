import json

import pytest

from hf_lengthgen import strict_json


@pytest.mark.parametrize("value", [{}, [], 3, None, "a", {"a": [{"b": 1.5, "c": {}}, {"b": 2}], "d": "b"}])
def test_what_json_reads(value):
    assert strict_json.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": 2, "a": 1}', "the key 'a' occurs twice in one object"),
        ('[{"x": {"a": 1, "a": 2}}]', "the key 'a' occurs twice in one object"),
        ('{"a": NaN}', "it holds NaN, which is not a number"),
        ("[-Infinity]", "it holds -Infinity, which is not a number"),
        ("[" * 100_000 + "]" * 100_000, "it is nested too deeply"),
    ],
)
def test_what_it_refuses(text, message):
    with pytest.raises(ValueError) as error:
        strict_json.loads(text)
    assert str(error.value) == message and not isinstance(error.value, json.JSONDecodeError)


def test_no_json_is_told_as_json_does():
    with pytest.raises(json.JSONDecodeError, match="line 1 column 8"):
        strict_json.loads('{"a": 1')


def test_python_s_own_constants_where_they_are_allowed():
    assert strict_json.loads('{"a": [Infinity]}', constants=True) == {"a": [float("inf")]}
    with pytest.raises(ValueError, match="occurs twice"):
        strict_json.loads('{"a": NaN, "a": NaN}', constants=True)
