"""AV1 film grain parameters that make the grain which a recipe asks for.

The autoregressive coefficients solve the Yule-Walker equations of our own filter's autocorrelation, with a ridge
(unregularised they explode for grain above 1 px). Which ridge, and how many binary places, is decided after
rounding to eight bits, by what a decoder's template then looks like.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grainkit.backends.slots import plane_filters
from grainkit.effects.grain.av1.film_grain import MAX_CHROMA_POINTS, MAX_LUMA_POINTS, FilmGrain, Points
from grainkit.effects.grain.av1.template import LAG, NEIGHBOURS, REACH, WHITE_DEVIATION, measure
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.picture.color import Color, Range, chroma_codes, luma_codes

F64 = npt.NDArray[np.float64]
C128 = npt.NDArray[np.complex128]

_RIDGES = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.06, 0.1, 0.2)
#: Binary places of coefficients (9, the most there may be, is never better by a visible amount).
_AR_SHIFTS = (8, 7, 6)
#: Coefficients are chosen on fine, unclipped templates: 12 bits, with the white noise brought down by this shift.
_FINE_DEPTH, _FINE_SHIFT = 12, 3
#: Templates that a choice is made by, and that the amount is told from in the end.
_DRAWS, _FINAL_DRAWS = 16, 128
#: Templates are clipped at 127 (8-bit scale); up to this deviation they keep their tails.
_MAX_DEVIATION = 36.0
#: The gain that reaches it from the least white noise; filters above are near to instability, or over it.
_MAX_GAIN = _MAX_DEVIATION / (WHITE_DEVIATION / 2**4 / 2**3)
#: Scaling at the peak below which its rounding to a whole number would show.
_MIN_SCALING = 64
#: Luma samples along a block of grain. Blocks know nothing of each other.
_BLOCK = 32
#: Of the plane that has no grain where the other has: 4:2:0 wants points for both.
_NONE: Points = ((0, 0),)
#: Side of the grid that spectra are looked at on, and rounds of refinement at most.
_GRID, _SWEEPS = 64, 12


@dataclass(frozen=True)
class Fitted:
    """grain: the parameters. correlation_error: rms difference of luma's autocorrelation from that asked."""

    grain: FilmGrain
    correlation_error: float


def fit_film_grain(grain: CinemaGrain, color: Color, width: int, height: int, dpi: float = 0.0) -> Fitted:
    """Parameters for this grain on pictures of this size.

    color: what the numbers that are encoded mean; integers of 8 to 12 bits.
    """
    subsamplings = [(1, 1), color.subsampling, color.subsampling]
    filters = plane_filters(color.subsampling, grain.sigma_px(width, height, dpi), grain.chroma_sizes)
    fits = [_plane_fits(f.correlation(2 * REACH), sub) for f, sub in zip(filters, subsamplings, strict=True)]
    # One number of places serves all planes.
    ar_shift = min((s for s in _AR_SHIFTS if all(s in f for f in fits)), key=lambda s: sum(f[s].error for f in fits))
    chosen = [f[ar_shift] for f in fits]

    unit = float(1 << color.depth - 8)
    amounts = _amounts(grain, color)
    scale_shift = _scale_shift(max(c.gain for c in chosen), chosen[0].gain, float(amounts[0].max()))
    deviations = [
        measure(c.coefficients, ar_shift=ar_shift, scale_shift=scale_shift, depth=color.depth, subsampling=sub,
                draws=_FINAL_DRAWS).deviation / unit
        for c, sub in zip(chosen, subsamplings, strict=True)
    ]  # fmt: skip
    per_unit = [amount / deviation for amount, deviation in zip(amounts, deviations, strict=True)]
    peak = max(float(p.max()) for p in per_unit)
    scaling_shift = next((s for s in (11, 10, 9) if peak * 2**s <= 255), 8)
    luma, cb, cr = (np.minimum(p * 2**scaling_shift, 255.0) for p in per_unit)
    has_chroma = any(share > 0.0 for share in grain.chroma_shares)
    # Chroma's last coefficient takes from the luma template, and our chroma grain does not.
    return Fitted(
        FilmGrain(
            _points(luma, MAX_LUMA_POINTS),
            _points(cb, MAX_CHROMA_POINTS) or _NONE if has_chroma else (),
            _points(cr, MAX_CHROMA_POINTS) or _NONE if has_chroma else (),
            scaling_shift,
            LAG,
            chosen[0].coefficients,
            (*chosen[1].coefficients, 0),
            (*chosen[2].coefficients, 0),
            ar_shift,
            scale_shift,
            clip=color.range is Range.LIMITED,
        ),
        chosen[0].error,
    )


@dataclass(frozen=True)
class _Fit:
    """Coefficients of one plane; the deviation that they give white noise of deviation 1; the rms error."""

    coefficients: tuple[int, ...]
    gain: float
    error: float


def _plane_fits(target: F64, subsampling: tuple[int, int]) -> dict[int, _Fit]:
    """The best fit for each number of binary places that holds one, by that number.

    target: autocorrelation at lags -2 REACH..2 REACH each way.
    """
    centre = 2 * REACH
    seen = target[centre : centre + REACH + 1, REACH : 3 * REACH + 1]
    seams = _seams(subsampling)
    best: dict[int, _Fit] = {}

    def tried(coefficients: tuple[int, ...], ar_shift: int) -> _Fit:
        found = measure(
            coefficients, ar_shift=ar_shift, scale_shift=_FINE_SHIFT, depth=_FINE_DEPTH, subsampling=subsampling,
            draws=_DRAWS,
        )  # fmt: skip
        error = float(np.sqrt(np.mean((found.correlation * seams - seen) ** 2)))
        gain = found.deviation * 2.0**_FINE_SHIFT / WHITE_DEVIATION
        return _Fit(coefficients, gain, error if gain <= _MAX_GAIN else math.inf)

    for ar_shift in _AR_SHIFTS:
        fits = []
        for exact in _yule_walker(target):
            rounded = np.rint(exact * 2.0**ar_shift)
            if np.abs(rounded).max() <= 127:
                fits.append(tried(tuple(int(c) for c in rounded), ar_shift))
        if fits:
            start = min(fits, key=lambda f: f.error)
            fits.append(tried(_refined(start.coefficients, ar_shift, seen, seams), ar_shift))
            best[ar_shift] = min(fits, key=lambda f: f.error)
    return best


