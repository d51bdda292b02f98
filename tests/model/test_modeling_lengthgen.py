"""The model as a transformers model: loss, pipeline, bad input, broken files."""

import json

import accelerate
import pytest
import torch
from transformers import AutoModelForCausalLM, DynamicCache, pipeline

from hf_lengthgen import LengthGenForCausalLM, ScaleHintError, build_tokenizer, get_task
from hf_lengthgen.data.tokenizer import scale_rule_ids

from .cases import BOS, Case, left_padded


def test_loss_is_the_mean_cross_entropy_of_the_next_token():
    model, ids = Case("rope").model(), Case("rope").prompts()
    labels = ids.clone()
    labels[:, :5] = -100
    out = model(ids, labels=labels)
    log_probs = out.logits[:, :-1].log_softmax(-1)
    picked = [-log_probs[b, t - 1, ids[b, t]] for b in range(3) for t in range(5, 12)]
    torch.testing.assert_close(out.loss, torch.stack(picked).mean())


def test_logits_to_keep():
    model, ids = Case("rope").model(), Case("rope").prompts()
    torch.testing.assert_close(model(ids, logits_to_keep=2).logits, model(ids).logits[:, -2:])


def test_returns_a_tuple_on_request():
    model, ids = Case("rope").model(), Case("rope").prompts()
    assert torch.equal(model(ids, return_dict=False)[0], model(ids).logits)


@pytest.mark.parametrize("name", ["past_key_values", "cache"])  # what transformers calls it before and from 5.24
def test_a_cache_is_taken_under_both_names(name):
    model = Case("rope").model()
    ids = torch.randint(BOS + 1, model.config.vocab_size, (2, 6))
    full = model(ids).logits
    filled = DynamicCache(config=model.config)
    model(ids[:, :4], use_cache=True, **{name: filled})
    assert filled.get_seq_length() == 4
    assert torch.allclose(model(ids[:, 4:], use_cache=True, **{name: filled}).logits, full[:, 4:], atol=1e-5)


def test_embeddings_and_linear_layers_start_with_their_own_deviation():
    """Normal around 0; four standard errors are allowed."""
    model = LengthGenForCausalLM(Case("rope").config(embedding_initializer_range=0.3, initializer_range=0.05))
    for weight, std in ((model.model.embed_tokens.weight, 0.3), (model.lm_head.weight, 0.05)):
        assert weight.mean().item() == pytest.approx(0, abs=4 * std / weight.numel() ** 0.5)
        assert weight.std().item() == pytest.approx(std, rel=4 / (2 * weight.numel()) ** 0.5)


def test_tied_embeddings(tmp_path):
    model = Case("rope").model(tie_word_embeddings=True)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = Case("rope").prompts()
    assert torch.equal(loaded(ids).logits, model(ids).logits)


def test_pipeline_reads_the_scale_from_text(tmp_path):
    task = get_task("addition")
    tokenizer = build_tokenizer(task)
    config = Case("lbpe", scale_hint="prompt", harden=True).config(
        vocab_size=len(tokenizer), scale_rule=scale_rule_ids(task, tokenizer), unk_token_id=tokenizer.unk_token_id
    )
    model = LengthGenForCausalLM(config).eval()
    generator = pipeline("text-generation", model=model, tokenizer=tokenizer)
    options = dict(max_new_tokens=5, do_sample=False, return_full_text=True)
    prompts = ["12+34=", "123+456="]
    batched = generator(prompts, batch_size=2, **options)
    for prompt, out in zip(prompts, batched, strict=True):
        inputs = tokenizer(prompt, return_tensors="pt")
        ids = model.generate(**inputs, max_new_tokens=5, do_sample=False)
        assert out[0]["generated_text"] == tokenizer.decode(ids[0], skip_special_tokens=True)
    with pytest.raises(ValueError, match="contradicts"):
        generator("12+34=", scale_hint=torch.tensor([3]), **options)
    with pytest.raises(ValueError, match="character that the tokenizer does not know"):
        generator("12+x4=", **options)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({}, "exactly one of"),
        ({"input_ids": torch.tensor([[1, 20]])}, "token id 20 is outside the vocabulary of 20"),
        ({"input_ids": torch.tensor([[1, -1]])}, "token id -1"),
        ({"input_ids": torch.tensor([[1, 3]])}, "does not know, at token 1"),
        ({"input_ids": torch.tensor([[1, 5, 5]]), "attention_mask": torch.tensor([[1, 0, 1]])}, "has holes"),
        ({"input_ids": torch.tensor([[1, 5, 5]]), "attention_mask": torch.tensor([[1, 1]])}, "covers 2 tokens"),
        (
            {
                "input_ids": torch.tensor([[1, 5, 5]]),
                "attention_mask": torch.tensor([[1, 1, 1]]),
                "position_ids": torch.tensor([[0, 1, 5]]),
            },
            "must count 0, 1, 2",
        ),
        ({"input_ids": torch.tensor([[1, 5, 5]]), "position_ids": torch.tensor([[5, 6, 7]])}, "must count 0, 1, 2"),
        (  # two sequences packed into one row
            {"input_ids": torch.tensor([[1, 5, 5, 1, 5, 5]]), "position_ids": torch.tensor([[0, 1, 2, 0, 1, 2]])},
            "must count 0, 1, 2",
        ),
        (
            {"input_ids": torch.tensor([[1, 5]]), "attention_mask": torch.tensor([[[[0.0, -0.5], [0.0, 0.0]]]])},
            "holds 0 and -inf",
        ),
    ],
)
def test_bad_input(arguments, word):
    model = Case("rope").model(unk_token_id=3)
    with pytest.raises(ValueError, match=word) as error:
        model(**arguments)
    assert "\n" not in str(error.value)


