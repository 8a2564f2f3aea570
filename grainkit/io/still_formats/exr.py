"""EXR: float and scene-linear, colours multiplied by alpha; texts as attributes, no profile and no EXIF."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from grainkit.errors import EncodingError, InputError
from grainkit.io import icc
from grainkit.io.alpha import multiplied, straight
from grainkit.io.base import Pixels, StillMetadata, check_size
from grainkit.io.key_lists import keys_named
from grainkit.io.quiet import without_lines
from grainkit.io.still import Still, finished
from grainkit.io.still_format import ExifPart, Holds, StillFormat, StillSettings
from grainkit.picture.color import SRGB_STILL, Color, Primaries, Transfer
from grainkit.picture.frame import Plane

#: EXR attributes that mean something to the format; a text of that name must not take their place.
_RESERVED = frozenset(
    {
        "channels", "chromaticities", "compression", "dataWindow", "displayWindow", "lineOrder", "pixelAspectRatio",
        "screenWindowCenter", "screenWindowWidth", "type", "name", "view", "version", "chunkCount", "tiles", "xDensity",
        "multiView", "deepImageState", "maxSamplesPerPixel", "preview", "xmp", "whiteLuminance",
    }
)  # fmt: skip
#: EXR text attributes that describe the file's layout, not the picture.
_LAYOUT = frozenset({"channels", "type", "name", "view", "dwaCompressionLevel"})
_XMP = "xmp"
#: What it writes on the process's streams of its own accord where a file is damaged.
_LINES = ("<python_buffer>: ", "Warning: Exception raised reading pixel data")


class _Channel(Protocol):
    """What is looked at of a channel of OpenEXR's."""

    pixels: npt.NDArray[np.generic]
    xSampling: int
    ySampling: int


def _decode(data: bytes, limit: int) -> Still:
    import OpenEXR

    notes = ["EXR is scene-linear; grain and highlight protection expect a display-referred signal"]
    with without_lines(*_LINES):
        heading = OpenEXR.File(io.BytesIO(data), separate_channels=True, header_only=True)
        for part in heading.parts:
            width, height = (int(b) - int(a) + 1 for a, b in zip(*part.header["dataWindow"], strict=True))
            check_size(width, height, limit, len(part.header["channels"]))
        file = OpenEXR.File(io.BytesIO(data), separate_channels=True)
    if len(file.parts) < len(heading.parts):
        raise ValueError("its picture data is damaged or ends early")
    which = next((n for n, part in enumerate(file.parts) if _colours(part.channels)), 0)
    if len(file.parts) > 1:
        notes.append(f"{'the first' if which == 0 else f'number {which + 1}'} of {len(file.parts)} parts")
    header, channels = file.header(which), file.channels(which)
    if not all((a == b).all() for a, b in zip(header["displayWindow"], header["dataWindow"], strict=True)):
        notes.append("its data window is taken as the whole picture")
    names = _colours(channels)
    if not names:
        raise InputError(
            f"has the channels {keys_named(sorted(channels))}; needed are R, G, B or Y: export it again as RGB"
        )
    planes = {name: _plane(name, channels[name]) for name in (*names, "A") if name in channels}
    unused = sorted(channels.keys() - planes.keys())
    if unused:
        notes.append(f"its channels {keys_named(unused)} are left out")
    rgb: Pixels = np.dstack([planes[name] for name in names])
    alpha = planes.get("A")
    if alpha is not None:
        if rgb[alpha == 0].any():
            notes.append("light that it has where alpha is 0 (a glow, a flame) is lost where EXR is written")
        rgb = straight(rgb, alpha)
        notes.append("its colours were multiplied by alpha and are divided by it: grainkit works on straight alpha")
    aspect = float(header.get("pixelAspectRatio", 1.0))
    if aspect != 1.0:
        notes.append(f"its pixels are {aspect:g} times as wide as high; they are taken for square")
    words = {key: value for key, value in header.items() if isinstance(value, str) and key not in _LAYOUT}
    xmp = words.pop(_XMP, "").encode() or None
    density = float(header.get("xDensity", 0.0))
    metadata = StillMetadata(xmp=xmp, text=tuple(words.items()), dpi=(density, density) if density > 0 else None)
    color = replace(SRGB_STILL, depth=32, transfer=Transfer.LINEAR, assumed=("primaries",))
    if "chromaticities" in header:
        color, profile = _colors(header["chromaticities"], color, notes, grey=len(names) == 1)
        metadata = replace(metadata, icc=profile)
    picture = cast(Pixels, np.ascontiguousarray(rgb if len(names) == 3 else rgb[..., 0]))
    return finished(Still(picture, alpha, color, "exr", metadata, tuple(notes)), 1, False)


