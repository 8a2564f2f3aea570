"""What stands before the picture data of a JPEG, segment by segment (ITU-T T.81, annex B)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
SOS, COMMENT = 0xDA, 0xFE
#: Application segments 0 to 15.
APP = range(0xE0, 0xF0)
#: Starts of frame: every coding process, without DHT (C4), JPG (C8) and DAC (CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Markers that stand alone: TEM, the restarts and SOI.
_BARE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})


@dataclass(frozen=True)
class Segment:
    """marker: its second byte. start, end: where the whole segment stands in the file. body: after its length."""

    marker: int
    start: int
    end: int
    body: bytes


@dataclass(frozen=True)
class FrameHeader:
    """Size in px, bits per sample and number of components that the picture data has."""

    width: int
    height: int
    precision: int
    components: int


def segments(data: bytes) -> Iterator[Segment]:
    """Segments in order, up to where picture data begin, the file ends or what follows is no segment."""
    at = 2 if data.startswith(SOI) else 0
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in _BARE:
            at += 2
            continue
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        if marker in (SOS, EOI[1]) or end > len(data) or end < at + 4:
            return
        yield Segment(marker, at, end, data[at + 4 : end])
        at = end


def frame_header(data: bytes) -> FrameHeader | None:
    """What the first start of frame says, or None where there is none."""
    for segment in segments(data):
        if segment.marker in _FRAMES and len(segment.body) >= 6:
            precision, height, width, components = struct.unpack_from(">BHHB", segment.body)
            return FrameHeader(width, height, precision, components)
    return None
