"""Cinema grain: filtered integer noise whose amount follows luma.

The field is drawn on display-encoded values. Its standard deviation at luma y is
strength * curve(y), limited so that four deviations fit between y and the nearer end of the
range: with the field clamped symmetrically at four deviations, no tone leaves the range and none
moves its mean. Luma, Cb and Cr have fields of their own; the R'G'B' that follows is luma-dominant,
so its channels stay correlated as on film (independent R'G'B' reads as sensor noise).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from grainkit.errors import RecipeError
from grainkit.params import Parameters, param

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
#: Blue is the noisiest layer of colour film: Cb gets this much more than Cr (ALGORITHMS.md 5, rho_B).
BLUE_GAIN = 1.15
#: Short side, in px, of the delivery that `size` is given for.
REFERENCE_SIDE = 1080
#: How grain gets to the viewer.
CARRIERS = ("animated", "metadata")
#: From this rate on, grain that changes with every frame melts into a blur: each is held for two.
HOLD_RATE = 48


@dataclass(frozen=True)
class CinemaGrain(Parameters):
    """Film grain, new in every frame, most in the middle tones."""

    name: ClassVar[str] = "cinema_grain"

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
    curve: str = param("film", "How the amount follows luma.", choices=tuple(CURVES))
    carrier: str = param(
        "animated",
        "animated is burned in; metadata leaves the picture clean, and an AV1 stream tells players to make the grain.",
        choices=CARRIERS,
    )
    chroma: float = param(0.25, "Colour grain relative to luma grain.", low=0.0, high=1.0, unit="x")
    hold: int = param(0, "Frames that share one grain; 0 holds 2 from 48 fps up, else 1.", low=0, high=8, unit="frames")

    def deviation(self, luma: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Standard deviation at display luma (0..1), both as shares of the range; 0 outside it."""
        points = np.array(CURVES[self.curve])
        asked = self.strength / 255.0 * np.interp(luma, points[:, 0], points[:, 1])
        room = np.minimum(luma, 1.0 - luma) / ROOM
        return np.asarray(np.clip(np.minimum(asked, room), 0.0, None))

    @property
    def chroma_shares(self) -> tuple[float, float]:
        """Deviation of (Cb, Cr) relative to that of luma, all of them as shares of their range."""
        return self.chroma * BLUE_GAIN, self.chroma

    def sigma_px(self, width: int, height: int, dpi: float) -> float:
        """Gaussian sigma in px of a delivery of this size. RecipeError when mm are asked for without dpi."""
        if self.size_mm > 0.0:
            if dpi <= 0.0:
                raise RecipeError("cinema_grain.size_mm needs delivery.dpi; set it, e.g. --set delivery.dpi=300")
            return self.size_mm / 25.4 * dpi
        return self.size * min(width, height) / REFERENCE_SIDE

    def frames_held(self, rate: Fraction | None) -> int:
        """How many frames share one grain at this frame rate."""
        if self.hold:
            return self.hold
        return 2 if rate is not None and rate >= HOLD_RATE else 1
