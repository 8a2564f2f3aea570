"""Bytes of a still to samples and metadata, by the library that keeps every bit of that format."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, JpegImagePlugin, WebPImagePlugin

from grainkit.color import SRGB_STILL, Color, Primaries, Transfer
from grainkit.convert import RGB
from grainkit.errors import InputError
from grainkit.frame import Plane
from grainkit.io import exif as exif_block
from grainkit.io import icc, png
from grainkit.io.associated_alpha import straight
from grainkit.io.base import MAX_STILL, StillMetadata, check_pixels
from grainkit.io.formats import CONTAINERS, HEAD, foreign_still, still_format
from grainkit.io.metadata import XMP_KEYWORD, read_text
from grainkit.io.orientation import Orientation

#: EXIF orientation to how it is undone.
ORIENTATIONS = MappingProxyType(
    {
        1: Orientation(),
        2: Orientation(flip_x=True),
        3: Orientation(flip_x=True, flip_y=True),
        4: Orientation(flip_y=True),
        5: Orientation(transposed=True),
        6: Orientation(transposed=True, flip_x=True),
        7: Orientation(transposed=True, flip_x=True, flip_y=True),
        8: Orientation(transposed=True, flip_y=True),
    }
)

#: What libraries raise for damaged files.
_DAMAGE = (
    ValueError, OSError, SyntaxError, EOFError, RuntimeError, LookupError, TypeError, OverflowError, ArithmeticError,
    MemoryError, struct.error, zlib.error,
)  # fmt: skip

#: What four float samples take; no file of a picture is larger, but for its metadata.
_BYTES_PER_PIXEL = 16
#: Half of what Pillow reads at most.
_PILLOW_PIXELS = Image.MAX_IMAGE_PIXELS or 0
#: Dots per inch: what JPEG can say.
MAX_DPI = 65535
_UNDECLARED = ("primaries", "transfer")


@dataclass(frozen=True, eq=False)
class Still:
    """A decoded still, upright.

    rgb: (h, w, 3) or grey (h, w), uint8, uint16 or float32. alpha: (h, w) of the same type, or None.
    container: what the bytes are: png, jpeg, tiff, webp or exr.
    """

    rgb: RGB
    alpha: Plane | None
    color: Color
    container: str
    metadata: StillMetadata = field(default_factory=StillMetadata)
    notes: tuple[str, ...] = ()

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name for samples of this kind."""
        depth = {"u1": 0, "u2": 1, "f4": 2}[self.rgb.dtype.str[1:]]
        names = {
            (3, False): ("rgb24", "rgb48le", "gbrpf32le"),
            (3, True): ("rgba", "rgba64le", "gbrapf32le"),
            (2, False): ("gray", "gray16le", "grayf32le"),
            (2, True): ("ya8", "ya16le", "yaf32le"),
        }
        return names[self.rgb.ndim, self.alpha is not None][depth]


def read_still(path: Path, max_pixels: int = MAX_STILL) -> Still:
    """Read and decode a file. Raises InputError for anything that is not one whole still of at most so many pixels."""
    try:
        if path.stat().st_size > max_pixels * _BYTES_PER_PIXEL + png.MAX_TEXT:
            raise InputError(
                f"{path}: is {path.stat().st_size:,} bytes, more than {max_pixels:,} pixels take; "
                "make it smaller, or raise --max-pixels"
            )
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    return decode_still(data, path, max_pixels)


def decode_still(data: bytes, path: Path, max_pixels: int = MAX_STILL) -> Still:
    """Decode a file's bytes; `path` is for its name in messages. Raises InputError as `read_still` does."""
    if not data:
        raise InputError(f"{path}: the file is empty; export it again")
    container = still_format(data[:HEAD])
    if not container:
        other = foreign_still(data[:HEAD])
        holds = f"holds {other}" if other else "holds no picture that grainkit knows"
        raise InputError(f"{path}: {holds}; stills are PNG, JPEG, TIFF, WebP or EXR: save it as one of these")
    try:
        still = _DECODERS[container](data, max_pixels)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except _DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: the {container.upper()} cannot be read, {reason}; export it again") from error
    promised = CONTAINERS.get(path.suffix.lower())
    if promised != container:
        still = replace(
            still, notes=(f"named {path.suffix or 'without an ending'} but holds a {container.upper()}", *still.notes)
        )
    return _plausible_dpi(_as_profiled(still))


