"""IPE: each relation its own role, everything else one value; first match wins."""

import pytest
import torch

from hf_lengthgen import LinearRelation

from .cases import Case
from .contexts import context


def test_roles_by_loops():
    texts = ["i - j = n", "j = n + 1", "i - j = 0"]
    ipe = Case("ipe", {"relations": texts}, "prompt").model().position_modules()[0]
    relations = [LinearRelation.parse(t) for t in texts]
    bias = ipe.bias(None, None, None, context(10, scale=[[2], [4]]))
    for b, n in enumerate((2, 4)):
        for i in range(10):
            for j in range(i + 1):
                role = next((r for r, relation in enumerate(relations) if relation.key(i, (n,)) == j), 3)
                assert torch.equal(bias[b, :, i, j], ipe.weight[:, role])


@pytest.mark.parametrize(
    ("options", "hint", "word"),
    [
        ({"relations": []}, "none", "at least one"),
        ({"relations": ["i - j = n"]}, "none", "needs a Scale Hint"),
        ({"relations": ["i - j = x"]}, "prompt", "unknown symbol 'x'"),
        ({"relations": ["offset(i) - offset(j) = 0 in segment 1"]}, "prompt", "segment beyond"),
        ({"relation": ["i - j = 0"]}, "none", "Did you mean 'relations'"),
        ({"relations": "i - j = 0"}, "none", "must be"),
    ],
)
def test_bad_options(options, hint, word):
    with pytest.raises(ValueError, match=word):
        Case("ipe", options, hint).config()
