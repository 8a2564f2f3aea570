"""The file formats of stills: a file each, and a line in the list here."""

from __future__ import annotations

from pathlib import Path

from grainkit.errors import GrainkitError
from grainkit.io.still_format import StillFormat
from grainkit.io.still_formats.exr import EXR
from grainkit.io.still_formats.jpeg import JPEG
from grainkit.io.still_formats.png import PNG
from grainkit.io.still_formats.tiff import TIFF
from grainkit.io.still_formats.webp import WEBP

#: All that are read and written, in the order in which they are named.
STILL_FORMATS: tuple[StillFormat, ...] = (PNG, JPEG, TIFF, WEBP, EXR)

#: How many bytes of a file `format_of` wants to see.
HEAD = 32


def format_of(head: bytes) -> StillFormat | None:
    """The format of a file, by its first HEAD bytes; None for anything else."""
    return next((each for each in STILL_FORMATS if each.begins(head)), None)


def format_named(name: str) -> StillFormat:
    """The format of that name. Raises GrainkitError where there is none."""
    for each in STILL_FORMATS:
        if each.name == name:
            return each
    raise GrainkitError(f"still container {name!r} is not one of {', '.join(still_names())}")


def format_by_ending(path: Path) -> StillFormat | None:
    """The format that a file's name promises, None for no still."""
    return next((each for each in STILL_FORMATS if path.suffix.lower() in each.endings), None)


def still_names() -> tuple[str, ...]:
    """Names of all formats, as recipes have them."""
    return tuple(each.name for each in STILL_FORMATS)


def still_endings() -> dict[str, str]:
    """Every ending that says "still", and the name of the format that it promises."""
    return {ending: each.name for each in STILL_FORMATS for ending in each.endings}


def format_titles() -> str:
    """PNG, JPEG, ... or EXR, for messages."""
    *most, last = (each.title for each in STILL_FORMATS)
    return f"{', '.join(most)} or {last}"


def looks_like_still(path: Path) -> bool:
    """Does the name promise a still? Hidden files, and those under construction, do not count."""
    return format_by_ending(path) is not None and not path.name.startswith(".")