def _as_profiled(still: Still) -> Still:
    """With the colours that its ICC profile names by code points, where the file itself names none."""
    found = None if still.metadata.coded else icc.code_points(still.metadata.icc)
    if found is None:
        return still
    return replace(still, color=replace(still.color, primaries=found[0], transfer=found[1], assumed=()))


def _plausible_dpi(still: Still) -> Still:
    """Without a density that no container could be given, nor any grain be sized by."""
    dpi = still.metadata.dpi
    if dpi is None or all(1 <= d <= MAX_DPI for d in dpi):
        return still
    note = f"its {dpi[0]:g} x {dpi[1]:g} dots per inch are left out; 1 to {MAX_DPI} are possible"
    return replace(still, metadata=replace(still.metadata, dpi=None), notes=(*still.notes, note))


def _check_size(width: int, height: int, limit: int, samples: int = 4) -> None:
    if width < 1 or height < 1:
        raise InputError(f"is {width}x{height} px; a picture has at least 1x1")
    check_pixels("", width, height, limit, samples)


def _color(depth: int, declared: bool) -> Color:
    return replace(SRGB_STILL, depth=depth, assumed=() if declared else _UNDECLARED)


def _depth(rgb: npt.NDArray[Any]) -> int:
    return 8 * rgb.dtype.itemsize


def _upright(still: Still, orientation: int) -> Still:
    """Bake the orientation in, and say so."""
    metadata = still.metadata
    if metadata.exif is not None:
        metadata = replace(metadata, exif=exif_block.upright(metadata.exif))
    if orientation == 1:
        return replace(still, metadata=metadata)
    turn = ORIENTATIONS[orientation]
    if turn.transposed and metadata.dpi:
        metadata = replace(metadata, dpi=(metadata.dpi[1], metadata.dpi[0]))
    return replace(
        still,
        rgb=turn.apply(still.rgb),
        alpha=None if still.alpha is None else turn.apply(still.alpha),
        metadata=metadata,
        notes=(*still.notes, f"EXIF orientation {orientation} baked in"),
    )


# ------------------------------------------------------------------------------------------ PNG


def _decode_png(data: bytes, limit: int) -> Still:
    parts = list(png.chunks(data))
    if not parts or parts[0][0] != b"IHDR":
        raise ValueError("its header is missing")
    head = png.header(parts[0][1])
    _check_size(head.width, head.height, limit)
    kinds = {kind for kind, _ in parts}
    if b"acTL" in kinds:
        raise InputError("is an animated PNG; export its frames as numbered PNGs, or as a clip")
    rgb, alpha = png.decode(head, parts)
    metadata, notes = _png_metadata(parts)
    color = _color(_depth(rgb), bool(kinds & {b"iCCP", b"sRGB", b"cICP"}))
    for kind, body in parts:
        if kind == b"cICP" and len(body) == 4:
            known = body[0] in set(Primaries) and body[1] in set(Transfer)
            color, metadata = _coded_color(color, body), replace(metadata, coded=known)
            if not known:
                notes.append(f"its cICP names no colours that grainkit knows ({body[0]}, {body[1]}): left out")
    if color.assumed:
        profile, more = _calibrated(dict(parts), grey=rgb.ndim == 2)
        notes += more
        if profile is not None:
            color, metadata = replace(color, assumed=()), replace(metadata, icc=profile)
    still = Still(rgb, alpha, color, "png", metadata, tuple(notes))
    return _upright(still, exif_block.orientation(metadata.exif or b""))


