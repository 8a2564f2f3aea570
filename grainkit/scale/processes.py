"""Jobs side by side, each in a process of its own: none waits for another, and one that is killed takes none along.

Ctrl-C is the caller's: the processes do not hear it, and are asked to end by whoever started them (by SIGTERM, or by a
word on Windows, which would end them on the spot). Where that one is killed they end at once, as if they had been
killed too.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Generic, TypeVar

from grainkit.machine import system
from grainkit.scale.executors import Ended
from grainkit.scale.interrupts import interrupts

if sys.platform == "win32":
    from multiprocessing.connection import PipeConnection as Connection
else:
    from multiprocessing.connection import Connection

J = TypeVar("J")
R = TypeVar("R")

#: Seconds that a wait lasts at a time: a signal that comes as it begins is only seen when Python runs again.
_WAIT = 0.5
#: Seconds that a process has to clean up in, where it would not hear a signal while it waits.
_PATIENCE = 20.0
#: How OpenCV is told its number of threads, before it is loaded.
_THREADS = "OPENCV_FOR_THREADS_NUM"


@dataclass(frozen=True)
class SideBySide:
    """An executor of `count` processes, each with a share of the cores.

    told: called with the number of jobs done, in any order. begin: a function of a module, called first of all in each
    process; whatever it, the work and the items need is imported there.
    """

    count: int
    told: Callable[[int], None] | None = None
    begin: Callable[[], None] | None = None

    def map(self, work: Callable[[J], R], items: Sequence[J]) -> Generator[R | Ended, None, None]:
        """As `Executor` says. Whatever `work` raises ends its process.

        Where the caller stops, or is interrupted, the processes are asked to end and waited for.
        """
        crew = _Crew[J, R](work, self.begin, max(1, (os.cpu_count() or 1) // self.count))
        return _in_order(crew, items, self)


@dataclass(frozen=True)
class _Worker(Generic[J]):
    """A process that takes jobs, one at a time, from a connection."""

    process: SpawnProcess
    connection: Connection
    asking: Connection | None

    def ask_to_end(self) -> None:
        self.connection.close()
        if self.asking is None:
            self.process.terminate()
            return
        with suppress(OSError):  # it has ended
            self.asking.send(None)

    def wait(self) -> None:
        self.process.join(None if self.asking is None else _PATIENCE)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join()
        if self.asking is not None:
            self.asking.close()

    def give(self, job: J) -> None:
        # One that is gone is found as its answer is waited for.
        with suppress(BrokenPipeError):
            self.connection.send(job)


@dataclass(frozen=True)
class _Crew(Generic[J, R]):
    """What every process of an executor is begun with. threads: its share of the cores."""

    work: Callable[[J], R]
    begin: Callable[[], None] | None
    threads: int

    def worker(self) -> _Worker[J]:
        """A process of its own that waits for a job."""
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        asked, asking = (None, None) if system.ENDS_WHEN_ASKED else context.Pipe(duplex=False)
        process = context.Process(target=_serve, args=(theirs, asked, self), daemon=True)
        with system.ctrl_c_held_back():
            process.start()
        theirs.close()
        if asked is not None:
            asked.close()
        return _Worker[J](process, ours, asking)


def _in_order(crew: _Crew[J, R], jobs: Sequence[J], executor: SideBySide) -> Generator[R | Ended, None, None]:
    """What the crew makes of each job, in their order."""
    waiting, done = deque(enumerate(jobs)), dict[int, R | Ended]()
    at_work: dict[Connection, tuple[_Worker[J], int]] = {}
    workers: list[_Worker[J]] = []
    next_out = finished = 0
    try:
        while next_out < len(jobs):
            while waiting and len(at_work) < executor.count:
                number, job = waiting.popleft()
                worker = crew.worker()
                workers.append(worker)
                at_work[worker.connection] = (worker, number)
                worker.give(job)
            for ready in wait(list(at_work), _WAIT):
                assert isinstance(ready, Connection)
                worker, number = at_work.pop(ready)
                try:
                    done[number] = ready.recv()
                except (EOFError, ConnectionError):
                    worker.process.join()
                    done[number] = Ended(worker.process.exitcode)
                else:
                    if waiting:
                        following, job = waiting.popleft()
                        at_work[ready] = (worker, following)
                        worker.give(job)
                    else:
                        ready.close()
                finished += 1
                if executor.told is not None:
                    executor.told(finished)
            while next_out in done:
                yield done.pop(next_out)
                next_out += 1
    finally:
        for worker in workers:
            worker.ask_to_end()
        for worker in workers:
            worker.wait()


def _serve(connection: Connection, asked: Connection | None, crew: _Crew[J, R]) -> None:
    """What a process does: jobs until there are no more, or it is asked to end.

    asked: says when, where signals do not.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault(_THREADS, str(crew.threads))
    threading.Thread(target=_end_with_parent, name="grainkit-parent", daemon=True).start()
    with suppress(EOFError, ConnectionError, KeyboardInterrupt), interrupts():
        if asked is not None:
            threading.Thread(target=_end_when_asked, args=(asked,), name="grainkit-asked", daemon=True).start()
        if crew.begin is not None:
            crew.begin()
        while True:
            connection.send(crew.work(connection.recv()))


def _end_when_asked(asked: Connection) -> None:
    with suppress(EOFError, OSError):  # whoever would ask is gone
        asked.recv()
        signal.raise_signal(signal.SIGTERM)  # which the main thread hears


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
