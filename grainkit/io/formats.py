"""What a still is, told by its first bytes; names and endings are hints only."""

from __future__ import annotations

from pathlib import Path

#: The usual ending of each container that grainkit reads and writes.
SUFFIXES = {"png": ".png", "jpeg": ".jpg", "tiff": ".tif", "webp": ".webp", "exr": ".exr"}

#: Every ending that says "still", and the container it promises.
CONTAINERS = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
    ".exr": "exr",
}

#: How many bytes `still_format` wants to see.
HEAD = 32

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def still_format(head: bytes) -> str:
    """png, jpeg, tiff, webp or exr, by the first HEAD bytes of a file; '' for anything else."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(_TIFF):
        return "tiff"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"\x76\x2f\x31\x01"):
        return "exr"
    return ""


def riff_chunks(data: bytes) -> set[bytes]:
    """Names of the chunks of a RIFF file (WebP), as far as they can be followed."""
    names, at = set(), 12
    while at + 8 <= len(data):
        names.add(data[at : at + 4])
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return names


def looks_like_still(path: Path) -> bool:
    """Does the name promise a still? Hidden files, and those under construction, do not count."""
    return path.suffix.lower() in CONTAINERS and not path.name.startswith(".")
