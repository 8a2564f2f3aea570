"""What a JPEG says beside its picture, and what it carries that no one still can hold.

Read here and not by Pillow, which knows less of it and complains about damaged EXIF on standard error.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from grainkit.io import exif as exif_block
from grainkit.io.base import StillMetadata
from grainkit.io.jpeg_segments import APP, COMMENT, Segment, segments

_EXIF, _XMP, _EXTENDED_XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_ICC, _PICTURES, _GAIN_MAP = b"ICC_PROFILE\0", b"MPF\0", b"urn:iso:std:iso:ts:21496:-1\0"
_PHOTOSHOP, _IPTC = b"Photoshop 3.0\0", b"8BIM\x04\x04"
#: Ultra HDR names its gain map's vocabulary in the XMP of the first picture, Apple its own in that of the second.
_ULTRA_HDR = b"http://ns.adobe.com/hdr-gain-map/1.0/"
_APPLE_GAIN_MAP = b"urn:com:apple:photo:2020:aux:hdrgainmap"
#: CIPA DC-007: the number of pictures of a multi-picture file.
_NUMBER_OF_PICTURES = 0xB001
_APP0, _APP1, _APP2, _APP11, _APP13, _APP14 = (APP[n] for n in (0, 1, 2, 11, 13, 14))


@dataclass(frozen=True)
class JpegMetadata:
    """picture: the file without what is read here, for a decoder. credentials: whether it carries C2PA."""

    said: StillMetadata
    picture: bytes
    credentials: bool
    notes: tuple[str, ...]


def read(data: bytes) -> JpegMetadata:
    """Metadata of a JPEG; damaged parts are left out with a note, nothing raises."""
    parts = list(segments(data))
    notes: list[str] = []
    exif, xmp = _first(parts, _APP1, _EXIF), _first(parts, _APP1, _XMP)
    icc = _profile(parts, notes)
    comments = [p.body.split(b"\0")[0].decode("utf-8", "replace").strip() for p in parts if p.marker == COMMENT]
    text = tuple(("Comment", comment) for comment in comments if comment)
    boxes = [p.body for p in parts if p.marker == _APP11 and p.body.startswith(b"JP")]
    credentials = any(b"jumb" in box and b"c2pa" in box for box in boxes)
    gain_map = _ULTRA_HDR in (xmp or b"") or _APPLE_GAIN_MAP in data or _first(parts, _APP2, _GAIN_MAP) is not None
    others = _further_pictures(_first(parts, _APP2, _PICTURES)) - gain_map
    if gain_map:
        notes.append("its HDR gain map is left out: the result is the picture of standard range")
    if others > 0:
        notes.append(f"{others} further picture{'s' if others > 1 else ''} inside it (MPO) left out")
    if _first(parts, _APP1, _EXTENDED_XMP) is not None:
        notes.append("the part of its XMP that did not fit one segment is left out")
    if any(p.marker == _APP13 and p.body.startswith(_PHOTOSHOP) and _IPTC in p.body for p in parts):
        notes.append("its IPTC captions are left out")
    if any(b"jumb" not in box for box in boxes):
        notes.append("its JPEG XT enhancement is left out: the result is its 8-bit picture")
    said = StillMetadata(icc, exif or None, xmp or None, text, _density(parts) or exif_block.dpi(exif or b""))
    return JpegMetadata(said, _without(data, parts), credentials, tuple(notes))


def _first(parts: list[Segment], marker: int, name: bytes) -> bytes | None:
    """What follows the name in the first segment that bears it."""
    return next((p.body[len(name) :] for p in parts if p.marker == marker and p.body.startswith(name)), None)


def _profile(parts: list[Segment], notes: list[str]) -> bytes | None:
    """The ICC profile of its numbered pieces (ICC.1:2010, B.4)."""
    pieces = {p.body[12]: p.body for p in parts if p.marker == _APP2 and p.body.startswith(_ICC) and len(p.body) > 14}
    if not pieces:
        return None
    count = next(iter(pieces.values()))[13]
    if sorted(pieces) != list(range(1, count + 1)):
        notes.append("its ICC profile is left out: pieces of it are missing")
        return None
    return b"".join(pieces[number][14:] for number in range(1, count + 1))


def _density(parts: list[Segment]) -> tuple[float, float] | None:
    """Dots per inch of the JFIF header, None where it gives a ratio alone."""
    jfif = _first(parts, _APP0, b"JFIF\0")
    if jfif is None or len(jfif) < 7:
        return None
    unit, across, down = struct.unpack_from(">BHH", jfif, 2)
    scale = {1: 1.0, 2: 2.54}.get(unit)
    return (across * scale, down * scale) if scale and across > 1 and down > 1 else None


def _further_pictures(index: bytes | None) -> int:
    return max(0, exif_block.number(index, _NUMBER_OF_PICTURES) - 1) if index else 0


def _without(data: bytes, parts: list[Segment]) -> bytes:
    """The file with JFIF's and Adobe's headers, which say how to decode it, as its only application segments."""
    kept, at = [], 0
    for part in parts:
        if part.marker == COMMENT or (part.marker in APP and part.marker not in (_APP0, _APP14)):
            kept.append(data[at : part.start])
            at = part.end
    return b"".join([*kept, data[at:]])
