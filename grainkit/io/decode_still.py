"""Bytes of a still to samples and metadata, by the library that keeps every bit of that format."""

from __future__ import annotations

import io
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

from grainkit.errors import InputError
from grainkit.io import exif as exif_block
from grainkit.io import icc, jpeg_metadata, png, raw_profile
from grainkit.io.alpha import straight
from grainkit.io.base import MAX_STILL, StillMetadata, check_size
from grainkit.io.finite import BRIGHTEST, made_finite
from grainkit.io.foreign import FOREIGN_HEAD, begins_like_a_clip, foreign, raw
from grainkit.io.formats import CONTAINERS, HEAD, riff_chunks, still_format
from grainkit.io.key_lists import keys_named
from grainkit.io.metadata import CREDENTIALS_LOST, XMP_KEYWORD, finished_before, read_packet, read_text
from grainkit.io.orientation import Orientation
from grainkit.io.quiet import without_lines
from grainkit.picture.color import SRGB_STILL, Color, Primaries, Transfer
from grainkit.picture.frame import Plane
from grainkit.picture.rgb import RGB

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
        raise no_still(data[:FOREIGN_HEAD], path)
    if container == "tiff" and (negative := raw(data[:HEAD], path)):
        raise InputError(f"{path}: holds {negative.what}; {negative.remedy}")
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
    return _plausible_dpi(_as_profiled(_finite(still)))


def _finite(still: Still) -> Still:
    """Without NaN and infinities, which is said."""
    rgb, count = made_finite(still.rgb)
    alpha, more = (None, 0) if still.alpha is None else made_finite(still.alpha)
    if not count + more:
        return still
    said = f"{count + more:,} of its samples were no finite numbers: NaN becomes 0, infinity {BRIGHTEST:g}"
    return replace(still, rgb=rgb, alpha=alpha, notes=(*still.notes, said))


def _as_profiled(still: Still) -> Still:
    """With the colours that its ICC profile names by code points, where the file itself names none."""
    found = None if still.metadata.coded else icc.code_points(still.metadata.icc)
    if found is None:
        return still
    return replace(still, color=replace(still.color, primaries=found[0], transfer=found[1], assumed=()))


def no_still(head: bytes, path: Path) -> InputError:
    """What is said of a file that begins like this and was taken for a still: what it is, and what to do."""
    other = foreign(head, path)
    if other is not None:
        return InputError(f"{path}: holds {other.what}; {other.remedy}")
    if begins_like_a_clip(head):
        return InputError(f"{path}: holds a clip or sound, not a still; name it by what it is, and give it by itself")
    return InputError(
        f"{path}: holds no picture that grainkit knows; stills are PNG, JPEG, TIFF, WebP or EXR: save it as one of "
        "these"
    )


def _plausible_dpi(still: Still) -> Still:
    """Without a density that no container could be given, nor any grain be sized by."""
    dpi = still.metadata.dpi
    if dpi is None or all(1 <= d <= MAX_DPI for d in dpi):
        return still
    note = f"its {dpi[0]:g} x {dpi[1]:g} dots per inch are left out; 1 to {MAX_DPI} are possible"
    return replace(still, metadata=replace(still.metadata, dpi=None), notes=(*still.notes, note))


def _color(depth: int, declared: bool) -> Color:
    return replace(SRGB_STILL, depth=depth, assumed=() if declared else _UNDECLARED)


def _depth(rgb: npt.NDArray[Any]) -> int:
    return 8 * rgb.dtype.itemsize


