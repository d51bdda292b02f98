import pytest

from hf_lengthgen.leftover import nothing_more


def test_words_that_no_command_takes():
    nothing_more([])
    with pytest.raises(ValueError, match="^unknown argument '--colour'.$"):
        nothing_more(["--colour", "red"])
