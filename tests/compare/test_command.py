import argparse

import pytest
import yaml

from hf_lengthgen.compare import command
from hf_lengthgen.compare.estimate import duration, prior
from hf_lengthgen.compare.runner import CellsFailed, ComparisonInterrupted, Outcome
from hf_lengthgen.evaluation.result import Result

from .grids import data, file_result, grid, layout


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(data()))
    return path


def call(*words, modules=()):
    parser = argparse.ArgumentParser()
    parser.set_defaults(modules=list(modules))
    command.add_parser(parser.add_subparsers())
    chosen, rest = parser.parse_known_args(["compare", *map(str, words)])
    chosen.run(chosen, rest, "lengthgen compare")


def places(tmp_path):
    return "--output_dir", tmp_path / "results", "--work_dir", tmp_path / "runs"


def test_two_cells_end_to_end(path, tmp_path, capsys):
    """Real training: results, report, and nothing repeated the second time."""
    call(path, *places(tmp_path), "--jobs", 1, "--only", "copy", "--seeds", 0, "--hidden_size", 16)
    out, err = capsys.readouterr()
    assert "2 of 8 cells" in out and "copy/rope seed 0: 4:" in err and "the last one" in err
    for variant, embedding in (("rope", "rope"), ("hinted", "lbpe")):
        result = Result.load(tmp_path / "results" / "copy" / variant / "seed0.json")
        assert result.position_embedding == embedding and result.steps == 20 and result.settings["hidden_size"] == 16
        assert result.command == (
            f"lengthgen compare {path} --output_dir {tmp_path / 'results'} --hidden_size 16 "
            f"--only copy/{variant} --seeds 0"
        )
        assert result.hardware["threads"] == 1 and result.wall_seconds > result.train_seconds
    logs = {log: log.read_bytes() for log in (tmp_path / "runs").rglob("*.log")}
    assert len(logs) == 2 and not list((tmp_path / "runs").rglob("*.safetensors"))
    call(path, *places(tmp_path), "--only", "copy", "--seeds", 0, "--hidden_size", 16)
    assert {log: log.read_bytes() for log in logs} == logs
    with pytest.raises(ValueError, match="seed0.json was made under other settings: hidden_size was 16 and is 32"):
        call(path, *places(tmp_path))


def test_the_headline_is_written_into_another_file(path, tmp_path):
    file_result(grid().cells[0], layout(tmp_path), 8, 8)
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- table: small -->\nold\n<!-- /table -->\nbelow\n")
    call(path, *places(tmp_path), "--report_only", "--write_into", page)
    text = page.read_text()
    assert text.startswith("above\n") and text.endswith("\nbelow\n") and "old" not in text
    assert "| RoPE | 8 [1/2] | ? |" in text
    page.write_text("no such table\n")
    with pytest.raises(ValueError, match="has no table 'small'"):
        call(path, *places(tmp_path), "--report_only", "--write_into", page)
    with pytest.raises(ValueError, match="goes with --report_only"):
        call(path, *places(tmp_path), "--write_into", page)


def test_list_says_what_is_left_and_runs_nothing(path, tmp_path, capsys):
    where = layout(tmp_path)
    file_result(grid().cells[0], where, 8)
    call(path, *places(tmp_path), "--list", "--jobs", 4)
    out = capsys.readouterr().out
    assert "  rope 1/2, hinted 0/2" in out and "8 cells, 1 finished, 7 left" in out and "with 4 at a time" in out
    assert not (tmp_path / "runs").exists()


