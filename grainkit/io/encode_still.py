"""A finished frame to the bytes of a still file, with the metadata that its container can hold."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from grainkit.errors import EncodingError, GrainkitError, OutputError
from grainkit.io import exif as exif_block
from grainkit.io import icc, jpeg, png
from grainkit.io.alpha import multiplied
from grainkit.io.base import StillMetadata
from grainkit.io.color_tags import needs_telling
from grainkit.io.delivery import StillDelivery
from grainkit.io.key_lists import keys_named
from grainkit.io.metadata import XMP_KEYWORD, international_text, text_chunks
from grainkit.io.texts import in_exif, out_of_exif
from grainkit.picture.color import Color, Primaries, Transfer
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import RGB

#: Containers that have no alpha channel: a frame's alpha is left out there.
NO_ALPHA = frozenset({"jpeg"})

#: Sample types that each container takes, as numpy names them.
_TYPES = {"png": ("u1", "u2"), "jpeg": ("u1",), "webp": ("u1",), "tiff": ("u1", "u2", "f4"), "exr": ("f4",)}
_DEPTHS = {8: "u1", 16: "u2", 32: "f4"}
#: `max_bytes` never brings quality below this, in steps of _QUALITY_STEP.
_LEAST_QUALITY, _QUALITY_STEP = 70, 3
_MAX_WEBP_SIDE = 16383
#: Containers whose EXIF takes generators' texts, and how many bytes of it they hold.
_EXIF_ROOM = {"jpeg": jpeg.MAX_EXIF, "webp": 1 << 31}
#: Lossless WebP takes effort in quality's place; more than this doubles the time to save a percent.
_WEBP_EFFORT = 20

_XMP_TAG = 700
#: EXR attributes that mean something to the format; a text of that name must not take their place.
_EXR_RESERVED = frozenset(
    {
        "channels", "chromaticities", "compression", "dataWindow", "displayWindow", "lineOrder", "pixelAspectRatio",
        "screenWindowCenter", "screenWindowWidth", "type", "name", "view", "version", "chunkCount", "tiles", "xDensity",
        "multiView", "deepImageState", "maxSamplesPerPixel", "preview", "xmp", "whiteLuminance",
    }
)  # fmt: skip


def encode_still(
    frame: Frame, delivery: StillDelivery, dpi: float, metadata: StillMetadata, xmp: bytes | None = None
) -> bytes:
    """The file's bytes.

    frame: `rgb` is final, (h, w, 3) or (h, w) of the type that delivery.depth names; `alpha` of the same type
        or None, and left out where the container is one of NO_ALPHA.
    dpi: dots per inch to state; 0 states what `metadata` does.
    xmp: a packet in place of the metadata's own.
    Raises GrainkitError for samples that do not fit the container, OutputError where the picture is too large
    for it or for max_bytes, EncodingError where the encoder fails.
    """
    if delivery.container not in _TYPES:
        raise GrainkitError(f"still container {delivery.container!r} is not one of {', '.join(_TYPES)}")
    rgb, alpha = frame.rgb, frame.alpha
    if rgb is None:
        raise GrainkitError(f"frame {frame.index} has no R'G'B' samples to write")
    kind = rgb.dtype.str[1:]
    if kind not in _TYPES[delivery.container] or _DEPTHS.get(delivery.depth) != kind:
        raise GrainkitError(f"{rgb.dtype} samples do not go into a {delivery.depth}-bit {delivery.container}")
    if alpha is not None and (alpha.dtype != rgb.dtype or alpha.shape != rgb.shape[:2]):
        raise GrainkitError(f"alpha is {alpha.dtype} {alpha.shape}, the picture {rgb.dtype} {rgb.shape}")
    stated = (dpi, dpi) if dpi > 0 else metadata.dpi
    exif = in_exif(metadata, _EXIF_ROOM[delivery.container]).exif if delivery.container in _EXIF_ROOM else metadata.exif
    if exif is not None:
        exif = exif_block.describing(exif, (rgb.shape[1], rgb.shape[0]), stated)
    profile = _profile(frame.color, metadata, delivery.container, grey=rgb.ndim == 2)
    if delivery.icc == "srgb" and metadata.icc is None and rgb.ndim == 3 and _is_srgb(frame.color):
        profile = srgb_profile()
    told = StillMetadata(profile, exif, xmp or metadata.xmp, metadata.text, stated, metadata.coded)
    return _ENCODERS[delivery.container](rgb, alpha, delivery, told, frame.color)


def lost_metadata(
    delivery: StillDelivery, metadata: StillMetadata, color: Color | None = None, *, grey: bool = False
) -> tuple[str, ...]:
    """What of this metadata the container cannot hold, a sentence each. color, grey: what the samples are."""
    name, lost = delivery.container.upper(), []
    if metadata.icc and delivery.container != "exr" and not _fits(metadata.icc, delivery.container, grey=grey):
        kind = metadata.icc[16:20].decode("latin-1").strip() or "damaged"
        lost.append(f"its {kind} ICC profile does not go with {'grey' if grey else 'colour'} samples: left out")
    if delivery.container == "exr" and color is not None and color.transfer is not Transfer.LINEAR:
        lost.append(f"EXR is taken for linear light, and these samples keep their curve ({color.transfer.name})")
    if metadata.text and delivery.container not in ("png", "exr"):
        left = tuple(keyword for keyword, _ in metadata.text)
        if delivery.container in _EXIF_ROOM:
            placed = in_exif(metadata, _EXIF_ROOM[delivery.container])
            left = placed.left
            lost += placed.notes
        if left:
            lost.append(f"{name} has no text chunks: {keys_named(left)} left out")
    if delivery.container == "exr" and metadata.icc:
        lost.append("EXR has no place for an ICC profile: left out")
    if delivery.container == "exr" and metadata.exif:
        lost.append("EXR has no place for EXIF: left out")
    if delivery.container == "tiff" and metadata.exif:
        lost.append("TIFF keeps EXIF's text tags (maker, model, date, artist, copyright): the rest left out")
    if delivery.container == "jpeg" and metadata.exif and len(metadata.exif) > jpeg.MAX_EXIF:
        lost.append(f"EXIF of {len(metadata.exif)} bytes does not fit a JPEG: left out")
    if delivery.container == "jpeg" and metadata.xmp and len(metadata.xmp) > jpeg.MAX_XMP:
        lost.append(f"XMP of {len(metadata.xmp)} bytes does not fit a JPEG: left out")
    return tuple(lost)


def icc_fits(icc: bytes | None, *, grey: bool) -> bool:
    """May a profile be embedded? A grey one in a colour picture, or the other way round, makes a broken file."""
    return icc is not None and len(icc) >= 128 and icc[16:20] == (b"GRAY" if grey else b"RGB ")


def _fits(profile: bytes | None, container: str, *, grey: bool) -> bool:
    """A WebP's samples are always of three colours."""
    return icc_fits(profile, grey=grey and container != "webp")


