import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_lengthgen.tasks import get_task
from hf_lengthgen.tasks.formats import (
    LETTERS,
    SEPARATORS,
    Grammar,
    Mark,
    Number,
    NumberFormat,
    Repeat,
    Symbol,
    Text,
    pack_left,
)

from .format_contract import check_round_trip, values_of

formats = st.builds(
    NumberFormat,
    base=st.integers(2, 10),
    order=st.sampled_from(["reversed", "plain"]),
    index_hints=st.booleans(),
    separator=st.sampled_from(SEPARATORS),
)


def by_hand(form: NumberFormat, digits: str, start: int) -> str:
    """The definition: place by place."""
    places = []
    for place, digit in enumerate(digits):
        places.append((LETTERS[(start + place) % 52] if form.index_hints else "") + digit)
    return form.separator.join(places if form.order == "reversed" else places[::-1])


@given(formats, st.data())
def test_arrays_strings_and_the_definition_agree(form, data):
    rows, width = data.draw(st.integers(0, 4)), data.draw(st.integers(1, 120))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    digits, start = rng.integers(0, form.base, (rows, width), dtype=np.uint8), rng.integers(0, 52, rows)
    sizes = rng.integers(1, width, rows, endpoint=True) if data.draw(st.booleans()) else None
    codes = form.encode(digits, start, sizes)
    assert codes.dtype == np.uint8 and codes.shape == (rows, form.length(width))
    for row in range(rows):
        size = width if sizes is None else sizes[row]
        text = codes[row].tobytes().decode()
        assert len(text.rstrip("\0")) == form.length(size)
        number = "".join(map(str, digits[row, :size]))
        assert text.rstrip("\0") == form.write(number, start[row]) == by_hand(form, number, start[row])
        assert form.read(text.rstrip("\0")) == (number, start[row] if form.index_hints else None)


@given(formats, st.text("0123456789,._ abcxyzAZ", max_size=12))
def test_what_is_read_is_what_would_be_written(form, text):
    try:
        digits, start = form.read(text)
    except ValueError as error:
        assert "is not a number" in str(error) and "\n" not in str(error)
    else:
        assert form.write(digits, start or 0) == text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "321"),
        ({"order": "plain"}, "123"),
        ({"separator": ","}, "3,2,1"),
        ({"index_hints": True}, "a3b2c1"),
        ({"index_hints": True, "order": "plain", "separator": "_"}, "c1_b2_a3"),
    ],
)
def test_examples(options, text):
    form = NumberFormat(**options)
    assert form.write("321") == text and form.read(text)[0] == "321"


def test_letters_form_a_ring():
    form = NumberFormat(index_hints=True)
    assert form.write("123", start=51) == "Z1a2b3"
    assert form.read("Z1a2b3") == ("123", 51)


@pytest.mark.parametrize("text", ["", "3,,1", "3,2,", ",3", "3.2", "32", "3,a"])
def test_malformed_numbers(text):
    with pytest.raises(ValueError, match="is not a number of base 10 in the format '2,1,0'|is not a number"):
        NumberFormat(separator=",").read(text)


def test_index_hints_must_follow_one_another():
    for text in ("a1c2", "1a2b", "a1b", "b1a2"):
        with pytest.raises(ValueError, match="is not a number"):
            NumberFormat(index_hints=True).read(text)


PLAIN = NumberFormat(order="plain")
GRAMMAR = Grammar(
    Number("total", PLAIN),
    Mark(" is "),
    Repeat("steps", (Symbol("sign", "+-"), Repeat("parts", (Number("part", PLAIN),), between="&")), between=";"),
    Mark("."),
    Text("rest", "abc"),
)


