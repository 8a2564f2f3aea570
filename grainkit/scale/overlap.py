"""Stages of a pipeline side by side: an iterator in a thread of its own, a few items ahead."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import Generic, Self, TypeVar

T = TypeVar("T")

#: Seconds that a wait for the next item lasts at a time.
_WAIT = 0.1


class Overlapped(Generic[T]):
    """Iterates `items` in a thread, at most `depth` items ahead of whoever takes them.

    Order and exceptions are those of `items`. Leaving the `with` block stops the thread and waits for it;
    `items`, where it is a generator, is closed by then.
    patience: seconds to wait at most. Only for items read from a pipe, which may never come: that thread
        ends with the process.
    """

    def __init__(self, items: Iterable[T], depth: int, patience: float | None = None) -> None:
        self._items = items
        self._depth = depth
        self._patience = patience
        self._ready: deque[T] = deque()
        self._error: BaseException | None = None
        self._ended = self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._fill, name="grainkit-stage", daemon=True)
        self._thread.start()

    def _fill(self) -> None:
        error = None
        try:
            iterator = iter(self._items)
            try:
                for item in iterator:
                    if not self._hand_over(item):
                        break
            finally:
                if isinstance(iterator, Generator):
                    iterator.close()
        except BaseException as raised:  # whatever it is, it belongs to the thread that takes the items
            error = raised
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()

    def _hand_over(self, item: T) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._ready) < self._depth)
            if not self._stopped:
                self._ready.append(item)
                self._changed.notify_all()
            return not self._stopped

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        with self._changed:
            # Not without end: a signal that comes as the wait begins is only seen when Python runs again.
            while not self._changed.wait_for(lambda: self._stopped or self._ended or self._ready, _WAIT):
                continue
            if self._ready and not self._stopped:
                item = self._ready.popleft()
                self._changed.notify_all()
                return item
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    def stop(self) -> None:
        """Take no more items. Whoever waits for one, on either side, goes on."""
        with self._changed:
            self._stopped = True
            self._ready.clear()
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(self._patience)
