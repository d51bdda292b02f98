import pytest

from hf_lengthgen.compare.outcomes import gather

from .grids import file_result, grid, layout

ROPE = {"position_embedding": "rope", "scale_hint": "none"}


def labels(variants, **changes):
    return dict(grid(variants=variants, **changes).labels)


def test_a_label_is_given_or_made_from_the_settings():
    assert labels([{"name": "rope", "scale_hint": "none"}, {"name": "lbpe", "label": "ours"}]) == {
        "rope": "RoPE",
        "lbpe": "ours",
    }
    assert labels([{"name": "alibi", "scale_hint": "prompt"}]) == {"alibi": "ALiBi + hint"}


def test_two_variants_of_one_embedding_are_called_by_their_names():
    short = {"name": "short", "steps": 5} | ROPE
    assert labels([ROPE | {"name": "long"}, short, {"name": "lbpe"}]) == {
        "long": "long",
        "short": "short",
        "lbpe": "LBPE + hint",
    }
    assert labels([ROPE | {"name": "long"}, short | {"label": "RoPE"}]) == {"long": "long", "short": "RoPE"}
    # `sinusoidal` is called by its name, which must not be what another one is called by default.
    odd = [
        {"name": "sinusoidal"} | ROPE,
        {"name": "rope"} | ROPE,
        {"name": "s", "position_embedding": "sinusoidal", "scale_hint": "none"},
    ]
    assert labels(odd) == {"sinusoidal": "sinusoidal", "rope": "rope", "s": "s"}


def test_a_variant_whose_hint_is_not_the_same_on_all_tasks_is_called_by_its_name():
    tasks = [{"name": "copy"}, {"name": "reverse", "variants": {"mixed": {"scale_hint": "prompt"}}}]
    assert labels([ROPE | {"name": "mixed"}], tasks=tasks) == {"mixed": "mixed"}
    assert labels([ROPE | {"name": "mixed", "only": ["reverse"]}], tasks=tasks) == {"mixed": "RoPE + hint"}


@pytest.mark.parametrize(
    "first, second, message",
    [
        ({"label": "ours"}, {"label": "ours"}, "variants: b: the label 'ours' belongs to a already"),
        ({}, {"label": "a"}, "variants: b: the label 'a' belongs to a already"),
        ({"label": "b"}, {}, "variants: a: the label 'b' belongs to b already"),
    ],
)
def test_a_label_of_two_variants_is_refused(first, second, message):
    with pytest.raises(ValueError, match=message):
        labels([ROPE | {"name": "a"} | first, ROPE | {"name": "b"} | second])


def test_tables_and_figures_use_them(tmp_path):
    from hf_lengthgen.compare import figures, tables

    made, where = grid(variants=[ROPE | {"name": "a"}, ROPE | {"name": "b", "steps": 5}], seeds=[0]), layout(tmp_path)
    for cell in made.cells:
        file_result(cell, where, 8, 3)
    outcomes = gather(made, where)
    assert tables.reach_table(outcomes).head == ["task", "a", "b"]
    assert [row[:2] for row in tables.task_table(outcomes, "copy").rows] == [["a", "1"], ["b", "1"]]
    assert [tick.get_text() for tick in figures.heat_map(outcomes).axes[0].get_xticklabels()] == ["a", "b"]
