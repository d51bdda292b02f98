"""The public names: all there, and loaded only when used."""

import subprocess
import sys

import pytest

import hf_lengthgen


def test_every_public_name_is_there():
    for name in hf_lengthgen.__all__:
        assert getattr(hf_lengthgen, name) is not None, name
    assert set(hf_lengthgen.__all__) <= set(dir(hf_lengthgen))
    with pytest.raises(AttributeError, match="no attribute 'LengthGen'"):
        hf_lengthgen.LengthGen  # noqa: B018


def test_importing_is_light_and_a_model_name_registers():
    script = (
        "import sys, hf_lengthgen; assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)\n"
        "hf_lengthgen.LengthGenConfig; from transformers import AutoConfig\n"
        "print(type(AutoConfig.for_model('lengthgen')).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "LengthGenConfig"
