from pathlib import Path

import pytest
import yaml

from hf_lengthgen.compare.grid import check_cells, find_grid, load_grid, make_grid
from hf_lengthgen.data.tokenizer import build_tokenizer
from hf_lengthgen.tasks import get_task

from .grids import TINY, data, grid

COMPARISONS = Path(__file__).parents[2] / "recipes" / "comparisons"


def test_cells_are_tasks_times_variants_times_seeds_seed_by_seed():
    cells = grid(extra_seeds={"hinted": [3]}).cells
    pairs = [("copy", "rope"), ("copy", "hinted"), ("reverse", "rope"), ("reverse", "hinted")]
    want = [(*pair, seed) for seed in (0, 1) for pair in pairs]
    want += [("copy", "hinted", 3), ("reverse", "hinted", 3)]
    assert [(cell.task, cell.variant, cell.seed) for cell in cells] == want
    assert all(cell.config.seed == cell.seed and cell.config.task == cell.task for cell in cells)
    assert cells[1].config.position_embedding == "lbpe" and cells[1].config.scale_hint == "prompt"
    assert cells[0].config.name == "small/copy/rope" and cells[0].config.threads == 1


def test_the_later_settings_win():
    """base < task < variant < variant on this task < command line, each written as a different number of steps."""
    tasks = [
        {"name": "copy", "steps": 30, "batch_size": 16, "variants": {"rope": {"steps": 50}}},
        {"name": "other", "task": "reverse"},
    ]
    variants = [{"name": "rope", "scale_hint": "none", "batch_size": 24}, {"name": "none", "scale_hint": "none"}]
    file = data(tasks=tasks, variants=variants, seeds=[0])
    found = {cell.pair: (cell.config.steps, cell.config.batch_size) for cell in make_grid(file, "x").cells}
    assert found == {"copy/rope": (50, 24), "copy/none": (30, 16), "other/rope": (20, 24), "other/none": (20, 8)}
    cells = make_grid(file, "x", ["--steps", "7", "--task_options.symbols", "ab"]).cells
    assert {cell.config.steps for cell in cells} == {7}
    assert {cell.config.task_options["symbols"] for cell in cells} == {"ab"}


def test_only_and_except():
    variants = [
        {"name": "rope", "scale_hint": "none", "only": ["copy"]},
        {"name": "none", "scale_hint": "none", "except": ["copy"]},
    ]
    assert [cell.pair for cell in grid(variants=variants, seeds=[5]).cells] == ["copy/rope", "reverse/none"]


def test_options_are_taken_from_the_task():
    """Token ids are those that the tokenizer gives."""
    tasks = [{"name": "addition"}]
    variants = [
        {"name": "coupling", "scale_hint": "none", "position_options": {"delimiters": "from_task", "max_offset": 3}},
        {"name": "abacus", "scale_hint": "none", "position_options": {"digit_tokens": "from_task"}},
        {"name": "ipe", "scale_hint": "prompt", "position_options": {"relations": "from_task"}},
    ]
    coupling, abacus, ipe = (
        cell.config.position_options for cell in grid(tasks=tasks, variants=variants, seeds=[0]).cells
    )
    task = get_task("addition")
    tokenizer = build_tokenizer(task)
    assert coupling == {"delimiters": tokenizer.convert_tokens_to_ids(["+", "="]), "max_offset": 3}
    assert abacus == {"digit_tokens": tokenizer.convert_tokens_to_ids(list("0123456789"))}
    assert ipe == {"relations": list(task.ideal_relations)}


def test_what_a_task_does_not_have_cannot_be_taken_from_it():
    tasks = [{"name": "parity", "task_options": {"cot": False}}]
    variants = [{"name": "ipe", "scale_hint": "prompt", "position_options": {"relations": "from_task"}}]
    with pytest.raises(ValueError, match="parity/ipe: task 'parity' has no relations"):
        grid(tasks=tasks, variants=variants)
    variants[0]["position_options"] = {"relation": "from_task"}
    with pytest.raises(ValueError, match="'relation' cannot be from_task; .* did you mean 'relations'"):
        grid(tasks=tasks, variants=variants)


