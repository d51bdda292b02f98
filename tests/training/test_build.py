import pytest
import torch

from hf_lengthgen.data.tokenizer import build_tokenizer
from hf_lengthgen.training.build import build_batches, keyed_seed

from .tiny import assert_identical, build_model, build_task, tiny, weights


def build(**settings):
    config = tiny(**settings)
    return build_model(config)


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


def test_the_lengths_reach_the_data():
    config = tiny(curriculum={0: 1, 3: 4}, groups=8)
    task = build_task(config)
    batches = build_batches(config, task, build_tokenizer(task))
    drawn = [batches.batch(step)["scale_hint"] for step in range(20)]
    assert all((hints == 1).all() for hints in drawn[:3])
    assert max(int(hints.max()) for hints in drawn[3:]) == 4


def test_long_examples_for_priming():
    config = tiny(priming_share=0.5, priming_n=[30, 40], groups=8)
    task = build_task(config)
    batches = build_batches(config, task, build_tokenizer(task))
    hints = torch.cat([batches.batch(step)["scale_hint"] for step in range(30)])
    long = hints[hints > 4]
    assert 0.3 < len(long) / len(hints) < 0.7
    assert (long.min() >= 30) and (long.max() <= 40)


def test_lengths_that_do_not_fit_are_told():
    config = tiny(length_weights={9: 1.0})
    task = build_task(config)
    with pytest.raises(ValueError, match="length_weights has n = 9, outside 1 to 4"):
        build_batches(config, task, build_tokenizer(task))


def test_inference_options_reach_the_model():
    config = tiny(attention_temperature="log_length", temperature_length=20, logit_scale=1.5)
    made = build_model(config).config
    assert (made.attention_temperature, made.temperature_length, made.logit_scale) == ("log_length", 20, 1.5)


def test_discovered_relations_are_all_that_lbpe_may_use():
    config = tiny(task="reverse", n_max=8, relations="discovered")
    made = build_model(config)
    whole = build_model(tiny(task="reverse", n_max=8))
    few, all_of_them = (
        {str(relation) for relation in model.position_modules()[0].dictionary.relations} for model in (made, whole)
    )
    assert "i + j = 2n + 1" in few
    assert len(few) < len(all_of_them) / 4


def test_nothing_discovered_is_told():
    config = tiny(task="parity", task_options={"cot": False}, n_max=8, relations="discovered")
    with pytest.raises(ValueError, match="discovery found no relations"):
        build_model(config)
    with pytest.raises(ValueError, match="relations='discovered' is for lbpe, not for 'rope'"):
        tiny(position_embedding="rope", relations="discovered")
