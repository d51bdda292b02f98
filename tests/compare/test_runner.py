import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hf_lengthgen.compare import job, runner
from hf_lengthgen.compare.estimate import duration
from hf_lengthgen.compare.job import PROGRAM, CellBusy, Job, claim, last_line
from hf_lengthgen.compare.runner import ComparisonInterrupted, check_finished, run_cells
from hf_lengthgen.training.deciding import deciding, digest

from .grids import file_result, grid, layout


@pytest.fixture(autouse=True)
def fake_program(monkeypatch):
    monkeypatch.setattr(job, "PROGRAM", (sys.executable, str(Path(__file__).parent / "fake_train.py")))
    monkeypatch.setattr(runner, "_POLL_SECONDS", 0.02)


def cells(*steps, seeds=(0,)):
    """One cell per number of steps, which tells the fake program what to do."""
    tasks = [{"name": f"t{place}", "task": "copy", "steps": count} for place, count in enumerate(steps)]
    return grid(tasks=tasks, variants=[{"name": "rope", "scale_hint": "none"}], seeds=list(seeds)).cells


def begin(cell, where, device=None):
    return Job(cell, where, claim(cell, where), device)


def starts(cell, where):
    path = where.work(cell, ".starts")
    return len(path.read_text()) if path.exists() else 0


def test_results_are_filed_with_what_a_run_cannot_know(tmp_path):
    where, lines = layout(tmp_path), []
    one, two = cells(1, 1)
    outcome = run_cells([one, two], where, [None, None], command=lambda cell: f"again {cell.pair}", say=lines.append)
    assert list(outcome.finished) == [one, two] or list(outcome.finished) == [two, one]
    assert not outcome.failed and not outcome.left
    result = where.finished(one)
    assert result.command == "again t0/rope" and result.settings == deciding(one.config)
    assert result.settings_digest == digest(result.settings) and 0 < result.wall_seconds < 60
    assert result.commit is None or len(result.commit.removesuffix("+changes")) == 40
    assert not where.work(one).exists() and where.work(one, ".log").exists()
    assert len(lines) == 2 and all("4: 100 %" in line for line in lines)
    assert "1 left" in lines[0] and "the last one" in lines[1]


def test_the_rest_is_shared_by_the_runs_at_a_time(tmp_path, monkeypatch):
    """Each cell takes 100 seconds of its own; the four that are left take 200 with two at a time."""
    monkeypatch.setattr(Job, "spent", lambda job: 100.0)
    lines = []
    run_cells(cells(1, 1, 1, 1, 1), layout(tmp_path), [None, None], say=lines.append)
    assert lines[0].endswith(f"; 4 left, about {duration(200)})")


def test_a_finished_cell_is_not_repeated(tmp_path):
    where = layout(tmp_path)
    one, two = cells(1, 1)
    file_result(one, where, 8)
    outcome = run_cells([one, two], where, [None], say=lambda line: None)
    run_cells([one, two], where, [None], say=lambda line: None)
    assert set(outcome.finished) == {one, two} and (starts(one, where), starts(two, where)) == (0, 1)


def test_a_failed_cell_is_reported_and_the_others_go_on(tmp_path):
    where, lines = layout(tmp_path), []
    bad, good = cells(2, 1)
    outcome = run_cells([bad, good], where, [None], say=lines.append)
    assert outcome.failed == {bad: "error: it does not fit"} and list(outcome.finished) == [good]
    assert f"t0/rope seed 0: failed, see {where.work(bad, '.log')}: error: it does not fit" == lines[0]
    run_cells([bad], where, [None], say=lines.append)
    assert starts(bad, where) == 2  # tried again


