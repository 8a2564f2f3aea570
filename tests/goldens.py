"""Finished pictures whose bits are kept: what goes in, how it is finished, and what is kept of what comes out.

Kept are the samples that a sink is given, never an encoded file: other versions of libx264 or libpng are welcome.
`exact` cases go in as integers drawn by integer arithmetic and meet nothing but this package's own arithmetic.
`samples` cases are what samples/draw.py draws, finished with everything that looks at pictures.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import llvmlite.binding
import numpy as np
import numpy.typing as npt

import grainkit as gk
from grainkit.backends.cpu import CpuBackend
from grainkit.finishing.planning import make_plan
from grainkit.io.base import SourceInfo
from grainkit.picture.color import SRGB_STILL, Color
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import PlanesOfRgb
from grainkit.recipe.overrides import override
from samples.draw import clip, codes, limited_420, portrait

Array = npt.NDArray[Any]

LOCK = Path(__file__).resolve().parent / "pictures.lock"
SEED = 7
#: Blocks to a side of the reduction of a picture.
GRID = 4
#: How far means and deviations of a block may be from those kept, codes of 255; with other vectors they were 0.01.
TOLERANCE = 0.05
_NO_TEXTURE = "skin_texture.strength=0"
_STRONG = ("cinema_grain.strength=5", "highlight_guard.strength=1", "highlight_guard.knee=0.7", "delivery.fit=keep")
_PLAIN = ("delivery.still.sharpen=0", "highlight_guard.patches=0")


@dataclass(frozen=True)
class Case:
    """One picture or clip, finished one way. output: gives the kind of file that it is delivered as."""

    name: str
    frames: Callable[[], Iterable[Frame]]
    preset: str
    output: str
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Golden:
    """What is kept of a case: digests of what went in and came out, and blocks of what came out.

    blocks: mean and standard deviation of each block of the last frame's first plane, codes of 255, row by row.
    """

    drawn: str
    finished: str
    blocks: tuple[float, ...]


def pattern(width: int, height: int, depth: int) -> Array:
    """Codes (height, width) of every tone along a row, half of them replaced by noise; integers throughout."""
    y, x = np.mgrid[:height, :width].astype(np.uint64)
    noise = (x * np.uint64(2654435761) ^ y * np.uint64(2246822519)) * np.uint64(3266489917) >> np.uint64(7)
    top = np.uint64((1 << depth) - 1)
    ramp = x * top // np.uint64(width - 1)
    return np.where(noise & np.uint64(1 << 20), noise & top, ramp).astype(np.uint8 if depth == 8 else np.uint16)


def planar(depth: int, subsampling: tuple[int, int], count: int = 2) -> Callable[[], Iterator[Frame]]:
    """Frames of odd size, several strips high, in legal and illegal codes."""
    width, height = 211, 301
    across, down = subsampling
    chroma = -(-width // across), -(-height // down)

    def frames() -> Iterator[Frame]:
        color = Color(depth=depth, subsampling=subsampling)
        for index in range(count):
            planes = pattern(width, height, depth), pattern(*chroma, depth), pattern(*chroma, depth)[::-1, ::-1].copy()
            yield Frame(planes, color, index, pts=index, time_base=Fraction(1, 24))

    return frames


def rgb(depth: int) -> Callable[[], Iterator[Frame]]:
    """A still of independent channels; depth 32 is float, a little beyond black and white."""

    def frames() -> Iterator[Frame]:
        color = replace(SRGB_STILL, depth=depth)
        channel = pattern(211, 301, min(depth, 16))
        samples: Array = np.stack([channel, channel[::-1], channel[:, ::-1]], -1)
        if depth == 32:
            # A power of two: exact.
            samples = samples.astype(np.float32) / np.float32(32768) * np.float32(0.5625) - np.float32(0.0625)
        yield Frame(PlanesOfRgb(samples, color), color, rgb=samples)

    return frames


def drawn_still(depth: int) -> Callable[[], Iterator[Frame]]:
    """The portrait of samples/, at half its size; depth 32 is float."""

    def frames() -> Iterator[Frame]:
        color = replace(SRGB_STILL, depth=depth)
        picture = _portrait()
        samples = picture if depth == 32 else codes(picture, depth)
        yield Frame(PlanesOfRgb(samples, color), color, rgb=samples)

    return frames


def drawn_clip(depth: int, count: int = 2) -> Callable[[], Iterator[Frame]]:
    """The first frames of the clip of samples/, 4:2:0."""

    def frames() -> Iterator[Frame]:
        for index, planes in enumerate(_clip(count)):
            if depth > 8:
                planes = tuple(p.astype(np.uint16) << np.uint16(depth - 8) for p in planes)
            yield Frame(planes, Color(depth=depth), index, pts=index, time_base=Fraction(1, 24))

    return frames


@cache
def _portrait() -> Array:
    return portrait(450, 600)


@cache
def _clip(count: int) -> tuple[tuple[Array, ...], ...]:
    return tuple(limited_420(picture) for picture in islice(clip(), count))


EXACT = (
    Case("4:2:0 8 bit", planar(8, (2, 2)), "video/h264", "o.mp4", (*_STRONG, _NO_TEXTURE)),
    Case("4:2:0 10 bit", planar(10, (2, 2)), "video/hevc10", "o.mp4", (*_STRONG, _NO_TEXTURE)),
    Case("4:2:2 8 to 10 bit", planar(8, (2, 1)), "video/master", "o.mov", (*_STRONG, _NO_TEXTURE)),
    Case("4:4:4 16 bit", planar(16, (1, 1)), "video/master", "o.mov", (*_STRONG, _NO_TEXTURE)),
    Case("R'G'B' 8 bit", rgb(8), "social", "o.png", (*_STRONG, *_PLAIN, _NO_TEXTURE)),
    Case("R'G'B' 16 bit", rgb(16), "print", "o.tiff", (*_STRONG, *_PLAIN, _NO_TEXTURE)),
    Case("R'G'B' float", rgb(32), "print", "o.exr", (*_STRONG, *_PLAIN, _NO_TEXTURE)),
    Case("R'G'B' 8 bit, made smaller", rgb(8), "social", "o.png",
         (*_STRONG[:3], *_PLAIN, _NO_TEXTURE, "delivery.width=131")),
)  # fmt: skip
SAMPLES = (
    Case("portrait 8 bit, social", drawn_still(8), "social", "o.png", ("highlight_guard.patches=0",)),
    Case("portrait 16 bit, print/photo", drawn_still(16), "print/photo", "o.tiff"),
    Case("portrait float", drawn_still(32), "print", "o.exr", ("delivery.fit=keep",)),
    Case("clip 8 bit, social/reel", drawn_clip(8), "social/reel", "o.mp4"),
    Case("clip 8 bit, locked grain", drawn_clip(8), "social/reel", "o.mp4", ("cinema_grain.carrier=locked",)),
    Case("clip 10 bit, video/hevc10", drawn_clip(10), "video/hevc10", "o.mp4"),
)


def finished(case: Case, workers: int = 2) -> list[tuple[Array, ...]]:
    """What the case's sink would be given, frame by frame: R'G'B' or planes."""
    return _finished(case, list(case.frames()), workers)


def _finished(case: Case, given: list[Frame], workers: int) -> list[tuple[Array, ...]]:
    first = given[0]
    still = first.rgb is not None
    info = SourceInfo(
        case.name, None, "still" if still else "clip", first.width, first.height, first.color,
        rate=None if still else Fraction(24),
    )  # fmt: skip
    recipe = override(gk.load_recipe(case.preset), [*case.settings, f"seed={SEED}"])
    backend = CpuBackend(workers)
    try:
        with gk.Finisher(recipe, backend, plan=make_plan(info, recipe, case.output)) as finisher:
            done = list(finisher.frames(given, info))
    finally:
        backend.close()
    return _samples(done)


def _samples(frames: Iterable[Frame]) -> list[tuple[Array, ...]]:
    return [tuple(f.planes) if f.rgb is None else (f.rgb,) for f in frames]


def golden(case: Case, workers: int = 2) -> Golden:
    """What is to be kept of this case."""
    given = list(case.frames())
    done = _finished(case, given, workers)
    return Golden(digest(_samples(given)), digest(done), blocks(done[-1][0]))


def digest(frames: Iterable[Iterable[Array]]) -> str:
    """SHA-256 of types, shapes and little-endian samples, its first 16 digits."""
    found = hashlib.sha256()
    for arrays in frames:
        for array in arrays:
            found.update(f"{array.dtype.str[1:]} {array.shape}\n".encode())
            found.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return found.hexdigest()[:16]


def blocks(picture: Array) -> tuple[float, ...]:
    """Mean and deviation of GRID x GRID blocks (all channels together), codes of 255, two decimals."""
    top = 1.0 if picture.dtype.kind == "f" else 255.0 if picture.dtype == np.uint8 else float(_top(picture))
    parts = [b for row in np.array_split(picture, GRID) for b in np.array_split(row, GRID, 1)]
    values = [(float(b.mean(dtype=np.float64)), float(b.std(dtype=np.float64))) for b in parts]
    return tuple(round(v / top * 255.0, 2) for pair in values for v in pair)


def _top(picture: Array) -> int:
    return next(t for t in (1023, 4095, 65535) if picture.max() <= t)


def machine() -> str:
    """What the bits of analysis may depend on: the processor, and the libraries that look at pictures."""
    libraries = ("numpy", "numba", "opencv-python-headless")
    cpu = llvmlite.binding.get_host_cpu_name()
    return ", ".join([f"{platform.machine()} {cpu}", *(f"{name} {version(name)}" for name in libraries)])


NOTE = """\
# Digests of finished pictures: of the samples before the encoder, not of files (tests/goldens.py says what they are).
# Only scripts/relock-pictures writes this file. Each line: digest of what went in, digest of what came out, name.
#
# exact: drawn and finished in this package's own arithmetic (integers, and float32 without contraction or library
#   transcendentals), so these are the same on every machine, and one that differs is a mistake or a changed look.
# samples: drawn with numpy's and OpenCV's float functions, then looked at with them (faces, flow, matte). Their last
#   bits do differ between processors and versions (python -m benchmarks.same_bits), so the digests bind only where the
#   line `made on` is the same. Everywhere, mean and deviation of 4 x 4 blocks (codes of 255, next lines) bind within
#   TOLERANCE.
"""


def lock_text(goldens: dict[str, dict[str, Golden]]) -> str:
    """The file: sections to names to what is kept."""
    lines = [NOTE, f"made on: {machine()}\n"]
    for section, found in goldens.items():
        lines.append(f"\n{section}:\n")
        for name, kept in found.items():
            lines.append(f"{kept.drawn} {kept.finished} {name}\n")
            if section == "samples":
                rows = (kept.blocks[start : start + 2 * GRID] for start in range(0, len(kept.blocks), 2 * GRID))
                lines += [f"  {' '.join(f'{v:.2f}' for v in row)}\n" for row in rows]
    return "".join(lines)


def read_lock() -> tuple[str, dict[str, dict[str, Golden]]]:
    """What lock_text wrote: the machine that it was made on, and the goldens by section and name."""
    made_on, section, name = "", "", ""
    found: dict[str, dict[str, Golden]] = {}
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("made on: "):
            made_on = line.removeprefix("made on: ")
        elif line.startswith("  "):
            kept = found[section][name]
            found[section][name] = replace(kept, blocks=(*kept.blocks, *map(float, line.split())))
        elif line.endswith(":") and line.count(" ") == 0:
            section = line[:-1]
            found[section] = {}
        else:
            drawn, done, name = line.split(" ", 2)
            found[section][name] = Golden(drawn, done, ())
    return made_on, found
