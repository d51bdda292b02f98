"""The Scale Hint: read from the prompt, checked against it, or missing."""

import pytest
import torch

from hf_lengthgen import ScaleHintError
from hf_lengthgen.model.scale_hint import read_scale

from .cases import BOS, DELIMITER, SECOND, Case, left_padded

PROMPT, INPUT = Case("rope", scale_hint="prompt"), Case("rope", scale_hint="input")


def ids(first, second=0, tail=2):
    """A prompt with `first` and `second` tokens before its two delimiters."""
    row = [BOS] + [15] * first + [DELIMITER] + [16] * second + [SECOND] + [17] * tail
    return torch.tensor(row)


def test_read_scale_counts_tokens_between_delimiters():
    rows, mask = left_padded([ids(3, 2), ids(1, 6), ids(4, 1)])
    scale, boundaries = read_scale(rows, mask.argmax(-1), [[BOS, DELIMITER], [DELIMITER, SECOND]])
    assert scale.tolist() == [[3, 2], [1, 6], [4, 1]]
    assert boundaries.tolist() == [[[0, 4], [4, 7]], [[0, 2], [2, 9]], [[0, 5], [5, 7]]]


def test_padding_that_looks_like_the_start_is_not_read():
    """Tokenizers such as GPT-2's pad with the token that a text may begin with."""
    rows, mask = left_padded([ids(3, 2), ids(1)])
    rows = torch.where(mask.bool(), rows, BOS)
    scale, boundaries = read_scale(rows, mask.argmax(-1), [[BOS, DELIMITER]])
    assert scale.tolist() == [[3], [1]] and boundaries[:, 0, 0].tolist() == [0, 0]


def test_a_rule_may_start_at_the_first_token():
    rows, mask = left_padded([ids(3), ids(1)])
    scale, boundaries = read_scale(rows, mask.argmax(-1), [[None, DELIMITER]])
    assert scale.tolist() == [[3], [1]] and boundaries[1].tolist() == [[0, 2]]


def test_inferred_equals_given():
    model = PROMPT.model()
    rows, mask = left_padded([ids(3), ids(5)])
    inferred = model(rows, attention_mask=mask).logits
    for hint in (torch.tensor([3, 5]), torch.tensor([[3], [5]]), [3, 5]):
        assert torch.equal(inferred, model(rows, attention_mask=mask, scale_hint=hint).logits)
    assert torch.equal(inferred, INPUT.model()(rows, attention_mask=mask, scale_hint=torch.tensor([3, 5])).logits)


def test_the_hint_changes_the_output():
    model = INPUT.model(scale_rule=None)
    row = ids(4)[None]
    assert (model(row, scale_hint=[4]).logits - model(row, scale_hint=[5]).logits).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("case", "hint", "word"),
    [
        (PROMPT, [4], "contradicts example 0"),
        (INPUT, [4], "contradicts example 0"),
        (INPUT, None, "missing"),
        (Case("rope"), [3], "takes no scale_hint"),
        (PROMPT, [0], "at least 1, not 0"),
        (PROMPT, [3, 3], r"shape \(2,\)"),
        (PROMPT, [3.0], "integers"),
    ],
)
def test_bad_hints(case, hint, word):
    model = case.model()
    with pytest.raises(ScaleHintError, match=word) as error:
        model(ids(3)[None], scale_hint=hint)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=word):
        model.generate(ids(3)[None], scale_hint=None if hint is None else torch.tensor(hint), max_new_tokens=2)


def test_prompts_whose_scale_cannot_be_read():
    model = PROMPT.model()
    with pytest.raises(ScaleHintError, match="token 10 .* does not occur"):
        model(torch.tensor([[BOS, 15, 15]]))
    with pytest.raises(ScaleHintError, match="example 1 .* is 0; it must be at least 1"):
        model(*[torch.stack([ids(2, tail=2), ids(0, tail=4)])])
    with pytest.raises(ScaleHintError, match="at least 1"):
        model.generate(ids(0)[None], max_new_tokens=2)


def test_a_cached_step_or_embeddings_without_a_hint_are_errors():
    model = PROMPT.model()
    cache = model(ids(3)[None], use_cache=True).past_key_values
    with pytest.raises(ScaleHintError, match="missing"):
        model(torch.tensor([[15]]), past_key_values=cache)
    embeddings = model.get_input_embeddings()(ids(3)[None])
    with pytest.raises(ScaleHintError, match="missing"):
        model(inputs_embeds=embeddings)
    torch.testing.assert_close(model(inputs_embeds=embeddings, scale_hint=[3]).logits, model(ids(3)[None]).logits)


def test_segments_need_their_boundaries():
    case = Case("lbpe", {"segments": [0, 1]}, "prompt", hints=2)
    model, row = case.model(), ids(3, 2)[None]
    embeddings = model.get_input_embeddings()(row)
    with pytest.raises(ScaleHintError, match="scale_boundaries"):
        model(inputs_embeds=embeddings, scale_hint=[[3, 2]])
    given = model(inputs_embeds=embeddings, scale_hint=[[3, 2]], scale_boundaries=torch.tensor([[[0, 4], [4, 7]]]))
    torch.testing.assert_close(given.logits, model(row).logits)


def test_sampling_and_beams_expand_the_hint():
    model = INPUT.model()
    row, hint = ids(3)[None], torch.tensor([3])
    out = model.generate(row, scale_hint=hint, max_new_tokens=3, num_beams=2, num_return_sequences=2, do_sample=False)
    assert len(out) == 2
