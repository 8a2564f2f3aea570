"""The CUDA backend: the same pass as the CPU's, one launch for luma and one for both chroma planes.

A frame goes up through pinned memory, is finished and comes down on a stream of its own; a few frames are under way at
a time, so that copies and kernels overlap. Memory on the device is taken once per geometry and stays within a limit.
Planes that are on the card already stay there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from grainkit.backends.base import Done, Pending, on_card, with_rgb
from grainkit.backends.card_planes import CardPlane, as_planes
from grainkit.backends.cuda_card import Card
from grainkit.backends.cuda_launch import Kernels
from grainkit.backends.cuda_memory import Lane, Layout, Shapes, Underway, Ways, reliefs_of
from grainkit.backends.cuda_pass import Job, new_job, sample_type
from grainkit.backends.cuda_resize import Resizer
from grainkit.backends.cuda_rgb import in_rows, planes_of_rgb, rgb_of_planes
from grainkit.backends.cupy_surface import CardArray
from grainkit.backends.pass_term import PassTerm
from grainkit.backends.tables import PassTables
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame, Plane
from grainkit.picture.resample import Geometry
from grainkit.picture.rgb import PlanesOfRgb, RgbSamples

#: Frames under way at once, where the memory limit allows.
IN_FLIGHT = 3


class CudaBackend:
    """The pass on an NVIDIA GPU.

    device_memory: bytes that frames may take on the card; None for most of what is free.
    in_flight: frames that are begun before the first is asked for, fewer where memory does not allow.
    Raises BackendUnavailable where CuPy, a driver, a card or NVRTC is missing, with the remedy.
    """

    name = "cuda"
    resizes = True
    chosen_because = ""

    def __init__(self, device_memory: int | None = None, in_flight: int = IN_FLIGHT) -> None:
        self._card = Card()
        self._cupy, self.in_flight = self._card.cupy, in_flight
        self._kernels = Kernels(self._cupy)
        self._ways = Ways(self._card, device_memory, in_flight)
        self._resizer = Resizer(self._card, self._kernels, self._ways)
        self._job: Job | None = None

    def describe(self) -> str:
        """The card, its driver and the versions that kernels are compiled and run by."""
        return self._card.described

    def close(self) -> None:
        """Give the memory on the card back. Frames that were begun are finished first."""
        self._ways.settle()
        self._job = None
        self._resizer.close()
        self._ways.close()

    def card(self) -> AbstractContextManager[None]:
        """A context in which the card's errors become ours."""
        return self._card.errors()

    def finish(self, frame: Frame, tables: PassTables, texture: PassTerm | None = None) -> Frame:
        """One pass over the planes; planes that are on the card are finished there and stay there."""
        return self.begin(frame, tables, texture).result()

    def begin(
        self, frame: Frame, tables: PassTables, texture: PassTerm | None = None, rgb: RgbSamples | None = None
    ) -> Pending:
        """Send a frame on its way; its result() waits for it. What `conform` left on the card is finished there."""
        with self.card():
            given: Sequence[object] = frame.planes
            first = given[0]
            if isinstance(first, CardPlane) and first.lane is not None:
                held = [plane for plane in given if isinstance(plane, CardPlane)]
                return self._begin_conformed(frame, held, first.lane, tables, texture, rgb)
            if any(on_card(p) for p in frame.planes):
                return Done(self._finish_on_card(frame, tables, texture, rgb))
            if tables.is_identity and texture is None:
                return Done(with_rgb(frame.with_planes(frame.planes, tables.target), frame, tables.source, rgb))
            return self._begin_on_host(frame, tables, texture, rgb)

    def conform(self, frame: Frame, geometry: Geometry, working: Color) -> Frame:
        """As `picture.resample`'s. Where samples are resized, or made of R'G'B', that is done on the card and the
        planes stay there; so do those that were there already, resized or not."""
        with self.card():
            return self._resizer.conform(frame, geometry, working)

    def _begin_conformed(
        self, frame: Frame, held: Sequence[CardPlane], lane: Lane, tables: PassTables, texture: PassTerm | None,
        rgb: RgbSamples | None,
    ) -> Pending:  # fmt: skip
        """The pass over planes that `conform` left on the card, and their R'G'B'; what is delivered comes down."""
        planes, origin = [p.array for p in held], held[0].origin
        shapes = _shapes(planes)
        as_it_is = tables.is_identity and texture is None
        if as_it_is and rgb is None:
            return Done(frame.with_planes(tuple(p[:] for p in held), tables.target))
        job = None if as_it_is else self._ready(tables, len(planes))
        lane.free()
        layout = Layout(shapes, sample_type(tables.target))
        if job is not None:
            reliefs = lane.send_reliefs(reliefs_of(texture, shapes, tables.source.subsampling), shapes)
            with lane.stream:
                memory = self._cupy.empty(layout.nbytes, np.uint8)
                job.run(planes, layout.views(memory), shapes, reliefs, frame.index)
                planes = layout.cut(layout.views(memory))
        if rgb is not None:
            height, width = shapes[0]
            layout = Layout(((height, 3 * width),), rgb.dtype)
            with lane.stream:
                memory = self._cupy.empty(layout.nbytes, np.uint8)
                rgb_of_planes(
                    self._kernels, planes, layout.views(memory)[0], origin, tables.source, rgb, frame.index
                )  # fmt: skip
        lane.fetch(layout, memory)

        def made(down: tuple[Plane, ...]) -> Frame:
            if rgb is None:
                return frame.with_planes(down, tables.target)
            samples = down[0].reshape(*shapes[0], 3)
            return replace(frame, planes=PlanesOfRgb(samples, tables.target), color=tables.target, rgb=samples)

        lane.pending = Underway(lane, layout, made)
        return lane.pending

    def _begin_on_host(
        self, frame: Frame, tables: PassTables, texture: PassTerm | None, rgb: RgbSamples | None = None
    ) -> Pending:
        job = self._ready(tables, len(frame.planes))
        shapes = _shapes(frame.planes)
        source, target = Layout(shapes, frame.planes[0].dtype), Layout(shapes, sample_type(tables.target))
        slot = self._ways.slot(source, target)
        slot.free()
        for rows, plane in zip(source.host_views(slot.up), frame.planes, strict=True):
            rows[:, : plane.shape[1]] = plane
        slot.source.set(slot.up, stream=slot.stream)
        reliefs = slot.send_reliefs(reliefs_of(texture, shapes, tables.source.subsampling), shapes)
        with slot.stream:
            job.run(source.views(slot.source), target.views(slot.target), shapes, reliefs, frame.index)
        slot.target.get(stream=slot.stream, out=slot.down, blocking=False)
        slot.done.record(slot.stream)
        slot.pending = Underway(
            slot, target,
            lambda planes: with_rgb(frame.with_planes(planes, tables.target), frame, tables.source, rgb),
        )  # fmt: skip
        return slot.pending

    def _finish_on_card(
        self, frame: Frame, tables: PassTables, texture: PassTerm | None, rgb: RgbSamples | None = None
    ) -> Frame:
        """Planes already on the card, wherever their rows begin; the result is CuPy arrays, ready to be read."""
        planes = [self._taken(p) for p in frame.planes]
        if not tables.is_identity or texture is not None:
            planes = self._passed_on_card(frame, planes, tables, texture)
        done = frame.with_planes(as_planes(planes), tables.target)
        if rgb is None:
            return done
        samples = self.rgb_from_planes(
            planes, tables.source, rgb.dtype, seed=rgb.seed, frame=frame.index, origin=frame.rgb
        )
        return replace(done, rgb=samples)

    def _passed_on_card(
        self, frame: Frame, planes: list[CardArray], tables: PassTables, texture: PassTerm | None
    ) -> list[CardArray]:
        cupy = self._cupy
        job = self._ready(tables, len(planes))
        stream, shapes = cupy.cuda.get_current_stream(), _shapes(planes)
        out = [cupy.empty(shape, sample_type(tables.target)) for shape in shapes]
        reliefs = tuple(
            r if r.terms is None else replace(r, sent=cupy.asarray(r.terms))
            for r in reliefs_of(texture, shapes, tables.source.subsampling)
        )
        job.run(planes, out, shapes, reliefs, frame.index)
        stream.synchronize()
        return out

    def planes_from_rgb(self, rgb: object, color: Color) -> tuple[CardArray, ...]:
        """As grainkit.picture.rgb's, for (h, w, 3) samples on the card; the planes are CuPy arrays."""
        with self.card():
            rows = in_rows(self._cupy.ascontiguousarray(self._card.array(rgb)))
            planes = planes_of_rgb(self._cupy, self._kernels, rows, color)
            self._cupy.cuda.get_current_stream().synchronize()
            return tuple(planes)

    def rgb_from_planes(
        self, planes: Sequence[object], color: Color, dtype: npt.DTypeLike, *, seed: int = 0, frame: int = 0,
        origin: object = None,
    ) -> Any:  # fmt: skip
        """As grainkit.picture.rgb's, for planes on the card; the result is a CuPy array."""
        samples = RgbSamples(np.dtype(dtype), seed)
        with self.card():
            held = [self._taken(p) for p in planes]
            height, width = held[0].shape
            known = None if origin is None else in_rows(self._cupy.ascontiguousarray(self._card.array(origin)))
            rgb = self._cupy.empty((height, width, 3), samples.dtype)
            rgb_of_planes(self._kernels, held, in_rows(rgb), known, color, samples, frame)
            self._cupy.cuda.get_current_stream().synchronize()
            return rgb

    def stage_seconds(self, frame: Frame, tables: PassTables) -> dict[str, float]:
        """Seconds that one frame's upload, kernels and download take when nothing overlaps, for measuring."""
        found = {}
        with self.card():
            self._ways.settle()
            self._begin_on_host(frame, tables, None).result()
            slot, job = self._ways.first_slot(), self._ready(tables, len(frame.planes))
            shapes = _shapes(frame.planes)
            source, target = Layout(shapes, frame.planes[0].dtype), Layout(shapes, sample_type(tables.target))
            reliefs = reliefs_of(None, shapes, tables.source.subsampling)

            def kernels() -> None:
                with slot.stream:
                    job.run(source.views(slot.source), target.views(slot.target), shapes, reliefs, frame.index)

            stages: dict[str, Callable[[], object]] = {
                "upload": lambda: slot.source.set(slot.up, stream=slot.stream),
                "kernels": kernels,
                "download": lambda: slot.target.get(stream=slot.stream, out=slot.down, blocking=False),
            }
            for name, work in stages.items():
                slot.stream.synchronize()
                began = time.perf_counter()
                work()
                slot.stream.synchronize()
                found[name] = time.perf_counter() - began
        return found

    def copy_rate(self, nbytes: int = 1 << 27, rounds: int = 5) -> float:
        """Bytes per second, read and written, that the card copies within its own memory."""
        with self.card():
            source, target = (self._cupy.empty(nbytes, np.uint8) for _ in range(2))
            stream, best = self._cupy.cuda.get_current_stream(), 0.0
            for _ in range(rounds):
                stream.synchronize()
                began = time.perf_counter()
                target.data.copy_from_device_async(source.data, nbytes, stream)
                stream.synchronize()
                best = max(best, 2 * nbytes / (time.perf_counter() - began))
            return best

    def owns(self, array: object) -> bool:
        """Whether an array lies in a GPU's memory."""
        return isinstance(array, CardPlane) or on_card(array)

    def as_array(self, array: object) -> CardArray:
        """An array on the card as CuPy's, without a copy."""
        with self.card():
            return self._card.array(array)

    def to_host(self, array: object) -> npt.NDArray[Any]:
        """A copy in the host's memory of an array on the card."""
        with self.card():
            return self._card.array(array).get()

    def _taken(self, plane: object) -> CardArray:
        """A plane on the card as CuPy's array, its samples side by side in a row."""
        return self._card.taken(plane.array if isinstance(plane, CardPlane) else plane)

    def _ready(self, tables: PassTables, planes: int) -> Job:
        """The tables on the card: those of the last job, or new ones once nothing reads the old."""
        if self._job is None or self._job.tables is not tables or (self._job.chroma is None) != (planes == 1):
            self._ways.settle()
            self._job = new_job(self._card, self._kernels, tables, planes)
            self._cupy.cuda.get_current_stream().synchronize()  # tables are there before any stream reads them
        return self._job


def _shapes(planes: Sequence[CardArray] | Sequence[Plane]) -> Shapes:
    return tuple((int(p.shape[0]), int(p.shape[1])) for p in planes)
