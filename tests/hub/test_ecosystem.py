"""The model in the libraries of others: Auto classes, pipeline, shards, PEFT, TRL, torch.export, ONNX.

transformers' Trainer is in tests/model/test_modeling_lengthgen.py. PEFT, TRL and ONNX are extras: without them these
tests are skipped (`pip install peft trl onnx onnxscript`).
"""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer, pipeline

from hf_lengthgen import LengthGenConfig, LengthGenForCausalLM, build_tokenizer, get_task, load_dataset
from hf_lengthgen.data.tokenizer import scale_rule_ids
from hf_lengthgen.evaluation.lengths import evaluate_lengths
from hf_lengthgen.hub.export import exportable

PROMPT, SUM = "1885+9702=", "06970"
TASK = get_task("copy")


@pytest.fixture
def adder(model):
    return AutoModelForCausalLM.from_pretrained(model).eval(), AutoTokenizer.from_pretrained(model)


def small(position_embedding="lbpe", scale_hint="prompt"):
    """An untrained model of the copy task, and its tokenizer."""
    tokenizer = build_tokenizer(TASK)
    config = LengthGenConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        position_embedding=position_embedding, scale_hint=scale_hint, scale_rule=scale_rule_ids(TASK, tokenizer),
        unk_token_id=tokenizer.unk_token_id,
    )  # fmt: skip
    return LengthGenForCausalLM(config), tokenizer


def prompts_of(tokenizer, n, rows):
    """Token ids of prompts of the copy task."""
    samples = TASK.sample(n, rows, np.random.default_rng(0))
    return tokenizer(samples.prompt_strings(), return_tensors="pt")["input_ids"]


def same(one, other, text=f"{PROMPT}{SUM}"):
    ids = AutoTokenizer.from_pretrained(one.name_or_path)(text, return_tensors="pt")["input_ids"]
    return torch.equal(one(ids).logits, other(ids).logits)


def test_auto_classes_with_the_package(adder, model, tmp_path):
    """Config, both model classes and tokenizer come back as ours, with the same weights and answers."""
    network, tokenizer = adder
    assert type(network) is LengthGenForCausalLM and type(AutoConfig.from_pretrained(model)) is LengthGenConfig
    network.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert same(network, again) and again.config.to_diff_dict() == network.config.to_diff_dict()
    ids = tokenizer(PROMPT, return_tensors="pt")["input_ids"]
    assert torch.equal(AutoModel.from_pretrained(tmp_path)(ids)[0], network.model(ids)[0])
    back = AutoTokenizer.from_pretrained(tmp_path)
    assert back.get_vocab() == tokenizer.get_vocab() and back(PROMPT) == tokenizer(PROMPT)
    suffixes = {path.suffix for path in tmp_path.iterdir()}
    assert ".safetensors" in suffixes and not suffixes & {".bin", ".pt", ".pkl"}


def test_shards_dtype_and_device_map(adder, model, tmp_path):
    network, _ = adder
    network.save_pretrained(tmp_path, max_shard_size="300KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 3 and not (tmp_path / "model.safetensors").exists()
    assert same(network, AutoModelForCausalLM.from_pretrained(tmp_path))
    mapped = AutoModelForCausalLM.from_pretrained(tmp_path, device_map="cpu")
    assert same(network, mapped) and mapped.device.type == "cpu"
    half = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16} and half.config.dtype == torch.bfloat16
    tokenizer = AutoTokenizer.from_pretrained(model)
    (score,) = evaluate_lengths(half, tokenizer, get_task("addition"), [24], 32)
    assert score.exact_match == 1, "the trained model adds in bfloat16 too"


def test_pipeline_with_the_package(model):
    generator = pipeline("text-generation", model=str(model))
    assert type(generator.model) is LengthGenForCausalLM and generator.tokenizer.padding_side == "left"
    made = generator([PROMPT, "1+2="], max_new_tokens=6, do_sample=False, batch_size=2)
    assert [out[0]["generated_text"] for out in made] == [PROMPT + SUM, "1+2=30"]


STRANGER = """
    import sys, json, torch
    sys.modules["hf_lengthgen"] = None
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer, pipeline
    folder, sharded = sys.argv[1:]
    generator = pipeline("text-generation", model=folder, trust_remote_code=True)
    made = generator(["1885+9702=", "1+2="], max_new_tokens=6, do_sample=False, batch_size=2)
    generator.model.save_pretrained(sharded, max_shard_size="300KB")
    AutoTokenizer.from_pretrained(folder, trust_remote_code=False).save_pretrained(sharded)  # needs no code of ours
    again = pipeline("text-generation", model=sharded, trust_remote_code=True, dtype=torch.bfloat16, device_map="cpu")
    once_more = again("1885+9702=", max_new_tokens=6, do_sample=False)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    base = AutoModel.from_pretrained(folder, trust_remote_code=True)
    print(json.dumps({
        "texts": [out[0]["generated_text"] for out in made] + [once_more[0]["generated_text"]],
        "classes": [type(generator.model).__module__, type(config).__name__, type(base).__name__],
        "dtype": str(again.model.dtype),
    }))
"""


