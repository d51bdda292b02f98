from hf_lengthgen.compare.equality import equality_text

from .grids import TINY, grid

ALL_THE_SAME = (
    "On one task all variants have the same model size, data, number of steps and evaluation, except where a setting "
    "belongs to the embedding."
)


def variants(**changes):
    return [{"name": "rope", "scale_hint": "none"}, {"name": "lbpe", "scale_hint": "prompt"} | changes]


def test_what_belongs_to_the_embedding_may_differ():
    own = {"position_options": {"window": 3}, "max_position_embeddings": 64, "penalty": 0.1, "gate_learning_rate": 0.1}
    for made in (grid(), grid(variants=variants(**own)), grid(extra_seeds={"hinted": [7]})):
        assert equality_text(made) == ALL_THE_SAME  # the two tasks have different steps


def test_what_else_differs_is_listed():
    made = grid(variants=variants(hidden_size=64, validate_every=5))
    assert equality_text(made) == (
        "Besides settings that belong to the embedding, variants differ in hidden_size (on every task); all else is "
        "the same for all variants of a task."
    )
    tasks = [{"name": "copy", "variants": {"lbpe": {"steps": 5, "batch_size": 4}}}, {"name": "reverse"}]
    made = grid(tasks=tasks, variants=variants())
    assert "variants differ in steps (on copy), batch_size (on copy); all else" in equality_text(made)


def test_a_setting_that_decides_for_some_variants_only():
    """With early stopping the validations decide too: the other variants have no such key."""
    for made in (variants(early_stopping=2), variants(early_stopping=2)[::-1]):
        assert "early_stopping (on every task)" in equality_text(grid(base=TINY | {"validate_every": 5}, variants=made))


def test_an_embedding_with_other_options_on_some_task_is_listed():
    tasks = [{"name": "copy", "variants": {"lbpe": {"position_options": {"window": 3}}}}, {"name": "reverse"}]
    own = " On some tasks an embedding has other settings than elsewhere: copy: LBPE + hint (position_options)."
    assert equality_text(made := grid(tasks=tasks, variants=variants())) == ALL_THE_SAME + own
    assert equality_text(made.choose(["reverse"])) == ALL_THE_SAME
    # What it has everywhere anyway is nothing of its own.
    assert equality_text(grid(tasks=tasks, variants=variants(position_options={"window": 3}))) == ALL_THE_SAME
