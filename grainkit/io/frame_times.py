"""When frames are shown and for how long, where a container leaves some of it open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

#: Pictures that may come before the first with a time: what decoders hold back to reorder, and as many again.
LOOK_AHEAD = 32


class Timed(Protocol):
    """A decoded picture: its time and length in ticks, where it has them."""

    @property
    def pts(self) -> int | None: ...
    @property
    def duration(self) -> int | None: ...


Picture = TypeVar("Picture", bound=Timed)


def started(pictures: Iterator[Picture]) -> list[Picture]:
    """The first pictures, up to and with the first that has a time, `LOOK_AHEAD` at most."""
    head: list[Picture] = []
    for picture in pictures:
        head.append(picture)
        if picture.pts is not None or len(head) == LOOK_AHEAD:
            break
    return head


def stamped(head: list[Picture], rest: Iterable[Picture], step: int) -> Iterator[tuple[Picture, int]]:
    """Pictures with their times: those of `head` counted back from its last, from 0 where that has none either.

    A later one without a time comes where the one before it ends. step: ticks of a picture that has no length.
    """
    lengths = [picture.duration or step for picture in head]
    clock = (head[-1].pts or 0) - sum(lengths[:-1]) if head and head[-1].pts is not None else 0
    # The list lets go of what it has given: pictures are large.
    while head:
        picture = head.pop(0)
        yield picture, clock
        clock += picture.duration or step
        del picture
    for picture in rest:
        if picture.pts is not None:
            clock = picture.pts
        yield picture, clock
        clock += picture.duration or step


def shown(
    stamps: Iterable[tuple[Picture, int]], last: Callable[[Picture, int], int | None]
) -> Iterator[tuple[Picture, int, int | None]]:
    """Pictures with their times, and how long each is shown: until the next one; `last` says it of the last.

    What a container says of a picture's length is that of its packet, which in MP4 is the distance to the next one
    that is decoded, and not the next that is shown.
    """
    held: tuple[Picture, int] | None = None
    for picture, pts in stamps:
        if held is not None:
            yield (*held, pts - held[1] if pts > held[1] else None)
        held = (picture, pts)
    if held is not None:
        yield (*held, last(*held))
