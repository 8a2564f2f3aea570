"""Boxes of MP4 and MOV files (ISO 14496-12) that FFmpeg reads over: how long a track is shown, and who has signed."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, NamedTuple

#: The box that holds Content Credentials (C2PA 2.1, "Embedding manifests into BMFF-based assets"), and their signature
#: in a `uuid` box.
C2PA_BOX = bytes.fromhex("D8FEC3D61B0E483C92975828877EC481")
#: ISO 16684-3 annex: the box that holds an XMP packet in MP4 and MOV.
XMP_BOX = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")

#: Boxes in one place after which a file is taken for none: a damaged one may hold millions of 8 bytes.
_MOST = 100_000


class Box(NamedTuple):
    """name: of four characters. start, end: of what it holds, in bytes from the beginning of the file."""

    name: bytes
    start: int
    end: int


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes one after another in a part of a file, not those within them. Ends quietly where they make no sense."""
    for _ in range(_MOST):
        if start + 8 > end:
            return
        file.seek(start)
        size, name = struct.unpack(">I4s", file.read(8).ljust(8, b"\0"))
        body = start + 8
        if size == 1:  # too long for 32 bits
            size, body = struct.unpack(">Q", file.read(8).ljust(8, b"\0"))[0], start + 16
        elif size == 0:  # to the end
            size = end - start
        if start + size < body or start + size > end:
            return
        yield Box(name, body, start + size)
        start += size


def holds_credentials(path: Path) -> bool:
    """Does the file carry Content Credentials? False for what is no MP4 or MOV."""
    with path.open("rb") as file:
        for box in boxes(file, 0, os.fstat(file.fileno()).st_size):
            if box.name == b"uuid":
                file.seek(box.start)
                if file.read(16) == C2PA_BOX:
                    return True
    return False


def shown_seconds(path: Path, track: int) -> tuple[Fraction, Fraction]:
    """(how long the track of this number is shown, as its edits say; the unit that is counted in), s; 0 if unknown.

    Its packets' lengths, which FFmpeg adds up, may come to less: that of the last in decoding order need not reach to
    the end of the last picture.
    """
    unknown = Fraction(0), Fraction(0)
    with path.open("rb") as file:
        whole = os.fstat(file.fileno()).st_size
        movie = next((box for box in boxes(file, 0, whole) if box.name == b"moov"), None)
        if movie is None:
            return unknown
        ticks, length = 0, 0
        for box in boxes(file, movie.start, movie.end):
            if box.name == b"mvhd":
                ticks = _number(file, box, 20 if _version(file, box) else 12, 4)
            elif box.name == b"trak":
                for head in boxes(file, box.start, box.end):
                    if head.name != b"tkhd":
                        continue
                    wide = bool(_version(file, head))
                    if _number(file, head, 20 if wide else 12, 4) == track:
                        length = _number(file, head, *((28, 8) if wide else (20, 4)))
    # All ones are for a length that nobody knows.
    if not ticks or length in (0, (1 << 32) - 1, (1 << 64) - 1):
        return unknown
    return Fraction(length, ticks), Fraction(1, ticks)


def _version(file: BinaryIO, box: Box) -> int:
    """1 for a box that gives times in 64 bits, 0 for 32."""
    return _number(file, box, 0, 1)


def _number(file: BinaryIO, box: Box, at: int, size: int) -> int:
    """An unsigned number of `size` bytes, `at` bytes into a box; 0 where that is too short."""
    if box.start + at + size > box.end:
        return 0
    file.seek(box.start + at)
    return int.from_bytes(file.read(size), "big")


def xmp_box(packet: bytes) -> bytes:
    """The top-level MP4/MOV box around an XMP packet."""
    return struct.pack(">I4s", 24 + len(packet), b"uuid") + XMP_BOX + packet
