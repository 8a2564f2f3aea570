"""How long each stage takes on this machine, as figures that can be kept and compared.

Everything is measured on drawn frames in memory. Times are milliseconds per frame: median and quartiles over
rounds, which a busy machine needs.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

import numpy as np

from grainkit.backends.base import Backend
from grainkit.backends.cuda import CudaBackend
from grainkit.backends.tables import PassTables
from grainkit.effects.base import Analysed, Context, pass_tables
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.errors import InputError
from grainkit.io import open_source
from grainkit.io.base import SourceInfo
from grainkit.io.delivery import ClipDelivery
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame, Plane

#: Pictures that the pass is measured on, and the one for decoding, analysing and encoding.
SIZES = ((1280, 720), (1920, 1080), (3840, 2160))
STAGES_SIZE = (1920, 1080)
DEPTHS = (8, 10)
ROUNDS = 5
#: What is encoded to, and decoded from.
ENCODER = ClipDelivery("mp4", "libx264", "yuv420p", options={"preset": "medium", "crf": "16"})
_RATE = Fraction(24)


#: What the figures of a result belong to, by name.
About = dict[str, str | int | None]


@dataclass(frozen=True)
class Row:
    """One stage at one size and depth.

    ms, low, high: wall time per frame, median and quartiles. cpu_ms: CPU time per frame, all threads (median).
    bytes_per_pixel: read and written by the stage, 0 where that says nothing. share: of what the card's own
    copying moves in that time, 0 where there is no card.
    """

    stage: str
    size: tuple[int, int]
    depth: int
    ms: float
    low: float
    high: float
    cpu_ms: float
    bytes_per_pixel: float = 0.0
    share: float = 0.0

    @property
    def name(self) -> str:
        """What identifies the row in another result."""
        return f"{self.stage} {self.size[0]}x{self.size[1]} {self.depth} bit"


class Result(TypedDict):
    """A result as plain values: what it belongs to, and its rows."""

    machine: About
    rows: list[dict[str, object]]


def measure(
    backend: Backend,
    sizes: Sequence[tuple[int, int]] = SIZES,
    frames: int = 8,
    *,
    stages: tuple[int, int] = STAGES_SIZE,
) -> Iterator[Row]:
    """All rows, as they are measured: the pass at every size and depth, then the other stages at one.

    frames: per round.
    """
    for size in sizes:
        for depth in DEPTHS:
            yield from _pass_rows(backend, size, depth, frames)
    yield from _other_rows(stages, frames)


def _pass_rows(backend: Backend, size: tuple[int, int], depth: int, frames: int) -> Iterator[Row]:
    color = Color(depth=depth)
    given, tables = _pictures(size, color, frames), _tables(size, color)
    moved = 2 * sum(p.nbytes for p in given[0].planes) / (size[0] * size[1])
    backend.finish(given[0], tables)  # compiles, and takes memory

    def work() -> None:
        begun = []
        for frame in given:
            begun.append(backend.begin(frame, tables))
            if len(begun) >= backend.in_flight:
                begun.pop(0).result()
        for pending in begun:
            pending.result()

    yield _row("pass", size, depth, _times(work, frames), bytes_per_pixel=moved)
    if isinstance(backend, CudaBackend):
        copied = backend.copy_rate()
        parts = [backend.stage_seconds(frame, tables) for frame in given for _ in range(ROUNDS)]
        for stage in parts[0]:
            found = [(1000 * p[stage], 0.0) for p in parts]
            share = moved * size[0] * size[1] / (statistics.median(f[0] for f in found) / 1000) / copied
            on_card = stage == "kernels"
            yield _row(
                stage, size, depth, found, bytes_per_pixel=moved if on_card else moved / 2,
                share=share if on_card else 0.0,
            )  # fmt: skip


def _other_rows(size: tuple[int, int], frames: int) -> Iterator[Row]:
    from grainkit.effects.skin_texture.clip_skin import ClipSkin
    from grainkit.io.clip_sink import VideoSink

    color = Color()
    given = _pictures(size, color, frames)
    info = SourceInfo("bench", None, "pipe", *size, color, rate=_RATE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.mp4"

        def encode() -> None:
            path.unlink(missing_ok=True)
            sink = VideoSink(path, delivery=ENCODER, color=color, width=size[0], height=size[1], source=info)
            for frame in given:
                sink.write(frame)
            sink.commit()

        encoded = _times(encode, frames, rounds=2)

        def decode() -> None:
            with open_source(str(path)) as source:
                for _ in source:
                    pass

        yield _row("decode", size, 8, _times(decode, frames))

    def analyse() -> None:
        for _ in ClipSkin(SkinTexture(strength=1.0), 7).stream(map(Analysed, given)):
            pass

    yield _row("analyse, no face", size, 8, _times(analyse, frames, rounds=2))
    yield _row("encode x264 medium", size, 8, encoded)


def _times(work: Callable[[], None], frames: int, rounds: int = ROUNDS) -> list[tuple[float, float]]:
    """(wall, CPU) milliseconds per frame of each round, after one that does not count."""
    work()
    found = []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        took, spent = time.perf_counter() - wall, time.process_time() - cpu
        found.append((1000 * took / frames, 1000 * spent / frames))
    return found


def _row(stage: str, size: tuple[int, int], depth: int, found: list[tuple[float, float]], **more: float) -> Row:
    walls = [wall for wall, _ in found]
    low, middle, high = statistics.quantiles(walls, n=4, method="inclusive")
    return Row(stage, size, depth, middle, low, high, statistics.median(cpu for _, cpu in found), **more)


def _tables(size: tuple[int, int], color: Color) -> PassTables:
    return pass_tables(
        (HighlightGuard(), CinemaGrain()), Context(source=color, target=color, width=size[0], height=size[1], seed=7)
    )


def _pictures(size: tuple[int, int], color: Color, count: int) -> list[Frame]:
    """A ramp from black to white with a colour that drifts, which moves on from frame to frame."""
    width, height = size
    across, down = color.subsampling
    dtype = np.dtype(np.uint8 if color.depth == 8 else np.uint16)
    top = (1 << color.depth) - 1
    ramp = np.tile(np.linspace(0.07, 0.92, width) * top, (height, 1)).astype(dtype)
    drift = np.tile(np.linspace(0.42, 0.58, -(-width // across)) * top, (-(-height // down), 1)).astype(dtype)
    planes: tuple[Plane, ...] = (ramp, drift, np.ascontiguousarray(drift[:, ::-1]))
    first = Frame(planes, color, time_base=1 / _RATE)
    return [
        replace(first, planes=tuple(np.roll(p, 8 * i, axis=1) for p in planes), index=i, pts=i) for i in range(count)
    ]


def machine(backend: Backend) -> About:
    """What the figures belong to: backend with its card and driver, processor, system, versions."""
    return {
        "grainkit": version("grainkit"), "backend": backend.describe(), "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(), "system": platform.platform(terse=True),
        "python": platform.python_version(), "numpy": np.__version__,
    }  # fmt: skip


def as_mapping(about: About, rows: Iterable[Row]) -> Result:
    """A result as plain values, for JSON."""
    return {"machine": about, "rows": [asdict(r) for r in rows]}


def load(path: str | Path) -> tuple[About, list[Row]]:
    """A result that `as_mapping` made and somebody kept. Raises InputError where it is none."""
    try:
        kept = json.loads(Path(path).read_bytes())  # UTF-8, or UTF-16 as PowerShell writes it
        rows = [Row(**{**row, "size": (int(row["size"][0]), int(row["size"][1]))}) for row in kept["rows"]]
        if not all(isinstance(value, int | float) for row in rows for value in (row.depth, row.ms)):
            raise TypeError
        return {"backend": "", **kept["machine"]}, rows
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise InputError(f"{path} is no result of `grainkit bench --json`") from error


def line(row: Row) -> str:
    """A row for a person."""
    spread = f"{row.low:.2f} - {row.high:.2f}"
    moved = f"{row.bytes_per_pixel:5.2f} B/px" if row.bytes_per_pixel else ""
    share = f"  {row.share:.0%} of the card's copying" if row.share else ""
    rate = f"{1000 / max(row.ms, 1e-9):9.1f} fps{row.cpu_ms:9.2f} CPU ms"
    return f"{row.name:38}{row.ms:9.2f} ms{spread:>20}{rate}  {moved}{share}"


def compared(before: Sequence[Row], after: Sequence[Row]) -> Iterator[str]:
    """Lines that set two results side by side: what both have, and how much faster the second is."""
    earlier = {row.name: row for row in before}
    for row in after:
        if row.name in earlier:
            was = earlier[row.name]
            yield f"{row.name:38}{was.ms:9.2f} ms -> {row.ms:9.2f} ms{was.ms / max(row.ms, 1e-9):8.2f}x"
