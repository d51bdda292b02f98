import socket

import evaluate
import pytest

from hf_lengthgen.evaluation.evaluate_metrics import ExactMatchByLength, FinalAnswerAccuracy, TokenAccuracy
from hf_lengthgen.evaluation.statistics import wilson
from hf_lengthgen.tasks import get_task

WRITTEN = [None, "01:1", "00:1", "011:0"]
RIGHT = ["11:0", "01:1", "01:1", "011:0"]
LENGTHS = [2, 2, 2, 3]


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """No connection is made, and nothing is written outside of the test's folder."""

    def refuse(*_, **__):
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("evaluate.config.HF_METRICS_CACHE", str(tmp_path))


def test_exact_match_by_length():
    scores = ExactMatchByLength().compute(predictions=WRITTEN, references=RIGHT, lengths=LENGTHS)
    assert scores["exact_match"] == 0.5 and scores["exact_match_by_length"] == {2: 1 / 3, 3: 1.0}
    assert scores["interval_by_length"][2] == list(wilson(1, 3))
    assert scores["effective_length"] == {"0.99": 0, "0.95": 0, "0.9": 0, "0.5": 0}
    scores = ExactMatchByLength().compute(predictions=["a", "b", "c"], references=["a", "b", "d"], lengths=[4, 9, 20])
    assert scores["effective_length"] == {"0.99": 9, "0.95": 9, "0.9": 9, "0.5": 9}


def test_token_accuracy_counts_the_end_as_a_character():
    metric = TokenAccuracy()
    assert metric.compute(predictions=["abc", "ab", "abcd", None], references=["abc"] * 4) == {
        "token_accuracy": (4 + 2 + 3 + 0) / 16
    }


def test_final_answers_and_steps():
    scores = FinalAnswerAccuracy(get_task("parity")).compute(predictions=WRITTEN, references=RIGHT)
    assert scores == {"final_accuracy": 0.75, "step_accuracy": (0 + 2 + 1 + 3) / 9}
    assert FinalAnswerAccuracy(get_task("copy")).compute(predictions=["a"], references=["a"]) == {"final_accuracy": 1.0}


def test_batches_and_combine_give_the_same_as_one_call():
    metrics = [ExactMatchByLength(), TokenAccuracy(), FinalAnswerAccuracy(get_task("parity"))]
    combined = evaluate.combine(metrics)
    combined.add_batch(predictions=WRITTEN[:2], references=RIGHT[:2], lengths=LENGTHS[:2])
    combined.add_batch(predictions=WRITTEN[2:], references=RIGHT[2:], lengths=LENGTHS[2:])
    together = combined.compute()
    assert evaluate.combine(metrics).compute(predictions=WRITTEN, references=RIGHT, lengths=LENGTHS) == together
    want = ExactMatchByLength().compute(predictions=WRITTEN, references=RIGHT, lengths=LENGTHS)
    want |= TokenAccuracy().compute(predictions=WRITTEN, references=RIGHT)
    want |= FinalAnswerAccuracy(get_task("parity")).compute(predictions=WRITTEN, references=RIGHT)
    assert together == want


def test_nothing_to_score_is_said():
    for metric, more in (
        (ExactMatchByLength(), {"lengths": []}),
        (TokenAccuracy(), {}),
        (FinalAnswerAccuracy(get_task("parity")), {}),
    ):
        with pytest.raises(ValueError, match="no answers to score"):
            metric.compute(predictions=[], references=[], **more)


def test_every_input_is_described():
    for name in ("predictions", "references", "lengths"):
        assert f"{name}: list of" in ExactMatchByLength().inputs_description
    assert "lengths" not in TokenAccuracy().inputs_description


def test_one_example_at_a_time():
    metric = ExactMatchByLength()
    for written, right, n in zip(WRITTEN, RIGHT, LENGTHS, strict=True):
        metric.add(prediction=written, reference=right, lengths=n)
    assert metric.compute()["exact_match"] == 0.5
