"""What effects ask of the one pass over the pixels: slots that they fill in their order, and the tables these make.

A sample goes through the slots in this order: gains (a term for each frame, see `pass_term`; hues under a
matte are one, see `hue`), the luma curve, the
shoulder with the chroma factor, grain, and dither where codes are stored. An empty slot costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from grainkit.backends.shoulder import NO_SHOULDER, Shoulder
from grainkit.backends.tables import (
    F32,
    I32,
    LUMA_STEPS,
    NOT_FREE,
    PassTables,
    PlaneNoise,
    chroma_limits,
    fraction_bits,
    gain_shift,
    is_narrow,
    straight_shift,
)
from grainkit.picture.color import Color, chroma_codes, luma_codes
from grainkit.picture.noise import FIELD_LIMIT, FIELD_STD, NoiseFilter, stream_key

F64 = npt.NDArray[np.float64]
Filters = tuple[NoiseFilter, NoiseFilter, NoiseFilter]
#: Largest factor on chroma: a product with it fits into int32.
MOST_CHROMA = 64.0
#: A function of display luma, 0..1, in arrays of any shape.
OfLuma = Callable[[F64], F64]


@dataclass(frozen=True, eq=False)
class GrainSlot:
    """Grain to be drawn.

    deviation: standard deviation at display luma (0..1), both as shares of the range. sigma: Gaussian sigma of luma
    grain, px. chroma_sizes: of (Cb, Cr) grain on the picture relative to luma grain. chroma_shares: deviation of
    (Cb, Cr) relative to that of luma, all as shares of their range. seed: what it is drawn by. hold: frames that share
    one grain.
    """

    deviation: OfLuma
    sigma: float
    chroma_sizes: tuple[float, float]
    chroma_shares: tuple[float, float]
    seed: int
    hold: int = 1


@dataclass(frozen=True, eq=False)
class Slots:
    """What is asked of one pass beside the terms of each frame. Empty slots change nothing.

    luma_curve: display luma 0..1 to 0..1; what lies beyond stays as far beyond its ends. chroma_by_luma: factor,
    0..MOST_CHROMA, on Cb and Cr by the source's display luma. Both are None for nothing.
    """

    luma_curve: OfLuma | None = None
    chroma_by_luma: OfLuma | None = None
    shoulder: Shoulder = NO_SHOULDER
    grain: GrainSlot | None = None

    def with_luma_curve(self, curve: OfLuma) -> Slots:
        """These slots with another curve, which goes over the luma that the curves before it made."""
        before = self.luma_curve
        return replace(self, luma_curve=curve if before is None else lambda y: curve(before(y)))

    def with_chroma_by_luma(self, factor: OfLuma) -> Slots:
        """These slots with another factor on Cb and Cr, which multiplies those before it."""
        before = self.chroma_by_luma
        return replace(self, chroma_by_luma=factor if before is None else lambda y: before(y) * factor(y))


def tables_of(slots: Slots, *, source: Color, target: Color) -> PassTables:
    """Tables for planes in `source` colours, stored as `target`. Both integer, or float to float or integer."""
    shoulder, grain = slots.shoulder, slots.grain
    noise, luma_share, chroma_share, hold = None, 1.0, 1.0, 1
    if grain is not None:
        sizes = plane_filters(source.subsampling, grain.sigma, grain.chroma_sizes)
        luma_share, chroma_share, filters = _balanced(sizes, grain.chroma_shares)
        noise, hold = _plane_noise(filters, grain.seed), grain.hold

    is_straight = shoulder.is_identity and slots.luma_curve is None and slots.chroma_by_luma is None
    if source.is_float:
        plain = np.linspace(0.0, 1.0, LUMA_STEPS + 1)
        curved = _curved(slots.luma_curve, plain)
        deviation = _deviation(grain, shoulder.roll(curved))
        amounts = [np.asarray(deviation * share, np.float32) for share in (luma_share, chroma_share)]
        empty = np.empty(0, np.int32)
        idle = is_straight and noise is None and target.is_float
        return PassTables(
            source, target, shoulder, noise, hold, *_luma_tables(slots, plain, curved),
            empty, -1, NOT_FREE, amounts[0], empty, -1, NOT_FREE, amounts[1], is_identity=idle,
        )  # fmt: skip

    one = float(1 << fraction_bits(target.depth))
    codes = np.arange(1 << source.depth, dtype=np.float64)
    (black, white), (out_black, out_white) = (luma_codes(c.depth, c.range) for c in (source, target))
    (grey, unit), (out_grey, out_unit) = (chroma_codes(c.depth, c.range) for c in (source, target))
    plain = (codes - black) / (white - black)
    curved = _curved(slots.luma_curve, plain)
    luma = shoulder.roll(curved)
    # What lies beyond the range of the target (blacker than black, in full range) lands on its end.
    last = (1 << target.depth) - 1
    value = _fixed(np.clip(out_black + luma * (out_white - out_black), 0, last) * one)
    chroma = _fixed(np.clip(out_grey + (codes - grey) / unit * out_unit, 0, last) * one)
    deviation = _deviation(grain, luma)
    idle = noise is None and is_straight and (source.depth, source.range) == (target.depth, target.range)
    luma_gain = _gain(deviation * (out_white - out_black) * luma_share, target)
    chroma_gain = _gain(deviation * out_unit * chroma_share, target)
    luma_straight, chroma_straight = (_straight(curve, source, target) for curve in (value, chroma))
    return PassTables(
        source, target, shoulder, noise, hold, *_luma_tables(slots, plain, curved),
        value, luma_straight, _free(value, luma_straight, luma_gain, (0, last), target), luma_gain,
        chroma, chroma_straight, _free(chroma, chroma_straight, chroma_gain.max(), chroma_limits(target), target),
        chroma_gain, is_identity=idle,
    )  # fmt: skip


def _curved(curve: OfLuma | None, luma: F64) -> F64:
    """Luma after a curve over 0..1; what lies beyond stays as far beyond the curve's ends."""
    if curve is None:
        return luma
    inside = np.clip(luma, 0.0, 1.0)
    return curve(inside) + (luma - inside)


def _luma_tables(slots: Slots, luma: F64, curved: F64) -> tuple[F32, F32]:
    """luma_curve and chroma_factor of PassTables. curved: that luma after the curve."""
    empty, factor = np.empty(0, np.float32), slots.chroma_by_luma
    return (
        empty if slots.luma_curve is None else np.asarray(curved, np.float32),
        empty if factor is None else np.asarray(np.clip(factor(np.clip(luma, 0.0, 1.0)), 0.0, MOST_CHROMA), np.float32),
    )


def _deviation(grain: GrainSlot | None, luma: F64) -> F64:
    return np.zeros_like(luma) if grain is None else grain.deviation(luma)


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


def _fixed(values: F64) -> I32:
    return np.asarray(np.rint(values), np.int32)


def _gain(codes: F64, target: Color) -> I32:
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
