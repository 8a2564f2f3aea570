"""EXIF blocks (TIFF streams), changed in place: every tag and offset that is not named here keeps its bytes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

ORIENTATION = 0x0112
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
_EXIF_IFD, _COLOR_SPACE, _PIXEL_X, _PIXEL_Y = 0x8769, 0xA001, 0xA002, 0xA003
_USER_COMMENT, _UNDEFINED = 0x9286, 7
_INTEROPERABILITY_IFD, _INTEROPERABILITY_INDEX = 0xA005, 1
_GPS_IFD = 0x8825
#: Main-directory tags of a TIFF that speak of the picture, not of the file's own layout:
#: ImageDescription, Make, Model, DateTime, Artist, Copyright.
TELLING = (270, 271, 272, 306, 315, 33432)
_ASCII, _SHORT, _LONG, _RATIONAL = 2, 3, 4, 5
_TYPE_SIZES = {1: 1, _ASCII: 1, _SHORT: 2, _LONG: 4, _RATIONAL: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}


@dataclass(frozen=True)
class _Field:
    kind: int
    count: int
    at: int

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return _TYPE_SIZES[self.kind] * self.count


@dataclass(frozen=True)
class _Directory:
    order: str
    fields: dict[int, _Field]
    link: int


def bare(exif: bytes) -> bytes:
    """The TIFF stream itself, without the `Exif\\0\\0` that JPEG puts before it."""
    return exif[6:] if exif.startswith(b"Exif\0\0") else exif


def orientation(exif: bytes) -> int | None:
    """How the stored picture is turned, 1..8, 1 being upright; None where the block is silent or damaged."""
    found = number(exif, ORIENTATION)
    return found if 1 <= found <= 8 else None


def number(exif: bytes, tag: int) -> int:
    """The first number of a SHORT or LONG tag of the main directory, or -1."""
    return _number(exif, _directory(exif), tag)


def has_thumbnail(exif: bytes) -> bool:
    """True where a second directory is linked, which holds the thumbnail."""
    main = _directory(exif)
    return main is not None and exif[main.link : main.link + 4] != bytes(4)


def dpi(exif: bytes) -> tuple[float, float] | None:
    """Dots per inch across and down, None where the block does not say."""
    main = _directory(exif)
    unit = _number(exif, main, _RESOLUTION_UNIT)
    # EXIF 2.32, 4.6.4: inches where no unit is named.
    scale = {-1: 1.0, 2: 1.0, 3: 2.54}.get(unit)
    across, down = (_ratio(exif, main, tag) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    return (across * scale, down * scale) if scale and across > 1 and down > 1 else None


def says_srgb(exif: bytes) -> bool:
    """True where the ColorSpace tag is 1, sRGB."""
    return _number(exif, _exif_directory(exif), _COLOR_SPACE) == 1


def says_adobe_rgb(exif: bytes) -> bool:
    """True where the interoperability index is R03, by which cameras say Adobe RGB (DCF 2.0) with no profile."""
    at = _number(exif, _exif_directory(exif), _INTEROPERABILITY_IFD)
    inside = _directory(exif, at) if at > 0 else None
    found = None if inside is None else inside.fields.get(_INTEROPERABILITY_INDEX)
    return found is not None and exif[found.at : found.at + found.size].startswith(b"R03")


def texts(exif: bytes) -> dict[int, bytes]:
    """The main directory's text tags (maker, model, date, artist, copyright, ...): tag to bytes, without the NUL."""
    main = _directory(exif)
    fields = main.fields.items() if main else ()
    return {tag: exif[f.at : f.at + f.count].split(b"\0")[0] for tag, f in fields if f.kind == _ASCII and f.count > 1}


def user_comment(exif: bytes) -> bytes:
    """The UserComment tag's bytes, its eight of character code included; empty where there is none."""
    detail = _exif_directory(exif)
    found = None if detail is None else detail.fields.get(_USER_COMMENT)
    return b"" if found is None else exif[found.at : found.at + found.size]


