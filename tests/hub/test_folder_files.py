from hf_lengthgen.hub.folder_files import keys, name_problem, read_files, read_json


def test_every_kind_of_pickle_is_known():
    """Names that torch, numpy, joblib and Keras give to files that run code when they are read."""
    for suffix in (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".npy", ".joblib", ".h5"):
        assert "run code" in name_problem(f"weights{suffix}")
        assert "run code" in name_problem(f"folder/WEIGHTS{suffix.upper()}")
    assert name_problem("model.safetensors") is None and name_problem("README.md") is None


def test_keys_are_found_at_any_depth():
    value = {"auto_map": 1}
    for _ in range(10**4):  # deeper than Python calls functions, as a parser in C may have read it
        value = [value]
    assert list(keys(value)) == ["auto_map"]


def test_constants_that_python_writes_are_read(tmp_path):
    (tmp_path / "training.json").write_text('{"loss": NaN, "bound": Infinity}')
    assert read_json(tmp_path / "training.json")["bound"] == float("inf")


def test_each_file_is_read_as_what_its_name_says(tmp_path):
    (tmp_path / "config.json").write_text('{"a": 1}')
    (tmp_path / "result.json").write_text('{"deep": {"auto_map": "x"}}')
    (tmp_path / "tokenizer.json").write_text("[]")
    (tmp_path / "README.md").write_bytes(b"PK\x03\x04")
    (tmp_path / "model.safetensors").write_bytes(b"short")
    names = sorted(path.name for path in tmp_path.iterdir())
    found, problems = read_files(
        tmp_path, names, {"config.json": lambda data, names: [f"has {data['a']} of {len(names)}"]}
    )
    assert found["config.json"] == {"a": 1} and "tokenizer.json" not in found
    starts = (
        "README.md is a binary file",
        "config.json has 1 of 5",
        "model.safetensors is no sound safetensors file: ",
    )
    starts += ("result.json names code to run (auto_map)", "tokenizer.json holds no object")
    assert len(problems) == 5 and all(map(str.startswith, problems, starts))
