"""Where pixels live and who computes: the seam between the effects' tables and the machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from grainkit.backends.pass_term import PassTerm
from grainkit.backends.tables import PassTables
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame
from grainkit.picture.resample import Geometry
from grainkit.picture.rgb import RGB, RgbSamples, rgb_from_planes

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


def with_rgb(frame: Frame, origin: Frame, working: Color, rgb: RgbSamples | None) -> Frame:
    """A finished frame with its R'G'B' samples, where they are wanted. origin: what it was made from."""
    if rgb is None:
        return frame
    samples = rgb_from_planes(frame.planes, working, rgb.dtype, seed=rgb.seed, frame=frame.index, origin=origin.rgb)
    return replace(frame, rgb=samples)


def on_card(array: object) -> bool:
    """Whether an array lies in a GPU's memory, by the interfaces that array libraries share."""
    if isinstance(array, np.ndarray):
        return False
    device = getattr(array, "__dlpack_device__", None)
    if device is not None:
        return int(device()[0]) == 2  # kDLCUDA
    return hasattr(array, "__cuda_array_interface__")


@runtime_checkable
class Backend(Protocol):
    """Runs the fused pass. Given a frame, tables and the frame's number, the result is fixed.

    in_flight: how many frames are best begun before the first is asked for.
    resizes: whether `conform` is the machine's own, and stills are better brought to size by it.
    chosen_because: why `auto` took this one and not a faster one, a sentence; '' where nothing is to be said.
    """

    name: str
    in_flight: int
    resizes: bool
    chosen_because: str

    def describe(self) -> str:
        """The machine in words, for reports."""

    def conform(self, frame: Frame, geometry: Geometry, working: Color) -> Frame:
        """As grainkit.picture.resample's. The planes may stay on the machine: the analysis reads parts of them by
        `weighed` and slices, and `begin` takes them as they are."""

    def finish(self, frame: Frame, tables: PassTables, texture: PassTerm | None = None) -> Frame:
        """The frame with every effect applied, in the colours the tables name; the input is not written to.

        texture: skin relief for this frame, in the geometry of its planes; None where there is none.
        """

    def begin(
        self, frame: Frame, tables: PassTables, texture: PassTerm | None = None, rgb: RgbSamples | None = None
    ) -> Pending:
        """`finish`, in the background where the backend can.

        rgb: the frame is wanted as R'G'B' too; its planes may then be those of the samples that are delivered.
        """

    def owns(self, array: object) -> bool:
        """Whether an array lies in this machine's memory."""

    def as_array(self, array: object) -> object:
        """An array that this machine owns, of any library, as the backend's own kind; without a copy."""

    def to_host(self, array: object) -> RGB:
        """An array that this machine owns in the host's memory."""

    def close(self) -> None: ...
