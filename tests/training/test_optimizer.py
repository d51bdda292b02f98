import pytest

from hf_lengthgen.training.optimizer import build_optimizer, set_learning_rate

from .tiny import build_model, tiny


def build(**settings):
    config = tiny(**settings)
    model = build_model(config)
    return model, build_optimizer(model, config)


@pytest.mark.parametrize("embedding", ["lbpe", "t5", "rope"])
def test_every_parameter_is_in_exactly_one_group(embedding):
    model, optimizer = build(position_embedding=embedding)
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())


def test_what_decays_and_how_fast_each_learns():
    model, optimizer = build(weight_decay=0.1, learning_rate=0.5, gate_learning_rate=0.25)
    group_of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    gates = {id(p) for p in model.gate_parameters()}
    assert gates
    for name, parameter in model.named_parameters():
        group = group_of[id(parameter)]
        if id(parameter) in gates:
            expected = (0.0, 0.25)
        elif "norm" in name or "bias" in name.rsplit(".", 1)[-1]:
            expected = (0.0, 0.5)
        else:
            expected = (0.1, 0.5)
        assert (group["weight_decay"], group["peak"]) == expected, name


def test_betas():
    _, optimizer = build(adam_beta1=0.8, adam_beta2=0.9)
    assert {group["betas"] for group in optimizer.param_groups} == {(0.8, 0.9)}


def test_learning_rates_follow_the_factor():
    _, optimizer = build(learning_rate=0.5, gate_learning_rate=0.25)
    set_learning_rate(optimizer, 0.1)
    assert {group["lr"] for group in optimizer.param_groups} == {0.05, 0.025}
    set_learning_rate(optimizer, 1.0)  # not compounded
    assert {group["lr"] for group in optimizer.param_groups} == {0.5, 0.25}
