import json

import pytest

from hf_lengthgen import LengthGenConfig, LengthGenForCausalLM, LengthGenModel, __version__
from hf_lengthgen.hub import digests


def test_save_pretrained_copies_these_files_byte_for_byte(tmp_path, monkeypatch):
    for cls, auto in ((LengthGenConfig, "AutoConfig"), (LengthGenModel, "AutoModel")):
        monkeypatch.setattr(cls, "_auto_class", auto)
    monkeypatch.setattr(LengthGenForCausalLM, "_auto_class", "AutoModelForCausalLM")
    LengthGenForCausalLM(LengthGenConfig(hidden_size=16, num_attention_heads=2, num_hidden_layers=1)).save_pretrained(
        tmp_path
    )
    copied = {path.name: digests.digest(path) for path in tmp_path.glob("*.py")}
    assert copied == digests.installed() and sorted(copied) == digests.code_names()


def test_a_release_is_recorded_once(tmp_path, monkeypatch):
    path = tmp_path / "releases.json"
    path.write_text("{}")
    digests.write(path)
    digests.write(path)
    assert json.loads(path.read_text()) == {__version__: digests.installed()}
    monkeypatch.setattr(digests, "installed", lambda: {"relation.py": "0" * 64})
    with pytest.raises(ValueError, match=f"release {__version__} is recorded with other code.*bump the version"):
        digests.write(path)
    monkeypatch.setattr(digests, "__version__", "9.9")
    digests.write(path)
    assert list(json.loads(path.read_text())) == [__version__, "9.9"]


def test_the_table_of_releases_is_sound():
    for version, files in digests.releases().items():
        assert version == "installed" or version[0].isdigit()
        assert all(name.endswith(".py") and len(value) == 64 for name, value in files.items())
        assert {"modeling_lengthgen.py", "configuration_lengthgen.py"} <= files.keys()


def test_main_prints(capsys):
    assert digests.main([]) == 0
    assert json.loads(capsys.readouterr().out) == {__version__: digests.installed()}
