"""Highlight patches: a local gain over a finished picture, put to the pass as a term.

Where a codec still throws highlights above white, a gain below 1 scales the finished R'G'B' of just those pixels.
The pass adds its term before the shoulder, so luma is asked for that the shoulder then brings to what is wanted:

    roll(Y (1 + t)) = gain roll(Y (1 + s)),  s what skin texture asks for, t the term;

chroma is scaled by the shoulder's slope afterwards, so it takes the gain as it is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from grainkit.backends.pass_term import CHROMA_ONE, LUMA_ONE, PassTerm
from grainkit.backends.shoulder import Shoulder
from grainkit.picture.frame import Frame

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

#: Luma 0..1 at which the shoulder is inverted; lines between.
_STEPS = np.linspace(0.0, 1.0, 4097)


def with_patches(frame: Frame, gain: F32, shoulder: Shoulder, term: PassTerm | None) -> PassTerm | None:
    """The term that gives what `term` does and then scales the finished picture by `gain`.

    frame: float planes at 4:4:4, or luma alone, as the pass gets them. gain: (h, w) 0..1; 1 changes nothing.
    shoulder: of the same pass. The term itself where the gain is 1 everywhere.
    """
    rows, columns = np.flatnonzero((gain < 1).any(1)), np.flatnonzero((gain < 1).any(0))
    if not rows.size:
        return term
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    if term is not None and term.luma.size:
        top, left = min(top, term.top), min(left, term.left)
        bottom = max(bottom, term.top + term.luma.shape[0])
        right = max(right, term.left + term.luma.shape[1])
    own = np.zeros((3, bottom - top, right - left), np.int16)
    if term is not None:
        under = np.s_[term.top - top :, term.left - left :]
        for into, relief in zip(own, (term.luma, term.cb, term.cr), strict=True):
            into[under][: relief.shape[0], : relief.shape[1]] = relief
    # All of it is worked out for the marked px alone: they are few.
    share = gain[top:bottom, left:right]
    marked = share < 1
    share = share[marked].astype(np.float64)
    luma, *chroma = (plane[top:bottom, left:right][marked].astype(np.float64) for plane in frame.planes)
    lit = shoulder.roll(np.clip(luma * (1 + own[0][marked] / LUMA_ONE), 0, 1))
    wanted = np.interp(share * lit, shoulder.roll(_STEPS), _STEPS)
    own[0][marked] = _fixed(np.divide(wanted, luma, out=np.ones_like(luma), where=luma > 0) - 1, LUMA_ONE)
    for into, plane in zip(own[1:], chroma, strict=False):
        into[marked] = _fixed(share * (plane + into[marked] / CHROMA_ONE) - plane, CHROMA_ONE)
    return PassTerm(top, left, *own)


def _fixed(values: F64, one: int) -> npt.NDArray[np.int16]:
    limits = np.iinfo(np.int16)
    return np.clip(np.rint(values * one), limits.min, limits.max).astype(np.int16)
