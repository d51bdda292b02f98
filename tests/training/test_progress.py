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