def _profile(color: Color, metadata: StillMetadata, container: str, *, grey: bool) -> bytes | None:
    """The ICC profile that says what the samples mean: the source's own, or one made of code points.

    Beside a PNG's cICP it is for readers that know none; of HDR there is no profile that they would show right.
    """
    own = metadata.icc if _fits(metadata.icc, container, grey=grey) else None
    if container == "exr" or (own is not None and (not metadata.coded or container == "png")):
        return own
    if not needs_telling(color, coded=metadata.coded) or (container == "png" and color.is_hdr):
        return None
    return icc.profile(color.primaries, color.transfer, grey=grey and container != "webp")


def _codes(color: Color) -> tuple[Primaries, Transfer]:
    return color.primaries, color.transfer


def _is_srgb(color: Color) -> bool:
    return color.primaries in (Primaries.BT709, Primaries.UNSPECIFIED) and color.transfer is Transfer.SRGB


@cache
def srgb_profile() -> bytes:
    """An sRGB display profile, as Little CMS makes it, with a fixed date in it."""
    from PIL import ImageCms

    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # ICC.1:2010, 7.2.1: bytes 24 to 35 are the day and time of making.
    made[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    return bytes(made)


def _encode_png(rgb: Any, alpha: Any, delivery: StillDelivery, told: StillMetadata, color: Color) -> bytes:
    named = {"none": 0, "deflate": 6}
    level = named.get(delivery.compression, -1)
    if delivery.compression.isdecimal():
        level = int(delivery.compression)
    if not 0 <= level <= 9:
        raise GrainkitError(f"PNG compression {delivery.compression!r} is not 0..9")
    return png.encode(rgb, alpha, _png_chunks(told, color), level=level)


def _png_chunks(told: StillMetadata, color: Color) -> Iterator[png.Chunk]:
    # A cICP goes over an ICC profile: beside the source's own it stands only where that says the same.
    if told.coded or (
        needs_telling(color, coded=told.coded) if told.icc is None else icc.code_points(told.icc) == _codes(color)
    ):
        yield b"cICP", bytes((color.primaries, color.transfer, 0, 1))
    if told.icc:
        yield b"iCCP", b"ICC profile\0\0" + zlib.compress(told.icc, 9)
    if told.dpi:
        across, down = (round(d / 0.0254) for d in told.dpi)
        yield b"pHYs", struct.pack(">IIB", across, down, 1)
    if told.exif:
        yield b"eXIf", told.exif
    if told.xmp:
        yield international_text(XMP_KEYWORD.encode(), told.xmp)
    yield from text_chunks(out_of_exif(told))


def _encode_jpeg(rgb: Any, alpha: Any, delivery: StillDelivery, told: StillMetadata, color: Color) -> bytes:
    if max(rgb.shape[:2]) > jpeg.MAX_SIDE:
        raise OutputError(_too_wide("JPEG", rgb, jpeg.MAX_SIDE))
    if delivery.subsampling not in jpeg.SUBSAMPLINGS:
        raise GrainkitError(f"JPEG subsampling {delivery.subsampling!r} is not one of {', '.join(jpeg.SUBSAMPLINGS)}")
    exif = told.exif if told.exif and len(told.exif) <= jpeg.MAX_EXIF else None
    xmp = told.xmp if told.xmp and len(told.xmp) <= jpeg.MAX_XMP else None

    def attempt(quality: int) -> bytes:
        data = jpeg.encode(rgb, quality, delivery.subsampling)
        return jpeg.with_metadata(data, icc=told.icc, exif=exif, xmp=xmp, dpi=told.dpi)

    return _within(delivery, attempt)


def _encode_webp(rgb: Any, alpha: Any, delivery: StillDelivery, told: StillMetadata, color: Color) -> bytes:
    if max(rgb.shape[:2]) > _MAX_WEBP_SIDE:
        raise OutputError(_too_wide("WebP", rgb, _MAX_WEBP_SIDE))
    from PIL import Image

    samples = rgb if rgb.ndim == 3 else np.repeat(rgb[..., None], 3, axis=2)
    if alpha is not None:
        samples = np.concatenate((samples, alpha[..., None]), axis=2)
    image = Image.fromarray(samples)

    def attempt(quality: int) -> bytes:
        room, lossless = io.BytesIO(), quality == 100
        try:
            image.save(
                room, "WEBP", lossless=lossless, quality=_WEBP_EFFORT if lossless else quality, exact=True, method=4,
                icc_profile=told.icc or b"", exif=told.exif or b"", xmp=told.xmp or b"",
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise EncodingError(f"the WebP encoder refused the picture: {error}") from error
        return room.getvalue()

    return _within(delivery, attempt)


def _within(delivery: StillDelivery, attempt: Callable[[int], bytes]) -> bytes:
    """The first attempt, from the wished quality down, that max_bytes allows."""
    quality = delivery.quality
    data = attempt(quality)
    while delivery.max_bytes and len(data) > delivery.max_bytes:
        if quality <= _LEAST_QUALITY:
            raise OutputError(
                f"the {delivery.container.upper()} has {len(data):,} bytes at quality {quality}, more than the "
                f"{delivery.max_bytes:,} allowed; deliver it smaller, or raise delivery.still.max_bytes"
            )
        quality = max(_LEAST_QUALITY, quality - _QUALITY_STEP)
        data = attempt(quality)
    return data


def _encode_tiff(rgb: Any, alpha: Any, delivery: StillDelivery, told: StillMetadata, color: Color) -> bytes:
    import tifffile

    samples = rgb
    if alpha is not None:
        samples = np.concatenate((np.atleast_3d(rgb), alpha[..., None]), axis=2)
    deflate = delivery.compression not in ("none", "0")
    tags: list[tuple[int, str | int, int, Any, bool]] = []
    words = exif_block.texts(told.exif) if told.exif else {}
    tags += [(tag, "s", 0, words[tag], True) for tag in exif_block.TELLING if words.get(tag)]
    if told.xmp:
        tags.append((_XMP_TAG, "B", len(told.xmp), told.xmp, True))
    room = io.BytesIO()
    tifffile.imwrite(
        room, samples, photometric="rgb" if rgb.ndim == 3 else "minisblack", planarconfig="contig",
        extrasamples=None if alpha is None else ["unassalpha"], metadata=None, software=False,
        compression="adobe_deflate" if deflate else None,
        # Float differences need a predictor that only an extra package has.
        predictor=deflate and rgb.dtype != np.float32,
        iccprofile=told.icc, extratags=tags,
        # Left to itself it takes half of the cores, and of two only one.
        maxworkers=os.cpu_count() or 1,
        resolution=told.dpi or (1, 1), resolutionunit="INCH" if told.dpi else "NONE",
    )  # fmt: skip
    return room.getvalue()


def _encode_exr(rgb: Any, alpha: Any, delivery: StillDelivery, told: StillMetadata, color: Color) -> bytes:
    import OpenEXR

    header: dict[str, Any] = {
        key: value for key, value in told.text if key not in _EXR_RESERVED and 0 < len(key.encode()) <= 31
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
        rgb = multiplied(np.atleast_3d(rgb), alpha).reshape(rgb.shape)
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


def _too_wide(name: str, rgb: RGB, limit: int) -> str:
    return f"a {name} is at most {limit} px wide and high, not {rgb.shape[1]}x{rgb.shape[0]}; deliver PNG or TIFF"


_ENCODERS: Mapping[str, Callable[[Any, Any, StillDelivery, StillMetadata, Color], bytes]] = MappingProxyType(
    {"png": _encode_png, "jpeg": _encode_jpeg, "webp": _encode_webp, "tiff": _encode_tiff, "exr": _encode_exr}
)
