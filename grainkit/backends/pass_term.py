"""What skin texture and locked grain ask of the pass: a luma gain and two chroma terms over a rectangle."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from grainkit.analysis.light import Light

I16 = npt.NDArray[np.int16]

#: Fixed-point units of the luma gain and of the chroma terms.
LUMA_ONE = 1 << 14
CHROMA_ONE = 1 << 15
#: Largest gain or term.
MOST = 32000


@dataclass(frozen=True, eq=False)
class TextureTerm:
    """Relief, or grain, to add to one frame.

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


def combined(whole: TextureTerm, part: TextureTerm) -> TextureTerm:
    """Both terms as one: `whole`, which lies over all of the frame, with `part` on top of it."""
    sums = []
    for own, other in ((whole.luma, part.luma), (whole.cb, part.cb), (whole.cr, part.cr)):
        down, across = own.shape[0] / whole.luma.shape[0], own.shape[1] / whole.luma.shape[1]
        top, left = round(part.top * down), round(part.left * across)
        height, width = other.shape
        total = own.copy()
        place = total[top : top + height, left : left + width]
        both = place.astype(np.int32) + other[: place.shape[0], : place.shape[1]]
        place[:] = np.clip(both, -MOST, MOST)
        sums.append(total)
    return replace(part, top=0, left=0, luma=sums[0], cb=sums[1], cr=sums[2])
