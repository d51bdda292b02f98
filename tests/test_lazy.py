import sys

import pytest

from hf_lengthgen.lazy import lazy


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package on disk with one module, which counts how often it is imported."""
    folder = tmp_path / "parcel"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from hf_lengthgen.lazy import lazy\n"
        "__getattr__, __dir__, __all__ = lazy(__name__, {'two': 'numbers', 'one': 'numbers', 'lost': 'numbers'})\n"
    )
    (folder / "numbers.py").write_text("one, two = 1, 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__("parcel")
    for name in ("parcel", "parcel.numbers"):
        sys.modules.pop(name, None)


def test_a_module_is_imported_when_one_of_its_names_is_used(package):
    assert "parcel.numbers" not in sys.modules
    assert dir(package) == package.__all__ == ["lost", "one", "two"]
    assert "parcel.numbers" not in sys.modules
    assert (package.one, package.two) == (1, 2)
    assert "parcel.numbers" in sys.modules


def test_unknown_names_are_attribute_errors():
    load, _, names = lazy("somewhere", {})
    assert names == []
    with pytest.raises(AttributeError, match="module 'somewhere' has no attribute 'three'"):
        load("three")


def test_a_name_that_its_module_lacks_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match="lost"):
        _ = package.lost


def test_a_part_of_the_package_is_an_attribute(package):
    assert package.numbers is sys.modules["parcel.numbers"]
    with pytest.raises(AttributeError, match="no attribute 'letters'"):
        _ = package.letters


def test_a_part_that_cannot_be_imported_says_so(package, tmp_path):
    (tmp_path / "parcel" / "broken.py").write_text("import not_there_at_all")
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
        _ = package.broken
