import dataclasses
import json

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, StaticCache

from hf_lengthgen.data.encode import encode
from hf_lengthgen.data.online import OnlineBatches
from hf_lengthgen.data.tokenizer import build_tokenizer, character_table, scale_rule_ids
from hf_lengthgen.evaluation.length_result import LengthResult
from hf_lengthgen.evaluation.lengths import evaluate_lengths
from hf_lengthgen.model.configuration_lengthgen import LengthGenConfig
from hf_lengthgen.model.modeling_lengthgen import LengthGenForCausalLM
from hf_lengthgen.tasks import get_task

TASK = get_task("copy", symbols="ab")
TOKENIZER = build_tokenizer(TASK)
SPECIALS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Models this small gain nothing from threads, and lose a factor of 50 where the cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def train(model, task, tokenizer, n_max, steps):
    batches = OnlineBatches(task, tokenizer, 1, n_max, batch_size=32, seed=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    hint = getattr(model.config, "scale_hint", "none") != "none"
    for step in range(steps):
        batch = batches.batch(step)
        if not hint:
            batch.pop("scale_hint")
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def lengthgen(position_embedding, task, tokenizer, **options):
    config = LengthGenConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        position_embedding=position_embedding,
        num_scale_hints=task.hints,
        scale_rule=scale_rule_ids(task, tokenizer),
        unk_token_id=3,
        **SPECIALS,
        **options,
    )
    torch.manual_seed(0)
    return LengthGenForCausalLM(config)


@pytest.fixture(scope="module")
def llama():
    """A model of somebody else's, trained to be right about half of the time."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(TOKENIZER),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        **SPECIALS,
    )
    return train(LlamaForCausalLM(config), TASK, TOKENIZER, n_max=4, steps=90)


def greedy_string(model, tokenizer, prompt, limit, **inputs):
    """Greedy decoding, one example, one token at a time, no cache: the text up to <eos>, or None if there is
    none.
    """
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    start = ids.shape[1]
    with torch.no_grad():
        for _ in range(limit):
            token = model(input_ids=ids, **inputs).logits[0, -1].argmax()
            if token == tokenizer.eos_token_id:
                return "".join(tokenizer.convert_ids_to_tokens(ids[0, start:].tolist()))
            ids = torch.cat([ids, token[None, None]], dim=1)
    return None


def count_by_hand(model, task, tokenizer, n, examples, seed, with_hint=False):
    scale = task.expand(n)
    samples = task.sample(scale, examples, np.random.default_rng([seed, *scale]))
    hint = {"scale_hint": torch.tensor([scale])} if with_hint else {}
    return sum(
        greedy_string(model.eval(), tokenizer, prompt, 3 * len(prompt), **hint) == task.answer(prompt)
        for prompt in samples.prompt_strings()
    )


def test_both_modes_agree_with_decoding_by_hand(llama):
    """The oracle shares nothing with the code under test: the task's own `answer` and a loop without a cache."""
    counts = [count_by_hand(llama, TASK, TOKENIZER, n, 24, 7) for n in (2, 4, 5)]
    assert any(0 < count < 24 for count in counts)  # else the test would show little
    for mode in ("generate", "teacher"):
        results = evaluate_lengths(llama, TOKENIZER, TASK, [2, 4, 5], 24, mode=mode, seed=7)
        assert [result.correct for result in results] == counts
        assert [result.n for result in results] == [[2], [4], [5]]
        assert all(result.mode == mode and result.examples == 24 and result.seconds > 0 for result in results)


@pytest.mark.parametrize(
    "position, hint", [("rope", "none"), ("alibi", "prompt"), ("lbpe", "prompt"), ("lbpe", "input")]
)
def test_lengthgen_models_get_their_hint(position, hint):
    model = train(lengthgen(position, TASK, TOKENIZER, scale_hint=hint), TASK, TOKENIZER, n_max=4, steps=60)
    counts = [count_by_hand(model, TASK, TOKENIZER, n, 16, 3, hint != "none") for n in (2, 5)]
    for mode in ("generate", "teacher"):
        results = evaluate_lengths(model, TOKENIZER, TASK, [2, 5], 16, mode=mode, seed=3)
        assert [result.correct for result in results] == counts


