import pytest

from hf_lengthgen.exit_code import Parser, exit_code


def test_work_that_is_done_gives_0(capsys):
    done = []
    assert exit_code(lambda: done.append(1)) == 0 and done == [1]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("problem", [ValueError("no such thing."), FileNotFoundError("no such thing.")])
def test_bad_input_gives_2_and_one_line(problem, capsys):
    def work():
        raise problem

    assert exit_code(work) == 2
    assert capsys.readouterr().err == "lengthgen: error: no such thing.\n"


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        exit_code(lambda: 1 / 0)


def test_bad_usage_is_bad_input():
    parser = Parser(prog="it")
    parser.add_argument("--colour")
    with pytest.raises(ValueError, match=r"^unrecognized arguments: --col red \(see it --help\)$"):  # no abbreviations
        parser.parse_args(["--col", "red"])