def test_positions_may_stand_in_for_the_mask():
    """`generate` drops an all-ones mask and hands on positions; left padding is then read from them."""
    model = Case("alibi").model()
    ids, mask = left_padded([Case("alibi").prompts()[0], Case("alibi").prompts()[1, :9]])
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    real = mask.bool()
    torch.testing.assert_close(
        model(ids, position_ids=positions).logits[real], model(ids, attention_mask=mask).logits[real]
    )


def test_corrupted_weights_are_a_clear_error(tmp_path):
    model = Case("rope").model()
    model.save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(Exception, match="(?i)safetensors|header|incomplete|buffer"):
        AutoModelForCausalLM.from_pretrained(tmp_path)


def test_a_config_from_another_model_is_refused(tmp_path):
    Case("rope").model().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"position_embedding": "rop"}))
    with pytest.raises(ValueError, match="unknown position embedding 'rop'. Did you mean 'rope'"):
        AutoModelForCausalLM.from_pretrained(tmp_path)


def test_trainer_trains_it(tmp_path):
    """transformers' own Trainer, on rows of the dataset builder."""
    from transformers import Trainer, TrainingArguments

    from hf_lengthgen import load_dataset
    from hf_lengthgen.data.collator import TaskCollator

    task = get_task("copy")
    tokenizer = build_tokenizer(task)
    rows = load_dataset("copy", rows=256, n_max=4, cache_dir=str(tmp_path / "cache"))
    config = Case("rope", scale_hint="prompt").config(
        vocab_size=len(tokenizer), scale_rule=scale_rule_ids(task, tokenizer)
    )
    model = LengthGenForCausalLM(config)
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "run"), max_steps=60, per_device_train_batch_size=32, learning_rate=3e-3,
        remove_unused_columns=False, report_to=[], save_strategy="no", logging_steps=10, use_cpu=True,
        disable_tqdm=True,
    )  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=rows, data_collator=TaskCollator(tokenizer))
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[-1] < 0.8 * losses[0]


def test_four_dimensional_masks_of_every_kind_are_the_same():
    model, ids = Case("alibi").model(), Case("alibi").prompts()
    keep = torch.ones(1, 1, 12, 12, dtype=torch.bool).tril()
    keep[..., 3:, 2] = False
    added = torch.zeros(1, 1, 12, 12).masked_fill(~keep, float("-inf"))
    wanted = model(ids, attention_mask=keep).logits
    assert not torch.allclose(wanted, model(ids).logits, atol=1e-3)
    for mask in (keep.long(), added, added.clamp(min=torch.finfo(added.dtype).min)):
        assert torch.equal(model(ids, attention_mask=mask).logits, wanted)


GREEDY = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None}


@pytest.mark.parametrize("case", [Case("lbpe", scale_hint="prompt", harden=True), Case("alibi")], ids=str)
def test_a_prompt_may_be_read_in_chunks_if_the_hint_is_given(case):
    model, ids = case.model(), case.prompts(rows=1)
    hint = {"scale_hint": torch.tensor([2])} if case.scale_hint != "none" else {}
    whole = model.generate(ids, **GREEDY)
    for size in (2, 5):
        assert torch.equal(model.generate(ids, prefill_chunk_size=size, **GREEDY, **hint), whole)


