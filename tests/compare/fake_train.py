"""Stands for `lengthgen train --config FILE`: what it does depends on the setting `steps`.

1: writes a result. 2: fails. 3: waits for SIGTERM, saves and leaves; started again, writes a result. 4: leaves none.
9: hears SIGTERM and stays.
"""

import signal
import sys
import time
from pathlib import Path

import yaml

config = yaml.safe_load(Path(sys.argv[-1]).read_text())
folder = Path(config["output_dir"])
folder.mkdir(parents=True, exist_ok=True)
with open(folder.parent / f"{folder.name}.starts", "a") as starts:
    starts.write(".")
if config["steps"] == 2:
    print("a line before")
    print("error: it does not fit\n")
    sys.exit(2)
if config["steps"] == 3 and not (folder / "saved").exists():

    def leave(*_):
        (folder / "saved").touch()
        sys.exit(1)

    signal.signal(signal.SIGTERM, leave)
    (folder / "waiting").touch()
    time.sleep(60)
if config["steps"] == 9:
    signal.signal(signal.SIGTERM, lambda *_: (folder / "asked").touch())
    (folder / "waiting").touch()
    for _ in range(600):
        time.sleep(0.1)
if config["steps"] != 4:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from evaluation.results import make_result

    make_result(config["position_embedding"], scores=[(4, 100)], seed=config["seed"]).save(folder / "result.json")