def test_two_hints():
    task = get_task("addition", widths="unequal", base=2)
    tokenizer = build_tokenizer(task)
    model = lengthgen("lbpe", task, tokenizer, scale_hint="prompt")
    for mode in ("generate", "teacher"):
        results = evaluate_lengths(model, tokenizer, task, [2, (1, 3)], 5, mode=mode)
        assert [result.n for result in results] == [[2, 2], [1, 3]]


def test_results_do_not_depend_on_batching_or_on_the_other_lengths(llama):
    for mode in ("generate", "teacher"):
        whole = evaluate_lengths(llama, TOKENIZER, TASK, [3, 4, 5], 30, mode=mode)
        alone = evaluate_lengths(llama, TOKENIZER, TASK, [4], 30, mode=mode, batch_size=7)
        assert 0 < alone[0].correct < 30
        assert alone[0].correct == whole[1].correct and alone[0].token_accuracy == whole[1].token_accuracy
        other = [evaluate_lengths(llama, TOKENIZER, TASK, [4], 30, mode=mode, seed=s)[0].correct for s in range(4)]
        assert len(set(other)) > 1


END = "$"  # stands for <eos> in what a Recorder writes


class Recorder(torch.nn.Module):
    """Stands for a model: answers every prompt by the task's oracle, spoils what it is told to, notes what it
    gets.
    """

    def __init__(self, task, tokenizer, spoil=lambda answer: answer, sparse=True):
        super().__init__()
        self.task, self.tokenizer, self.spoil, self.sparse = task, tokenizer, spoil, sparse
        self.config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            **SPECIALS,
        )
        self.device = torch.device("cpu")
        self.part = torch.nn.Dropout()
        self.calls = []

    def text(self, ids):
        return "".join(self.tokenizer.convert_ids_to_tokens([i for i in ids.tolist() if i > 3]))

    def generate(self, input_ids, attention_mask, generation_config, past_key_values, stopping_criteria):
        assert not self.training and not self.part.training and torch.is_inference_mode_enabled()
        self.calls.append((input_ids, generation_config, past_key_values))
        rows = [self.spoil(self.task.answer(self.text(row))) for row in input_ids]
        ids = [[2 if c == END else 4 + self.task.vocabulary.index(c) for c in row] for row in rows]
        width = min(max(map(len, ids)), generation_config.max_new_tokens)
        new = torch.tensor([(row + [0] * width)[:width] for row in ids])
        return torch.cat([input_ids, new], dim=1)

    def forward(self, input_ids, attention_mask, use_cache):
        assert not self.training and torch.is_inference_mode_enabled() and use_cache is False
        self.calls.append((input_ids, None, None))
        logits = torch.nn.functional.one_hot(input_ids.roll(-1, dims=1), len(self.tokenizer)).float()
        return type("Output", (), {"logits": logits})


@pytest.mark.parametrize(
    "spoil, right",
    [
        (lambda answer: answer + END, True),
        (lambda answer: answer, False),  # never ends
        (lambda answer: answer[:-1] + END, False),
        (lambda answer: answer + answer[-1] + END, False),
        (lambda answer: END, False),
        (lambda answer: answer + END + answer, True),  # what follows <eos> is not part of the answer
    ],
)
def test_the_whole_answer_with_its_end_must_match(spoil, right):
    model = Recorder(TASK, TOKENIZER, spoil)
    (result,) = evaluate_lengths(model, TOKENIZER, TASK, [5], 20)
    assert result.correct == (20 if right else 0)
    assert result.token_accuracy is None


def test_teacher_forcing_reports_token_accuracy():
    (result,) = evaluate_lengths(Recorder(TASK, TOKENIZER), TOKENIZER, TASK, [5], 20, mode="teacher")
    assert (result.correct, result.token_accuracy) == (20, 1.0)


