from hf_lengthgen.cli import main
from hf_lengthgen.retrofit import train


def test_train_with_a_base_model_is_retrofit(monkeypatch):
    given = []
    monkeypatch.setattr(train, "run", lambda settings, command: given.append((settings, command)))
    assert main(["train", "--base_model", "some/base", "--task", "addition", "--steps", "7"]) == 0
    ((settings, command),) = given
    assert (settings.base_model, settings.task, settings.steps) == ("some/base", "addition", 7)
    assert command == "lengthgen train --base_model some/base --task addition --steps 7"


def test_a_setting_that_retrofit_lacks_is_one_line(capsys):
    assert main(["train", "--base_model", "some/base", "--stepz", "7"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lengthgen: error: unrecognized arguments: --stepz 7; the settings are base_model, ")
    assert error.count("\n") == 1
