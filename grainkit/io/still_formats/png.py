"""PNG: 8 and 16 bits without loss, and a place for all that a still says of itself."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

import numpy as np

from grainkit.errors import GrainkitError, InputError
from grainkit.io import exif as exif_block
from grainkit.io import icc, png, raw_profile
from grainkit.io.base import Pixels, StillMetadata, check_size
from grainkit.io.color_tags import needs_telling
from grainkit.io.metadata import XMP_KEYWORD, international_text, read_text, text_chunks
from grainkit.io.still import Still, depth_of, finished, still_color
from grainkit.io.still_format import Holds, StillFormat, StillSettings
from grainkit.io.texts import out_of_exif
from grainkit.picture.color import Color, Primaries, Transfer
from grainkit.picture.frame import Plane


def _decode(data: bytes, limit: int) -> Still:
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
    metadata, notes = _metadata(parts)
    # A profile in text (see raw_profile) declares the colour as one in its chunk does.
    color = still_color(depth_of(rgb), declared=metadata.icc is not None or bool(kinds & {b"iCCP", b"sRGB"}))
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
    return finished(still, exif_block.orientation(metadata.exif or b""), b"caBX" in kinds)


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
    scale, white = 1 << (depth_of(rgb) - 8), (1 << depth_of(rgb)) - 1
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


def _metadata(parts: list[png.Chunk]) -> tuple[StillMetadata, list[str]]:
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


def _encode(rgb: Pixels, alpha: Plane | None, settings: StillSettings, told: StillMetadata, color: Color) -> bytes:
    named = {"none": 0, "deflate": 6}
    level = named.get(settings.compression, -1)
    if settings.compression.isdecimal():
        level = int(settings.compression)
    if not 0 <= level <= 9:
        raise GrainkitError(f"PNG compression {settings.compression!r} is not 0..9")
    samples, opacity = cast(png.Samples, rgb), cast("png.Samples | None", alpha)
    return png.encode(samples, opacity, _chunks(told, color), level=level)


def _chunks(told: StillMetadata, color: Color) -> Iterator[png.Chunk]:
    codes = (color.primaries, color.transfer)
    if told.coded or told.icc is None:
        named = told.coded or needs_telling(color, coded=False)
    else:
        # It goes over an ICC profile: beside the source's own it stands only where that says the same.
        named = icc.code_points(told.icc) == codes
    if named:
        yield b"cICP", bytes((*codes, 0, 1))
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


PNG = StillFormat(
    name="png",
    title="PNG",
    endings=(".png",),
    begins=lambda head: head.startswith(png.SIGNATURE),
    depths=(8, 16),
    compression="1",
    holds=Holds(codes=True, texts=True),
    decode=_decode,
    encode=_encode,
)
