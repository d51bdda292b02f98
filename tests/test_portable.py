from hf_lengthgen.portable import portable, portable_place


def test_commands_are_written_as_others_can_give_them(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    words = ["lengthgen", "train", "--base_model", "/far/away/model", f"--config={tmp_path}/recipes/a.yaml", "--steps"]
    words += ["3", "--result", "results/r.json", "--output_dir=/far/out", "--note", "/far is a word here"]
    assert portable(words) == (
        "lengthgen train --base_model BASE_MODEL --config=recipes/a.yaml --steps 3 --result results/r.json "
        "--output_dir=OUTPUT_DIR --note '/far is a word here'"
    )


def test_a_place_without_an_option(monkeypatch, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    words = ["lengthgen", "evaluate", str(tmp_path / "run"), "--lengths", "5", "--task_options.symbols", "/"]
    assert portable(words) == "lengthgen evaluate PLACE --lengths 5 --task_options.symbols /"
    monkeypatch.chdir(tmp_path)
    assert portable(words) == "lengthgen evaluate run --lengths 5 --task_options.symbols /"


def test_a_place_in_the_settings():
    assert portable_place("init_from", "/far/away") == "INIT_FROM"
    assert portable_place("init_from", "runs/a") == "runs/a" and portable_place("init_from", "me/model") == "me/model"
