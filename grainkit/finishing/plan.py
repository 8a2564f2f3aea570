"""What exactly will be written, settled before any frame moves: one type for each kind of output."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from grainkit.effects.base import Context
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.print_sharpening.parameters import Sharpening
from grainkit.errors import OutputError
from grainkit.io.base import Sink, SourceInfo
from grainkit.io.color_tags import untold
from grainkit.io.delivery import ClipDelivery, Delivery, StillDelivery
from grainkit.io.hdr10 import hdr10_lost
from grainkit.io.metadata import xmp_packet
from grainkit.picture.background import Canvas
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame
from grainkit.picture.resample import Geometry
from grainkit.recipe.recipe import Recipe

if TYPE_CHECKING:
    from grainkit.effects.base import Packets
    from grainkit.io.sequence import Pattern

#: Encoders whose streams can be given film grain.
CARRIES_GRAIN = ("libsvtav1", "libaom-av1", "librav1e")
#: Containers in which a pixel aspect is written by the codec alone, and encoders that write it.
_ASPECT_BY_CODEC = ("mkv", "webm", "nut")
_SAYS_ASPECT = ("libx264", "libx264rgb", "libx265", "mpeg2video", "mpeg4")
#: Frames per second of Y4M, which must say some, where the source says none.
_Y4M_RATE = Fraction(25)


@dataclass(frozen=True, kw_only=True)
class Plan(ABC):
    """All that decides finished frames beside their pixels.

    geometry: crop and size. working: colours the pass reads. target: colours it stores
        (R'G'B' deliveries: float, brought to `rgb_depth` bits after the pass).
    rgb_depth: bits of R'G'B' samples for the sink, or 0 where planes are delivered.
    pixel_format: what is delivered, in words: FFmpeg's name, or a still's container and depth.
    dpi: dots per inch for sizes in mm and for the file, 0 where unknown.
    rate: mean frames per second, None for a still. sample_aspect: pixel aspect ratio of what is delivered.
    notes: what the plan does that nobody asked for, a sentence each.
    background: what transparency is composited over, '' where it is kept or there is none.
    canvas: what the finished picture is laid on, None where it is all that is delivered.
    pixels: digest of a still's pixels, None for all else; see `grainkit.picture.grain_key`.
    """

    recipe: Recipe
    geometry: Geometry
    working: Color
    target: Color
    rgb_depth: int
    pixel_format: str
    dpi: float
    rate: Fraction | None
    sample_aspect: Fraction
    notes: tuple[str, ...] = ()
    background: str = ""
    canvas: Canvas | None = None
    pixels: int | None = None

    #: Whether alpha keeps the source's scale for the sink to change; else the sink gets the full scale of its samples.
    keeps_alpha_scale: ClassVar[bool] = False

    @property
    @abstractmethod
    def kind(self) -> str:
        """What is delivered, for reports, sidecars and effects: still, sequence, clip or pipe."""

    @property
    def moves(self) -> bool:
        """Whether frames follow each other in time: not those of a still."""
        return True

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of what is delivered, bars included."""
        return self.geometry.size if self.canvas is None else self.canvas.size

    @property
    def carries_grain(self) -> bool:
        """Whether grain goes into the stream as metadata, and none into the pixels."""
        return self.recipe.effect(CinemaGrain).is_carried

    @property
    def can_carry_grain(self) -> bool:
        """Whether its stream has a place for grain as metadata."""
        return False

    @property
    def context(self) -> Context:
        """What effects may know of it."""
        width, height = self.geometry.size
        return Context(
            self.working, self.target, width, height, self.recipe.seed, self.pixels, self.kind, self.dpi, self.rate
        )

    @property
    def sharpening(self) -> Sharpening | None:
        """How pictures are sharpened for paper, None for not at all."""
        return None

    @property
    def coding(self) -> str:
        """What its frames are coded as, in words for messages."""
        return f"a {self.kind}"


@dataclass(frozen=True, kw_only=True)
class OwnFormatPlan(Plan):
    """The effects alone, on frames that go back to who gave them. source_kind: of where they come from."""

    source_kind: str

    @property
    def kind(self) -> str:
        return self.source_kind

    @property
    def moves(self) -> bool:
        return self.source_kind != "still"

    @property
    def coding(self) -> str:
        return "frames" if self.source_kind == "clip" else super().coding


@dataclass(frozen=True, eq=False)
class Opening:
    """What a sink is opened for, beside the plan.

    info: the source. source_type: IPTC term of the output, '' where none is claimed.
    summary: what was done to the pixels, in a sentence.
    first: the first frame that will be written. end: number of the one after the last, None for to the source's end.
    stdout: the stream that stands in for standard output. carried: grain that goes into the stream as metadata.
    kept: the word by which another run finds what this one has done, '' where none is to; see `Pending`.
    """

    info: SourceInfo
    source_type: str
    summary: str
    first: Frame
    end: int | None = None
    stdout: BinaryIO | None = None
    carried: Packets | None = None
    kept: str = ""

    @property
    def xmp(self) -> bytes:
        """The XMP packet of a file."""
        return xmp_packet(
            digital_source_type=self.source_type, software="grainkit", summary=self.summary,
            existing=self.info.still.xmp,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DeliveryPlan(Plan):
    """A plan whose frames are written."""

    #: What holds the frames and not their times, in words; '' where times are kept, or there is none.
    without_times: ClassVar[str] = ""

    @property
    @abstractmethod
    def name(self) -> str:
        """What the output is called in reports: the file or pattern, '-' for standard output."""

    @property
    def holder(self) -> str:
        """What holds the frames, in words for notes on what it cannot hold: an encoder's name, or else the format."""
        return self.coding

    @property
    def codec(self) -> str:
        """The encoder's name, '' where the output is no clip."""
        return ""

    @abstractmethod
    def open_sink(self, opening: Opening) -> Sink:
        """Open what writes the frames. Its module is imported only now, so that a still never loads FFmpeg."""

    def output_files(self, numbers: Iterable[int]) -> list[Path]:
        """Return the files that the plan makes, none for a pipe. numbers: those of a sequence's files."""
        return []

    def delivered_in(self, delivery: Delivery) -> Delivery:
        """Return the recipe's delivery with the formats in it that this plan writes."""
        return delivery

    def as_delivered(self, recipe: Recipe) -> Recipe:
        """Return `recipe`, from which this plan was made, with the formats in it that the output's ending asked for.

        It is adapted, or was not to be: a replay adapts nothing by itself.
        """
        done = replace(recipe.adapt, **{"clip" if self.moves else "still": False})
        return replace(recipe, delivery=self.delivered_in(recipe.delivery), adapt=done)

    def untold(self) -> list[str]:
        """Notes on what of its colours the output will not say of itself."""
        return []

    def hdr10_lost(self, info: SourceInfo) -> list[str]:
        """Notes on what of the source's HDR10 declarations the output cannot hold."""
        return [] if info.hdr10 is None else list(filter(None, [hdr10_lost(info.hdr10, self.holder)]))

    def lost(self, info: SourceInfo) -> list[str]:
        """Notes on what of the source's metadata the output cannot hold."""
        lost = _left_behind(info, self.kind)
        return [*lost, "its ICC profile has no place in a clip: left out"] if info.still.icc else lost


@dataclass(frozen=True, kw_only=True)
class PipePlan(DeliveryPlan):
    """Y4M on standard output."""

    kind: ClassVar[str] = "pipe"
    without_times: ClassVar[str] = "Y4M"

    @property
    def name(self) -> str:
        return "-"

    @property
    def holder(self) -> str:
        return "Y4M"

    def open_sink(self, opening: Opening) -> Sink:
        from grainkit.io.y4m import Y4MSink

        width, height = self.size
        return Y4MSink(
            opening.stdout or sys.stdout.buffer, self.target, width, height, self.rate or _Y4M_RATE,
            self.sample_aspect, opening.info.field_order,
        )  # fmt: skip

    def untold(self) -> list[str]:
        return untold(self.target, self.geometry.size, "y4m")


@dataclass(frozen=True, kw_only=True)
class FilePlan(DeliveryPlan):
    """A plan whose output is a file, or several of one pattern.

    output: the file, or the printf pattern of a sequence.
    new_folder: the folder for it that was asked for and is to be made; None where it is there, or made by the sink.
    """

    output: Path
    new_folder: Path | None = None

    @property
    def name(self) -> str:
        return str(self.output)

    @property
    def lacks_folder(self) -> bool:
        """Whether the folder of the output is still to be made, by the job or by the sink."""
        return self.new_folder is not None

    def output_files(self, numbers: Iterable[int]) -> list[Path]:
        return [self.output]

    def present(self) -> list[Path]:
        """Return the files of the output's name or pattern that exist. Raises OutputError where it is a folder."""
        if self.output.is_dir():
            raise OutputError(f"cannot write {self.output}: it is a folder; name a file in it with -o")
        return [self.output] if self.output.exists() else []


@dataclass(frozen=True, kw_only=True)
class ClipPlan(FilePlan):
    """One file of FFmpeg's. clip: how it is coded."""

    kind: ClassVar[str] = "clip"
    keeps_alpha_scale: ClassVar[bool] = True

    clip: ClipDelivery

    @property
    def can_carry_grain(self) -> bool:
        return self.clip.codec in CARRIES_GRAIN and not self.target.is_rgb

    @property
    def coding(self) -> str:
        return f"{self.clip.codec} in {self.pixel_format}"

    @property
    def holder(self) -> str:
        return self.clip.codec

    @property
    def codec(self) -> str:
        return self.clip.codec

    def open_sink(self, opening: Opening) -> Sink:
        from grainkit.io.clip_passengers import Stretch
        from grainkit.io.clip_sink import VideoSink

        first, end, carried = opening.first, opening.end, opening.carried
        width, height = self.size
        start = first.seconds or 0.0
        stop = None if end is None or self.rate is None else start + float((end - first.index) / self.rate)
        return VideoSink(
            self.output, delivery=self.clip, color=self.target, width=width, height=height,
            source=replace(opening.info, sample_aspect=self.sample_aspect, rate=self.rate or opening.info.rate),
            stretch=Stretch(start if first.index else 0.0, stop), xmp=opening.xmp,
            rewriter=None if carried is None else carried.stream(first.index),
        )  # fmt: skip

    def delivered_in(self, delivery: Delivery) -> Delivery:
        return replace(delivery, clip=self.clip)

    def untold(self) -> list[str]:
        return untold(self.target, self.geometry.size, self.clip.container, self.clip.codec)

    def aspect_lost(self) -> list[str]:
        """Notes on pixels whose shape is lost: some containers leave it to the codec's own header."""
        clip, aspect = self.clip, self.sample_aspect
        if aspect == 1 or clip.container not in _ASPECT_BY_CODEC or clip.codec in _SAYS_ASPECT:
            return []
        return [
            f"its pixels are {aspect.numerator}:{aspect.denominator} wide, which {clip.codec} in {clip.container} does "
            "not say: players will show them square; deliver mp4 or mov, or resize with delivery.fit=fit and "
            "delivery.height"
        ]


@dataclass(frozen=True, kw_only=True)
class PicturesPlan(FilePlan):
    """Pictures of R'G'B' in files of their own: one still, or the frames of a sequence. still: how each is coded."""

    still: StillDelivery

    @property
    def sharpening(self) -> Sharpening | None:
        if self.still.sharpen == 0.0:
            return None
        return Sharpening.of(self.still.sharpen, self.still.viewing_mm, self.dpi, *self.geometry.size)

    def delivered_in(self, delivery: Delivery) -> Delivery:
        return replace(delivery, still=self.still)

    def lost(self, info: SourceInfo) -> list[str]:
        from grainkit.io.encode_still import lost_metadata

        grey = info.pixel_format.startswith(("gray", "ya"))
        return [*_left_behind(info, self.kind), *lost_metadata(self.still, info.still, self.target, grey=grey)]


@dataclass(frozen=True, kw_only=True)
class StillPlan(PicturesPlan):
    """One picture in one file."""

    kind: ClassVar[str] = "still"

    @property
    def moves(self) -> bool:
        return False

    def open_sink(self, opening: Opening) -> Sink:
        from grainkit.io.stills import StillSink

        return StillSink(
            self.output, delivery=self.still, dpi=self.dpi, metadata=opening.info.still, xmp=opening.xmp
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SequencePlan(PicturesPlan):
    """Numbered stills, which the sink puts into place all at once, in a folder that it makes where there is none."""

    kind: ClassVar[str] = "sequence"
    without_times: ClassVar[str] = "a sequence"

    @property
    def holder(self) -> str:
        return "a sequence of stills"

    @property
    def lacks_folder(self) -> bool:
        return not self.output.parent.exists()

    def open_sink(self, opening: Opening) -> Sink:
        from grainkit.io.sequence import SequenceSink

        return SequenceSink(
            self.output, delivery=self.still, dpi=self.dpi, metadata=opening.info.still, xmp=opening.xmp,
            first_number=opening.info.first_number, kept=opening.kept,
        )  # fmt: skip

    def delivered_in(self, delivery: Delivery) -> Delivery:
        clip = delivery.clip
        if clip is None or clip.container != "sequence":
            clip = ClipDelivery("sequence", "", "")
        return replace(delivery, still=self.still, clip=clip)

    def output_files(self, numbers: Iterable[int]) -> list[Path]:
        return [self._pattern.path(number) for number in numbers]

    def present(self) -> list[Path]:
        pattern = self._pattern
        return [pattern.path(n) for n in pattern.numbers()] if self.output.parent.is_dir() else []

    @property
    def _pattern(self) -> Pattern:
        from grainkit.io.sequence import parse_pattern

        pattern = parse_pattern(self.output)
        assert pattern is not None
        return pattern


def _left_behind(info: SourceInfo, kind: str) -> list[str]:
    """Return notes on what of a source does not go along where it becomes another kind of output."""
    if info.kind == kind:
        return []
    from grainkit.io.container_tags import left_behind

    return left_behind(info, kind)
