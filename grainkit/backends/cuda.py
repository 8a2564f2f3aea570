"""The CUDA backend: the same pass as the CPU's, one launch for luma and one for both chroma planes.

The only file that imports CuPy. A frame goes up through pinned memory, is finished and comes down on a
stream of its own; a few frames are under way at a time, so that copies and kernels overlap. Memory on the
device is taken once per geometry and stays within a limit. Planes that are on the card already stay there.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from grainkit.backends.base import Done, Pending, with_rgb
from grainkit.backends.card_planes import CardPlane, Weigher
from grainkit.backends.card_planes import pitch as _pitch
from grainkit.backends.kernel_source import Parameter, flatten, parameters
from grainkit.backends.pass_term import TextureTerm
from grainkit.backends.tables import PassTables, PlaneNoise, chroma_limits, fraction_bits
from grainkit.errors import BackendUnavailable, GrainkitError, InputError
from grainkit.machine.caches import find_for_cupy
from grainkit.picture.color import Color, chroma_codes, luma_codes
from grainkit.picture.frame import Frame, Plane, Woven
from grainkit.picture.noise import stream_key
from grainkit.picture.resample import Geometry, Placement, around, conform, coverage, crop, levels, placements
from grainkit.picture.rgb import DITHER_STREAM, PlanesOfRgb, RgbSamples, full_scale, rgb_weights

#: How kernels are compiled: every operation rounds once, as on the CPU. CuPy adds -ftz=true by itself.
OPTIONS = ("--fmad=false", "-std=c++17")
#: Oldest compute capability that NVRTC 13 builds for.
OLDEST = 75
#: Frames under way at once, where the memory limit allows.
IN_FLIGHT = 3
#: Share of the card's free memory that is used where no limit is set.
SHARE = 0.8
#: Geometry of kernels/grain_field.cuh.
THREADS, TILE_W, TILE_H, DRAWN = 256, 128, 32, 32
HALF_W, HALF_H = TILE_W // 2 + 2, TILE_H // 2 + 2
#: Resizes whose weights are kept on the card.
_MOST_TAPS = 16
#: Shared memory that a block may have without asking.
PLAIN_SHARED = 48 * 1024
#: Rows begin on this many bytes.
_ALIGN = 256

_SCALARS: dict[str, Callable[[Any], Any]] = {
    "int": np.int32, "u32": np.uint32, "float": np.float32, "long long": np.int64,
}  # fmt: skip
_REMEDY = "or use --backend cpu"


def _load() -> Any:
    """CuPy, with a card that works. Raises BackendUnavailable with what is missing and how to get it."""
    try:
        import cupy
    except ImportError as error:
        raise BackendUnavailable(
            "the CUDA backend needs CuPy, which is not installed: pip install 'grainkit[cuda13]' "
            f"('grainkit[cuda12]' for drivers older than 580), {_REMEDY}"
        ) from error
    find_for_cupy()  # which CuPy asks for as it compiles; where there is no CuPy, no folder of it is made
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise BackendUnavailable(
            f"the CUDA backend finds no NVIDIA driver that works ({_text(error)}): "
            f"install or update it from nvidia.com/drivers, {_REMEDY}"
        ) from error
    if count == 0:
        raise BackendUnavailable("the CUDA backend finds no NVIDIA GPU on this machine; use --backend cpu")
    try:
        cupy.cuda.nvrtc.getVersion()
    except Exception as error:  # whatever the loader raises, the library is not there
        raise BackendUnavailable(
            f"the CUDA backend needs NVRTC, which cannot be loaded: pip install 'grainkit[cuda13]', {_REMEDY}"
        ) from error
    capability = int(cupy.cuda.Device().compute_capability)
    if capability < OLDEST:
        raise BackendUnavailable(
            f"this GPU has compute capability {capability / 10}, the CUDA backend needs {OLDEST / 10} or newer; "
            "use --backend cpu"
        )
    return cupy


def _text(error: BaseException) -> str:
    return " ".join(str(error).split())


@contextmanager
def _card_errors(cupy: Any) -> Iterator[None]:
    """What goes wrong on the card, as errors of ours, a line each."""
    cuda = cupy.cuda
    try:
        yield
    except (cuda.memory.OutOfMemoryError, cuda.runtime.CUDARuntimeError, cuda.driver.CUDADriverError) as error:
        text = _text(error)
        if isinstance(error, cuda.memory.OutOfMemoryError) or "emoryAllocation" in text or "OUT_OF_MEMORY" in text:
            raise GrainkitError(
                f"the GPU is out of memory ({text}); finish smaller pictures, close what else uses it, {_REMEDY}"
            ) from error
        raise GrainkitError(f"the GPU stopped working ({text}); run again, {_REMEDY}") from error
    except cuda.compiler.CompileException as error:
        raise GrainkitError(
            f"NVRTC does not compile grainkit's kernels ({_text(error)[:300]}); {_REMEDY[3:]}"
        ) from error


@dataclass(frozen=True)
class _Kernel:
    function: Any
    parameters: tuple[Parameter, ...]

    def pack(self, arguments: dict[str, Any]) -> tuple[Any, ...]:
        """Arguments by name as the kernel takes them: in order, each of the parameter's own type."""
        extra = arguments.keys() - {p.name for p in self.parameters}
        assert not extra, f"the kernel does not take {sorted(extra)}"
        return tuple(
            arguments[p.name] if p.kind == "pointer" else _SCALARS[p.kind](arguments[p.name]) for p in self.parameters
        )


@dataclass(frozen=True)
class _Launch:
    """One of a job's two kernels with all its arguments that do not change from frame to frame."""

    kernel: _Kernel
    arguments: dict[str, Any]
    shared: int


