"""The released addition model as tests push it: its result is cut to two lengths that take a second to reproduce."""

import dataclasses
import shutil
from pathlib import Path

from hf_lengthgen.evaluation.result import Result
from hf_lengthgen.hub.digests import code_folder, code_names

ROOT = Path(__file__).parents[2]
RELEASED = ROOT / "model_cards" / "addition-lbpe"
LENGTHS = ([12], [24])


def copy_model(folder):
    """A model's folder as a run leaves it, with today's code, and `LENGTHS` in its result."""
    shutil.copytree(RELEASED, folder)
    # What putting it together for the Hub added.
    shutil.rmtree(folder / ".eval_results", ignore_errors=True)
    (folder / "recipe.yaml").unlink(missing_ok=True)
    for path in folder.glob("*.py"):
        path.unlink()
    for name in code_names():
        shutil.copyfile(code_folder() / name, folder / name)
    result = Result.load(folder / "result.json")
    kept = [score for score in result.lengths if score.n in LENGTHS and score.mode == "generate"]
    dataclasses.replace(result, lengths=kept).save(folder / "result.json")
    return folder
