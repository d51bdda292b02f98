"""Exact arithmetic on many long numbers at once, as arrays of digits.

Numbers are rows of digits, least significant first: uint8, (count, w). Products, quotients and roots of
short numbers are computed with machine integers; where results may not fit, digits are, so that no width overflows.
Carries need no loop over digits: see `normalise`.
"""

import numpy as np

_SCHOOLBOOK = 64  # the shorter factor's digits up to which the product is summed row by row, not by FFT
_BITS = (8, 4, 2, 1)  # a digit of base <= 10 is found bit by bit
_INT64 = 2**63
_EXACT = 2**52  # the square roots of smaller integers, as float64, have the right floors


def normalise(columns: np.ndarray, base: int) -> np.ndarray:
    """Carry: column sums >= 0 (..., w), worth base^k each, -> digits of the same number, uint8 (..., w).

    The number must fit into w digits. A few rounds of carrying to the neighbour leave columns of at most
    2 (base - 1); then the carry into column k comes from the last column before it that is not base - 1 (such a
    column passes on whatever comes in), and is 1 if that column holds `base` or more.
    """
    columns = columns.astype(np.int64)
    while columns.max(initial=0) > 2 * (base - 1):
        carried, columns = np.divmod(columns, base)
        columns[..., 1:] += carried[..., :-1]
    digits = columns.astype(np.uint8)
    carries = _last(digits != base - 1, digits >= base)
    digits[..., 1:] += carries[..., :-1]
    digits[digits >= base] -= np.uint8(base)
    return digits


def subtract(a: np.ndarray, b: np.ndarray, base: int) -> tuple[np.ndarray, np.ndarray]:
    """a - b, both (..., w), modulo base^w: (digits (..., w), whether a < b (...))."""
    difference = np.subtract(a, b, dtype=np.int8, casting="unsafe")
    # What is borrowed from column k is decided by the last column before it in which a and b differ.
    borrows = _last(difference != 0, difference < 0)
    difference[..., 1:] -= borrows[..., :-1]
    difference += np.int8(base) * (difference < 0)
    return difference.view(np.uint8), borrows[..., -1]


def multiply(a: np.ndarray, b: np.ndarray, base: int) -> np.ndarray:
    """Products: (count, n), (count, m) -> (count, n + m)."""
    width = a.shape[1] + b.shape[1]
    if base**width <= _INT64:
        return _unpacked(_packed(a, base) * _packed(b, base), base, width)
    return normalise(multiply_columns(a, b), base)