def _coded_color(color: Color, codes: bytes) -> Color:
    """Primaries and transfer of a cICP chunk, where they are code points that grainkit carries."""
    primaries, transfer = codes[0], codes[1]
    if primaries in set(Primaries) and transfer in set(Transfer):
        return replace(color, primaries=Primaries(primaries), transfer=Transfer(transfer))
    return color


#: The gAMA of sRGB (PNG, third edition, 11.3.2.5), how far one may be from it and still mean sRGB, and what it may be.
_SRGB_GAMA, _NEAR_GAMA, _PLAUSIBLE_GAMA = 0.45455, 0.02, (0.1, 4.0)


def _calibrated(chunks: Mapping[bytes, bytes], *, grey: bool) -> tuple[bytes | None, list[str]]:
    """The ICC profile of colours that a PNG gives by gAMA and cHRM, None for sRGB's or none; and what to say."""
    gama, chrm = chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b"")
    gamma = int.from_bytes(gama) / 100000 if len(gama) == 4 else 0.0
    srgb = icc.CHROMATICITIES[Primaries.BT709]
    given = srgb
    if len(chrm) == 32:
        white, red, green, blue = ((a / 100000, b / 100000) for a, b in struct.iter_unpack(">II", chrm))
        given = icc.Chromaticities(red, green, blue, white)
    if given.near(srgb) and (not gamma or abs(gamma - _SRGB_GAMA) <= _NEAR_GAMA):
        return None, []
    said = " and ".join(name for name, body in (("gAMA", gama), ("cHRM", chrm)) if body)
    try:
        if gamma and not _PLAUSIBLE_GAMA[0] <= gamma <= _PLAUSIBLE_GAMA[1]:
            raise ValueError(f"a gAMA of {gamma:g} is none")
        profile = icc.profile_of_power(given, 1 / gamma if gamma else 0.0, grey=grey)
    except ValueError as error:
        return None, [f"its {said} is left out, and it is taken for sRGB: {error}"]
    return profile, [f"the colours that its {said} says go on as an ICC profile"]


def _png_metadata(parts: list[png.Chunk]) -> tuple[StillMetadata, list[str]]:
    icc = exif = xmp = dpi = None
    text: list[tuple[str, str]] = []
    notes: list[str] = []
    # For all of them together: a thousand that unpack to little each would do as well as one that unpacks to much.
    room = png.MAX_TEXT
    for kind, body in parts:
        if kind == b"":
            notes.append(f"its damaged {body.decode('latin-1')} chunk is left out")
        elif kind == b"eXIf":
            exif = exif_block.bare(body)
        elif kind == b"iCCP":
            try:
                icc = png.inflated(body.partition(b"\0")[2][1:], room)
                room -= len(icc)
            except ValueError as error:
                room //= 2
                notes.append(f"its ICC profile is left out: {error}")
        elif kind == b"pHYs" and len(body) == 9:
            across, down, unit = struct.unpack(">IIB", body)
            dpi = (_inches(across), _inches(down)) if unit == 1 and across and down else None
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            try:
                keyword, value = read_text(kind, body, room)
                room -= len(value)
            except ValueError as error:
                room //= 2
                notes.append(f"a {kind.decode()} chunk is left out: {error}")
                continue
            if keyword == XMP_KEYWORD:
                xmp = value.encode()
            else:
                text.append((keyword, value))
    return StillMetadata(icc, exif, xmp, tuple(text), dpi), notes


def _inches(per_metre: int) -> float:
    """Dots per inch, whole where the rounding to dots per metre hid a whole number."""
    dpi = per_metre * 0.0254
    return float(round(dpi)) if round(round(dpi) / 0.0254) == per_metre else dpi


# ----------------------------------------------------------------------------------- JPEG and WebP


def _decode_jpeg(data: bytes, limit: int) -> Still:
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    if image.mode not in ("L", "RGB"):
        raise InputError(f"is a {image.mode} JPEG; convert it to sRGB and save it again")
    return _with_pillow(image, "jpeg", limit)


