"""Hues turned and strengthened under a matte, as a term for the pass: the slot of effects that work by hue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grainkit.backends.pass_term import CHROMA_ONE, MOST, PassTerm
from grainkit.picture.frame import Frame

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

#: Entries of a table once round the circle of hues; between them it is a straight line.
STEPS = 64


@dataclass(frozen=True, eq=False)
class HueTable:
    """What happens to each hue: (STEPS,) rotation, radians, and factor of saturation, by hue in Cb, Cr from Cb on."""

    rotation: F64
    factor: F64

    @staticmethod
    def of(change: Callable[[F64], tuple[F64, F64]]) -> HueTable:
        """The table of a function: hues in radians, 0 to 2 pi, to their rotations, radians, and factors."""
        rotation, factor = change(np.arange(STEPS, dtype=np.float64) * (2 * np.pi / STEPS))
        return HueTable(np.asarray(rotation, np.float64), np.asarray(factor, np.float64))

    def at(self, hue: F64) -> tuple[F64, F64]:
        """Rotations and factors of hues, radians."""
        circle = np.arange(STEPS) * (2 * np.pi / STEPS)
        rotation, factor = (np.interp(hue, circle, values, period=2 * np.pi) for values in (self.rotation, self.factor))
        return np.asarray(rotation), np.asarray(factor)


def hue_term(frame: Frame, table: HueTable, matte: F32) -> PassTerm | None:
    """The term that changes the hues of a frame under a matte; None where it changes nothing.

    frame: as the pass gets it, on the host. matte: (height, width) 0..1, how much of the change a pixel takes.
    Luma stays. A grey frame has no hues.
    """
    rows, columns = np.flatnonzero(matte.any(1)), np.flatnonzero(matte.any(0))
    if len(frame.planes) == 1 or not rows.size:
        return None
    across, down = frame.color.subsampling
    top, left = int(rows[0]) // down * down, int(columns[0]) // across * across
    bottom, right = int(rows[-1]) + 1, int(columns[-1]) + 1
    place = np.s_[top // down : -(-bottom // down), left // across : -(-right // across)]
    cb, cr = (
        (np.asarray(plane[place], np.float64) - zero) / one
        for plane, (zero, one) in zip(frame.planes[1:], frame.levels[1:], strict=True)
    )
    share = _at_chroma(matte[top:bottom, left:right], across, down)
    rotation, factor = table.at(np.arctan2(cr, cb))
    cos, sin = factor * np.cos(rotation), factor * np.sin(rotation)
    terms = [np.zeros((bottom - top, right - left), np.int16)]
    for changed, own in ((cb * cos - cr * sin, cb), (cb * sin + cr * cos, cr)):
        terms.append(np.clip(np.rint(share * (changed - own) * CHROMA_ONE), -MOST, MOST).astype(np.int16))
    return PassTerm(top, left, *terms) if any(term.any() for term in terms[1:]) else None


def _at_chroma(matte: F32, across: int, down: int) -> F64:
    """Means of a matte under each chroma sample; at its right and lower end of the px that are there."""
    height, width = matte.shape
    padded = np.pad(matte.astype(np.float64), ((0, -height % down), (0, -width % across)), mode="edge")
    return np.asarray(padded.reshape(-(-height // down), down, -(-width // across), across).mean((1, 3)))
