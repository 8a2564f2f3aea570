"""The highlight shoulder as the pass applies it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


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
    def of(knee: float, ceiling: float, strength: float) -> Shoulder:
        """The shoulder with this knee and ceiling (of white); strength 0 is the identity."""
        if strength == 0.0:
            return NO_SHOULDER
        run, rise = 1.0 - knee, ceiling - knee
        return Shoulder(knee, ((run / rise) ** 2 - 1.0) / run**2, strength)

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


#: The shoulder that changes nothing.
NO_SHOULDER = Shoulder(math.inf, 0.0, 0.0)