def _decode_webp(data: bytes, limit: int) -> Still:
    try:
        image = WebPImagePlugin.WebPImageFile(io.BytesIO(data))
    except Image.DecompressionBombError as error:  # newer Pillow looks at the size of these itself
        raise InputError(
            f"has more pixels than a WebP is read with ({2 * _PILLOW_PIXELS:,}); save it as PNG"
        ) from error
    if image.n_frames > 1:
        raise InputError("is an animated WebP; export its frames as numbered PNGs, or as a clip")
    return _with_pillow(image, "webp", limit)


def _with_pillow(image: ImageFile.ImageFile, container: str, limit: int) -> Still:
    """Of a plugin opened directly: Image.open() would apply Pillow's own, lower limit of pixels."""
    _check_size(*image.size, limit)
    samples = np.asarray(image)
    info = image.info
    exif = exif_block.bare(info["exif"]) if info.get("exif") else None
    profile, dpi = info.get("icc_profile") or None, info.get("dpi")
    if dpi is not None:
        dpi = (float(dpi[0]), float(dpi[1])) if min(dpi) > 1 else None
    alpha = np.ascontiguousarray(samples[..., 3]) if samples.ndim == 3 and samples.shape[2] == 4 else None
    rgb = np.ascontiguousarray(samples[..., :3]) if samples.ndim == 3 else samples
    notes: tuple[str, ...] = ()
    if profile is None and rgb.ndim == 3 and exif_block.says_adobe_rgb(exif or b""):
        profile = icc.profile_of_power(icc.ADOBE_RGB, icc.ADOBE_POWER)
        notes = ("its EXIF says Adobe RGB, which goes on as an ICC profile",)
    declared = profile is not None or exif_block.says_srgb(exif or b"")
    metadata = StillMetadata(profile, exif, info.get("xmp") or None, (), dpi)
    still = Still(rgb, alpha, _color(8, declared), container, metadata, notes)
    return _upright(still, exif_block.orientation(exif or b""))


# ----------------------------------------------------------------------------------------- TIFF

#: Compressions that tifffile reads without an extra package: none, two numbers for deflate, PackBits.
_TIFF_NATIVE = (1, 8, 32946, 32773)
_FLOAT_PREDICTOR = 3
_TIFF_ICC, _TIFF_XMP, _TIFF_DNG = 34675, 700, 50706


def _decode_tiff(data: bytes, limit: int) -> Still:
    import tifffile

    # Its complaints about damaged tags would otherwise reach standard error beside our one line.
    if not tifffile.logger().handlers:
        tifffile.logger().addHandler(logging.NullHandler())
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages[0]
        _check_size(page.imagewidth, page.imagelength, limit, page.samplesperpixel)
        tags = {code: page.tags[code].value for code in (274, 282, 283, 296, _TIFF_ICC, _TIFF_XMP) if code in page.tags}
        photometric = getattr(page.photometric, "name", "")
        if _TIFF_DNG in page.tags or photometric in ("CFA", "LINEAR_RAW"):
            raise InputError("is a camera's raw file; develop it and save it as a 16-bit TIFF")
        if photometric not in ("RGB", "MINISBLACK", "MINISWHITE", "PALETTE", "YCBCR"):
            raise InputError(f"is a {photometric or 'strange'} TIFF; convert it to RGB and save it again")
        notes = [f"the first of {len(file.pages)} pages"] if len(file.pages) > 1 else []
        samples = _tiff_samples(page, data, photometric)
        if photometric == "PALETTE" and samples.ndim == 2:
            samples = _tiff_palette(samples, page.colormap)
        samples = _plain_type(samples, notes)
        if photometric == "MINISWHITE":
            samples = _negative(samples)
        extra = [int(kind) for kind in page.extrasamples or ()]
    colours = 1 if samples.ndim == 2 or samples.shape[2] < 3 else 3
    rgb: Any = samples if samples.ndim == 2 else samples[..., 0] if colours == 1 else samples[..., :3]
    alpha = None
    if samples.ndim == 3 and samples.shape[2] > colours:
        notes += _tiff_extra(extra, samples.shape[2] - colours)
        alpha = np.ascontiguousarray(samples[..., colours])
    metadata = StillMetadata(
        tags.get(_TIFF_ICC) or None, exif_block.extract(data), _bytes(tags.get(_TIFF_XMP)), (), _tiff_dpi(tags)
    )
    color = _color(_depth(rgb), metadata.icc is not None)
    still = Still(np.ascontiguousarray(rgb), alpha, color, "tiff", metadata, tuple(notes))
    orientation = int(tags.get(274, 1))
    return _upright(still, orientation if orientation in ORIENTATIONS else 1)


