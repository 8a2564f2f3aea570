"""Where pixels live and who computes: the seam between the effects' tables and the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from grainkit.effects.tables import PassTables
from grainkit.frame import Frame
from grainkit.texture.term import TextureTerm

#: Names that a backend may be asked for by; `auto` takes the fastest that works here.
BACKENDS = ("auto", "cpu", "cuda")


class Pending(Protocol):
    """A frame that was begun."""

    def result(self) -> Frame:
        """The finished frame; waits for it. The same every time."""


@dataclass(frozen=True, eq=False)
class Done:
    """A frame that is finished already."""

    frame: Frame

    def result(self) -> Frame:
        return self.frame


class Backend(Protocol):
    """Runs the fused pass. Given a frame, tables and the frame's number, the result is fixed.

    in_flight: how many frames are best begun before the first is asked for.
    """

    name: str
    in_flight: int

    def describe(self) -> str:
        """The machine in words, for reports."""

    def finish(self, frame: Frame, tables: PassTables, texture: TextureTerm | None = None) -> Frame:
        """The frame with every effect applied, in the colours the tables name; the input is not written to.

        texture: skin relief for this frame, in the geometry of its planes; None where there is none.
        """

    def begin(self, frame: Frame, tables: PassTables, texture: TextureTerm | None = None) -> Pending:
        """`finish`, in the background where the backend can."""

    def close(self) -> None: ...
