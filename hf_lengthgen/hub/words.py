"""Position relations in plain words, for people who do not read equations."""

import re

_EQUATION = re.compile(r"(i - j|i - 2j|i \+ j|j) = (.+)")
_SEGMENT = re.compile(r"offset\(i\) - offset\(j\) = (-?\d+) in segment (\d+)")


def in_words(relation: str) -> str:
    """What a query reads under a relation, such as 'the token n places back' for 'i - j = n'.

    A relation of another form stands for itself: 'the token j with 2i + j = 9'.
    """
    if relation == "other":
        return "whatever no single relation names"
    if match := _SEGMENT.fullmatch(relation):
        shift, segment = int(match[1]), int(match[2])
        place = "at"
        if shift:
            size = "one place" if abs(shift) == 1 else f"{abs(shift)} places"
            place = f"{size} {'after' if shift < 0 else 'before'}"
        return f"in operand {segment}, the token {place} the query's own offset"
    match = _EQUATION.fullmatch(relation)
    if match is None:
        return f"the token j with {relation}"
    left, right = match.groups()
    if left == "j":
        return "the token in front of the prompt" if right == "0" else f"the token at position {right}"
    if left == "i - 2j":
        return f"the token whose position, doubled and with {right} added, is the query's own"
    if left == "i + j":
        return f"the token at position {right} minus the query's own: mirrored"
    if right in ("0", "1"):
        return "the query's own token" if right == "0" else "the token before"
    return f"the token {right} places back"
