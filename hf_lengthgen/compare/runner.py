"""Runs the cells of a comparison, several at a time; a finished one is never repeated."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..evaluation.result import Result
from ..evaluation.scale import percent, scale_text
from ..training.signals import StopRequest
from .estimate import Estimate, duration, wall_seconds
from .grid import Cell
from .job import CellBusy, Job, claim, discard
from .layout import Layout, changed_setting

_POLL_SECONDS = 0.2
_SAVE_SECONDS = 300  # how long an interrupted run may take to save: its step has to end first


class ComparisonInterrupted(RuntimeError):
    """Ctrl-C or SIGTERM; every run has saved its state."""

    exit_code = 1


class CellsFailed(RuntimeError):
    """Some cells ended in an error."""

    exit_code = 1


@dataclass
class Outcome:
    """What a call of `run_cells` did.

    Attributes:
        finished: cells that have a result now, those of earlier calls included.
        failed: cell -> last line of its log, or what is wrong with a result filed meanwhile.
        busy: cells that another process is at work on.
        left: cells not started, since the time was up.
    """

    finished: dict[Cell, Result] = field(default_factory=dict)
    failed: dict[Cell, str] = field(default_factory=dict)
    busy: list[Cell] = field(default_factory=list)
    left: list[Cell] = field(default_factory=list)


def check_finished(cells: Sequence[Cell], layout: Layout) -> None:
    """Compare what earlier calls have left with the settings of now.

    Raises:
        ValueError: something was made under other settings; the message names cell, setting and both values.
    """
    for cell in cells:
        if layout.finished(cell) is None and (changed := layout.started(cell)):
            raise ValueError(
                f"{layout.work(cell)} holds an unfinished run with other settings: {changed}. Use --redo to start "
                f"such cells over, or another --work_dir to keep both."
            )


def run_cells(
    cells: Sequence[Cell],
    layout: Layout,
    slots: Sequence[str | None],
    *,
    time_limit: float | None = None,
    redo: bool = False,
    keep_models: bool = False,
    modules: Sequence[str] = (),
    command: Callable[[Cell], str] = str,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> Outcome:
    """Run what is not finished, in order.

    Args:
        slots: one entry per cell that may run at a time, the GPU it gets or None (see `devices.slots`).
        time_limit: seconds after which no further cell is started; those at work are finished.
        redo: run cells again whose result or unfinished run was made under other settings. An old result stays until
            the new one takes its place.
        keep_models: keep every cell's trained model in work_dir (`Layout.kept`).
        modules: what every run imports first.
        command: what to type to get a cell again; recorded in its result.
        say: called with one line per finished or failed cell.

    Raises:
        ComparisonInterrupted: after SIGTERM or Ctrl-C, once every run has saved its state.
        OSError, ValueError: a folder cannot be written, or a result cannot be read.
    """
    run = _Run(layout, len(slots), redo, keep_models, modules, command, say)
    for cell in cells:
        result = run.finished(cell)
        if result is None:
            run.waiting.append(cell)
        else:
            run.outcome.finished[cell] = result
    end = math.inf if time_limit is None else time.monotonic() + time_limit
    with StopRequest() as stop:
        try:
            while (run.waiting or run.working) and not stop.received:
                for index, device in enumerate(slots):
                    if index in run.working and run.working[index].poll() is not None:
                        run.file(run.working.pop(index))
                    if time.monotonic() >= end:
                        run.outcome.left += run.waiting
                        run.waiting.clear()
                    if index not in run.working and not stop.received:
                        run.start(index, device)
                if run.working and not stop.received:
                    time.sleep(_POLL_SECONDS)
        finally:
            # An error here, or a second Ctrl-C, must not leave runs behind either.
            _stop_all(list(run.working.values()))
    if stop.received:
        left = len(run.waiting) + len(run.working)
        raise ComparisonInterrupted(
            f"{stop.received} received: {len(run.outcome.finished)} cells are finished, {left} are left; the same "
            f"command goes on from there."
        )
    return run.outcome


@dataclass
class _Run:
    """The state of one call of `run_cells`: cells that wait, and jobs at work by slot."""

    layout: Layout
    slots: int
    redo: bool
    keep_models: bool
    modules: Sequence[str]
    command: Callable[[Cell], str]
    say: Callable[[str], None]
    outcome: Outcome = field(default_factory=Outcome)
    waiting: list[Cell] = field(default_factory=list)
    working: dict[int, Job] = field(default_factory=dict)

    def finished(self, cell: Cell) -> Result | None:
        """The cell's result, if it need not be run again. ValueError as from `Layout.finished`."""
        result = self.layout.finished(cell, check=not self.redo)
        return None if result is None or changed_setting(cell, result) else result

    def start(self, index: int, device: str | None) -> None:
        """Start the first waiting cell that nobody else is at work on, or has finished in the meantime."""
        while self.waiting and index not in self.working:
            cell = self.waiting.pop(0)
            try:
                log = claim(cell, self.layout)
            except CellBusy:
                self.outcome.busy.append(cell)
                self.say(f"{cell}: another process is at work on it, passed over.")
                continue
            try:
                # Asked only now: whoever had the cell before has filed its result before letting it go.
                result = self.finished(cell)
                if result is None and self.redo and self.layout.started(cell):
                    discard(cell, self.layout)
            except ValueError as error:
                log.close()
                self.fail(cell, str(error))
                continue
            if result is not None:
                log.close()
                self.outcome.finished[cell] = result
            else:
                self.working[index] = Job(cell, self.layout, log, device, self.modules)

    def fail(self, cell: Cell, reason: str, place: str = "") -> None:
        self.outcome.failed[cell] = reason
        self.say(f"{cell}: failed{place}: {reason}")

    def file(self, job: Job) -> None:
        """File what an ended run has left, and say how it went."""
        cell = job.cell
        if job.poll() != 0:
            job.spent()
            job.release()
            self.fail(cell, job.last_line(), f", see {job.log}")
            return
        result = job.collect(self.command(cell), keep_models=self.keep_models)
        self.outcome.finished[cell] = result
        left = [*self.waiting, *(other.cell for other in self.working.values())]
        estimate = Estimate({cell: wall_seconds(result) for cell, result in self.outcome.finished.items()})
        rest = f"{len(left)} left, about {duration(estimate.total(left) / self.slots)}" if left else "the last one"
        self.say(f"{cell}: {scores(result)}  ({duration(wall_seconds(result))}; {rest})")


def scores(result: Result) -> str:
    """ "12: 100, 24: 98.4, 50: 0 %", exact match by length."""
    return ", ".join(f"{scale_text(r.n)}: {percent(r.exact_match)}" for r in result.lengths) + " %"


def _stop_all(jobs: list[Job]) -> None:
    """Ask the runs to save and leave; kill those that do not."""
    for job in jobs:
        job.stop()
    end = time.monotonic() + _SAVE_SECONDS
    try:
        for job in jobs:
            while job.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
    finally:
        for job in jobs:
            if job.poll() is None:
                job.kill()
            job.spent()
            job.release()
