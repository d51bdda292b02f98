import platform

import torch
import transformers

from hf_lengthgen.training.environment import hardware, peak_memory_mb, versions


def test_versions():
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["torch"] == torch.__version__
    assert found["transformers"] == transformers.__version__
    numbers_depend_on = ("torch", "transformers", "accelerate", "tokenizers", "numpy", "safetensors", "datasets")
    assert set(found) == {"python", *numbers_depend_on}


def test_hardware():
    found = hardware(torch.device("cpu"))
    assert set(found) == {"cpu_count", "device", "threads"}
    assert found["device"] == "cpu"
    assert found["cpu_count"] >= 1
    assert found["threads"] == torch.get_num_threads()


def test_peak_memory_counts_megabytes():
    import psutil

    peak = peak_memory_mb(torch.device("cpu"))
    resident = psutil.Process().memory_info().rss / 2**20
    assert resident * 0.9 <= peak < resident * 20
