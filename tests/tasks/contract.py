"""What every task's tests have in common: a test class states a task's options, examples and digests."""

import inspect

import numpy as np
import pytest

from hf_lengthgen.data.encode import IGNORED, encode, encode_prompts
from hf_lengthgen.data.tokenizer import build_tokenizer, character_table
from hf_lengthgen.model.relation import LinearRelation
from hf_lengthgen.tasks import Samples, Task, get_task

from .checks import assert_relations_hold, golden, relations_determine

BOS, EOS, PAD = 1, 2, 0
LENGTHS = (1, 2, 7, 20, 100, 1000)  # at which a thousand rows of every task are held against its oracle
_CELLS = 1 << 24  # characters drawn at once


class TaskContract:
    """Subclass it as `class TestName(TaskContract)` and fill in what is here.

    Attributes:
        name: the task's name.
        variants: options under which rows, oracle and encoding are compared.
        scales: at which; `rows`: how many each under the first options, a fifth of that under the others.
        large, large_rows: likewise with fewer rows, where rows are long or the oracle is slow.
        more_variants: further options under which rows and oracle are compared in test_oracles.py only: a thousand
            rows at each of LENGTHS, as under the defaults and all variants.
        limits: (options, n, why): with exactly these options, rows longer than n are left out there.
        examples: (options, prompt, answer); the first one stands in the docstring.
        digests: (options, digest of the first rows).
        bad_options, bad_prompts: (options, [prompt,] what the error says).
        relations: (options, small scales, large scales): the ideal relations determine the next character, by one
            table at all scales, seen on `relation_rows` rows each; if `minimal`, each of them is needed.
        ragged: answers of one scale may differ in length.
    """

    name: str
    variants: list[dict] = [{}]
    scales: list = [1, 2, 7, 20, 100, 1000]
    rows = 1000
    large: list = []
    large_rows = 20
    more_variants: list[dict] = []
    limits: list[tuple[dict, int, str]] = []
    examples: list[tuple[dict, str, str]]
    digests: list[tuple[dict, str]]
    bad_options: list[tuple[dict, str]] = []
    bad_prompts: list[tuple[dict, str, str]] = []
    relations: list[tuple[dict, list, list]] = []
    relation_rows = 400
    minimal = True
    ragged = False

    def task(self, **options) -> Task:
        return get_task(self.name, **options)

    def test_examples(self):
        for options, prompt, answer in self.examples:
            assert self.task(**options).answer(prompt) == answer
        options, prompt, answer = self.examples[0]
        assert f'"{prompt}" -> "{answer}"' in inspect.getdoc(type(self.task(**options))).splitlines()[0]

    def test_the_sampler_agrees_with_the_oracle(self):
        for number, options in enumerate(self.variants):
            task = self.task(**{"hard": 0.5, **options})
            for scales, rows in ((self.scales, self.rows), (self.large, self.large_rows)):
                for scale in scales:
                    self.check_rows(task, scale, rows if number == 0 else -(-rows // 5))

    def scales_at(self, task: Task, n: int) -> list:
        """The scales that stand for the length n: n in all dimensions, and others if those are more telling."""
        return [n]

    def test_no_rows_are_rows_too(self):
        for options in self.variants:
            task = self.task(**options)
            none, one = (task.sample(task.expand(3), count, np.random.default_rng(0)) for count in (0, 1))
            assert len(none) == 0 and none.scales.shape == (0, task.hints)
            if not self.ragged:
                assert none.prompts.shape[1:] == one.prompts.shape[1:]
                assert none.answers.shape[1:] == one.answers.shape[1:]

    def check_rows(self, task: Task, scale, rows: int, seed: int = 7) -> None:
        """Rows of one scale, drawn in pieces that fit into memory, are well-formed and answered as the oracle does."""
        prompt_length, answer_length = task.lengths(scale)
        rng = np.random.default_rng([seed, *task.expand(scale)])
        piece = max(1, _CELLS // (prompt_length + answer_length))
        allowed = task.vocabulary.encode("latin-1")
        for start in range(0, rows, piece):
            samples = task.sample(scale, min(piece, rows - start), rng)
            assert samples.prompts.dtype == samples.answers.dtype == np.uint8
            assert samples.prompts.all() and (self.ragged or samples.answers.all())
            assert samples.prompts.shape[1] == prompt_length
            width = samples.answers.shape[1]
            assert width == answer_length or (self.ragged and width < answer_length)
            for codes in (samples.prompts, samples.answers):
                assert not codes.tobytes().translate(None, allowed + b"\0"), "characters outside the vocabulary"
            for prompt, answer in zip(samples.prompt_strings(), samples.answer_strings(), strict=True):
                assert task.answer(prompt) == answer, (task, prompt)
            assert task.scale_of(prompt) == tuple(samples.scales[0]) == task.hint(task.expand(scale))
            self.check_fields(task, prompt)

    def check_fields(self, task: Task, prompt: str) -> None:
        """A prompt is put together again from its fields."""
        fields = zip(task.parse(prompt), task.delimiters, strict=True)
        assert "".join(field + delimiter for field, delimiter in fields) == prompt

    def test_the_final_answer_is_read_back(self):
        for options in self.variants:
            if "cot" in self.task(**options).options:
                with_steps, without = self.task(**{**options, "cot": True}), self.task(**{**options, "cot": False})
                for prompt in with_steps.sample(9, 50, np.random.default_rng(1)).prompt_strings():
                    assert with_steps.final(with_steps.answer(prompt)) == without.final(without.answer(prompt))

    def test_the_chain_of_thought_has_two_names_and_one_digest(self):
        steps, known = self.task().config.steps, "cot" in self.task().options
        assert (steps is not None) == known, "an option cot goes with the name of its steps, and the other way round"
        for switch, name in ((True, steps), (False, "none")) if known else ():
            by_switch, by_name = self.task(cot=switch), self.task(cot=name)
            assert by_switch.config == by_name.config and by_switch.digest == by_name.digest
            kept = by_switch.options["cot"], self.task().options["cot"]
            assert repr(by_switch) == repr(by_name) and type(kept[0]) is type(kept[1])
        if known:
            with pytest.raises(
                ValueError, match=f"'cot' cannot be 'nope'; it is True or False, or by name; allowed: none, {steps}"
            ):
                self.task(cot="nope")

    def test_rows_survive_encoding(self):
        for options in self.variants:
            task = self.task(**options)
            rng = np.random.default_rng(2)
            samples = Samples.concatenate([task.sample(task.expand(n), 20, rng) for n in (3, 6, 2)])
            tokenizer = build_tokenizer(task)
            table = character_table(tokenizer)
            encoded, prompts = encode(samples, table, BOS, EOS, PAD), encode_prompts(samples, table, BOS, PAD)
            for row, (prompt, answer) in enumerate(
                zip(samples.prompt_strings(), samples.answer_strings(), strict=True)
            ):
                ids = encoded["input_ids"][row][encoded["attention_mask"][row] == 1].tolist()
                labels = encoded["labels"][row]
                before = prompts["input_ids"][row][prompts["attention_mask"][row] == 1].tolist()
                assert (ids[0], ids[-1]) == (BOS, EOS) and before == ids[: 1 + len(prompt)]
                assert tokenizer.decode(ids[1:-1]) == prompt + answer
                assert labels[labels != IGNORED].tolist() == ids[1 + len(prompt) :]

    def test_rows_are_the_same_everywhere(self):
        for options, expected in self.digests:
            assert golden(self.task(**options)) == expected, options

    def test_bad_options_are_one_clear_sentence(self):
        for options, message in self.bad_options:
            with pytest.raises(ValueError, match=message) as error:
                self.task(**options)
            assert "\n" not in str(error.value)
        for n in (0, -1, 1.5, "3"):
            with pytest.raises(ValueError, match="scale"):
                self.task().sample(n, 1, np.random.default_rng(0))

    def test_bad_prompts_are_one_clear_sentence(self):
        for options, prompt, message in self.bad_prompts:
            with pytest.raises(ValueError, match=message) as error:
                self.task(**options).answer(prompt)
            assert "\n" not in str(error.value)

    def test_the_verdict_goes_with_the_relations(self):
        for options in self.variants:
            task = self.task(**options)
            verdict, _, reason = task.src_verdict.partition(": ")
            assert verdict == ("constant" if task.ideal_relations else "growing")
            assert len(reason) > 20 and reason.endswith(".")
            for text in task.ideal_relations:
                LinearRelation.parse(text, task.hints)

    def test_the_relations_are_enough_at_any_scale(self):
        assert bool(self.relations) == any(self.task(**options).ideal_relations for options in self.variants)
        for options, small, large in self.relations:
            assert_relations_hold(self.task(**options), small=small, large=large, count=self.relation_rows)

    def test_every_relation_is_needed(self):
        for options, small, _ in self.relations if self.minimal else []:
            task = self.task(**options)
            for left_out in task.ideal_relations:
                rest = [relation for relation in task.ideal_relations if relation != left_out]
                assert not relations_determine(task, rest or ["j = 0"], small, self.relation_rows), left_out
