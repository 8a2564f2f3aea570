"""Cinema grain: filtered integer noise whose amount follows luma.

The field is drawn on display-encoded values. Its standard deviation at luma y is
strength * curve(y), limited so that four deviations fit between y and the nearer end of the
range: with the field clamped symmetrically at four deviations, no tone leaves the range and none
moves its mean. Luma, Cb and Cr have fields of their own, each with its amount and its size; the
R'G'B' that follows is luma-dominant, so its channels stay correlated as on film (independent R'G'B'
reads as sensor noise). Amounts of R, G and B apart are what the planes of Y'CbCr cannot carry: Cb is
the nearest to blue's own grain, and Cr to red's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from grainkit.backends.slots import GrainSlot, Slots
from grainkit.effects.base import Context, Effect, Moment, Stage
from grainkit.effects.grain.film_formats import FILM_FORMATS
from grainkit.errors import RecipeError
from grainkit.params import param

if TYPE_CHECKING:
    from grainkit.analysis.faces import StillFaces
    from grainkit.effects.grain.metadata import CarriedGrain

#: Share of the strength over display luma, as (luma, share) points joined by lines. `film` is a
#: negative printed to positive: most in the lower middle, a protected toe and shoulder
#: (ALGORITHMS.md 5). `midtone` is sqrt(4 y (1 - y)), the Boolean grain model's form (Newson 2017).
CURVES: dict[str, tuple[tuple[float, float], ...]] = {
    "film": (
        (0.0, 0.10), (0.04, 0.38), (0.10, 0.72), (0.20, 0.96), (0.32, 1.0), (0.45, 0.94),
        (0.60, 0.74), (0.75, 0.50), (0.88, 0.27), (0.96, 0.12), (1.0, 0.03),
    ),
    "midtone": tuple((i / 64, 2 * (i / 64 * (1 - i / 64)) ** 0.5) for i in range(65)),
    "shadow": (
        (0.0, 0.20), (0.06, 0.90), (0.15, 1.0), (0.30, 0.80), (0.50, 0.50), (0.70, 0.30), (0.90, 0.12), (1.0, 0.02),
    ),
    "flat": ((0.0, 1.0), (1.0, 1.0)),
}  # fmt: skip

#: Deviations that must fit between a tone and the end of the range (the field is clamped there).
ROOM = 4.0
#: Blue is the noisiest layer of colour film, and the coarsest: Cb's amount and size over Cr's (ALGORITHMS.md 5, rho_B).
BLUE_GAIN = 1.15
#: Display luma between which shadows hand over to midtones; highlights mirror it.
SHADOW_END, MIDTONE_START = 0.15, 0.45
#: No format: `size` says how large grain is.
NO_FILM = "none"
#: Short side, in px, of the delivery that `size` is given for.
REFERENCE_SIDE = 1080
#: A point of a curve: LUMA:SHARE, each 0 to 1.
_POINT = r"(?:0(?:\.[0-9]{1,4})?|1(?:\.0{1,4})?):(?:0(?:\.[0-9]{1,4})?|1(?:\.0{1,4})?)"
#: How grain gets to the viewer.
CARRIERS = ("animated", "locked", "metadata")
#: From this rate on, grain that changes with every frame melts into a blur: each is held for two.
HOLD_RATE = 48


@dataclass(frozen=True)
class CinemaGrain(Effect):
    """Film grain, new in every frame or locked to what moves, most in the middle tones."""

    name: ClassVar[str] = "cinema_grain"
    moment: ClassVar[Moment] = Moment.DELIVERY

    strength: float = param(
        2.0,
        "Standard deviation where the curve peaks; 0 is an exact identity.",
        low=0.0,
        high=24.0,
        unit="codes of 255",
    )
    size: float = param(
        1.0, "Grain radius (Gaussian sigma) at a delivery whose short side is 1080 px.",
        low=0.3, high=4.0, unit="px at 1080",
    )  # fmt: skip
    size_mm: float = param(
        0.0, "Grain radius on paper; above 0 it replaces `size` and needs the delivery's dpi.",
        low=0.0, high=2.0, unit="mm",
    )  # fmt: skip
    film: str = param(
        NO_FILM, "Film gauge: gives the size in place of `size`, and a little more or less than `strength`, which is "
        "what 35 mm would show.", choices=(NO_FILM, *FILM_FORMATS),
        source="camera apertures of the gauges, Selwyn's law; the grain's own 10.5 um were chosen by eye",
    )  # fmt: skip
    curve: str = param(
        "film", "How the amount follows luma: by name, or as points.", choices=tuple(CURVES),
        pattern=rf"{_POINT}(,{_POINT})+", form="LUMA:SHARE points of 0 to 1 such as 0:0.1,0.3:1,1:0",
        source="midtone: the Boolean grain model (Newson 2017); film: a negative printed to positive",
    )  # fmt: skip
    shadows: float = param(1.0, "Amount in the shadows, over the curve.", low=0.0, high=3.0, unit="x")
    midtones: float = param(1.0, "Amount in the middle tones, over the curve.", low=0.0, high=3.0, unit="x")
    highlights: float = param(1.0, "Amount in the highlights, over the curve.", low=0.0, high=3.0, unit="x")
    carrier: str = param(
        "animated",
        "animated is burned in, new in every frame; locked is luma grain burned in that moves with what a clip shows, "
        "so that social rates leave it (in a still it is the same as animated); metadata leaves the picture clean, and "
        "an AV1 stream tells players to make the grain.",
        choices=CARRIERS,
    )  # fmt: skip
    fresh: float = param(
        0.0, "With carrier=locked: grain that is new in every frame beside it, relative to it.", low=0.0, high=1.0,
        unit="x",
    )  # fmt: skip
    chroma: float = param(0.25, "Colour grain relative to luma grain.", low=0.0, high=1.0, unit="x")
    cb: float = param(
        BLUE_GAIN, "Amount of Cb (blue to yellow) relative to `chroma`.", low=0.0, high=3.0, unit="x",
        source="blue is the noisiest layer of colour film, and the coarsest",
    )  # fmt: skip
    cr: float = param(1.0, "Amount of Cr (red to cyan) relative to `chroma`.", low=0.0, high=3.0, unit="x")
    cb_size: float = param(
        BLUE_GAIN, "Size of Cb grain relative to luma grain.", low=0.3, high=4.0, unit="x",
        source="blue is the noisiest layer of colour film, and the coarsest",
    )  # fmt: skip
    cr_size: float = param(1.0, "Size of Cr grain relative to luma grain.", low=0.3, high=4.0, unit="x")
    regrain: bool = param(False, "Measure the grain that the picture has, and add only what it lacks by luma.")
    hold: int = param(0, "Frames that share one grain; 0 holds 2 from 48 fps up, else 1.", low=0, high=8, unit="frames")

    def __post_init__(self) -> None:
        super().__post_init__()
        luma = [luma for luma, _ in self.points]
        if any(a >= b for a, b in pairwise(luma)):
            raise RecipeError(f"cinema_grain.curve = {self.curve} goes back in luma; write its points in rising order")
        if self.film != NO_FILM and self.size_mm > 0.0:
            raise RecipeError(
                f"cinema_grain.film = {self.film} and cinema_grain.size_mm = {self.size_mm:g} both say how large grain "
                "is; use film=none, or size_mm=0"
            )

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """The curve as (luma, share) points."""
        if self.curve in CURVES:
            return CURVES[self.curve]
        pairs = (point.split(":") for point in self.curve.split(","))
        return tuple((float(luma), float(share)) for luma, share in pairs)

    @property
    def is_carried(self) -> bool:
        """Whether grain goes into the stream as metadata, and none into the pixels."""
        return self.strength > 0.0 and self.carrier == "metadata"

    @property
    def remembers(self) -> bool:
        """Locked grain moves with what the picture shows."""
        return self.carrier == "locked"

    def is_locked(self, context: Context) -> bool:
        """Whether grain moves with what the picture shows; a still has nothing that moves."""
        return self.strength > 0.0 and self.carrier == "locked" and context.moves

    def check(self, context: Context) -> tuple[str, ...]:
        """What a film gauge or locking makes of the grain. RecipeError where sizes in mm lack dots per inch."""
        self.sigma_px(context.width, context.height, context.dpi)
        notes = []
        if self.film != NO_FILM:
            film = FILM_FORMATS[self.film]
            said = f"{film.size:.2f} px at 1080, {film.gain:.2f} x the amount"
            notes.append(f"grain as of {self.film} film: {said} ({film.source})")
        if self.is_locked(context):
            notes.append(
                "grain moves with the picture, at full strength on people and weaker on what stands behind them"
            )
        elif self.carrier == "locked":
            notes.append("nothing moves in a still: locked grain is the same as animated")
        return tuple(notes)

    def fill(self, slots: Slots, context: Context) -> Slots:
        """Grain that is new in each frame; of locked grain only what is fresh, and none that is carried."""
        share = 0.0 if self.is_carried else self.fresh if self.is_locked(context) else 1.0
        if share == 0.0:
            return slots
        drawn = replace(self, strength=share * self.strength)
        return replace(
            slots,
            grain=GrainSlot(
                drawn.deviation, self.sigma_px(context.width, context.height, context.dpi), self.chroma_sizes,
                self.chroma_shares, context.picture_seed, self.frames_held(context.rate),
            ),
        )  # fmt: skip

    def stage(self, context: Context, faces: StillFaces | None = None) -> Stage | None:
        """Grain that is locked to what moves."""
        if not self.is_locked(context):
            return None
        from grainkit.effects.grain.locked import LockedStage

        return LockedStage(self, context.seed, self.sigma_px(context.width, context.height, context.dpi))

    def packets(self, context: Context, table: Path | None = None) -> CarriedGrain | None:
        """Grain that is carried as metadata, fitted to these parameters or read from a table."""
        if not self.is_carried and table is None:
            return None
        from grainkit.effects.grain.metadata import carried_grain

        return carried_grain(self, context, table)

    def share(self, luma: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Deviation asked for at display luma (0..1), relative to `strength`."""
        points = np.array(self.points)
        shadow = _step((MIDTONE_START - luma) / (MIDTONE_START - SHADOW_END))
        highlight = _step((luma - (1 - MIDTONE_START)) / (MIDTONE_START - SHADOW_END))
        tone = self.midtones + (self.shadows - self.midtones) * shadow + (self.highlights - self.midtones) * highlight
        gain = 1.0 if self.film == NO_FILM else FILM_FORMATS[self.film].gain
        return np.asarray(np.interp(luma, points[:, 0], points[:, 1]) * tone * gain)

    def deviation(self, luma: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Standard deviation at display luma (0..1), both as shares of the range; 0 outside it."""
        asked = self.strength / 255.0 * self.share(luma)
        room = np.minimum(luma, 1.0 - luma) / ROOM
        return np.asarray(np.clip(np.minimum(asked, room), 0.0, None))

    @property
    def chroma_shares(self) -> tuple[float, float]:
        """Deviation of (Cb, Cr) relative to that of luma, all of them as shares of their range."""
        return self.chroma * self.cb, self.chroma * self.cr

    @property
    def chroma_sizes(self) -> tuple[float, float]:
        """Size of (Cb, Cr) grain on the picture relative to luma grain."""
        return self.cb_size, self.cr_size

    def sigma_px(self, width: int, height: int, dpi: float) -> float:
        """Gaussian sigma in px of a delivery of this size. RecipeError when mm are asked for without dpi."""
        if self.size_mm > 0.0:
            if dpi <= 0.0:
                raise RecipeError("cinema_grain.size_mm needs delivery.dpi; set it, e.g. --set delivery.dpi=300")
            return self.size_mm / 25.4 * dpi
        size = self.size if self.film == NO_FILM else FILM_FORMATS[self.film].size
        return size * min(width, height) / REFERENCE_SIDE

    def frames_held(self, rate: Fraction | None) -> int:
        """How many frames share one grain at this frame rate."""
        if self.hold:
            return self.hold
        return 2 if rate is not None and rate >= HOLD_RATE else 1


def _step(t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """0 up to 0, 1 from 1 on, smooth between."""
    t = np.clip(t, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def curve_points(luma: Iterable[float], shares: Iterable[float]) -> str:
    """A curve as `cinema_grain.curve` has it. luma, shares: 0..1, as many of each."""
    return ",".join(f"{x:.4f}:{share:.4f}" for x, share in zip(luma, shares, strict=True))