def _tiff_samples(page: Any, data: bytes, photometric: str) -> npt.NDArray[Any]:
    """(h, w) or (h, w, samples). What tifffile alone cannot unpack (LZW, JPEG) goes through OpenCV's libtiff."""
    if photometric == "YCBCR" or page.compression not in _TIFF_NATIVE or page.predictor == _FLOAT_PREDICTOR:
        return _through_opencv(data, page.samplesperpixel)
    samples: npt.NDArray[Any] = page.asarray()
    if samples.ndim == 3 and page.planarconfig == 2 and page.samplesperpixel > 1:
        samples = np.moveaxis(samples, 0, 2)
    if samples.ndim > 3 or samples.shape[:2] != (page.imagelength, page.imagewidth):
        raise ValueError(f"its samples lie as {samples.shape}, not as one flat picture")
    return samples


def _through_opencv(data: bytes, channels: int) -> npt.NDArray[Any]:
    import cv2

    if channels == 2:
        raise ValueError("grey with alpha in this compression is not supported")
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise ValueError(error.err) from error
    if found is None:
        raise ValueError("it is damaged, or compressed in a way that is not supported")
    if found.ndim == 2:
        return np.asarray(found)
    order = (2, 1, 0, 3)[: found.shape[2]]
    return np.ascontiguousarray(found[..., order])


def _tiff_palette(codes: npt.NDArray[Any], table: Any) -> npt.NDArray[Any]:
    """Colours of a TIFF palette, whose 16-bit entries repeat 8 bits unless they say otherwise."""
    colours = np.asarray(table, np.uint16).T
    if not (colours & 0xFF).any() or (colours % 257 == 0).all():
        colours = (colours >> 8).astype(np.uint8)
    found: npt.NDArray[Any] = colours[codes]
    return found


def _plain_type(samples: npt.NDArray[Any], notes: list[str]) -> npt.NDArray[Any]:
    """uint8, uint16 or float32 of whatever a TIFF held; says where bits are lost."""
    if samples.dtype == np.bool_:
        return samples.astype(np.uint8) * np.uint8(255)
    if samples.dtype == np.float16:
        return samples.astype(np.float32)
    if samples.dtype == np.float64:
        notes.append("64-bit float samples rounded to 32 bits")
        return samples.astype(np.float32)
    if samples.dtype in (np.uint8, np.uint16, np.float32):
        return samples
    raise InputError(f"has {samples.dtype} samples; allowed are 8 or 16 bits, or float: save it as 16-bit TIFF")


