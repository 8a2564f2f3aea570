"""What skin texture and locked grain ask of the pass: a luma gain and two chroma terms over a rectangle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

I16 = npt.NDArray[np.int16]

#: Fixed-point units of the luma gain and of the chroma terms.
LUMA_ONE = 1 << 14
CHROMA_ONE = 1 << 15
#: Largest gain or term.
MOST = 32000


@dataclass(frozen=True, eq=False)
class PassTerm:
    """Relief, or grain, to add to one frame.

    top, left: where the rectangle begins, in luma px; whole multiples of the chroma subsampling.
    luma: (h, w); luma above black is multiplied by 1 + luma / LUMA_ONE.
    cb, cr: chroma sites under the same rectangle; normalised chroma grows by cb / CHROMA_ONE.
    Zero leaves a sample's bits as they are.
    """

    top: int
    left: int
    luma: I16
    cb: I16
    cr: I16


def combined(first: PassTerm, other: PassTerm, subsampling: tuple[int, int]) -> PassTerm:
    """Both terms as one, over the rectangle that holds both. subsampling: (across, down) of chroma."""
    across, down = subsampling
    top, left = min(first.top, other.top), min(first.left, other.left)
    bottom = max(term.top + term.luma.shape[0] for term in (first, other))
    right = max(term.left + term.luma.shape[1] for term in (first, other))
    sums = [np.zeros((bottom - top, right - left), np.int16)]
    sums += [np.zeros((-(-(bottom - top) // down), -(-(right - left) // across)), np.int16) for _ in range(2)]
    for term in (first, other):
        for total, own, step in zip(sums, (term.luma, term.cb, term.cr), ((1, 1), *[(down, across)] * 2), strict=True):
            y, x = (term.top - top) // step[0], (term.left - left) // step[1]
            place = total[y : y + own.shape[0], x : x + own.shape[1]]
            both = place.astype(np.int32) + own[: place.shape[0], : place.shape[1]]
            place[:] = np.clip(both, -MOST, MOST)
    return PassTerm(top, left, *sums)