def test_a_run_without_a_result_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="there is no result file"):
        run_cells(cells(4), layout(tmp_path), [None], say=lambda line: None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interruption_lets_the_runs_save_and_they_go_on_later(tmp_path, number):
    where = layout(tmp_path)
    one, two, three = cells(3, 3, 1)

    def interrupt():
        while not all((where.work(cell) / "waiting").exists() for cell in (one, two)):
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(ComparisonInterrupted, match="0 cells are finished, 3 are left; the same command goes on"):
        run_cells([one, two, three], where, [None, None], say=lambda line: None)
    thread.join()
    assert all((where.work(cell) / "saved").exists() for cell in (one, two)) and starts(three, where) == 0
    spent = where.work(one, ".seconds")
    assert 0 < float(spent.read_text()) < 60
    spent.write_text("1000.0\n")
    outcome = run_cells([one, two, three], where, [None, None], say=lambda line: None)
    assert len(outcome.finished) == 3 and starts(one, where) == 2
    assert 1000 < where.finished(one).wall_seconds < 1060  # both attempts


def test_a_run_that_does_not_leave_is_killed(tmp_path, monkeypatch):
    """It hangs, say: it is asked, waited for, and then ended, so that nothing keeps the cell."""
    where = layout(tmp_path)
    (stuck,) = cells(9)
    monkeypatch.setattr(runner, "_SAVE_SECONDS", 0.3)
    mine = begin(stuck, where)
    while not (where.work(stuck) / "waiting").exists():
        time.sleep(0.02)
    runner._stop_all([mine])
    assert (where.work(stuck) / "asked").exists() and mine.poll() == -signal.SIGKILL
    claim(stuck, where).close()  # CellBusy if it were still there


def test_no_run_outlives_an_error(tmp_path, monkeypatch):
    where = layout(tmp_path)
    waits, fails = cells(3, 4)
    with pytest.raises(ValueError, match="no result file"):
        run_cells([waits, fails], where, [None, None], say=lambda line: None)
    claim(waits, where).close()  # CellBusy if the first one were still there


def test_the_time_limit_starts_nothing_more(tmp_path):
    where = layout(tmp_path)
    some = cells(1, 1, 1)
    outcome = run_cells(some, where, [None], time_limit=0, say=lambda line: None)
    assert outcome.left == list(some) and not outcome.finished
    outcome = run_cells(some, where, [None], time_limit=0.01, say=lambda line: None)
    assert len(outcome.finished) <= 1 and len(outcome.left) + len(outcome.finished) == 3


def test_a_cell_that_another_process_works_on_is_passed_over(tmp_path):
    where, lines = layout(tmp_path), []
    one, two = cells(3, 1)
    other = begin(one, where)
    try:
        with pytest.raises(CellBusy):
            claim(one, where)
        outcome = run_cells([one, two], where, [None], say=lines.append)
    finally:
        other.kill()
        other.release()
    assert outcome.busy == [one] and list(outcome.finished) == [two]
    assert "another process is at work on it" in lines[0]


def test_a_cell_that_another_process_has_finished_meanwhile_is_not_repeated(tmp_path):
    where = layout(tmp_path)
    one, two = cells(1, 1)
    outcome = run_cells([one, two], where, [None], say=lambda line: file_result(two, where, 8))
    assert set(outcome.finished) == {one, two} and starts(two, where) == 0


def test_a_cell_is_held_until_its_result_is_filed(tmp_path):
    """Between the end of a run and its filing, a second comparison neither starts the cell nor removes its folder."""
    where, lines = layout(tmp_path), []
    (cell,) = cells(1)
    mine = begin(cell, where)
    assert mine.process.wait() == 0
    outcome = run_cells([cell], where, [None], say=lines.append)
    assert outcome.busy == [cell] and not outcome.finished
    mine.collect("again", keep_models=False)
    outcome = run_cells([cell], where, [None], say=lines.append)
    assert list(outcome.finished) == [cell] and starts(cell, where) == 1


def test_the_time_of_a_filed_cell_is_not_added_to_a_new_one(tmp_path):
    where = layout(tmp_path)
    (cell,) = cells(1)
    for _ in range(2):
        mine = begin(cell, where)
        mine.began -= 100
        assert mine.process.wait() == 0
        assert 100 <= mine.collect("again", keep_models=False).wall_seconds < 190
        where.result(cell).unlink()


def test_a_key_press_reaches_the_comparison_alone(tmp_path):
    """A run has a session of its own: Ctrl-C goes to all processes of a terminal's session, and a run is told by us."""
    where = layout(tmp_path)
    (cell,) = cells(3)
    mine = begin(cell, where)
    try:
        assert os.getsid(mine.process.pid) == mine.process.pid != os.getsid(0)
    finally:
        mine.kill()
        mine.release()


def test_a_run_does_not_take_its_package_from_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "hf_lengthgen").mkdir()
    (tmp_path / "hf_lengthgen" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    done = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and "the wrong one" not in done.stderr


def test_a_device_is_handed_on(tmp_path, monkeypatch):
    seen = []

    def start(words, env, **options):
        seen.append(env)
        raise OSError("no such program")

    monkeypatch.setattr(job, "source_commit", lambda: None)
    monkeypatch.setattr(job.subprocess, "Popen", start)
    (cell,) = cells(1)
    for device in ("GPU-a", None):
        with pytest.raises(OSError):
            begin(cell, layout(tmp_path), device)
    assert seen[0]["CUDA_VISIBLE_DEVICES"] == "GPU-a" and seen[0]["OMP_NUM_THREADS"] == "1"
    assert seen[1].get("CUDA_VISIBLE_DEVICES") == os.environ.get("CUDA_VISIBLE_DEVICES")


def test_a_run_imports_what_the_comparison_imports(tmp_path, monkeypatch):
    seen = []

    def start(words, **options):
        seen.append(words[len(job.PROGRAM) :])
        raise OSError("no such program")

    monkeypatch.setattr(job, "source_commit", lambda: None)
    monkeypatch.setattr(job.subprocess, "Popen", start)
    where = layout(tmp_path)
    (cell,) = cells(1)
    settings = ["--config", str(where.work(cell, ".yaml"))]
    for modules in ((), ("mine", "others.rules")):
        with pytest.raises(OSError):
            run_cells([cell], where, [None], modules=modules)
    assert seen == [["train", *settings], ["--import", "mine", "--import", "others.rules", "train", *settings]]


def test_models_are_kept_on_demand(tmp_path):
    where = layout(tmp_path)
    (cell,) = cells(1)
    (where.work(cell) / "checkpoints").mkdir(parents=True)
    (where.work(cell) / "model").mkdir()
    run_cells([cell], where, [None], keep_models=True, say=lambda line: None)
    assert (where.kept(cell) / "model").exists() and not (where.kept(cell) / "checkpoints").exists()
    assert not where.work(cell).exists()


def test_a_kept_model_is_left_alone_by_other_comparisons_and_by_redo(tmp_path):
    """It is finished: other settings and other results folders in the same work_dir neither meet nor remove it."""
    where = layout(tmp_path)
    elsewhere = dataclasses.replace(where, output_dir=tmp_path / "elsewhere")
    (old,), (new,) = cells(1), cells(5)
    run_cells([old], where, [None], keep_models=True, say=lambda line: None)
    for cell, place, redo in ((old, elsewhere, False), (new, elsewhere, True), (new, where, True)):
        assert list(run_cells([cell], place, [None], redo=redo, say=lambda line: None).finished) == [cell]
        assert not place.work(cell).exists()
    assert where.kept(old).is_dir() and not where.kept(new).exists()
    run_cells([new], layout(tmp_path / "third"), [None], say=lambda line: None)
    assert where.kept(old).is_dir()


def test_what_was_made_under_other_settings_is_an_error_or_redone(tmp_path):
    where = layout(tmp_path)
    done, begun, same = cells(1, 1, 1)
    for cell in (done, same):
        file_result(cell, where, 8)
    begun_job = begin(begun, where)
    begun_job.kill()
    begun_job.release()
    where.work(begun).mkdir(exist_ok=True)
    check_finished([done, begun, same], where)
    new_done, new_begun, _ = cells(5, 6, 1)
    with pytest.raises(ValueError, match="seed0.json was made under other settings: steps was 1 and is 5"):
        check_finished([new_done], where)
    with pytest.raises(
        ValueError,
        match="unfinished run with other settings: steps was 1 and is 6. Use --redo .*, or another --work_dir",
    ):
        check_finished([new_begun], where)
    outcome = run_cells([new_done, new_begun, same], where, [None], redo=True, say=lambda line: None)
    assert set(outcome.finished) == {new_done, new_begun, same} and starts(same, where) == 0
    assert where.finished(new_done).settings["steps"] == 5 and where.finished(new_begun).settings["steps"] == 6


def test_redo_keeps_an_old_result_until_there_is_a_new_one(tmp_path):
    where = layout(tmp_path)
    (old,), (new,), (fails,) = cells(1), cells(5), cells(2)
    file_result(old, where, 8)
    for cell, time_limit in ((new, 0), (fails, None)):
        run_cells([cell], where, [None], redo=True, time_limit=time_limit, say=lambda line: None)
        assert where.finished(old) is not None
    run_cells([new], where, [None], redo=True, say=lambda line: None)
    assert where.finished(new) is not None


def test_redo_leaves_alone_what_another_process_is_at_work_on(tmp_path):
    """The lock is the log file: discarding must not put another one in its place."""
    where, lines = layout(tmp_path), []
    old, good = cells(3, 1)
    (new,) = cells(5)
    file_result(old, where, 8)
    other = begin(old, where)
    try:
        (where.work(old) / "model").mkdir(parents=True, exist_ok=True)
        outcome = run_cells([new, good], where, [None], redo=True, say=lines.append)
        assert outcome.busy == [new] and "another process is at work on it" in lines[0]
        assert list(outcome.finished) == [good] and (where.work(old) / "model").exists()
    finally:
        other.kill()
        other.release()
    log = where.work(old, ".log")
    before = log.stat().st_ino
    assert list(run_cells([new], where, [None], redo=True, say=lines.append).finished) == [new]
    assert not where.work(old).exists() and log.stat().st_ino == before


def test_a_result_filed_meanwhile_under_other_settings_fails_its_cell_alone(tmp_path):
    where, lines = layout(tmp_path), []
    first, second, third = cells(1, 5, 1)
    theirs = cells(1, 1)[1]

    def say(line):
        lines.append(line)
        if not where.result(second).exists():
            file_result(theirs, where, 8)

    outcome = run_cells([first, second, third], where, [None], say=say)
    assert list(outcome.finished) == [first, third] and list(outcome.failed) == [second]
    assert "t1/rope seed 0: failed: " in lines[1] and "steps was 1 and is 5" in lines[1]


def test_the_last_line_of_a_log(tmp_path):
    path = tmp_path / "log"
    assert last_line(path).startswith("its log cannot be read")
    path.write_text("\n\n")
    assert last_line(path) == "its log is empty"
    path.write_text("one\ntwo\n \n")
    assert last_line(path) == "two"
