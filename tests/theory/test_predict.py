import json
import math

import pytest

from hf_lengthgen.tasks import get_task
from hf_lengthgen.tasks.copy import Copy
from hf_lengthgen.tasks.reverse import Reverse
from hf_lengthgen.theory import predict as module
from hf_lengthgen.theory.carriers import Carrier
from hf_lengthgen.theory.predict import Prediction, predict, predict_cells
from hf_lengthgen.theory.prf import Prf, rpe
from hf_lengthgen.training.arguments import TrainingConfig


@pytest.mark.parametrize(
    ("task", "embedding", "hint", "largest"),
    [
        ("copy", "none", "none", 12),
        ("copy", "learned", "none", 12),
        ("copy", "rope", "none", 12),
        ("copy", "rope", "prompt", math.inf),
        ("copy", "t5", "prompt", math.inf),
        ("copy", "alibi", "prompt", 12),
        ("copy", "lbpe", "none", 12),
        ("copy", "lbpe", "prompt", math.inf),
        ("copy", "coupling", "none", None),
        ("reverse", "rope", "prompt", 12),
        ("reverse", "ipe", "prompt", math.inf),
        ("reverse", "ipe", "none", 12),
        ("reverse", "lbpe", "prompt", math.inf),
        ("multiplication_digit", "lbpe", "prompt", 12),
    ],
)
def test_cells_whose_answer_is_known(task, embedding, hint, largest):
    prediction = predict(task, embedding, hint)
    assert prediction.largest == largest and prediction.reason
    assert prediction.reaches(1000) == (None if largest is None else largest >= 1000)
    assert Prediction.from_dict(json.loads(json.dumps(prediction.to_dict()))) == prediction


def test_options_change_it():
    narrow = predict("multiplication_digit", "lbpe", "prompt")
    assert narrow.largest == 12 and narrow.chained == math.inf and narrow.reaches(1000, chained=True)
    wide = predict("multiplication_digit", "lbpe", "prompt", position_options={"window": 3})
    assert wide.largest == math.inf and "i - j = n + 3" in wide.relations
    growing = predict("parity", "lbpe", "prompt", task_options={"cot": False})
    assert growing.largest == 12 and growing.verdict == "growing" and growing.reason.startswith("SRC grows")
    assert predict("copy", "rope", "none", 6).largest == 6
    assert predict(get_task("parity", cot=False), "rope").task_options == {"cot": False}


def test_a_task_object_speaks_for_itself():
    """Registered or not, and whatever another task of its name does."""
    unknown, impostor = type("Unknown", (Copy,), {"name": "unknown"}), type("Impostor", (Reverse,), {"name": "copy"})
    assert predict(get_task("copy"), "rope", "prompt", 5).largest == math.inf
    assert predict(unknown(), "rope", "prompt", 5).largest == math.inf
    assert predict(impostor(), "rope", "prompt", 5).largest == 5


STRETCHED = Prf("i - j - n up to n = 9", lambda i, j, n: i - j - n if n <= 9 else "far")
MIRROR = Prf("i + j - 2n up to n = 9", lambda i, j, n: i + j - 2 * n if n <= 9 else "far")


@pytest.mark.parametrize(
    ("task", "prfs", "largest"),
    [
        ("copy", [STRETCHED], 9),  # reads i - j = n: class 0, which at n = 10 has no pair left
        ("copy", [MIRROR], 6),  # the class of a pair with i - j = n has others, too
        ("copy", [STRETCHED, rpe(1)], 12),  # class 0 of the second head for ever: as far as is looked, twice n_max
        ("shift", [STRETCHED, MIRROR], 9),  # i - j = n - 1 and either i - j = 2n - 1, no class here, or i + j = 2n + 1
        ("shift", [rpe(1), MIRROR], 9),  # of the two relations one lasts, the other ends
    ],
)
def test_the_reach_is_where_the_classes_of_the_best_circuit_end(monkeypatch, task, prfs, largest):
    monkeypatch.setattr(module, "carrier", lambda *given: Carrier((), tuple(prfs), "made up"))
    prediction = predict(task, "none", n_max=6)
    assert (prediction.largest, prediction.chained, prediction.verdict) == (largest, largest, "constant")
    assert prediction.reaches(largest) and not prediction.reaches(largest + 1)


