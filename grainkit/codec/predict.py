"""How much of a grain's pattern a codec keeps, in closed form: no trial encode.

A transform coefficient of grain is normal with a deviation s that its band and the grain's size give. A
quantiser of step q keeps of it, as a regression coefficient, E[c Q(c)] / E[c^2], where with its thresholds
at (k - f) q

    E[c Q(c)] = 2 q s sum_k phi((k - f) q / s),    phi the standard normal density,

because the integral of c over the tail beyond t is s phi(t / s). The share that survives is the sum over
the AC bands of an 8x8 block, each as far as it counts as texture, over the tones that the picture has. For JPEG f is
1/2 and q the quantisation table; for H.264 and HEVC q is 2^((QP - 4) / 6) and f is VIDEO_ROUNDING, between
x264's dead zones for intra and inter blocks. Locked grain is coded once, in the key frame, and carried from
there, so its steps are those of the key frame's QP and f is that of intra blocks. Frames that follow refine it, so
where next to nothing is predicted up to a third is left; from a half on it holds to about 0.05.

Where the picture itself has coefficients beside the grain's, less is lost than predicted: the sum is for smooth
areas, which is where grain is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.picture.noise import CLUMP_ENERGY, NoiseFilter, autocorrelation

F64 = npt.NDArray[np.float64]

#: Share of a step from which a video encoder rounds a level up: 1/3 for intra blocks, 1/6 for inter blocks.
VIDEO_ROUNDING = 0.25
#: Rounding of locked grain: that of intra blocks.
LOCKED_ROUNDING = 1 / 3
#: Rounding of JPEG: to the nearest level.
JPEG_ROUNDING = 0.5
#: Tones that a picture is summed up by.
TONES = 16
#: Variance of the dither that goes along with the grain, codes of 255: 1/6 in each of R', G' and B', so in luma.
DITHER = (0.2126**2 + 0.7152**2 + 0.0722**2) / 6
_BLOCK = 8
_LEVELS = np.arange(1, 65, dtype=np.float64)
#: Halvings of the range of QPs: to a tenth of one.
_HALVINGS = 9
#: Below this step, in deviations, nothing is lost.
_FINE = 0.15
#: Deviation, px, of the Gaussian that is taken away from a picture to leave its texture; what is measured is what
#: is predicted, so measures and prediction share it.
TEXTURE_SIGMA = 3.0


@dataclass(frozen=True, eq=False)
class Tones:
    """What luma the judged part of a picture has: values 0..1 and the share of the pixels near each."""

    luma: F64
    share: F64

    @staticmethod
    def of(luma: npt.NDArray[np.float32]) -> Tones:
        """Summary of these luma samples (any shape, not empty)."""
        share, edges = np.histogram(np.clip(luma, 0, 1), TONES, (0, 1))
        return Tones((edges[:-1] + edges[1:]) / 2, share / share.sum())


def survival(
    grain: CinemaGrain, sigma: float, tones: Tones, steps: F64, *, rounding: float = JPEG_ROUNDING, scale: float = 1.0
) -> float:
    """The share of a grain's pattern left in luma by a quantiser, 0..1.

    sigma: the grain's in px of the delivery. scale: px of the encode per px of the delivery, at most 1.
    steps: (8, 8) quantiser steps in codes of 255, as a JPEG's luma table holds them. rounding: f above.
    """
    bands = _bands_of(sigma, scale)
    seen = _seen()
    deviations = 255.0 * grain.deviation(tones.luma)
    kept = total = 0.0
    for deviation, share in zip(deviations, tones.share, strict=True):
        energies = bands * deviation**2 + DITHER
        kept += share * float((seen * _kept(energies, steps, rounding)).sum())
        total += share * float((seen * energies).sum())
    return kept / total if total > 0 else 0.0


def video_steps(qp: float) -> F64:
    """(8, 8) quantiser steps of H.264 and HEVC at a luma QP, in codes of 255."""
    return np.full((_BLOCK, _BLOCK), 0.625 * 2.0 ** (qp / 6.0))


def qp_that_leaves(share: float, left: Callable[[float], float]) -> float:
    """The QP, of 0 to 51, at which a falling `left` comes to this share: what an encoder that tells no QP used."""
    low, high = 0.0, 51.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if left(middle) > share else (low, middle)
    return (low + high) / 2


def band_energies(noise: NoiseFilter, scale: float = 1.0) -> F64:
    """(8, 8) variances of the block transform's coefficients for a field that had deviation 1 before resizing."""
    octaves = ((1 - CLUMP_ENERGY, noise.fine_x, noise.fine_y, 1), (CLUMP_ENERGY, noise.coarse_x, noise.coarse_y, 2))
    found = np.zeros((_BLOCK, _BLOCK))
    for energy, across, down, enlarged in octaves:
        rows, columns = (_band_line(_lags(half, enlarged), scale) for half in (down, across))
        found += energy * rows[:, None] * columns
    return found


