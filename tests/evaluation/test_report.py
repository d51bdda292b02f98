import pytest

from hf_lengthgen.evaluation.curves import make_curves
from hf_lengthgen.evaluation.report import curves_table, load_results, markdown_table, percent, replace_table
from hf_lengthgen.evaluation.statistics import t_interval

from .results import make_result, score


def cells(table):
    """[{column: cell}] of the rows of a Markdown table."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    head, align, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert all(set(mark) <= set("-:") for mark in align)
    assert all(len(row) == len(head) == len(align) for row in rows)
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_cells_are_means_over_seeds():
    values = [40, 50, 63]
    runs = [make_result(scores=[(10, 100), (1000, k)], seed=seed) for seed, k in enumerate(values)]
    table = markdown_table(runs)
    assert '"Mean solved to": the largest length up to which the mean is at least 99% at every tested length.' in table
    (row,) = cells(table)
    mean, low, _ = t_interval([k / 100 for k in values])
    assert row == {
        "variant": "LBPE",
        "seeds": "3",
        "10": "100",
        "1000": f"51.0 ± {100 * (mean - low):.1f}",
        "mean solved to": "10",
    }


def test_the_factor_is_told_where_there_is_extrapolation():
    (row,) = cells(markdown_table([make_result(scores=[(10, 100), (1000, 100)])]))
    assert row["solved to"] == "1,000 (83.3×)" and row["1000"] == "100"
    assert '"Solved to": the largest length up to which every tested length has at least 99%.' in markdown_table(
        [make_result(scores=[(10, 100)])]
    )
    (row,) = cells(markdown_table([make_result(scores=[(10, 50)])]))
    assert row["solved to"] == "none" and row["10"] == "50.0"


def test_untested_stopped_and_missing_are_marked():
    table = markdown_table(
        [
            make_result(scores=[(10, 100), (20, 90), (50, 80)], seed=0),
            make_result(scores=[(10, 100), (20, 0)], seed=1),
            make_result(scores=[(10, 100), (50, 80)], seed=2),
            make_result("rope", scores=[(10, 0)]),
        ]
    )
    lbpe, rope = cells(table)
    assert lbpe["20"].startswith("45.0 ±") and lbpe["20"].endswith("[2 of 3]")
    assert lbpe["50"].startswith("53.3 ±") and lbpe["50"].endswith(" *")
    assert rope == {"variant": "RoPE", "seeds": "1", "10": "0", "20": "–", "50": "–", "mean solved to": "none"}
    assert "counts as 0" in table
    for mark in ("*:", "–:", "[1 of 2]:"):
        assert mark in table
    table = markdown_table([make_result("rope", scores=[(10, 0)])])
    assert not any(told in table for told in ("counts as 0", "*:", "–:", "[1 of 2]:"))


def test_the_range_of_the_seeds_instead_of_an_interval():
    curves = make_curves([make_result(scores=[(10, 100), (20, k)], seed=k) for k in (0, 50)])
    table = curves_table(curves, spread="range").markdown()
    assert cells(table)[0]["20"] == "25.0 (0–50.0)" and cells(table)[0]["10"] == "100"
    assert "mean over seeds (lowest–highest)" in table
    with pytest.raises(ValueError, match="spread is one of t, range, got 'sd'"):
        curves_table(curves, spread="sd")


def test_several_tasks_get_a_column_and_stay_together():
    results = [
        make_result("rope", task="reverse"),
        make_result("lbpe", task="copy"),
        make_result("lbpe", task="reverse", scores=[(10, 100)]),
    ]
    rows = cells(markdown_table(results))
    assert [(row["task"], row["variant"]) for row in rows] == [
        ("copy", "LBPE"),
        ("reverse", "LBPE"),
        ("reverse", "RoPE"),
    ]


def test_columns_can_be_chosen_and_pairs_have_their_own():
    results = [make_result(scores=[score([10, 10], 100), score([30, 100], 97)])]
    assert list(cells(markdown_table(results))[0]) == ["variant", "seeds", "10x10", "30x100", "solved to"]
    (row,) = cells(markdown_table(results, lengths=[(30, 100)]))
    assert list(row) == ["variant", "seeds", "30x100", "solved to"] and row["30x100"] == "97.0"
    with pytest.raises(ValueError, match="no result has the length 30x30; tested are 10x10, 30x100"):
        markdown_table(results, lengths=[(30, 30)])


def test_all_pairs_of_two_hints_are_a_grid_too():
    def run(seed, *correct):
        pairs = [(5, 5), (5, 30), (30, 5), (30, 30)]
        return make_result(scores=[score(pair, k) for pair, k in zip(pairs, correct, strict=False)], seed=seed)

    table = markdown_table([run(0, 100, 90, 80, 40), run(1, 100, 70, 0)])
    grid = table.partition("LBPE, first hint down, second across")[2]
    assert cells(grid) == [{"n0 \\ n1": "5", "5": "100", "30": "80.0"}, {"n0 \\ n1": "30", "5": "40.0", "30": "20.0"}]
    # A few pairs of many, and one row of pairs, are no grid; nor are columns that were chosen.
    assert "hint down" not in markdown_table([run(0, 100, 90, 80)]) + markdown_table([run(0, 100, 90)])
    assert "hint down" not in markdown_table([run(0, 100, 90, 80, 40)], lengths=[(5, 5), (30, 30)])
    several = markdown_table([run(0, 100, 90, 80, 40), make_result("rope", task="copy")])
    assert "addition, LBPE, first hint down" in several


def test_a_separator_in_an_option_does_not_break_the_table():
    results = [make_result(position_options={"form": value}) for value in ("a|b", "c")]
    assert any("a\\|b" in line for line in markdown_table(results).splitlines())


@pytest.mark.parametrize(
    "share, text",
    [(0, "0"), (0.0, "0"), (1, "100"), (0.5, "50.0"), (0.4213, "42.1"), (0.99999, "99.9"), (0.00001, "0.1")],
)
def test_percent_rounds_nothing_to_perfection_or_failure(share, text):
    assert percent(share) == text


def test_results_are_found_in_folders_and_files(tmp_path):
    for seed in (1, 0):
        make_result(seed=seed, scores=[(10, 100)]).save(tmp_path / "addition" / "lbpe" / f"seed{seed}.json")
    found = load_results([tmp_path / "addition", tmp_path / "addition" / "lbpe" / "seed0.json"])
    assert [result.seed for result in found] == [0, 1]
    (tmp_path / "empty").mkdir()
    for path, word in ((tmp_path / "empty", "holds no result file"), (tmp_path / "absent", "absent")):
        with pytest.raises(ValueError, match=word):
            load_results([path])


def test_the_folder_of_a_run_holds_one_result(tmp_path):
    """Beside it are scores so far, the model's own files and a copy of the result; of several tasks one for each."""
    run, several = tmp_path / "run", tmp_path / "several"
    for place in (run, run / "model", several / "tasks" / "copy", several / "tasks" / "reverse"):
        make_result(task=place.name).save(place / "result.json")
    for other in ("lengths.json", "model/config.json", "checkpoints/3/state.json", "best/config.json"):
        for folder in (run, several):
            (folder / other).parent.mkdir(parents=True, exist_ok=True)
            if folder is run or "/" in other:
                (folder / other).write_text("{}")
    assert [result.task for result in load_results([run])] == ["run"]
    assert [result.task for result in load_results([tmp_path])] == ["run", "copy", "reverse"]


def test_a_table_is_replaced_between_its_marks(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("a\n<!-- table: x -->\nold\n<!-- /table -->\nb\n<!-- table: y -->\n<!-- /table -->\n")
    replace_table(page, "x", "| new |\n")
    replace_table(page, "x", "| newer |\n")
    first, second = "a\n<!-- table: x -->\n| newer |\n<!-- /table -->\n", "b\n<!-- table: y -->\n<!-- /table -->\n"
    assert page.read_text() == first + second
    with pytest.raises(ValueError, match="no table 'z'"):
        replace_table(page, "z", "")
    with pytest.raises(ValueError, match="cannot be read"):
        replace_table(tmp_path / "absent.md", "x", "")
    (tmp_path / "binary.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="binary.md cannot be read: it is no text"):
        replace_table(tmp_path / "binary.md", "x", "")


def test_the_order_goes_by_the_threshold_that_the_table_names():
    results = [make_result("rope", [(10, 100), (20, 0)]), make_result("none", [(10, 98), (20, 96)])]
    assert [row["variant"] for row in cells(markdown_table(results))] == ["RoPE", "NoPE"]
    assert [row["variant"] for row in cells(markdown_table(results, threshold=0.95))] == ["NoPE", "RoPE"]
