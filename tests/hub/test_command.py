import argparse
import shutil
import sys

import pytest

from hf_lengthgen.data.publish import export
from hf_lengthgen.hub import check, publish
from hf_lengthgen.hub.command import add_parsers


def run(*words):
    """As cli.main would, without its turning errors into a line."""
    parser = argparse.ArgumentParser()
    add_parsers(parser.add_subparsers(required=True))
    chosen, rest = parser.parse_known_args([str(word) for word in words])
    chosen.run(chosen, rest, "lengthgen …")


def test_push_and_verify_a_model(hub, model, capsys):
    run("push", model, "me/adder", "--private", "--no_check", "--message", "First")
    commit = hub.repos["model", "me/adder"].branches["main"]
    assert f"{hub.url}/me/adder: " in (out := capsys.readouterr().out) and f"commit {commit}" in out
    run("verify", f"me/adder@{commit}")
    assert f"verified (commit {commit}, " in (out := capsys.readouterr().out) and "the code of this package)" in out


def test_dry_run(hub, model, tmp_path, capsys):
    run("push", model, "me/adder", "--to_folder", tmp_path / "dry", "--no_check", "--license", "mit")
    assert "not checked; nothing was sent" in capsys.readouterr().out and hub.requests == []
    run("verify", tmp_path / "dry")
    assert f"{tmp_path / 'dry'}: verified (" in capsys.readouterr().out
    assert "license: mit" in (tmp_path / "dry" / "README.md").read_text()


def test_controls_on_the_card(hub, model, tmp_path):
    from evaluation.results import make_result

    make_result("rope", scores=[(12, 60), (24, 0)]).save(tmp_path / "rope.json")
    run("push", model, "me/adder", "--to_folder", tmp_path / "dry", "--no_check", "--compare", tmp_path / "rope.json")
    card = (tmp_path / "dry" / "README.md").read_text()
    assert "## Beside other runs" in card and "| RoPE | 1 | 60.0 |" in card


def test_push_a_data_set(hub, tmp_path, capsys):
    folder = export(tmp_path / "out", "copy", rows=50, n_max=4)
    run("push", folder, "me/copies", "--public", "--revision", "small")
    assert f"{hub.url}/datasets/me/copies: 4 files" in capsys.readouterr().out
    assert "README.md" in hub.files("me/copies", "dataset", "small")
    for option, value in (("--to_folder", tmp_path / "x"), ("--license", "mit"), ("--license", "apache-2.0")):
        with pytest.raises(ValueError, match=f"{option} is for models"):
            run("push", folder, "me/copies", option, value)


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["push", "nowhere", "me/adder"], FileNotFoundError, "There is no folder 'nowhere'"),
        (["push", ".", "me/adder", "--colour"], ValueError, "unknown argument '--colour'"),
        (["push", "EMPTY", "me/adder"], FileNotFoundError, "holds no model"),
        (["verify", "nowhere"], OSError, "There is no folder 'nowhere'"),
        (["verify", "EMPTY"], FileNotFoundError, "holds no model"),
    ],
)
def test_bad_commands(words, error, message, hub, tmp_path):
    words = [str(tmp_path) if word == "EMPTY" else word for word in words]
    with pytest.raises(error, match=message):
        run(*words)


def test_a_tampered_folder(assembled, tmp_path):
    folder = shutil.copytree(assembled, tmp_path / "copy")
    (folder / "relation.py").write_text("import os\n")
    with pytest.raises(ValueError, match="is refused: relation.py differs"):
        run("verify", folder)


def test_demo_without_gradio(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(ValueError, match="needs gradio"):
        run("demo", model)
    with pytest.raises(ValueError, match="there is no model"):
        run("demo", "nowhere")


@pytest.mark.parametrize(("words", "port"), [([], 7860), (["--port", "8001"], 8001)])
def test_the_models_and_the_port_of_the_demo_arrive(monkeypatch, words, port):
    started = []
    monkeypatch.setattr("hf_lengthgen.hub.demo.launch", lambda places, port: started.append((places, port)))
    run("demo", "one", "other", *words)
    assert started == [(["one", "other"], port)]


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        ([], "private", None),
        (["--private"], "private", True),
        (["--public"], "private", False),
        (["--message", "First"], "message", "First"),
        (["--revision", "next"], "revision", "next"),
        (["--dataset", "me/sums"], "dataset_id", "me/sums"),
        (["--license", "mit"], "license", "mit"),
        ([], "license", "apache-2.0"),
        ([], "checks", True),
        (["--no_check"], "checks", False),
        (["--to_folder", "out"], "to_folder", "out"),
    ],
)
def test_every_option_of_push_arrives(model, monkeypatch, words, key, value):
    given = {}
    monkeypatch.setattr(publish, "push", lambda folder, name, **options: given.update(options) or folder)
    run("push", model, "me/adder", *words)
    assert given[key] == value


def test_push_tells_what_was_checked_and_sent(model, monkeypatch, capsys):
    checked = check.Checked([12], 64, 64, 64)
    sent = publish.Pushed("https://hub/me/adder", "abc", 40, checked)
    monkeypatch.setattr(publish, "push", lambda folder, name, **options: sent)
    run("push", model, "me/adder")
    assert capsys.readouterr().out == f"The model {checked}.\nhttps://hub/me/adder: 40 files, commit abc\n"
