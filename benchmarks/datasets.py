"""How fast data sets are made, beside reasoning-gym's nearest generators, in one process on one core.

    python benchmarks/datasets.py                                  # minutes; writes benchmarks/datasets.json
    python benchmarks/datasets.py --rows 20000 --their_rows 500 --rounds 1 --stream_rows 100000 --output /tmp/d.json

Ours and theirs take turns, round after round, so that other work on the machine hurts both. A rate is rows per second
of CPU time in the best round (what the core can do) and of wall time in the median round (what a user waits for).

What a row is differs. Theirs is a Python dictionary with question, answer and metadata, made when asked for. Ours is
measured four ways:

stored        through the builder into an Arrow file
streamed      Arrow batches that are not stored
dictionaries  prompt, answer and scale hint of those batches as Python dictionaries: nearest to what theirs are
examples      all columns, token lists included, one by one, as `for row in dataset` gives them (mostly work of
              `datasets`)
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# This file has the name of a library: its folder, which Python puts first, must not be searched.
sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != Path(__file__).resolve().parent]

import datasets  # noqa: E402
import psutil  # noqa: E402
import pyarrow as pa  # noqa: E402

from hf_lengthgen import list_tasks, load_dataset  # noqa: E402

N_MAX = 12
BATCH = 4096
# ours, options -> theirs, settings. Where one has no counterpart, what comes nearest.
PAIRS = [
    ("addition", {}, "chain_sum", {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": N_MAX}),
    ("multiplication", {}, "products", {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": N_MAX}),
    ("reverse", {}, "spell_backward", {"min_word_len": 3, "max_word_len": 10}),
    ("count", {}, "letter_counting", {"min_words": 1, "max_words": N_MAX}),
    ("sort_numbers", {}, "number_sorting", {"min_numbers": 3, "max_numbers": N_MAX}),
    ("modular_arithmetic", {}, "basic_arithmetic", {"min_terms": 2, "max_terms": 6}),
]
PACKAGES = ("hf_lengthgen", "reasoning-gym", "numpy", "datasets", "pyarrow")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of ours in a round (default: 1000000)")
    parser.add_argument("--their_rows", type=int, default=10_000, help="rows of theirs in a round (default: 10000)")
    parser.add_argument("--rounds", type=int, default=5, help="how often (default: 5)")
    parser.add_argument("--stream_rows", type=int, default=10_000_000, help="rows of the memory test")
    parser.add_argument("--output", default=str(Path(__file__).with_suffix(".json")), help="result file (JSON)")
    parser.add_argument("--alone", action="store_true", help="without reasoning-gym")
    chosen = parser.parse_args()
    if chosen.alone:
        reasoning_gym = None
    else:
        try:
            import reasoning_gym
        except ImportError as problem:
            print(
                f"This benchmark compares with reasoning-gym, which cannot be imported ({problem}): "
                "pip install reasoning-gym, or leave it out with --alone.",
                file=sys.stderr,
            )
            return 2

    datasets.disable_progress_bars()
    pa.set_cpu_count(1)
    load_before = os.getloadavg()
    compared = []
    for ours, options, theirs, settings in PAIRS:
        compared.append(compare(reasoning_gym, ours, options, theirs, settings, chosen))
        print(line(compared[-1]), flush=True)
    every = {}
    for name in list_tasks():
        rows = max(BATCH, min(chosen.rows, 100_000))
        every[name] = rate([timed(lambda name=name, rows=rows: stream(name, rows)) for _ in range(chosen.rounds)])
        print(f"{name:<28} streamed {every[name]['cpu']:>10,} rows/s", flush=True)
    memory = memory_of_streaming(chosen.stream_rows)
    print(f"streaming {memory['rows']:,} rows: {memory['growth_mb']} MB more at the end than after the first tenth")

    result = {
        "what": "rows per second; cpu: CPU time of the best round, wall: wall time of the median round",
        "n": [1, N_MAX],
        "rounds": chosen.rounds,
        "compared": compared,
        "tasks": every,
        "slowest": min(every, key=lambda name: every[name]["cpu"]),
        "memory": memory,
        "versions": {"python": platform.python_version(), **versions()},
        "hardware": {
            "processor": processor(),
            "cpu_count": os.cpu_count(),
            "load_average": [round(load, 2) for load in (*load_before[:1], *os.getloadavg()[:1])],
        },
        "command": " ".join(["python", "benchmarks/datasets.py", *sys.argv[1:]]),
    }
    output = Path(chosen.output)
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, output)
    return 0


def compare(reasoning_gym, ours: str, options: dict, theirs: str, settings: dict, chosen: argparse.Namespace) -> dict:
    """One task of ours and one generator of theirs, in turns."""
    few = max(1, chosen.rows // 20)
    ways = {
        "stored": lambda: store(ours, chosen.rows, options),
        "streamed": lambda: stream(ours, chosen.rows, options),
        "dictionaries": lambda: dictionaries(ours, chosen.rows, options),
        "examples": lambda: examples(ours, few, options),
    }
    if reasoning_gym is not None:
        ways["theirs"] = lambda: items(reasoning_gym, theirs, chosen.their_rows, settings)
    times: dict[str, list] = {way: [] for way in ways}
    for _ in range(chosen.rounds):
        for way, run in ways.items():
            times[way].append(timed(run))
    rates = {way: rate(found) for way, found in times.items()}
    result = {"ours": ours, "options": options, "theirs": theirs, "settings": settings, "rates": rates}
    if "theirs" in rates:
        result["ratios"] = {
            way: {clock: round(rates[way][clock] / rates["theirs"][clock], 1) for clock in ("cpu", "wall")}
            for way in rates
            if way != "theirs"
        }
    return result


def store(name: str, rows: int, options: dict) -> int:
    with tempfile.TemporaryDirectory() as folder:
        return len(load_dataset(name, n_max=N_MAX, rows=rows, cache_dir=folder, **options))


def stream(name: str, rows: int, options: dict | None = None) -> int:
    dataset = load_dataset(name, n_max=N_MAX, rows=rows, streaming=True, **(options or {}))
    return sum(len(batch) for batch in dataset.with_format("arrow").iter(BATCH))


def dictionaries(name: str, rows: int, options: dict) -> int:
    dataset = load_dataset(name, n_max=N_MAX, rows=rows, streaming=True, **options).with_format("arrow")
    columns = ["prompt", "answer", "scale_hint"]
    return sum(1 for batch in dataset.iter(BATCH) for _ in batch.select(columns).to_pylist())


def examples(name: str, rows: int, options: dict) -> int:
    return sum(1 for _ in load_dataset(name, n_max=N_MAX, rows=rows, streaming=True, **options))


def items(reasoning_gym, name: str, rows: int, settings: dict) -> int:
    return sum(1 for _ in reasoning_gym.create_dataset(name, size=rows, seed=0, **settings))


def timed(run: Callable[[], int]) -> tuple[int, float, float]:
    """(rows, CPU seconds, wall seconds)."""
    cpu, wall = time.process_time(), time.perf_counter()
    rows = run()
    return rows, time.process_time() - cpu, time.perf_counter() - wall


def rate(times: list[tuple[int, float, float]]) -> dict[str, int]:
    return {
        "rows": times[0][0],
        "cpu": round(max(rows / cpu for rows, cpu, _ in times)),
        "wall": round(statistics.median(rows / wall for rows, _, wall in times)),
    }


def memory_of_streaming(rows: int) -> dict:
    """Resident memory while rows are streamed; what the first tenth needs is not counted."""
    process, used, seen = psutil.Process(), [], 0
    for batch in load_dataset("addition", n_max=N_MAX, rows=rows, streaming=True).with_format("arrow").iter(BATCH):
        seen += len(batch)
        used.append(process.memory_info().rss)
    warm = used[len(used) // 10]
    return {
        "rows": seen,
        "resident_mb": round(used[-1] / 2**20, 1),
        "growth_mb": round((used[-1] - warm) / 2**20, 1),
        "peak_growth_mb": round((max(used[len(used) // 10 :]) - warm) / 2**20, 1),
    }


def line(pair: dict) -> str:
    rates = pair["rates"]
    text = f"{pair['ours']:<20}" + "".join(f" {way} {rates[way]['cpu']:>10,}" for way in rates)
    if "ratios" in pair:
        ratios = ", ".join(f"{way} {ratio['cpu']} x" for way, ratio in pair["ratios"].items())
        text += f"  ({pair['theirs']}; {ratios})"
    return text


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((row.partition(":")[2].strip() for row in lines if row.startswith("model name")), platform.processor())


if __name__ == "__main__":
    sys.exit(main())
