import argparse
import json
import re

import pytest
from evaluation.results import make_result

from hf_lengthgen.data.publish import export
from hf_lengthgen.theory.command import add_parser
from hf_lengthgen.theory.predict import predict


@pytest.fixture
def src(capsys):
    """Runs `lengthgen src WORDS` and returns what it prints."""

    def call(*words):
        parser = argparse.ArgumentParser(allow_abbrev=False)
        add_parser(parser.add_subparsers())
        chosen, rest = parser.parse_known_args(["src", *map(str, words)])
        chosen.run(chosen, rest, "lengthgen src")
        return capsys.readouterr().out

    return call


def test_a_task(src, tmp_path):
    text = src("parity", "--position_embedding", "rope", "--output", tmp_path / "deep" / "o.json")
    for part in (
        "parity: SRC constant",
        "3 relations: ",
        "without the Scale Hint: growing",
        "without its steps: growing",
    ):
        assert part in text
    assert "RoPE + hint, trained on n <= 12: no bound" in text
    record = json.loads((tmp_path / "deep" / "o.json").read_text())
    assert record["discovery"]["verdict"] == "constant" and record["prediction"]["largest"] == "unbounded"


def test_formats_and_options(src):
    assert "parity: SRC growing" in src("parity", "--format", "cot=false")
    assert "parity: SRC growing" in src("parity", "--task_options.cot", "false")
    text = src("copy", "--scale_hint", "none", "--n_max", 6, "--held_out", 12, "--position_embedding", "lbpe")
    assert "copy: SRC growing" in text and "LBPE, trained on n <= 6: right up to n = 6" in text


def test_a_figure(src, tmp_path):
    assert "lrc.svg" in src("copy", "--figure", tmp_path / "lrc.svg")
    assert (tmp_path / "lrc.svg").stat().st_size > 1000


def test_where_there_is_nothing_to_draw_the_rest_is_kept(src, tmp_path):
    files = tmp_path / "x.svg", tmp_path / "x.json"
    text = src("parity", "--format", "cot=false", "--n_max", 4, "--figure", files[0], "--output", files[1])
    assert "no figure: there are no relations of 'parity' whose LRC could be drawn" in text
    assert json.loads(files[1].read_text())["discovery"]["verdict"] == "growing" and not files[0].exists()


def test_what_is_found_is_written_before_it_is_drawn(src, tmp_path, monkeypatch):
    def draw(*given):
        raise ValueError("no ink")

    monkeypatch.setattr("hf_lengthgen.theory.lrc.plot_lrc", draw)
    with pytest.raises(ValueError, match="no ink"):
        src("copy", "--n_max", 4, "--figure", tmp_path / "x.svg", "--output", tmp_path / "x.json")
    assert (tmp_path / "x.json").exists()


def test_a_prediction_is_made_as_the_search_is(src, monkeypatch):
    given = {}

    def predicted(*words, **options):
        given.update(options, n_max=words[3])
        return predict(*words, **options)

    monkeypatch.setattr("hf_lengthgen.theory.predict.predict", predicted)
    words = ("--format", "order=plain", "separator=_", "--n_max", 3, "--held_out", 5, 9, "--limit", 4, "--seed", 1)
    text = src("addition", *words, "--position_embedding", "rope")
    assert given["limit"] == 4 and given["held_out"] == [5, 9] and given["seed"] == 1
    assert given["n_max"] == 3 and "trained on n <= 3: " in text


def test_users_data(src, tmp_path):
    export(tmp_path / "rows", "copy", rows=600, n_max=8, symbols="abc")
    text = src("--data", tmp_path / "rows", "--n_max", 4)
    assert "(600 rows): SRC constant" in text and "1 relation: i - j = n" in text


