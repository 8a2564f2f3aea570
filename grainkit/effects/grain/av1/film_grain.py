"""The film grain parameters of AV1 (specification 5.9.30 and 6.8.20), as a value and as bits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from grainkit.effects.grain.av1.bits import BitWriter

#: (value 0..255, scaling 0..255), values rising.
Points = tuple[tuple[int, int], ...]

MAX_LUMA_POINTS, MAX_CHROMA_POINTS = 14, 10
#: (mult, luma_mult, offset) with which chroma grain follows luma alone: index = (luma * 64) >> 6.
FOLLOW_LUMA = (128, 192, 256)


@dataclass(frozen=True)
class FilmGrain:
    """One set of parameters; what a seed makes noise of.

    luma_points, cb_points, cr_points: how the amount follows the 8-bit code, at most 14, 10 and 10 points.
        Noise is template * scaling / 2^scaling_shift.
    scaling_shift: 8..11. scale_shift: 0..3, halvings of the white noise that the template is made of.
    lag: 0..3, reach of the autoregressive filter. ar_shift: 6..9, binary places of its coefficients.
    luma_coefficients: 2 lag (lag + 1) of them, -128..127, in raster order.
    cb_coefficients, cr_coefficients: one more each, the last for the luma template.
    cb_mix, cr_mix: (mult, luma_mult, offset) as coded, which make the index into chroma points.
    overlap: blend neighbouring blocks. clip: to the limited range. chroma_from_luma: chroma uses luma's points.
    Raises ValueError for what AV1 cannot code.
    """

    luma_points: Points
    cb_points: Points
    cr_points: Points
    scaling_shift: int
    lag: int
    luma_coefficients: tuple[int, ...]
    cb_coefficients: tuple[int, ...]
    cr_coefficients: tuple[int, ...]
    ar_shift: int
    scale_shift: int
    cb_mix: tuple[int, int, int] = FOLLOW_LUMA
    cr_mix: tuple[int, int, int] = FOLLOW_LUMA
    overlap: bool = True
    clip: bool = True
    chroma_from_luma: bool = False

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("scaling shift", self.scaling_shift, 8, 11), ("lag", self.lag, 0, 3),
            ("coefficient shift", self.ar_shift, 6, 9), ("grain scale shift", self.scale_shift, 0, 3),
        ):  # fmt: skip
            _require(low <= value <= high, f"{name} {value} is outside {low} to {high}")
        for name, points, most in (
            ("luma", self.luma_points, MAX_LUMA_POINTS), ("Cb", self.cb_points, MAX_CHROMA_POINTS),
            ("Cr", self.cr_points, MAX_CHROMA_POINTS),
        ):  # fmt: skip
            _require(len(points) <= most, f"{len(points)} {name} points are more than {most}")
            _require(all(0 <= n <= 255 for point in points for n in point), f"a {name} point is outside 0 to 255")
            rising = all(a[0] < b[0] for a, b in pairwise(points))
            _require(rising, f"the values of {name} points do not rise")
        _require(bool(self.cb_points) == bool(self.cr_points), "only one of Cb and Cr has points; 4:2:0 wants both")
        luma = 2 * self.lag * (self.lag + 1)
        for name, coefficients, count in (
            ("luma", self.luma_coefficients, luma), ("Cb", self.cb_coefficients, luma + 1),
            ("Cr", self.cr_coefficients, luma + 1),
        ):  # fmt: skip
            _require(len(coefficients) == count, f"{len(coefficients)} {name} coefficients, where lag wants {count}")
            _require(all(-128 <= c <= 127 for c in coefficients), f"a {name} coefficient is outside -128 to 127")
        for mult, luma_mult, offset in (self.cb_mix, self.cr_mix):
            fits = 0 <= mult <= 255 and 0 <= luma_mult <= 255 and 0 <= offset <= 511
            _require(fits, "a chroma multiplier is outside 0 to 255, or an offset outside 0 to 511")


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)


def put_grain(
    bits: BitWriter, grain: FilmGrain | None, seed: int, *, is_inter: bool, reference: int | None, mono: bool,
    subsampling: tuple[int, int],
) -> None:  # fmt: skip
    """Append film_grain_params() for a frame that is or may be shown.

    grain: None applies none. seed: 1..65535. is_inter: the frame's type is INTER_FRAME.
    reference: slot among the frame's references that holds `grain`, from where it is then taken; None
        writes it out (a frame that is not INTER_FRAME has no other way).
    mono, subsampling: of the sequence, luma samples per chroma sample.
    """
    bits.put(grain is not None, 1)
    if grain is None:
        return
    bits.put(seed, 16)
    if is_inter:
        bits.put(reference is None, 1)
    if reference is not None:
        bits.put(reference, 3)
        return
    _put_points(bits, grain.luma_points)
    from_luma = grain.chroma_from_luma and not mono
    if not mono:
        bits.put(from_luma, 1)
    cb_points, cr_points = grain.cb_points, grain.cr_points
    if mono or from_luma or (subsampling == (2, 2) and not grain.luma_points):
        cb_points = cr_points = ()
    else:
        _put_points(bits, cb_points)
        _put_points(bits, cr_points)
    bits.put(grain.scaling_shift - 8, 2)
    bits.put(grain.lag, 2)
    # Without luma grain there is no template that chroma could take from.
    chroma = None if grain.luma_points else -1
    if grain.luma_points:
        _put_coefficients(bits, grain.luma_coefficients)
    if from_luma or cb_points:
        _put_coefficients(bits, grain.cb_coefficients[:chroma])
    if from_luma or cr_points:
        _put_coefficients(bits, grain.cr_coefficients[:chroma])
    bits.put(grain.ar_shift - 6, 2)
    bits.put(grain.scale_shift, 2)
    for points, mix in ((cb_points, grain.cb_mix), (cr_points, grain.cr_mix)):
        if points:
            for value, size in zip(mix, (8, 8, 9), strict=True):
                bits.put(value, size)
    bits.put(grain.overlap, 1)
    bits.put(grain.clip, 1)


def _put_points(bits: BitWriter, points: Points) -> None:
    bits.put(len(points), 4)
    for value, scaling in points:
        bits.put(value, 8)
        bits.put(scaling, 8)


def _put_coefficients(bits: BitWriter, coefficients: tuple[int, ...]) -> None:
    for coefficient in coefficients:
        bits.put(coefficient + 128, 8)
