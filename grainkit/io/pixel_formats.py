"""FFmpeg's pixel formats as numbers: which bytes of which plane are which sample.

Nothing here needs FFmpeg: a picture comes and goes as one two-dimensional byte array per plane,
(rows, bytes per row with padding), and every sample keeps its value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from grainkit.errors import EncodingError
from grainkit.picture.frame import Plane
from grainkit.picture.rgb import RGB

Bytes = npt.NDArray[np.uint8]

_SUBSAMPLING = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "0": (2, 2), "2": (2, 1), "4": (1, 1)}
_DEPTHS = "9|10|12|14|16"
_YUV = re.compile(rf"yuv([aj]?)(420|422|444)p(?:({_DEPTHS})(le|be))?")
_GREY = re.compile(rf"gray(?:({_DEPTHS})(le|be))?")
_SEMI = re.compile(r"p([024])(10|12|16)(le|be)")
_GBR = re.compile(rf"gbr(a?)p(?:({_DEPTHS}|f32)(le|be))?")
_PACKED = re.compile(r"([0argb]{3,4}?)(24|48|64)?(le|be)?")
_NV = {"nv12": (2, 2), "nv21": (2, 2), "nv16": (2, 1), "nv24": (1, 1), "nv42": (1, 1)}
_PACKED_NAMES = ("rgb24", "bgr24", "rgba", "bgra", "argb", "abgr", "rgb0", "bgr0", "0rgb", "0bgr")
_PACKED_DEEP = ("rgb48", "bgr48", "rgba64", "bgra64")


@dataclass(frozen=True)
class PixelFormat:
    """How one FFmpeg pixel format lays its samples out.

    layout: planar (Y, Cb, Cr[, A]), grey (Y), greyalpha (Y and A woven), semiplanar (Y, then Cb and Cr
        woven), gbr (G, B, R[, A] planes) or packed (R, G, B[, A] woven).
    depth: bits per sample, 8..16, or 32 for float. shift: empty low bits below the sample (P010).
    subsampling: luma samples per chroma sample, (horizontal, vertical).
    order: position of each component in its weave: (R, G, B[, A]) or (Cb, Cr).
    step: samples per pixel in a weave. full_range: the name itself says full range (yuvj420p).
    """

    name: str
    layout: str
    depth: int = 8
    subsampling: tuple[int, int] = (1, 1)
    alpha: bool = False
    big_endian: bool = False
    shift: int = 0
    order: tuple[int, ...] = ()
    step: int = 1
    full_range: bool = False

    @property
    def is_rgb(self) -> bool:
        return self.layout in ("gbr", "packed")

    @property
    def is_grey(self) -> bool:
        return self.layout in ("grey", "greyalpha")

    @property
    def rgb_depth(self) -> int:
        """Depth of the R'G'B' array it unpacks to: 8, 16 or 32; 9..14 bits are scaled to 16."""
        return self.depth if self.depth in (8, 32) else 16

    @property
    def native(self) -> np.dtype[np.uint8] | np.dtype[np.uint16] | np.dtype[np.float32]:
        """The type of one sample as grainkit holds it."""
        return np.dtype({8: "u1", 32: "f4"}.get(self.depth, "u2"))

    @property
    def stored(self) -> np.dtype[np.uint8] | np.dtype[np.uint16] | np.dtype[np.float32]:
        """The type of one sample in the plane's bytes."""
        return self.native.newbyteorder(">" if self.big_endian else "<")

    @property
    def top(self) -> int:
        """The largest code of an integer format."""
        return (1 << self.depth) - 1