def test_predictions_and_results(src, tmp_path):
    (tmp_path / "grid.yaml").write_text(
        "name: small\nseeds: [0, 1]\ntasks: [{name: copy}]\nvariants:\n- {name: rope, scale_hint: none}\n"
        "- {name: lbpe_hint, position_embedding: lbpe, scale_hint: prompt}\n- {name: cope, scale_hint: none}\n"
    )
    text = src("--grid", tmp_path / "grid.yaml", "--output", tmp_path / "predictions.json")
    assert "copy, RoPE: right up to n = 12" in text and "3 predictions, 1 of them none." in text
    copy = {"task": "copy", "task_options": {}, "relations": [[[["i - j = n", 1.0]]]]}
    make_result("lbpe", ((12, 100), (1000, 100)), scale_hint="prompt", **copy).save(tmp_path / "results" / "a.json")
    make_result("rope", ((12, 100), (1000, 0)), **(copy | {"relations": None})).save(tmp_path / "results" / "b.json")
    table = src("--predictions", tmp_path / "predictions.json", "--results", tmp_path / "results")
    assert "| LBPE + hint | 1 | 0 | 0 | 0 | 0 |" in table and "agreement 100.0%" in table
    assert "| discovered | 1.00 | 1.00 |" in src("--learned", tmp_path / "results")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "got none"),
        (["copy", "--data", "x"], "got task and data"),
        (["copi"], "did you mean 'copy'"),
        (["copy", "--seed", "-1"], "--seed must be at least 0"),
        (["copy", "--format", "cot"], "words like order=plain, got 'cot'"),
        (["copy", "--format", "cot=1"], "has no option 'cot'"),
        (["copy", "--nmax", "3"], "unknown argument '--nmax'"),
        (["copy", "--position_options.window", "3"], "go with --position_embedding"),
        (["copy", "--position_embedding", "lbp"], "Did you mean 'lbpe'"),
        (["copy", "--figure", "x.pdf"], "written as .svg or .png"),
        (["--data", "nowhere"], "is no Parquet file"),
        (["--predictions", "x.json"], "needs --results"),
        (["copy", "--output", "."], "--output '.' is a folder"),
        (["copy", "--output", "/dev/null/y.json"], "--output '/dev/null/y.json' cannot be written: "),
        (["copy", "--figure", "/dev/null/y.svg"], "--figure '/dev/null/y.svg' cannot be written: "),
        (["--grid", "main", "--output", "/dev/null/y.json"], "--output '/dev/null/y.json' cannot be written: "),
    ],
)
def test_bad_usage(src, words, message):
    with pytest.raises(ValueError, match=message):
        src(*words)


OPTIONS = {
    "--format": "cot=false",
    "--task_options.cot": "false",
    "--position_options.window": "3",
    "--position_embedding": "rope",
    "--figure": "x.svg",
    "--held_out": "99",
    "--n_max": "9",
    "--limit": "3",
    "--seed": "1",
    "--scale_hint": "none",
    "--answer_after": "=",
    "--delimiters": "=",
    "--output": "x.json",
    "--results": "nowhere",
}
SEARCH = {"--n_max", "--limit", "--seed", "--scale_hint", "--output"}
TASK = {"--format", "--task_options.cot", "--position_options.window", "--position_embedding", "--figure", "--held_out"}
TAKES = {
    ("copy",): SEARCH | TASK,
    ("--data", "rows"): SEARCH | {"--answer_after", "--delimiters"},
    ("--grid", "main"): {"--seed", "--output"},
    ("--predictions", "p.json"): {"--results"},
    ("--learned", "results"): set(),
}


@pytest.mark.parametrize(
    ("mode", "option"), [(mode, o) for mode, own in TAKES.items() for o in OPTIONS if o not in own], ids=str
)
def test_no_option_is_ignored(src, mode, option):
    with pytest.raises(ValueError, match=f"{re.escape(option)} goes with .*, not with ") as error:
        src(*mode, f"{option}={OPTIONS[option]}")
    assert "\n" not in str(error.value)


def test_what_an_option_goes_with_is_said(src):
    with pytest.raises(ValueError, match=r"^--n_max goes with the name of a task or --data, not with --grid\.$"):
        src("--grid", "main", "--n_max", 3)
    with pytest.raises(
        ValueError, match=r"^--output goes with the name of a task, --data or --grid, not with --learned"
    ):
        src("--learned", "results", "--output", "x.json")


def test_names_and_paths_are_checked_before_the_search(src, monkeypatch):
    def search(*given, **options):
        raise AssertionError("the search has begun")

    monkeypatch.setattr("hf_lengthgen.theory.discovery.discover", search)
    for words, message in (
        (["--position_embedding", "ropee"], "mean 'rope'"),
        (["--position_embedding", "lbpe", "--position_options.windo", "3"], "windo"),
        (["--position_embedding", "rope", "--n_max", "1"], "n_max must be an integer >= 2"),
        (["--output", "/dev/null/y.json"], "cannot be written"),
    ):
        with pytest.raises(ValueError, match=message):
            src("copy", *words)
    with pytest.raises(ValueError, match="need a task of one scale; 'addition' has 2"):
        src("addition", "--format", "widths=unequal", "--figure", "x.svg")


def test_a_broken_file_of_predictions(src, tmp_path):
    for content, message in (
        (b"{}", "x.json is no file of predictions .*: it has no 'predictions'"),
        (b"[1]", "x.json is no file of predictions .*: it has no 'predictions'"),
        (b'{"predictions": 3}', "x.json is no file of predictions .*: 'predictions' is no list"),
        (b'{"predictions": [3]}', r"x.json: predictions\[0\] is no object"),
        (b'{"predictions": NaN}', "x.json is no file of predictions .*: it holds NaN, which is not a number"),
        (b"[1", "x.json is no file of predictions .*: "),
        (b"\xff\xfe\x00", "x.json is no file of predictions .*: not a text file"),
        (b"[" * 100_000, "x.json is no file of predictions"),
    ):
        (tmp_path / "x.json").write_bytes(content)
        with pytest.raises(ValueError, match=message) as error:
            src("--predictions", tmp_path / "x.json", "--results", tmp_path)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="nowhere.json cannot be read"):
        src("--predictions", tmp_path / "nowhere.json", "--results", tmp_path)
