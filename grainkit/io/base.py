"""The two ends of a job, as protocols, and what a source knows about itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from grainkit.errors import InputError
from grainkit.io.hdr10 import Hdr10
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame

#: Samples of a picture: (h, w, 3), or (h, w) of one plane. Integers are codes, floats are 0..1 with what is beyond.
Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32]


@dataclass(frozen=True)
class StillMetadata:
    """What travels with a still beside its pixels. Bytes are passed through unread.

    icc: ICC profile. exif: EXIF block as a TIFF stream (orientation already reset to 1, because
    rotation is baked in). xmp: an XMP packet. text: PNG text chunks in order: (keyword, text),
    `prompt`, `workflow`, `parameters` among them. dpi: (horizontal, vertical) or None.
    coded: whether the file names its colours by code points (cICP): those count, and an ICC profile
    beside them is for readers that know none.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()
    dpi: tuple[float, float] | None = None
    coded: bool = False


@dataclass(frozen=True)
class SourceInfo:
    """What a source says of itself before the first frame.

    name: the input as the user gave it; path: the file, or None for standard input.
    kind: clip, still, sequence or pipe.
    width, height: as frames come out, rotation baked in.
    color: what frames will carry (a frame may not differ).
    frames: number of frames where it is known without decoding, else None. An estimate for clips.
    rate: mean frames per second; None for a still. time_base: unit of the frames' pts.
    sample_aspect: pixel aspect ratio. has_alpha, has_audio: as named.
    field_order: tff or bff (the top or the bottom field is shown first) where frames are interlaced, mixed where each
        says for itself, '' where they are progressive.
    hdr10: what an HDR10 source declares of its grade, None for nothing.
    pixel_format: FFmpeg's name of the source's own samples (rgb24, yuv420p10le, ...), for reports.
    metadata: container metadata (clips). still: a still's own metadata.
    digital_source_type: IPTC term the input claims, '' where it claims none.
    first_number: number in the file name of frame 0 of a sequence. frame_name: its files' name as a printf pattern,
        less the ending, such as `f_%05d`; '' where there is none.
    notes: what was assumed or done to the input, a sentence each ("rotation of 90 degrees baked in").
    pixels: digest of a still's pixels, which its grain is drawn by (see `picture.grain_key`); None where frames are
        drawn by their numbers, or where it is not known yet.
    """

    name: str
    path: Path | None
    kind: str
    width: int
    height: int
    color: Color
    frames: int | None = None
    rate: Fraction | None = None
    time_base: Fraction | None = None
    sample_aspect: Fraction = Fraction(1)
    has_alpha: bool = False
    has_audio: bool = False
    field_order: str = ""
    hdr10: Hdr10 | None = None
    pixel_format: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    still: StillMetadata = field(default_factory=StillMetadata)
    digital_source_type: str = ""
    first_number: int = 0
    notes: tuple[str, ...] = ()
    pixels: int | None = None
    frame_name: str = ""


#: Pixels that a picture may have where nobody says otherwise, of stills and of frames that come by the thousand:
#: a header of a few bytes may promise what no memory holds. 150 million is above 16K (15360x8640).
MAX_STILL, MAX_MOVING = 300_000_000, 150_000_000


def check_pixels(name: object, width: int, height: int, limit: int, samples: int = 4) -> None:
    """Raise InputError where a picture is larger than `limit` pixels of 4 samples, before anything of it is decoded."""
    if width * height * max(samples, 4) > 4 * limit:
        what = f"{width}x{height} px" if samples <= 4 else f"{width}x{height} px of {samples} samples"
        needed = -(-width * height * max(samples, 4) // 4_000_000)
        remedy = "it is damaged, or made to fill the memory"
        if needed * 1_000_000 <= 100 * limit or limit < MAX_MOVING:
            remedy = f"make it smaller, or pass --max-pixels {needed}M where there is memory for it"
        raise InputError(f"{name}is {what}, more than the {limit:,} pixels allowed; {remedy}")


def check_size(width: int, height: int, limit: int, samples: int = 4) -> None:
    """`check_pixels` for what is no picture at all too: a side of no pixel."""
    if width < 1 or height < 1:
        raise InputError(f"is {width}x{height} px; a picture has at least 1x1")
    check_pixels("", width, height, limit, samples)


def input_files(info: SourceInfo) -> list[Path]:
    """The files that a source is read from, in order; none for a pipe."""
    if info.path is None:
        return []
    if info.kind == "sequence":
        from grainkit.io.sequence import sequence_files

        return sequence_files(info.path)
    return [info.path]


class Source(Protocol):
    """Frames, in order, one at a time. Iterate once; use as a context manager or call close()."""

    info: SourceInfo

    def __iter__(self) -> Iterator[Frame]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class PacketRewriter(Protocol):
    """Changes what an encoder made before it is stored; packets come in the order of the stream."""

    def extradata(self, data: bytes) -> bytes:
        """The codec's global header."""

    def packet(self, data: bytes) -> bytes:
        """One packet."""


class Sink(Protocol):
    """Takes frames; what was written appears at the destination whole, at commit(), or not at all.

    notes: what could not be carried over, a sentence each; known once frames were written.
    """

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the frames, or of what the source had beside them, was left out: a sentence each."""

    def write(self, frame: Frame) -> None: ...
    def commit(self) -> None:
        """Flush, tag, fsync and rename into place."""

    def abort(self) -> None:
        """Remove everything written so far. Safe to call twice, and after commit (then it does nothing)."""


def no_such_frames(name: object, kind: str, count: int, start: int, stop: int | None) -> InputError:
    """The error that frames start to stop - 1 hold none of the `count` that a source of this kind has."""
    if kind == "still":
        return InputError(f"{name}: a still has frame 0 alone, not {start}; leave --frames out")
    if kind == "sequence":
        return InputError(f"{name}: has frames 0 to {count - 1}; {start}:{stop} holds none of them")
    return InputError(f"{name} has {count} frames, numbered from 0; frame {start} is beyond its end")
