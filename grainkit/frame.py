"""A picture, and when it is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from grainkit.color import Color

#: One plane of samples, (height, width), C-contiguous: uint8, uint16 (low bits) or float32 (normalised).
Plane = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture as planar Y'CbCr at its own chroma sampling. Planes are never written in place.

    planes: (Y',) or (Y', Cb, Cr). All uint8 (depth 8), uint16 (9..16 bits, in the low bits) or
        float32 normalised (Y' 0..1, Cb and Cr -0.5..0.5; values outside are kept).
        Chroma planes are ceil(width / subsampling) wide and ceil(height / subsampling) high.
    color: what the numbers mean.
    index: absolute number of the frame in its source, from 0; what grain is seeded by.
    pts, duration: in `time_base` units, as the source gave them; None where it gave none.
    alpha: (height, width) plane kept aside, uint8, uint16 or float32, in the source's full scale.
    rgb: the (height, width, 3) samples that the planes were made from, when the source is R'G'B'
        and the geometry is still its own: a pixel that no effect touches goes back to these bits.
    matte: (height, width) float32 0..1, where skin may be textured, as the user says; None: as analysis finds it.
    """

    planes: tuple[Plane, ...]
    color: Color
    index: int = 0
    pts: int | None = None
    duration: int | None = None
    time_base: Fraction | None = None
    alpha: Plane | None = None
    rgb: npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32] | None = None
    matte: npt.NDArray[np.float32] | None = None

    @property
    def height(self) -> int:
        return int(self.planes[0].shape[0])

    @property
    def width(self) -> int:
        return int(self.planes[0].shape[1])

    @property
    def seconds(self) -> float | None:
        """When it is shown, or None where the source has no clock."""
        if self.pts is None or self.time_base is None:
            return None
        return float(self.pts * self.time_base)

    def with_planes(self, planes: tuple[Plane, ...], color: Color | None = None) -> Frame:
        """The same moment with other samples (and, where given, another meaning)."""
        return replace(self, planes=planes, color=self.color if color is None else color)