def parse(name: str) -> PixelFormat | None:
    """The format of this FFmpeg name, or None where grainkit does not read or write it."""
    if found := _YUV.fullmatch(name):
        kind, sampling, bits, end = found.groups()
        return PixelFormat(
            name, "planar", int(bits or 8), _SUBSAMPLING[sampling], kind == "a", end == "be", full_range=kind == "j"
        )
    if found := _GREY.fullmatch(name):
        return PixelFormat(name, "grey", int(found[1] or 8), big_endian=found[2] == "be")
    if name in ("ya8", "ya16le", "ya16be"):
        return PixelFormat(
            name, "greyalpha", 8 if name == "ya8" else 16, alpha=True, big_endian=name == "ya16be", step=2
        )
    if name in _NV:
        return PixelFormat(
            name, "semiplanar", 8, _NV[name], order=(1, 0) if name in ("nv21", "nv42") else (0, 1), step=2
        )
    if found := _SEMI.fullmatch(name):
        bits = int(found[2])
        return PixelFormat(
            name, "semiplanar", bits, _SUBSAMPLING[found[1]], False, found[3] == "be", 16 - bits, (0, 1), 2
        )
    if found := _GBR.fullmatch(name):
        depth = 32 if found[2] == "f32" else int(found[2] or 8)
        return PixelFormat(name, "gbr", depth, alpha=found[1] == "a", big_endian=found[3] == "be", order=(2, 0, 1, 3))
    if name in _PACKED_NAMES or name[:-2] in _PACKED_DEEP:
        found = _PACKED.fullmatch(name)
        assert found is not None
        letters, deep = found[1], name[:-2] in _PACKED_DEEP
        order = tuple(letters.index(c) for c in "rgba" if c in letters)
        return PixelFormat(
            name,
            "packed",
            16 if deep else 8,
            alpha="a" in letters,
            big_endian=found[3] == "be",
            order=order,
            step=len(letters),
        )
    return None


@dataclass(frozen=True)
class Samples:
    """A picture out of its bytes: `planes` (Y'[, Cb, Cr]) or `rgb` (h, w, 3), and `alpha` (h, w) or None.

    Integers sit in the low bits of uint8 or uint16. R'G'B' and its alpha are full scale (9..14 bits become 16).
    """

    planes: tuple[Plane, ...] = ()
    rgb: RGB | None = None
    alpha: Plane | None = None


def unpack(form: PixelFormat, raw: Sequence[Bytes], width: int, height: int) -> Samples:
    """Copy the samples out of one byte array per plane; padding is left behind, every value is kept."""

    def plane(index: int, columns: int, rows: int, step: int = 1, at: int = 0) -> Plane:
        data = raw[index][:rows, : columns * step * form.stored.itemsize].view(form.stored)[:, at::step]
        copy = np.array(data, form.native, order="C")
        # Samples of 8 bits and floats are never shifted.
        return cast(Plane, cast(npt.NDArray[np.uint16], copy) >> form.shift if form.shift else copy)

    across, down = chroma_size(form, width, height)
    if form.layout == "grey":
        return Samples((plane(0, width, height),))
    if form.layout == "greyalpha":
        return Samples((plane(0, width, height, 2, 0),), alpha=plane(0, width, height, 2, 1))
    if form.layout == "planar":
        planes = (plane(0, width, height), plane(1, across, down), plane(2, across, down))
        return Samples(planes, alpha=plane(3, width, height) if form.alpha else None)
    if form.layout == "semiplanar":
        chroma = tuple(plane(1, across, down, 2, at) for at in form.order)
        return Samples((plane(0, width, height), *chroma))
    if form.layout == "gbr":
        channels = [plane(index, width, height) for index in form.order[: 3 + form.alpha]]
    else:
        channels = [plane(0, width, height, form.step, at) for at in form.order]
    if form.depth not in (8, 16, 32):
        channels = [rescale(channel, form.top, 16) for channel in channels]
    return Samples(rgb=cast(RGB, np.stack(channels[:3], axis=-1)), alpha=channels[3] if form.alpha else None)


