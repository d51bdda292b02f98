"""The `mlp` and `table` parametrisations of the learned position relation function."""

import pytest
import torch

from .cases import Case
from .contexts import context


def test_mlp_assigns_every_pair_to_relation_slots():
    mlp = Case("lbpe", {"parametrisation": "mlp", "slots": 5}, "prompt").model().position_modules()[0]
    ctx = context(7, scale=[[2], [3]])
    values = mlp.relation_values(ctx)
    assert values.shape == (2, 7, 7, 5)
    torch.testing.assert_close(values.sum(-1), torch.ones(2, 7, 7))
    bias = mlp.bias(torch.zeros(1), None, None, ctx)
    torch.testing.assert_close(bias[1, 2, 6, 3], (values[1, 6, 3] * mlp.weight[2]).sum())
    assert (values[0] - values[1]).abs().max() > 1e-3  # it sees n


def test_table_by_loops():
    table = Case("lbpe", {"parametrisation": "table", "table_window": 3}, "prompt").model().position_modules()[0]
    bias = table.bias(torch.zeros(1), None, None, context(9, scale=[[2], [4]]))
    for b, n in enumerate((2, 4)):
        for h in range(4):
            for i in range(9):
                for j in range(i + 1):
                    clipped = max(-3, min(3, i - h * n - j))
                    assert bias[b, h, i, j] == table.weight[h, clipped + 3]


@pytest.mark.parametrize("parametrisation", ["mlp", "table"])
def test_there_are_no_gates_to_round(parametrisation):
    model = Case("lbpe", {"parametrisation": parametrisation}).model()
    assert model.relations() is None and model.open_gates() is None and not model.sparse
    with pytest.raises(ValueError, match="no gates to round"):
        model.harden()


def test_the_class_that_serves_a_parametrisation_is_asked_for_gates():
    with pytest.raises(ValueError, match="open_relations is given, but the position embedding 'lbpe' has no gates"):
        Case("lbpe", {"parametrisation": "mlp"}).config(open_relations=[[["i - j = 0"]] * 4] * 2)
