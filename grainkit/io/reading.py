"""How an input is read, as one value: which frames, how fast, and what is made do with."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from grainkit.arguments import as_frames, as_most_pixels, as_place, as_rate
from grainkit.errors import InputError
from grainkit.io import open_source
from grainkit.io.base import Source

#: What numbered stills may be said to be.
STILLS, SEQUENCE = "stills", "sequence"
AS = (STILLS, SEQUENCE)
#: All frames of an input.
ALL_FRAMES = (0, None)


@dataclass(frozen=True)
class Read:
    """How a job reads its input. What callers write is checked, and brought to one form, as it is made.

    frames: (first, end) by absolute number, end excluded; None for to the last.
    rate: of a numbered sequence, frames per second: 25, 23.976 (which is 24000/1001), '30000/1001' or a Fraction.
    matte: where skin may be textured, instead of where it is found; see `mattes_for` for what it may be.
    as_: what numbered stills are, `stills` or `sequence`; None where that is to be found out.
    allow_truncated: make do with what decodes of a damaged clip.
    max_pixels: of a picture; more is refused before it is decoded. None is the default of `open_source`.
    hwaccel: 'cuda' decodes a clip on the card, for backend cuda (experimental: it has not run on a card).
    """

    frames: tuple[int, int | None] = ALL_FRAMES
    rate: Fraction | None = None
    matte: str | Path | None = None
    as_: str | None = None
    allow_truncated: bool = False
    max_pixels: int | None = None
    hwaccel: str = ""

    def __post_init__(self) -> None:
        if self.as_ is not None and self.as_ not in AS:
            raise InputError(f"as_ is {self.as_!r}; it is one of {', '.join(AS)}, or None")
        given = {
            "frames": as_frames(self.frames), "rate": as_rate(self.rate),
            "matte": None if self.matte is None else as_place(self.matte, "matte"),
            "max_pixels": as_most_pixels(self.max_pixels),
        }  # fmt: skip
        for name, value in given.items():
            object.__setattr__(self, name, value)

    @property
    def is_timed(self) -> bool:
        """Whether frames or a rate are asked for, which stills do not have."""
        return self.frames != ALL_FRAMES or self.rate is not None

    def source(
        self, place: str | Path, first: int, end: int | None, *, stdin: BinaryIO | None = None, on_card: bool = False
    ) -> Source:
        """Open `place` and read its frames first to end - 1. stdin: stands in for '-'. on_card: as `hwaccel` says."""
        return open_source(
            place, start=first, stop=end, allow_truncated=self.allow_truncated, rate=self.rate, stdin=stdin,
            hwaccel=self.hwaccel if on_card else "", max_pixels=self.max_pixels,
        )  # fmt: skip
