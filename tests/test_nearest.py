from hf_lengthgen.nearest import did_you_mean


def test_the_nearest_name_if_one_is_near():
    assert did_you_mean("copi", ["reverse", "copy"]) == "; did you mean 'copy'?"
    assert did_you_mean("xyz", ["reverse", "copy"]) == did_you_mean(3, []) == ""
