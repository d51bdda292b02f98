import copy

import pytest
import torch
from accelerate import DistributedType

from hf_lengthgen.training.loop import make_accelerator
from hf_lengthgen.training.optimizer import build_optimizer
from hf_lengthgen.training.sharding import Whole, WholeOfShards, check_engine, gathered, shard_on_cpu

from .tiny import assert_identical, build_model, tiny, weights


def made():
    config = tiny()
    model = build_model(config)
    return config, model, build_optimizer(model, config)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, "DeepSpeed is not supported: .*fsdp2.yaml"),
        ({"ACCELERATE_USE_MEGATRON_LM": "true"}, "Megatron-LM is not supported"),
        ({"ACCELERATE_USE_FSDP": "true"}, "FSDP is supported in its version 2"),
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "1"}, "FSDP is supported in its version 2"),
    ],
)
def test_other_engines_are_told(monkeypatch, environment, message):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=message):
        make_accelerator(tiny())


def test_what_works_is_let_through(monkeypatch):
    check_engine()
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "false")
    check_engine()
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_VERSION", "2")
    check_engine()


def test_a_single_process_is_not_sharded(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_VERSION", "2")
    accelerator = make_accelerator(tiny())
    shard_on_cpu(accelerator)
    assert accelerator.distributed_type == DistributedType.NO


def test_without_shards_the_model_is_the_one_that_is_trained():
    _, model, optimizer = made()
    whole = Whole(model, optimizer)
    assert whole.live is whole.model is model
    before = weights(model)
    for act in (lambda: whole.pull(1), whole.push, whole.pull_optimizer, whole.push_optimizer, whole.release_optimizer):
        act()
    assert_identical(weights(model), before)
    assert gathered(model.lm_head.weight) is model.lm_head.weight


def step(model, optimizer):
    sum(parameter.square().sum() for parameter in model.parameters()).backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("main", [True, False])
def test_the_copy_follows_training_and_training_the_copy(main):
    """Of tensors that are whole; test_loop trains with real shards in two processes."""
    config, model, optimizer = made()
    step(model, optimizer)
    restored = copy.deepcopy(optimizer.state_dict())
    whole = WholeOfShards(model, optimizer, config, main)
    whole.push_optimizer()  # as after a checkpoint was restored
    assert not optimizer.state
    for number, slots in whole.live_optimizer.state_dict()["state"].items():
        for slot, value in slots.items():
            assert torch.equal(value, restored["state"][number][slot])
    before = weights(model)
    step(whole.live, whole.live_optimizer)
    assert_identical(weights(model), before)
    whole.pull(1)
    assert_identical(weights(model), weights(whole.live))
    step(whole.live, whole.live_optimizer)
    whole.pull(1)  # already done
    assert not torch.equal(model.lm_head.weight, whole.live.lm_head.weight)
    whole.pull(2)
    model.settle()
    whole.push()
    assert_identical(weights(model), weights(whole.live))
    whole.pull_optimizer()
    assert bool(optimizer.state) == main
    if main:
        live = whole.live_optimizer.state_dict()["state"]
        assert all(torch.equal(optimizer.state_dict()["state"][n][s], live[n][s]) for n in live for s in live[n])
    whole.release_optimizer()
    assert not optimizer.state
