import csv
import dataclasses
import io

import pytest

from hf_lengthgen.compare import tables
from hf_lengthgen.compare.outcomes import gather
from hf_lengthgen.evaluation.result import Result
from hf_lengthgen.evaluation.statistics import wilson

from .grids import file_result, grid, layout

VARIANTS = [
    {"name": "rope", "scale_hint": "none"},
    {"name": "hinted", "position_embedding": "lbpe", "scale_hint": "prompt", "only": ["copy"]},
]


def cells(table):
    """[{column: cell}] of the rows."""
    return [dict(zip(table.head, row, strict=True)) for row in table.rows]


@pytest.fixture
def outcomes(tmp_path):
    made, where = grid(variants=VARIANTS), layout(tmp_path)
    by = {str(cell): cell for cell in made.cells}
    file_result(by["copy/rope seed 0"], where, 8, 6)
    file_result(by["copy/rope seed 1"], where, 0)
    file_result(by["copy/hinted seed 1"], where, 8, 8)
    return gather(made, where)


def test_tasks_down_variants_across(outcomes):
    assert cells(tables.reach_table(outcomes)) == [
        {"task": "copy", "RoPE": "0 (0–4)", "LBPE + hint": "8 [1/2]"},
        {"task": "reverse", "RoPE": "?", "LBPE + hint": "·"},
    ]
    assert cells(tables.largest_table(outcomes)) == [
        {"task": "copy", "RoPE": "37.5 (0–75.0)", "LBPE + hint": "100 [1/2]"},
        {"task": "reverse", "RoPE": "?", "LBPE + hint": "·"},
    ]


def test_the_headline_has_variants_down_farthest_first(outcomes):
    table = tables.headline_table(outcomes)
    assert cells(table) == [
        {"variant": "LBPE + hint", "copy": "8 [1/2]", "reverse": "·"},
        {"variant": "RoPE", "copy": "0 (0–4)", "reverse": "?"},
    ]
    assert table.note.endswith("?: none; ·: not compared.")


def test_marks_that_do_not_occur_are_not_explained(tmp_path):
    made, where = grid(variants=VARIANTS[:1]).choose(["copy"]), layout(tmp_path)
    for cell in made.cells:
        file_result(cell, where, 8, 6)
    note = tables.headline_table(gather(made, where)).note
    assert note.endswith("where they differ. ·: not compared.")


def test_the_table_of_a_task(outcomes):
    rows = cells(tables.task_table(outcomes, "copy"))
    assert [row["variant"] for row in rows] == ["LBPE + hint", "RoPE"]
    assert rows[1]["4"] == "50.0 (0–100)" and rows[1]["8"] == "37.5 (0–75.0) *"
    assert tables.task_table(outcomes, "reverse") is None


def test_one_csv_line_per_cell_and_length(outcomes):
    rows = list(csv.DictReader(io.StringIO(tables.csv_text(outcomes))))
    assert [row["train_seconds"] for row in rows] == ["181.2"] * 6  # 181.25 as recorded
    for row in rows:
        if row["tested"] == "yes":
            low, high = wilson(int(row["correct"]), 8)
            assert (float(row["ci_low"]), float(row["ci_high"])) == pytest.approx((low, high), abs=1e-6)
            assert low < high
        else:
            assert row["ci_low"] == row["ci_high"] == ""
    found = [(r["task"], r["variant"], r["seed"], r["n"], r["correct"], r["exact_match"], r["tested"]) for r in rows]
    assert found == [
        ("copy", "rope", "0", "4", "8", "1.0", "yes"),
        ("copy", "rope", "0", "8", "6", "0.75", "yes"),
        ("copy", "rope", "1", "4", "0", "0.0", "yes"),
        ("copy", "rope", "1", "8", "", "0.0", "no"),
        ("copy", "hinted", "1", "4", "8", "1.0", "yes"),
        ("copy", "hinted", "1", "8", "8", "1.0", "yes"),
    ]


def test_one_summary_line_per_pair(outcomes):
    rope, hinted, empty = csv.DictReader(io.StringIO(tables.summary_csv(outcomes)))
    assert (rope["task"], rope["variant"], rope["label"], rope["seeds"], rope["finished"]) == (
        ("copy", "rope", "RoPE", "2", "2")
    )
    reaches = [rope[f"effective_length_{share}"] for share in (99, 95, 90, 50)]
    assert reaches == ["0", "0", "0", "0"] and hinted["effective_length_95"] == "8"
    assert rope["extrapolation_factor_95"] == "0.0" and hinted["extrapolation_factor_95"] == "2.0"
    assert [float(rope[f"largest{end}"]) for end in ("", "_low", "_high")] == [0.375, 0.0, 0.75]
    # One seed falls from 100% to 75% between 4 and 8, the other has nothing.
    assert [float(rope[f"area{end}"]) for end in ("", "_low", "_high")] == [0.4375, 0.0, 0.875]
    assert rope["largest_n"] == hinted["largest_n"] == empty["largest_n"] == "8"
    assert empty["finished"] == "0" and empty["largest"] == empty["area"] == empty["effective_length_99"] == ""