def test_the_list_adds_up_the_time_of_what_is_left(path, tmp_path, capsys):
    """Nothing is measured yet: the sum of the first guesses, by task and of all, shared by those that run at a time."""
    call(path, *places(tmp_path), "--list", "--jobs", 4, "--steps", 200_000)
    cells = grid(base=data()["base"] | {"steps": 200_000}, tasks=[{"name": "copy"}, {"name": "reverse"}]).cells
    total = sum(map(prior, cells))
    assert duration(total) != duration(total / 4)
    out = capsys.readouterr().out
    assert f"8 left: about {duration(total)} of one core, {duration(total / 4)} with 4 at a time." in out
    for task in ("copy", "reverse"):
        own = sum(prior(cell) for cell in cells if cell.task == task)
        assert f"{task}: 4 cells, 4 left, about {duration(own)}" in out


def test_the_list_reckons_with_one_cell_per_gpu(path, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4,5,6")
    call(path, *places(tmp_path), "--list")
    assert "with 7 at a time" in capsys.readouterr().out


def test_the_list_does_not_count_what_was_made_under_other_settings(path, tmp_path, capsys):
    one, two, *_ = grid().cells
    file_result(one, layout(tmp_path), 8)
    file_result(two, layout(tmp_path), 8, settings={}, settings_digest="")
    call(path, *places(tmp_path), "--list")
    out = capsys.readouterr().out
    assert "8 cells, 1 finished, 7 left" in out and "  rope 1/2, hinted 0/2" in out
    assert "1 of them has a result that was made under other settings; --redo runs it again." in out
    call(path, *places(tmp_path), "--list", "--steps", 7)
    out = capsys.readouterr().out
    assert "8 cells, 0 finished, 8 left" in out and "2 of them have results that were made under other" in out


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["--jobs", 1], "slots", 1),
        (["--jobs", 3], "slots", 3),
        ([], "redo", False),
        (["--redo"], "redo", True),
        ([], "keep_models", False),
        (["--keep_models"], "keep_models", True),
        ([], "time_limit", None),
        (["--time_limit", 1.5], "time_limit", 90),
    ],
)
def test_every_option_arrives(path, monkeypatch, words, key, value):
    seen = {}
    monkeypatch.setattr(
        "hf_lengthgen.compare.runner.run_cells",
        lambda cells, where, slots, **options: seen.update(options, slots=len(slots)) or Outcome(),
    )
    call("small.yaml", *words)
    assert seen[key] == value


def test_what_is_imported_is_handed_on_and_recorded(path, tmp_path, monkeypatch):
    """The real thing is in test_cli.py."""
    seen = {}

    def run_cells(cells, *_, command, **options):
        seen.update(options, command=command(cells[0]))
        return Outcome()

    monkeypatch.setattr("hf_lengthgen.compare.runner.run_cells", run_cells)
    call("small.yaml", "--steps", 7, modules=["mine", "others.rules"])
    again = "lengthgen --import mine --import others.rules compare small.yaml --steps 7"
    assert seen["modules"] == ["mine", "others.rules"]
    assert seen["command"] == f"{again} --only copy/rope --seeds 0"
    assert f"`{again}`" in (tmp_path / "results" / "small" / "README.md").read_text()


