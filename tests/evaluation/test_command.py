"""`lengthgen evaluate | report`."""

import json

import pytest

from hf_lengthgen import get_task
from hf_lengthgen.evaluation.result import Result


@pytest.mark.parametrize("place", ["", "model"])
@pytest.mark.parametrize("mode", ["generate", "teacher"])
def test_evaluate_knows_the_task(lengthgen, tiny_run, place, mode):
    code, out, _ = lengthgen("evaluate", tiny_run / place, "--lengths", 2, 5, "--examples", 6, "--mode", mode)
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows] == ["n", "2", "5"]
    assert all(row[-3].endswith("/6") and row[-2] == mode for row in rows[1:])


def test_evaluate_shows_what_is_right_in_part(lengthgen, tiny_run, tmp_path):
    words = ["evaluate", tiny_run, "--lengths", 3, "--examples", 6, "--output", tmp_path / "r.json"]
    code, out, _ = lengthgen(*words, "--details")
    score = Result.load(tmp_path / "r.json").lengths[0]
    assert code == 0 and "token accuracy  final accuracy  step accuracy" in out
    assert score.token_accuracy is not None and f"{score.token_accuracy:.1%}" in out
    code, _, err = lengthgen(*words, "--details", "--mode", "teacher")
    assert code == 2 and "details" in err


def test_evaluate_agrees_with_the_run(lengthgen, tiny_run):
    told = json.loads((tiny_run / "lengths.json").read_text())["lengths"][0]
    _, out, _ = lengthgen("evaluate", tiny_run, "--lengths", 2, "--examples", told["examples"])
    assert f"{told['correct']}/{told['examples']}" in out


def test_evaluate_writes_a_result_file(lengthgen, tiny_run, tmp_path):
    code, _, _ = lengthgen("evaluate", tiny_run, "--lengths", 4, "--examples", 3, "--output", tmp_path / "r.json")
    assert code == 0
    result = Result.load(tmp_path / "r.json")
    assert [score.n for score in result.lengths] == [[4]]
    assert (result.steps, result.task) == (8, "copy")
    assert result.command.startswith("lengthgen evaluate ")


def test_a_result_says_how_it_was_evaluated(lengthgen, tiny_run, tmp_path):
    """Not how the run evaluated: other examples are another evaluation."""
    words = ["evaluate", tiny_run, "--lengths", 2, 3, "--examples", 3, "--output", tmp_path / "r.json"]
    assert lengthgen(*words, "--seed", 99)[0] == 0
    settings = Result.load(tmp_path / "r.json").settings
    assert (settings["eval_lengths"], settings["eval_examples"], settings["eval_seed"]) == ([2, 3], 3, 99)
    assert settings["long_lengths"] == [] and settings["stop_at_zero"] is False
    assert Result.load(tmp_path / "r.json").settings_digest != Result.load(tiny_run / "result.json").settings_digest
    assert lengthgen(*words, "--mode", "teacher")[0] == 0
    settings = Result.load(tmp_path / "r.json").settings
    assert (settings["eval_lengths"], settings["long_lengths"], settings["long_examples"]) == ([], [2, 3], 3)


def test_a_result_is_of_what_was_evaluated(lengthgen, tiny_run, tmp_path):
    """Another task, or other options of its own, than the model was tiny_run on."""
    out = tmp_path / "made" / "r.json"
    words = ["evaluate", tiny_run, "--lengths", 3, "--examples", 2, "--output", out]
    assert lengthgen(*words, "--task", "reverse", "--task_options.symbols", "abc")[0] == 0
    result = Result.load(out)
    assert (result.task, result.task_options) == ("reverse", {"symbols": "abc"})
    assert result.format == get_task("reverse", symbols="abc").summary
    assert lengthgen(*words, "--task_options.symbols", "ab")[0] == 0
    assert (Result.load(out).task, Result.load(out).task_options) == ("copy", {"symbols": "ab"})
    assert lengthgen(*words)[0] == 0
    assert (Result.load(out).task, Result.load(out).task_options) == ("copy", {})


