"""What skin texture asks of the pass: a luma gain and two chroma terms over a rectangle of the frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from grainkit.analysis.light import Light

I16 = npt.NDArray[np.int16]

#: Fixed-point units of the luma gain and of the chroma terms.
LUMA_ONE = 1 << 14
CHROMA_ONE = 1 << 15


@dataclass(frozen=True, eq=False)
class TextureTerm:
    """Relief to add to one frame.

    top, left: where the rectangle begins, in luma px; whole multiples of the chroma subsampling.
    luma: (h, w); luma above black is multiplied by 1 + luma / LUMA_ONE.
    cb, cr: chroma sites under the same rectangle; normalised chroma grows by cb / CHROMA_ONE.
    Zero leaves a sample's bits as they are.
    light: what the largest face is shaded by, for reports.
    """

    top: int
    left: int
    luma: I16
    cb: I16
    cr: I16
    light: Light | None = field(default=None, kw_only=True)
