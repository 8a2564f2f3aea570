"""Comments (COM) of a JPEG: a text each, as PNG has them in chunks."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

from grainkit.io.base import StillMetadata

#: The keyword that they travel under.
KEYWORD = "comment"
_COMMENT, _SCAN, _END = 0xFE, 0xDA, 0xD9


def with_comments(metadata: StillMetadata, data: bytes) -> StillMetadata:
    """The metadata with the texts of these bytes of a JPEG behind its own."""
    found = tuple((KEYWORD, text) for text in comments(data))
    return replace(metadata, text=(*metadata.text, *found)) if found else metadata


def comments(data: bytes) -> Iterator[str]:
    """Texts of the COM segments before the picture (ITU-T T.81, B.2.4.5), which says nothing of their encoding."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if kind in (_SCAN, _END):
            return
        if kind == 0xFF:  # a byte to fill up with
            at += 1
            continue
        if kind == _COMMENT and (text := data[at + 4 : at + 2 + length].decode("utf-8", "replace").strip("\0")).strip():
            yield text
        at += 2 + length
