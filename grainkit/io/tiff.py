"""TIFF reading: tifffile unpacks the samples, imagecodecs their compressions, and what they mean is settled here.

tifffile gives samples as they are stored (but for YCbCr in JPEG, which it makes RGB). Here they become straight colours
from black up, of 8 or 16 bits or float: white-is-zero is turned, palettes are looked up, 10 bits are spread to 16, and
colours that were multiplied by alpha are divided by it.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from math import prod
from types import MappingProxyType
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, WebPImagePlugin

from grainkit.errors import InputError
from grainkit.io import exif as exif_block
from grainkit.io.alpha import straight
from grainkit.io.base import Pixels, check_size
from grainkit.io.jpeg_segments import EOI, frame_header
from grainkit.picture.frame import Plane
from grainkit.picture.rgb import RGB

#: Compressions that are read, by TIFF's numbers. JPEG 2000, JPEG XL and others that hold a size of their own, which
#: would have to be believed, are not.
_NONE, _OLD_JPEG, _JPEG = 1, 6, 7
_CCITT = frozenset({2, 3, 4})
_WEBP = frozenset({50001, 34927})
#: LZW, Deflate (two numbers), Zstandard (two numbers), LZMA: those that may have a predictor.
_PREDICTED = frozenset({5, 8, 32946, 50000, 34926, 34925})
_PACKBITS = 32773
_READ = frozenset({_NONE, _JPEG, _PACKBITS}) | _CCITT | _WEBP | _PREDICTED
_HORIZONTAL, _FLOATING = 2, 3

_UNSIGNED, _VOID, _FLOAT = 1, 4, 3
_ASSOCIATED, _STRAIGHT = 1, 2
_COLOURS = MappingProxyType({"RGB": 3, "YCBCR": 3, "MINISBLACK": 1, "MINISWHITE": 1, "PALETTE": 1})
_RAW = ("CFA", "LINEAR_RAW")
_EXIF_IFD, _GPS_IFD = 34665, 34853
_PHOTOMETRIC, _ORIENTATION, _SUB_IFDS, _XMP, _IPTC, _ICC, _DNG, _C2PA = (
    262, 274, 330, 700, 33723, 34675, 50706, 52545,
)  # fmt: skip
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
#: Directories that are looked into; a file of more than these has pages by the thousand.
_MAX_PAGES = 32


class _Tags(Protocol):
    """A page's tags by their numbers."""

    def __contains__(self, code: object, /) -> bool: ...
    def valueof(self, code: int) -> object: ...


class _Page(Protocol):
    """What is asked of a page of tifffile's. Enumerations are numbers, where the file's own is among them."""

    tags: _Tags
    is_reduced: bool
    is_mask: bool
    is_tiled: bool
    imagewidth: int
    imagelength: int
    imagedepth: int
    tilewidth: int
    tilelength: int
    rowsperstrip: int
    samplesperpixel: int
    bitspersample: int | tuple[int, ...]
    sampleformat: int
    dtype: np.dtype[np.generic] | None
    photometric: int
    compression: int
    predictor: int
    planarconfig: int
    extrasamples: tuple[int, ...]
    colormap: npt.NDArray[np.uint16] | None
    jpegheader: bytes | None
    chunked: tuple[int, ...]
    dataoffsets: tuple[int, ...]
    databytecounts: tuple[int, ...]

    @property
    def pages(self) -> Iterable[_Page] | None: ...
    def asarray(self, *, squeeze: bool) -> npt.NDArray[np.generic]: ...


@dataclass(frozen=True, eq=False)
class Tiff:
    """The picture of a TIFF as it is stored, before it is turned upright.

    rgb: (h, w, 3) or grey (h, w), uint8, uint16 or float32, straight. alpha: (h, w) of the same type, or None.
    orientation: of the tag, None where there is none. credentials: whether it carries C2PA.
    """

    rgb: RGB
    alpha: Plane | None
    icc: bytes | None
    xmp: bytes | None
    exif: bytes | None
    dpi: tuple[float, float] | None
    orientation: int | None
    credentials: bool
    notes: tuple[str, ...]


