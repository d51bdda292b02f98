from hf_lengthgen.evaluation.labels import NAMES, variant_name


def test_every_published_name_has_a_label_of_its_own():
    names = "none learned sinusoidal rope alibi t5 shaw kerple sandwich fire xpos randomized abacus"
    assert set(names.split()) | {
        "coupling",
        "cope",
        "dape",
        "urpe",
        "rpe_square",
        "random_float",
        "hard_alibi",
        "transformer_xl",
        "forgetting",
        "path",
        "ipe",
        "lbpe",
    } == set(NAMES)
    assert len(set(NAMES.values())) == len(NAMES)


def test_variants_say_what_the_model_knows():
    assert variant_name("rope", "none") == "RoPE"
    assert variant_name("rope", "prompt") == "RoPE + hint"
    assert variant_name("lbpe", "input", {"window": 3}) == "LBPE (window 3) + given hint"
    assert variant_name("their_own", "none") == "their_own"
