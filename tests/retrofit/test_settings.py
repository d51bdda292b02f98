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
        ({"base_model": "x", "mixed_precision": False}, "must be one of no, bf16, not False"),
        ({"base_model": "x", "additions": False, "start_from": "y"}, "start_from is a folder of additions"),
    ],
)
def test_bad_settings(given, message):
    with pytest.raises(ValueError, match=message):
        read_settings(None, given)


def test_packaged_recipe_fits_the_settings():
    folder = Path(__file__).parents[2] / "recipes" / "configs" / "retrofit" / "smollm2"
    files = sorted(folder.glob("*.yaml"))
    assert files
    for file in files:
        read_settings(str(file), {"base_model": "x"})
    assert TextCodec(get_task("addition"), byte_pairs()).style == "plain"
