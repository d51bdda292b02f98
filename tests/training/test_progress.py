import sys

from hf_lengthgen.training.progress import History, Progress

RECORD = {"step": 5, "loss": 0.12345, "open_gates": 7}


def test_lines_where_there_is_no_terminal(capsys):
    progress = Progress(10, 0, True, "copy/lbpe")
    progress.step(RECORD, [])
    progress.line(RECORD, [12, [30, 100]])
    progress.line(RECORD | {"open_gates": None}, [])
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["step 5/10: loss 0.1235, gates 7, solved 12 30x100", "step 5/10: loss 0.1235, solved -"]


def test_silent_if_asked(capsys):
    progress = Progress(10, 0, False, "copy/lbpe")
    progress.step(RECORD, [])
    progress.line(RECORD, [])
    progress.close()
    assert capsys.readouterr().err == ""


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    progress = Progress(10, 4, True, "copy/lbpe")
    progress.step(RECORD, [12])
    progress.close()
    text = capsys.readouterr().err
    assert "copy/lbpe" in text
    assert "5/10" in text
    assert "gates 7, solved 12" in text


def test_final_loss():
    assert History().final_loss is None
    assert History([{"loss": 3.0}, {"loss": 1.0}]).final_loss == 1.0


def validated(step, scores, lengths):
    return {"step": step, "loss": 1.0, "exact_match": scores, "validate_lengths": lengths}


def test_validations_of_other_scales_are_not_compared():
    """Four solved scales are not better than the only one of a resumed run."""
    four, one = validated(4, dict.fromkeys("2345", 1.0), [2, 3, 4, 5]), validated(8, {"2": 1.0}, [2])
    assert History([four, one]).best() == one and History([four, one]).better_than_last() is None
    worse = validated(12, {"2": 0.5}, [2])
    assert History([four, one, worse]).better_than_last() == one


def test_a_history_cut_at_the_best():
    history = History([{"step": 2, "loss": 3.0}, {"step": 4, "loss": 2.0}, {"step": 6, "loss": 1.0}], seconds=9.0)
    cut = history.cut_at(4)
    assert (cut.steps, cut.final_loss, cut.seconds, cut.best_of_run) == (4, 2.0, 9.0, True)
    assert history.steps == 6 and not history.best_of_run


def test_the_mean_of_all_scales_ranks_validations():
    """Not the best of them; a scale that was left out counts as 0."""
    lengths = [2, 5]
    first, second = validated(4, {"2": 1.0, "5": 0.25}, lengths), validated(8, {"2": 0.9, "5": 0.75}, lengths)
    last = validated(12, {"2": 1.0}, lengths)
    assert History([first, second]).best() == second
    assert History([first, second, last]).better_than_last() == second
    assert History([last, first]).best() == first
