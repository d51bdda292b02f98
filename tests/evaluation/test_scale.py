from hf_lengthgen.evaluation.scale import scale_text


def test_scales_as_text():
    assert scale_text(50) == scale_text([50]) == scale_text((50,)) == "50"
    assert scale_text([30, 1000]) == "30x1000"
    assert scale_text([30, 1000], thousands=True) == "30x1,000"
