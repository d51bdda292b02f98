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


def pytest_unconfigure(config):
    shutil.rmtree(_CACHE, ignore_errors=True)
