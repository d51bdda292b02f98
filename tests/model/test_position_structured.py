"""Abacus and position coupling in the model: where ids come from, and random offsets in training."""

import pytest
import torch

from .cases import BOS, DELIMITER, SECOND, Case, left_padded
from .contexts import context

DIGITS = [12, 13, 14, 15, 16, 17, 18, 19]
ABACUS = Case("abacus", {"digit_tokens": DIGITS, "max_offset": 5})
COUPLING = Case("coupling", {"delimiters": [DELIMITER, SECOND], "directions": ["backward", "backward", "forward"]})
ROW = torch.tensor([[BOS, 12, 13, 14, DELIMITER, 15, 16, SECOND, 17]])
ABACUS_IDS = torch.tensor([[0, 1, 2, 3, 0, 1, 2, 0, 1]])
COUPLING_IDS = torch.tensor([[0, 4, 3, 2, 1, 3, 2, 1, 2]])


@pytest.mark.parametrize(("case", "ids"), [(ABACUS, ABACUS_IDS), (COUPLING, COUPLING_IDS)], ids=["abacus", "coupling"])
def test_ids_of_the_full_input(case, ids):
    position = case.model().position_modules()[0]
    assert torch.equal(position.make_ids(ROW, torch.arange(9)[None]), ids)
    # Slots of a static cache that are not written yet; padding in front and behind.
    assert position.make_ids(ROW, torch.tensor([[*range(9), -1, -1]])).tolist() == [ids[0].tolist() + [-1, -1]]
    padded = torch.cat((torch.zeros(1, 2, dtype=torch.long), ROW, torch.zeros(1, 1, dtype=torch.long)), 1)
    places = torch.tensor([[-1, -1, *range(10)]])
    assert position.make_ids(padded, places).tolist() == [[-1, -1] + ids[0].tolist() + [0]]


@pytest.mark.parametrize("case", [Case("abacus"), Case("coupling")], ids=str)
def test_without_a_declared_structure_every_id_is_zero(case):
    model = case.model()
    position = model.position_modules()[0]
    assert (position.make_ids(None, torch.arange(5)[None]) == 0).all()
    # So cached steps need nothing, and all tokens get the same vector.
    assert torch.equal(position.embed(context(5))[0, 0], position.weight[0])
    cache = model(ROW, use_cache=True).past_key_values
    model(ROW[:, :1], past_key_values=cache)


@pytest.mark.parametrize("case", [ABACUS, COUPLING], ids=["abacus", "coupling"])
def test_a_bare_cached_step_is_an_error_and_generation_knows_the_ids(case):
    model = case.model()
    cache = model(ROW, use_cache=True).past_key_values
    with pytest.raises(ValueError, match="needs position_structure_ids"):
        model(ROW[:, :1], past_key_values=cache)
    with pytest.raises(ValueError, match="needs position_structure_ids"):
        model(inputs_embeds=model.model.embed_tokens(ROW))
    options = dict(max_new_tokens=5, do_sample=False, eos_token_id=None)
    assert torch.equal(model.generate(ROW, **options), model.generate(ROW, use_cache=False, **options))