def test_what_is_missing_is_counted(outcomes, tmp_path):
    text = tables.missing_text(outcomes)
    assert text.startswith("3 of 6 cells are not finished")
    assert "- copy: hinted (1 of 2)" in text and "- reverse: rope (2 of 2)" in text
    done, where = grid(tasks=[{"name": "copy"}], seeds=[0]), layout(tmp_path / "done")
    for cell in done.cells:
        file_result(cell, where, 0)
    assert tables.missing_text(gather(done, where)) == "Nothing: every cell is finished."


def test_fairness_asks_every_seed_and_names_what_an_embedding_is_told(tmp_path):
    variants = [
        {"name": "abacus", "max_position_embeddings": 32, "scale_hint": "none"},
        {"name": "ipe", "position_options": {"relations": "ideal"}, "scale_hint": "prompt"},
    ]
    some, where = grid(tasks=[{"name": "addition"}], variants=variants), layout(tmp_path)
    for cell in some.cells:
        file_result(cell, where, 8)
    odd = where.result(some.cells[-1])
    told = Result.load(odd).fairness | {
        "metric": "another",
        "checkpoint": "last (the best validation was at step 5)",
        "extra_knowledge": "the scale n, read off the prompt",
    }
    dataclasses.replace(Result.load(odd), fairness=told).save(odd)
    rows = cells(tables.fairness_table(gather(some, where)))
    assert {"": "checkpoint", "value": "last", "of": "all"} in rows
    assert {"": "metric", "value": "another", "of": "IPE (oracle) + hint"} in rows
    knowledge = {row["value"]: row["of"] for row in rows if row[""] == "extra knowledge"}
    assert knowledge == {
        "which tokens are digits": "Abacus",
        "the relations that solve the task": "IPE (oracle) + hint",  # seed 0: a hint was not recorded
        "the scale n, read off the prompt; the relations that solve the task": "IPE (oracle) + hint",
    }


def test_fairness_versions_and_cost(outcomes):
    rows = cells(tables.fairness_table(outcomes))
    assert {row[""] for row in rows} == {"format", "metric", "seeds", "checkpoint", "extra knowledge"}
    assert {"": "checkpoint", "value": "last", "of": "all"} in rows
    assert {"": "extra knowledge", "value": "none", "of": "all"} in rows
    assert {"": "seeds", "value": "2 runs a pair, all finished ones counted", "of": "all"} in rows
    found = {row[""]: row["value"] for row in cells(tables.versions_table(outcomes))}
    assert found["commit"] == "unknown" and found["torch"] == "2.13.0" and found["device"] == "cpu"


def test_cost_and_versions_of_results_that_differ(tmp_path):
    made, where = grid(tasks=[{"name": "copy"}], seeds=[0, 1]), layout(tmp_path)
    peaks, sizes = (500.0, 1234.5, None, 700.0), (900, 800, 12_000, 800)
    torch = ("2.13.0", "2.13.0", "2.14.0", "2.13.0")
    for cell, peak, size, version in zip(made.cells, peaks, sizes, torch, strict=True):
        file_result(cell, where, 8, 8, peak_memory_mb=peak, parameters=size, versions={"torch": version})
    outcomes = gather(made, where)
    assert tables.cost_text(outcomes) == (
        "4 cells took 4 min of wall time, one thread each. Largest memory of a cell: 1,234 MiB. "
        "Models have 800 to 12,000 parameters."
    )
    found = {row[""]: row["value"] for row in cells(tables.versions_table(outcomes))}
    assert found["torch"] == "2.13.0 (3 cells), 2.14.0 (1 cell)" and found["device"] == "cpu"


def test_what_nobody_tested_is_a_dash(tmp_path):
    """The run got its shortest length right and was stopped from outside, or was made before a length was added."""
    made, where = grid(tasks=[{"name": "copy"}], variants=VARIANTS[:1], seeds=[0]), layout(tmp_path)
    file_result(made.cells[0], where, 8)
    assert cells(tables.largest_table(gather(made, where))) == [{"task": "copy", "RoPE": "–"}]


def test_the_factor_counts_from_the_lengths_that_were_met_and_one_seed_has_no_interval(tmp_path):
    made, where = grid(tasks=[{"name": "copy"}], variants=VARIANTS[:1], seeds=[0]), layout(tmp_path)
    file_result(made.cells[0], where, 8, 8, n_max=5)
    (row,) = csv.DictReader(io.StringIO(tables.summary_csv(gather(made, where))))
    assert row["extrapolation_factor_95"] == "1.6"
    assert (row["largest"], row["largest_low"], row["largest_high"]) == ("1.0", "", "")
    assert (row["area"], row["area_low"], row["area_high"]) == ("1.0", "", "")
