"""Every task's answers against its oracle, `Task.answer` in plain Python, at every length."""

import importlib
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import hf_lengthgen.tasks
from hf_lengthgen.tasks import list_tasks
from hf_lengthgen.tasks.copy import Copy

from .contract import LENGTHS, TaskContract

ROWS = 1000
# What sampler and oracle may both call: what a task is called, how it is written, and the machine it is about. The
# digits that a sum of several operands may need (`_extra`) have a test of their own.
SHARED = {
    *("NumberTask.format", "NumberFormat.length", "NumberFormat.period", "Multiplication.delimiters"),
    *("Multiplication.tape", "Dyck.brackets", "CycleNavigation.state_names", "_extra"),
    *("Automaton.letter_names", "Automaton.state_names", "Automaton.transitions", "_connected"),
    *("Permutation.letter_names", "Permutation.tables", "Permutation.tables.<locals>.<listcomp>"),
    *("Tape.symbol_names", "Tape.head_names", "Tape.machine"),
}


def contract_of(name: str) -> TaskContract:
    """The one contract class of a task, from the test file that has the task's name."""
    module = importlib.import_module(f".test_{name}", __package__)
    classes = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, TaskContract)]
    found = [kind for kind in classes if getattr(kind, "name", None) == name]
    assert len(found) == 1, f"task {name!r} needs one contract class in test_{name}.py"
    return found[0]()


def variants_of(contract: TaskContract) -> list[dict]:
    """The defaults and all variants, each once."""
    options = [{}, *contract.variants, *contract.more_variants]
    return [some for place, some in enumerate(options) if some not in options[:place]]


def limit_of(contract: TaskContract, options: dict) -> tuple[int | None, str]:
    """The largest n with these options, and why it is the largest; (None, "") if there is none."""
    return next(((n, why) for limited, n, why in contract.limits if limited == options), (None, ""))


@pytest.mark.parametrize("name", list_tasks())
def test_every_length_is_reached_and_limits_have_reasons(name):
    contract = contract_of(name)
    variants = variants_of(contract)
    limits = [limit_of(contract, options)[0] for options in variants]
    assert None in limits, "with some options, rows of all lengths are compared"
    for options, _, why in contract.limits:
        assert options in variants and len(why) > 10, "a limit belongs to a variant and has a reason"


def called_in(work) -> set[str]:
    """The functions of hf_lengthgen.tasks that are called while `work()` runs."""
    folder, names = str(Path(hf_lengthgen.tasks.__file__).parent), set()

    def note(frame, event, argument):
        if event == "call" and frame.f_code.co_filename.startswith(folder):
            names.add(frame.f_code.co_qualname)

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return names


@pytest.mark.parametrize("name", list_tasks())
def test_sampler_and_oracle_share_no_code(name):
    contract = contract_of(name)
    for options in variants_of(contract):
        first, drawing, answering = (contract.task(**{"hard": 0.5, **options}) for _ in range(3))
        prompts = first.sample(7, 50, np.random.default_rng(0)).prompt_strings()
        sampler = called_in(lambda task=drawing: task.sample(7, 50, np.random.default_rng(0)))
        oracle = called_in(lambda task=answering, prompts=prompts: [task.answer(prompt) for prompt in prompts])
        assert sampler and oracle and sampler & oracle <= SHARED


@pytest.mark.parametrize("row", [0, -1])
def test_one_wrong_character_is_noticed(row):
    class Wrong(Copy):
        def rows(self, scale, hard, rng):
            prompts, answers = super().rows(scale, hard, rng)
            answers = answers.copy()
            answers[row, -1] = ord("a") + (answers[row, -1] == ord("a"))
            return prompts, answers

    contract_of("copy").check_rows(Copy(), 20, ROWS)
    with pytest.raises(AssertionError, match="Wrong"):
        contract_of("copy").check_rows(Wrong(), 20, ROWS)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # three minutes for the slowest on a core of its own
@pytest.mark.parametrize("name", list_tasks())
def test_a_thousand_rows_of_every_length_agree_with_the_oracle(name, record_property):
    contract = contract_of(name)
    begin = time.process_time()
    compared = dict.fromkeys(LENGTHS, 0)
    left_out = []
    for options in variants_of(contract):
        task = contract.task(**{"hard": 0.5, **options})
        limit, why = limit_of(contract, options)
        for n in LENGTHS:
            if limit is not None and n > limit:
                left_out.append(f"n={n} with {options or 'the defaults'}: {why}")
                continue
            for scale in dict.fromkeys(map(task.expand, contract.scales_at(task, n))):
                contract.check_rows(task, scale, ROWS, seed=1)
                compared[n] += ROWS
    assert all(rows >= ROWS for rows in compared.values())
    seconds = time.process_time() - begin
    counts = " ".join(f"{n}:{rows}" for n, rows in compared.items())
    record_property("oracle", "\n".join([f"{name:<28}{seconds:6.1f} s  {counts}", *(f"    not {t}" for t in left_out)]))
