import numpy as np
import pytest

from hf_lengthgen.tasks import Samples, Task, get_task, list_tasks, register_task, registry
from hf_lengthgen.tasks.copy import Copy
from hf_lengthgen.tasks.task import assemble


@pytest.fixture(autouse=True)
def empty_registry(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTERED", {})


class Complement(Task):
    """swap 0 and 1: "0110=" -> "1001"."""

    name = "complement"
    vocabulary = "01="
    ideal_relations = ("i - j = n",)

    def rows(self, scale, hard, rng):
        bits = rng.integers(0, 2, size=(len(hard), *scale), dtype=np.uint8)
        return assemble(bits + ord("0"), "="), (1 - bits) + ord("0")

    def solve(self, bits):
        return bits.replace("0", "x").replace("1", "0").replace("x", "1")


def test_the_built_in_tasks():
    assert {"addition", "copy", "parity", "reverse", "shift"} < set(list_tasks())
    assert list_tasks() == sorted(list_tasks())
    for name in list_tasks():
        assert get_task(name).name == name


def test_a_task_of_a_few_lines_gets_everything_else():
    register_task(Complement)
    assert "complement" in list_tasks()
    task = get_task("complement", hard=0)
    samples = task.sample(5, 10, np.random.default_rng(0))
    assert isinstance(samples, Samples)
    assert [task.answer(prompt) for prompt in samples.prompt_strings()] == samples.answer_strings()
    assert task.lengths(5) == (6, 5)
    assert task.scale_of("0110=") == (4,)
    assert "swap 0 and 1" in task.describe()


def test_register_is_a_decorator_and_may_be_repeated():
    assert register_task(Complement) is Complement
    assert register_task(Complement) is Complement
    assert register_task(Copy) is Copy


def test_unknown_name_gives_the_nearest_match():
    with pytest.raises(ValueError, match="unknown task 'adition'.*did you mean 'addition'"):
        get_task("adition")


def test_unknown_option_gives_the_nearest_match():
    with pytest.raises(ValueError, match="no option 'bas'.*did you mean 'base'"):
        get_task("addition", bas=2)


def test_names_clash():
    clash = type("Mine", (Complement,), {"name": "copy"})
    with pytest.raises(ValueError, match="'copy' belongs to a built-in task"):
        register_task(clash)
    register_task(Complement)
    other = type("Other", (Complement,), {})
    with pytest.raises(ValueError, match="'complement' is taken by .*Complement"):
        register_task(other)


@pytest.mark.parametrize("thing", [42, int, Complement()])
def test_only_tasks_can_be_registered(thing):
    with pytest.raises(ValueError, match="takes a subclass of Task"):
        register_task(thing)


@pytest.mark.parametrize("name", [None, "", 3])
def test_a_task_needs_a_name(name):
    with pytest.raises(ValueError, match="needs a class attribute `name`"):
        register_task(type("Nameless", (Complement,), {"name": name}))
