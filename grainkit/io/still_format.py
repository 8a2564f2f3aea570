"""What is to be known of a file format of stills, in one record; `still_formats` has one for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from grainkit.io.base import Pixels, StillMetadata
from grainkit.io.still import Still
from grainkit.picture.color import Color
from grainkit.picture.frame import Plane

#: No block of metadata is longer.
_ANY_LENGTH = 1 << 31


class StillSettings(Protocol):
    """How a still is encoded. A delivery of a still says that, among other things."""

    @property
    def quality(self) -> int:
        """1 to 100, of formats with loss."""

    @property
    def subsampling(self) -> str:
        """4:4:4, 4:2:2 or 4:2:0, of formats that are subsampled."""

    @property
    def compression(self) -> str:
        """What the format takes: a level, or a method by name."""

    @property
    def max_bytes(self) -> int:
        """Size of the file that quality is lowered for; 0 is no limit."""


class ExifPart(Enum):
    """How much of an EXIF block a format keeps."""

    NONE = "none"
    TEXT_TAGS = "text tags"
    WHOLE = "whole"


@dataclass(frozen=True)
class Holds:
    """What of a still's metadata a format has a place for. XMP all of them have.

    icc: an ICC profile. codes: colours by code points, which go over a profile.
    texts: generators' texts as such. texts_in_exif: those, in EXIF's text tags.
    exif: how much of an EXIF block. exif_room, xmp_room: bytes at most.
    """

    icc: bool = True
    codes: bool = False
    texts: bool = False
    texts_in_exif: bool = False
    exif: ExifPart = ExifPart.WHOLE
    exif_room: int = _ANY_LENGTH
    xmp_room: int = _ANY_LENGTH


@dataclass(frozen=True)
class StillFormat:
    """A file format that stills are read from and written to.

    name: in recipes. title: in sentences. endings: of files, small and with their dot, the usual one first.
    begins: whether these first bytes (HEAD of them, where there are as many) are those of such a file.
    depths: bits per sample that are written; 32 is float. alpha, grey: whether it has transparency, and samples of one
    colour. linear: whether its samples are light, without a curve. subsampled: whether chroma may be.
    compression: what the delivery's is where a recipe means another format; '' leaves it.
    decode: the bytes of a file, and how many pixels it may have, to what it holds, upright. Raises InputError for kinds
        that are not read, and whatever its library raises for damage.
    encode: samples of one of the depths, alpha of the same type or None, settings, metadata and what the samples mean
        to the bytes of a file. Raises OutputError where the picture is too large, EncodingError where its library
        refuses.

    What these two need beyond numpy is loaded by them, not with the record.
    """

    name: str
    title: str
    endings: tuple[str, ...]
    begins: Callable[[bytes], bool]
    depths: tuple[int, ...]
    holds: Holds
    decode: Callable[[bytes, int], Still]
    encode: Callable[[Pixels, Plane | None, StillSettings, StillMetadata, Color], bytes]
    alpha: bool = True
    grey: bool = True
    linear: bool = False
    subsampled: bool = False
    compression: str = ""

    @property
    def ending(self) -> str:
        """The usual one."""
        return self.endings[0]