def test_token_accuracy_by_hand(llama):
    (result,) = evaluate_lengths(llama, TOKENIZER, TASK, [4], 30, mode="teacher", seed=7, hard=None)
    samples, right = TASK.sample((4,), 30, np.random.default_rng([7, 4])), []
    for prompt, answer in zip(samples.prompt_strings(), samples.answer_strings(), strict=True):
        ids = [*TOKENIZER(prompt + answer).input_ids, TOKENIZER.eos_token_id]
        with torch.no_grad():
            said = llama(input_ids=torch.tensor([ids])).logits[0].argmax(-1).tolist()
        begin = len(ids) - len(answer) - 1
        right += [said[place - 1] == ids[place] for place in range(begin, len(ids))]
    assert len(right) == 30 * 5 and 0 < sum(right) < len(right)
    assert result.token_accuracy == pytest.approx(sum(right) / len(right))


def test_first_errors_are_recorded_in_both_modes(llama):
    """Teacher-forced and greedy decoding depart from the right answer at the same place."""
    greedy, teacher = (
        evaluate_lengths(llama, TOKENIZER, TASK, [4, 6], 30, mode=mode, seed=7) for mode in ("generate", "teacher")
    )
    for one, other in zip(greedy, teacher, strict=True):
        assert one.first_errors == other.first_errors and len(one.first_errors) == 10
        assert sum(one.first_errors) == 30 - one.correct > 0
    model = Recorder(TASK, TOKENIZER, lambda answer: answer[:3] + ("b" if answer[3] == "a" else "a") + answer[4:] + END)
    (result,) = evaluate_lengths(model, TOKENIZER, TASK, [9], 20)
    assert result.first_errors == [0, 0, 0, 20, 0, 0, 0, 0, 0, 0]  # the fourth of ten tokens, <eos> included


def flip_first(answer):
    return ("1" if answer[0] == "0" else "0") + answer[1:] + END


def test_details_tell_tokens_final_answers_and_steps_apart():
    task = get_task("parity")
    tokenizer = build_tokenizer(task)
    (result,) = evaluate_lengths(Recorder(task, tokenizer, flip_first), tokenizer, task, [4], 20, details=True)
    assert (result.correct, result.final_accuracy, result.step_accuracy) == (0, 1.0, 0.75)
    assert result.token_accuracy == pytest.approx(6 / 7)  # 4 steps, ":", the answer, <eos>
    (result,) = evaluate_lengths(Recorder(task, tokenizer), tokenizer, task, [4], 20, details=True)
    assert (result.correct, result.final_accuracy, result.step_accuracy) == (0, 0.0, 0.0)  # nothing ended
    (result,) = evaluate_lengths(Recorder(task, tokenizer, flip_first), tokenizer, task, [4], 20)
    assert (result.token_accuracy, result.final_accuracy, result.step_accuracy) == (None, None, None)


def test_details_are_those_of_decoding_by_hand(llama):
    samples = TASK.sample(5, 24, np.random.default_rng([7, 5]))
    written = [greedy_string(llama.eval(), TOKENIZER, prompt, 6) for prompt in samples.prompt_strings()]
    wanted = samples.answer_strings()
    right = sum(text == want for text, want in zip(written, wanted, strict=True))
    plain, full = (evaluate_lengths(llama, TOKENIZER, TASK, [5], 24, seed=7, details=d)[0] for d in (False, True))
    assert plain.correct == full.correct == right and full.first_errors == plain.first_errors
    assert full.final_accuracy == right / 24 and full.step_accuracy is None
    assert right / 24 < full.token_accuracy <= 1


def test_generation_is_greedy_with_a_static_cache_of_the_right_size():
    """The cache of a short length must not be as long as that of the long one before it."""
    model = Recorder(TASK, TOKENIZER, lambda answer: answer + END)
    evaluate_lengths(model, TOKENIZER, TASK, [50, 5], 3)
    for n, (input_ids, config, cache) in zip((50, 5), model.calls, strict=True):
        assert input_ids.shape == (3, n + 2)
        assert config.max_new_tokens == n + 1 and not config.do_sample and config.num_beams == 1
        assert (config.eos_token_id, config.pad_token_id) == (2, 0)
        assert isinstance(cache, StaticCache) and cache.layers[0].max_cache_len == 2 * n + 3