def test_pipeline_and_shards_without_the_package(assembled, tmp_path):
    """In a process that cannot import the package; what it saves is whole again, code included."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(STRANGER), assembled, tmp_path / "sharded"],
        capture_output=True, text=True, env=os.environ | {"HF_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)  # nothing else was said, and nothing asked
    assert told["texts"] == [PROMPT + SUM, "1+2=30", PROMPT + SUM] and told["dtype"] == "torch.bfloat16"
    assert told["classes"][0].startswith("transformers_modules.") and told["classes"][1:] == [
        "LengthGenConfig",
        "LengthGenModel",
    ]


# ---- export


def export_cases(tokenizer):
    """(input ids, hint) of two shapes: the one that is exported, and another one."""
    for prompts, n in ((["12+34=46", "99+12=12"], 2), (["123456+654321=777777"] * 3, 6)):
        yield tokenizer(prompts, return_tensors="pt")["input_ids"], torch.full((len(prompts), 1), n)


def shapes(hint=True):
    batch, length = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("length", min=4, max=4096)
    return {"input_ids": {0: batch, 1: length}} | ({"scale_hint": {0: batch}} if hint else {})


def test_torch_export_of_the_hardened_model_is_equal(adder):
    network, tokenizer = adder
    assert network.sparse
    function = exportable(network)
    first, second = export_cases(tokenizer)
    program = torch.export.export(function, first, dynamic_shapes=shapes()).module()
    for ids, hint in (first, second):
        plain = network(ids).logits
        assert torch.equal(function(ids, hint), plain) and torch.equal(program(ids, hint), plain)
    assert network.config.scale_hint == "prompt", "the model itself is left as it was"


def test_torch_export_of_other_embeddings_is_equal():
    network, tokenizer = small("alibi", "none")
    ids = prompts_of(tokenizer, 4, rows=2)
    program = torch.export.export(exportable(network), (ids,), dynamic_shapes=shapes(hint=False)).module()
    other = prompts_of(tokenizer, 9, rows=3)
    for given in (ids, other):
        torch.testing.assert_close(program(given), network.eval()(given).logits)


def test_onnx_of_the_hardened_model_is_equal(adder, tmp_path):
    onnx = pytest.importorskip("onnx", reason="an extra: make test-extras")
    pytest.importorskip("onnxscript", reason="an extra: make test-extras")
    from onnx.reference import ReferenceEvaluator

    network, tokenizer = adder
    first, second = export_cases(tokenizer)
    program = torch.onnx.export(exportable(network), first, dynamic_shapes=shapes(), dynamo=True, verbose=False)
    program.save(tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(graph)
    run = ReferenceEvaluator(graph)
    for ids, hint in (first, second):
        (logits,) = run.run(None, {"input_ids": ids.numpy(), "scale_hint": hint.numpy()})
        np.testing.assert_allclose(logits, network(ids).logits.detach().numpy(), atol=1e-4)


# ---- training by others


def losses_of(trainer):
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def settings(folder, **more):
    return dict(
        output_dir=str(folder), max_steps=60, per_device_train_batch_size=32, learning_rate=3e-3, report_to=[],
        save_strategy="no", logging_steps=10, use_cpu=True, disable_tqdm=True,
    ) | more  # fmt: skip


def test_peft_trains_saves_merges_and_loads(tmp_path):
    """LoRA on attention, and the position parameters whole: `modules_to_save` takes each of `model.positions`."""
    peft = pytest.importorskip("peft", reason="an extra: make test-extras")
    from transformers import Trainer, TrainingArguments

    from hf_lengthgen.data.collator import TaskCollator

    network, tokenizer = small()
    network.save_pretrained(tmp_path / "base")
    network = LengthGenForCausalLM.from_pretrained(tmp_path / "base")
    positions = [f"positions.{index}" for index in range(len(network.model.positions))]
    config = peft.LoraConfig(
        r=4, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"], modules_to_save=positions, task_type="CAUSAL_LM"
    )
    adapted = peft.get_peft_model(network, config)
    trained = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    assert all("lora_" in name or "modules_to_save" in name for name in trained)
    before = {name: p.detach().clone() for name, p in adapted.named_parameters()}
    rows = load_dataset("copy", rows=256, n_max=4, cache_dir=str(tmp_path / "cache"))
    arguments = TrainingArguments(**settings(tmp_path / "run", learning_rate=2e-2, remove_unused_columns=False))
    losses = losses_of(Trainer(adapted, arguments, train_dataset=rows, data_collator=TaskCollator(tokenizer)))
    assert losses[-1] < losses[0]
    changed = {name for name, p in adapted.named_parameters() if not torch.equal(p, before[name])}
    assert changed <= trained and any("positions" in name for name in changed)

    adapted.save_pretrained(tmp_path / "adapter")
    adapted.eval()
    ids = prompts_of(tokenizer, 4, rows=2)
    wanted = adapted(input_ids=ids).logits
    base = LengthGenForCausalLM.from_pretrained(tmp_path / "base")
    loaded = peft.PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    torch.testing.assert_close(loaded(input_ids=ids).logits, wanted)

    merged = loaded.merge_and_unload()
    assert type(merged) is LengthGenForCausalLM
    merged.save_pretrained(tmp_path / "merged")
    again = LengthGenForCausalLM.from_pretrained(tmp_path / "merged").eval()
    torch.testing.assert_close(again(ids).logits, wanted, atol=1e-5, rtol=1e-4)
    assert again.harden().open_gates() >= 0


def test_trl_trains_it(tmp_path):
    trl = pytest.importorskip("trl", reason="an extra: make test-extras")
    network, tokenizer = small("rope")
    rows = load_dataset("copy", rows=256, n_max=4, cache_dir=str(tmp_path / "cache"))
    rows = rows.select_columns(["prompt", "answer"]).rename_column("answer", "completion")
    arguments = trl.SFTConfig(**settings(tmp_path / "run", max_length=32, bf16=False))
    trainer = trl.SFTTrainer(network, arguments, train_dataset=rows, processing_class=tokenizer)
    batch = next(iter(trainer.get_train_dataloader()))
    row, labels = batch["input_ids"][0], batch["labels"][0]
    supervised = tokenizer.decode(row[labels != -100])
    assert supervised.endswith("<eos>") and "=" not in supervised, "the loss is on the answer and its end"
    losses = losses_of(trainer)
    assert losses[-1] < 0.8 * losses[0]
