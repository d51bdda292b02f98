"""Fine-tuning of a tiny base: only what should changes, settings are checked, LoRA trains beside the additions."""

import json

import numpy as np
import pytest
import torch

from hf_lengthgen import get_task
from hf_lengthgen.retrofit import RetrofitForCausalLM
from hf_lengthgen.retrofit.evaluate import evaluate_text
from hf_lengthgen.retrofit.text import TextCodec
from hf_lengthgen.retrofit.train import RetrofitTraining, build, main, read_settings, train

from .test_text import byte_pairs
from .tiny import SMALL, tiny

QUICK = {"base_model": "x", "steps": 30, "batch_size": 8, "n_max": 3, "warmup_steps": 3, "learning_rate": 5e-3}


def fresh(**changes):
    torch.manual_seed(1)
    settings = RetrofitTraining(**QUICK | {"retrofit": SMALL} | changes)
    settings.validate()
    base = tiny()
    with torch.no_grad():
        base.lm_head.weight.mul_(40)  # a random head, frozen, could not tell tokens apart
    return settings, *build(settings, base, byte_pairs())


def answer_loss(model, codec) -> float:
    """Of fixed rows."""
    rows = codec.rows(codec.task.sample(2, 64, np.random.default_rng(9)))
    with torch.no_grad():
        return float(model.eval()(**{key: torch.from_numpy(array) for key, array in rows.items()}).loss)


@pytest.mark.parametrize("pool", [0, 16])
def test_training_lowers_the_loss_and_leaves_the_base(pool):
    extra = {"pool": 16, "retrofit": SMALL | {"writes": "last"}} if pool else {}
    settings, model, codec = fresh(**extra)
    before = {name: p.clone() for name, p in model.base.named_parameters()}
    start = answer_loss(model, codec)
    history = train(model, codec, settings)
    assert answer_loss(model, codec) < 0.9 * start
    assert all(torch.equal(before[name], p) for name, p in model.base.named_parameters())
    assert [r["step"] for r in history] == [10, 20, 30]


def test_training_is_a_function_of_the_seed():
    runs = []
    for _ in range(2):
        settings, model, codec = fresh(steps=4)
        train(model, codec, settings)
        runs.append(torch.cat([p.detach().flatten() for p in model.additions.parameters()]))
    assert torch.equal(*runs)


def test_teacher_forced_and_generated_exact_match_agree():
    settings, model, codec = fresh(steps=150, n_max=1, batch_size=32, learning_rate=1e-2)
    train(model, codec, settings)
    teacher = evaluate_text(model, codec, [1], examples=40, mode="teacher")
    greedy = evaluate_text(model, codec, [1], examples=40, mode="generate")
    assert [r.correct for r in teacher] == [r.correct for r in greedy] and teacher[0].correct > 0
    with pytest.raises(ValueError, match="mode must be one of generate, teacher"):
        evaluate_text(model, codec, [1], mode="greedy")


def test_the_command_writes_additions_and_a_result(tmp_path, capsys):
    base = tiny()
    base.save_pretrained(tmp_path / "base")
    byte_pairs().save_pretrained(tmp_path / "base")
    (tmp_path / "c.yaml").write_text(
        f"retrofit: {json.dumps(SMALL)}\nsteps: 10\nn_max: 2\nlearning_rate: 1e-3\n"
        "evaluate: [1, 3]\nevaluate_examples: 4\n"
    )
    arguments = ["--config", str(tmp_path / "c.yaml"), "--base_model", str(tmp_path / "base")]
    assert main([*arguments, "--output_dir", str(tmp_path / "out")]) == 0
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert set(result["exact_match"]) == {"1", "3"} and result["settings"]["learning_rate"] == 1e-3
    assert str(tmp_path) not in json.dumps({k: v for k, v in result.items() if k != "command"})
    loaded = RetrofitForCausalLM.from_pretrained(tmp_path / "out", base=base)
    assert loaded.config.open_relations is not None
    assert main(["--base_model", str(tmp_path / "none")]) == 2
    assert main(["--base_model", "x", "--steps", "0"]) == 2
    assert "steps must be at least 1" in capsys.readouterr().err


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
    ],
)
def test_bad_settings(given, message):
    with pytest.raises(ValueError, match=message):
        read_settings(None, given)


def test_lora_trains_beside_the_additions():
    pytest.importorskip("peft")
    settings, model, codec = fresh(lora_rank=2, steps=10)
    moving = {name for name, p in model.named_parameters() if p.requires_grad}
    lora = {name for name in moving if "lora_" in name}
    assert lora and all(".base" in f".{name}" for name in lora)
    assert moving - lora == {name for name, _ in model.named_parameters() if name.startswith("additions.")}
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    train(model, codec, settings)
    changed = {name for name, p in model.named_parameters() if not torch.equal(before[name], p)}
    assert changed <= moving and any("lora_B" in name for name in changed)
    alone, model, codec = fresh(lora_rank=2, additions=False, steps=10)
    assert train(model, codec, alone)[-1]["step"] == 10


def test_without_peft_lora_is_a_clear_error(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ValueError, match="pip install peft"):
        fresh(lora_rank=2)


def test_packaged_recipe_fits_the_settings():
    from pathlib import Path

    folder = Path(__file__).parents[2] / "recipes" / "configs" / "retrofit" / "smollm2"
    files = sorted(folder.glob("*.yaml"))
    assert files
    for file in files:
        read_settings(str(file), {"base_model": "x"})
    assert TextCodec(get_task("addition"), byte_pairs()).style == "plain"
