"""What the pass runs on: tables and filters, made once per job.

The pass itself knows no parameters. Integer planes are worked in fixed point: a value v of the output is
v * 2^fraction_bits, so that table look-ups do depth and range conversion for free, and the same bits come out of every
machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from grainkit.backends.shoulder import Shoulder
from grainkit.picture.color import Color, chroma_codes
from grainkit.picture.noise import NoiseFilter

I32 = npt.NDArray[np.int32]
F32 = npt.NDArray[np.float32]

#: Steps of a table over luma 0..1 for float planes, which is read with linear interpolation and has an entry more.
LUMA_STEPS = 1024
#: First and last code of nothing.
NOT_FREE = (1, 0)


def fraction_bits(depth: int) -> int:
    """Fixed-point bits below one code of an integer output.

    Output of up to 10 bits fills a positive int16, twice as many vector lanes as int32; all others 24 bits.
    """
    return (15 if is_narrow(depth) else 24) - depth


def is_narrow(depth: int) -> bool:
    """Whether fixed-point values of integer output fit into int16."""
    return depth <= 10


def gain_shift(depth: int) -> int:
    """Bits of the gain tables that are dropped after multiplying with the field: a narrow gain fits into int16."""
    return 12 if is_narrow(depth) else 8


@dataclass(frozen=True, eq=False)
class PlaneNoise:
    """One plane's grain: its filter and the keys of its two octaves."""

    filter: NoiseFilter
    fine_key: np.uint32
    coarse_key: np.uint32


@dataclass(frozen=True, eq=False)
class PassTables:
    """Everything the pass needs for one job.

    source, target: colours before and after. Both integer, or float to float or integer.
    shoulder: the highlight curve, for chroma and for float planes.
    noise: grain of (Y, Cb, Cr); None where there is no grain at all.
    hold: frames that share one grain.
    luma, chroma: by source code, the target value in fixed point, int32, luma with curve and shoulder in it.
        Float planes: empty.
    luma_straight, chroma_straight: last code up to which the curve is code << straight_shift, which needs no
        look-up; -1 where there is none.
    luma_free, chroma_free: first and last code between which, moreover, no grain needs to be clamped; (1, 0) for none.
    luma_gain, chroma_gain: by source luma code, grain per unit of field in fixed point << gain_shift,
        int32. Cb and Cr share one: what one of them has less is in the weights of its noise. Float planes:
        normalised float32 over luma 0..1, LUMA_STEPS + 1 entries.
    luma_curve: by source luma code, luma after the luma curve and before the shoulder, normalised float32; integer
        luma itself finds it in `luma`. Float planes: over luma 0..1, LUMA_STEPS + 1 entries. Empty for no curve.
    chroma_factor: what Cb and Cr are scaled by beside the shoulder, float32, by the same. Empty for nothing.
    is_identity: the pass would change nothing.
    """

    source: Color
    target: Color
    shoulder: Shoulder
    noise: tuple[PlaneNoise, PlaneNoise, PlaneNoise] | None
    hold: int
    luma_curve: F32
    chroma_factor: F32
    luma: I32
    luma_straight: int
    luma_free: tuple[int, int]
    luma_gain: I32 | F32
    chroma: I32
    chroma_straight: int
    chroma_free: tuple[int, int]
    chroma_gain: I32 | F32
    is_identity: bool

    @property
    def straight_shift(self) -> int:
        """Bits that a code of an integer source is shifted by where the curve is straight; negative for none."""
        return straight_shift(self.source, self.target)

    @cached_property
    def luma_pairs(self) -> npt.NDArray[np.uint32]:
        """luma of two 8-bit codes that lie side by side in memory, by the uint16 that they are: (65536,)."""
        return _pairs(self.luma)

    @cached_property
    def luma_gain_pairs(self) -> npt.NDArray[np.uint32]:
        """luma_gain likewise."""
        return _pairs(self.luma_gain)

    @cached_property
    def chroma_gain_pairs(self) -> npt.NDArray[np.uint32]:
        """chroma_gain likewise."""
        return _pairs(self.chroma_gain)


def _pairs(table: I32 | F32) -> npt.NDArray[np.uint32]:
    """Of a table of 256 that fits into int16."""
    one = table.astype(np.uint16)
    return np.stack(np.broadcast_arrays(one[None, :], one[:, None]), axis=-1).view(np.uint32).reshape(-1)


def chroma_limits(target: Color) -> tuple[int, int]:
    """First and last code of Cb and Cr."""
    middle, spread = chroma_codes(target.depth, target.range)
    return round(middle - spread / 2), min(round(middle + spread / 2), (1 << target.depth) - 1)


def straight_shift(source: Color, target: Color) -> int:
    """Bits that a code of an integer source is shifted by to be a fixed-point value of the target."""
    return fraction_bits(target.depth) + target.depth - source.depth
