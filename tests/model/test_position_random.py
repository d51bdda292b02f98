"""Random positions: what is drawn in training, what is fixed at evaluation, and what reads it."""

import dataclasses

import pytest
import torch

from hf_lengthgen.model.position_random import RandomFloatEmbedding, RandomizedEmbedding

from .cases import Case, left_padded
from .contexts import context

FAMILIES = {"randomized": RandomizedEmbedding, "random_float": RandomFloatEmbedding}
KINDS = [(name, kind) for name, family in FAMILIES.items() for kind in family.kinds]
RELATIVE = [(n, k) for n, k in KINDS if FAMILIES[n].kinds[k].takes_scale_hint]


def case_of(name, kind, scale_hint="none", **options):
    return Case(name, {"kind": kind, "gap": 2} | options, scale_hint)


def position(name, kind, scale_hint="none", **options):
    return case_of(name, kind, scale_hint, **options).model().position_modules()[0]


def with_ids(embedding, ctx):
    ids = embedding.make_ids(torch.zeros(ctx.k_pos.shape), ctx.k_pos)
    return dataclasses.replace(ctx, q_ids=ids[:, : ctx.q_pos.shape[1]], k_ids=ids, memo={})


# -- training ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_training_ids_are_sorted_distinct_and_spread_over_the_range(name):
    embedding = position(name, "rope").train()
    firsts, lasts = [], []
    for step in range(400):
        embedding.noise_key = (0, step)
        ids = embedding.make_ids(torch.zeros(2, 20), context(20).k_pos)
        assert ids.shape == (1, 20) and (ids.diff() > 0).all() and ids.min() >= 0 and ids.max() < 64
        firsts.append(float(ids[0, 0]))
        lasts.append(float(ids[0, -1]))
    # The expected smallest and largest of 20 out of 64.
    assert sum(firsts) / 400 == pytest.approx(64 / 21, abs=1.2)
    assert sum(lasts) / 400 == pytest.approx(64 * 20 / 21, abs=1.2)


def test_every_set_of_positions_is_as_likely():
    embedding = position("randomized", "sinusoidal").train()
    counts = torch.zeros(64)
    for step in range(2000):
        embedding.noise_key = (1, step)
        counts[embedding.draw(16)] += 1
    assert (counts / 2000 - 0.25).abs().max() < 0.05


def test_draws_follow_the_noise_key_and_else_the_global_generator():
    embedding, positions = position("randomized", "rope").train(), context(12).k_pos
    embedding.noise_key = (3, 5)
    first = embedding.make_ids(torch.zeros(1, 12), positions)
    assert torch.equal(first, embedding.make_ids(torch.zeros(1, 12), positions))
    embedding.noise_key = (3, 6)
    assert not torch.equal(first, embedding.make_ids(torch.zeros(1, 12), positions))
    embedding.noise_key = None
    torch.manual_seed(0)
    one = embedding.make_ids(torch.zeros(1, 12), positions)
    assert not torch.equal(one, embedding.make_ids(torch.zeros(1, 12), positions))
    torch.manual_seed(0)
    assert torch.equal(one, embedding.make_ids(torch.zeros(1, 12), positions))


@pytest.mark.parametrize("kind", ["rope", "transformer_xl"])
def test_one_draw_serves_all_layers(kind, monkeypatch):
    model = case_of("randomized", kind).model(num_hidden_layers=3).train()
    drawn = []
    cls = type(model.position_modules()[0])
    real = cls.draw
    monkeypatch.setattr(cls, "draw", lambda self, count: drawn.append(count) or real(self, count))
    model(case_of("randomized", kind).prompts())
    assert drawn == [12]


def test_a_cached_step_in_training_mode_is_an_error():
    model = case_of("randomized", "rope").model().train()
    cache = model(case_of("randomized", "rope").prompts(), use_cache=True).past_key_values
    with pytest.raises(ValueError, match="model.eval"):
        model(torch.full((3, 1), 12), past_key_values=cache)


def test_more_tokens_than_positions_is_an_error_in_training():
    embedding = position("randomized", "rope").train()
    with pytest.raises(ValueError, match="an input of 65 tokens"):
        embedding.make_ids(torch.zeros(1, 65), context(65).k_pos)


# -- evaluation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_evaluation_ids_do_not_depend_on_length_padding_or_noise(name):
    embedding = position(name, "rope")
    ids = embedding.make_ids(None, context(20).k_pos)[0]
    embedding.noise_key = (3, 5)
    for length in (1, 7, 19):
        assert torch.equal(embedding.make_ids(None, context(length).k_pos)[0], ids[:length])
    padded = embedding.make_ids(None, context(9, left_pad=(0, 4)).k_pos)
    assert torch.equal(padded[0], ids[:9])
    assert padded[1, :4].eq(-1).all() and torch.equal(padded[1, 4:], ids[:5])
    other = position(name, "rope", seed=1).make_ids(None, context(20).k_pos)[0]
    assert not torch.equal(other, ids)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_beyond_the_range_is_an_error(name, kind):
    with pytest.raises(ValueError, match="choose a smaller position option gap \\(now 2\\)"):
        position(name, kind).make_ids(None, context(60).k_pos)


