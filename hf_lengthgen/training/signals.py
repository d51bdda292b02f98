"""SIGTERM and Ctrl-C as a request: finish the step, save, leave."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class TrainingInterrupted(RuntimeError):
    """Training left early, on request, with its state saved."""

    exit_code = 1


class StopRequest:
    """Context manager. Inside, SIGTERM and the first SIGINT (Ctrl-C) only set `received`; a second SIGINT acts as
    usual.

    SIGTERM remains a request however often it comes: a scheduler signals all processes of a job, and a comparison among
    them hands it on to its runs, which must not be ended by that before they have saved.

    Does nothing outside the main thread, where Python allows no signal handlers.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.received: str | None = None
        self._previous: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._handle) for number in self.SIGNALS}
        return self

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.received = self.received or signal.Signals(number).name
        if number == signal.SIGINT:
            signal.signal(number, self._previous.pop(number))

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
