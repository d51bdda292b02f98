"""What the evaluation of a text model hands to it."""

import pytest

from hf_lengthgen.retrofit.evaluate import MODES, evaluate_text

from .test_train import fresh


@pytest.mark.parametrize("mode", MODES)
def test_the_hint_is_given_where_it_is_wanted_and_only_there(mode):
    _, model, codec = fresh()
    hints = []
    model.register_forward_pre_hook(lambda m, args, kwargs: hints.append(kwargs.get("scale_hint")), with_kwargs=True)
    evaluate_text(model, codec, [2], examples=3, mode=mode)
    assert hints[0].tolist() == [[2]] * 3
    hints.clear()
    evaluate_text(model, codec, [2], examples=3, mode=mode, give_hint=False)
    assert hints and all(hint is None for hint in hints)