def _finished(still: Still, orientation: int | None, credentials: bool) -> Still:
    """Upright, with what it says of itself brought in line, and notes on what its file had beside the picture.

    orientation: of the container's own tag or its EXIF; None lets the XMP say. credentials: whether it carries C2PA.
    """
    metadata, notes = still.metadata, list(still.notes)
    exif = metadata.exif
    if exif is not None:
        if exif_block.has_thumbnail(exif):
            notes.append("its EXIF thumbnail, which would show another picture, is left out")
        exif = exif_block.upright(exif)
    packet = read_packet(metadata.xmp)
    metadata = replace(metadata, exif=exif, xmp=packet.upright)
    if packet.motion:
        notes.append("its motion photo's clip is left out")
    if credentials or packet.credentials:
        notes.append(CREDENTIALS_LOST)
    if packet.finished_by:
        notes.append(finished_before(packet.finished_by))
    by, number = ("EXIF", orientation) if orientation is not None else ("XMP", packet.orientation or 1)
    if number == 1:
        return replace(still, metadata=metadata, notes=tuple(notes))
    turn = ORIENTATIONS[number]
    if turn.transposed and metadata.dpi:
        metadata = replace(metadata, dpi=(metadata.dpi[1], metadata.dpi[0]))
    return replace(
        still,
        rgb=turn.apply(still.rgb),
        alpha=None if still.alpha is None else turn.apply(still.alpha),
        metadata=metadata,
        notes=(*notes, f"{by} orientation {number} baked in"),
    )


# ------------------------------------------------------------------------------------------ PNG


def _decode_png(data: bytes, limit: int) -> Still:
    parts = list(png.chunks(data))
    if not parts or parts[0][0] != b"IHDR":
        raise ValueError("its header is missing")
    head = png.header(parts[0][1])
    check_size(head.width, head.height, limit)
    kinds = {kind for kind, _ in parts}
    frames = _animation(parts)
    if frames > 1:
        raise InputError("is an animated PNG; export its frames as numbered PNGs, or as a clip")
    rgb, alpha = png.decode(head, parts)
    metadata, notes = _png_metadata(parts)
    # A profile in text (see raw_profile) declares the colour as one in its chunk does.
    color = _color(_depth(rgb), metadata.icc is not None or bool(kinds & {b"iCCP", b"sRGB"}))
    if b"fdAT" in kinds:
        notes.append("the one frame of its animation is left out: its default picture is taken")
    if kinds & {b"mDCV", b"cLLI"}:
        notes.append("what it says of its mastering display and light levels (mDCV, cLLI) is left out")
    for kind, body in parts:
        if kind == b"cICP" and len(body) == 4:
            known = body[0] in set(Primaries) and body[1] in set(Transfer)
            color, metadata = _coded_color(color, body), replace(metadata, coded=known)
            if not known:
                notes.append(f"its cICP names no colours that grainkit knows ({body[0]}, {body[1]}): left out")
            if body[3] == 0:
                rgb = _full_range(rgb)
                notes.append("its narrow-range R'G'B' (cICP) is spread to full range, and clipped where it goes beyond")
    if color.assumed:
        profile, more = _calibrated(dict(parts), grey=rgb.ndim == 2)
        notes += more
        if profile is not None:
            color, metadata = replace(color, assumed=()), replace(metadata, icc=profile)
    still = Still(rgb, alpha, color, "png", metadata, tuple(notes))
    return _finished(still, exif_block.orientation(metadata.exif or b""), b"caBX" in kinds)


def _animation(parts: list[png.Chunk]) -> int:
    """Frames of an animation; 0 where only the default picture is there, whatever is announced."""
    announced = next((body for kind, body in parts if kind == b"acTL" and len(body) == 8), None)
    if announced is None or not any(kind == b"fdAT" for kind, _ in parts):
        return 0
    controls = sum(1 for kind, _ in parts if kind == b"fcTL")
    return max(controls, int(struct.unpack_from(">I", announced)[0]))


def _coded_color(color: Color, codes: bytes) -> Color:
    """Primaries and transfer of a cICP chunk, where they are code points that grainkit carries."""
    primaries, transfer = codes[0], codes[1]
    if primaries in set(Primaries) and transfer in set(Transfer):
        return replace(color, primaries=Primaries(primaries), transfer=Transfer(transfer), assumed=())
    return color


