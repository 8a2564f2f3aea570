"""Ctrl-C, and being asked to end, as one exception in the main thread."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from grainkit.machine.system import ENDING_SIGNALS

#: Seconds after an interrupt in which another one is taken for impatience, and the cleaning up goes on.
_GRACE = 5.0


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, or a signal that asks the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.signal = number


@contextmanager
def interrupts() -> Iterator[None]:
    """Ctrl-C, and being asked to end, raise an Interrupted: once, so that cleaning up is not cut short."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    last: float | None = None

    def interrupt(number: int, _: object) -> None:
        nonlocal last
        now = time.monotonic()
        if last is None or now - last > _GRACE:
            last = now
            raise Interrupted(number)

    # What the caller wants ignored (nohup) stays ignored.
    wanted = [s for s in ENDING_SIGNALS if signal.getsignal(s) not in (signal.SIG_IGN, None)]
    before = {s: signal.signal(s, interrupt) for s in wanted}
    try:
        yield
    finally:
        # After an interrupt the process is about to end, and a second one must not disturb that.
        if last is None:
            for number, handler in before.items():
                signal.signal(number, handler)