def test_the_default_batch_keeps_the_token_budget():
    model = Recorder(TASK, TOKENIZER, lambda answer: answer + END)
    evaluate_lengths(model, TOKENIZER, TASK, [4000], 60)
    assert [len(ids) for ids, _, _ in model.calls] == [24, 24, 12]  # 24 * 8003 tokens <= 200,000
    model.calls.clear()
    evaluate_lengths(model, TOKENIZER, TASK, [4000], 10, mode="teacher")
    assert [len(ids) for ids, _, _ in model.calls] == [8, 2]  # 8 * 8003 <= 65,536
    model.calls.clear()
    model.sparse = False
    evaluate_lengths(model, TOKENIZER, TASK, [4000], 3, mode="teacher")
    assert [len(ids) for ids, _, _ in model.calls] == [2, 1]  # 2 * 8003² * 2 heads * 4 bytes <= 1 GiB
    model.calls.clear()
    evaluate_lengths(model, TOKENIZER, TASK, [5], 10, batch_size=4)
    assert [len(ids) for ids, _, _ in model.calls] == [4, 4, 2]


def test_decoding_ends_at_the_first_mistake(llama):
    """A wrong answer costs one token, not its full length."""
    steps = []
    handle = llama.register_forward_hook(lambda *_: steps.append(1))
    try:
        (result,) = evaluate_lengths(llama, TOKENIZER, TASK, [100], 4, hard=0.0)
    finally:
        handle.remove()
    assert result.correct == 0 and len(steps) < 40


def test_settings_of_a_loaded_model_do_not_leak_into_decoding(llama):
    before = evaluate_lengths(llama, TOKENIZER, TASK, [4], 30)[0].correct
    saved = llama.generation_config.to_dict()
    try:
        llama.generation_config.update(do_sample=True, repetition_penalty=5.0, min_new_tokens=9, num_beams=3)
        llama.generation_config.update(no_repeat_ngram_size=1)  # with two letters, no answer of four is right then
        assert evaluate_lengths(llama, TOKENIZER, TASK, [4], 30)[0].correct == before > 0
    finally:
        llama.generation_config.update(**saved)


def test_training_flags_and_gradients_come_back_even_after_an_error():
    model = Recorder(TASK, TOKENIZER, lambda answer: answer + END)
    model.train()
    model.part.eval()  # a frozen part
    evaluate_lengths(model, TOKENIZER, TASK, [5], 3)
    assert model.training and not model.part.training and not torch.is_inference_mode_enabled()
    model.spoil = lambda answer: 1 / 0
    with pytest.raises(ZeroDivisionError):
        evaluate_lengths(model, TOKENIZER, TASK, [5], 3)
    assert model.training and not model.part.training and not torch.is_inference_mode_enabled()
    model.eval()
    model.spoil = lambda answer: answer + END
    evaluate_lengths(model, TOKENIZER, TASK, [5], 3)
    assert not model.training


def test_a_model_can_be_trained_on_after_an_evaluation():
    model = lengthgen("lbpe", TASK, TOKENIZER, scale_hint="prompt")
    evaluate_lengths(model, TOKENIZER, TASK, [5], 3)
    evaluate_lengths(model, TOKENIZER, TASK, [5], 3, mode="teacher")
    train(model, TASK, TOKENIZER, n_max=5, steps=2)


def spoil_longer_than(n):
    return lambda answer: (answer if len(answer) <= n else "") + END


def test_stop_at_zero_leaves_out_what_lies_beyond_a_zero():
    model = Recorder(TASK, TOKENIZER, spoil_longer_than(10))
    results = evaluate_lengths(model, TOKENIZER, TASK, [5, 20, 7, 30], 4, stop_at_zero=True)
    assert [(result.n, result.correct) for result in results] == [([5], 4), ([20], 0), ([7], 4)]
    results = evaluate_lengths(model, TOKENIZER, TASK, [5, 20, 7, 30], 4)
    assert [result.correct for result in results] == [4, 0, 4, 0]


