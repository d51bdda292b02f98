"""Settings for all tests: no network, no writing to the user's caches, few threads."""

import os
import tempfile

# Before any Hugging Face import: they read these once.
_CACHE = tempfile.mkdtemp(prefix="hf_lengthgen_tests_")
os.environ.update(HF_HOME=_CACHE, HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false")
os.environ.pop("HF_DATASETS_CACHE", None)

import shutil  # noqa: E402

import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)  # the models are tiny, and more threads than free cores cost twenty times


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture
def lengthgen(capsys):
    """Runs a command; returns exit code, stdout, stderr."""
    from hf_lengthgen.cli import main

    def call(*words):
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """The folder of a finished run; not to be changed."""
    from training.tiny import WORDS

    from hf_lengthgen.cli import main

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", *WORDS, "--output_dir", str(folder)]) == 0
    return folder


def pytest_unconfigure(config):
    shutil.rmtree(_CACHE, ignore_errors=True)
