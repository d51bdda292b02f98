import dataclasses
import json

import pytest

from hf_lengthgen.training.arguments import TrainingConfig, find_config, load_training_config, parse_overrides


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "own.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_defaults_are_the_measured_settings():
    config = TrainingConfig()
    config.validate()
    sizes = (config.num_hidden_layers, config.num_attention_heads, config.hidden_size, config.batch_size)
    assert sizes == (2, 4, 128, 128)
    assert (config.n_min, config.n_max, config.steps, config.warmup_steps) == (1, 12, 1500, 100)
    assert (config.learning_rate, config.gate_learning_rate, config.weight_decay) == (1e-3, 2e-2, 0.01)
    assert (config.adam_beta1, config.adam_beta2, config.clip) == (0.9, 0.98, 1.0)
    assert (config.penalty, config.penalty_warmup, config.final_learning_rate_ratio) == (0.003, 0.5, 0.02)


def test_every_setting_says_what_it_is():
    assert all(len(field.metadata["help"]) > 5 for field in dataclasses.fields(TrainingConfig))


def test_mutable_defaults_are_not_shared():
    TrainingConfig().position_options["window"] = 9
    TrainingConfig().eval_lengths.append(1)
    assert TrainingConfig().position_options == {}
    assert 1 not in TrainingConfig().eval_lengths


def test_file_over_defaults_and_command_line_over_file(write):
    path = write("task: copy\nlearning_rate: 1e-2\nposition_options: {window: 1, segments: [0]}\n")
    config = load_training_config(path, ["--learning_rate", "5e-4", "--position_options.window", "3"])
    assert (config.task, config.learning_rate, config.steps) == ("copy", 5e-4, 1500)
    assert config.position_options == {"window": 3, "segments": [0]}


def test_names(write):
    path = write("task: copy\n")
    assert load_training_config(path).label == f"{path.parent.name}/own"
    assert load_training_config(path, ["--name", "mine"]).label == "mine"
    assert load_training_config("addition/lbpe").label == "addition/lbpe"
    assert load_training_config("addition/lbpe", ["--seed", "3"]).run_name == "addition-lbpe-seed3"
    assert TrainingConfig(task="copy", position_embedding="rope").label == "copy/rope"


def test_packaged_name_with_or_without_suffix():
    assert find_config("addition/lbpe") == find_config("addition/lbpe.yaml")


def test_the_forms_of_an_override():
    words = [
        "--seed=3",
        "--output-dir",
        "3",
        "--eval_lengths",
        "10",
        "30x100",
        "--long_lengths",
        "[5, [6, 7]]",
    ]
    words += [
        "--resume",
        "false",
        "--task_options",
        "{base: 2}",
        "--task_options.widths",
        "unequal",
        "--stop_at_zero",
    ]
    config = load_training_config(None, words)
    assert (config.seed, config.output_dir, config.resume, config.stop_at_zero) == (3, "3", False, True)
    assert (config.eval_lengths, config.long_lengths) == ([10, (30, 100)], [5, (6, 7)])
    assert config.task_options == {"base": 2, "widths": "unequal"}


def test_an_empty_list_of_lengths():
    assert load_training_config(None, ["--long_lengths"]).long_lengths == []


