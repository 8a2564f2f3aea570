"""The CPU backend: one fused pass in numba over strips of rows, shared out to threads.

Reference for kernels/*.cu. Noise is integer; integer planes are finished in integer arithmetic throughout (cpu_rows),
float planes in float32 (cpu_float). A strip draws its noise row after row (cpu_noise); it redraws the few around it,
so strips are independent and the result does not depend on how many there are.
"""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from grainkit.backends import cpu_float, cpu_rows
from grainkit.backends.base import Done, Pending, with_rgb
from grainkit.backends.cpu_noise import BLOCK, Field, begun, field_of, field_of_dither
from grainkit.backends.cpu_rows import ChromaRelief, LumaRelief, Planes
from grainkit.backends.pass_term import PassTerm
from grainkit.backends.tables import PassTables, PlaneNoise
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame, Plane
from grainkit.picture.resample import Geometry, conform
from grainkit.picture.rgb import RGB, RgbSamples
from grainkit.scale.cores import cores

#: Strips of a plane for each thread: enough that none waits long for another.
STRIPS_EACH = 2
#: Where there is no relief: a rectangle of nothing.
NO_TEXTURE = PassTerm(0, 0, *(np.zeros((0, 0), np.int16) for _ in range(3)))

#: Finishes rows of a plane, or of both chroma planes: the first, and how many.
Rows = Callable[[int, int], None]


def _strips(height: int, count: int) -> list[tuple[int, int]]:
    """First row and rows of so many strips that share a height, whole blocks of noise but for the last."""
    rows = -(-height // (count * BLOCK)) * BLOCK
    return [(first, min(rows, height - first)) for first in range(0, height, rows)]


class _Room:
    """A thread's scratch for one plane, kept from frame to frame: fresh memory costs page faults."""

    def __init__(self) -> None:
        self._noise: PlaneNoise | None = None
        self._field: Field | None = None

    def field(self, noise: PlaneNoise | None, plane: int, width: int, frame: np.uint32) -> Field:
        """What a plane's noise is drawn by, from any row on; an earlier one is not to be used after it.

        noise: None where only dither wants any.
        """
        if self._field is None or noise is not self._noise or width != self._field.fine_weight.size:
            self._noise = noise
            self._field = field_of_dither(plane, width) if noise is None else field_of(noise, width)
        return begun(self._field, frame)


class _Rooms(threading.local):
    def __init__(self) -> None:
        self.of_plane = (_Room(), _Room(), _Room())


class CpuBackend:
    """numba on `workers` threads; the default where there is no GPU.

    chosen_because: why `auto` did not take CUDA, a sentence; empty where the CPU was asked for.
    """

    name = "cpu"
    in_flight = 1
    resizes = False

    def __init__(self, workers: int | None = None, chosen_because: str = "") -> None:
        self.workers = workers or cores()
        self.chosen_because = chosen_because
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="grainkit-pass")
        self._rooms = _Rooms()

    def describe(self) -> str:
        return f"cpu ({platform.machine()}, {self.workers} threads)"

    def owns(self, array: object) -> bool:
        """Whether it is a NumPy array."""
        return isinstance(array, np.ndarray)

    def as_array(self, array: object) -> RGB:
        """The array itself."""
        return np.asarray(array)

    def to_host(self, array: object) -> RGB:
        """The array itself."""
        return np.asarray(array)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def conform(self, frame: Frame, geometry: Geometry, working: Color) -> Frame:
        """As grainkit.picture.resample's."""
        return conform(frame, geometry, working)

    def begin(
        self, frame: Frame, tables: PassTables, texture: PassTerm | None = None, rgb: RgbSamples | None = None
    ) -> Pending:
        """`finish`, at once: all cores are at work on the one frame anyway."""
        return Done(with_rgb(self.finish(frame, tables, texture), frame, tables.source, rgb))

    def finish(self, frame: Frame, tables: PassTables, texture: PassTerm | None = None) -> Frame:
        """One pass over the planes. Frames keep their planes, untouched, where nothing would change."""
        if tables.is_identity and texture is None:
            return frame.with_planes(frame.planes, tables.target)
        dtype = np.float32 if tables.target.is_float else np.uint8 if tables.target.depth == 8 else np.uint16
        out: tuple[Plane, ...] = tuple(np.empty(p.shape, dtype) for p in frame.planes)
        held = np.uint32((frame.index // tables.hold) & 0xFFFFFFFF)
        planes, relief = tuple(frame.planes), texture or NO_TEXTURE
        jobs = [(self._luma(planes, tables, relief, held, out), out[0].shape[0])]
        if len(out) == 3:
            jobs.append((self._chroma(planes, tables, relief, held, out), out[1].shape[0]))
        strips = 1 if self.workers == 1 else STRIPS_EACH * self.workers
        begun = [self._pool.submit(rows, *strip) for rows, height in jobs for strip in _strips(height, strips)]
        for strip in begun:
            strip.result()
        return frame.with_planes(out, tables.target)

    def _luma(
        self, planes: tuple[Plane, ...], tables: PassTables, texture: PassTerm, frame: np.uint32,
        out: tuple[Plane, ...],
    ) -> Rows:  # fmt: skip
        luma, width = planes[0], planes[0].shape[1]
        noise = tables.noise[0] if tables.noise else None
        relief = LumaRelief(texture.top, texture.left, texture.luma)

        def field() -> Field:
            return self._rooms.of_plane[0].field(noise, 0, width, frame)

        if tables.source.is_float:
            real = cpu_float.luma_work(tables)
            return lambda first, count: cpu_float.luma_rows(luma, first, count, real, relief, field(), out[0])

        pairs = cpu_rows.pairs_of(luma, tables)
        work = cpu_rows.luma_work(tables, in_pairs=pairs.shape[0] > 0)

        def rows(first: int, count: int) -> None:
            lines = cpu_rows.luma_lines(tables, width)
            cpu_rows.luma_rows(luma, pairs, first, count, work, relief, field(), lines, out[0])

        return rows

    def _chroma(
        self, planes: tuple[Plane, ...], tables: PassTables, texture: PassTerm, frame: np.uint32,
        out: tuple[Plane, ...],
    ) -> Rows:  # fmt: skip
        source = Planes(*planes)
        width = source.cb.shape[1]
        noises = tables.noise[1:] if tables.noise else (None, None)
        across, down = tables.source.subsampling
        relief = ChromaRelief(texture.top // down, texture.left // across, texture.cb, texture.cr)

        def fields() -> tuple[Field, Field]:
            _, cb_room, cr_room = self._rooms.of_plane
            return cb_room.field(noises[0], 1, width, frame), cr_room.field(noises[1], 2, width, frame)

        if tables.source.is_float:
            real = cpu_float.chroma_work(tables)
            return lambda first, count: cpu_float.chroma_rows(
                source, first, count, real, relief, *fields(), out[1], out[2]
            )

        work = cpu_rows.chroma_work(tables, in_pairs=cpu_rows.is_sited_in_pairs(source.luma, tables))

        def rows(first: int, count: int) -> None:
            lines = cpu_rows.chroma_lines(tables, source.luma, width)
            cpu_rows.chroma_rows(source, first, count, work, relief, *fields(), lines, out[1], out[2])

        return rows
