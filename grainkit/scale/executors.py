"""The same work on each of several items, wherever an executor does it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

J = TypeVar("J")
R = TypeVar("R")


@dataclass(frozen=True)
class Ended:
    """In place of a result: the process ended before it had one. code: its exit status, -N for signal N."""

    code: int | None


class Executor(Protocol):
    """Where work is done: in this process, in others beside it, or on other machines."""

    def map(self, work: Callable[[J], R], items: Sequence[J]) -> Generator[R | Ended, None, None]:
        """What `work` makes of each item, in their order. Closing it ends what is still at work.

        Where work is done elsewhere, it, the items and the results are pickled.
        """


@dataclass(frozen=True)
class OneByOne:
    """Does all work in this process, each item as its result is asked for."""

    def map(self, work: Callable[[J], R], items: Sequence[J]) -> Generator[R | Ended, None, None]:
        """As `Executor` says. Whatever `work` raises goes through."""
        for item in items:
            yield work(item)