COPY = {"name": "copy"}
IPE = {"name": "ipe", "scale_hint": "prompt", "position_options": {"relations": "from_task"}}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"task": []}, "unknown key 'task'; .* did you mean 'tasks'"),
        ({"tasks": []}, "tasks must be a list of at least one mapping"),
        ({"tasks": [{"task": "copy"}]}, r"tasks\[0\]: a name consists of"),
        ({"tasks": [{"name": "a/b"}]}, r"tasks\[0\]: a name consists of letters"),
        ({"tasks": [{"name": "copy"}, {"name": "copy"}]}, "the name 'copy' is given twice"),
        ({"tasks": [{"name": "copy", "stepps": 3}]}, "tasks: copy: unknown setting 'stepps'; did you mean 'steps'"),
        ({"tasks": [{"name": "copy", "steps": "many"}]}, "small.yaml: copy/rope: steps must be a whole number"),
        ({"tasks": [{"name": "copy", "steps": 0}]}, "copy/rope: steps must be at least 1, got 0"),
        ({"tasks": [{"name": "copy", "variants": {"rop": {}}}]}, "there is no variant 'rop'; .* mean 'rope'"),
        ({"tasks": [{"name": "copy", "variants": {"rope": {"stepps": 3}}}]}, "rope: unknown setting 'stepps'"),
        ({"variants": [{"name": "rope", "excepts": ["copy"]}]}, "unknown key 'excepts'; did you mean 'except'"),
        ({"variants": [{"name": "rope", "except": ["copi"]}]}, "except: there is no task 'copi'; .* mean 'copy'"),
        ({"variants": [{"name": "rope", "only": "copy"}]}, "only must be a list of tasks, got 'copy'"),
        ({"variants": [{"name": "rope", "only": [["copy"]]}]}, r"only: there is no task \"\['copy'\]\"; allowed: copy"),
        ({"variants": [{"name": "rope", "except": [{"copy": 1}]}]}, "except: there is no task .* allowed: copy"),
        (
            {"variants": [IPE], "tasks": [COPY | {"task_options": [1]}]},
            r"copy/ipe: task_options must be a mapping .*, got \[1\]",
        ),
        ({"variants": [IPE], "tasks": [COPY | {"task_options": {1: 2}}]}, "copy/ipe: task_options must be a mapping"),
        ({"variants": [IPE], "tasks": [COPY | {"task": [1]}]}, r"copy/ipe: task must be text, got \[1\]"),
        ({"variants": [{"name": "rope", "only": []}]}, "no variant meets a task"),
        ({"variants": [{"name": "rope", "label": 3}]}, "rope: label must be a text"),
        ({"base": {"seed": 3}}, "base: seed is set by the comparison itself"),
        ({"base": {"output_dir": "x"}}, "base: output_dir is set by the comparison itself"),
        ({"base": [1]}, "base must be a mapping, got list"),
        ({"seeds": 3}, "seeds must be a list of different whole numbers"),
        ({"seeds": [1, 1]}, "seeds must be a list of different whole numbers"),
        ({"seeds": [-1]}, "seeds must be a list of different whole numbers"),
        ({"extra_seeds": {"lbpe": [3]}}, "extra_seeds: there is no variant 'lbpe'"),
    ],
)
def test_mistakes_are_told_in_one_sentence(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        grid(**changes)
    assert "\n" not in str(error.value) and str(error.value).startswith("small.yaml: ")


def test_missing_keys_and_foreign_files(tmp_path):
    for key in ("name", "tasks", "variants", "seeds"):
        with pytest.raises(ValueError, match=f"the key '{key}' is missing"):
            make_grid({k: v for k, v in data().items() if k != key}, "x")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(ValueError, match="list.yaml must be a mapping, got list"):
        load_grid(str(tmp_path / "list.yaml"))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a text file"):
        load_grid(str(tmp_path / "binary.yaml"))
    with pytest.raises(ValueError, match="command line: seed is set by the comparison itself"):
        make_grid(data(), "x", ["--seed", "3"])
    with pytest.raises(FileNotFoundError, match="no packaged comparison of that name; .*did you mean 'main'"):
        load_grid("mian")


def test_a_file_is_read_by_path_and_by_name(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(data()))
    assert load_grid(str(path)) == grid()
    assert load_grid("main").name == "main" and find_grid("main") == find_grid("main.yaml")


def test_choosing_a_part():
    whole = grid()
    part = whole.choose(["copy/rope", "reverse"], [1])
    assert [str(cell) for cell in part.cells] == ["copy/rope seed 1", "reverse/rope seed 1", "reverse/hinted seed 1"]
    assert whole.choose().cells == whole.cells
    assert {cell.variant for cell in whole.choose(["hinted"]).cells} == {"hinted"}
    told = "has no 'copy/rop'; its tasks are copy, reverse, its variants rope, hinted; did you mean 'copy/rope'"
    with pytest.raises(ValueError, match=told):
        whole.choose(["copy/rop"])
    with pytest.raises(ValueError, match=r"has no seed 7; its seeds are \[0, 1\]"):
        whole.choose(seeds=[7])
    extra = grid(extra_seeds={"hinted": [3]})
    with pytest.raises(ValueError, match="no cell that is both"):
        extra.choose(["rope"], [3])


def test_check_cells_builds_what_only_task_and_model_can_check():
    check_cells(grid())
    for changes, message in (
        ({"tasks": [{"name": "copi"}]}, "copi/rope: .*'copi'"),
        ({"tasks": [{"name": "copy", "task_options": {"symbol": "ab"}}]}, "copy/rope: .*'symbol'"),
        ({"variants": [{"name": "rop"}]}, "copy/rop: .*'rop'"),
        ({"variants": [{"name": "lbpe", "position_options": {"windo": 3}}]}, "copy/lbpe: .*windo"),
        ({"base": TINY | {"eval_lengths": ["3x4"]}}, "copy/rope: .*takes 1 scale"),
        (
            {"base": TINY | {"eval_lengths": [3000], "scale_hint": "none"}, "variants": [{"name": "learned"}]},
            "copy/learned: .*n = 3000.*4096",
        ),
        ({"base": TINY | {"eval_lengths": []}}, "copy/rope: eval_lengths and long_lengths are both empty"),
        (
            {"tasks": [{"name": "unique_copy"}], "base": TINY | {"eval_lengths": [3, 100]}},
            "unique_copy/rope: eval_lengths: n = 100",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            check_cells(grid(**changes))


@pytest.mark.parametrize("file", sorted(COMPARISONS.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_packaged_comparison_can_run(file):
    check_cells(load_grid(str(file)))


def test_the_main_comparison_is_valid_and_fair():
    """Within a task all variants have one budget and one evaluation."""
    main = load_grid(str(COMPARISONS / "main.yaml"))
    assert len(main.tasks) >= 9 and len(main.variants) >= 10
    keys = ("n_min", "n_max", "steps", "batch_size", "hidden_size", "num_hidden_layers", "learning_rate")
    keys += ("eval_lengths", "eval_examples", "eval_seed", "task_options", "intermediate_size")
    for task in main.tasks:
        configs = [cell.config for cell in main.cells if cell.task == task]
        for key in keys:
            assert all(getattr(config, key) == getattr(configs[0], key) for config in configs), (task, key)
        constant = get_task(configs[0].task, **configs[0].task_options).src_verdict.startswith("constant")
        assert constant == (task != "parity_no_cot")
    seeds = {(cell.task, cell.variant): 0 for cell in main.cells}
    for cell in main.cells:
        seeds[cell.task, cell.variant] += 1
    assert all(count == (5 if variant == "lbpe_hint" else 3) for (_, variant), count in seeds.items())


def test_a_task_or_length_that_there_is_not_is_found_in_any_part(tmp_path):
    """`--only` runs a part of a comparison; its report asks every task for its lengths."""
    with pytest.raises(ValueError, match="small.yaml: bad/rope: unknown task 'copyy'"):
        grid(tasks=[{"name": "copy"}, {"name": "bad", "task": "copyy"}])
    with pytest.raises(ValueError, match="small.yaml: copy/rope: .*4"):
        grid(tasks=[{"name": "reverse"}, {"name": "copy", "eval_lengths": ["4x4"]}])