def decode(data: bytes, limit: int) -> Tiff:
    """Read the first picture that is neither a thumbnail nor a mask.

    Raises InputError for kinds that are not read or more than `limit` pixels of 4 samples, and whatever tifffile
    and imagecodecs raise for damaged files.
    """
    import tifffile

    # Its complaints about damaged tags would otherwise reach standard error beside our one line.
    if not tifffile.logger().handlers:
        tifffile.logger().addHandler(logging.NullHandler())
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        count = min(len(file.pages), _MAX_PAGES)
        pages = cast(list[_Page], [file.pages[number] for number in range(count)])
        number = next((n for n, page in enumerate(pages) if not (page.is_reduced or page.is_mask)), 0)
        page = pages[number]
        notes = []
        if len(file.pages) > 1:
            place = "the first" if number == 0 else f"number {number + 1}"
            notes.append(f"{place} of {len(file.pages)} pages")
        kind = _kind(page, notes)
        check_size(page.imagewidth, page.imagelength, limit, page.samplesperpixel)
        _check_samples(page, kind)
        _check_stored(page, data, limit)
        samples = page.asarray(squeeze=False)[:, 0]
        # One plane per sample, or all samples of a pixel together.
        samples = np.moveaxis(samples[..., 0], 0, 2) if len(samples) > 1 else samples[0]
        rgb, alpha = _picture(page, kind, samples, notes)
        tags = {code: page.tags.valueof(code) for code in
                (_ORIENTATION, _XMP, _ICC, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT)}  # fmt: skip
        exif = exif_block.extract(data)
        notes += _left_behind(page, exif)
        credentials = any(_C2PA in one.tags for one in pages)
    orientation = tags[_ORIENTATION]
    return Tiff(
        rgb, alpha, _bytes(tags[_ICC]), _bytes(tags[_XMP]), exif, _dpi(tags),
        orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else None, credentials, tuple(notes),
    )  # fmt: skip


def _kind(page: _Page, notes: list[str]) -> str:
    """The name of its photometric interpretation, one of _COLOURS."""
    name = getattr(page.photometric, "name", "")
    # Cameras put a small preview first, and what the sensor saw beside it.
    if _DNG in page.tags or name in _RAW or any(getattr(one.photometric, "name", "") in _RAW for one in _inner(page)):
        raise InputError("is a camera's raw file; develop it and save it as a 16-bit TIFF")
    if _PHOTOMETRIC not in page.tags:
        name = "RGB" if page.samplesperpixel >= 3 else "MINISBLACK"
        notes.append(f"it does not say what its samples are; taken for {'RGB' if name == 'RGB' else 'grey'}")
    if name not in _COLOURS:
        raise InputError(f"is a {name or 'strange'} TIFF; convert it to RGB and save it again")
    if page.samplesperpixel < _COLOURS[name]:
        raise ValueError(f"it has {page.samplesperpixel} samples a pixel, too few for {name}")
    return name


def _inner(page: _Page) -> list[_Page]:
    """Its SubIFDs, as far as they can be read: that one is damaged says nothing of the page."""
    found: list[_Page] = []
    if _SUB_IFDS in page.tags:
        with suppress(ValueError, LookupError):
            found.extend(one for one in islice(page.pages or (), _MAX_PAGES) if hasattr(one, "photometric"))
    return found