@pytest.mark.parametrize(("case", "ids"), [(ABACUS, ABACUS_IDS), (COUPLING, COUPLING_IDS)], ids=["abacus", "coupling"])
def test_ids_may_be_given(case, ids):
    model = case.model()
    full = model(ROW).logits
    torch.testing.assert_close(
        model(inputs_embeds=model.model.embed_tokens(ROW), position_structure_ids=ids).logits, full
    )
    # More than is written yet: the rest is for later steps.
    cache = model(ROW[:, :4], use_cache=True, position_structure_ids=ids).past_key_values
    step = model(ROW[:, 4:], past_key_values=cache, position_structure_ids=ids)
    torch.testing.assert_close(step.logits, full[:, 4:], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(model(ROW, position_structure_ids=ids.flip(1)).logits, full)


def test_ids_given_to_generate_reach_every_step():
    """Ids for the prompt and all tokens to come; those of the structure give what generation gives by itself."""
    model = ABACUS.model()
    options = dict(max_new_tokens=4, do_sample=False, eos_token_id=None)
    out = model.generate(ROW, **options)
    ids = model.position_modules()[0].make_ids(out, torch.arange(out.shape[1])[None])
    assert torch.equal(model.generate(ROW, position_structure_ids=ids, **options), out)
    with pytest.raises(ValueError, match="covers 9 tokens, the input and its cache have 10"):
        model.generate(ROW, position_structure_ids=ABACUS_IDS, **options)


@pytest.mark.parametrize(
    ("case", "ids", "word"),
    [
        (ABACUS, ABACUS_IDS[:, :4], "covers 4 tokens, the input and its cache have 9"),
        (ABACUS, ABACUS_IDS[0], r"integers \(1, past"),
        (ABACUS, ABACUS_IDS.float(), r"integers \(1, past"),
        (ABACUS, ABACUS_IDS + 64, "beyond the 64 rows of the 'abacus' embedding"),
        (Case("rope"), ABACUS_IDS, "'rope' takes no position_structure_ids"),
    ],
)
def test_bad_ids(case, ids, word):
    with pytest.raises(ValueError, match=word):
        case.model()(ROW, position_structure_ids=ids)


def test_a_number_longer_than_the_table_is_an_error():
    row = torch.full((1, 70), 12)
    with pytest.raises(ValueError, match="id 70 is beyond the 64 rows of the 'abacus' embedding; build"):
        ABACUS.model()(row)


def offsets(model, step, row=ROW):
    """The offset of each row in training, found in the table."""
    model.train()
    model.set_gate_noise(0, step)
    position = model.position_modules()[0]
    ids = position.make_ids(row, torch.arange(row.shape[1])[None])
    ctx = context(row.shape[1])
    ctx.q_ids = ids
    vectors = position.embed(ctx)
    found = (vectors[:, :, None] == position.weight).all(-1).int().argmax(-1)
    moved = found - ids
    assert (moved[ids == 0] == 0).all()
    apart = [set(moved[r][ids[r] > 0].tolist()) for r in range(len(row))]
    assert all(len(values) == 1 for values in apart)
    return [values.pop() for values in apart]


def test_training_moves_all_ids_but_zero_by_a_random_offset_per_example():
    model, rows = ABACUS.model(), ROW.expand(64, -1)
    seen = offsets(model, 0, rows)
    assert set(seen) == set(range(6))  # 0..max_offset, all of them
    assert offsets(model, 0, rows) == seen  # a function of (seed, step)
    assert offsets(model, 1, rows) != seen
    model.eval()
    torch.testing.assert_close(model(ROW).logits, model(ROW).logits, atol=0, rtol=0)


def test_offsets_reach_to_the_end_of_the_table_and_no_further():
    rows = ROW.expand(2000, -1)
    seen = offsets(COUPLING.model(), 0, rows)
    assert min(seen) == 0 and max(seen) == 64 - 1 - 4
    assert max(offsets(COUPLING.model(max_position_embeddings=5), 0, rows)) == 0


def test_a_base_runs_on_positions():
    """Abacus with zero vectors and a T5 base is T5."""
    case = Case("abacus", ABACUS.options | {"base": "t5"})
    model, plain = case.model(), Case("t5").model()
    weights = model.state_dict()
    weights.pop("model.positions.0.weight").zero_()
    plain.load_state_dict({k.replace("positions.0.base.", "positions.0."): v for k, v in weights.items()})
    ids, mask = left_padded([ROW[0], ROW[0, :6]])
    torch.testing.assert_close(model(ids, attention_mask=mask).logits, plain(ids, attention_mask=mask).logits)


@pytest.mark.parametrize(
    ("case", "word"),
    [
        (Case("abacus", {"digit_tokens": [12, 12]}), "digit_tokens of 'abacus' must list different token ids in 0..19"),
        (Case("abacus", {"digit_tokens": [20]}), "digit_tokens of 'abacus' must list different token ids in 0..19"),
        (Case("abacus", {"digit_tokens": ["1"]}), "digit_tokens of 'abacus' must list different token ids in 0..19"),
        (Case("abacus", {"max_offset": -1}), "max_offset of 'abacus' must be at least 0"),
        (Case("abacus", {"base": "learned"}), "base of 'abacus' must be an additive bias or a rotation"),
        (Case("abacus", {"base": "fire"}), "base of 'abacus' serves all layers; 'fire' so made has one for each"),
        (Case("abacus", {"base": "cope"}), "base of 'abacus' serves all layers; 'cope' so made has one for each"),
        (Case("coupling", {"delimiters": [10], "directions": ["forward"]}), "for each of 2 segments"),
        (Case("coupling", {"delimiters": [10], "directions": ["back", "forward"]}), "one of forward, backward"),
        (Case("coupling", {"delimiters": [10], "directions": ["forward", "backward"]}), "last segment has no end"),
        (Case("abacus", scale_hint="prompt"), "does not use a Scale Hint"),
    ],
)
def test_bad_options(case, word):
    with pytest.raises(ValueError, match=word):
        case.config()


def test_a_backward_segment_without_its_end_is_an_error():
    with pytest.raises(ValueError, match="segment 1 is counted from its end, but token 11, which closes it"):
        COUPLING.model()(ROW[:, :6])


@pytest.mark.parametrize("case", [ABACUS, COUPLING], ids=str)
def test_no_cached_steps_in_training_mode(case):
    """Every pass draws an offset: a later step would stand at another one than its prompt."""
    model, ids = case.model().train(), case.prompts(rows=1)
    with pytest.raises(ValueError, match="a cached step .* needs model.eval()"):
        model.generate(ids, max_new_tokens=3, do_sample=False, eos_token_id=None)
    model.eval().generate(ids, max_new_tokens=3, do_sample=False, eos_token_id=None)