@dataclass(frozen=True, eq=False)
class _Job:
    """Tables on the card. chroma is None for grey pictures."""

    tables: PassTables
    luma: _Launch
    chroma: _Launch | None


@dataclass(frozen=True, eq=False)
class _Relief:
    """Texture of one plane: int16 terms of a rectangle of it, on the host or the card, or None."""

    terms: Any
    top: int
    left: int
    height: int
    width: int

    def rectangle(self) -> dict[str, int]:
        """Its arguments, as kernels name them."""
        return {f"relief_{side}": getattr(self, side) for side in ("top", "left", "height", "width")}


NO_RELIEF = _Relief(None, 0, 0, 0, 0)


class _Layout:
    """Where planes lie in one block of memory: rows of whole vectors, one plane after the other."""

    def __init__(self, shapes: tuple[tuple[int, int], ...], dtype: npt.DTypeLike) -> None:
        self.dtype, self.shapes = np.dtype(dtype), shapes
        self.pitches = [-(-width * self.dtype.itemsize // _ALIGN) * _ALIGN for _, width in shapes]
        starts = np.cumsum([0, *(p * height for p, (height, _) in zip(self.pitches, shapes, strict=True))])
        self.starts, self.nbytes = [int(s) for s in starts[:-1]], int(starts[-1])

    def views(self, memory: Any) -> list[Any]:
        """The planes in `memory` (uint8, numpy or CuPy), with what lies beside their rows."""
        return [
            memory[start : start + pitch * height].view(self.dtype).reshape(height, pitch // self.dtype.itemsize)
            for start, pitch, (height, _) in zip(self.starts, self.pitches, self.shapes, strict=True)
        ]


class _Slot:
    """A stream, and the memory of one frame that is under way on it."""

    def __init__(self, cupy: Any, pinned: Callable[..., Any], source: _Layout, target: _Layout) -> None:
        self.stream = cupy.cuda.Stream(non_blocking=True)
        self.done = cupy.cuda.Event(disable_timing=True)
        self.up, self.down = (pinned(layout.nbytes, np.uint8) for layout in (source, target))
        self.source, self.target = (cupy.empty(layout.nbytes, np.uint8) for layout in (source, target))
        self.relief: tuple[Any, Any] | None = None
        self.pending: _Underway | None = None


class _Lane:
    """A stream, and the host's memory of one frame that is resized and finished on it.

    The frame's memory on the card is CuPy's pool's, which hands it out again in the stream's order.
    """

    def __init__(self, cupy: Any, pinned: Callable[..., Any]) -> None:
        self.stream = cupy.cuda.Stream(non_blocking=True)
        self.done, self.sent = (cupy.cuda.Event(disable_timing=True) for _ in range(2))
        self.up: Any = np.empty(0, np.uint8)
        self.down: Any = self.up
        self.relief: tuple[Any, Any] | None = None
        self.pending: _Underway | None = None
        self._cupy, self._pinned = cupy, pinned

    def send(self, layout: _Layout, planes: Sequence[Any]) -> list[Any]:
        """Planes of the host on their way to the card: where they will be."""
        self.sent.synchronize()  # what went before has left the memory that comes next
        if self.up.nbytes < layout.nbytes:
            self.up = self._pinned(layout.nbytes, np.uint8)
        for rows, plane in zip(layout.views(self.up), planes, strict=True):
            rows[:, : plane.shape[1]] = plane
        with self.stream:
            held = self._cupy.empty(layout.nbytes, np.uint8)
        held.set(self.up[: layout.nbytes], stream=self.stream)
        self.sent.record(self.stream)
        return [view[:, :width] for view, (_, width) in zip(layout.views(held), layout.shapes, strict=True)]

    def fetch(self, layout: _Layout, memory: Any) -> None:
        """Send memory of the card on its way to `down`; `done` is when it is there."""
        if self.down.nbytes < layout.nbytes:
            self.down = self._pinned(layout.nbytes, np.uint8)
        memory.get(stream=self.stream, out=self.down[: layout.nbytes], blocking=False)
        self.done.record(self.stream)


class _Underway:
    """A frame on its way through the card. made: the frame of the planes (copies) that come down."""

    def __init__(
        self, backend: CudaBackend, slot: _Slot | _Lane, layout: _Layout, made: Callable[[tuple[Plane, ...]], Frame]
    ) -> None:
        self._backend, self._slot, self._layout, self._made = backend, slot, layout, made
        self._finished: Frame | None = None

    def result(self) -> Frame:
        """The finished frame; waits for it."""
        if self._finished is None:
            with self._backend.card():
                self._slot.done.synchronize()
            # Copies, also where rows have nothing beside them: the memory is the next frame's.
            views = zip(self._layout.views(self._slot.down), self._layout.shapes, strict=True)
            planes: list[Plane] = [rows[:, :width].copy() for rows, (_, width) in views]
            self._finished = self._made(tuple(planes))
            del self._made  # and with it what it knows of the card's memory
            self._slot.pending = None
        return self._finished


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
        self._cupy = cupy = _load()
        self.in_flight = in_flight
        with self.card():
            free, total = cupy.cuda.runtime.memGetInfo()
            self._limit = int(free * SHARE) if device_memory is None else device_memory
            properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
            self._most_shared = int(cupy.cuda.Device().attributes["MaxSharedMemoryPerBlockOptin"])
        self._described = (
            f"cuda ({properties['name'].decode()}, compute capability {properties['major']}.{properties['minor']}, "
            f"{total / 2**30:.1f} GiB, driver {_version(cupy.cuda.runtime.driverGetVersion())}, "
            f"CuPy {cupy.__version__})"
        )
        self._kernels: dict[tuple[str, ...], _Kernel] = {}
        self._job: _Job | None = None
        self._geometry: Any = None
        self._slots: deque[_Slot] = deque()
        self._lanes: deque[_Lane] = deque()
        self._lane_bytes = 0
        self._weigher = Weigher(cupy, self._launch_named)
        self._taps: dict[Placement, tuple[Any, Any, dict[str, Any]]] = {}

    def describe(self) -> str:
        """The card, its driver and the versions that kernels are compiled and run by."""
        return self._described

    def close(self) -> None:
        """Give the memory on the card back. Frames that were begun are finished first."""
        self._settle()
        self._slots.clear()
        self._lanes.clear()
        self._taps.clear()
        self._job, self._geometry, self._lane_bytes = None, None, 0
        with self.card():
            self._cupy.get_default_memory_pool().free_all_blocks()

    def card(self) -> Any:
        """A context in which the card's errors become ours."""
        return _card_errors(self._cupy)

    def finish(self, frame: Frame, tables: PassTables, texture: TextureTerm | None = None) -> Frame:
        """One pass over the planes; planes that are on the card are finished there and stay there."""
        return self.begin(frame, tables, texture).result()

    def begin(
        self, frame: Frame, tables: PassTables, texture: TextureTerm | None = None, rgb: RgbSamples | None = None
    ) -> Pending:
        """Send a frame on its way; its result() waits for it. What `conform` left on the card is finished there."""
        with self.card():
            first = frame.planes[0]
            if isinstance(first, CardPlane) and first.lane is not None:
                return self._begin_conformed(frame, first.lane, tables, texture, rgb)
            if any(on_card(p) for p in frame.planes):
                return Done(self._finish_on_card(frame, tables, texture, rgb))
            if tables.is_identity and texture is None:
                return Done(with_rgb(frame.with_planes(frame.planes, tables.target), frame, tables.source, rgb))
            return self._begin_on_host(frame, tables, texture, rgb)

    def conform(self, frame: Frame, geometry: Geometry, working: Color) -> Frame:
        """As `picture.resample`'s. Where samples are resized, or made of R'G'B', that is done on the card and the
        planes stay there; so do those that were there already, resized or not."""
        if isinstance(frame.planes, Woven):
            with self.card():
                return self._conform_decoded(frame, frame.planes, geometry, working)
        given = frame.planes.rgb if isinstance(frame.planes, PlanesOfRgb) else frame.planes[0]
        with self.card():
            if on_card(given):
                return self._conform_there(frame, geometry, working)
            if geometry.is_crop(frame.color.subsampling):
                frame, geometry = crop(frame, geometry), Geometry.same(*geometry.size)
            places = placements(frame, geometry, working) if working.is_float else ()
            made_of_rgb = isinstance(frame.planes, PlanesOfRgb)
            as_it_is = given.dtype == np.float32 and all(place.is_identity for place in places)
            if not places or (len(places) == 1 if made_of_rgb else as_it_is):
                return conform(frame, geometry, working)
            return self._conform_here(frame, geometry, working, places)

    def _conform_here(self, frame: Frame, geometry: Geometry, working: Color, places: tuple[Placement, ...]) -> Frame:
        """A frame of the host sent to the card and resized there."""
        made_of_rgb = isinstance(frame.planes, PlanesOfRgb)
        given = [_in_rows(frame.planes.rgb)] if isinstance(frame.planes, PlanesOfRgb) else frame.planes
        layout = _Layout(tuple((p.shape[0], p.shape[1]) for p in given), given[0].dtype)
        alphas = coverage(frame, places)
        # One for luma and one for both chroma planes, or one for all.
        shares = [a for number, a in enumerate(alphas[:2]) if a is not None and (number == 0 or a is not alphas[0])]
        beside = _Layout(tuple((a.shape[0], a.shape[1]) for a in shares), np.float32)
        lane = self._lane(layout.nbytes, places, made_of_rgb, beside.nbytes)
        self._prepare(places)
        planes = lane.send(layout, given)
        sent = lane.send(beside, shares) if shares else []
        origin = planes[0] if made_of_rgb else None
        with lane.stream:
            if origin is not None:
                planes = self._of_rgb(origin, frame.color)
            told = [sent[0], *[sent[-1]] * 2] if sent else None
            made = self._placed(planes, places, levels(frame.color), told)
        kept = origin if geometry.is_identity else None
        held = [CardPlane(p, self._weigher, lane.stream, lane=lane, origin=kept) for p in made]
        return around(frame, held, geometry, working)  # type: ignore[arg-type]

    def _conform_decoded(self, frame: Frame, woven: Woven, geometry: Geometry, working: Color) -> Frame:
        """A frame that was decoded on the card: its planes as they are meant, resized where that is asked for."""
        cupy = self._cupy
        # FFmpeg's stream is not CuPy's, and PyAV cannot tell the one of the other.
        cupy.cuda.Device().synchronize()
        luma, chroma = as_cupy(cupy, woven.luma), as_cupy(cupy, woven.chroma)
        shapes = (tuple(luma.shape), *(tuple(chroma.shape[:2]),) * 2)
        whole = Geometry.same(shapes[0][1], shapes[0][0])
        if not working.is_float and geometry != whole:
            raise InputError("a clip decoded by --hwaccel is not cropped alone; leave --hwaccel out")
        layout = _Layout(shapes, np.uint8 if woven.bits == 8 else np.uint16)
        places = placements(frame.with_planes((luma, *(chroma,) * 2)), geometry, working)
        lane = self._lane(layout.nbytes, places, False)
        self._prepare(places)
        with lane.stream:
            planes = layout.views(cupy.empty(layout.nbytes, np.uint8))
            for count, source, targets in ((1, luma, planes[:1]), (2, chroma, planes[1:])):
                height, width = shapes[count - 1]
                self._launch_named(
                    "part", (f"-DSAMPLE_BITS={woven.bits}", f"-DWOVEN={count}"),
                    (-(-width * count // (32 * 128 // woven.bits)), -(-height // 8)), (32, 8), 0,
                    {
                        "source": source, "source_pitch": _pitch(source), "first": targets[0],
                        "second": targets[-1] if count == 2 else None, "target_pitch": _pitch(targets[0]),
                        "width": width, "height": height, "shift": woven.shift,
                    },
                )  # fmt: skip
            planes = [plane[:, :width] for plane, (_, width) in zip(planes, shapes, strict=True)]
            made = self._placed(planes, places, levels(frame.color)) if working.is_float else planes
        lane.stream.synchronize()  # the decoder may have its surface back
        held = [CardPlane(p, self._weigher, lane.stream, lane=lane) for p in made]
        return around(frame, held, geometry, working)  # type: ignore[arg-type]

    def _conform_there(self, frame: Frame, geometry: Geometry, working: Color) -> Frame:
        """A frame whose samples the caller has on the card; on his stream."""
        cupy = self._cupy
        if isinstance(frame.planes, PlanesOfRgb):
            planes = list(self.planes_from_rgb(frame.planes.rgb, frame.color))
        else:
            planes = [self._taken(p) for p in frame.planes]
        if frame.alpha is not None and not geometry.is_identity:
            raise InputError("frames on a GPU that have alpha keep their size; change it before or after")
        if working.is_float:
            places = placements(frame, geometry, working)
            self._prepare(places)
            planes = self._placed(planes, places, levels(frame.color))
        elif not geometry.is_identity:
            raise InputError("frames on a GPU are not cropped; cut their planes before")
        held = [CardPlane(p, self._weigher, nullcontext()) for p in planes]
        cupy.cuda.get_current_stream().synchronize()
        return around(frame, held, geometry, working)  # type: ignore[arg-type]

    def _of_rgb(self, rows: Any, color: Color) -> list[Any]:
        """Float planes of R'G'B' rows (h, 3 w) on the card, on the current stream."""
        height, width = rows.shape[0], rows.shape[1] // 3
        layout = _Layout(((height, width),) * 3, np.float32)
        luma, cb, cr = layout.views(self._cupy.empty(layout.nbytes, np.uint8))
        self._launch_boundary(
            "from_rgb", f"-DSOURCE_BITS={8 * rows.dtype.itemsize}", (height, width), color, rgb=rows,
            rgb_pitch=_pitch(rows), luma=luma, cb=cb, cr=cr, pitch=_pitch(luma),
            scale=_one_over(full_scale(rows.dtype)),
        )  # fmt: skip
        return [plane[:, :width] for plane in (luma, cb, cr)]

    def _placed(
        self, planes: Sequence[Any], places: tuple[Placement, ...], level: Sequence[tuple[float, float]],
        alphas: Sequence[Any] | None = None,
    ) -> list[Any]:  # fmt: skip
        """Float planes at the places they are wanted, on the current stream. alphas: as `coverage`, on the card."""
        wanted = [not place.is_identity or p.dtype != np.float32 for p, place in zip(planes, places, strict=True)]
        if not any(wanted):
            return list(planes)
        layout = _Layout(tuple((place.size[1], place.size[0]) for place in places), np.float32)
        views = layout.views(self._cupy.empty(layout.nbytes, np.uint8))
        made: list[Any] = []
        for plane, place, want, unit, view in zip(planes, places, wanted, level, views, strict=False):
            if want:
                down, across, tables = self._taps[place]
                out = view[:, : place.size[0]]
                self._weigher.weighed(
                    plane, down, across, tables, level=unit, bounded=not place.is_identity, out=out
                )  # fmt: skip
                if alphas is not None and not place.is_identity:
                    self._weigher.seen_part(plane, alphas[len(made)], down, across, tables, level=unit, out=out)
            made.append(out if want else plane)
        return made

    def _prepare(self, places: tuple[Placement, ...]) -> None:
        """What the planes of these places are made of, on the card before any stream reads it."""
        new = [place for place in dict.fromkeys(places) if place not in self._taps]
        if not new:
            return
        if len(self._taps) > _MOST_TAPS:
            for lane in self._lanes:
                lane.stream.synchronize()  # nobody reads them any more
            self._taps.clear()
            new = list(dict.fromkeys(places))
        for place in new:
            down, across = place.taps()
            self._taps[place] = down, across, self._weigher.tables(down, across)
        self._cupy.cuda.get_current_stream().synchronize()  # weights are there

    def _lane(self, nbytes: int, places: tuple[Placement, ...], made_of_rgb: bool, alpha: int = 0) -> _Lane:
        """The lane of the next frame; as many are made as memory allows, anew only when what a frame takes changes.

        alpha: bytes of alpha that planes are weighed by.
        """
        floats = 4 * sum(place.size[0] * place.size[1] for place in places)
        whole = 12 * places[0].source[0] * places[0].source[1] if made_of_rgb else 0
        # Resized, finished and, for R'G'B', converted: at most floats each time; the relief is half of one.
        each = nbytes + whole + 3 * floats + floats // 2
        if alpha:
            # Beside alpha a plane times it, and both resized.
            each += alpha + 4 * places[0].source[0] * places[0].source[1] + 8 * places[0].size[0] * places[0].size[1]
        if each != self._lane_bytes:
            self._settle()
            self._lanes.clear()
            self._lane_bytes = 0
            count = self._how_many(each, places[0].source)
            self._cupy.get_default_memory_pool().free_all_blocks()
            self._lanes.extend(_Lane(self._cupy, self._pinned) for _ in range(count))
            self._lane_bytes = each
        lane = self._lanes[0]
        self._lanes.rotate(-1)
        return lane

    def _begin_conformed(
        self, frame: Frame, lane: _Lane, tables: PassTables, texture: TextureTerm | None, rgb: RgbSamples | None
    ) -> Pending:
        """The pass over planes that `conform` left on the card, and their R'G'B'; what is delivered comes down."""
        held: Sequence[Any] = frame.planes
        planes, origin = [p.array for p in held], held[0].origin
        shapes = tuple((int(p.shape[0]), int(p.shape[1])) for p in planes)
        as_it_is = tables.is_identity and texture is None
        if as_it_is and rgb is None:
            return Done(frame.with_planes(tuple(p[:] for p in held), tables.target))
        job = None if as_it_is else self._ready(tables, len(planes))
        if lane.pending is not None:  # nobody has taken it yet: it must leave the memory that comes next
            lane.pending.result()
        layout = _Layout(shapes, _sample_type(tables.target))
        memory = None
        if job is not None:
            reliefs = self._sent(lane, _reliefs(texture, shapes, tables.source.subsampling), shapes)
            with lane.stream:
                memory = self._cupy.empty(layout.nbytes, np.uint8)
                self._run(job, planes, layout.views(memory), shapes, reliefs, frame)
                planes = [view[:, :width] for view, (_, width) in zip(layout.views(memory), shapes, strict=True)]
        if rgb is not None:
            height, width = shapes[0]
            layout = _Layout(((height, 3 * width),), rgb.dtype)
            with lane.stream:
                memory = self._cupy.empty(layout.nbytes, np.uint8)
                self._to_rgb(planes, layout.views(memory)[0], origin, tables.source, rgb, frame.index)
        lane.fetch(layout, memory)

        def made(down: tuple[Plane, ...]) -> Frame:
            if rgb is None:
                return frame.with_planes(down, tables.target)
            samples = down[0].reshape(*shapes[0], 3)
            return replace(frame, planes=PlanesOfRgb(samples, tables.target), color=tables.target, rgb=samples)

        lane.pending = _Underway(self, lane, layout, made)
        return lane.pending

    def _begin_on_host(
        self, frame: Frame, tables: PassTables, texture: TextureTerm | None, rgb: RgbSamples | None = None
    ) -> Pending:
        job = self._ready(tables, len(frame.planes))
        shapes = tuple((int(p.shape[0]), int(p.shape[1])) for p in frame.planes)
        source, target = _Layout(shapes, frame.planes[0].dtype), _Layout(shapes, _sample_type(tables.target))
        self._make_room(source, target)
        slot = self._slots[0]
        self._slots.rotate(-1)
        if slot.pending is not None:  # nobody has taken it yet: it must leave the memory that comes next
            slot.pending.result()
        for rows, plane in zip(source.views(slot.up), frame.planes, strict=True):
            rows[:, : plane.shape[1]] = plane
        slot.source.set(slot.up, stream=slot.stream)
        reliefs = self._sent(slot, _reliefs(texture, shapes, tables.source.subsampling), shapes)
        with slot.stream:
            self._run(job, source.views(slot.source), target.views(slot.target), shapes, reliefs, frame)
        slot.target.get(stream=slot.stream, out=slot.down, blocking=False)
        slot.done.record(slot.stream)
        slot.pending = _Underway(
            self, slot, target,
            lambda planes: with_rgb(frame.with_planes(planes, tables.target), frame, tables.source, rgb),
        )  # fmt: skip
        return slot.pending

    def _finish_on_card(
        self, frame: Frame, tables: PassTables, texture: TextureTerm | None, rgb: RgbSamples | None = None
    ) -> Frame:
        """Planes already on the card, wherever their rows begin; the result is CuPy arrays, ready to be read."""
        planes = [self._taken(p) for p in frame.planes]
        done = frame.with_planes(tuple(planes), tables.target)
        if not tables.is_identity or texture is not None:
            done = self._passed_on_card(frame, planes, tables, texture)
        if rgb is None:
            return done
        told = {"seed": rgb.seed, "frame": frame.index, "origin": frame.rgb}
        samples = self.rgb_from_planes(tuple(done.planes), tables.source, rgb.dtype, **told)  # type: ignore[arg-type]
        return replace(done, rgb=samples)

    def _passed_on_card(
        self, frame: Frame, planes: list[Any], tables: PassTables, texture: TextureTerm | None
    ) -> Frame:
        cupy = self._cupy
        job = self._ready(tables, len(planes))
        stream = cupy.cuda.get_current_stream()
        shapes = tuple((int(p.shape[0]), int(p.shape[1])) for p in planes)
        out = [cupy.empty(shape, _sample_type(tables.target)) for shape in shapes]
        reliefs = tuple(
            r if r.terms is None else replace(r, terms=cupy.asarray(r.terms))
            for r in _reliefs(texture, shapes, tables.source.subsampling)
        )
        self._run(job, planes, out, shapes, reliefs, frame)
        stream.synchronize()
        return frame.with_planes(tuple(out), tables.target)

    def planes_from_rgb(self, rgb: Any, color: Color) -> tuple[Any, ...]:
        """As grainkit.picture.rgb's, for (h, w, 3) samples on the card; the planes are CuPy arrays."""
        with self.card():
            planes = tuple(self._of_rgb(_in_rows(self._cupy.ascontiguousarray(as_cupy(self._cupy, rgb))), color))
            self._cupy.cuda.get_current_stream().synchronize()
            return planes

    def rgb_from_planes(
        self, planes: tuple[Any, ...], color: Color, dtype: npt.DTypeLike, *, seed: int = 0, frame: int = 0,
        origin: Any = None,
    ) -> Any:  # fmt: skip
        """As grainkit.picture.rgb's, for planes on the card; the result is a CuPy array."""
        samples = RgbSamples(np.dtype(dtype), seed)
        with self.card():
            held = [self._taken(p) for p in planes]
            if len({_pitch(p) for p in held}) > 1:
                held = [self._cupy.ascontiguousarray(p) for p in held]
            height, width = held[0].shape
            if origin is not None:
                origin = _in_rows(self._cupy.ascontiguousarray(as_cupy(self._cupy, origin)))
            rgb = self._cupy.empty((height, width, 3), samples.dtype)
            self._to_rgb(held, _in_rows(rgb), origin, color, samples, frame)
            self._cupy.cuda.get_current_stream().synchronize()
            return rgb

    def _to_rgb(self, planes: list[Any], rows: Any, origin: Any, color: Color, rgb: RgbSamples, frame: int) -> None:
        """R'G'B' rows (h, 3 w) of float planes, on the current stream. origin: rows the planes were made from."""
        height, width = planes[0].shape
        if origin is not None and (origin.dtype != rgb.dtype or tuple(origin.shape) != (height, 3 * width)):
            origin = None
        top = full_scale(rgb.dtype)
        self._launch_boundary(
            "to_rgb", f"-DTARGET_BITS={8 * rgb.dtype.itemsize}", (height, width), color,
            **dict(zip(("luma", "cb", "cr"), planes, strict=True)), pitch=_pitch(planes[0]), origin=origin,
            origin_pitch=0 if origin is None else _pitch(origin), rgb=rows, rgb_pitch=_pitch(rows),
            scale=_one_over(top), top=top, key=stream_key(rgb.seed, DITHER_STREAM, 0), frame=frame & 0xFFFFFFFF,
        )  # fmt: skip

    def _launch_boundary(self, name: str, define: str, shape: tuple[int, int], color: Color, **arguments: Any) -> None:
        kernel, (height, width) = self._kernel(name, (define,)), shape
        weights = dict(zip(("kr", "kg", "kb", "cb_scale", "cr_scale"), rgb_weights(color), strict=True))
        told = kernel.pack({**arguments, **weights, "width": width, "height": height})
        kernel.function((-(-width // 128), -(-height // 8)), (32, 8), told, shared_mem=0)

    def stage_seconds(self, frame: Frame, tables: PassTables) -> dict[str, float]:
        """Seconds that one frame's upload, kernels and download take when nothing overlaps, for measuring."""
        found = {}
        with self.card():
            self._settle()
            self._begin_on_host(frame, tables, None).result()
            slot, job = self._slots[0], self._ready(tables, len(frame.planes))
            shapes = tuple((int(p.shape[0]), int(p.shape[1])) for p in frame.planes)
            source, target = _Layout(shapes, frame.planes[0].dtype), _Layout(shapes, _sample_type(tables.target))
            reliefs = _reliefs(None, shapes, tables.source.subsampling)

            def kernels() -> None:
                with slot.stream:
                    self._run(job, source.views(slot.source), target.views(slot.target), shapes, reliefs, frame)

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

    def as_array(self, array: Any) -> Any:
        """An array on the card as CuPy's, without a copy."""
        with self.card():
            return as_cupy(self._cupy, array)

    def to_host(self, array: Any) -> npt.NDArray[Any]:
        """A copy in the host's memory of an array on the card."""
        with self.card():
            copy: npt.NDArray[Any] = as_cupy(self._cupy, array).get()
            return copy

    def _taken(self, plane: Any) -> Any:
        """An array on the card as CuPy's, its samples side by side in a row; nothing is copied otherwise."""
        array = plane.array if isinstance(plane, CardPlane) else as_cupy(self._cupy, plane)
        return array if array.strides[1] == array.dtype.itemsize else self._cupy.ascontiguousarray(array)

    def _sent(
        self, slot: _Slot | _Lane, reliefs: tuple[_Relief, ...], shapes: tuple[tuple[int, int], ...]
    ) -> tuple[_Relief, ...]:
        """Reliefs with their terms on the card, sent on the slot's stream."""
        if all(r.terms is None for r in reliefs):
            return reliefs
        room = sum(h * w for h, w in shapes)
        if slot.relief is None or slot.relief[0].size < room:
            slot.relief = self._pinned(room, np.int16), self._cupy.empty(room, np.int16)
        pinned, held = slot.relief
        sent, at = [], 0
        for relief in reliefs:
            count = relief.height * relief.width
            if count:
                pinned[at : at + count] = relief.terms.reshape(-1)
            sent.append(replace(relief, terms=held[at : at + count] if count else None))
            at += count
        held[:at].set(pinned[:at], stream=slot.stream)
        return tuple(sent)

    def _run(
        self, job: _Job, source: list[Any], target: list[Any], shapes: tuple[tuple[int, int], ...],
        reliefs: tuple[_Relief, ...], frame: Frame,
    ) -> None:  # fmt: skip
        """Both launches of a frame, on the current stream."""
        held = (frame.index // job.tables.hold) & 0xFFFFFFFF
        self._launch(
            job.luma, shapes[0], source=source[0], source_pitch=_pitch(source[0]), target=target[0],
            target_pitch=_pitch(target[0]), relief=reliefs[0].terms, frame=held, **reliefs[0].rectangle(),
        )  # fmt: skip
        if job.chroma is None:
            return
        if _pitch(source[1]) != _pitch(source[2]):
            source = [source[0], *(self._cupy.ascontiguousarray(p) for p in source[1:])]
        self._launch(
            job.chroma, shapes[1], luma=source[0], luma_pitch=_pitch(source[0]), luma_width=shapes[0][1],
            luma_height=shapes[0][0], cb=source[1], cr=source[2], source_pitch=_pitch(source[1]),
            cb_target=target[1], cr_target=target[2], target_pitch=_pitch(target[1]), cb_relief=reliefs[1].terms,
            cr_relief=reliefs[2].terms, frame=held, **reliefs[1].rectangle(),
        )  # fmt: skip

    def _launch(self, launch: _Launch, shape: tuple[int, int], **arguments: Any) -> None:
        height, width = shape
        told = launch.kernel.pack({**launch.arguments, **arguments, "width": width, "height": height})
        blocks = (-(-width // TILE_W), -(-height // TILE_H))
        launch.kernel.function(blocks, (THREADS,), told, shared_mem=launch.shared)

    def _launch_named(
        self, name: str, defines: tuple[str, ...], blocks: tuple[int, ...], threads: tuple[int, ...], shared: int,
        arguments: dict[str, Any],
    ) -> None:  # fmt: skip
        kernel = self._kernel(name, defines)
        kernel.function(blocks, threads, kernel.pack(arguments), shared_mem=shared)

    def _ready(self, tables: PassTables, planes: int) -> _Job:
        """The tables on the card: those of the last job, or new ones once nothing reads the old."""
        if self._job is None or self._job.tables is not tables or (self._job.chroma is None) != (planes == 1):
            self._settle()
            self._job = self._new_job(tables, planes)
            self._cupy.cuda.get_current_stream().synchronize()  # tables are there before any stream reads them
        return self._job

    def _settle(self) -> None:
        under_way: list[_Slot | _Lane] = [*self._slots, *self._lanes]
        for slot in under_way:
            if slot.pending is not None:
                slot.pending.result()

    def _new_job(self, tables: PassTables, planes: int) -> _Job:
        upload = self._cupy.asarray
        noises = tables.noise or (None, None, None)
        grains = [None if n is None else upload(packed_grain(n)) for n in noises]
        whole = dict(luma_arguments(tables), grain=grains[0], gain=upload(tables.luma_gain))
        if not tables.source.is_float:
            whole["curve"] = upload(tables.luma)
        luma = self._launch_of("luma", tables, whole, noises[:1])
        if planes == 1:
            return _Job(tables, luma, None)
        whole = dict(chroma_arguments(tables), cb_grain=grains[1], cr_grain=grains[2], gain=upload(tables.chroma_gain))
        if not tables.source.is_float:
            whole["curve"] = upload(tables.chroma)
        return _Job(tables, luma, self._launch_of("chroma", tables, whole, noises[1:]))

    def _launch_of(
        self, plane: str, tables: PassTables, arguments: dict[str, Any], noises: tuple[PlaneNoise | None, ...]
    ) -> _Launch:
        name, defines = variant(plane, tables)
        shared = max(shared_bytes(n) for n in noises)
        if shared > self._most_shared:
            raise BackendUnavailable(
                f"grain this coarse needs {shared // 1024} KiB of shared memory in the GPU, which has "
                f"{self._most_shared // 1024}; make cinema_grain.size smaller, {_REMEDY}"
            )
        kernel = self._kernel(name, defines)
        if shared > PLAIN_SHARED:
            kernel.function.max_dynamic_shared_size_bytes = shared
        return _Launch(kernel, arguments, shared)

    def _kernel(self, name: str, defines: tuple[str, ...]) -> _Kernel:
        """A kernel, compiled when it is first needed; CuPy keeps it on disk for the next process."""
        if (name, *defines) not in self._kernels:
            code = flatten(name)
            taken = parameters(code, name)
            strange = {p.kind for p in taken} - {"pointer", *_SCALARS}
            assert not strange, f"{name} takes a {', '.join(strange)}"
            module = self._cupy.RawModule(code=code, options=(*OPTIONS, *defines))
            self._kernels[name, *defines] = _Kernel(module.get_function(name), taken)
        return self._kernels[name, *defines]

    def _make_room(self, source: _Layout, target: _Layout) -> None:
        """Slots for frames of this geometry, as many as the limit allows; made anew only when it changes."""
        geometry = (source.shapes, source.dtype, target.dtype)
        if geometry == self._geometry:
            return
        self._settle()
        self._slots.clear()
        self._geometry = None
        self._cupy.get_default_memory_pool().free_all_blocks()
        # Relief may be asked for later; its room is counted from the start, so that the limit holds.
        each = source.nbytes + target.nbytes + sum(2 * h * w for h, w in source.shapes)
        count = self._how_many(each, source.shapes[0][::-1])
        self._slots.extend(_Slot(self._cupy, self._pinned, source, target) for _ in range(count))
        self._geometry = geometry

    def _how_many(self, each: int, size: tuple[int, int]) -> int:
        """Frames of that many bytes and size (width, height) that may be under way at once."""
        count = min(self.in_flight, self._limit // each)
        if count < 1:
            raise GrainkitError(
                f"a frame of {size[0]}x{size[1]} takes {each / 2**20:.0f} MiB on the GPU, more than the "
                f"{self._limit / 2**20:.0f} MiB it may have; raise --device-memory, {_REMEDY}"
            )
        return count

    def _pinned(self, count: int, dtype: npt.DTypeLike) -> Any:
        """Memory of the host that the card copies from and to by itself: (count,) of this type."""
        nbytes = count * np.dtype(dtype).itemsize
        return np.frombuffer(self._cupy.cuda.alloc_pinned_memory(nbytes), dtype, count)


def on_card(array: Any) -> bool:
    """Whether an array lies in a GPU's memory, by the interfaces that array libraries share."""
    if isinstance(array, np.ndarray):
        return False
    device = getattr(array, "__dlpack_device__", None)
    if device is not None:
        return int(device()[0]) == 2  # kDLCUDA
    return hasattr(array, "__cuda_array_interface__")


def as_cupy(cupy: Any, array: Any) -> Any:
    """An array on the card as CuPy's, without a copy. Raises InputError where it is on another card."""
    if not isinstance(array, cupy.ndarray):
        array = cupy.from_dlpack(array) if hasattr(array, "__dlpack__") else cupy.asarray(array)
    if array.device.id != cupy.cuda.Device().id:
        raise InputError(
            f"the array is on GPU {array.device.id} and the backend on GPU {cupy.cuda.Device().id}; "
            "move it, or choose the card with CUDA_VISIBLE_DEVICES"
        )
    return array


def variant(plane: str, tables: PassTables) -> tuple[str, tuple[str, ...]]:
    """Kernel and -D options for the luma or chroma of these colours."""
    bits = {np.dtype(np.uint8): 8, np.dtype(np.uint16): 16, np.dtype(np.float32): 32}
    defines = [f"-DTARGET_BITS={bits[np.dtype(_sample_type(tables.target))]}"]
    if not tables.source.is_float:
        defines.insert(0, f"-DSOURCE_BITS={bits[np.dtype(_sample_type(tables.source))]}")
    if plane == "chroma":
        across, down = tables.source.subsampling
        defines += [f"-DACROSS={across}", f"-DDOWN={down}"]
    return plane + ("_float" if tables.source.is_float else ""), tuple(defines)


def packed_grain(noise: PlaneNoise) -> npt.NDArray[np.int32]:
    """One plane's grain as `struct Grain` of kernels/grain_field.cuh, its filters behind it."""
    f = noise.filter
    filters = (f.fine_x, f.fine_y, f.coarse_x, f.coarse_y)
    keys = np.array([noise.fine_key, noise.coarse_key], np.uint32).view(np.int32)
    header = np.array([*(len(taps) - 1 for taps in filters), f.fine_weight, f.coarse_weight], np.int32)
    return np.concatenate([header, keys, *(taps.astype(np.int32) for taps in filters)])


def shared_bytes(noise: PlaneNoise | None) -> int:
    """Shared memory of a block for this grain: what `struct Room` of kernels/grain_field.cuh lays out."""
    kept = TILE_W * TILE_H * (2 + 2) + _rounded(HALF_W * HALF_H * 2, 16)
    if noise is None:
        return kept
    fine_rx, fine_ry, coarse_rx, coarse_ry = (int(r) for r in packed_grain(noise)[:4])
    whites = DRAWN * _rounded(max(TILE_W + 2 * fine_rx, HALF_W + 2 * coarse_rx), 16)
    fine, coarse = (_rounded(3 + h + 2 * r, 4) * w * 2 for h, r, w in (
        (TILE_H, fine_ry, TILE_W), (HALF_H, coarse_ry, HALF_W)
    ))  # fmt: skip
    return kept + whites + max(fine, coarse)


def luma_arguments(tables: PassTables) -> dict[str, Any]:
    """Scalar arguments of the luma kernel, by name."""
    source, target, s = tables.source, tables.target, tables.shoulder
    if source.is_float:
        return {"knee": s.knee, "curvature": s.curvature, "strength": s.strength, **_store(tables, luma_codes)}
    return {
        "straight": tables.luma_straight, "source_shift": tables.straight_shift,
        "target_shift": fraction_bits(target.depth), "black": int(luma_codes(source.depth, source.range)[0]),
        "last": tables.luma.size - 1, "high": ((1 << target.depth) - 1) << fraction_bits(target.depth),
    }  # fmt: skip


def chroma_arguments(tables: PassTables) -> dict[str, Any]:
    """Scalar arguments of the chroma kernel, by name."""
    source, target, s = tables.source, tables.target, tables.shoulder
    kr, kg, kb = source.luma_weights()
    told = {
        "r_cr": 2 * (1 - kr), "g_cb": -2 * kb * (1 - kb) / kg, "g_cr": -2 * kr * (1 - kr) / kg, "b_cb": 2 * (1 - kb),
        "knee": s.knee, "curvature": s.curvature, "strength": s.strength,
    }  # fmt: skip
    if source.is_float:
        return told | _store(tables, chroma_codes)
    black, white = luma_codes(source.depth, source.range)
    grey, unit = chroma_codes(source.depth, source.range)
    middle, spread = chroma_codes(target.depth, target.range)
    low, high = chroma_limits(target)
    bits = fraction_bits(target.depth)
    last = (1 << target.depth) - 1
    return told | {
        "straight": tables.chroma_straight, "source_shift": tables.straight_shift, "target_shift": bits,
        "luma_black": black, "luma_unit": 1 / (white - black), "chroma_grey": grey, "chroma_unit": 1 / unit,
        "grey": int(middle) << bits, "low": low << bits, "high": high << bits,
        "relief_unit": round(spread), "relief_last": last << bits,
    }  # fmt: skip


def _store(tables: PassTables, codes: Callable[..., tuple[float, float]]) -> dict[str, float]:
    """How float values become codes: offset, codes per unit, last code; zeros where they stay float."""
    target = tables.target
    if target.is_float:
        return {"offset": 0.0, "unit": 0.0, "top": 0.0}
    first, second = codes(target.depth, target.range)
    unit = second - first if codes is luma_codes else second
    return {"offset": first, "unit": unit, "top": float((1 << target.depth) - 1)}


def _sample_type(color: Any) -> type[np.generic]:
    return np.float32 if color.is_float else np.uint8 if color.depth == 8 else np.uint16


def _one_over(value: float) -> np.float32:
    return np.float32(1.0) / np.float32(value)


def _in_rows(rgb: Any) -> Any:
    """(h, w, 3) samples side by side as rows (h, 3 w), without a copy."""
    return rgb.reshape(rgb.shape[0], 3 * rgb.shape[1])


def _rounded(value: int, step: int) -> int:
    return -(-value // step) * step


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _reliefs(
    texture: TextureTerm | None, shapes: tuple[tuple[int, int], ...], subsampling: tuple[int, int]
) -> tuple[_Relief, ...]:
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
        made.append(_Relief(np.ascontiguousarray(part), top, left, *part.shape) if part.size else NO_RELIEF)
    return tuple(made)
