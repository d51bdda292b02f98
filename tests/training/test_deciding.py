import dataclasses

from hf_lengthgen.training.arguments import TrainingConfig
from hf_lengthgen.training.deciding import deciding, difference, digest

CONFIG = TrainingConfig(eval_lengths=[10, (30, 100)], position_options={"window": 3})


def test_what_only_says_where_and_how_often_is_free():
    other = dataclasses.replace(CONFIG, output_dir="x", name="y", threads=3, resume=False, save_every=7)
    other = dataclasses.replace(other, tracker="trackio", gradient_checkpointing=True, validate_every=9)
    assert deciding(other) == deciding(CONFIG) and deciding(other, "weights") == deciding(CONFIG, "weights")
    for key, value in {"seed": 1, "steps": 3, "eval_examples": 7, "position_options": {}}.items():
        changed = deciding(dataclasses.replace(CONFIG, **{key: value}))
        assert digest(changed) != digest(deciding(CONFIG))
        assert difference(deciding(CONFIG), changed) == f"{key} was {getattr(CONFIG, key)!r} and is {value!r}"


def test_the_digest_does_not_depend_on_the_order():
    settings = deciding(CONFIG)
    assert digest(dict(reversed(settings.items()))) == digest(settings)
    assert settings["eval_lengths"] == [10, [30, 100]]  # as JSON gives it back


def test_a_setting_that_came_later_counts_as_its_default():
    settings = deciding(CONFIG)
    older = {key: value for key, value in settings.items() if key != "weight_decay"}
    assert difference(older, settings) is None
    assert difference(older, settings | {"weight_decay": 0.5}) == "weight_decay was 0.01 and is 0.5"
    assert difference(settings | {"gone": 3}, settings) == "gone was 3 and is None"


def test_scores_are_decided_by_more_than_the_weights_are():
    only = deciding(CONFIG).keys() - deciding(CONFIG, "weights").keys()
    assert only == {
        *("eval_lengths", "eval_examples", "eval_seed", "eval_hard"),
        *("long_lengths", "long_examples", "stop_at_zero"),
    }
    assert deciding(CONFIG, "weights").keys() < deciding(CONFIG).keys()


def test_with_early_stopping_the_validations_decide():
    stopping = dataclasses.replace(CONFIG, early_stopping=2)
    for key, value in {"validate_every": 9, "validate_lengths": [3], "eval_seed": 5, "eval_hard": 0.5}.items():
        assert deciding(dataclasses.replace(stopping, **{key: value}), "weights") != deciding(stopping, "weights")
    assert difference(deciding(CONFIG), deciding(stopping)) == "early_stopping was 0 and is 2"


def test_what_a_result_holds_of_free_settings_does_not_count():
    """Results of versions in which the tracker counted."""
    assert difference(deciding(CONFIG) | {"tracker": "none", "validate_every": 9}, deciding(CONFIG)) is None
