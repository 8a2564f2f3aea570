"""The CPU backend: one fused pass in numba over strips of rows, shared out to threads.

Reference for kernels/*.cu. Noise is integer; integer planes are finished in integer arithmetic throughout (cpu_rows),
float planes in float32 (cpu_float). A strip draws its noise row after row (cpu_noise); it redraws the few around it,
so strips are independent and the result does not depend on how many there are.
"""

from __future__ import annotations

import platform
import threading
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
from grainkit.picture.rgb import RgbSamples
from grainkit.scale.cores import cores

#: Strips of a plane for each thread: enough that none waits long for another.
STRIPS_EACH = 2
#: Where there is no relief: a rectangle of nothing.
NO_TEXTURE = PassTerm(0, 0, *(np.zeros((0, 0), np.int16) for _ in range(3)))


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


#: Where there is no relief: a rectangle of nothing.
NO_TEXTURE = PassTerm(0, 0, *(np.zeros((0, 0), np.int16) for _ in range(3)))


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
        relief = texture or NO_TEXTURE
        strips = 1 if self.workers == 1 else STRIPS_EACH * self.workers
        jobs = [(self._luma, strip) for strip in _strips(out[0].shape[0], strips)]
        if len(out) == 3:
            jobs += [(self._chroma, strip) for strip in _strips(out[1].shape[0], strips)]
        planes = tuple(frame.planes)
        for done in [self._pool.submit(job, planes, tables, relief, held, *strip, out) for job, strip in jobs]:
            done.result()
        return frame.with_planes(out, tables.target)

    def _luma(
        self, planes: tuple[Plane, ...], tables: PassTables, texture: PassTerm, frame: np.uint32, first: int,
        count: int, out: tuple[Plane, ...],
    ) -> None:  # fmt: skip
        luma = planes[0]
        field = self._rooms.of_plane[0].field(tables.noise[0] if tables.noise else None, 0, luma.shape[1], frame)
        relief = LumaRelief(texture.top, texture.left, texture.luma)
        if tables.source.is_float:
            cpu_float.luma_rows(luma, first, count, cpu_float.luma_work(tables), relief, field, out[0])
            return
        pairs, lines = cpu_rows.pairs_of(luma, tables), cpu_rows.luma_lines(tables, luma.shape[1])
        work = cpu_rows.luma_work(tables, in_pairs=pairs.shape[0] > 0)
        cpu_rows.luma_rows(luma, pairs, first, count, work, relief, field, lines, out[0])

    def _chroma(
        self, planes: tuple[Plane, ...], tables: PassTables, texture: PassTerm, frame: np.uint32, first: int,
        count: int, out: tuple[Plane, ...],
    ) -> None:  # fmt: skip
        source = Planes(*planes)
        width = source.cb.shape[1]
        noises = tables.noise[1:] if tables.noise else (None, None)
        cb_field, cr_field = (
            self._rooms.of_plane[plane].field(noise, plane, width, frame) for plane, noise in enumerate(noises, start=1)
        )
        across, down = tables.source.subsampling
        relief = ChromaRelief(texture.top // down, texture.left // across, texture.cb, texture.cr)
        if tables.source.is_float:
            cpu_float.chroma_rows(
                source, first, count, cpu_float.chroma_work(tables), relief, cb_field, cr_field, out[1], out[2]
            )
            return
        lines = cpu_rows.chroma_lines(tables, source.luma, width)
        work = cpu_rows.chroma_work(tables, in_pairs=lines.sited_pairs.size > 0)
        cpu_rows.chroma_rows(source, first, count, work, relief, cb_field, cr_field, lines, out[1], out[2])
