from dataclasses import dataclass, field
from typing import Any

import pytest

from hf_lengthgen.evaluation.fields import build


@dataclass
class Record:
    count: int
    share: float
    label: str
    sizes: list[int]
    note: str | None = None
    extra: dict = field(default_factory=dict)
    anything: list[Any] | None = None

    def __post_init__(self):
        if self.count < 0:
            raise ValueError(f"count is not negative, got {self.count}.")


GOOD = {"count": 3, "share": 0.5, "label": "a", "sizes": [1, 2]}


def test_good_objects_become_records():
    assert build(Record, GOOD, "here") == Record(3, 0.5, "a", [1, 2])
    more = GOOD | {"share": 1, "note": None, "extra": {"x": [1]}, "anything": [[], "b"]}
    assert build(Record, more, "here") == Record(3, 1, "a", [1, 2], None, {"x": [1]}, [[], "b"])


@pytest.mark.parametrize(
    "data, message",
    [
        ([1], "here must be an object with named fields, got list"),
        (None, "here must be an object"),
        ({}, "here lacks 'count', 'share', 'label', 'sizes'"),
        (GOOD | {"counts": 1}, "unknown key 'counts'; the nearest known key is 'count'"),
        (GOOD | {"count": "3"}, "'count' must be a whole number, got str '3'"),
        (GOOD | {"count": 3.0}, "'count' must be a whole number"),
        (GOOD | {"count": True}, "'count' must be a whole number, got bool"),
        (GOOD | {"share": float("nan")}, "'share' must be a finite number, got float nan"),
        (GOOD | {"share": None}, "'share' must be a finite number, got NoneType"),
        (GOOD | {"sizes": [1, "2"]}, "'sizes' must be a list, each item a whole number"),
        (GOOD | {"sizes": 3}, "'sizes' must be a list"),
        (GOOD | {"note": 5}, "'note' must be a text or null"),
        (GOOD | {"extra": []}, "'extra' must be an object"),
        (GOOD | {"anything": {}}, "'anything' must be a list or null"),
        (GOOD | {"count": -1}, "here: count is not negative, got -1."),
        (GOOD | {"label": 10**400}, "'label' must be a text"),
    ],
)
def test_everything_else_is_one_sentence(data, message):
    with pytest.raises(ValueError) as caught:
        build(Record, data, "here")
    assert message in str(caught.value)
    assert str(caught.value).startswith("here") and "\n" not in str(caught.value)
