import json

import pytest
import torch

from hf_lengthgen.data.mixed import task_mark
from hf_lengthgen.data.tokenizer import build_tokenizer
from hf_lengthgen.evaluation.result import Result
from hf_lengthgen.tasks import get_task
from hf_lengthgen.training.arguments import TrainingConfig, load_training_config
from hf_lengthgen.training.build import assemble_model, mixed_batches
from hf_lengthgen.training.checkpoints import CheckpointError
from hf_lengthgen.training.loop import train
from hf_lengthgen.training.mixture import build_parts, choose_part, part_to_evaluate, read_tasks, told
from hf_lengthgen.training.run import run
from hf_lengthgen.training.saving import load_model, load_weights

from .tiny import TINY, assert_identical, weights


def mixed(**settings):
    values = {k: v for k, v in TINY.items() if k != "task"} | {"tasks": ["copy", "reverse"]} | settings
    return TrainingConfig.from_dict({k: str(v) if k == "output_dir" else v for k, v in values.items()})


def model_of(config):
    parts, tokenizer = build_parts(config)
    return assemble_model(config, parts, tokenizer), parts, tokenizer


def test_entries_are_written_out():
    assert read_tasks(["copy", {"name": "shift", "label": "b", "weight": 2, "task_options": {"symbols": "ab"}}]) == [
        {"name": "copy", "label": "copy", "weight": 1, "task_options": {}},
        {"name": "shift", "label": "b", "weight": 2, "task_options": {"symbols": "ab"}},
    ]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["copy"], "tasks must name at least two tasks"),
        ([], "tasks must name at least two tasks"),
        (["copy", 3], "tasks, entry 2 must be a task's name or a mapping with the key name, got 3"),
        ([{"task": "copy"}, "reverse"], "entry 1 must be a task's name or a mapping with the key name"),
        ([{"name": "copy", "wieght": 1}, "reverse"], "entry 1 has no key 'wieght'.*did you mean 'weight'"),
        ([{"name": "copy", "weight": 0}, "reverse"], "entry 1: weight must be a positive number, got 0"),
        ([{"name": "copy", "weight": -1}, "reverse"], "weight must be a positive number, got -1"),
        ([{"name": "copy", "weight": "2"}, "reverse"], "weight must be a positive number, got '2'"),
        ([{"name": "copy", "weight": True}, "reverse"], "weight must be a positive number, got True"),
        ([{"name": "copy", "label": 2}, "reverse"], "entry 1: label must be text, got 2"),
        ([{"name": "copy", "task_options": ["base"]}, "reverse"], "task_options must be a mapping"),
        (["copy", "copy"], "tasks has 'copy' twice: give the entries different labels"),
    ],
)
def test_bad_entries_are_told(entries, message):
    with pytest.raises(ValueError, match=message):
        mixed(tasks=entries)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task": "copy"}, "give either task and task_options, or tasks, not both"),
        ({"task_options": {"hard": 0.5}}, "give either task and task_options, or tasks, not both"),
        ({"dataset": "rows"}, "tasks is for fresh rows"),
        ({"relations": "discovered"}, "looks at a single task"),
        ({"position_embedding": "coupling"}, "counts places from <bos>"),
    ],
)
def test_settings_that_do_not_go_together(settings, message):
    with pytest.raises(ValueError, match=message):
        mixed(**settings)


def test_tasks_that_do_not_go_together():
    with pytest.raises(ValueError, match="unknown task 'revers'.*did you mean 'reverse'"):
        model_of(mixed(tasks=["copy", "revers"]))
    with pytest.raises(ValueError, match="no option 'bas'"):
        model_of(mixed(tasks=["copy", {"name": "addition", "task_options": {"bas": 2}}]))
    with pytest.raises(ValueError, match="equally many Scale Hints.*copy 1, tape 2"):
        model_of(mixed(tasks=["copy", "tape"]))
    with pytest.raises(ValueError, match=r"in different ways \(copy '=', addition '\+'\).*set scale_hint to input"):
        model_of(mixed(tasks=["copy", "addition"]))