def test_progress_is_told_length_by_length(capsys):
    model = Recorder(TASK, TOKENIZER, spoil_longer_than(10))
    seen = []
    results = evaluate_lengths(model, TOKENIZER, TASK, [5, 20], 4, progress=seen.append)
    assert seen == results and all(isinstance(result, LengthResult) for result in seen)
    assert capsys.readouterr().err == ""
    evaluate_lengths(model, TOKENIZER, TASK, [5, 20], 4, progress=True)
    bar = capsys.readouterr().err
    assert "n = 20" in bar and "8/8" in bar


def test_a_length_without_rows_is_found_before_the_others_are_evaluated():
    task = get_task("unique_copy")
    seen = []
    with pytest.raises(ValueError, match="n = 94 is too long"):
        evaluate_lengths(None, None, task, [3, 94], 4, progress=seen.append)
    assert not seen


@pytest.mark.parametrize("name", ["learned", "randomized"])
def test_a_length_beyond_the_positions_is_found_before_the_others_are_evaluated(name):
    model, seen = lengthgen(name, TASK, TOKENIZER), []
    state = torch.random.get_rng_state()
    with pytest.raises(ValueError, match="^n = 50: .*64"):
        evaluate_lengths(model, TOKENIZER, TASK, [3, 50], 4, progress=seen.append)
    assert not seen and model.training
    assert torch.equal(torch.random.get_rng_state(), state)


def test_every_task_meets_the_same_share_of_hard_cases():
    """Models trained without hard cases are tested with them; `hard=None` keeps the task's own share."""
    plain, usual = get_task("copy", hard=0.0), get_task("copy")
    tokenizer = build_tokenizer(usual)
    prompts = []
    for task, hard in ((plain, 0.25), (usual, 0.25), (plain, None)):
        model = Recorder(task, tokenizer, lambda answer: answer + END)
        evaluate_lengths(model, tokenizer, task, [8], 50, hard=hard)
        prompts.append(model.calls[0][0].tolist())
    assert prompts[0] == prompts[1] != prompts[2]
    samples = plain.sample(8, 50, np.random.default_rng([1234, 8]))
    rows = encode(samples, character_table(tokenizer), 1, 2, 0)["input_ids"][:, : 8 + 2]
    assert rows.tolist() == prompts[2]


@pytest.mark.parametrize(
    "lengths, options, message",
    [
        ([], {}, "at least one length"),
        (5, {}, "lengths must be a list"),
        ([0], {}, "integer >= 1"),
        ([2.5], {}, "integer >= 1"),
        ([True], {}, "integer >= 1"),
        ([(1, 2)], {}, "1 scale"),
        ([5, 6, 5], {}, "lengths holds 5 more than once"),
        ([5, (5,)], {}, "more than once"),
        ([5], {"examples": 0}, "examples must be an integer >= 1, got 0"),
        ([5], {"examples": 2.5}, "examples must be an integer"),
        ([5], {"batch_size": 0}, "batch_size must be an integer >= 1, got 0"),
        ([5], {"batch_size": True}, "batch_size must be an integer"),
        ([5], {"seed": -1}, "seed must be an integer >= 0"),
        ([5], {"mode": "greedy"}, "mode must be one of generate, teacher, got 'greedy'"),
        ([5], {"mode": "teacher", "details": True}, "they go with mode generate, not teacher"),
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(lengths, options, message):
    model = Recorder(TASK, TOKENIZER)
    with pytest.raises(ValueError, match=message) as error:
        evaluate_lengths(model, TOKENIZER, TASK, lengths, **options)
    assert not model.calls and "\n" not in str(error.value)


def test_numpy_integers_leave_plain_ones_behind():
    """They are accepted; what comes of them goes into a JSON file."""
    model = Recorder(TASK, TOKENIZER, lambda answer: answer + END)
    (result,) = evaluate_lengths(
        model, TOKENIZER, TASK, [np.int64(5)], np.int64(4), batch_size=np.int32(2), seed=np.int8(1)
    )
    assert [type(value) for value in (result.examples, result.correct, *result.n)] == [int] * 3
    assert json.dumps(dataclasses.asdict(result))