def _full_range(rgb: png.Samples) -> png.Samples:
    """Narrow-range codes, 16 to 235 at 8 bits (BT.2100, table 9), over the whole range."""
    scale, white = 1 << (_depth(rgb) - 8), (1 << _depth(rgb)) - 1
    spread = np.clip(np.rint((rgb.astype(np.int64) - 16 * scale) * white / (219 * scale)), 0, white)
    return spread.astype(np.uint8) if white == 255 else spread.astype(np.uint16)


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
        elif kind == b"cICP" and len(body) == 4 and body[2]:
            notes.append(f"its cICP names matrix {body[2]}, which no PNG has; its samples are taken for R'G'B'")
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
    found = {"exif": exif, "xmp": xmp, "icc": icc}
    raw = [one for one in text if raw_profile.kind(one[0])]
    for keyword, value in raw:
        try:
            place, body = raw_profile.unpack(keyword, value)
        except ValueError as error:
            notes.append(f"its {keyword} is left out: {error}")
            continue
        # The chunk made for the purpose wins, and the first text.
        if found[place] not in (None, body):
            notes.append(f"its {keyword} is left out: other {place.upper()} stands before it")
        found[place] = found[place] or body
    kept = tuple(one for one in text if one not in raw)
    return StillMetadata(found["icc"], found["exif"], found["xmp"], kept, dpi), notes


def _inches(per_metre: int) -> float:
    """Dots per inch, whole where the rounding to dots per metre hid a whole number."""
    dpi = per_metre * 0.0254
    return float(round(dpi)) if round(round(dpi) / 0.0254) == per_metre else dpi


# ----------------------------------------------------------------------------------- JPEG and WebP


def _decode_jpeg(data: bytes, limit: int) -> Still:
    parts = jpeg_metadata.read(data)
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(parts.picture))
    if image.mode not in ("L", "RGB"):
        raise InputError(f"is a {image.mode} JPEG; convert it to sRGB and save it again")
    return _with_pillow(image, "jpeg", limit, parts.said, parts.credentials, parts.notes)


def _decode_webp(data: bytes, limit: int) -> Still:
    try:
        image = WebPImagePlugin.WebPImageFile(io.BytesIO(data))
    except Image.DecompressionBombError as error:  # newer Pillow looks at the size of these itself
        raise InputError(
            f"has more pixels than a WebP is read with ({2 * _PILLOW_PIXELS:,}); save it as PNG"
        ) from error
    if image.n_frames > 1:
        raise InputError("is an animated WebP; export its frames as numbered PNGs, or as a clip")
    info = image.info
    exif = exif_block.bare(info["exif"]) if info.get("exif") else None
    said = StillMetadata(info.get("icc_profile") or None, exif, info.get("xmp") or None)
    return _with_pillow(image, "webp", limit, said, b"C2PA" in riff_chunks(data), ())


def _with_pillow(
    image: ImageFile.ImageFile, container: str, limit: int, said: StillMetadata, credentials: bool,
    notes: tuple[str, ...],
) -> Still:  # fmt: skip
    """Of a plugin opened directly: Image.open() would apply Pillow's own, lower limit of pixels."""
    check_size(*image.size, limit)
    samples = np.asarray(image)
    alpha = np.ascontiguousarray(samples[..., 3]) if samples.ndim == 3 and samples.shape[2] == 4 else None
    rgb = np.ascontiguousarray(samples[..., :3]) if samples.ndim == 3 else samples
    exif = said.exif or b""
    if said.icc is None and rgb.ndim == 3 and exif_block.says_adobe_rgb(exif):
        said = replace(said, icc=icc.profile_of_power(icc.ADOBE_RGB, icc.ADOBE_POWER))
        notes = (*notes, "its EXIF says Adobe RGB, which goes on as an ICC profile")
    color = _color(8, said.icc is not None or exif_block.says_srgb(exif))
    return _finished(Still(rgb, alpha, color, container, said, notes), exif_block.orientation(exif), credentials)


# ----------------------------------------------------------------------------------------- TIFF