@lru_cache(maxsize=64)
def _bands_of(sigma: float, scale: float) -> F64:
    return band_energies(NoiseFilter.of_size(sigma, sigma), scale)


@lru_cache(maxsize=1)
def _seen() -> F64:
    """(8, 8) share of each coefficient's energy that counts as texture: what the high-pass leaves of its basis."""
    side = 8 * _BLOCK
    wave = np.fft.fftfreq(side)
    square = np.add.outer(wave**2, wave**2)
    high_pass = 1 - np.exp(-2 * (np.pi * TEXTURE_SIGMA) ** 2 * square)
    line = np.abs(np.fft.fft(_basis(), side, axis=1)) ** 2 / side
    seen = np.asarray(np.einsum("iy,jx,yx->ij", line, line, high_pass**2))
    # Means of neighbouring blocks go together; next to nothing of them is left by the high-pass.
    seen[0, 0] = 0.0
    return seen


def _kept(energies: F64, steps: F64, rounding: float) -> F64:
    """E[c Q(c)] of normal coefficients with these variances."""
    s = np.sqrt(energies)
    ratio = np.divide(steps, s, out=np.full_like(s, np.inf), where=s > 0)
    tails = np.zeros_like(s)
    coarse = np.isfinite(ratio) & (ratio >= _FINE)
    beyond = (_LEVELS - rounding)[:, None] * ratio[coarse]
    tails[coarse] = np.exp(-0.5 * beyond**2).sum(0) / np.sqrt(2 * np.pi)
    return np.where(ratio < _FINE, energies, 2 * steps * s * tails)


def _lags(half: npt.NDArray[np.int16], enlarged: int) -> F64:
    """Autocorrelation, lag 0 first and 1 there, of the field that these half taps filter white noise into."""
    if enlarged == 1:
        lags = autocorrelation(half)
    else:
        # Twice enlarged with weights 1 3 3 1, averaged over the two phases.
        full = np.concatenate([half[:0:-1], half]).astype(np.float64)
        zeros = np.zeros(2 * full.size - 1)
        zeros[::2] = full
        taps = np.convolve(zeros, (1.0, 3.0, 3.0, 1.0))
        lags = np.correlate(taps, taps, "full")[taps.size - 1 :]
    return np.asarray(lags / lags[0])


def _band_line(lags: F64, scale: float) -> F64:
    """Variances of the 8 coefficients of a one-dimensional transform block, after resizing by `scale`."""
    if scale < 1.0:
        # What a good resize leaves: the spectrum below the new Nyquist frequency, at the new spacing.
        grid = np.linspace(0.0, scale / 2, 513)
        spectrum = lags[0] + 2 * (lags[1:] * np.cos(2 * np.pi * np.outer(grid, np.arange(1, lags.size)))).sum(1)
        waves = np.cos(2 * np.pi * np.outer(np.arange(_BLOCK), grid) / scale)
        lags = 2 * np.trapezoid(waves * spectrum, grid, axis=1)
    near = np.zeros(_BLOCK)
    near[: min(_BLOCK, lags.size)] = lags[:_BLOCK]
    covariance = near[np.abs(np.subtract.outer(np.arange(_BLOCK), np.arange(_BLOCK)))]
    basis = _basis()
    return np.asarray(np.einsum("ij,jk,ik->i", basis, covariance, basis))


def _basis() -> F64:
    """The orthonormal 8-point DCT-II, one row a frequency."""
    n = np.arange(_BLOCK)
    rows = np.sqrt(2 / _BLOCK) * np.cos(np.pi * (2 * n + 1) * n[:, None] / (2 * _BLOCK))
    rows[0] /= np.sqrt(2)
    return np.asarray(rows)