def test_the_search_is_done_as_asked(monkeypatch):
    calls = []
    search = module.discover
    monkeypatch.setattr(module, "discover", lambda task, **options: calls.append(options) or search(task, **options))
    module._discovered.cache_clear()
    assert predict("copy", "rope", "prompt", 5, limit=3, held_out=[7, 11], seed=2).largest == math.inf
    assert predict("copy", "rope", "prompt", 5, limit=0, held_out=[7, 11], seed=2).largest is None
    assert {(c["limit"], tuple(c["held_out"]), c["seed"]) for c in calls} == {(3, (7, 11), 2), (0, (7, 11), 2)}


def test_tasks_that_end_somewhere():
    """Scales that the task does not have are not looked at."""
    assert predict("unique_copy", "rope", "none", 7, task_options={"symbols": "abcdefghij"}).largest == 7
    fixed = {"padding": "fixed", "width": 12, "base": 2}
    prediction = predict("addition", "rope", "none", 7, task_options=fixed)
    assert prediction.largest is None and "no row held out has an n beyond 12" in prediction.reason


def test_headlines():
    assert predict("copy", "rope").headline() == "right up to n = 12"
    assert predict("copy", "rope", "prompt").headline() == "no bound"
    assert predict("copy", "cope").headline() == "no prediction"


def test_the_cells_of_a_comparison():
    """One prediction for all seeds of a cell; a cell's settings count."""
    cells = [
        TrainingConfig(task="copy", position_embedding="rope", scale_hint="none", seed=0),
        TrainingConfig(task="copy", position_embedding="rope", scale_hint="none", seed=1),
        TrainingConfig(task="copy", position_embedding="rope", num_attention_heads=1),
        TrainingConfig(task="copy", position_embedding="rope", n_max=6),
        TrainingConfig(task="parity", task_options={"cot": False}, position_options={"window": 1}),
    ]
    found = predict_cells(cells)
    assert [(p.task, p.largest) for p in found] == [("copy", 12), ("copy", 12), ("copy", math.inf), ("parity", 12)]
    assert found[2].n_max == 6 and found[3].position_options == {"window": 1}


def test_n_max_is_checked():
    with pytest.raises(ValueError, match="n_max must be an integer >= 2"):
        predict("copy", "rope", n_max=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"largest": "x"}, "p: largest must be a whole number, null or 'unbounded', got 'x'"),
        ({"largest": True}, "p: largest must be a whole number, null or 'unbounded', got True"),
        ({"largest": -1}, "p: largest must be a whole number, null or 'unbounded', got -1"),
        ({"chained": "q"}, "p: chained must be a whole number, null or 'unbounded', got 'q'"),
        ({"chained": math.nan}, "p: chained must be a whole number"),
        ({"task_options": [1]}, r"p: 'task_options' must be an object, got list \[1\]"),
        ({"position_embedding": 3}, "p: 'position_embedding' must be a text, got int 3"),
        ({"scale_hint": "x"}, "p: scale_hint is one of none, input, prompt, got 'x'"),
        ({"relations": "i - j = n"}, "p: relations must be a list of texts, got 'i - j = n'"),
        ({"relations": [1]}, r"p: relations must be a list of texts, got \[1\]"),
        ({"larges": 1}, "p has the unknown key 'larges'; .* mean 'largest'"),
    ],
)
def test_what_is_no_prediction_is_told(changes, message):
    good = json.loads(json.dumps(predict("copy", "none", "none").to_dict()))
    assert Prediction.from_dict(good, "p").largest == 12
    with pytest.raises(ValueError, match=message):
        Prediction.from_dict(good | changes, "p")
    for key in ("largest", "task", "relations"):
        with pytest.raises(ValueError, match=f"p lacks '{key}'"):
            Prediction.from_dict({k: v for k, v in good.items() if k != key}, "p")