def test_tasks_that_do_not_go_together_leave_no_folder(tmp_path):
    with pytest.raises(ValueError, match="in different ways"):
        run(mixed(tasks=["copy", "addition"], output_dir=str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_from_yaml_and_from_the_command_line(tmp_path):
    path = tmp_path / "both.yaml"
    path.write_text("tasks: [copy, {name: reverse, weight: 2}]\nn_max: 6\n")
    config = load_training_config(path)
    assert [(entry["label"], entry["weight"]) for entry in config.tasks] == [("copy", 1), ("reverse", 2)]
    typed = load_training_config(path, ["--tasks", "[copy, shift]"])
    assert [entry["name"] for entry in typed.tasks] == ["copy", "shift"]
    assert mixed().label == "copy-reverse/lbpe"
    again = TrainingConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config


def test_a_run_on_one_task_is_one_part():
    config = mixed(tasks=None, task="shift", task_options={"symbols": "abc"})
    (part,), tokenizer = build_parts(config)
    assert part.label is None
    assert (part.task.name, part.tokenizer) == ("shift", tokenizer)
    assert tokenizer.get_vocab() == build_tokenizer(get_task("shift", symbols="abc")).get_vocab()
    assert choose_part(config, tokenizer).task.options == part.task.options


def test_the_model_reads_the_hint_behind_every_mark():
    model, parts, tokenizer = model_of(mixed())
    model.eval()
    for part in parts:
        inputs = part.tokenizer("abca=", return_tensors="pt")
        assert inputs["input_ids"][0, 0] == tokenizer.convert_tokens_to_ids(task_mark(part.label))
        read = model(**inputs).logits
        assert torch.equal(read, model(**inputs, scale_hint=torch.tensor([4])).logits)
        with pytest.raises(ValueError, match="contradicts"):
            model(**inputs, scale_hint=torch.tensor([5]))


def test_tasks_with_other_marks_take_the_hint_as_input():
    config = mixed(tasks=["copy", "addition"], scale_hint="input", steps=4, validate_every=2, validate_lengths=[2])
    model, _, history = train(config, progress=False)
    assert model.config.scale_rule is None
    assert set(history.records[-1]["exact_match"]) == {"copy 2", "addition 2"}
    # Without a hint, numbers of hints may differ.
    model = model_of(mixed(tasks=["copy", "tape"], scale_hint="none", position_embedding="rope"))[0]
    assert model.config.scale_rule is None


def test_it_learns_both_and_tells_them_apart():
    symbols = {"symbols": "abcdef"}  # so that few strings are their own reverse
    config = mixed(
        tasks=[{"name": "copy", "task_options": symbols}, {"name": "reverse", "task_options": symbols}],
        position_embedding="ipe", position_options={"relations": ["j = 0", "i - j = n", "i + j = 2n + 1"]},
        n_min=3, n_max=3, steps=200, batch_size=32, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        learning_rate=1e-2, warmup_steps=10, validate_every=200, validate_lengths=[3],
    )  # fmt: skip
    record = train(config, progress=False).history.records[-1]
    assert min(record["exact_match"]["copy 3"], record["exact_match"]["reverse 3"]) > 0.8
    assert record["task"] in ("copy", "reverse")


def test_solved_is_what_every_task_solves(monkeypatch):
    from types import SimpleNamespace

    from hf_lengthgen.evaluation import lengths

    def scripted(model, tokenizer, task, scales, **options):
        right = {"copy": (1.0, 1.0), "reverse": (1.0, 0.5)}[task.name]
        return [SimpleNamespace(n=n, exact_match=share) for n, share in zip(scales, right, strict=True)]

    monkeypatch.setattr(lengths, "evaluate_lengths", scripted)
    record = train(mixed(steps=2, validate_every=2, validate_lengths=[2, 5]), progress=False).history.records[-1]
    assert record["solved"] == [2]
    assert record["exact_match"] == {"copy 2": 1.0, "copy 5": 1.0, "reverse 2": 1.0, "reverse 5": 0.5}


def test_stopped_anywhere_and_resumed_is_the_same_run(tmp_path):
    class Killed(Exception):
        pass

    def kill(done, model):
        if done in (1, 3, 6):
            raise Killed

    expected = train(mixed(), progress=False)
    config = mixed(output_dir=tmp_path, save_every=1)
    for _ in range(3):
        with pytest.raises(Killed):
            train(config, progress=False, on_step=kill)
    resumed = train(config, progress=False)
    assert_identical(weights(resumed.model), weights(expected.model))
    with pytest.raises(CheckpointError, match="tasks = .* there and .* now"):
        train(mixed(output_dir=tmp_path, tasks=["copy", {"name": "reverse", "weight": 2}]), progress=False)


def test_the_batches_follow_the_weights():
    config = mixed(tasks=[{"name": "copy", "weight": 1e-9}, "reverse"])
    batches = mixed_batches(config, build_parts(config)[0])
    assert {batches.label(step) for step in range(50)} == {"reverse"}


def test_a_result_for_every_task_and_a_card_for_all(tmp_path, capsys):
    tasks = ["copy", {"name": "shift", "label": "turn", "weight": 3, "task_options": {"symbols": "abc"}}]
    config = mixed(tasks=tasks, output_dir=tmp_path, steps=20)
    results = run(config, "lengthgen train --config both.yaml")
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoints", "model", "tasks"}
    saved = load_model(tmp_path / "model")
    for label, result in results.items():
        assert Result.load(tmp_path / "tasks" / label / "result.json") == result
        assert [(score.mode, score.n) for score in result.lengths] == [("generate", [2]), ("teacher", [3])]
        assert "share of the steps: copy 25%, turn 75%" in result.fairness["format"]
        assert result.fairness["extra_knowledge"] == "the scale n, read off the prompt; the task"
        assert told(config, label) in result.format
        losses = [r["loss"] for r in saved.history.records if r["task"] == label]
        assert result.final_loss == (losses[-1] if losses else None)
    assert (results["turn"].task, results["turn"].task_options) == ("shift", {"symbols": "abc"})
    assert results["turn"].name == "copy-turn-lbpe-seed0-turn"
    card = (tmp_path / "model" / "README.md").read_text()
    assert "| turn | shift | 75% | `<turn>` |" in card
    told_lines = capsys.readouterr().err.splitlines()
    assert "copy. One instance of scale 12:" in told_lines
    assert "turn. One instance of scale 12:" in told_lines
    assert told_lines.count("Query i reads key j where") == 1
    # What others load: the text of a prompt says which task it is.
    part = choose_part(saved.config, saved.tokenizer, "turn")
    assert part.tokenizer("ab=").input_ids == saved.tokenizer("<turn>ab=").input_ids
    with pytest.raises(ValueError, match="trained on copy, turn: say which with --task"):
        choose_part(saved.config, saved.tokenizer)
    with pytest.raises(ValueError, match="not trained on a task 'shift'; allowed: copy, turn"):
        choose_part(saved.config, saved.tokenizer, "shift")


def test_what_a_saved_model_is_evaluated_on(tmp_path):
    run(mixed(output_dir=tmp_path / "both"), progress=False)
    folder = tmp_path / "both" / "model"
    _, tokenizer = load_weights(folder)
    part = part_to_evaluate(folder, tokenizer, "reverse")
    assert (part.label, part.task.name, part.tokenizer.bos_token) == ("reverse", "reverse", "<reverse>")
    with pytest.raises(ValueError, match="say which with --task"):
        part_to_evaluate(folder, tokenizer)
    with pytest.raises(ValueError, match="has the options of its tasks; reverse's are {}"):
        part_to_evaluate(folder, tokenizer, "reverse", {"hard": 0.5})
    run(mixed(tasks=None, task="shift", task_options={"symbols": "abc"}, output_dir=tmp_path / "one"), progress=False)
    folder = tmp_path / "one" / "model"
    _, tokenizer = load_weights(folder)
    own, other = part_to_evaluate(folder, tokenizer), part_to_evaluate(folder, tokenizer, "copy", {"symbols": "ab"})
    assert (own.task.name, own.task.options["symbols"], own.tokenizer) == ("shift", "abc", tokenizer)
    assert (other.task.name, other.task.options["symbols"], other.label) == ("copy", "ab", None)


def test_evaluation_is_not_done_again(tmp_path):
    config = mixed(output_dir=tmp_path)
    first = run(config, progress=False)
    before = (tmp_path / "tasks" / "copy" / "lengths.json").stat().st_mtime_ns
    second = run(config, progress=False)
    assert {k: r.lengths for k, r in first.items()} == {k: r.lengths for k, r in second.items()}
    assert (tmp_path / "tasks" / "copy" / "lengths.json").stat().st_mtime_ns == before
    run(mixed(output_dir=tmp_path, resume=False, tasks=["copy", "shift"]), progress=False)
    assert {path.name for path in (tmp_path / "tasks").iterdir()} == {"copy", "shift"}


def test_one_task_first_then_more_and_back(tmp_path):
    """Fine-tuning from a model of one task to one of several, and to one again."""
    run(mixed(tasks=None, task="copy", output_dir=tmp_path / "one"), progress=False)
    old = load_model(tmp_path / "one" / "model")
    config = mixed(init_from=str(tmp_path / "one"), steps=1, learning_rate=1e-12, output_dir=tmp_path / "more")
    more = train(config, progress=False)
    theirs = old.model.get_input_embeddings().weight
    ours = more.model.get_input_embeddings().weight
    for mark in ("<copy>", "<reverse>"):  # the marks start as <bos>, in whose place they stand
        row = more.tokenizer.convert_tokens_to_ids(mark)
        assert torch.allclose(ours[row], theirs[old.tokenizer.bos_token_id], atol=1e-6)
    row = more.tokenizer.convert_tokens_to_ids("a")
    assert torch.allclose(ours[row], theirs[old.tokenizer.convert_tokens_to_ids("a")], atol=1e-6)
    run(config, progress=False)
    theirs = load_model(tmp_path / "more" / "model")
    marks = [theirs.tokenizer.convert_tokens_to_ids(mark) for mark in ("<copy>", "<reverse>")]
    table = theirs.model.get_input_embeddings().weight
    for task, known in (("reverse", marks[1:]), ("shift", marks)):  # its own mark's row, or the mean of all
        back = mixed(tasks=None, task=task, init_from=str(tmp_path / "more"), steps=1, learning_rate=1e-12)
        trained = train(back, progress=False)
        row = trained.model.get_input_embeddings().weight[trained.tokenizer.bos_token_id]
        assert torch.allclose(row, table[known].mean(0), atol=1e-6)
    other = train(
        mixed(tasks=["copy", "shift"], init_from=str(tmp_path / "more"), steps=1, learning_rate=1e-12), progress=False
    )
    ours = other.model.get_input_embeddings().weight
    for mark, known in (("<copy>", marks[:1]), ("<shift>", marks)):
        row = ours[other.tokenizer.convert_tokens_to_ids(mark)]
        assert torch.allclose(row, table[known].mean(0), atol=1e-6)
