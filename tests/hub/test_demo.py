"""The page. Gradio is an extra: without it, only that its absence is told clearly."""

import importlib.util
import sys
import tomllib
from pathlib import Path

import pytest

from hf_lengthgen.hub import demo

SPACE = Path(__file__).parents[2] / "space"


def test_without_gradio(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(ValueError, match="needs gradio, which is not installed: pip install gradio"):
        demo.launch([model])


def test_without_models(tmp_path):
    with pytest.raises(ValueError, match="there is no model"):
        demo.build([tmp_path])


def files(folder):
    """Path -> bytes of a tree, without what Python keeps for itself."""
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_the_space_is_whole(model, tmp_path):
    """The folder that is pushed: page, package, models, and front matter that the Hub can read."""
    import yaml

    spec = importlib.util.spec_from_file_location("space_build", SPACE / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = module.build(tmp_path / "space", [model])
    for name in (
        "app.py",
        "README.md",
        "requirements.txt",
        "hf_lengthgen/__init__.py",
        "model_cards/adder/config.json",
    ):
        assert (folder / name).is_file()
    assert not list(folder.rglob("__pycache__")) and not (folder / "build.py").exists()
    for copied, source, left_out in (
        (folder / "hf_lengthgen", SPACE.parent / "hf_lengthgen", set()),
        (folder / "model_cards" / "adder", model, set()),
        (folder, SPACE, {"build.py"}),
    ):
        wanted = {path: data for path, data in files(source).items() if path not in left_out}
        found = files(copied)
        assert {path: found.get(path) for path in wanted} == wanted
        assert copied == folder or found.keys() == wanted.keys()
    front = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    assert front["sdk"] == "gradio" and front["app_file"] == "app.py" and len(front["short_description"]) <= 60
    compile((folder / "app.py").read_text(), "app.py", "exec")


def test_the_page_answers(model):
    gradio = pytest.importorskip("gradio", minversion="5", reason="an extra: make test-extras")
    page = demo.build([model])
    assert isinstance(page, gradio.Blocks)
    dropdowns = [block for block in page.blocks.values() if isinstance(block, gradio.Dropdown)]
    label = next(block for block in dropdowns if block.label == "Model")
    functions = {f.fn.__name__: f.fn for f in page.fns.values() if f.fn is not None}
    example, *_, curve, relations, _, _, _ = functions["choose"](label.value)
    assert "<svg" in curve and "places back" in relations
    verdict, _, answer = functions["solve"](label.value, example)
    assert "✓ right" in verdict and "→" in functions["draw"](label.value, answer, "layer 1", 0)
    told, _, nothing = functions["solve"](label.value, "<b>hello")
    assert "lacks &#x27;+&#x27;" in told and "&lt;b&gt;hello" in told and nothing is None
    assert functions["draw"](label.value, nothing, "all layers", 0) == ""


def test_the_space_installs_what_the_package_is_made_for():
    project = tomllib.loads((SPACE.parent / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = [line for line in (SPACE / "requirements.txt").read_text().splitlines() if not line.startswith("-")]
    assert wanted and set(wanted) <= set(project)