def test_the_share_of_hard_cases_that_is_asked_for_is_evaluated(lengthgen, tiny_run, tmp_path, monkeypatch):
    """Without a word every model meets the same share; with one, this one, and the result says so."""
    from hf_lengthgen.evaluation import lengths

    asked = []
    plain = lengths._evaluate_scale
    monkeypatch.setattr(
        lengths, "_evaluate_scale", lambda model, tok, task, *more: asked.append(task) or plain(model, tok, task, *more)
    )
    words = ["evaluate", tiny_run, "--lengths", 3, "--examples", 2, "--output", tmp_path / "r.json"]
    assert lengthgen(*words)[0] == lengthgen(*words, "--task_options.hard", 0.9)[0] == 0
    assert [task.options["hard"] for task in asked] == [0.25, 0.9]
    assert Result.load(tmp_path / "r.json").task_options == {"hard": 0.9}


def test_nothing_is_evaluated_before_a_bad_path_is_seen(lengthgen, tiny_run, monkeypatch):
    from hf_lengthgen.evaluation import lengths

    monkeypatch.setattr(lengths, "evaluate_lengths", None)
    code, out, err = lengthgen("evaluate", tiny_run, "--lengths", 3, "--output", tiny_run / "result.json" / "r.json")
    assert (code, out) == (2, "") and "cannot be written" in err


def test_evaluate_on_another_task(lengthgen, tiny_run):
    assert lengthgen("evaluate", tiny_run, "--lengths", 3, "--task", "reverse", "--examples", 2)[0] == 0
    code, _, err = lengthgen("evaluate", tiny_run, "--lengths", 3, "--task", "addition")
    assert code == 2
    assert "has characters" in err


def test_evaluate_bad_numbers(lengthgen, tiny_run):
    for words in (["--examples", 0], ["--mode", "greedy"], ["--batch_size", 0], ["--seed", -1]):
        code, _, err = lengthgen("evaluate", tiny_run, "--lengths", 3, *words)
        assert code == 2
        assert err.count("\n") == 1


def test_options_of_a_task_may_stand_before_the_model(lengthgen, tiny_run):
    words = ["--lengths", 2, "--examples", 3]
    assert lengthgen("evaluate", "--task_options.hard", 0, tiny_run, *words)[0] == 0


def test_report_prints_draws_and_writes(lengthgen, tiny_run, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- table: t -->\n<!-- /table -->\n")
    result = str(tiny_run / "result.json")
    code, out, _ = lengthgen("report", result, "--figure", str(tmp_path / "curve.svg"))
    assert code == 0 and out.startswith("| variant |") and (tmp_path / "curve.svg").stat().st_size > 1000
    code, silent, _ = lengthgen("report", result, "--write_into", str(page), "--table", "t")
    assert code == 0 and silent == "" and out in page.read_text()
    page.write_text(before := page.read_text())
    code, out, _ = lengthgen("report", result, "--write_into", page, "--table", "t", "--figure", tmp_path / "x.pdf")
    assert (code, out, page.read_text()) == (2, "", before) and not (tmp_path / "x.pdf").exists()


def test_lengths_beyond_a_zero_are_left_out_if_asked(lengthgen, tiny_run):
    words = ["evaluate", tiny_run, "--lengths", 50, 100, "--examples", 4]
    rows = [line.split()[0] for line in lengthgen(*words)[1].splitlines()]
    assert rows == ["n", "50", "100"]
    rows = [line.split()[0] for line in lengthgen(*words, "--stop_at_zero")[1].splitlines()]
    assert rows == ["n", "50"]


def test_report_of_some_lengths(lengthgen, tiny_run):
    code, out, _ = lengthgen("report", tiny_run / "result.json", "--lengths", 3)
    head = [cell.strip() for cell in out.splitlines()[0].split("|")]
    assert code == 0 and "3" in head and "2" not in head
