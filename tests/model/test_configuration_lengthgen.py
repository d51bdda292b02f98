"""The configuration refuses what it does not know and what contradicts itself."""

import json

import pytest
from huggingface_hub.errors import StrictDataclassError

from hf_lengthgen import LengthGenConfig

from .cases import CASES


@pytest.mark.parametrize("case", CASES, ids=str)
def test_round_trip(case, tmp_path):
    config = case.config()
    config.save_pretrained(tmp_path)
    loaded = LengthGenConfig.from_pretrained(tmp_path)
    ours, theirs = config.to_dict(), loaded.to_dict()
    assert json.dumps(ours, default=str, sort_keys=True) == json.dumps(theirs, default=str, sort_keys=True)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"hiden_size": 64}, "no key 'hiden_size'. Did you mean 'hidden_size'"),
        ({"top_k": 5}, "no key 'top_k'"),
        ({"hidden_size": 30}, "not a multiple"),
        ({"num_hidden_layers": 0}, "num_hidden_layers must be at least 1"),
        ({"position_embedding": "lbep"}, "Did you mean 'lbpe'"),
        ({"position_embedding": "rope", "position_options": {"thetta": 2.0}}, "Did you mean 'theta'"),
        ({"position_embedding": "none", "position_options": {"window": 2}}, "it has no options"),
        ({"scale_hint": "yes"}, "scale_hint must be one of none, input, prompt"),
        ({"scale_hint": "prompt"}, "needs scale_rule"),
        ({"scale_hint": "prompt", "scale_rule": [[1, 2], [2, 3]]}, "2 entries for 1"),
        ({"scale_hint": "prompt", "scale_rule": [[1, None]]}, "is not"),
        ({"position_embedding": "learned", "scale_hint": "input"}, "does not use a Scale Hint"),
        ({"position_embedding": "rope", "open_relations": [[], []]}, "has no gates"),
        ({"attention_temperature": "log"}, "attention_temperature must be one of none, log_length, not 'log'"),
        ({"attention_temperature": "log_length"}, "needs temperature_length >= 2, not None"),
        ({"attention_temperature": "log_length", "temperature_length": 1}, "needs temperature_length >= 2, not 1"),
        ({"temperature_length": 12}, "temperature_length is given, but attention_temperature is 'none'"),
        ({"logit_scale": 0}, "logit_scale must be positive, not 0"),
        ({"open_relations": [[[], [], [], []]]}, "1 layers, the model 2"),
    ],
)
def test_bad_values(values, word):
    with pytest.raises(ValueError) as error:
        LengthGenConfig(**values)
    assert word in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("values", [{"hidden_size": "wide"}, {"position_options": 3}, {"scale_rule": "n"}])
def test_wrong_types_are_refused(values):
    with pytest.raises(StrictDataclassError, match=next(iter(values))):
        LengthGenConfig(**values)


def test_a_contradiction_made_later_is_refused_at_save(tmp_path):
    config = LengthGenConfig(position_embedding="rope")
    config.position_options = {"window": 3}
    with pytest.raises(StrictDataclassError, match="no option 'window'"):
        config.save_pretrained(tmp_path)


def test_floats_may_be_written_as_integers():
    assert LengthGenConfig(embedding_initializer_range=1).embedding_initializer_range == 1


def test_loading_a_file_with_an_unknown_key_names_it(tmp_path):
    LengthGenConfig().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_layers": 3}))
    with pytest.raises(ValueError, match="no key 'num_layers'. Did you mean 'num_hidden_layers'"):
        LengthGenConfig.from_pretrained(tmp_path)
