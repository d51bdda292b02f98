from hf_lengthgen.evaluation.labels import NAMES, variant_name, with_knowledge


def test_what_an_embedding_is_told_is_named_once():
    assert with_knowledge("none", "rope") == "none"
    assert with_knowledge("none", "coupling") == "how the answer lines up with the prompt"
    both = with_knowledge("the scale n", "ipe")
    assert both == "the scale n; the relations that solve the task" == with_knowledge(both, "ipe")


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
