"""Python integers and their digits: what the oracles of the arithmetic tasks compute with."""

_CHUNK = 500  # digits per int() call: below the least limit that sys.set_int_max_str_digits may set (640)


def to_integer(digits: str, base: int) -> int:
    """Digits, least significant first, -> Python integer."""
    value = 0
    for start in reversed(range(0, len(digits), _CHUNK)):
        chunk = digits[start : start + _CHUNK]
        value = value * base ** len(chunk) + int(chunk[::-1], base)
    return value


def to_digits(value: int, base: int, width: int) -> str:
    """Python integer -> its first `width` digits, least significant first."""
    digits = []
    for start in range(0, width, _CHUNK):
        size = min(_CHUNK, width - start)
        value, part = divmod(value, base**size)
        digits.append(_few_digits(part, base, size))
    return "".join(digits)


def _few_digits(value: int, base: int, width: int) -> str:
    """The same for a chunk, which is short enough for str()."""
    if base == 10:
        return str(value).zfill(width)[::-1]
    digits = []
    for _ in range(width):
        value, digit = divmod(value, base)
        digits.append(str(digit))
    return "".join(digits)


def strip_zeros(digits: str) -> str:
    """Without leading zeros, which stand at the end here; zero itself keeps one digit."""
    return digits.rstrip("0") or "0"
