"""What an AV1 decoder makes of autoregressive coefficients: its grain template, drawn many times and measured.

The template is made as the specification says (7.18.3.3), in integers, from white noise of the same deviation;
the decoder's own list of normal numbers is not needed to know how templates behave on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from grainkit.machine.jit import njit
from grainkit.picture.noise import pcg4d

#: Deviation of the white noise at 12 bits; each bit of depth less, and each scale_shift, halves it.
WHITE_DEVIATION = 512
#: Lags to either side at which templates are measured.
REACH = 6
#: Reach of the autoregressive filter, and the neighbours (rows, columns off) that its coefficients weigh.
LAG = 3
NEIGHBOURS = tuple((dy, dx) for dy in range(-LAG, 1) for dx in range(-LAG, LAG + 1) if dy < 0 or dx < 0)

#: (samples, first that is used, samples used) of a side of the template, by subsampling along it.
_SIDES_ACROSS = {1: (82, 9, 64), 2: (44, 6, 32)}
_SIDES_DOWN = {1: (73, 9, 64), 2: (38, 6, 32)}
_NORMAL = np.array([round(WHITE_DEVIATION * NormalDist().inv_cdf((i + 0.5) / 2048)) for i in range(2048)], np.int32)


@dataclass(frozen=True, eq=False)
class Measured:
    """deviation: of a template, in codes of its depth. correlation: at lags 0..REACH down, -REACH..REACH across."""

    deviation: float
    correlation: npt.NDArray[np.float64]


def measure(
    coefficients: tuple[int, ...], *, ar_shift: int, scale_shift: int, depth: int, subsampling: tuple[int, int],
    draws: int,
) -> Measured:  # fmt: skip
    """Means over this many templates of a plane with this subsampling, over the part that blocks are taken from.

    coefficients: one for each of NEIGHBOURS, over 2^ar_shift.
    """
    width, left, columns = _SIDES_ACROSS[subsampling[0]]
    height, top, rows = _SIDES_DOWN[subsampling[1]]
    half = 128 << depth - 8
    drawn = np.empty((draws, height, width), np.int32)
    _draw(drawn, _NORMAL, 12 - depth + scale_shift, np.array(coefficients, np.int64), ar_shift, -half, half - 1)
    sums = np.zeros((REACH + 1, 2 * REACH + 1))
    _correlate(np.ascontiguousarray(drawn[:, top : top + rows, left : left + columns]), sums)
    energy = float(sums[0, REACH])
    return Measured(energy**0.5, sums / max(energy, 1e-9))


@njit(cache=True, nogil=True)
def _draw(out: Any, normal: Any, down: int, taps: Any, shift: int, low: int, high: int) -> None:
    draws, height, width = out.shape
    half_down, half = 1 << down >> 1, 1 << shift >> 1
    for n in range(draws):
        for y in range(height):
            for x in range(width):
                word = pcg4d(np.uint32(x), np.uint32(y), np.uint32(n), np.uint32(0x61763167))[0]
                out[n, y, x] = (np.int64(normal[word >> np.uint32(21)]) + half_down) >> down
        for y in range(3, height):
            for x in range(3, width - 3):
                total = np.int64(0)
                i = 0
                for dy in range(-3, 0):
                    for dx in range(-3, 4):
                        total += taps[i] * out[n, y + dy, x + dx]
                        i += 1
                for dx in range(-3, 0):
                    total += taps[i] * out[n, y, x + dx]
                    i += 1
                out[n, y, x] = min(max(out[n, y, x] + ((total + half) >> shift), low), high)


@njit(cache=True, nogil=True)
def _correlate(drawn: Any, means: Any) -> None:
    draws, height, width = drawn.shape
    reach = means.shape[0] - 1
    for dy in range(reach + 1):
        for dx in range(-reach, reach + 1):
            total = np.int64(0)
            for n in range(draws):
                for y in range(height - dy):
                    for x in range(max(0, -dx), width - max(0, dx)):
                        total += np.int64(drawn[n, y, x]) * np.int64(drawn[n, y + dy, x + dx])
            means[dy, dx + reach] = total / (draws * (height - dy) * (width - abs(dx)))