def test_the_scale_is_not_read_from_a_piece_of_the_prompt():
    """The second chunk has delimiters of its own, from which another scale would be read."""
    model = Case("lbpe", scale_hint="prompt", harden=True).model()
    ids = torch.tensor([[BOS, 15, 16, 10, 17, 18, 10, 12]])
    with pytest.raises(ScaleHintError, match="pass scale_hint"):
        model.generate(ids, prefill_chunk_size=4, **GREEDY)


def test_generation_from_embeddings():
    for scale_hint, hint in (("none", {}), ("input", {"scale_hint": torch.tensor([2])})):
        case = Case("rope", scale_hint=scale_hint)
        model, ids = case.model(), case.prompts(rows=1)
        embedded = model.generate(inputs_embeds=model.get_input_embeddings()(ids), **GREEDY, **hint)
        assert torch.equal(embedded, model.generate(ids, **GREEDY, **hint)[:, ids.shape[1] :])


def test_dropout_of_attention_works_on_the_sparse_path_too():
    case = Case("lbpe", scale_hint="prompt", harden=True)
    model, ids = case.model(attention_dropout=0.9).train(), case.prompts()
    assert not torch.allclose(model(ids).logits, model(ids).logits, atol=1e-3)
    assert torch.allclose(model.eval()(ids).logits, model(ids).logits)


@pytest.mark.parametrize(
    "setting", [{"logit_scale": 2.0}, {"attention_temperature": "log_length", "temperature_length": 4}]
)
def test_a_factor_on_the_logits_is_not_sparse(setting):
    case = Case("lbpe", scale_hint="prompt", harden=True)
    assert case.model().sparse and not case.model(**setting).sparse


def test_hardening_without_gates_is_an_error():
    with pytest.raises(ValueError, match="'rope' of this model has no gates to round"):
        Case("rope").model().harden()
    assert Case("rope").model().penalty() == 0 and Case("rope").model().open_gates() is None


def test_generation_needs_no_delimiter_after_the_prompt():
    case = Case("lbpe", scale_hint="prompt", harden=True)
    model = case.model()
    out = model.generate(torch.tensor([[BOS, 15, 16, 10]]), max_new_tokens=3, do_sample=False, eos_token_id=None)
    assert out.shape == (1, 7)


@pytest.mark.parametrize("options", [{}, {"use_cache": False}, {"cache_implementation": "static"}])
def test_a_model_that_writes_the_unknown_token_is_wrong_but_no_bad_input(options):
    case = Case("rope", scale_hint="prompt")
    model = case.model(unk_token_id=3)
    only = torch.nn.functional.one_hot(torch.tensor(3), 20).float()
    model.lm_head.register_forward_hook(lambda module, inputs, out: only.expand_as(out))
    out = model.generate(torch.tensor([[BOS, 15, 16, 10]]), max_new_tokens=3, do_sample=False, **options)
    assert out[0, 4:].tolist() == [3, 3, 3]
    with pytest.raises(ValueError, match="does not know"):
        model.generate(torch.tensor([[BOS, 3, 16, 10]]), max_new_tokens=3, do_sample=False, **options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale_hint": "bogus"}, "scale_hint must be one of none, input, prompt, not 'bogus'"),
        ({"position_embedding": "none"}, "'none' does not use a Scale Hint"),
        ({"logit_scale": -1.0}, "logit_scale must be positive"),
        ({"attention_temperature": "log_length"}, "needs temperature_length >= 2"),
    ],
)
def test_keywords_of_from_pretrained_are_checked_as_the_configuration_is(tmp_path, changes, message):
    """transformers sets them on a configuration that has been checked."""
    Case("rope", scale_hint="prompt").model().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=message):
        LengthGenForCausalLM.from_pretrained(tmp_path, **changes)


@pytest.mark.parametrize("case", [Case("t5"), Case("lbpe", harden=True), Case("fire")], ids=str)
def test_offloaded_position_weights_are_refused(case):
    """They are read outside of their module's forward, where no hook brings them back."""
    model = accelerate.cpu_offload(case.model(), execution_device=torch.device("cpu"))
    with pytest.raises(ValueError, match="position embedding's weights are offloaded, which is not supported"):
        model(case.prompts())


def test_a_device_map_leaves_the_decoder_whole():
    """Its layers share the position embeddings."""
    model = Case("fire").model()
    sizes = accelerate.utils.compute_module_sizes(model)
    memory = {"cpu": 2 * sizes[""] // 3, "disk": 10 * sizes[""]}  # places that every machine has

    def is_cut(kinds):
        chosen = accelerate.infer_auto_device_map(model, memory, no_split_module_classes=kinds)
        return any(name.startswith("model.") for name in chosen)

    assert not is_cut(model._no_split_modules) and is_cut(["LengthGenDecoderLayer"])
