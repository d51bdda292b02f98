from hf_lengthgen.hub.folder_files import keys, name_problem, read_json


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
