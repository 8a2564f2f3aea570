"""A file of the corpus and what it must give, known from how it was drawn and not from grainkit's own readers."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Sizes that pictures are drawn in, (width, height): single pixels, lines, odd sides, and sides beyond a block of 16.
SIZES = ((1, 1), (1, 9), (13, 1), (2, 3), (5, 7), (17, 11), (31, 33), (40, 24))


@dataclass(frozen=True, eq=False)
class Picture:
    """Samples that a picture must have, upright.

    planes: one (h, w, 3) of R'G'B', one (h, w) of grey, or three of Y'CbCr at their own sampling; uint8, uint16 or
        float32 as grainkit holds them (9 to 14 bits of a still fill 16). alpha: (h, w), straight, or None.
    """

    planes: tuple[Array, ...]
    alpha: Array | None = None


@dataclass(frozen=True)
class Carried:
    """What the delivered file must have beside its pixels, unless a note says that it is left: `excuse` is in it.

    what: icc, cicp, texts, chapters, interlaced, hdr10, aspect or audio; see `_corpus_delivered`.
    """

    what: str
    value: Any
    excuse: str


@dataclass(frozen=True, eq=False)
class Right:
    """The right pixels.

    pictures: a still's one, or every frame of a clip.
    near: codes (of a float: units) that samples may be off on average, and twelve times as many at most; 0 is exact.
    meaning: fields of `Color` by name, and what they must be. notes: patterns, each of which a note must hold.
    times: seconds of every frame from the first, where they are asked. carries: see Carried.
    alpha_excuse: a pattern of the note without which alpha may not be missing, '' where it never may.
    or_refused: where a refusal is as good: a pattern of its words. exact: do the pixels come back from the delivery?
    """

    pictures: tuple[Picture, ...]
    near: float = 0.0
    meaning: Mapping[str, int | str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    times: tuple[Fraction, ...] = ()
    carries: tuple[Carried, ...] = ()
    alpha_excuse: str = ""
    or_refused: str = ""
    exact: bool = True


@dataclass(frozen=True)
class Refused:
    """One clear line. words: a pattern it must hold. delivery: the file can be read, but not be delivered that way."""

    words: str
    delivery: bool = False


@dataclass(frozen=True, eq=False)
class Case:
    """One file (or folder) that was drawn.

    input: its name within the case's folder, as it is given to the command there. output: what -o names, within an
        empty folder; '' leaves -o out, so that the output goes beside the input; '-' is standard output.
    piped: the command reads the file from standard input. words: more of the command. preset: what is delivered.
    """

    kind: str
    name: str
    folder: Path
    input: str
    expects: Right | Refused
    output: str = "o"
    words: tuple[str, ...] = ()
    preset: str = "video"
    piped: bool = False


@dataclass(frozen=True)
class Own:
    """A file of one's own, of which nothing is known: its folder, in which it is alone, and its name."""

    folder: Path
    input: str


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a sketch gives: the fields of a Case that it decides."""

    input: str
    expects: Right | Refused
    output: str = "o"
    words: tuple[str, ...] = ()
    preset: str = "video"
    piped: bool = False


@dataclass(frozen=True, eq=False)
class Sketch:
    """A case that can be drawn: `draw` writes its files into a folder that is empty, by a generator of its own."""

    kind: str
    name: str
    draw: Callable[[Path, np.random.Generator], Drawn]

    def case(self, room: Path, seed: int) -> Case:
        """Draw it into a folder of its own below `room`; the same for a seed, whatever else is drawn."""
        rng = np.random.default_rng([seed, zlib.crc32(f"{self.kind}/{self.name}".encode())])
        folder = room / f"{self.kind}-{self.name}"
        folder.mkdir(parents=True)
        drawn = self.draw(folder, rng)
        return Case(
            self.kind, self.name, folder, drawn.input, drawn.expects, drawn.output, drawn.words, drawn.preset,
            drawn.piped,
        )  # fmt: skip


def file_sketch(kind: str, name: str, ending: str, make: Callable[[np.random.Generator], tuple[bytes, Any]]) -> Sketch:
    """A sketch of one file: `make` gives its bytes and what is expected of it, or a Drawn, whose input is replaced."""

    def draw(folder: Path, rng: np.random.Generator) -> Drawn:
        data, found = make(rng)
        (folder / f"a{ending}").write_bytes(data)
        if isinstance(found, Drawn):
            return Drawn(
                f"a{ending}", found.expects, found.output, found.words, found.preset, found.piped,
            )  # fmt: skip
        return Drawn(f"a{ending}", found)

    return Sketch(kind, name, draw)


def size(rng: np.random.Generator, least: int = 1) -> tuple[int, int]:
    """(width, height), one of SIZES with both sides of `least` or more."""
    fitting = [each for each in SIZES if min(each) >= least]
    return fitting[int(rng.integers(len(fitting)))]


def noise(rng: np.random.Generator, width: int, height: int, channels: int, dtype: Any) -> Array:
    """(h, w, channels), or (h, w) where channels is 1, of every code that the type has; float: -0.25 to 1.5."""
    shape = (height, width) if channels == 1 else (height, width, channels)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.uniform(-0.25, 1.5, shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def smooth(rng: np.random.Generator, width: int, height: int, channels: int = 3) -> Array:
    """(h, w, channels) float64 0..1 without edges, which lossy codecs keep; no turn or mirror of it is like it.

    Channels differ little in colour, so that subsampled chroma keeps them too.
    """
    y, x = np.mgrid[0:height, 0:width].astype(float)
    across, down = (x + 0.5) / width, (y + 0.5) / height
    base = 0.2 + 0.45 * across + 0.25 * down**2
    tints = 0.03 * rng.uniform(-1, 1, channels) + 0.04 * np.linspace(-1, 1, channels)
    return np.clip(base[..., None] + tints * (0.5 + 0.5 * down[..., None]), 0.0, 1.0)


def codes(values: Array, top: int) -> Array:
    """0..1 as integers up to `top`, uint8 or uint16."""
    return np.rint(values * top).astype(np.uint8 if top <= 255 else np.uint16)


def widened(samples: Array, bits: int) -> Array:
    """Codes of so many bits over the whole range of 8 (up to 8 bits) or 16 (above), to the nearest."""
    top, target = (1 << bits) - 1, 255 if bits <= 8 else 65535
    wide = samples.astype(np.uint64)
    return ((wide * target + top // 2) // top).astype(np.uint8 if target == 255 else np.uint16)


#: EXIF orientation n to what undoes it, on an array (h, w, ...): TIFF 6.0, tag 274.
UPRIGHT: Mapping[int, Callable[[Array], Array]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def upright(samples: Array, orientation: int) -> Array:
    """The picture as its orientation says it is to be seen."""
    return np.ascontiguousarray(UPRIGHT[orientation](samples))
