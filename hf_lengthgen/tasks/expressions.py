"""Random arithmetic expressions with brackets modulo m, by the grammar of 2207.02098."""

import numpy as np

from .task import character_codes

_OPEN, _CLOSE, _PLUS, _MINUS, _TIMES = (ord(c) for c in "()+-*")


def check_modulus(modulus: int) -> None:
    """Raise ValueError unless numbers modulo m are single digits and more than one."""
    if not 2 <= modulus <= 10:
        raise ValueError(f"option 'modulus' must lie between 2 and 10, got {modulus}")


def draw_expressions(n: int, modulus: int, operators: str, hard: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Expressions of n characters: uint8 ASCII codes, (len(hard), n).

    Of 1 to 4 characters: d, -d, (d), (-d). Longer ones: (left op right), the length of the left part uniform among
    those possible. In hard rows, with equal chance, left parts are as short as possible, right parts are (both nest
    as deeply as the length allows), or all operators are equal.
    """
    count = len(hard)
    row = np.arange(count)
    digits = rng.integers(0, modulus, size=(count, n), dtype=np.uint8) + np.uint8(ord("0"))
    chosen = rng.integers(0, len(operators), size=(count, n), dtype=np.uint8)
    share = rng.random((count, n))
    kind = np.where(hard, rng.integers(0, 3, size=count), -1)
    share[kind == 0] = 0.0
    share[kind == 1] = np.nextafter(1.0, 0.0)
    chosen[kind == 2] = chosen[kind == 2, :1]
    signs = character_codes(operators).astype(np.int64)[chosen]

    # Every step takes one item off a row's stack and writes one character: an item is a character, as a negative
    # number, or the length of an expression still to be written, which puts its other parts on the stack.
    codes = np.empty((count, n), dtype=np.uint8)
    stack = np.empty((count, n + 4), dtype=np.int64)
    stack[:, 0] = n
    top = np.zeros(count, dtype=np.int64)
    for place in range(n):
        item = stack[row, top]
        codes[:, place] = np.where(
            item < 0, -item, np.where(item == 1, digits[:, place], np.where(item == 2, _MINUS, _OPEN))
        )
        top -= 1
        _push(stack, top, np.flatnonzero(item >= 3), -_CLOSE)
        _push(stack, top, np.flatnonzero(item == 2), 1)
        inner = np.flatnonzero((item == 3) | (item == 4))
        _push(stack, top, inner, item[inner] - 2)
        split = np.flatnonzero(item >= 5)
        left = 1 + (share[split, place] * (item[split] - 4)).astype(np.int64)
        _push(stack, top, split, item[split] - 3 - left)
        _push(stack, top, split, -signs[split, place])
        _push(stack, top, split, left)
    return codes


def _push(stack: np.ndarray, top: np.ndarray, rows: np.ndarray, item: np.ndarray | int) -> None:
    top[rows] += 1
    stack[rows, top[rows]] = item


def evaluate_all(codes: np.ndarray, modulus: int) -> np.ndarray:
    """Values of many expressions with brackets: uint8 (count, n) -> int64 (count,).

    One pass from left to right with a stack of open brackets. Each holds the value so far, the operator that waits
    for its right side, and whether that has a minus sign.
    """
    count, n = codes.shape
    row = np.arange(count)
    depth_needed = int((codes == _OPEN).sum(axis=1).max(initial=0)) + 1
    value = np.zeros((count, depth_needed), dtype=np.int64)
    operator = np.full((count, depth_needed), _PLUS, dtype=np.uint8)
    negative = np.zeros((count, depth_needed), dtype=bool)
    depth = np.zeros(count, dtype=np.int64)
    waiting = np.ones(count, dtype=bool)  # for an operand
    for place in range(n):
        code = codes[:, place]
        opened = np.flatnonzero(code == _OPEN)
        depth[opened] += 1
        at = depth[opened]
        value[opened, at], operator[opened, at], negative[opened, at], waiting[opened] = 0, _PLUS, False, True

        sign = (code == _PLUS) | (code == _MINUS) | (code == _TIMES)
        unary = np.flatnonzero(sign & waiting)
        negative[unary, depth[unary]] = True
        binary = np.flatnonzero(sign & ~waiting)
        operator[binary, depth[binary]], waiting[binary] = code[binary], True

        closed = code == _CLOSE
        operand = np.where(closed, value[row, depth], code.astype(np.int64) - ord("0"))
        depth -= closed
        given = np.flatnonzero(closed | ((code >= ord("0")) & (code <= ord("9"))))
        at = depth[given]
        right = np.where(negative[given, at], -operand[given], operand[given])
        left, how = value[given, at], operator[given, at]
        result = np.where(how == _TIMES, left * right, np.where(how == _MINUS, left - right, left + right))
        value[given, at], negative[given, at], waiting[given] = result % modulus, False, False
    return value[:, 0]


def evaluate(expression: str, operators: str) -> int:
    """The value of one expression with brackets, a Python integer: the oracle.

    Raises:
        ValueError: it is not made of d, -d, (left op right), (d) and (-d) with these operators.
    """
    stack: list[str | int] = []
    for character in expression:
        if character != ")":
            stack.append(int(character) if character.isdigit() else character)
            continue
        inner: list[str | int] = []
        while stack and stack[-1] != "(":
            inner.insert(0, stack.pop())
        if not stack or len(inner) > 5:
            raise _malformed(expression)
        if len(inner) == 1 and isinstance(inner[0], _Bracket):
            raise _malformed(expression)
        stack[-1] = _Bracket(_reduce(inner, expression, operators))
    if len(stack) > 2:  # an operation without brackets
        raise _malformed(expression)
    return _reduce(stack, expression, operators)


class _Bracket(int):
    """The value of a bracket: unlike a digit it takes neither a minus sign nor brackets of its own."""


def _malformed(expression: str) -> ValueError:
    return ValueError(f"{expression[:40]!r} is not an expression with brackets")


def _reduce(items: list[str | int], expression: str, operators: str) -> int:
    operands: list[int] = []
    sign, how = 1, None
    for item in items:
        if (
            isinstance(item, int)
            and len(operands) == (how is not None)
            and not (sign < 0 and isinstance(item, _Bracket))
        ):
            operands.append(sign * item)
            sign = 1
        elif item == "-" and len(operands) == (how is not None) and sign == 1:
            sign = -1
        elif isinstance(item, str) and item in operators and len(operands) == 1 and how is None:
            how = item
        else:
            raise _malformed(expression)
    if len(operands) != 1 + (how is not None):
        raise _malformed(expression)
    if how is None:
        return operands[0]
    left, right = operands
    return left * right if how == "*" else left - right if how == "-" else left + right