@pytest.mark.parametrize(
    "words, message",
    [
        (["--report_only", "--only", "copy"], "--only does not go with --report_only"),
        (["--report_only", "--seeds", "0"], "--seeds does not go with --report_only"),
        (["--report_only", "--redo"], "--redo does not go with --report_only"),
        (["--report_only", "--keep_models"], "--keep_models does not go with --report_only"),
        (["--report_only", "--time_limit", "0"], "--time_limit does not go with --report_only"),
        (["--report_only", "--jobs", "1"], "--jobs does not go with --report_only"),
        (["--list", "--report_only"], "--report_only does not go with --list"),
        (["--list", "--redo"], "--redo does not go with --list"),
        (["--list", "--keep_models"], "--keep_models does not go with --list"),
        (["--list", "--time_limit", "0"], "--time_limit does not go with --list"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(path, tmp_path, words, message):
    with pytest.raises(ValueError, match=message) as error:
        call(path, *places(tmp_path), *words)
    assert "\n" not in str(error.value) and not (tmp_path / "results").exists()


def test_a_part_can_be_listed(path, tmp_path, capsys):
    call(path, *places(tmp_path), "--list", "--only", "copy", "--seeds", 1, "--jobs", 1)
    assert "2 cells, 0 finished, 2 left" in capsys.readouterr().out


def test_folders_are_named_after_the_comparison(path, tmp_path):
    call("small.yaml", "--report_only")
    assert "`lengthgen compare small.yaml`" in (tmp_path / "results" / "small" / "README.md").read_text()


def test_report_only(path, tmp_path, capsys):
    file_result(grid().cells[0], layout(tmp_path), 8, 3)
    call(path, *places(tmp_path), "--report_only")
    assert "1 of 8 cells" in capsys.readouterr().out
    assert "37.5 [1/2]" in (tmp_path / "results" / "README.md").read_text()


def test_failed_cells_end_in_exit_code_1_and_a_report(path, tmp_path, monkeypatch):
    cell = grid().cells[0]
    monkeypatch.setattr("hf_lengthgen.compare.runner.run_cells", lambda *_, **__: Outcome(failed={cell: "why"}))
    with pytest.raises(CellsFailed, match="1 cells failed, the first of them copy/rope seed 0: why") as error:
        call(path, *places(tmp_path))
    assert error.value.exit_code == 1 and (tmp_path / "results" / "README.md").exists()


def test_an_interruption_leaves_a_report_too(path, tmp_path, monkeypatch):
    file_result(grid().cells[0], layout(tmp_path), 8, 3)

    def interrupted(*_, **__):
        raise ComparisonInterrupted("SIGINT received")

    monkeypatch.setattr("hf_lengthgen.compare.runner.run_cells", interrupted)
    with pytest.raises(ComparisonInterrupted):
        call(path, *places(tmp_path))
    assert "8 cells, 1 finished, 7 missing" in (tmp_path / "results" / "README.md").read_text()


def test_what_was_made_under_other_settings_stops_all_but_redo(path, tmp_path, monkeypatch):
    file_result(grid().cells[0], layout(tmp_path), 8, 3)
    seen = []
    monkeypatch.setattr("hf_lengthgen.compare.runner.run_cells", lambda *_, **__: seen.append(1) or Outcome())
    with pytest.raises(ValueError, match="made under other settings: steps was 20 and is 7. Use --redo"):
        call(path, *places(tmp_path), "--steps", 7)
    assert seen == []
    call(path, *places(tmp_path), "--steps", 7, "--redo")
    assert seen == [1]
    # The report tells of a result that it leaves out.
    text = (tmp_path / "results" / "README.md").read_text()
    assert "Left out, since they were made under other settings: " in text and "copy/rope/seed0.json." in text


def test_the_time_limit_is_in_minutes_and_says_what_is_left(path, tmp_path, capsys):
    call(path, *places(tmp_path), "--time_limit", 0)
    assert "8 cells are left; the same command goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, message",
    [
        (["--jobs", "0"], "--jobs must be at least 1, got 0"),
        (["--time_limit", "-1"], "--time_limit is a number of minutes, got -1"),
        (["--time_limit", "nan"], "--time_limit is a number of minutes, got nan"),
        (["--only", "copi"], "has no 'copi'"),
        (["--seeds", "9"], "has no seed 9"),
        (["--stepps", "9"], "unknown setting 'stepps'; did you mean 'steps'"),
        (["--position_embedding", "rop"], "copy/rope: .*'rop'"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(path, tmp_path, words, message):
    with pytest.raises(ValueError, match=message) as error:
        call(path, *places(tmp_path), *words)
    assert "\n" not in str(error.value) and not (tmp_path / "runs").exists()


def test_a_folder_that_cannot_be_written(path, tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("output_dir", "work_dir"):
        with pytest.raises(OSError, match=f"^{name} '.*file/x' cannot be written"):
            call(path, *places(tmp_path), f"--{name}", tmp_path / "file" / "x")
