"""The loopback Hub as a fixture: every Hugging Face library in this process talks to it, from an empty cache."""

import datasets
import huggingface_hub
import pytest
import transformers.dynamic_module_utils
import transformers.utils.hub
from huggingface_hub import constants

from hf_lengthgen.hub.assemble import assemble

from .loopback import WRITER, LoopbackHub
from .models import copy_model


def point_at(url, home, monkeypatch):
    """What HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE would have set, had they been there at import time."""
    values = {
        "ENDPOINT": url,
        "HUGGINGFACE_CO_URL_TEMPLATE": url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_URL_HOSTS": frozenset({"127.0.0.1"}),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,  # another protocol; without it files travel by LFS
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_TOKEN_PATH": str(home / "token"),
    }
    for name, value in values.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", url)
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", url)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HUB_DATASETS_URL", url + "/datasets/{repo_id}/resolve/{revision}/{path}")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", home / "datasets")
    monkeypatch.setattr(transformers.utils.hub, "_hf_api", None)  # transformers keeps the first address that it saw
    monkeypatch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", str(home / "modules"))
    huggingface_hub.close_session()


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub where the user "me" is logged in."""
    monkeypatch.setenv("HF_TOKEN", WRITER)
    datasets.disable_progress_bars()
    huggingface_hub.utils.disable_progress_bars()
    with LoopbackHub() as server:
        point_at(server.url, tmp_path / "home", monkeypatch)
        yield server
    huggingface_hub.close_session()
    datasets.enable_progress_bars()
    huggingface_hub.utils.enable_progress_bars()


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The folder of a model as a run leaves it; not to be changed."""
    return copy_model(tmp_path_factory.mktemp("models") / "adder")


@pytest.fixture(scope="session")
def assembled(model, tmp_path_factory):
    """The same, put together for the Hub as me/adder; not to be changed."""
    return assemble(model, tmp_path_factory.mktemp("assembled") / "adder", "me/adder")


@pytest.fixture
def no_pauses(monkeypatch):
    """Retries come at once."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
