"""Puts the Space together: `python space/build.py FOLDER [MODEL ...]` (default: all of model_cards)."""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def build(folder: Path, models: list[Path] | None = None) -> Path:
    """Copies this folder, the package and the models to `folder`, which must not exist. Returns it."""
    models = models or sorted(path.parent for path in (ROOT / "model_cards").glob("*/config.json"))
    shutil.copytree(ROOT / "space", folder, ignore=shutil.ignore_patterns("__pycache__", "build.py"))
    shutil.copytree(ROOT / "hf_lengthgen", folder / "hf_lengthgen", ignore=shutil.ignore_patterns("__pycache__"))
    for model in models:
        shutil.copytree(model, folder / "model_cards" / model.name)
    return folder


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print(build(Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]]))
