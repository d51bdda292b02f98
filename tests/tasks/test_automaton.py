import functools
import itertools

from hf_lengthgen.tasks import get_task

from .checks import assert_relations_hold
from .contract import TaskContract


class TestAutomaton(TaskContract):
    name = "automaton"
    variants = [{}, {"cot": False}, {"states": 10, "letters": 26, "seed": 3}, {"kind": "permutation"}]
    large = [10_000]
    large_rows = 5
    examples = [({}, "abba=", "1043:3"), ({"cot": False}, "abba=", "3")]
    digests = [
        ({}, "bd12c9c20accc8d1"),
        ({"states": 7, "letters": 3, "seed": 5, "kind": "permutation", "cot": False}, "1155792829e43517"),
    ]
    bad_options = [
        ({"states": 1}, "between 2 and 10, got 1"),
        ({"letters": 1}, "between 2 and 26, got 1"),
        ({"seed": -1}, "at least 0, got -1"),
        ({"kind": "permutaton"}, "did you mean 'permutation'"),
    ]
    bad_prompts = [({}, "abc=", "foreign characters 'c'"), ({}, "a0=", "must be of 'ab'")]
    relations = [({}, list(range(1, 9)), [30]), ({"seed": 4, "kind": "permutation"}, list(range(1, 9)), [30])]


def test_what_an_automaton_remembers():
    """By brute force: the shortest length at which every word leads all states into one."""
    met = set()
    for seed in range(60):
        for states, letters in ((2, 2), (3, 2)):
            task = get_task("automaton", states=states, letters=letters, seed=seed, cot=False)
            table = task.transitions

            def ends(word, table=table, states=states):
                return {functools.reduce(lambda state, letter: table[state, letter], word, s) for s in range(states)}

            forgets = [
                n for n in range(7) if all(len(ends(w)) == 1 for w in itertools.product(range(letters), repeat=n))
            ]
            assert task.memory == (forgets[0] if forgets else None), (seed, states)
            assert task.src_verdict.startswith("growing" if task.memory is None else "constant")
            if task.memory is not None:
                met.add(task.memory)
                assert_relations_hold(task, range(1, 9), [30], all_seen=False)
    assert {1, 2} <= met
