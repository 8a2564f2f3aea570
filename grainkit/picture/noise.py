"""The integer noise that grain and dither are drawn from, and the filter that gives it a size.

Counter based: a sample is a function of (seed, plane, octave, frame, y, x) alone, so any frame, any
strip and any machine draw the same bits. numba twin of kernels/noise.cuh: same names, same order
of operations. Every step is truncated to 32 bits: numba promotes uint32 * uint32 to uint64, and
without truncation the hash is weak and no GPU would agree with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from grainkit.machine.jit import njit

Words = tuple[np.uint32, np.uint32, np.uint32, np.uint32]

_MUL = np.uint32(1664525)
_ADD = np.uint32(1013904223)
_16 = np.uint32(16)
_4, _NIBBLE = np.uint8(4), np.uint8(0x0F)

#: Standard deviation of the white noise: sqrt(2 (16^2 - 1) / 12).
WHITE_STD = math.sqrt(2 * (16**2 - 1) / 12)


@njit(cache=True, inline="always", nogil=True)
def pcg4d(a: np.uint32, b: np.uint32, c: np.uint32, d: np.uint32) -> Words:
    """Jarzynski & Olano, JCGT 9(3) 2020, `pcg4d`: four uint32 mixed jointly into four uint32."""
    a = np.uint32(np.uint32(a * _MUL) + _ADD)
    b = np.uint32(np.uint32(b * _MUL) + _ADD)
    c = np.uint32(np.uint32(c * _MUL) + _ADD)
    d = np.uint32(np.uint32(d * _MUL) + _ADD)
    a = np.uint32(a + np.uint32(b * d))
    b = np.uint32(b + np.uint32(c * a))
    c = np.uint32(c + np.uint32(a * b))
    d = np.uint32(d + np.uint32(b * c))
    a = np.uint32(a ^ np.uint32(a >> _16))
    b = np.uint32(b ^ np.uint32(b >> _16))
    c = np.uint32(c ^ np.uint32(c >> _16))
    d = np.uint32(d ^ np.uint32(d >> _16))
    a = np.uint32(a + np.uint32(b * d))
    b = np.uint32(b + np.uint32(c * a))
    c = np.uint32(c + np.uint32(a * b))
    d = np.uint32(d + np.uint32(b * c))
    return a, b, c, d


@njit(cache=True, inline="always", nogil=True)
def noise_words(group: np.uint32, block: np.uint32, frame: np.uint32, key: np.uint32) -> Words:
    """Four rows of four noise samples, a uint32 each: pcg4d, whose lowest bits are weak, with its upper bits over them.

    (Unfolded, bit 0 of neighbouring words is correlated by .026, a line in the spectrum of an even area.)
    """
    a, b, c, d = pcg4d(group, block, frame, key)
    a = np.uint32(a ^ np.uint32(a >> _16))
    b = np.uint32(b ^ np.uint32(b >> _16))
    c = np.uint32(c ^ np.uint32(c >> _16))
    d = np.uint32(d ^ np.uint32(d >> _16))
    return a, b, c, d


@njit(cache=True, inline="always", nogil=True)
def white(byte: np.uint8) -> np.int16:
    """Sum of the two 4-bit numbers in a uint8, less its mean: int16 in -15..15.

    Symmetric; the filters make it normal. A word of the hash holds four of them, the lowest byte for the leftmost
    column, so that a row of words is a row of samples in memory.
    """
    return np.int16(np.int16(np.uint8(np.uint8(byte & _NIBBLE) + np.uint8(byte >> _4))) - np.int16(15))


def stream_key(seed: int, plane: int, octave: int) -> np.uint32:
    """The fourth counter word of one noise stream; streams of different planes and octaves are unrelated."""
    return np.uint32(pcg4d(np.uint32(seed), np.uint32(plane), np.uint32(octave), np.uint32(0x67726E6B))[3])


#: Unit energy of a one-dimensional filter of the fine and of the coarse octave is this integer: taps are
#: round(one g / |g|). With the shifts below a filtered row or column stays 19 standard deviations inside int16, and
#: the coarse octave 8 when it is enlarged: twice as many lanes as int32.
TAP_ONE, COARSE_ONE = 64, 48
#: Bits dropped after filtering along rows, and after blending rows of the coarse octave.
ROW_SHIFT, COARSE_SHIFT = 4, 4
#: What the filter takes in one trip along a row: that many taps to either side, and then as many again.
TAP_GROUP = 3
#: Standard deviation that the combined field is scaled to, in integer units.
FIELD_STD = 512
#: The field is clamped symmetrically here (4 standard deviations), so no tone can be pushed out of range.
FIELD_LIMIT = 4 * FIELD_STD - 1
#: Bits dropped after each octave is weighted: the upper half of a product is what vector units keep of 16 bits.
MIX_SHIFT = 16
#: Clumps: share of the energy that sits in the coarse octave, and how much wider it is (ALGORITHMS 5).
CLUMP_ENERGY = 0.30
CLUMP_RATIO = 2.2
#: Sigmas that the filters reach: further out a tap is below a thirty-eighth of the centre's.
TAP_REACH = 2.7
#: Below this sigma (px) a sampled Gaussian is one tap: grain is never finer than the pixel.
SIGMA_MIN = 0.30


def gaussian_taps(sigma: float, one: int = TAP_ONE) -> npt.NDArray[np.int16]:
    """Half of a symmetric integer Gaussian filter of unit energy (`one`): centre tap first.

    sigma: px, at least SIGMA_MIN. It reaches TAP_REACH or as far as taps are not 0, at least to the first; above
    TAP_GROUP taps to either side come in whole groups.
    """
    sigma = max(sigma, SIGMA_MIN)
    x = np.arange(max(1, math.floor(TAP_REACH * sigma)) + 1)
    g = np.exp(-(x**2) / (2 * sigma**2))
    norm = np.sqrt(g[0] ** 2 + 2 * np.sum(g[1:] ** 2))
    taps = np.asarray(np.rint(one * g / norm), np.int16)
    radius = max(1, int(np.flatnonzero(taps)[-1]))
    if radius > TAP_GROUP:
        radius = -(-radius // TAP_GROUP) * TAP_GROUP
    half = np.zeros(radius + 1, np.int16)
    half[: min(radius + 1, taps.size)] = taps[: radius + 1]
    return half


def autocorrelation(half: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    """Autocorrelation of the symmetric filter with these half taps, lags 0..2r, in units of TAP_ONE squared."""
    full = np.concatenate([half[:0:-1], half]).astype(np.float64)
    return np.correlate(full, full, "full")[len(full) - 1 :] / TAP_ONE**2


@dataclass(frozen=True, eq=False)
class NoiseFilter:
    """How white integer noise becomes a grain field: a fine octave and a half-resolution clump octave.

    fine_x, fine_y, coarse_x, coarse_y: half taps (centre first) of the separable filters.
    fine_weight, coarse_weight: integer weights of the octaves before MIX_SHIFT, below 2^15.
    std: exact standard deviation of the field in integer units, near FIELD_STD.
    """

    fine_x: npt.NDArray[np.int16]
    fine_y: npt.NDArray[np.int16]
    coarse_x: npt.NDArray[np.int16]
    coarse_y: npt.NDArray[np.int16]
    fine_weight: int
    coarse_weight: int
    std: float

    @staticmethod
    def of_size(sigma_x: float, sigma_y: float) -> NoiseFilter:
        """The filter for grain of this Gaussian sigma in px of the plane it is drawn on."""
        fine_x, fine_y = gaussian_taps(sigma_x), gaussian_taps(sigma_y)
        coarse_x, coarse_y = (
            gaussian_taps(max(s, SIGMA_MIN) * CLUMP_RATIO / 2, COARSE_ONE) for s in (sigma_x, sigma_y)
        )
        gain = WHITE_STD * TAP_ONE * TAP_ONE / (1 << ROW_SHIFT)
        fine_std = gain * math.sqrt(autocorrelation(fine_x)[0] * autocorrelation(fine_y)[0])
        # Twice enlarged with weights 3 and 1 each way, left unnormalised: variance 10 r(0) + 6 r(1) per axis.
        spread = [10 * r[0] + 6 * r[1] for r in (autocorrelation(coarse_x), autocorrelation(coarse_y))]
        coarse_std = gain / (1 << COARSE_SHIFT) * math.sqrt(spread[0] * spread[1])
        unit = FIELD_STD * (1 << MIX_SHIFT)
        fine_weight = round(unit * math.sqrt(1 - CLUMP_ENERGY) / fine_std)
        coarse_weight = round(unit * math.sqrt(CLUMP_ENERGY) / coarse_std)
        std = math.hypot(fine_weight * fine_std, coarse_weight * coarse_std) / (1 << MIX_SHIFT)
        return NoiseFilter(fine_x, fine_y, coarse_x, coarse_y, fine_weight, coarse_weight, std)

    def times(self, amount: float) -> NoiseFilter:
        """The filter of a field that is weaker, amount 0..1."""
        fine, coarse = round(self.fine_weight * amount), round(self.coarse_weight * amount)
        return replace(self, fine_weight=fine, coarse_weight=coarse, std=self.std * amount)

    def correlation(self, reach: int) -> npt.NDArray[np.float64]:
        """The field's autocorrelation at lags -reach..reach each way, (2 reach + 1, 2 reach + 1), rows first; 1 at 0.

        Exact, averaged over the four places that a sample may have in a sample of the coarse octave.
        """
        fine = np.outer(*(_lags(autocorrelation(taps), reach) for taps in (self.fine_y, self.fine_x)))
        coarse = np.outer(*(_enlarged(autocorrelation(taps), reach) for taps in (self.coarse_y, self.coarse_x)))
        whole = self.fine_weight**2 * fine + (self.coarse_weight / (1 << COARSE_SHIFT)) ** 2 * coarse
        return np.asarray(whole / whole[reach, reach])


def _lags(half: npt.NDArray[np.float64], reach: int) -> npt.NDArray[np.float64]:
    """A symmetric autocorrelation, given from lag 0 on, at lags -reach..reach."""
    padded = np.zeros(reach + 1)
    padded[: min(reach + 1, half.size)] = half[: reach + 1]
    return np.concatenate([padded[:0:-1], padded])


def _enlarged(half: npt.NDArray[np.float64], reach: int) -> npt.NDArray[np.float64]:
    """The same after enlarging twice with weights 3 and 1, averaged over even and odd places.

    Even places are 3 c[i] + c[i - 1], odd ones 3 c[i] + c[i + 1].
    """
    r = np.zeros(reach + 3)
    r[: min(r.size, half.size)] = half[: r.size]
    lags = np.empty(reach + 1)
    for lag in range(reach + 1):
        m, odd = divmod(lag, 2)
        before = r[abs(m - 1)]
        near, far = (r[m] + r[m + 1], before + r[m + 2]) if odd else (r[m], before + r[m + 1])
        lags[lag] = 7.5 * near + 0.5 * far if odd else 10 * near + 3 * far
    return _lags(lags, reach)
