"""Which models can be exported; that an exported graph equals the model is in test_ecosystem.py."""

from pathlib import Path

import pytest
import torch
from evaluation.results import make_result, score
from model.cases import CASES, Case

from hf_lengthgen.evaluation.result import Result
from hf_lengthgen.hub.export import exportable, result_exports

ROOT = Path(__file__).parents[2]
SEGMENT = "offset(i) - offset(j) = 0 in segment 1"


def result_of(case):
    """What a run of this model would have put into its result file."""
    model = case.model()
    sizes = ("hidden_size", "num_attention_heads", "num_hidden_layers", "max_position_embeddings")
    return make_result(
        case.position_embedding,
        scores=[score([5] * case.hints, 100)],
        position_options=case.options,
        scale_hint=case.scale_hint,
        relations=model.relations() if model.open_gates() is None or case.harden else None,
        settings={size: getattr(model.config, size) for size in sizes} | case.settings,
    ), model.position_modules()[0].capabilities.export


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_result_tells_what_its_model_declares(case):
    result, declared = result_of(case)
    assert result_exports(result) == declared


def lbpe(*layers, **changes):
    """A result whose layers have one head with these relations."""
    relations = [[[[text, 1.0] for text in texts]] for texts in layers]
    return make_result(scale_hint="prompt", relations=relations, **changes)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (lbpe(["i - j = n"], ["j = 0", "i + j = 2n"]), True),
        (lbpe([], []), True),
        (lbpe(["i - j = n"], ["other"]), False),
        (lbpe([SEGMENT], scores=[score([5, 6], 9)]), False),
        (make_result("lbpe"), False),
        (make_result("ipe", scale_hint="input"), True),
        (
            make_result(
                "ipe", scale_hint="input", scores=[score([5, 6], 9)], position_options={"relations": [SEGMENT]}
            ),
            False,
        ),
        (make_result("theirs"), False),
        (make_result("learned", position_options={"offset": 5000}), True),
        (make_result("hard_alibi", position_options={"windowed_heads": 7}), True),
    ],
    ids=[
        "hard",
        "nothing open",
        "other",
        "segments",
        "gates",
        "ipe",
        "ipe segments",
        "unknown here",
        "long",
        "many heads",
    ],
)
def test_what_a_result_exports(result, told):
    assert result_exports(result) == told


def test_asking_changes_no_random_number():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    result_exports(make_result("dape"))
    assert torch.equal(torch.get_rng_state(), before)


def test_models_with_results_here():
    assert not result_exports(Result.load(ROOT / "results" / "addition_unequal" / "lbpe" / "seed0.json"))
    for path in (ROOT / "model_cards").glob("*/result.json"):
        assert result_exports(Result.load(path)), path


@pytest.mark.parametrize(
    "case",
    [
        Case("lbpe", {"segments": [0, 1]}, "prompt", hints=2),
        Case("ipe", {"relations": [SEGMENT]}, "prompt", hints=2),
    ],
    ids=str,
)
def test_relations_on_offsets_are_not_exported(case):
    with pytest.raises(ValueError, match="relations on offsets .* cannot do"):
        exportable(case.model())
