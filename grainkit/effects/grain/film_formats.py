"""Film formats as data: how wide the picture is on each gauge, and what that makes of the same emulsion's grain.

A scan of the gauge's full width, 1920 px across, sees grain of GRAIN_UM through px of width / 1920: size in px
follows from the two. What px average away follows from both as well: by Selwyn's law deviation falls with the root
of the area that is looked at, here of the grain and the px together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Gaussian sigma of one grain on film, in micrometres: 10.5 um across, as drawn for a colour negative of ISO 200
#: (chosen by eye; stocks from ISO 50 to 500 were drawn with 9 to 12.5 um), over the root of 2.
GRAIN_UM = 10.5 / math.sqrt(2)
#: Px across that sizes are worked out for: the width of a delivery whose short side is 1080 px.
REFERENCE_WIDTH = 1920
#: Deviation of a uniform window one px wide.
_PX = 1 / math.sqrt(12)


@dataclass(frozen=True)
class FilmFormat:
    """One gauge. width_mm: of the camera's picture on film. source: where that is from."""

    width_mm: float
    source: str

    @property
    def um_per_px(self) -> float:
        """Micrometres of film under one px of a delivery 1920 px wide."""
        return self.width_mm * 1000 / REFERENCE_WIDTH

    @property
    def size(self) -> float:
        """Gaussian sigma of its grain, in px of a delivery whose short side is 1080 px."""
        return GRAIN_UM / self.um_per_px

    @property
    def gain(self) -> float:
        """Deviation of its grain as px see it, relative to 35 mm (which has 1)."""
        return FILM_FORMATS["35mm"].blur_um / self.blur_um

    @property
    def blur_um(self) -> float:
        """Gaussian sigma of grain and px together, on film."""
        return math.hypot(GRAIN_UM, _PX * self.um_per_px)


#: By name, from the smallest.
FILM_FORMATS: dict[str, FilmFormat] = {
    "super8": FilmFormat(5.79, "camera aperture of Super 8, 5.79 x 4.01 mm"),
    "16mm": FilmFormat(10.26, "camera aperture of 16 mm, 10.26 x 7.49 mm"),
    "super16": FilmFormat(12.52, "camera aperture of Super 16, 12.52 x 7.41 mm"),
    "35mm": FilmFormat(24.89, "camera aperture of Super 35 (full, 4 perforations), 24.89 x 18.66 mm"),
    "65mm": FilmFormat(52.48, "camera aperture of 65 mm with 5 perforations, 52.48 x 23.01 mm"),
}