def test_a_grammar_reads_names_and_roles():
    text = "12 is +10;-3&4.abba"
    values = {
        "total": "21",
        "steps": [
            {"sign": "+", "parts": [{"part": "01"}]},
            {"sign": "-", "parts": [{"part": "3"}, {"part": "4"}]},
        ],
        "rest": "abba",
    }
    assert GRAMMAR.read(text) == values and GRAMMAR.write(values) == text
    assert GRAMMAR.steps == "steps"
    roles = GRAMMAR.roles(text)
    assert roles[:3] == ["total", "total", "mark"] and roles[6] == "sign" and roles[7:10] == ["part", "part", "mark"]
    assert len(roles) == len(text)


@given(values_of(GRAMMAR))
def test_a_grammar_round_trip(values):
    check_round_trip(GRAMMAR, values)


@given(formats, formats, st.integers(0, 51), st.data())
def test_numbers_of_any_format_in_a_grammar(one, two, start, data):
    grammar = Grammar(Number("a", one), Mark("|"), Repeat("rows", (Number("b", two), Mark(";"))), Mark("="))
    hinted = one.index_hints or two.index_hints
    check_round_trip(grammar, data.draw(values_of(grammar, start if hinted else None)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' ends at character 1, where the number total should stand"),
        ("12 is", "has ' ' at character 3, where ' is ' should stand"),
        ("12 is *", "has '\\*' at character 7, where sign, one of '\\+-', should stand"),
        ("12 is +1;", "ends at character 10, where sign"),
        ("12 is +1&.a", "has '.' at character 10, where the number part should stand"),
        ("12 is +1.", "ends at character 10, where rest, made of 'abc', should stand"),
        ("12 is +1.ax", "has 'x' at character 11, where nothing should stand"),
    ],
)
def test_a_grammar_says_where_a_text_is_wrong(text, message):
    with pytest.raises(ValueError, match=message):
        GRAMMAR.read(text)


def test_all_numbers_of_a_text_start_with_one_letter():
    hinted = NumberFormat(index_hints=True)
    grammar = Grammar(Number("a", hinted), Mark("+"), Number("b", hinted))
    assert grammar.read("c1d2+c3") == {"a": "12", "b": "3", "start": 2}
    with pytest.raises(ValueError, match="start with different letters"):
        grammar.read("c1d2+d3")


def test_pack_left():
    codes = np.array([[0, 5, 0, 6], [7, 0, 0, 8], [1, 2, 3, 4]], dtype=np.uint8)
    assert pack_left(codes).tolist() == [[5, 6, 0, 0], [7, 8, 0, 0], [1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "revered"}, "option 'order' cannot be 'revered'.*did you mean 'reversed'"),
        ({"padding": "fixd"}, "did you mean 'fixed'"),
        ({"index_hints": "letters"}, "option 'index_hints' cannot be 'letters'; allowed: none, fixed, random"),
        ({"separator": ";"}, "empty or one of ' ,._', got ';'"),
        ({"padding": "fixed"}, "needs option 'width'.*got 0"),
        ({"width": 5}, "option 'width' goes with padding='fixed'"),
        ({"index_hints": True}, "must be str, got True"),
        ({"base": 1}, "between 2 and 10"),
    ],
)
def test_bad_formats_are_one_clear_sentence(options, message):
    with pytest.raises(ValueError, match=message) as error:
        get_task("subtraction", **options)
    assert "\n" not in str(error.value)


def test_numbers_that_do_not_fit_into_a_fixed_width():
    task = get_task("addition", padding="fixed", width=5)
    assert task.sample(5, 1, np.random.default_rng(0)).scales.tolist() == [[5]]
    assert task.sample(2, 1, np.random.default_rng(0)).scales.tolist() == [[5]]
    with pytest.raises(ValueError, match="n = 6 digits do not fit into width=5"):
        task.sample(6, 1, np.random.default_rng(0))


def test_the_hint_counts_characters():
    task = get_task("addition", index_hints="random", separator=",")
    samples = task.sample(4, 50, np.random.default_rng(0))
    assert samples.scales.tolist() == [[11]] * 50
    assert {task.scale_of(prompt) for prompt in samples.prompt_strings()} == {(11,)}
    assert len({prompt[0] for prompt in samples.prompt_strings()}) > 20
