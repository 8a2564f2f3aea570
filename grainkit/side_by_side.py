"""Jobs side by side, each in a process of its own: none waits for another, and one that is killed takes none along.

Ctrl-C is the caller's: the processes do not hear it, and are asked to end by whoever started them. Where that one is
killed they end at once, as if they had been killed too.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, TypeVar

from grainkit.interrupts import interrupts

J = TypeVar("J")
R = TypeVar("R")

#: Seconds that a wait lasts at a time: a signal that comes as it begins is only seen when Python runs again.
_WAIT = 0.5
#: How OpenCV is told its number of threads, before it is loaded.
_THREADS = "OPENCV_FOR_THREADS_NUM"


@dataclass(frozen=True)
class Ended:
    """In place of a result: the process ended before it had one. code: its exit status, -N for signal N."""

    code: int | None


@dataclass(frozen=True)
class _Worker(Generic[J]):
    """A process that takes jobs, one at a time, from a connection."""

    process: SpawnProcess
    connection: Connection

    def give(self, job: J) -> None:
        # One that is gone is found as its answer is waited for.
        with suppress(BrokenPipeError):
            self.connection.send(job)


def side_by_side(
    work: Callable[[J], R], jobs: Sequence[J], count: int, told: Callable[[int], None] | None = None
) -> Generator[R | Ended, None, None]:
    """What `work` makes of each job, in their order, by `count` processes with a share of the cores each.

    work: a function of a module; it, jobs and results are pickled. Whatever it raises ends its process. told: called
    with the number of jobs done, in any order.
    Where the caller stops, or is interrupted, the processes are asked to end (SIGTERM) and waited for.
    """
    context = get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // count)
    waiting, done = deque(enumerate(jobs)), dict[int, R | Ended]()
    at_work: dict[Connection, tuple[_Worker[J], int]] = {}
    workers: list[_Worker[J]] = []
    next_out = finished = 0
    try:
        while next_out < len(jobs):
            while waiting and len(at_work) < count:
                number, job = waiting.popleft()
                ours, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(theirs, work, threads), daemon=True)
                with _ctrl_c_held_back():
                    process.start()
                theirs.close()
                worker = _Worker[J](process, ours)
                workers.append(worker)
                at_work[ours] = (worker, number)
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
                if told is not None:
                    told(finished)
            while next_out in done:
                yield done.pop(next_out)
                next_out += 1
    finally:
        for worker in workers:
            worker.connection.close()
            worker.process.terminate()
        for worker in workers:
            worker.process.join()


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Processes started meanwhile never hear of it; it reaches this one afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, work: Callable[[J], R], threads: int) -> None:
    """What a process does: jobs until there are no more, or it is asked to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault(_THREADS, str(threads))
    threading.Thread(target=_end_with_parent, name="grainkit-parent", daemon=True).start()
    with suppress(EOFError, ConnectionError, KeyboardInterrupt), interrupts():
        while True:
            connection.send(work(connection.recv()))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
