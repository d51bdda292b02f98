"""Relations as tensors, against loops over the definition."""

import torch

from hf_lengthgen import LinearRelation
from hf_lengthgen.model import relation_table
from hf_lengthgen.model.relation_table import RelationTable, distinct_rows, segment_offsets

from .contexts import context

RELATIONS = [
    LinearRelation(1, -1, (-1, 0), 1),
    LinearRelation(1, -2, (0, -1), 0),
    LinearRelation(0, 1, (-1, -1), 2),
    LinearRelation(1, 1, (-1, -1), 3),
    LinearRelation(1, -1, (0, 0), -1, segment=0),
    LinearRelation(1, -1, (0, 0), 0, segment=1),
]
# Three examples: delimiters at 0, 4, 7; at 0, 2, 7 behind two tokens of padding; and segments that overlap, of which
# the second begins inside the first.
PADS = (0, 2, 0)
BOUNDARIES = [[[0, 4], [4, 7]], [[0, 2], [2, 7]], [[0, 6], [3, 9]]]
SCALES = [[3, 2], [1, 4], [5, 5]]


def make_context():
    return context(14, scale=SCALES, boundaries=BOUNDARIES, left_pad=PADS)


def offset(p, boundaries):
    return p - max(x for pair in boundaries for x in pair if x <= p)


def holds(relation, i, j, scale, boundaries):
    if relation.segment is not None:
        start, end = boundaries[relation.segment]
        return start < j < end and offset(i, boundaries) - (j - start) == relation.d
    return relation.a * i + relation.b * j + sum(c * n for c, n in zip(relation.c, scale, strict=True)) == relation.d


def test_holds():
    table = RelationTable(RELATIONS, hints=2).holds(make_context())
    for b, (pad, scale, boundaries) in enumerate(zip(PADS, SCALES, BOUNDARIES, strict=True)):
        for r, relation in enumerate(RELATIONS):
            for i in range(14 - pad):
                for j in range(i + 1):
                    expected = holds(relation, i, j, scale, boundaries)
                    assert bool(table[b, r, i + pad, j + pad]) == expected, (b, r, i, j)


def test_keys_are_where_the_relation_holds():
    slots, valid = RelationTable(RELATIONS, hints=2).keys(make_context())
    found = 0
    for b, (pad, scale, boundaries) in enumerate(zip(PADS, SCALES, BOUNDARIES, strict=True)):
        for r, relation in enumerate(RELATIONS):
            for i in range(14 - pad):
                keys = [j for j in range(i + 1) if holds(relation, i, j, scale, boundaries)]
                assert bool(valid[b, r, i + pad]) == bool(keys), (b, r, i)
                if keys:
                    assert slots[b, r, i + pad] == keys[0] + pad
                    found += 1
    assert found > 40


def test_padding_queries_name_no_key():
    _, valid = RelationTable(RELATIONS, hints=2).keys(make_context())
    assert not valid[1, :, :2].any()


def test_weigh_sums_the_weights_of_the_relations_that_hold(monkeypatch):
    table, ctx = RelationTable(RELATIONS, hints=2), make_context()
    weights, other = torch.rand(3, len(RELATIONS)), torch.rand(3)
    holding = table.holds(ctx)
    expected = torch.zeros(len(PADS), 3, 14, 14)
    for r in range(len(RELATIONS)):
        expected += weights[None, :, r, None, None] * holding[:, r, None]
    expected += other[None, :, None, None] * (~holding.any(1))[:, None]
    torch.testing.assert_close(table.weigh(weights, ctx, other), expected)
    monkeypatch.setattr(relation_table, "MAX_TRIPLES", 3 * len(RELATIONS) * 14)  # three queries at a time
    pieces, whole = [], table.holds
    table.holds = lambda ctx, rows: pieces.append((rows.start, rows.stop)) or whole(ctx, rows)
    with torch.no_grad():
        torch.testing.assert_close(table.weigh(weights, make_context(), other), expected)
    assert pieces == [(0, 3), (3, 6), (6, 9), (9, 12), (12, 15)]


def test_distinct_rows_are_looked_up_once():
    scales = [[3, 2], [1, 4], [3, 2], [3, 2]]
    ctx = context(6, scale=scales, left_pad=(0, 0, 0, 1))
    reduced, inverse = distinct_rows(ctx)
    assert len(reduced.scale) == 3
    assert torch.equal(reduced.scale[inverse], torch.tensor(scales))
    assert torch.equal(reduced.q_pos[inverse], ctx.q_pos)


def test_segment_offsets_count_from_the_last_delimiter():
    positions = torch.arange(10)[None]
    boundaries = torch.tensor([[[2, 5], [5, 7]]])
    assert segment_offsets(positions, boundaries).tolist() == [[0, 1, 0, 1, 2, 0, 1, 0, 1, 2]]
