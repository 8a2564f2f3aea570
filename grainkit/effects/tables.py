"""What the effects ask of the one pass over the pixels, as tables and filters a backend can run.

Made once per job from (recipe, colours, size); the pass itself knows no parameters. Integer planes
are worked in fixed point: a value v of the output is v * 2^fraction_bits, so table look-ups do depth
and range conversion for free, and the same bits come out of every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from grainkit.color import Color, chroma_codes, luma_codes
from grainkit.effects.cinema_grain import CinemaGrain
from grainkit.effects.highlight_guard import HighlightGuard, Shoulder
from grainkit.noise import FIELD_LIMIT, FIELD_STD, NoiseFilter, stream_key

I32 = npt.NDArray[np.int32]
F32 = npt.NDArray[np.float32]

Filters = tuple[NoiseFilter, NoiseFilter, NoiseFilter]

#: Entries of a gain table over luma 0..1 for float planes (read with linear interpolation).
FLOAT_GAIN_STEPS = 1024
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
    luma, chroma: by source code, the target value in fixed point, int32, luma with the shoulder in it.
        Float planes: empty.
    luma_straight, chroma_straight: last code up to which the curve is code << straight_shift, which needs no
        look-up; -1 where there is none.
    luma_free, chroma_free: first and last code between which, moreover, no grain needs to be clamped; (1, 0) for none.
    luma_gain, chroma_gain: by source luma code, grain per unit of field in fixed point << gain_shift,
        int32. Cb and Cr share one: what one of them has less is in the weights of its noise. Float planes:
        normalised float32 over luma 0..1, FLOAT_GAIN_STEPS + 1 entries.
    is_identity: the pass would change nothing.
    """

    source: Color
    target: Color
    shoulder: Shoulder
    noise: tuple[PlaneNoise, PlaneNoise, PlaneNoise] | None
    hold: int
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
        return _straight_shift(self.source, self.target)

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
    shoulder = Shoulder.of(guard)
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


def chroma_limits(target: Color) -> tuple[int, int]:
    """First and last code of Cb and Cr."""
    middle, spread = chroma_codes(target.depth, target.range)
    return round(middle - spread / 2), min(round(middle + spread / 2), (1 << target.depth) - 1)


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


def _straight_shift(source: Color, target: Color) -> int:
    return fraction_bits(target.depth) + target.depth - source.depth


def _straight(curve: I32, source: Color, target: Color) -> int:
    shift = _straight_shift(source, target)
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
