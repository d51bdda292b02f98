"""Structured ids token by token, and as the papers print them."""

import pytest
import torch

from hf_lengthgen.model.structure import coupled_ids, run_ids

BOS, PAD, PLUS, EQUALS = 1, 0, 10, 11


def tokens(text, pad=0):
    """'^' is <bos>, '.' a padding token; digits are themselves plus 20."""
    table = {"^": BOS, ".": PAD, "+": PLUS, "=": EQUALS}
    return torch.tensor([[table.get(c, 20 + ord(c) - ord("0")) for c in text]])


def positions(text):
    front = len(text) - len(text.lstrip("."))
    return (torch.arange(len(text))[None] - front).clamp(min=-1)


def naive_runs(row):
    ids, run = [], 0
    for member in row:
        run = run + 1 if member else 0
        ids.append(run)
    return ids


def naive_coupling(row, places, delimiters, backward):
    """Walk along the row; count forward from the last delimiter, or look for the next one."""
    ids, segment, last = [], 0, None
    for index, token in enumerate(row):
        if places[index] < 0:
            ids.append(0)
            continue
        if last is None:
            last = index if token == BOS else index - 1
            if token == BOS:
                ids.append(0)
                continue
        if segment < len(delimiters) and token == delimiters[segment]:
            segment, last = segment + 1, index
            ids.append(1)
        elif backward and backward[segment]:
            end = next(k for k in range(index, len(row)) if row[k] == delimiters[segment])
            ids.append(1 + end - index)
        else:
            ids.append(1 + index - last)
    return ids


def test_runs_restart_at_every_number():
    assert run_ids(tokens("^12+345=") >= 20).tolist() == [[0, 1, 2, 0, 1, 2, 3, 0]]
    assert run_ids(tokens("12+3") >= 20).tolist() == [[1, 2, 0, 1]]
    generator = torch.Generator().manual_seed(0)
    member = torch.rand(20, 30, generator=generator) < 0.7
    assert run_ids(member).tolist() == [naive_runs(row) for row in member.tolist()]


def test_coupling_of_an_addition_as_the_authors_code_numbers_it():
    """653 + 049 = 2070: operands most significant digit first, the sum reversed; '+' and '=' have the start id 1."""
    text = "^653+049=2070"
    ids = coupled_ids(tokens(text), positions(text), BOS, [PLUS, EQUALS], [True, True, False])
    assert ids.tolist() == [[0, 4, 3, 2, 1, 4, 3, 2, 1, 2, 3, 4, 5]]


def test_coupling_of_unequal_reversed_operands():
    text = "^12+345=753"
    ids = coupled_ids(tokens(text), positions(text), BOS, [PLUS, EQUALS], [])
    assert ids.tolist() == [[0, 2, 3, 1, 2, 3, 4, 1, 2, 3, 4]]


@pytest.mark.parametrize("text", ["..^12+345=753", "12+345=7", "^12+34", "^+=+=12", "..1234", "^12+3=4=5+6"])
@pytest.mark.parametrize("backward", [[], [True, False, False]])
def test_coupling_by_walking_along(text, backward):
    row, places = tokens(text), positions(text)
    if backward and PLUS not in row:
        with pytest.raises(ValueError, match="segment 0 is counted from its end, but token 10"):
            coupled_ids(row, places, BOS, [PLUS, EQUALS], backward)
        return
    expected = naive_coupling(row[0].tolist(), places[0].tolist(), [PLUS, EQUALS], backward)
    assert coupled_ids(row, places, BOS, [PLUS, EQUALS], backward).tolist() == [expected]


def test_rows_of_a_batch_are_numbered_apart():
    texts = ["..^1+2=", "^12+34=", ".^12+3="]
    rows, places = torch.cat([tokens(t) for t in texts]), torch.cat([positions(t) for t in texts])
    together = coupled_ids(rows, places, BOS, [PLUS, EQUALS], [True, True, False])
    alone = [coupled_ids(tokens(t), positions(t), BOS, [PLUS, EQUALS], [True, True, False]) for t in texts]
    assert torch.equal(together, torch.cat(alone))