def _negative(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    white = np.float32(1.0) if samples.dtype == np.float32 else np.iinfo(samples.dtype).max
    inverted = samples.copy()
    grey = inverted if inverted.ndim == 2 else inverted[..., :1]
    np.subtract(white, grey, out=grey)
    return inverted


def _tiff_extra(kinds: list[int], count: int) -> list[str]:
    notes = []
    if kinds[:1] == [1]:
        notes.append("its colours are multiplied by alpha already; they are taken as they are")
    elif kinds[:1] != [2]:
        notes.append("its unnamed extra channel is taken for alpha")
    if count > 1:
        notes.append(f"{count - 1} further channels are left out")
    return notes


def _bytes(value: Any) -> bytes | None:
    return bytes(value) if isinstance(value, (bytes, bytearray)) and value else None


def _tiff_dpi(tags: Mapping[int, Any]) -> tuple[float, float] | None:
    scale = {2: 1.0, 3: 2.54}.get(int(tags.get(296, 2)))
    if scale is None or 282 not in tags or 283 not in tags:
        return None
    (across, over), (down, under) = tags[282], tags[283]
    if not (across and over and down and under) or across == over:
        return None
    return scale * across / over, scale * down / under


# ------------------------------------------------------------------------------------------ EXR

#: EXR text attributes that describe the file's layout, not the picture.
_EXR_LAYOUT = frozenset({"channels", "type", "name", "view", "dwaCompressionLevel"})
_EXR_XMP = "xmp"


def _decode_exr(data: bytes, limit: int) -> Still:
    import OpenEXR

    notes = ["EXR is scene-linear; grain and highlight protection expect a display-referred signal"]
    heading = OpenEXR.File(io.BytesIO(data), separate_channels=True, header_only=True)
    low, high = heading.header()["dataWindow"]
    for part in heading.parts:
        width, height = (int(b) - int(a) + 1 for a, b in zip(*part.header["dataWindow"], strict=True))
        _check_size(width, height, limit, len(part.header["channels"]))
    file = OpenEXR.File(io.BytesIO(data), separate_channels=True)
    if not file.parts:
        raise ValueError("its picture data is damaged or ends early")
    if len(file.parts) > 1:
        notes.append(f"the first of {len(file.parts)} parts")
    header, channels = file.header(), file.channels()
    window = header["displayWindow"]
    if not all((a == b).all() for a, b in zip(window, (low, high), strict=True)):
        notes.append("its data window is taken as the whole picture")
    names = ("R", "G", "B") if {"R", "G", "B"} <= channels.keys() else ("Y",)
    if not channels.keys() >= set(names) or {"RY", "BY"} & channels.keys():
        raise InputError(
            f"has the channels {', '.join(sorted(channels))}; needed are R, G, B or Y: export it again as RGB"
        )
    planes = {name: _exr_plane(name, channels[name]) for name in (*names, "A") if name in channels}
    unused = sorted(channels.keys() - planes.keys())
    if unused:
        notes.append(f"its channels {', '.join(unused)} are left out")
    rgb = np.dstack([planes[name] for name in names]) if len(names) == 3 else planes["Y"]
    if "A" in planes:
        with np.errstate(over="ignore", invalid="ignore"):  # floats may hold anything
            rgb = straight(rgb, planes["A"])
    words = {key: value for key, value in header.items() if isinstance(value, str) and key not in _EXR_LAYOUT}
    xmp = words.pop(_EXR_XMP, "").encode() or None
    density = float(header.get("xDensity", 0.0))
    metadata = StillMetadata(xmp=xmp, text=tuple(words.items()), dpi=(density, density) if density > 0 else None)
    color = replace(SRGB_STILL, depth=32, transfer=Transfer.LINEAR, assumed=("primaries",))
    if "chromaticities" in header:
        color, profile = _exr_colors(header["chromaticities"], color, notes, grey=rgb.ndim == 2)
        metadata = replace(metadata, icc=profile)
    return Still(np.ascontiguousarray(rgb), planes.get("A"), color, "exr", metadata, tuple(notes))


def _exr_colors(numbers: Any, color: Color, notes: list[str], *, grey: bool) -> tuple[Color, bytes | None]:
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


def _exr_plane(name: str, channel: Any) -> npt.NDArray[np.float32]:
    pixels = channel.pixels
    if pixels.dtype not in (np.float16, np.float32) or (channel.xSampling, channel.ySampling) != (1, 1):
        raise InputError(
            f"has a {name} channel that is not full-size half or float; export it again as half or float RGB"
        )
    return np.ascontiguousarray(pixels, np.float32)


_DECODERS: Mapping[str, Callable[[bytes, int], Still]] = MappingProxyType(
    {"png": _decode_png, "jpeg": _decode_jpeg, "webp": _decode_webp, "tiff": _decode_tiff, "exr": _decode_exr}
)