def _seams(subsampling: tuple[int, int]) -> F64:
    """Share of the pairs at each measured lag that lie in one block of grain: others are unrelated."""
    lags = np.abs(np.arange(-REACH, REACH + 1))
    across, down = (1 - lags * step / _BLOCK for step in subsampling)
    return np.outer(down[REACH:], across)


def _yule_walker(target: F64) -> Iterator[F64]:
    """Coefficients for each ridge."""
    centre = 2 * REACH
    offsets = np.array(NEIGHBOURS)
    apart = offsets[:, None] - offsets[None] + centre
    matrix = target[apart[..., 0], apart[..., 1]]
    right = target[offsets[:, 0] + centre, offsets[:, 1] + centre]
    for ridge in _RIDGES:
        yield np.linalg.solve(matrix + ridge * np.eye(len(NEIGHBOURS)), right)


def _refined(coefficients: tuple[int, ...], ar_shift: int, seen: F64, seams: F64) -> tuple[int, ...]:
    """Coefficients moved one step at a time while that brings the autocorrelation nearer.

    It is told from the filter's spectrum, 1 / |1 - sum c e^(-i w d)|^2, which is quick and knows nothing of stability.
    """
    down, across = np.fft.fftfreq(_GRID)[:, None], np.fft.rfftfreq(_GRID)[None]
    phases = [2 * np.pi * (dy * down + dx * across) for dy, dx in NEIGHBOURS]
    waves = [np.asarray(np.exp(-1j * phase) / 2.0**ar_shift, np.complex128) for phase in phases]
    columns = np.arange(-REACH, REACH + 1)

    def error(response: C128) -> float:
        correlation = np.fft.irfft2(1.0 / (np.abs(response) ** 2 + 1e-12), s=(_GRID, _GRID))
        return float(np.mean((correlation[: REACH + 1, columns] / correlation[0, 0] * seams - seen) ** 2))

    found = list(coefficients)
    response = np.ones((_GRID, _GRID // 2 + 1), np.complex128)
    for c, wave in zip(found, waves, strict=True):
        response -= c * wave
    least = error(response)
    for _ in range(_SWEEPS):
        before = least
        for i, wave in enumerate(waves):
            for step in (1, -1):
                while abs(found[i] + step) <= 127 and (less := error(response - step * wave)) < least:
                    found[i], response, least = found[i] + step, response - step * wave, less
        if least > 0.98 * before:
            break
    return tuple(found)


def _scale_shift(largest: float, luma: float, peak: float) -> int:
    """Halvings of the white noise that keep templates off the clip, and scalings off the coarse end.

    largest, luma: gain of the planes' filters. peak: greatest amount of luma grain, codes of 255.
    """
    for shift in range(3):
        white = WHITE_DEVIATION / 16.0 / (1 << shift)
        if white * largest <= _MAX_DEVIATION and peak / (white * luma) * 2**11 >= _MIN_SCALING:
            return shift
    return 3


def _amounts(grain: CinemaGrain, color: Color) -> list[F64]:
    """Deviation of (Y, Cb, Cr) grain by 8-bit luma code, codes of 255, before the decoder rounds it."""
    unit = float(1 << color.depth - 8)
    black, white = luma_codes(color.depth, color.range)
    luma: F64 = (np.arange(256.0) * unit - black) / (white - black)
    share = grain.deviation(luma)
    chroma = chroma_codes(color.depth, color.range)[1]
    spans = [white - black, *(chroma * s for s in grain.chroma_shares)]
    return [_before_rounding(share * span) / unit for span in spans]


def _before_rounding(deviation: F64) -> F64:
    """Deviation of normal numbers that have this one after rounding to whole numbers.

    E[round(x)^2] is the sum over k >= 1 of (2 k - 1) P(|x| > k - 1/2).
    """
    before = np.linspace(0.05, 4.0, 400)
    after = [
        math.sqrt(sum((2 * k - 1) * math.erfc((k - 0.5) / (s * math.sqrt(2))) for k in range(1, 25))) for s in before
    ]
    far = np.sqrt(np.maximum(deviation**2 - 1 / 12, 0.0))
    near = np.interp(deviation, [0.0, *after], [0.0, *before])
    return np.where(deviation > after[-1], far, near)


def _points(scaling: F64, most: int) -> Points:
    """At most so many points whose straight connections come nearest to `scaling`, (256,), 0 at both ends."""
    used = np.flatnonzero(scaling)
    if not used.size:
        return ()
    codes = np.arange(256)
    knots = [max(int(used[0]) - 1, 0), min(int(used[-1]) + 1, 255)]
    while len(knots) < most:
        error = np.abs(np.interp(codes, knots, scaling[knots]) - scaling)
        worst = int(error.argmax())
        if error[worst] < 0.5:
            break
        insort(knots, worst)
    return tuple((k, round(float(scaling[k]))) for k in knots)