def test_a_gap_of_one_is_the_ordinary_embedding():
    """Ids 0, 1, 2, …: every kind equals the embedding it is built on."""
    for kind in RandomizedEmbedding.kinds:
        if kind == "shaw":
            continue  # its table is not clipped
        random, ordinary = case_of("randomized", kind, gap=1).model(), Case(kind).model()
        ordinary.load_state_dict(random.state_dict())
        ids = Case(kind).prompts()
        torch.testing.assert_close(random(ids).logits, ordinary(ids).logits)


# -- what reads the ids --------------------------------------------------------------------------------------------


def test_the_relative_table_has_a_row_for_all_2l_minus_1_distances():
    embedding = position("randomized", "shaw", "prompt")
    assert embedding.keys.shape == (1, 2 * 64 - 1, 8)
    q = torch.randn(1, 4, 2, 8)
    ctx = context(2)
    ctx.q_ids, ctx.k_ids, ctx.scale = torch.tensor([[0, 63]]), torch.tensor([[0, 63]]), None
    rows = embedding.rows(ctx)[0, 0]
    assert rows.tolist() == [[63, 0], [126, 63]]
    bias = embedding.bias(q, None, None, ctx)
    expected = q[0, 2, 1] @ embedding.keys[0, 126] / 8**0.5
    torch.testing.assert_close(bias[0, 2, 1, 0], expected)


@pytest.mark.parametrize(("name", "kind"), [(n, k) for n, k in KINDS if k in ("sinusoidal", "learned")])
@torch.no_grad()
def test_absolute_kinds_look_up_their_ids(name, kind):
    embedding = position(name, kind)
    ctx = with_ids(embedding, context(9))
    made = embedding.embed(ctx)[0]
    for token, number in enumerate(ctx.q_ids[0]):
        at = dataclasses.replace(ctx, q_ids=number.reshape(1, 1))
        torch.testing.assert_close(made[token], embedding.embed(at)[0, 0])
    if kind == "learned":
        assert torch.equal(made, embedding.weight[ctx.q_ids[0]])


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("hint", ["none", "prompt"])
def test_distances_are_between_ids_of_shifted_positions(name, hint):
    """By loops, on a padded batch: id(i - c·n) - id(j); before the beginning ids go down by one."""
    embedding = position(name, "alibi", hint)
    ctx = context(11, left_pad=(0, 3), scale=[[2], [3]] if hint == "prompt" else None)
    ctx = with_ids(embedding, ctx)
    table = embedding.make_ids(None, context(11).k_pos)[0].tolist()
    made = ctx.distance(embedding.head_shifts())
    for b, (n, pad) in enumerate([(2, 0), (3, 3)]):
        for h in range(4):
            for i in range(pad, 11):
                for j in range(pad, i + 1):
                    moved = i - pad - (h * n if hint == "prompt" else 0)
                    start = table[moved] if moved >= 0 else table[0] + moved
                    ours = made[b, h if hint == "prompt" else 0, i, j].item()
                    assert ours == pytest.approx(start - table[j - pad], abs=1e-4)


def test_shifted_ids_are_the_same_in_a_cached_step():
    embedding = position("randomized", "alibi", "prompt")
    full = with_ids(embedding, context(11, left_pad=(0, 3), scale=[[2], [3]]))
    whole = full.shifted_queries(embedding.head_shifts())
    step = dataclasses.replace(full, q_pos=full.q_pos[:, 8:], q_ids=full.q_ids[:, 8:])
    assert torch.equal(step.shifted_queries(embedding.head_shifts()), whole[:, :, 8:])


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_padding_in_bfloat16_is_finite_in_training_and_evaluation(name, kind):
    case = case_of(name, kind, "prompt" if (name, kind) in RELATIVE else "none")
    model = case.model().to(torch.bfloat16)
    ids, mask = left_padded([case.prompts()[0], case.prompts()[1, :9]])
    for mode in (True, False):
        assert model.train(mode)(ids, attention_mask=mask).logits.isfinite().all()


# -- options -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_each_kind_takes_its_own_options_and_no_others(name, kind):
    with pytest.raises(ValueError, match="no option 'dimensions'"):
        case_of(name, kind, dimensions=3).config()
    foreign = "theta" if kind != "rope" else "width"
    with pytest.raises(ValueError, match=f"no option '{foreign}'"):
        case_of(name, kind, **{foreign: 10}).config()


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("randomized", {"kind": "rop"}, "Did you mean 'rope'"),
        ("random_float", {"kind": "shaw"}, "must be one of sinusoidal, rope, alibi"),
        ("randomized", {"gap": 0}, "gap"),
        ("randomized", {"gap": 1.5}, "gap"),
        ("random_float", {"gap": 0.0}, "gap"),
        ("randomized", {"seed": -1}, "seed"),
        ("randomized", {"kind": "rope", "theta": -1.0}, "theta"),
        ("randomized", {"kind": "shaw", "window": 5}, "no option 'window'"),
        ("randomized", {"kind": "shaw", "scale_shifts": 0}, "scale_shifts"),
    ],
)
def test_bad_options(name, options, word):
    with pytest.raises(ValueError, match=word):
        Case(name, options).config()


def test_a_hint_for_an_absolute_kind_is_an_error():
    with pytest.raises(ValueError, match="kinds that do: rope, alibi, transformer_xl, shaw, fire"):
        Case("randomized", {"kind": "learned"}, "prompt").config()


def test_fire_is_shared_where_asked():
    assert len(case_of("randomized", "fire").model().position_modules()) == 2
    assert len(case_of("randomized", "fire", shared=True).model().position_modules()) == 1
