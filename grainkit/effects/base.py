"""What an effect is: a plug. It says when it works, what it may know, and what it asks of the pass or of each frame.

An effect is a frozen dataclass of parameters that extends `Effect`; `grainkit.effects.EFFECTS` lists them. What it does
is found out by what it gives, not by what it says of itself: an effect that fills no slot and gives no term has changed
no pixel, and the sidecar says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

from grainkit.backends.slots import Slots, tables_of
from grainkit.backends.tables import PassTables
from grainkit.params import Parameters
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame
from grainkit.picture.grain_key import grain_seed

if TYPE_CHECKING:
    from grainkit.analysis.faces import StillFaces
    from grainkit.analysis.light import Light
    from grainkit.backends.pass_term import PassTerm


class Moment(Enum):
    """When an effect works, in this order. Where a picture is not enlarged or sharpened, one pass does it all."""

    #: At the smaller of the source's size and the delivery's: what is the picture's own, so that enlarging enlarges
    #: no error.
    WORKING = auto()
    #: At the size that is delivered, after enlarging and sharpening.
    DELIVERY = auto()


@dataclass(frozen=True)
class Context:
    """All that an effect may know of a job: never a plan, a file or a codec.

    source, target: colours of the planes before and after the pass.
    width, height: of the planes, luma px.
    seed: the recipe's. pixels: digest of a still's pixels, None for clips and where it is not known.
    kind: what is delivered: still, sequence, clip or pipe.
    dpi: dots per inch of the delivery, 0 where unknown. rate: mean frames per second, None for a still.
    """

    source: Color
    target: Color
    width: int
    height: int
    seed: int = 0
    pixels: int | None = None
    kind: str = "clip"
    dpi: float = 0.0
    rate: Fraction | None = None

    @property
    def moves(self) -> bool:
        """Whether there are frames that follow each other."""
        return self.kind != "still"

    @property
    def picture_seed(self) -> int:
        """The seed of what must not be the same in two stills of a series: by their pixels. Clips have the recipe's."""
        return grain_seed(self.seed, self.pixels)


@dataclass(frozen=True, eq=False)
class Analysed:
    """A frame in the size of its pass, with what the effects ask of it.

    term: what the pass is to add to it, None for nothing. by: names of the effects that gave it.
    light: what skin is shaded by, where an effect found out, for reports.
    """

    frame: Frame
    term: PassTerm | None = None
    by: frozenset[str] = frozenset()
    light: Light | None = None

    def with_term(self, term: PassTerm | None, by: str, light: Light | None = None) -> Analysed:
        """It with another effect's term added to that of those before it."""
        if term is None:
            return self
        from grainkit.backends.pass_term import combined

        total = term if self.term is None else combined(self.term, term, self.frame.color.subsampling)
        return replace(self, term=total, by=self.by | {by}, light=self.light or light)


class Stage(Protocol):
    """What an effect does frame by frame, before the pass."""

    def stream(self, frames: Iterable[Analysed]) -> Iterator[Analysed]:
        """The frames, in their order, each with what this effect adds to it (see `Analysed.with_term`)."""


class Rewriter(Protocol):
    """Changes what an encoder made before it is stored; packets come in the order of the stream."""

    def extradata(self, data: bytes) -> bytes:
        """The codec's global header."""

    def packet(self, data: bytes) -> bytes:
        """One packet."""


class Packets(Protocol):
    """What an effect puts into a clip's stream instead of its pixels."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of it, a sentence each."""

    def stream(self, first: int) -> Rewriter:
        """What puts it into the clip's packets. first: absolute number of the first frame."""

    def text(self) -> str:
        """It as a file that can stand in for it. RecipeError where it has no such form."""


class Effect(Parameters):
    """Base of the effects. Subclasses are frozen dataclasses of `param(...)`s.

    Strength 0 is an exact identity: the effect is then not asked for anything.
    """

    moment: ClassVar[Moment]
    #: Whether it puts in detail that was not there, which sidecars call generated; else they call it retouched.
    generates: ClassVar[bool] = False

    @property
    def remembers(self) -> bool:
        """Whether what it does to a clip's frame depends on the frames before it."""
        return False

    def off(self) -> Self:
        """The same, switched off."""
        return replace(self, strength=0.0)

    def check(self, context: Context) -> tuple[str, ...]:
        """What is to be said of it before it is done, a sentence each. RecipeError where it cannot be done."""
        return ()

    def fill(self, slots: Slots, context: Context) -> Slots:
        """The slots of the pass with its own filled; the same slots where it asks nothing of the pass."""
        return slots

    def stage(self, context: Context, faces: StillFaces | None = None) -> Stage | None:
        """What it does frame by frame, None for nothing. faces: of the one still, where they are known."""
        return None

    def packets(self, context: Context, table: Path | None = None) -> Packets | None:
        """What goes into the clip's stream as metadata, None for nothing. table: a file that stands in for it."""
        return None


def registered(*effects: type[Effect]) -> dict[str, type[Effect]]:
    """Effects by name, in the order of application. TypeError for one that could not change anything."""
    for effect in effects:
        does = [getattr(effect, name) is not getattr(Effect, name) for name in ("fill", "stage", "packets")]
        if not any(does):
            raise TypeError(f"{effect.__name__} overrides none of fill, stage and packets: it would change nothing")
        if not {"name", "moment"} <= set(dir(effect)):
            raise TypeError(f"{effect.__name__} needs a name and a moment")
    return {effect.name: effect for effect in effects}


def filled(effects: Iterable[Effect], context: Context) -> tuple[Slots, tuple[str, ...]]:
    """The slots of the pass as effects fill them in their order, and the names of those that filled any."""
    slots, by = Slots(), []
    for effect in effects:
        before = slots
        if effect.strength:
            slots = effect.fill(slots, context)
        if slots is not before:
            by.append(effect.name)
    return slots, tuple(by)


def pass_tables(effects: Iterable[Effect], context: Context) -> PassTables:
    """The tables of the pass that these effects ask for together."""
    slots, _ = filled(effects, context)
    return tables_of(slots, source=context.source, target=context.target)
