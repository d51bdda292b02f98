"""Where the files of a comparison lie.

output_dir/<task>/<variant>/seed0.json     result of a finished cell, kept for good
           README.md, report.html, ...     the report
work_dir/<task>/<variant>/seed0.yaml       settings of the cell's run
                          seed0.log        what it printed
                          seed0/           its output_dir while it is at work
                          seed0.seconds    time spent on it so far
                          seed0.<digest>/  what it left, with --keep_models; no other run gets in its way
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..evaluation.result import Result
from ..training.arguments import load_training_config
from ..training.deciding import deciding, difference, digest
from .grid import Cell


@dataclass(frozen=True)
class Layout:
    """The two folders of a comparison, and the paths in them."""

    output_dir: Path
    work_dir: Path

    def result(self, cell: Cell) -> Path:
        return self.output_dir / cell.task / cell.variant / f"seed{cell.seed}.json"

    def work(self, cell: Cell, ending: str = "") -> Path:
        return self.work_dir / cell.task / cell.variant / f"seed{cell.seed}{ending}"

    def kept(self, cell: Cell) -> Path:
        """Where the run of a finished cell is kept: a place for each of its settings, named by the `settings_digest` of
        its result, out of the way of the next run.
        """
        return self.work(cell, f".{digest(deciding(cell.config))}")

    def finished(self, cell: Cell, *, check: bool = True) -> Result | None:
        """The cell's result, if it is there.

        Raises:
            ValueError: the file is damaged; with `check`, it was made under other settings (naming one).
        """
        path = self.result(cell)
        if not path.is_file():
            return None
        result = Result.load(path)
        changed = changed_setting(cell, result) if check else None
        if changed:
            raise ValueError(
                f"{path} was made under other settings: {changed}. Use --redo to run such cells again, or another "
                f"--output_dir to keep both."
            )
        return result

    def started(self, cell: Cell) -> str | None:
        """In which setting an unfinished run of the cell differs from it; None if in none, or there is no such run.

        Raises:
            ValueError: what is known about the run cannot be read.
        """
        path = self.work(cell, ".yaml")
        if not path.is_file() or not self.work(cell).exists():
            return None
        try:
            return difference(deciding(load_training_config(path)), deciding(cell.config))
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be read ({error}); remove it and {self.work(cell)}.") from None


def changed_setting(cell: Cell, result: Result) -> str | None:
    """In which setting a result differs from the cell it is filed under; None if in none."""
    settings = deciding(cell.config)
    if result.settings_digest == digest(settings):
        return None
    if not result.settings:
        return "they are not recorded in it"
    return difference(result.settings, settings)
