"""benchmarks/datasets.py runs, and says what is missing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def benchmark(*words):
    command = [sys.executable, str(ROOT / "benchmarks" / "datasets.py"), *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)


@pytest.mark.slow
def test_a_short_run(tmp_path):
    output = tmp_path / "result.json"
    done = benchmark("--alone", "--rows", 5000, "--rounds", 1, "--stream_rows", 50_000, "--output", output)
    assert done.returncode == 0, done.stderr
    result = json.loads(output.read_text())
    assert result["compared"][0]["ours"] == "addition"
    for pair in result["compared"]:
        assert set(pair["rates"]) == {"stored", "streamed", "dictionaries", "examples"} and "ratios" not in pair
        assert all(rate["cpu"] > 0 and rate["wall"] > 0 for rate in pair["rates"].values())
    assert result["tasks"][result["slowest"]]["cpu"] == min(rate["cpu"] for rate in result["tasks"].values())
    assert result["memory"]["rows"] == 50_000
    assert result["versions"]["datasets"] and result["hardware"]["cpu_count"]


@pytest.mark.slow
def test_without_reasoning_gym():
    try:
        import reasoning_gym  # noqa: F401
    except ImportError:
        done = benchmark("--rows", 1)
        assert done.returncode == 2
        assert "pip install reasoning-gym, or leave it out with --alone" in done.stderr
    else:
        pytest.skip("reasoning-gym is installed")