def with_tags(exif: bytes | None, texts: Mapping[int, bytes], comment: bytes | None = None) -> bytes:
    """The same block with more: text tags of the main directory, and a UserComment, in place of any that it has.

    Directories that gain entries are written anew at the end and the old ones left; so all offsets in the block, a
    maker note's own among them, still hold. A block that is none is begun afresh.
    """
    block = bytearray(exif if exif is not None and _directory(exif) is not None else b"II*\0\x08\0\0\0" + bytes(6))
    order = "<" if block[:2] == b"II" else ">"
    entries, link = _entries(block, struct.unpack_from(order + "I", block, 4)[0])
    if comment is not None:
        at = _number(bytes(block), _directory(bytes(block)), _EXIF_IFD)
        inside, next_one = _entries(block, at) if at > 0 and _directory(bytes(block), at) else ({}, 0)
        inside[_USER_COMMENT] = _entry(block, _USER_COMMENT, _UNDEFINED, comment)
        entries[_EXIF_IFD] = struct.pack(order + "HHII", _EXIF_IFD, _LONG, 1, _appended(block, inside, next_one))
    for tag, text in texts.items():
        entries[tag] = _entry(block, tag, _ASCII, text + b"\0")
    struct.pack_into(order + "I", block, 4, _appended(block, entries, link))
    return bytes(block)


def _entries(block: bytes | bytearray, at: int) -> tuple[dict[int, bytes], int]:
    """A directory's entries as they stand, by tag, and its link to the next."""
    order = "<" if block[:2] == b"II" else ">"
    count = struct.unpack_from(order + "H", block, at)[0]
    found = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        found[struct.unpack_from(order + "H", block, entry)[0]] = bytes(block[entry : entry + 12])
    return found, struct.unpack_from(order + "I", block, at + 2 + 12 * count)[0]


def _entry(block: bytearray, tag: int, kind: int, value: bytes) -> bytes:
    """An entry whose value of more than four bytes is appended to the block."""
    order = "<" if block[:2] == b"II" else ">"
    head = struct.pack(order + "HHI", tag, kind, len(value))
    if len(value) <= 4:
        return head + value.ljust(4, b"\0")
    block += bytes(len(block) % 2)
    at = len(block)
    block += value
    return head + struct.pack(order + "I", at)


