"""Configurations that cannot work are refused before anything is built."""

import pytest

from hf_lengthgen.retrofit import RetrofitConfig

from .tiny import CONFIGS


@pytest.mark.parametrize("kind", ("table", "mlp"))
def test_a_bias_is_made_of_linear_relations(kind):
    given = {"base_config": CONFIGS["llama"](), "position_options": {"parametrisation": kind}}
    assert RetrofitConfig(**given).mode == "adapter"
    with pytest.raises(ValueError, match=f"mode='bias' needs parametrisation='linear', not '{kind}'"):
        RetrofitConfig(mode="bias", **given)
