from pathlib import Path

import pytest

from hf_lengthgen import get_task
from hf_lengthgen.retrofit.settings import read_settings
from hf_lengthgen.retrofit.text import TextCodec

from .test_text import byte_pairs


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"base_model": "x", "stpes": 3}, "no setting 'stpes'. Did you mean 'steps'"),
        ({}, "base_model is missing"),
        ({"base_model": "x", "learning_rate": "fast"}, "must be a number"),
        ({"base_model": "x", "n_min": 3, "n_max": 2}, "n_max 2 is below n_min 3"),
        ({"base_model": "x", "batch_size": 8, "groups": 3}, "must divide"),
        ({"base_model": "x", "pool": 4, "freeze": False}, "needs additions on a frozen base"),
        ({"base_model": "x", "additions": False}, "nothing would train"),
        ({"base_model": "x", "mixed_precision": "bf61"}, "must be one of no, bf16, not 'bf61'. Did you mean 'bf16'"),
        ({"base_model": "x", "additions": False, "start_from": "y"}, "start_from is a folder of additions"),
        ({"base_model": "x", "evaluate": [6, 0]}, "evaluate must hold lengths of at least 1, not 0"),
        ({"base_model": "x", "evaluate": [[3, 4]]}, r"evaluate must be a whole number, got \[3, 4\]"),
        ({"base_model": "x", "evaluate": "all"}, "evaluate must be a list, got 'all'"),
        ({"base_model": "x", "evaluate": True}, "evaluate must be a list, got True"),
        ({"base_model": "x", "evaluate_mode": "generat"}, "one of generate, teacher, not 'generat'. Did you mean 'gen"),
        ({"base_model": "x", "evaluate_batch": 0}, "evaluate_batch must be at least 1, not 0"),
        ({"base_model": "x", "evaluate_batch": 2.5}, "evaluate_batch must be a whole number, got 2.5"),
        ({"base_model": "x", "template": "caht"}, "template must be one of plain, chat, not 'caht'. Did you mean 'ch"),
        ({"base_model": "x", "settle": 80}, "settle must be from 0 to 1, not 80"),
        ({"base_model": "x", "settle": [0.8]}, "settle must be a number"),
        ({"base_model": "x", "pool": -1}, "pool must be at least 0"),
        ({"base_model": "x", "output_dir": 5}, "output_dir must be text, got 5"),
    ],
)
def test_bad_settings(given, message):
    with pytest.raises(ValueError, match=message):
        read_settings(None, given)


def test_values_as_yaml_and_people_write_them():
    given = {"base_model": "x", "evaluate": 3, "learning_rate": "1e-3", "steps": "20", "mixed_precision": False}
    settings = read_settings(None, given)
    assert (settings.evaluate, settings.learning_rate, settings.steps) == ([3], 1e-3, 20)
    assert settings.mixed_precision == "no"  # which plain YAML reads as False
    assert read_settings(None, {"base_model": "x", "evaluate": ["6", 12]}).evaluate == [6, 12]


def test_packaged_recipe_fits_the_settings():
    folder = Path(__file__).parents[2] / "recipes" / "configs" / "retrofit" / "smollm2"
    files = sorted(folder.glob("*.yaml"))
    assert files
    for file in files:
        read_settings(str(file), {"base_model": "x"})
    assert TextCodec(get_task("addition"), byte_pairs()).style == "plain"
