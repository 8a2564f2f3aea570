"""What the effects ask of the one pass over the pixels, as the tables a backend can run."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from grainkit.backends.tables import (
    FLOAT_GAIN_STEPS,
    I32,
    NOT_FREE,
    PassTables,
    PlaneNoise,
    chroma_limits,
    fraction_bits,
    gain_shift,
    is_narrow,
    straight_shift,
)
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.picture.color import Color, chroma_codes, luma_codes
from grainkit.picture.noise import FIELD_LIMIT, FIELD_STD, NoiseFilter, stream_key

Filters = tuple[NoiseFilter, NoiseFilter, NoiseFilter]


def pass_tables(
    guard: HighlightGuard,
    grain: CinemaGrain,
    *,
    source: Color,
    target: Color,
    width: int,
    height: int,
    seed: int,
    dpi: float = 0.0,
    rate: Fraction | None = None,
) -> PassTables:
    """Tables for frames of width x height px in `source` colours, stored as `target`.

    Highlight protection is left out for HDR: its knee is a notion of SDR (DESIGN 2).
    """
    if source.is_hdr and guard.strength:
        guard = HighlightGuard(strength=0.0)
    shoulder = guard.shoulder
    noise, luma_share, chroma_share = None, 1.0, 1.0
    if grain.strength:
        sizes = plane_filters(source.subsampling, grain.sigma_px(width, height, dpi), grain.chroma_sizes)
        luma_share, chroma_share, filters = _balanced(sizes, grain.chroma_shares)
        noise = _plane_noise(filters, seed)

    if source.is_float:
        luma = shoulder.roll(np.linspace(0.0, 1.0, FLOAT_GAIN_STEPS + 1))
        deviation = grain.deviation(luma)
        amounts = [np.asarray(deviation * share, np.float32) for share in (luma_share, chroma_share)]
        empty = np.empty(0, np.int32)
        idle = shoulder.is_identity and noise is None and target.is_float
        return PassTables(
            source, target, shoulder, noise, grain.frames_held(rate),
            empty, -1, NOT_FREE, amounts[0], empty, -1, NOT_FREE, amounts[1], is_identity=idle,
        )  # fmt: skip

    one = float(1 << fraction_bits(target.depth))
    codes = np.arange(1 << source.depth, dtype=np.float64)
    (black, white), (out_black, out_white) = (luma_codes(c.depth, c.range) for c in (source, target))
    (grey, unit), (out_grey, out_unit) = (chroma_codes(c.depth, c.range) for c in (source, target))
    luma = shoulder.roll((codes - black) / (white - black))
    # What lies beyond the range of the target (blacker than black, in full range) lands on its end.
    last = (1 << target.depth) - 1
    value = _fixed(np.clip(out_black + luma * (out_white - out_black), 0, last) * one)
    chroma = _fixed(np.clip(out_grey + (codes - grey) / unit * out_unit, 0, last) * one)
    deviation = grain.deviation(luma)
    idle = noise is None and shoulder.is_identity and (source.depth, source.range) == (target.depth, target.range)
    luma_gain = _gain(deviation * (out_white - out_black) * luma_share, target)
    chroma_gain = _gain(deviation * out_unit * chroma_share, target)
    luma_straight, chroma_straight = (_straight(curve, source, target) for curve in (value, chroma))
    return PassTables(
        source, target, shoulder, noise, grain.frames_held(rate),
        value, luma_straight, _free(value, luma_straight, luma_gain, (0, last), target), luma_gain,
        chroma, chroma_straight, _free(chroma, chroma_straight, chroma_gain.max(), chroma_limits(target), target),
        chroma_gain, is_identity=idle,
    )  # fmt: skip


def _free(
    curve: I32, straight: int, gain: npt.NDArray[np.int32] | np.int32, limits: tuple[int, int], target: Color
) -> tuple[int, int]:
    """The run of codes around the middle whose grain never leaves the limits; gain: by code, or at its most."""
    if not is_narrow(target.depth) or straight < 0:
        return NOT_FREE
    bits, shift = fraction_bits(target.depth), gain_shift(target.depth)
    down, up = ((sign * FIELD_LIMIT * gain) >> shift for sign in (-1, 1))
    fits = (curve + down >= limits[0] << bits) & (curve + up <= limits[1] << bits)
    fits &= np.arange(curve.size) <= straight
    broken, middle = np.flatnonzero(~fits), curve.size // 2
    if not fits[middle]:
        return NOT_FREE
    below, above = broken[broken < middle], broken[broken > middle]
    return int(below[-1]) + 1 if below.size else 0, int(above[0]) - 1 if above.size else curve.size - 1


def _fixed(values: npt.NDArray[np.float64]) -> I32:
    return np.asarray(np.rint(values), np.int32)


def _gain(codes: npt.NDArray[np.float64], target: Color) -> I32:
    """Codes of grain per unit of field as a table of at most an eighth of the range, which keeps products in int32."""
    depth, bits = target.depth, fraction_bits(target.depth) + gain_shift(target.depth)
    return np.minimum(_fixed(codes * (1 << bits)), np.int32((1 << depth + bits) // (8 * FIELD_STD) - 1))


def _straight(curve: I32, source: Color, target: Color) -> int:
    shift = straight_shift(source, target)
    if shift < 0:
        return -1
    bent = np.flatnonzero(curve != np.arange(curve.size, dtype=np.int32) << shift)
    return int(bent[0]) - 1 if bent.size else curve.size - 1


def _plane_noise(filters: Filters, seed: int) -> tuple[PlaneNoise, PlaneNoise, PlaneNoise]:
    fields = [
        PlaneNoise(size, stream_key(seed, plane, 0), stream_key(seed, plane, 1)) for plane, size in enumerate(filters)
    ]
    return fields[0], fields[1], fields[2]


def _balanced(filters: Filters, chroma_shares: tuple[float, float]) -> tuple[float, float, Filters]:
    """What a unit of the fields of luma and of chroma counts for luma grain of one, and filters for which it does."""
    luma, *chroma = filters
    shares = [share / size.std for share, size in zip(chroma_shares, chroma, strict=True)]
    most = max(shares)
    cb, cr = (size.times(share / most) for share, size in zip(shares, chroma, strict=True)) if most else chroma
    return 1 / luma.std, most, (luma, cb, cr)


def plane_filters(subsampling: tuple[int, int], sigma: float, chroma_sizes: tuple[float, float]) -> Filters:
    """Filters for (Y, Cb, Cr): luma grain of sigma px; on the picture, chroma grain is as large times chroma_sizes."""
    across, down = subsampling
    cb, cr = chroma_sizes
    return (
        NoiseFilter.of_size(sigma, sigma),
        NoiseFilter.of_size(sigma * cb / across, sigma * cb / down),
        NoiseFilter.of_size(sigma * cr / across, sigma * cr / down),
    )
