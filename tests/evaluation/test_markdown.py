from hf_lengthgen.evaluation.markdown import markdown


def test_the_first_columns_are_aligned_left_the_others_right():
    table = markdown(["task", "variant", "n"], [["copy", "RoPE", "5"], ("copy", "a|b", "")], left=2)
    assert table == "| task | variant | n |\n| --- | --- | ---: |\n| copy | RoPE | 5 |\n| copy | a\\|b |  |\n"
    assert markdown(["a", "b"], []) == "| a | b |\n| --- | ---: |\n"
    assert markdown(["a", "b"], [], left=0, others=":-:") == "| a | b |\n| :-: | :-: |\n"
