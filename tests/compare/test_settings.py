import dataclasses

from hf_lengthgen.compare.settings import deciding, difference, digest
from hf_lengthgen.training.arguments import TrainingConfig

CONFIG = TrainingConfig(eval_lengths=[10, (30, 100)], position_options={"window": 3})


def test_what_only_says_where_and_how_often_is_free():
    other = dataclasses.replace(CONFIG, output_dir="x", name="y", threads=3, resume=False, save_every=7)
    assert deciding(other) == deciding(CONFIG)
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