def _check_samples(page: _Page, kind: str) -> None:
    """InputError for samples and compressions that are not read."""
    compression, bits, form = page.compression, page.bitspersample, page.sampleformat
    said = getattr(compression, "name", str(compression))
    if compression == _OLD_JPEG:
        raise InputError("is compressed as old-style JPEG, which was never well defined; save it again as LZW TIFF")
    if compression not in _READ:
        raise InputError(f"is compressed as {said}, which is not read; save it again as LZW or Deflate TIFF")
    whole = form in (_UNSIGNED, _VOID) and isinstance(bits, int) and 1 <= bits <= 16
    if not whole and not (form == _FLOAT and bits in (16, 24, 32, 64)):
        held = page.dtype or f"{'+'.join(map(str, bits)) if isinstance(bits, tuple) else bits}-bit"
        raise InputError(f"has {held} samples; allowed are 1 to 16 bits, or float: save it as 16-bit TIFF")
    if page.imagedepth != 1 or page.jpegheader is not None:
        raise InputError("is a microscope's volume or slide, not one flat picture; export it as a plain TIFF")
    if kind == "YCBCR" and (compression != _JPEG or page.planarconfig != 1):
        raise InputError(f"is YCbCr compressed as {said}; only JPEG is read as YCbCr: save it again as RGB")
    if compression in _PREDICTED and page.predictor != 1:
        known = (_HORIZONTAL, _FLOATING) if form == _FLOAT else (_HORIZONTAL,)
        if page.predictor not in known or bits not in (8, 16, 32, 64):
            raise InputError(f"has a predictor ({page.predictor}) that {bits}-bit samples do not have; save it again")
    if compression in (_NONE, _PACKBITS) and page.predictor != 1:
        raise InputError("names a predictor beside a compression that has none; save it again as LZW TIFF")


def _check_stored(page: _Page, data: bytes, limit: int) -> None:
    """ValueError where strips or tiles are missing or cut off, InputError where one would swell beyond `limit`.

    tifffile leaves pixels of missing strips 0, and JPEG's decoder fills what is cut off with grey, without a word.
    """
    if page.is_tiled:
        check_size(page.tilewidth, page.tilelength, limit, page.samplesperpixel)
    width = page.tilewidth if page.is_tiled else page.imagewidth
    height = page.tilelength if page.is_tiled else page.rowsperstrip
    expected = prod(page.chunked)
    stored = list(zip(page.dataoffsets, page.databytecounts, strict=False))[:expected]
    there = sum(1 for offset, count in stored if offset > 0 and count > 0)
    if there < expected:
        raise ValueError(f"{expected - there} of its {expected} {'tiles' if page.is_tiled else 'strips'} are missing")
    if page.compression == _NONE:
        return
    for offset, count in stored:
        if offset + count > len(data):
            raise ValueError("its picture data end early")
        if page.compression == _JPEG:
            head = frame_header(data[offset : offset + count])
            if head is None or data.find(EOI, max(offset, offset + count - 64), offset + count) < 0:
                raise ValueError("its JPEG data end early")
            if head.precision != page.bitspersample or head.width > width + 15 or head.height > height + 15:
                raise ValueError("its JPEG data are not what its tags say")
        elif page.compression in _WEBP:
            try:
                inside = WebPImagePlugin.WebPImageFile(io.BytesIO(data[offset : offset + count])).size
            except Image.DecompressionBombError as error:
                raise ValueError("its WebP data are not what its tags say") from error
            if inside[0] > width or inside[1] > height or page.bitspersample != 8:
                raise ValueError("its WebP data are not what its tags say")


