import pytest
import torch

from hf_lengthgen.data.tokenizer import build_tokenizer
from hf_lengthgen.training.build import build_model, build_task, keyed_seed

from .tiny import assert_identical, tiny, weights


def build(**settings):
    config = tiny(**settings)
    task = build_task(config)
    return build_model(config, task, build_tokenizer(task))


def test_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    one = build(seed=5)
    torch.manual_seed(2)
    assert_identical(weights(one), weights(build(seed=5)))
    assert not torch.equal(one.lm_head.weight, build(seed=6).lm_head.weight)


def test_the_callers_generator_is_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    build()
    assert torch.equal(torch.rand(4), expected)


def test_sizes_and_scale_rule_reach_the_model():
    model = build(task="addition", task_options={"widths": "unequal"}, num_hidden_layers=3, hidden_size=20)
    assert (model.config.num_hidden_layers, model.config.hidden_size) == (3, 20)
    assert model.config.num_scale_hints == len(model.config.scale_rule) == 2
    assert model.config.scale_hint == "prompt"


def test_bad_names_and_options_are_told():
    with pytest.raises(ValueError, match="copy"):
        build(task="coppy")
    with pytest.raises(ValueError, match="window"):
        build(position_options={"windo": 3})
    with pytest.raises(ValueError, match="rope"):
        build(position_embedding="roppe")


def test_keyed_seeds_differ_and_fit():
    seeds = {keyed_seed(seed, "step", step, rank) for seed in range(5) for step in range(100) for rank in range(2)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert keyed_seed(1, 23) != keyed_seed(12, 3)