def _colours(channels: Mapping[str, object]) -> tuple[str, ...]:
    """Names of the channels that hold the picture, () where there are none: R, G and B, or Y without its chroma."""
    if {"R", "G", "B"} <= channels.keys():
        return ("R", "G", "B")
    return ("Y",) if "Y" in channels and not {"RY", "BY"} & channels.keys() else ()


def _colors(numbers: npt.ArrayLike, color: Color, notes: list[str], *, grey: bool) -> tuple[Color, bytes | None]:
    """The primaries that an EXR names: as code points where there are some, else in an ICC profile."""
    flat = [float(v) for v in np.ravel(numbers)]
    if len(flat) != 8:
        return color, None
    red, green, blue, white = ((flat[at], flat[at + 1]) for at in range(0, 8, 2))
    given = icc.Chromaticities(red, green, blue, white)
    for primaries, known in icc.CHROMATICITIES.items():
        if given.near(known):
            return replace(color, primaries=primaries, assumed=()), None
    try:
        return replace(color, assumed=()), icc.profile_of_power(given, 1.0, grey=grey)
    except ValueError as error:
        notes.append(f"its chromaticities are left out: {error}")
        return color, None


def _plane(name: str, channel: _Channel) -> npt.NDArray[np.float32]:
    pixels = channel.pixels
    if pixels.dtype not in (np.float16, np.float32) or (channel.xSampling, channel.ySampling) != (1, 1):
        raise InputError(
            f"has a {name} channel that is not full-size half or float; export it again as half or float RGB"
        )
    return np.ascontiguousarray(pixels, np.float32)


def _encode(rgb: Pixels, alpha: Plane | None, settings: StillSettings, told: StillMetadata, color: Color) -> bytes:
    import OpenEXR

    header: dict[str, object] = {
        key: value for key, value in told.text if key not in _RESERVED and 0 < len(key.encode()) <= 31
    }
    header |= {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    if told.xmp:
        header["xmp"] = told.xmp.decode("utf-8", "replace")
    if told.dpi:
        header["xDensity"] = float(told.dpi[0])
    if color.primaries not in (Primaries.BT709, Primaries.UNSPECIFIED):
        header["chromaticities"] = icc.CHROMATICITIES[color.primaries].flat()
    if alpha is not None:
        # Colours of an EXR are multiplied by its alpha (Technical Introduction to OpenEXR, "Alpha").
        rgb = multiplied(cast(Pixels, np.atleast_3d(rgb)), alpha).reshape(rgb.shape)
    channels = (
        {"Y": rgb} if rgb.ndim == 2 else {name: np.ascontiguousarray(rgb[..., i]) for i, name in enumerate("RGB")}
    )
    if alpha is not None:
        channels["A"] = alpha
    room = io.BytesIO()
    try:
        OpenEXR.File(header, channels).write(room)
    except (RuntimeError, ValueError, TypeError) as error:
        raise EncodingError(f"the EXR encoder refused the picture: {error}") from error
    return room.getvalue()


EXR = StillFormat(
    name="exr",
    title="EXR",
    endings=(".exr",),
    begins=lambda head: head.startswith(b"\x76\x2f\x31\x01"),
    depths=(32,),
    linear=True,
    holds=Holds(icc=False, texts=True, exif=ExifPart.NONE),
    decode=_decode,
    encode=_encode,
)