def _appended(block: bytearray, entries: Mapping[int, bytes], link: int) -> int:
    """Where a directory of these entries was appended."""
    order = "<" if block[:2] == b"II" else ">"
    block += bytes(len(block) % 2)
    at = len(block)
    block += struct.pack(order + "H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries))
    block += struct.pack(order + "I", link)
    return at


def upright(exif: bytes) -> bytes:
    """The same block saying that the picture is upright; its thumbnail, no longer true, is unlinked."""
    main = _directory(exif)
    if main is None:
        return exif
    block = bytearray(exif)
    _store(block, main, ORIENTATION, 1)
    struct.pack_into(main.order + "I", block, main.link, 0)
    return bytes(block)


def describing(exif: bytes, size: tuple[int, int], dpi: tuple[float, float] | None) -> bytes:
    """The same block with (width, height) in px and dots per inch brought up to date where it states them."""
    main = _directory(exif)
    if main is None:
        return exif
    block = bytearray(exif)
    if dpi is not None:
        _store(block, main, _X_RESOLUTION, dpi[0])
        _store(block, main, _Y_RESOLUTION, dpi[1])
        _store(block, main, _RESOLUTION_UNIT, 2)
    detail = _exif_directory(exif)
    if detail is not None:
        _store(block, detail, _PIXEL_X, size[0])
        _store(block, detail, _PIXEL_Y, size[1])
    return bytes(block)


def extract(tiff: bytes) -> bytes | None:
    """An EXIF block of what a TIFF file tells of its picture; None where it tells nothing, is a BigTIFF, or
    would tell more than it holds."""
    main = _directory(tiff)
    if main is None:
        return None
    parts = {0: {tag: f for tag, f in main.fields.items() if tag in TELLING}}
    for pointer in (_EXIF_IFD, _GPS_IFD):
        at = _number(tiff, main, pointer)
        inside = _directory(tiff, at) if at > 0 else None
        if inside is not None and inside.fields:
            parts[pointer] = inside.fields
    told = [f for fields in parts.values() for f in fields.values()]
    # Many fields may point at the same bytes: copied for each, they would fill the memory.
    if not told or sum(f.size for f in told) > len(tiff):
        return None
    starts, end = {}, 8
    for pointer, fields in parts.items():
        starts[pointer] = end
        end += 6 + 12 * (len(fields) + (len(parts) - 1 if pointer == 0 else 0))
    order = main.order
    directories, values = b"", b""
    for pointer, fields in parts.items():
        entries = {}
        for tag, f in fields.items():
            value = tiff[f.at : f.at + f.size]
            if f.size > 4:
                place = end + len(values)
                values += value + b"\0" * (len(value) % 2)
                value = struct.pack(order + "I", place)
            entries[tag] = struct.pack(order + "HHI", tag, f.kind, f.count) + value.ljust(4, b"\0")
        if pointer == 0:
            for other in list(parts)[1:]:
                entries[other] = struct.pack(order + "HHII", other, _LONG, 1, starts[other])
        directories += struct.pack(order + "H", len(entries)) + b"".join(entries[t] for t in sorted(entries)) + bytes(4)
    return tiff[:4] + struct.pack(order + "I", 8) + directories + values


def _directory(exif: bytes, at: int | None = None) -> _Directory | None:
    """Fields of the directory at `at` (the main one when None) inside the block; None if it is none."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 8 or struct.unpack_from(order + "H", exif, 2)[0] != 42:
        return None
    if at is None:
        at = struct.unpack_from(order + "I", exif, 4)[0]
    if at + 2 > len(exif):
        return None
    entries = struct.unpack_from(order + "H", exif, at)[0]
    link = at + 2 + 12 * entries
    if link + 4 > len(exif):
        return None
    fields = {}
    for entry in range(at + 2, link, 12):
        tag, kind, count = struct.unpack_from(order + "HHI", exif, entry)
        size = _TYPE_SIZES.get(kind, 0) * count
        where = entry + 8 if size <= 4 else struct.unpack_from(order + "I", exif, entry + 8)[0]
        if size and where + size <= len(exif):
            fields[tag] = _Field(kind, count, where)
    return _Directory(order, fields, link)


def _exif_directory(exif: bytes) -> _Directory | None:
    at = _number(exif, _directory(exif), _EXIF_IFD)
    return _directory(exif, at) if at > 0 else None


def _number(exif: bytes, directory: _Directory | None, tag: int) -> int:
    """The first number of a SHORT or LONG tag, or -1."""
    if directory is None or tag not in directory.fields:
        return -1
    field = directory.fields[tag]
    if field.kind not in (_SHORT, _LONG):
        return -1
    found: int = struct.unpack_from(directory.order + ("H" if field.kind == _SHORT else "I"), exif, field.at)[0]
    return found


def _ratio(exif: bytes, directory: _Directory | None, tag: int) -> float:
    """A RATIONAL tag's value, or 0."""
    field = None if directory is None else directory.fields.get(tag)
    if directory is None or field is None or field.kind != _RATIONAL:
        return 0.0
    over, under = struct.unpack_from(directory.order + "II", exif, field.at)
    return float(over / under) if under else 0.0


def _store(block: bytearray, directory: _Directory, tag: int, value: float) -> None:
    """Overwrite a number where the tag exists and its type can hold it."""
    field = directory.fields.get(tag)
    if field is None:
        return
    if field.kind == _SHORT and value < 1 << 16:
        struct.pack_into(directory.order + "H", block, field.at, int(value))
    elif field.kind == _LONG:
        struct.pack_into(directory.order + "I", block, field.at, int(value))
    elif field.kind == _RATIONAL:
        struct.pack_into(directory.order + "II", block, field.at, round(value * 1000), 1000)
