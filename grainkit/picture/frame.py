"""A picture, and when it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol, overload

import numpy as np
import numpy.typing as npt

from grainkit.errors import InputError
from grainkit.picture.color import SRGB_STILL, Color, Range

#: One plane of samples, (height, width), C-contiguous: uint8, uint16 (low bits) or float32 (normalised).
Plane = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32]


class OnCard(Protocol):
    """Samples in a GPU's memory, which speak DLPack."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __dlpack_device__(self) -> tuple[int, int]: ...

    def __dlpack__(self, *, stream: int | None = None) -> object: ...


class Woven(Sequence[Plane]):
    """Planes in a GPU's memory as its decoder leaves them; only the CUDA backend takes them, and makes plain ones.

    luma: (height, width); chroma: (rows, columns, 2), Cb and Cr in turn.
    bits: of a sample in memory, 8 or 16. shift: empty low bits below it (P010).
    """

    def __init__(self, luma: OnCard, chroma: OnCard, bits: int, shift: int) -> None:
        self.luma, self.chroma, self.bits, self.shift = luma, chroma, bits, shift

    def __len__(self) -> int:
        return 3

    @overload
    def __getitem__(self, which: int) -> Plane: ...
    @overload
    def __getitem__(self, which: slice) -> tuple[Plane, ...]: ...
    def __getitem__(self, which: int | slice) -> object:
        if which == 0:
            return self.luma
        raise TypeError("chroma of a frame on a GPU is woven; CudaBackend.conform makes planes of it")


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture as planar Y'CbCr at its own chroma sampling. Planes are never written in place.

    planes: (Y',) or (Y', Cb, Cr). All uint8 (depth 8), uint16 (9..16 bits, in the low bits) or
        float32 normalised (Y' 0..1, Cb and Cr -0.5..0.5; values outside are kept). Those of stills and other R'G'B'
        are float32 whatever `color.depth` says of the samples they were made from; `levels` tells how to read them.
        Chroma planes are ceil(width / subsampling) wide and ceil(height / subsampling) high.
    color: what the numbers mean.
    index: absolute number of the frame in its source, from 0; what grain is seeded by.
    pts, duration: in `time_base` units, as the source gave them; None where it gave none.
    alpha: (height, width) plane kept aside, uint8, uint16 or float32, in the source's full scale.
    rgb: the (height, width, 3) samples that the planes were made from, when the source is R'G'B'
        and the geometry is still its own: a pixel that no effect touches goes back to these bits.
    field_order: tff or bff where the lines are of two moments (the top or the bottom field is shown first), else ''.
    matte: (height, width) float32 0..1, where skin may be textured, as the user says; None: as analysis finds it.
    """

    planes: Sequence[Plane]
    color: Color
    index: int = 0
    pts: int | None = None
    duration: int | None = None
    time_base: Fraction | None = None
    alpha: Plane | None = None
    rgb: npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32] | None = None
    matte: npt.NDArray[np.float32] | None = None
    field_order: str = ""

    @staticmethod
    def from_rgb(
        rgb: npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32], *, index: int = 0
    ) -> Frame:
        """A frame of full-range R'G'B' (h, w, 3) or grey (h, w), encoded like sRGB.

        rgb: uint8, uint16 or float32 0..1; it is not copied, and never written to. index: number in the clip.
        """
        from grainkit.picture.rgb import PlanesOfRgb

        if not isinstance(rgb, np.ndarray) or rgb.dtype not in (np.uint8, np.uint16, np.float32):
            raise InputError(f"a frame is made of an array of uint8, uint16 or float32, not {type(rgb).__name__}")
        if not (rgb.ndim == 2 or (rgb.ndim == 3 and rgb.shape[2] == 3)):
            raise InputError(f"a frame is made of (height, width, 3) or grey (height, width), not {rgb.shape}")
        color = replace(SRGB_STILL, depth=8 * rgb.dtype.itemsize)
        return Frame(PlanesOfRgb(rgb, color), color, index, rgb=rgb)

    def to_rgb(self) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32]:
        """Full-range R'G'B' (h, w, 3), or grey (h, w), in the type of the frame's samples: uint8, uint16 or float32.

        Samples that the frame holds as R'G'B' come as they are; planes are enlarged to full chroma and converted by
        the frame's own matrix. Codes of 9 to 16 bits come in the full scale of uint16.
        """
        if self.rgb is not None:
            return self.rgb
        from grainkit.picture.resample import Geometry, conform
        from grainkit.picture.rgb import rgb_from_planes

        kept = np.float32 if self.color.is_float else np.uint8 if self.color.depth == 8 else np.uint16
        full = replace(self.color, depth=32, subsampling=(1, 1), range=Range.FULL, is_rgb=True)
        planes = conform(self, Geometry.same(self.width, self.height), full).planes
        return rgb_from_planes([np.asarray(plane, np.float32) for plane in planes], full, kept, frame=self.index)

    @property
    def height(self) -> int:
        return int((self.planes[0] if self.rgb is None else self.rgb).shape[0])

    @property
    def width(self) -> int:
        return int((self.planes[0] if self.rgb is None else self.rgb).shape[1])

    @property
    def levels(self) -> tuple[tuple[float, float], ...]:
        """For Y', Cb and Cr: (number of 0, how much more 1 is) in the planes as they are stored.

        `(plane - zero) / one` is Y' 0..1 and Cb, Cr -0.5..0.5 for any frame; see `Color.levels`.
        """
        return self.color.levels()

    @property
    def seconds(self) -> float | None:
        """When it is shown, or None where the source has no clock."""
        if self.pts is None or self.time_base is None:
            return None
        return float(self.pts * self.time_base)

    def with_planes(self, planes: Sequence[Plane], color: Color | None = None) -> Frame:
        """The same moment with other samples (and, where given, another meaning)."""
        return replace(self, planes=planes, color=self.color if color is None else color)