def _picture(page: _Page, kind: str, samples: npt.NDArray[np.generic], notes: list[str]) -> tuple[RGB, Plane | None]:
    """Straight colours and alpha of samples (h, w, n) as they are stored."""
    colours, bits = _COLOURS[kind], cast(int, page.bitspersample)
    extra = [int(one) for one in page.extrasamples or ()]
    count = samples.shape[2] - colours
    extra = (extra + [0] * count)[:count]
    which = next((n for n, one in enumerate(extra) if one in (_ASSOCIATED, _STRAIGHT)), 0)
    alpha = _plain(samples[..., colours + which], bits, notes) if count else None
    if kind == "PALETTE":
        rgb: Pixels = _from_palette(samples[..., 0].astype(np.uint16), page.colormap)
        if alpha is not None and alpha.dtype != rgb.dtype:
            if rgb.dtype == np.uint16:
                alpha = _spread(alpha, 8, np.uint16)
            else:
                alpha = (cast(npt.NDArray[np.uint16], alpha) >> 8).astype(np.uint8)
    else:
        rgb = _plain(samples[..., :colours], bits, notes)
    if alpha is not None and extra[which] == _ASSOCIATED:
        rgb = straight(rgb, alpha)
        notes.append("its colours were multiplied by alpha and are divided by it: grainkit works on straight alpha")
    elif count and extra[which] != _STRAIGHT:
        notes.append("its unnamed extra channel is taken for alpha")
    if count > 1:
        notes.append(f"{count - 1} further channels are left out")
    if kind == "MINISWHITE":
        white = {"u1": 255, "u2": 65535, "f4": 1}[rgb.dtype.str[1:]]
        rgb = white - rgb
    if rgb.ndim == 3 and rgb.shape[2] == 1:
        rgb = rgb[..., 0]
    return cast(RGB, np.ascontiguousarray(rgb)), None if alpha is None else cast(Plane, np.ascontiguousarray(alpha))


def _plain(samples: npt.NDArray[np.generic], bits: int, notes: list[str]) -> Pixels:
    """uint8, uint16 or float32 of whatever was stored, over the whole range of its type; says where bits are lost."""
    if samples.dtype.kind == "f":
        said = "64-bit float samples rounded to 32 bits"
        if samples.dtype == np.float64 and said not in notes:
            notes.append(said)
        return samples.astype(np.float32)
    return _spread(samples, bits, np.uint8 if bits <= 8 else np.uint16)


def _spread(codes: npt.NDArray[np.generic], bits: int, kind: type[np.uint8] | type[np.uint16]) -> Pixels:
    """Codes of so many bits over the whole range of a type, rounded to the nearest."""
    top, white = (1 << bits) - 1, np.iinfo(kind).max
    if top == white:
        return cast(Pixels, codes.astype(kind, copy=False))
    table = (np.arange(top + 1, dtype=np.int64) * white * 2 + top) // (2 * top)
    return cast(Pixels, table.astype(kind)[codes.astype(np.uint16, copy=False)])


def _from_palette(codes: npt.NDArray[np.generic], table: npt.NDArray[np.uint16] | None) -> Pixels:
    """Colours of a TIFF palette, whose 16-bit entries repeat 8 bits unless they say otherwise."""
    if table is None:
        raise ValueError("its palette is missing")
    colours = np.asarray(table, np.uint16).T
    if not (colours & 0xFF).any() or (colours % 257 == 0).all():
        colours = (colours >> 8).astype(np.uint8)
    return cast(Pixels, colours[codes])


def _left_behind(page: _Page, exif: bytes | None) -> list[str]:
    notes = []
    inner = page.tags.valueof(_SUB_IFDS)
    if inner is not None:
        count = len(inner) if isinstance(inner, tuple) else 1
        notes.append(f"{count} further pictures inside it (SubIFDs) are left out")
    if _IPTC in page.tags:
        notes.append("its IPTC captions are left out")
    if exif is None and any(tag in page.tags for tag in (*exif_block.TELLING, _EXIF_IFD, _GPS_IFD)):
        notes.append("its EXIF is left out")
    return notes


def _bytes(value: object) -> bytes | None:
    if isinstance(value, str):
        value = value.encode()
    return bytes(value) if isinstance(value, (bytes, bytearray)) and value else None


def _dpi(tags: Mapping[int, object]) -> tuple[float, float] | None:
    scale = {2: 1.0, 3: 2.54}.get(cast(int, tags[_RESOLUTION_UNIT] or 2))
    pairs = (tags[_X_RESOLUTION], tags[_Y_RESOLUTION])
    if scale is None or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        return None
    (across, over), (down, under) = cast(tuple[tuple[int, int], tuple[int, int]], pairs)
    if not (across and over and down and under) or across == over:
        return None
    return scale * across / over, scale * down / under
