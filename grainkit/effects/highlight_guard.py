"""Highlight protection: a shoulder that leaves the codec room above white, with hue held.

A codec overshoots: highlights clipped at 255 decode far above it, and hue breaks where only some
channels clip (CODEC.md B2). So luma rolls off above a knee to a ceiling, and chroma is scaled by
the slope of the same shoulder between luma Y and the largest channel M:

    Y1 = roll(Y),  q = (roll(M) - roll(Y)) / (M - Y),  R'G'B'1 = Y1 + q (R'G'B' - Y)

Luma follows the curve, the largest channel follows the same curve (so never exceeds the ceiling),
and the differences between channels keep their proportions: hue holds. roll is concave with slope
at most 1, so q <= 1 and nothing goes negative. Below the knee roll is the identity and q is 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from grainkit.errors import RecipeError
from grainkit.params import Parameters, param


@dataclass(frozen=True)
class HighlightGuard(Parameters):
    """Rolls luma off above a knee to a ceiling and brings chroma along at the same hue."""

    name: ClassVar[str] = "highlight_guard"

    strength: float = param(
        1.0, "How much of the shoulder is applied; 0 is an exact identity.", low=0.0, high=1.0, unit="x"
    )
    knee: float = param(0.90, "Where the shoulder begins; nothing darker changes.", low=0.5, high=0.99, unit="of white")
    ceiling: float = param(
        0.98, "What white becomes.", low=0.6, high=1.0, unit="of white",
        source="codecs overshoot the top by 11 to 20 codes at the 99.9th percentile (measured)",
    )  # fmt: skip
    patches: int = param(
        0, "Rounds in which a still is put through the preset's proxies, and what then decodes above white is pulled "
        "down locally.", low=0, high=4, unit="rounds",
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ceiling <= self.knee:
            raise RecipeError(
                f"highlight_guard.ceiling = {self.ceiling:g} must be above highlight_guard.knee = {self.knee:g}"
            )


@dataclass(frozen=True)
class Shoulder:
    """roll(n) = n + strength (k + d / sqrt(1 + curvature d^2) - n), d = min(n, 1) - k, for n > k.

    Normalised values: 0 is black, 1 is reference white. The curve has slope 1 at the knee and
    reaches the ceiling at 1 (ALGORITHMS.md 6); what lies above white is white to a display and
    lands on the ceiling too.
    """

    knee: float
    curvature: float
    strength: float

    @staticmethod
    def of(guard: HighlightGuard) -> Shoulder:
        """The shoulder that these parameters ask for."""
        run, rise = 1.0 - guard.knee, guard.ceiling - guard.knee
        curvature = ((run / rise) ** 2 - 1.0) / run**2
        if guard.strength == 0.0:
            return Shoulder(math.inf, 0.0, 0.0)
        return Shoulder(guard.knee, curvature, guard.strength)

    @property
    def is_identity(self) -> bool:
        """True where nothing can change."""
        return math.isinf(self.knee)

    def roll(self, n: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The curve, float64 in and out."""
        if self.is_identity:
            return n
        d = np.clip(n, self.knee, 1.0) - self.knee
        rolled = self.knee + d / np.sqrt(1.0 + self.curvature * d**2)
        return np.where(n > self.knee, n + self.strength * (rolled - n), n)
