import pytest

from hf_lengthgen.training.values import convert, is_mapping, parse_yaml


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "+1e-3", "1.e-3", "0.001", "1.0e-3"])
def test_every_spelling_of_a_number_is_a_number(text):
    assert parse_yaml(f"x: {text}", "f")["x"] == 0.001


def test_exponents_in_nested_values_and_lists():
    assert parse_yaml("a: {b: [1e-2, 2e3]}", "f") == {"a": {"b": [0.01, 2000.0]}}


@pytest.mark.parametrize("text", ["e3", "1e", "1ex3", "abc", "30x100", "i - j = 0"])
def test_text_stays_text(text):
    assert parse_yaml(f"x: {text}", "f")["x"] == text


def test_no_is_a_word_where_text_is_wanted():
    assert convert(parse_yaml("a: no", "f")["a"], str | None, "a") == "no"
    with pytest.raises(ValueError, match="a must be text, got True"):
        convert(True, str, "a")


def test_a_number_given_twice_is_an_error():
    with pytest.raises(ValueError, match="the key 0 is given twice"):
        parse_yaml("{0: 4, 0: 8}", "--curriculum")


def test_a_key_given_twice_is_an_error():
    with pytest.raises(ValueError, match=r"f\.yaml: not valid YAML at line 2.*'a' is given twice"):
        parse_yaml("a: 1\na: 2", "f.yaml")


def test_broken_yaml_names_file_and_line():
    with pytest.raises(ValueError, match=r"^f\.yaml: not valid YAML at line 2, column \d+: [^\n]*$"):
        parse_yaml("a: 1\nb: [", "f.yaml")


def test_yaml_builds_no_objects():
    with pytest.raises(ValueError, match="not valid YAML"):
        parse_yaml("!!python/object/apply:os.system ['true']", "f")


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("3", int, 3), (3, int, 3), (1e3, int, 1000), ("1e3", int, 1000),
        ("1e-3", float, 0.001), (2, float, 2.0),
        ("true", bool, True), ("No", bool, False), (True, bool, True),
        (None, dict, {}), ({"a": 1}, dict, {"a": 1}), (None, int | None, None), ("null", int | None, None),
        ("5", int | None, 5), ("runs", str | None, "runs"),
    ],
)  # fmt: skip
def test_conversions(value, kind, expected):
    result = convert(value, kind, "key")
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (True, int, "a whole number"), (1.5, int, "a whole number"), ("many", int, "a whole number"),
        (None, int, "a whole number"), (True, float, "a number"), ("nan", float, "a number"),
        ("inf", float, "a number"), ([1], float, "a number"), ("maybe", bool, "true or false"),
        (1, bool, "true or false"), (3, str, "text"), ([1], dict, "a mapping"), ({1: 2}, dict, "a mapping"),
        ("x", list, "a list"),
    ],
)  # fmt: skip
def test_refusals_name_key_and_value(value, kind, words):
    with pytest.raises(ValueError, match=f"^lr must be {words}.*got ") as error:
        convert(value, kind, "lr")
    assert repr(value) in str(error.value)


def test_scales():
    given = [10, "20", "30x100", [5, 7], (8,)]
    assert convert(given, list, "k", scales=True) == [10, 20, (30, 100), (5, 7), 8]


@pytest.mark.parametrize("item", ["x", "3x", 1.5, [], [1, "b"], None])
def test_bad_scales(item):
    with pytest.raises(ValueError, match="a scale is a whole number"):
        convert([item], list, "k", scales=True)


def test_mappings_from_numbers():
    assert convert({"0": "4", 500: 12}, dict[int, int] | None, "curriculum") == {0: 4, 500: 12}
    assert convert({3: 1}, dict[int, float], "w") == {3: 1.0}
    assert convert(None, dict[int, int] | None, "curriculum") is None


@pytest.mark.parametrize("value", [[1], {"a": 4}, {0: "many"}, {0: None}, 5])
def test_bad_mappings_from_numbers(value):
    with pytest.raises(ValueError, match="^curriculum[^\n]*must be"):
        convert(value, dict[int, int] | None, "curriculum")


def test_which_settings_have_entries():
    assert [is_mapping(kind) for kind in (dict, dict | None, dict[int, int] | None, list, int | None, str)] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
