"""Says that code is being compiled, as it is about to be: the first picture on a machine waits for it.

numba itself says so (its events, `numba.core.event`), and only of what no cache holds. A machine on which all is
compiled is told nothing, and neither is one where nothing needs to be.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from numba.core import event

from grainkit.machine import jit

#: CPU time that the first still and the first clip take more than the next: the samples with `--preset social` and an
#: empty NUMBA_CACHE_DIR, under `time`.
FIRST = "about 40 s"
#: Seconds of compiling that nobody is told of, where most of it was compiled before.
_UNSAID = 1.0


class Compiling(event.Listener):
    """What was compiled while it listened. functions: how many. seconds: how long that took, on the clock.

    told: whether a line on stderr says so. shown: whether another one there counts, over and over.
    """

    def __init__(self, *, told: bool, shown: bool) -> None:
        super().__init__()
        self.functions = 0
        self.seconds = 0.0
        self._told, self._shown, self._announced = told, shown, False
        self._cold = jit.is_cold()
        self._lock, self._under_way, self._since = threading.RLock(), 0, 0.0

    def on_start(self, event: event.Event) -> None:
        with self._lock:
            if self._under_way == 0:  # one function has others compiled that it calls
                self._since = time.monotonic()
            self._under_way += 1
            if self._told and not self._announced and (self._cold or self._so_far() > _UNSAID):
                self._announced = True
                _say(f"grainkit: {announcement(jit.kept(), cold=self._cold)}\n")
            self._show()

    def on_end(self, event: event.Event) -> None:
        with self._lock:
            self._under_way -= 1
            self.functions += 1
            if self._under_way == 0:
                self.seconds += time.monotonic() - self._since
            self._show()

    def _so_far(self) -> float:
        return self.seconds + (time.monotonic() - self._since if self._under_way else 0.0)

    def _show(self) -> None:
        if self._shown and self._announced:
            _say(f"compiling: {self.functions} functions, {self._so_far():.0f} s")


def announcement(place: jit.Kept, *, cold: bool) -> str:
    """What is said before compiling begins. cold: whether nothing was compiled on this machine before."""
    if place.folder is None:
        return (
            f"compiling for this machine; {FIRST}, and every time, as it cannot be kept: {place.why}; "
            "set NUMBA_CACHE_DIR to a folder that can be written"
        )
    kept = ""
    if place.passing:
        kept = f"; kept in {place.folder}, as {place.why}; set NUMBA_CACHE_DIR to a folder that lasts"
    if not cold:
        return f"compiling what was not needed here before, once{kept}"
    return f"compiling for this machine, once; {FIRST}{kept}"


def _say(text: str) -> None:
    # The line that a progress shows is wiped: whoever shows it draws it again.
    sys.stderr.write(f"\r\x1b[K{text}" if sys.stderr.isatty() else text)
    sys.stderr.flush()


@contextmanager
def watched(*, told: bool, shown: bool) -> Iterator[Compiling]:
    """What is compiled meanwhile, announced where `told`, and counted on a line of a terminal where `shown`."""
    listener = Compiling(told=told, shown=shown)
    with event.install_listener("numba:compile", listener):
        try:
            yield listener
        finally:
            if shown and listener.functions:
                _say("")
            if told and (why := jit.unkept()):
                remedy = "free some space, or set NUMBA_CACHE_DIR to a folder that has some"
                _say(f"grainkit: note: {why}; it is compiled again every time; {remedy}\n")
