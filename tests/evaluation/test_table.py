from hf_lengthgen.evaluation.table import Table, columns, markdown


def test_the_first_columns_are_aligned_left_the_others_right():
    table = markdown(["task", "variant", "n"], [["copy", "RoPE", "5"], ("copy", "a|b", "")], left=2)
    assert table == "| task | variant | n |\n| --- | --- | ---: |\n| copy | RoPE | 5 |\n| copy | a\\|b |  |\n"
    assert markdown(["a", "b"], []) == "| a | b |\n| --- | ---: |\n"
    assert markdown(["a", "b"], [], left=0, others=":-:") == "| a | b |\n| :-: | :-: |\n"


def test_a_table_and_the_paragraph_below_it():
    rows = [["a", "1"], ["b", "2"]]
    assert Table(["x", "n"], rows).markdown() == markdown(["x", "n"], rows)
    assert Table(["x", "n"], rows, left=0, note="as seen").markdown() == markdown(["x", "n"], rows, 0) + "\nas seen\n"


def test_columns_are_as_wide_as_their_widest_cell():
    assert columns([["n", "right"], ["1000", "2/3"], ["5", ""]]) == "n     right\n1000  2/3\n5"
