"""How much a print is sharpened, and how wide."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Radius of output sharpening per px of viewing distance.
RADIUS_SHARE = 0.0004
#: Nobody looks at a print from nearer, mm.
NEAREST_MM = 250.0


@dataclass(frozen=True)
class Sharpening:
    """Unsharp masking. amount: of the difference to the blurred picture that is added. radius: Gaussian sigma, px."""

    amount: float
    radius: float

    @staticmethod
    def of(amount: float, viewing_mm: float, dpi: float, width: int, height: int) -> Sharpening:
        """For a print of width x height px: inches of viewing distance x px per inch x 0.0004, the usual radius.

        viewing_mm: the distance it is looked at from; 0 for the print's diagonal, or NEAREST_MM where that is more.
        """
        seen = viewing_mm or max(NEAREST_MM, math.hypot(width, height) / dpi * 25.4)
        return Sharpening(amount, max(seen / 25.4 * dpi * RADIUS_SHARE, 0.1))