def test_several_words_for_an_option_make_a_list():
    config = load_training_config(None, ["--position_options.segments", "0", "1"])
    assert config.position_options == {"segments": [0, 1]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sead", "3"], "unknown setting 'sead'; did you mean 'seed'"),
        (["--position_option.window", "3"], "did you mean 'position_options'"),
        (["--seed", "3", "--seed", "4"], "--seed is given twice"),
        (["--seed"], "--seed needs a value"),
        (["--seed", "3", "4"], "--seed takes one value, got '3 4'"),
        (["--seed", "x"], "--seed must be a whole number, got 'x'"),
        (["--seed.inner", "1"], "seed has no options of its own"),
        (["--task_options.", "1"], "an option's name is missing"),
        (["3"], "Unexpected argument '3'"),
        (["--steps", "0"], "steps must be at least 1, got 0"),
        (["--scale_hint", "promt"], "scale_hint must be one of none, input, prompt, got 'promt'"),
        (["--n_min", "13"], "n_max must be at least n_min = 13, got 12"),
        (["--groups", "3"], "groups must be a divisor of batch_size = 128, got 3"),
        (["--hidden_size", "130"], "num_attention_heads must be a divisor of hidden_size = 130"),
        (["--adam_beta2", "1"], r"adam_beta2 must be in \[0, 1\), got 1.0"),
        (["--eval_lengths", "0"], "eval_lengths must be a list of scales, each at least 1"),
        (["--threads", "0"], "threads must be at least 1, or null"),
        (["--seed", "["], "--seed: not valid YAML"),
    ],
)
def test_bad_overrides(words, message):
    with pytest.raises(ValueError, match=message) as error:
        load_training_config(None, words)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lerning_rate: 1", "own.yaml: unknown setting 'lerning_rate'; did you mean 'learning_rate'"),
        ("zzz: 1", "own.yaml: unknown setting 'zzz'; the settings are task, "),
        ("learning_rate: fast", "own.yaml: learning_rate must be a number, got 'fast'"),
        ("steps: 1.5", "own.yaml: steps must be a whole number, got 1.5"),
        ("task: 3", "own.yaml: task must be text, got 3"),
        ("steps: 0", "own.yaml: steps must be at least 1, got 0"),
        ("[1, 2]", "own.yaml: a config is a mapping of settings to values, got list"),
        ("3: 4", "own.yaml: unknown setting '3'"),
        ("a: [", "own.yaml: not valid YAML"),
    ],
)
def test_bad_files_are_named(write, text, message):
    with pytest.raises(ValueError, match=message) as error:
        load_training_config(write(text))
    assert "\n" not in str(error.value)


def test_a_wrong_type_in_the_file_is_told_even_if_overridden(write):
    with pytest.raises(ValueError, match="own.yaml: steps must be a whole number"):
        load_training_config(write("steps: many"), ["--steps", "5"])


def test_an_override_may_mend_a_range(write):
    assert load_training_config(write("n_min: 20"), ["--n_max", "30"]).n_max == 30


def test_binary_and_missing_files(tmp_path):
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a text file"):
        load_training_config(tmp_path / "b.yaml")
    with pytest.raises(FileNotFoundError, match="did you mean 'addition/lbpe'"):
        load_training_config("additon/lbpe")


def test_an_empty_file_means_defaults(write):
    assert dataclasses.replace(load_training_config(write("")), name=None) == TrainingConfig()


def test_round_trip_through_json():
    config = load_training_config("addition_unequal/lbpe", ["--seed", "4"])
    assert TrainingConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_dashes_count_as_underscores():
    assert parse_overrides(["--batch-size", "4"]) == {"batch_size": ["4"]}


def test_lengths_in_file_and_on_the_command_line(write):
    path = write("curriculum: {0: 4, 500: 12}\nlength_weights: {11: 1, 12: 0.5}\nn_min: 1\n")
    config = load_training_config(path, ["--curriculum.100", "6", "--priming_n", "[30]", "--priming_share", "0.1"])
    assert config.lengths == {
        "n_min": 1,
        "n_max": 12,
        "length_weights": {11: 1.0, 12: 0.5},
        "curriculum": {0: 4, 500: 12, 100: 6},
        "priming_share": 0.1,
        "priming_n": 30,
    }
    assert TrainingConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tracker", "tensorbord"], "tracker must be one of .*, got 'tensorbord'; did you mean 'tensorboard'"),
        (
            ["--mixed_precision", "bf17"],
            "mixed_precision must be one of no, bf16, fp16, got 'bf17'; did you mean 'bf",
        ),
        (["--early_stopping", "2", "--validate_every", "0"], "early_stopping needs validations"),
        (["--eval_hard", "1.5"], "eval_hard must be from 0 to 1, or null"),
        (["--dataset", "rows", "--priming_share", "0.5"], "priming_share is for fresh rows"),
        (["--curriculum.x", "3"], "--curriculum, key 'x' must be a whole number"),
        (["--gradient_accumulation_steps", "0"], "gradient_accumulation_steps must be at least 1"),
    ],
)
def test_bad_values_of_optional_parts(words, message):
    with pytest.raises(ValueError, match=message):
        load_training_config(None, words)