def _decode_tiff(data: bytes, limit: int) -> Still:
    from grainkit.io import tiff

    found = tiff.decode(data, limit)
    metadata = StillMetadata(found.icc, found.exif, found.xmp, (), found.dpi)
    color = _color(_depth(found.rgb), found.icc is not None)
    still = Still(found.rgb, found.alpha, color, "tiff", metadata, found.notes)
    return _finished(still, found.orientation, found.credentials)


# ------------------------------------------------------------------------------------------ EXR

#: EXR text attributes that describe the file's layout, not the picture.
_EXR_LAYOUT = frozenset({"channels", "type", "name", "view", "dwaCompressionLevel"})
_EXR_XMP = "xmp"


#: What it writes on the process's streams of its own accord where a file is damaged.
_EXR_LINES = ("<python_buffer>: ", "Warning: Exception raised reading pixel data")


def _decode_exr(data: bytes, limit: int) -> Still:
    import OpenEXR

    notes = ["EXR is scene-linear; grain and highlight protection expect a display-referred signal"]
    with without_lines(*_EXR_LINES):
        heading = OpenEXR.File(io.BytesIO(data), separate_channels=True, header_only=True)
        for part in heading.parts:
            width, height = (int(b) - int(a) + 1 for a, b in zip(*part.header["dataWindow"], strict=True))
            check_size(width, height, limit, len(part.header["channels"]))
        file = OpenEXR.File(io.BytesIO(data), separate_channels=True)
    if len(file.parts) < len(heading.parts):
        raise ValueError("its picture data is damaged or ends early")
    which = next((n for n, part in enumerate(file.parts) if _exr_colours(part.channels)), 0)
    if len(file.parts) > 1:
        notes.append(f"{'the first' if which == 0 else f'number {which + 1}'} of {len(file.parts)} parts")
    header, channels = file.header(which), file.channels(which)
    if not all((a == b).all() for a, b in zip(header["displayWindow"], header["dataWindow"], strict=True)):
        notes.append("its data window is taken as the whole picture")
    names = _exr_colours(channels)
    if not names:
        raise InputError(
            f"has the channels {keys_named(sorted(channels))}; needed are R, G, B or Y: export it again as RGB"
        )
    planes = {name: _exr_plane(name, channels[name]) for name in (*names, "A") if name in channels}
    unused = sorted(channels.keys() - planes.keys())
    if unused:
        notes.append(f"its channels {keys_named(unused)} are left out")
    rgb = np.dstack([planes[name] for name in names])
    alpha = planes.get("A")
    if alpha is not None:
        if rgb[alpha == 0].any():
            notes.append("light that it has where alpha is 0 (a glow, a flame) is lost where EXR is written")
        rgb = straight(rgb, alpha)
        notes.append("its colours were multiplied by alpha and are divided by it: grainkit works on straight alpha")
    aspect = float(header.get("pixelAspectRatio", 1.0))
    if aspect != 1.0:
        notes.append(f"its pixels are {aspect:g} times as wide as high; they are taken for square")
    words = {key: value for key, value in header.items() if isinstance(value, str) and key not in _EXR_LAYOUT}
    xmp = words.pop(_EXR_XMP, "").encode() or None
    density = float(header.get("xDensity", 0.0))
    metadata = StillMetadata(xmp=xmp, text=tuple(words.items()), dpi=(density, density) if density > 0 else None)
    color = replace(SRGB_STILL, depth=32, transfer=Transfer.LINEAR, assumed=("primaries",))
    if "chromaticities" in header:
        color, profile = _exr_colors(header["chromaticities"], color, notes, grey=len(names) == 1)
        metadata = replace(metadata, icc=profile)
    picture = np.ascontiguousarray(rgb if len(names) == 3 else rgb[..., 0])
    return _finished(Still(picture, alpha, color, "exr", metadata, tuple(notes)), 1, False)


def _exr_colours(channels: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the channels that hold the picture, () where there are none: R, G and B, or Y without its chroma."""
    if {"R", "G", "B"} <= channels.keys():
        return ("R", "G", "B")
    return ("Y",) if "Y" in channels and not {"RY", "BY"} & channels.keys() else ()


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