def multiply_columns(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Column sums of the products, before carrying: (count, n), (count, m) -> int64 (count, n + m)."""
    if a.shape[1] < b.shape[1]:
        a, b = b, a
    n, m = a.shape[1], b.shape[1]
    if m <= _SCHOOLBOOK:
        columns, wide = np.zeros((len(a), n + m), dtype=np.int64), a.astype(np.int64)
        for k in range(m):
            columns[:, k : k + n] += wide * b[:, k : k + 1]
        return columns
    # Column sums are below 100 min(n, m); the error of the transform is some 1e-15 of that, far below 1/2.
    spectrum = np.fft.rfft(a, n + m, axis=1) * np.fft.rfft(b, n + m, axis=1)
    return np.rint(np.fft.irfft(spectrum, n + m, axis=1)).astype(np.int64)


def divide_by_digit(a: np.ndarray, divisor: np.ndarray, base: int) -> tuple[np.ndarray, np.ndarray]:
    """Division by one digit, (count, n) by (count,): quotient digits and remainders after them, both (count, n).

    Column k of the remainders is what is left after quotient digit k; column 0 is the remainder of the division.
    """
    quotient, remainders = np.empty_like(a), np.empty_like(a)
    rest = np.zeros(len(a), dtype=np.uint8)
    for k in reversed(range(a.shape[1])):
        quotient[:, k], rest = np.divmod(rest * np.uint8(base) + a[:, k], divisor)
        remainders[:, k] = rest
    return quotient, remainders


def divide(
    a: np.ndarray, b: np.ndarray, base: int, remainders: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Long division, (count, n) by (count, m), b > 0: quotient (count, n) and remainder (count, m).

    If `remainders`, uint8 (count, n, m), is given, what is left after quotient digit k is written to [:, k].
    """
    count, m = b.shape
    if base ** max(a.shape[1], m) <= _INT64:
        return _divide_integers(a, b, base, remainders)
    multiples = {1: np.pad(b, ((0, 0), (0, 1)))}  # a quotient digit is found bit by bit
    bits = [bit for bit in _BITS if bit < base]
    for bit in bits[-2::-1]:
        multiples[bit] = normalise(2 * multiples[bit // 2].astype(np.int64), base)
    quotient = np.zeros_like(a)
    rest = np.zeros((count, m + 1), dtype=np.uint8)
    for k in reversed(range(a.shape[1])):
        rest[:, 1:] = rest[:, :-1].copy()
        rest[:, 0] = a[:, k]
        for bit in bits:
            trial, below = subtract(rest, multiples[bit], base)
            rest = np.where(below[:, None], rest, trial)
            quotient[:, k] += np.uint8(bit) * ~below
        if remainders is not None:
            remainders[:, k] = rest[:, :-1]
    return quotient, rest[:, :-1]


def _divide_integers(
    a: np.ndarray, b: np.ndarray, base: int, remainders: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """`divide` for numbers that fit into an int64."""
    number, divisor = _packed(a, base), _packed(b, base)
    quotient, rest = np.divmod(number, divisor)
    if remainders is not None:  # those of the numbers that the first digits form
        remainders[:] = _unpacked(number[:, None] // base ** np.arange(a.shape[1]) % divisor[:, None], base, b.shape[1])
    return _unpacked(quotient, base, a.shape[1]), _unpacked(rest, base, b.shape[1])


def _packed(digits: np.ndarray, base: int) -> np.ndarray:
    """Digits (count, w) -> integers, int64 (count,); they must fit."""
    return digits @ base ** np.arange(digits.shape[1])


def _unpacked(numbers: np.ndarray, base: int, width: int) -> np.ndarray:
    """Integers (...) -> their first digits, uint8 (..., width)."""
    return (numbers[..., None] // base ** np.arange(width) % base).astype(np.uint8)


def square_root(a: np.ndarray, base: int) -> np.ndarray:
    """The floors of the square roots: (count, n) -> (count, ceil(n / 2)), n >= 1, digit by digit from the top.

    With r the root so far, the next digit is the largest q with (2 r base + q) q <= what is left.
    """
    count, n = a.shape
    half = (n + 1) // 2
    if base**n <= _EXACT:
        return _unpacked(np.sqrt(_packed(a, base)).astype(np.int64), base, half)
    rest = np.zeros((count, 2 * half + 2), dtype=np.uint8)
    rest[:, :n] = a
    root = np.zeros((count, half), dtype=np.uint8)
    for place in reversed(range(half)):
        window = slice(2 * place, half + place + 2)  # what is left has at most one digit more than twice the root
        for bit in _BITS:
            if bit >= base:
                continue
            columns = np.zeros((count, half - place + 2), dtype=np.int64)
            columns[:, :-2] = 2 * bit * root[:, place:].astype(np.int64)
            columns[:, 0] += bit * bit
            trial, below = subtract(rest[:, window], normalise(columns, base), base)
            rest[:, window] = np.where(below[:, None], rest[:, window], trial)
            root[:, place] += np.uint8(bit) * ~below
    return root


def significant(digits: np.ndarray) -> np.ndarray:
    """Digits without leading zeros, at least 1: (count, w) -> int64 (count,)."""
    present = digits[:, ::-1] != 0
    return np.where(present.any(axis=1), digits.shape[1] - present.argmax(axis=1), 1)


def _last(decides: np.ndarray, value: np.ndarray) -> np.ndarray:
    """For every column the bool `value` at the last column up to it that decides; False where none does."""
    places = np.arange(2, 2 * decides.shape[-1] + 2, 2, dtype=np.int32)
    # Place and value in one number, place first: a running maximum picks the last place and keeps its value.
    latest = np.where(decides, places + value, np.int32(0))
    np.maximum.accumulate(latest, axis=-1, out=latest)
    return (latest & 1).astype(bool)
