"""One cell at work: a process of `lengthgen train`, its log, and the result it leaves."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import yaml

from ..evaluation.result import Result
from ..files import remove_folder, write_text
from ..training.deciding import deciding, digest
from .commit import PACKAGE, source_commit
from .grid import Cell
from .layout import Layout

# -P: the package that runs here, not one that happens to lie in the current folder.
PROGRAM = (sys.executable, "-P", "-m", "hf_lengthgen.cli")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class CellBusy(Exception):
    """Another process is at work on the cell."""


def claim(cell: Cell, layout: Layout) -> IO:
    """The cell's log, opened and locked: until it is closed nobody else, of whatever comparison, works on the cell.

    Raises:
        CellBusy: another process has it.
    """
    path = layout.work(cell, ".log")
    path.parent.mkdir(parents=True, exist_ok=True)
    log = open(path, "ab")  # noqa: SIM115
    try:
        _lock(log)
    except BaseException:
        log.close()
        raise
    return log


class Job:
    """A started cell.

    log: what `claim` returned; closed by `collect`, `release` or an error. The run inherits it, so that the cell stays
        claimed for as long as either process lives.
    device: a GPU as CUDA_VISIBLE_DEVICES names it; None leaves the choice to the run.
    modules: what the run imports first, since they register its task or embedding.
    """

    def __init__(
        self, cell: Cell, layout: Layout, log: IO, device: str | None = None, modules: Sequence[str] = ()
    ) -> None:
        self.cell, self.layout, self._claim = cell, layout, log
        self.log = layout.work(cell, ".log")
        try:
            self.commit = source_commit()
            folder = layout.work(cell)
            config = dataclasses.replace(cell.config, output_dir=str(folder))
            write_text(layout.work(cell, ".yaml"), yaml.safe_dump(config.to_dict(), sort_keys=False))
            self.began = time.monotonic()
            self.process = subprocess.Popen(
                [*PROGRAM, *import_words(modules), "train", "--config", str(layout.work(cell, ".yaml"))],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=_environment(device),
                start_new_session=True,  # Ctrl-C reaches us alone, and we tell the run
            )
        except BaseException:
            log.close()
            raise

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        return self.process.poll()

    def stop(self) -> None:
        """Ask it to save and leave."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    def release(self) -> None:
        """Let others have the cell; call it once what the run has left is in order."""
        self._claim.close()

    def spent(self) -> float:
        """Seconds spent on the cell up to now, earlier attempts included; call it once the process has ended."""
        path = self.layout.work(self.cell, ".seconds")
        try:
            before = float(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            before = 0.0
        total = before + time.monotonic() - self.began
        write_text(path, f"{total:.1f}\n")
        return total

    def collect(self, command: str, *, keep_models: bool) -> Result:
        """File the result of a run that has ended well, with what it cannot know itself.

        command: what to type to get this cell again. The run's folder is removed or, with `keep_models`, moved to
            `layout.kept`.

        Raises:
            ValueError: the run left no result.
        """
        folder = self.layout.work(self.cell)
        settings = deciding(self.cell.config)
        result = dataclasses.replace(
            Result.load(folder / "result.json"),
            command=command,
            commit=self.commit,
            wall_seconds=round(self.spent(), 1),
            settings=settings,
            settings_digest=digest(settings),
        )
        result.save(self.layout.result(self.cell))
        if keep_models:
            shutil.rmtree(folder / "checkpoints", ignore_errors=True)
            remove_folder(self.layout.kept(self.cell))
            os.rename(folder, self.layout.kept(self.cell))
        else:
            remove_folder(folder)
        self.layout.work(self.cell, ".seconds").unlink(missing_ok=True)
        self.release()
        return result

    def last_line(self) -> str:
        """Of its log."""
        return last_line(self.log)


def discard(cell: Cell, layout: Layout) -> None:
    """Forget the unfinished run of a claimed cell, all but the log: a new one would be a second lock."""
    remove_folder(layout.work(cell))
    for ending in (".yaml", ".seconds"):
        layout.work(cell, ending).unlink(missing_ok=True)


def import_words(modules: Sequence[str]) -> list[str]:
    """The words for `lengthgen` that import these modules."""
    return [word for module in modules for word in ("--import", module)]


def last_line(path: Path) -> str:
    """The last line of a file that says anything."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        return f"its log cannot be read: {error.strerror}"
    return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")


def _environment(device: str | None) -> dict[str, str]:
    paths = [str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
    changes = dict.fromkeys(_THREADS, "1") | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    if device is not None:
        changes["CUDA_VISIBLE_DEVICES"] = device
    return os.environ | changes


def _lock(file: IO) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CellBusy from None
