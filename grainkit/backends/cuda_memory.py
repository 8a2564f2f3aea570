"""Memory of frames that are under way: where planes lie in it, streams, and how many frames there is room for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from grainkit.backends.cuda_card import REMEDY, Card
from grainkit.backends.cupy_surface import CardArray
from grainkit.backends.kernel_arguments import Rectangle
from grainkit.backends.pass_term import PassTerm
from grainkit.errors import GrainkitError
from grainkit.picture.frame import Frame, Plane
from grainkit.picture.resample import Placement

#: Share of the card's free memory that is used where no limit is set.
SHARE = 0.8
#: Rows begin on this many bytes.
_ALIGN = 256

#: Heights and widths of a frame's planes.
Shapes = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class PlaneRelief:
    """Texture of one plane: int16 terms of a rectangle of it, on the host or, once they were sent, on the card."""

    part: Rectangle
    terms: npt.NDArray[np.int16] | None = None
    sent: CardArray | None = None


NO_RELIEF = PlaneRelief(Rectangle(0, 0, 0, 0))


def reliefs_of(texture: PassTerm | None, shapes: Shapes, subsampling: tuple[int, int]) -> tuple[PlaneRelief, ...]:
    """Each plane's texture; what reaches past the plane is left out."""
    if texture is None:
        return (NO_RELIEF,) * len(shapes)
    across, down = subsampling
    corners = [(texture.top, texture.left), *[(texture.top // down, texture.left // across)] * 2]
    made = []
    for terms, (top, left), (height, width) in zip(
        (texture.luma, texture.cb, texture.cr), corners, shapes, strict=False
    ):
        part = terms[: max(height - top, 0), : max(width - left, 0)]
        place = Rectangle(top, left, *part.shape)
        made.append(PlaneRelief(place, np.ascontiguousarray(part)) if part.size else NO_RELIEF)
    return tuple(made)


class Layout:
    """Where planes lie in one block of memory: rows of whole vectors, one plane after the other."""

    def __init__(self, shapes: Shapes, dtype: npt.DTypeLike) -> None:
        self.dtype: np.dtype[np.generic] = np.dtype(dtype)
        self.shapes = shapes
        self.pitches = [-(-width * self.dtype.itemsize // _ALIGN) * _ALIGN for _, width in shapes]
        starts = np.cumsum([0, *(p * height for p, (height, _) in zip(self.pitches, shapes, strict=True))])
        self.starts, self.nbytes = [int(s) for s in starts[:-1]], int(starts[-1])

    def views(self, memory: CardArray) -> list[CardArray]:
        """The planes in uint8 memory of the card, with what lies beside their rows."""
        return [memory[part].view(self.dtype).reshape(*shape) for part, shape in self._parts()]

    def host_views(self, memory: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.generic]]:
        """As `views`, of memory of the host."""
        return [memory[part].view(self.dtype).reshape(*shape) for part, shape in self._parts()]

    def cut(self, views: Sequence[CardArray]) -> list[CardArray]:
        """The planes alone."""
        return [view[:, :width] for view, (_, width) in zip(views, self.shapes, strict=True)]

    def _parts(self) -> list[tuple[slice, tuple[int, int]]]:
        return [
            (slice(start, start + pitch * height), (height, pitch // self.dtype.itemsize))
            for start, pitch, (height, _) in zip(self.starts, self.pitches, self.shapes, strict=True)
        ]


class Way:
    """A stream, and the host's memory of one frame that is under way on it. done: when the frame is in `down`."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.stream = card.cupy.cuda.Stream(non_blocking=True)
        self.done = card.cupy.cuda.Event(disable_timing=True)
        self.up: npt.NDArray[np.uint8] = np.empty(0, np.uint8)
        self.down = self.up
        self.pending: Underway | None = None
        self._relief: tuple[npt.NDArray[np.int16], CardArray] | None = None

    def free(self) -> None:
        """Wait for the frame before, which nobody has taken yet: it must leave the memory that comes next."""
        if self.pending is not None:
            self.pending.result()

    def send_reliefs(self, reliefs: tuple[PlaneRelief, ...], shapes: Shapes) -> tuple[PlaneRelief, ...]:
        """Reliefs with their terms on the card, sent on the stream."""
        if all(r.terms is None for r in reliefs):
            return reliefs
        room = sum(h * w for h, w in shapes)
        if self._relief is None or self._relief[0].size < room:
            self._relief = self.card.pinned(2 * room).view(np.int16), self.card.cupy.empty(room, np.int16)
        pinned, held = self._relief
        sent, at = [], 0
        for relief in reliefs:
            count = 0 if relief.terms is None else relief.terms.size
            if relief.terms is not None:
                pinned[at : at + count] = relief.terms.reshape(-1)
            sent.append(replace(relief, sent=held[at : at + count] if count else None))
            at += count
        held[:at].set(pinned[:at], stream=self.stream)
        return tuple(sent)


class Slot(Way):
    """A way with memory on the card for one frame of the host's, before the pass and after it."""

    def __init__(self, card: Card, source: Layout, target: Layout) -> None:
        super().__init__(card)
        self.up, self.down = (card.pinned(layout.nbytes) for layout in (source, target))
        self.source, self.target = (card.cupy.empty(layout.nbytes, np.uint8) for layout in (source, target))


class Lane(Way):
    """A way for one frame that is resized and finished on it.

    The frame's memory on the card is CuPy's pool's, which hands it out again in the stream's order.
    """

    def __init__(self, card: Card) -> None:
        super().__init__(card)
        self.sent = card.cupy.cuda.Event(disable_timing=True)

    def send(self, layout: Layout, planes: Sequence[npt.NDArray[np.generic]]) -> list[CardArray]:
        """Planes of the host on their way to the card: where they will be."""
        self.sent.synchronize()  # what went before has left the memory that comes next
        if self.up.nbytes < layout.nbytes:
            self.up = self.card.pinned(layout.nbytes)
        for rows, plane in zip(layout.host_views(self.up), planes, strict=True):
            rows[:, : plane.shape[1]] = plane
        with self.stream:
            held = self.card.cupy.empty(layout.nbytes, np.uint8)
        held.set(self.up[: layout.nbytes], stream=self.stream)
        self.sent.record(self.stream)
        return layout.cut(layout.views(held))

    def fetch(self, layout: Layout, memory: CardArray) -> None:
        """Send memory of the card on its way to `down`; `done` is when it is there."""
        if self.down.nbytes < layout.nbytes:
            self.down = self.card.pinned(layout.nbytes)
        memory.get(stream=self.stream, out=self.down[: layout.nbytes], blocking=False)
        self.done.record(self.stream)


class Underway:
    """A frame on its way through the card. made: the frame of the planes (copies) that come down."""

    def __init__(self, way: Way, layout: Layout, made: Callable[[tuple[Plane, ...]], Frame]) -> None:
        self._way, self._layout, self._made = way, layout, made
        self._finished: Frame | None = None

    def result(self) -> Frame:
        """The finished frame; waits for it."""
        if self._finished is None:
            with self._way.card.errors():
                self._way.done.synchronize()
            # Copies, also where rows have nothing beside them: the memory is the next frame's.
            views = zip(self._layout.host_views(self._way.down), self._layout.shapes, strict=True)
            planes = tuple(rows[:, :width].copy() for rows, (_, width) in views)
            self._finished = self._made(cast("tuple[Plane, ...]", planes))
            del self._made  # and with it what it knows of the card's memory
            self._way.pending = None
        return self._finished


class Ways:
    """Slots and lanes, as many as the limit allows, made anew only when what a frame takes changes.

    device_memory: bytes that frames may take on the card; None for most of what is free. in_flight: frames under way.
    """

    def __init__(self, card: Card, device_memory: int | None, in_flight: int) -> None:
        self._card, self._in_flight = card, in_flight
        self._limit = int(card.free * SHARE) if device_memory is None else device_memory
        self._slots: deque[Slot] = deque()
        self._lanes: deque[Lane] = deque()
        self._geometry: tuple[Shapes, np.dtype[np.generic], np.dtype[np.generic]] | None = None
        self._lane_bytes = 0

    def settle(self) -> None:
        """Wait for all frames that were begun."""
        for way in (*self._slots, *self._lanes):
            way.free()

    def synchronize_lanes(self) -> None:
        """Wait for the work on all lanes."""
        for lane in self._lanes:
            lane.stream.synchronize()

    def close(self) -> None:
        """Give the memory on the card back. Frames that were begun are finished first."""
        self.settle()
        self._slots.clear()
        self._lanes.clear()
        self._geometry, self._lane_bytes = None, 0
        with self._card.errors():
            self._card.cupy.get_default_memory_pool().free_all_blocks()

    def first_slot(self) -> Slot:
        """The slot whose turn is next."""
        return self._slots[0]

    def slot(self, source: Layout, target: Layout) -> Slot:
        """The slot of the next frame of this geometry."""
        geometry = (source.shapes, source.dtype, target.dtype)
        if geometry != self._geometry:
            self.settle()
            self._slots.clear()
            self._geometry = None
            self._card.cupy.get_default_memory_pool().free_all_blocks()
            # Relief may be asked for later; its room is counted from the start, so that the limit holds.
            each = source.nbytes + target.nbytes + sum(2 * h * w for h, w in source.shapes)
            count = self._how_many(each, source.shapes[0][::-1])
            self._slots.extend(Slot(self._card, source, target) for _ in range(count))
            self._geometry = geometry
        slot = self._slots[0]
        self._slots.rotate(-1)
        return slot

    def lane(self, nbytes: int, places: tuple[Placement, ...], made_of_rgb: bool, alpha: int = 0) -> Lane:
        """The lane of the next frame. nbytes: of what is sent up. alpha: bytes of alpha that planes are weighed by."""
        floats = 4 * sum(place.size[0] * place.size[1] for place in places)
        whole = 12 * places[0].source[0] * places[0].source[1] if made_of_rgb else 0
        # Resized, finished and, for R'G'B', converted: at most floats each time; the relief is half of one.
        each = nbytes + whole + 3 * floats + floats // 2
        if alpha:
            # Beside alpha a plane times it, and both resized.
            each += alpha + 4 * places[0].source[0] * places[0].source[1] + 8 * places[0].size[0] * places[0].size[1]
        if each != self._lane_bytes:
            self.settle()
            self._lanes.clear()
            self._lane_bytes = 0
            count = self._how_many(each, places[0].source)
            self._card.cupy.get_default_memory_pool().free_all_blocks()
            self._lanes.extend(Lane(self._card) for _ in range(count))
            self._lane_bytes = each
        lane = self._lanes[0]
        self._lanes.rotate(-1)
        return lane

    def _how_many(self, each: int, size: tuple[int, int]) -> int:
        """Frames of that many bytes and size (width, height) that may be under way at once."""
        count = min(self._in_flight, self._limit // each)
        if count < 1:
            raise GrainkitError(
                f"a frame of {size[0]}x{size[1]} takes {each / 2**20:.0f} MiB on the GPU, more than the "
                f"{self._limit / 2**20:.0f} MiB it may have; raise --device-memory, {REMEDY}"
            )
        return count
