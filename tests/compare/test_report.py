import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

from hf_lengthgen.compare.report import write_report

from .grids import TINY, file_result, grid, layout

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Checks that elements are closed in order; collects ids and what is referred to."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values[key] for key in ("href", "src", "xlink:href") if key in values]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    where = layout(tmp_path_factory.mktemp("report"))
    made = grid(tasks=[{"name": "copy"}, {"name": "reverse"}, {"name": "shift"}])
    for cell in made.cells:
        if cell.task != "shift":
            file_result(cell, where, 8, 3 * cell.seed)
    outcomes = write_report(made, where, "lengthgen compare small & more")
    return where.output_dir, made, where, outcomes


def test_files_and_figures(report):
    folder, *_ = report
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix != ".json")
    assert [name for name in names if "." in name] == [
        "README.md",
        "figures/copy.svg",
        "figures/heat_map.svg",
        "figures/reverse.svg",
        "report.html",
        "summary.csv",
        "table.csv",
    ]
    for figure in (folder / "figures").iterdir():
        assert figure.stat().st_size < 200_000 and ElementTree.parse(figure).getroot().tag.endswith("svg")


def test_the_heat_map_shows_every_pair(report):
    from hf_lengthgen.compare.figures import heat_map, task_figure

    *_, outcomes = report
    axes = heat_map(outcomes).axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["4"] * 4 + ["?"] * 2
    assert [label.get_text() for label in axes.get_yticklabels()] == ["copy", "reverse", "shift"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["RoPE", "LBPE + hint"]
    assert task_figure(outcomes, "shift") is None


def test_the_readme_points_at_files_that_exist_and_says_what_is_missing(report):
    folder, *_ = report
    text = (folder / "README.md").read_text()
    shown = re.findall(r"!\[(.*?)\]\((.*?)\)", text)
    assert shown == [("effective length", "figures/heat_map.svg")] + [
        (task, f"figures/{task}.svg") for task in ("copy", "reverse")
    ]
    assert all((folder / target).is_file() for _, target in shown)
    assert "12 cells, 8 finished, 4 missing" in text and "- shift: rope (2 of 2), hinted (2 of 2)" in text
    assert "`lengthgen compare small & more`" in text
    assert "No cell of this task is finished yet." in text
    assert "| RoPE | 2 | 100 | 18.8 (0–37.5) |" in text


def test_the_page_needs_nothing_else(report):
    """Well-formed, every id once, every link inside the page, no script, no address but those that name SVG."""
    folder, *_ = report
    text = (folder / "report.html").read_text()
    page = Page(text)
    assert len(set(page.ids)) == len(page.ids)
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert set(re.findall(r"url\(#(.*?)\)", text)) <= set(page.ids)
    assert set(re.findall(r"https?://[^\"\s<]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "<script" not in text and "small &amp; more" in text and "18.8 (0–37.5)" in text
    assert text.count("<svg") == 3


def test_tables_in_the_page(report, tmp_path):
    text = (report[0] / "report.html").read_text()
    assert '<th class="left">variant</th><th class="right">seeds</th><th class="right">4</th>' in text
    assert '<td class="left">RoPE</td><td class="right">2</td><td class="right">100</td>' in text
    assert '<td class="left">checkpoint</td><td class="left">last</td><td class="left">all</td>' in text
    assert "<p>Exact match in % of the whole answer, mean over seeds (lowest–highest)." in text
    variants = [{"name": "rope", "label": "a|b <i>", "scale_hint": "none"}]
    made, where = grid(variants=variants, seeds=[0]), layout(tmp_path)
    for cell in made.cells:
        file_result(cell, where, 8)
    write_report(made, where, "x")
    page = (where.output_dir / "report.html").read_text()
    assert '<td class="left">a|b &lt;i&gt;</td>' in page


def test_the_same_results_give_the_same_report(report):
    folder, made, where, _ = report
    files = [path for path in folder.rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    write_report(made, where, "lengthgen compare small & more")
    assert {path: path.read_bytes() for path in files} == before


def test_a_report_without_results(tmp_path):
    where = layout(tmp_path)
    outcomes = write_report(grid(), where, "x")
    assert outcomes.results == [] and "8 cells, 0 finished" in (where.output_dir / "README.md").read_text()
    Page((where.output_dir / "report.html").read_text())


def test_a_report_of_scales_of_one_size_and_of_several_training_ranges(tmp_path):
    tasks = [{"name": "addition", "task_options": {"widths": "unequal"}, "eval_lengths": ["12x24", "24x12"]}]
    variants = [
        {"name": "rope", "scale_hint": "none"},
        {"name": "wider", "position_embedding": "rope", "scale_hint": "none", "n_min": 2, "n_max": 8},
    ]
    made, where = grid(tasks=tasks, variants=variants), layout(tmp_path)
    for cell in made.cells:
        file_result(cell, where, 8, 3, n_min=cell.config.n_min)
    write_report(made, where, "x")
    text = (where.output_dir / "README.md").read_text()
    assert "Trained on n = 1..4 or 2..8, 20 steps." in text
    assert "variants differ in n_min (on every task), n_max (on every task)" in text
    assert "At n = 24x12:" in text and (where.output_dir / "figures" / "addition.svg").is_file()


def test_a_comparison_of_one_cell(tmp_path):
    one = grid(tasks=[{"name": "copy"}], variants=[{"name": "rope", "scale_hint": "none"}], seeds=[0])
    file_result(one.cells[0], layout(tmp_path), 8, 8)
    write_report(one, layout(tmp_path), "x")
    text = (tmp_path / "results" / "README.md").read_text()
    assert "1 variant on 1 task, 1 seed each: 1 cell, all finished." in text and "| 1 run a pair, " in text
    assert "1 cell took 60 s of wall time" in text and "Models have 412,345 parameters." in text
    assert "Nothing: every cell is finished." in text


def test_every_number_of_steps_is_told(tmp_path):
    variants = [{"name": "rope", "scale_hint": "none"}, {"name": "none", "scale_hint": "none", "steps": 1500}]
    made = grid(variants=variants)
    write_report(made, layout(tmp_path), "x")
    text = (tmp_path / "results" / "README.md").read_text()
    assert "Trained on n = 1..4, 20 to 1,500 steps." in text and "Trained on n = 1..4, 10 to 1,500 steps." in text


def test_a_report_without_test_lengths(tmp_path):
    """`check_cells` refuses to run such a comparison; results of it may be there."""
    made, where = grid(base=TINY | {"eval_lengths": []}), layout(tmp_path)
    file_result(made.cells[0], where)
    write_report(made, where, "x")
    assert "No length is tested." in (where.output_dir / "README.md").read_text()
    Page((where.output_dir / "report.html").read_text())
