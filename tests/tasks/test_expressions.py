import re

import numpy as np
import pytest

from hf_lengthgen.tasks.expressions import draw_expressions, evaluate, evaluate_all

TEXTS = lambda codes: [row.tobytes().decode() for row in codes]  # noqa: E731


def parts(text: str):
    """(left, operator, right) of an expression by the grammar of the paper, or None for one to four characters."""
    if len(text) <= 4:
        assert re.fullmatch(r"-?\d|\(-?\d\)", text)
        return None
    assert text[0] == "(" and text[-1] == ")"
    inner, depth = text[1:-1], 0
    for place, character in enumerate(inner):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0 and place and character in "+-*" and inner[place - 1] not in "+-*(":
            return inner[:place], character, inner[place + 1 :]
    raise AssertionError(text)


def value(text: str) -> int:
    """The definition, recursively."""
    split = parts(text)
    if split is None:
        digit = int(re.search(r"\d", text)[0])
        return -digit if "-" in text else digit
    left, operator, right = value(split[0]), split[1], value(split[2])
    return left + right if operator == "+" else left - right if operator == "-" else left * right


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 8, 13, 40])
def test_expressions_follow_the_grammar_and_have_their_value(n):
    hard = np.arange(300) % 2 == 0
    codes = draw_expressions(n, 7, "+-*", hard, np.random.default_rng(n))
    values = evaluate_all(codes, 7)
    for text, found in zip(TEXTS(codes), values, strict=True):
        assert len(text) == n
        assert evaluate(text, "+-*") == value(text)
        assert found == value(text) % 7


def test_left_parts_have_uniform_lengths():
    codes = draw_expressions(14, 5, "+-", np.zeros(10_000, dtype=bool), np.random.default_rng(0))
    counts = np.bincount([len(parts(text)[0]) for text in TEXTS(codes)], minlength=11)
    assert counts[0] == 0 and len(counts) == 11 and (abs(counts[1:] - 1000) < 5 * 30).all()  # five standard deviations


def test_hard_expressions_nest_deeply():
    codes = draw_expressions(41, 5, "+-", np.ones(600, dtype=bool), np.random.default_rng(0))
    depth = np.cumsum((codes == ord("(")).astype(int) - (codes == ord(")")), axis=1).max(axis=1)
    assert (depth == 10).mean() > 0.6
    minus = [set(re.findall(r"[+-]", text)) for text in TEXTS(codes)]
    assert sum(len(signs) == 1 for signs in minus) > 50


def test_a_long_expression():
    for hard in (False, True):
        codes = draw_expressions(10_000, 5, "+-*", np.full(3, hard), np.random.default_rng(0))
        assert [evaluate(text, "+-*") % 5 for text in TEXTS(codes)] == evaluate_all(codes, 5).tolist()


@pytest.mark.parametrize("text", ["", "1+2", "(1+2", "1+2)", "(1+2+3)", "()", "(1*2)", "--1", "1-", "(+1)", "(12)"])
def test_what_is_no_expression(text):
    with pytest.raises(ValueError, match="is not an expression"):
        evaluate(text, "+-")
