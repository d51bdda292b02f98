from matplotlib import colormaps
from matplotlib.colors import to_hex

from hf_lengthgen.compare.figures import heat_map, task_figure
from hf_lengthgen.compare.outcomes import gather

from .grids import TINY, file_result, grid, layout


def filed(folder, **changes):
    made, where = grid(seeds=[0], **changes), layout(folder)
    for cell in made.cells:
        file_result(cell, where, 8, 3, n_min=cell.config.n_min)
    return gather(made, where)


def looks(figure):
    """label -> (colour, marker, solid)."""
    legend = figure.legends[0]
    names = [text.get_text().partition("   ")[0] for text in legend.get_texts()]
    handles = legend.legend_handles
    found = [(to_hex(handle.get_color()), handle.get_marker(), handle.get_linestyle() == "-") for handle in handles]
    return dict(zip(names, found, strict=True))


def test_two_variants_of_one_embedding_look_different_and_a_hint_shows_in_the_dashes(tmp_path):
    coupling = {"position_embedding": "coupling", "scale_hint": "none"}
    variants = [
        {"name": "coupling"} | coupling,
        {"name": "short", "label": "position coupling (offset ≤ 50)", "max_position_embeddings": 64} | coupling,
        {"name": "lbpe", "scale_hint": "none"},
        {"name": "lbpe_hint", "position_embedding": "lbpe", "scale_hint": "prompt"},
        {"name": "lbpe_wide", "position_embedding": "lbpe", "label": "LBPE (window 3) + hint"},
        {"name": "rope_given", "position_embedding": "rope", "scale_hint": "input"},
        {"name": "rope", "scale_hint": "none"},
    ]
    found = looks(task_figure(filed(tmp_path, variants=variants), "copy"))
    assert len(found) == len(variants) and len({look[:2] for look in found.values()}) == 5
    for with_hint, without in (("LBPE + hint", "LBPE"), ("RoPE + given hint", "RoPE")):
        assert found[with_hint][:2] == found[without][:2]
        assert not found[without][2]
    assert found["LBPE"][0].upper() == "#D55E00"


def test_variants_with_training_lengths_of_their_own_are_drawn(tmp_path):
    variants = [
        {"name": "rope", "scale_hint": "none"},
        {"name": "none", "scale_hint": "none", "n_min": 2, "n_max": 8},
    ]
    axes = task_figure(filed(tmp_path, variants=variants), "copy").axes[0]
    assert axes.get_title(loc="left") == "copy: trained on n = 1–4 or 2–8" and not axes.patches


def test_the_heat_map_is_white_at_nothing_and_darker_the_farther(tmp_path):
    """On a logarithmic scale: from 4 to 8 as far as from 8 to 16."""
    lengths = TINY | {"eval_lengths": [2, 4, 8, 16]}
    variants = [{"name": f"v{i}", "position_embedding": "rope", "scale_hint": "none"} for i in range(4)]
    made, where = grid(base=lengths, tasks=[{"name": "copy"}], variants=variants, seeds=[0]), layout(tmp_path)
    for cell, correct in zip(made.cells, ((0,), (8, 8, 0), (8, 8, 8, 0), (8, 8, 8, 8)), strict=True):
        file_result(cell, where, *correct)
    outcomes = gather(made, where)
    assert [pair.reach(0.95) for pair in outcomes.pairs.values()] == [0, 4, 8, 16]
    axes = heat_map(outcomes).axes[0]
    faces = [patch.get_facecolor()[:3] for patch in axes.patches]
    brightness = [sum(face) for face in faces]
    assert brightness == sorted(brightness, reverse=True) and len(set(brightness)) == 4
    blues = colormaps["Blues"]
    assert faces[0] == blues(0.0)[:3] and faces[-1] == blues(1.0)[:3]
    # Half the shortest length that was trained on, 2, has the faintest blue: 2, 4, 8, 16 are evenly spaced.
    assert faces[1:] == [blues(0.15 + 0.85 * step / 3)[:3] for step in (1, 2, 3)]
    # Figures stay legible on dark fields.
    assert [text.get_color() for text in axes.texts][0] == "#222222" and axes.texts[-1].get_color() == "white"


def test_without_test_lengths_there_is_no_heat_map(tmp_path):
    outcomes = filed(tmp_path, base=TINY | {"eval_lengths": []})
    assert heat_map(outcomes) is None and task_figure(outcomes, "copy") is None
