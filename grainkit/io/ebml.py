"""Elements of Matroska and WebM files (RFC 8794, RFC 9559) that FFmpeg reads over: how long the file was to be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_EBML = 0x1A45DFA3
_SEGMENT = 0x18538067


def missing_bytes(path: Path) -> int:
    """How many bytes the file lacks of what its segment says it holds.

    0 where it is whole, where the segment was written as it came and gives no size, and for what is no Matroska.
    """
    with path.open("rb") as file:
        whole = os.fstat(file.fileno()).st_size
        if _number(file, keep_marker=True) != _EBML:
            return 0
        head = _number(file)
        if head is None:
            return 0
        file.seek(head, os.SEEK_CUR)
        if _number(file, keep_marker=True) != _SEGMENT:
            return 0
        held = _number(file)
        return 0 if held is None else max(0, file.tell() + held - whole)


def _number(file: BinaryIO, *, keep_marker: bool = False) -> int | None:
    """A number of variable length: an element's name with its length marker, or its size in bytes without.

    None for the size that stands for one that nobody knows (all ones), and where the file ends.
    """
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    rest = file.read(length - 1)
    if len(rest) < length - 1:
        return None
    value = int.from_bytes(first + rest, "big")
    if keep_marker:
        return value
    value -= 1 << 7 * length
    return None if value == (1 << 7 * length) - 1 else value