def pack(form: PixelFormat, raw: Sequence[Bytes], samples: Samples, alpha_top: float = 0.0) -> None:
    """Write a picture into one writable byte array per plane.

    samples: planes of the format's own depth and sampling (one plane gets neutral chroma), or `rgb` of any
        depth for an R'G'B' format; alpha of any depth. A missing alpha is written opaque.
    alpha_top: the code of opaque in `samples.alpha`; 0 takes it from the type.
    Raises EncodingError where the planes do not fit the format.
    """

    def put(index: int, values: Plane, step: int = 1, at: int = 0) -> None:
        rows, columns = values.shape
        target = raw[index][:rows, : columns * step * form.stored.itemsize].view(form.stored)[:, at::step]
        target[...] = cast(npt.NDArray[np.uint16], values) << form.shift if form.shift else values

    if form.is_rgb:
        if samples.rgb is None:
            raise EncodingError(f"{form.name} needs R'G'B' samples, but the frame carries Y'CbCr only")
        height, width = samples.rgb.shape[:2]
    else:
        height, width = samples.planes[0].shape
    alpha = None
    if form.alpha:
        top = alpha_top or _full_scale(samples.alpha)
        opaque = np.full((height, width), form.top, form.native)
        alpha = opaque if samples.alpha is None else rescale(samples.alpha, top, form.depth)

    if form.is_rgb:
        assert samples.rgb is not None
        rgb = rescale(samples.rgb, _full_scale(samples.rgb), form.depth)
        channels = [rgb[..., 0], rgb[..., 1], rgb[..., 2], *([] if alpha is None else [alpha])]
        for channel, at in zip(channels, form.order, strict=False):
            if form.layout == "gbr":
                put(at, channel)
            else:
                put(0, channel, form.step, at)
        if form.step > len(form.order):
            spare = ({0, 1, 2, 3} - set(form.order)).pop()
            put(0, np.full((height, width), form.top, form.native), form.step, spare)
        return

    planes = _fitting(form, samples.planes)
    put(0, planes[0], *((2, 0) if form.layout == "greyalpha" else ()))
    for number, chroma in enumerate(planes[1:]):
        if form.layout == "semiplanar":
            put(1, chroma, 2, form.order[number])
        else:
            put(1 + number, chroma)
    if alpha is not None:
        put(*((0, alpha, 2, 1) if form.layout == "greyalpha" else (3, alpha)))


def _fitting(form: PixelFormat, planes: tuple[Plane, ...]) -> tuple[Plane, ...]:
    """The planes the format wants: neutral chroma added to grey, chroma left out of a grey format."""
    height, width = planes[0].shape
    if any(plane.dtype != form.native for plane in planes):
        raise EncodingError(f"{form.name} needs {form.native} planes, but the frame has {planes[0].dtype}")
    if form.is_grey:
        return planes[:1]
    across, down = chroma_size(form, width, height)
    if len(planes) == 1:
        neutral = np.full((down, across), 1 << (form.depth - 1), form.native)
        return planes[0], neutral, neutral
    if planes[1].shape != (down, across):
        raise EncodingError(
            f"{form.name} needs chroma of {across}x{down}, but the frame has {planes[1].shape[1]}x{planes[1].shape[0]}"
        )
    return planes


def chroma_size(form: PixelFormat, width: int, height: int) -> tuple[int, int]:
    """(width, height) of a chroma plane, rounded up."""
    across, down = form.subsampling
    return -(-width // across), -(-height // down)


def rescale(samples: RGB, top: float, depth: int) -> RGB:
    """Full-scale samples whose white is `top` to full scale at `depth` (32: float, white 1.0), rounded to nearest."""
    target = (1 << depth) - 1
    if depth == 32:
        return samples if samples.dtype == np.float32 else (samples / np.float32(top)).astype(np.float32)
    kind = np.uint8 if depth == 8 else np.uint16
    if samples.dtype == np.float32:
        return cast(RGB, (np.clip(samples / np.float32(top), 0.0, 1.0) * target + 0.5).astype(kind))
    white = int(top)
    if white == target:
        return samples
    wide = samples.astype(np.uint32) * np.uint32(target)
    return cast(RGB, ((wide + np.uint32(white // 2)) // np.uint32(white)).astype(kind))


def _full_scale(samples: RGB | None) -> float:
    return 1.0 if samples is None else {"u1": 255.0, "u2": 65535.0, "f4": 1.0}[samples.dtype.str[1:]]
