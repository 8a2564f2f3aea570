"""Rows of integer planes on the CPU: luma and chroma, curve, texture, shoulder, grain and dither, in fixed point.

Twin of kernels/luma.cu and kernels/chroma.cu. Inner loops run along rows over plain one-dimensional arrays because
that is the form LLVM vectorises.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from grainkit.backends.cpu_noise import Field, Grain, draw_grain, mix, upper
from grainkit.backends.cpu_shoulder import Channels, Rolloff, channels_of, largest_channel, rolloff_of, slope
from grainkit.backends.pass_term import CHROMA_ONE, LUMA_ONE
from grainkit.backends.tables import PassTables, chroma_limits, fraction_bits, gain_shift, is_narrow
from grainkit.machine.jit import uncounted
from grainkit.picture.color import Color, chroma_codes, luma_codes
from grainkit.picture.frame import Plane
from grainkit.picture.noise import MIX_SHIFT

I16, I32, U16, U32, F32 = np.int16, np.int32, np.uint16, np.uint32, np.float32

#: A row of samples as they are stored, uint8 or uint16; chroma sited luma may take int32.
Codes = npt.NDArray[np.uint8 | np.uint16 | np.int32]
#: A row in fixed point: int16 where the output has up to 10 bits, else int32.
Whole = npt.NDArray[np.int16 | np.int32]
Relief = npt.NDArray[np.int16]

#: Samples that are looked at together for whether any of them reaches the knee.
SEGMENT = 128
#: Odd multiplier of a noise sample that leaves eight bits of dither in the upper byte: of all of them the one for
#: which least is left of a correlation with `white`, .0005, and .0000 between their top seven and it.
SPREAD = U16(149 << 8)
#: Fraction bits of what int16 holds: codes of 8 and of 10 bits.
_BITS_8, _BITS_10 = U32(fraction_bits(8)), U32(fraction_bits(10))
#: Brings the shift of their gains to that of `upper`.
_LIFT = I16(MIX_SHIFT - gain_shift(8))
_LUMA_BITS, _LUMA_MASK, _LUMA_ONE = np.int64(LUMA_ONE.bit_length() - 1), np.int64(LUMA_ONE - 1), I32(LUMA_ONE)
_CHROMA_BITS = CHROMA_ONE.bit_length() - 1
_NO_WORDS = np.empty(0, np.uint32)
_NO_PAIRS = np.empty((0, 0), np.uint16)

_jit = uncounted()
#: For loops that shift by what only the caller knows: with a constant, LLVM keeps the lanes as narrow as the samples.
_jit_inline = uncounted(inline="always")


class Planes(NamedTuple):
    """The planes that chroma is worked from."""

    luma: Plane
    cb: Plane
    cr: Plane


class LumaRelief(NamedTuple):
    """The luma of a PassTerm, in the samples of its plane."""

    top: int
    left: int
    gain: Relief


class ChromaRelief(NamedTuple):
    """The chroma of a PassTerm, in the samples of its planes."""

    top: int
    left: int
    cb: Relief
    cr: Relief


class Curve(NamedTuple):
    """How a plane's codes become values in fixed point.

    values: by code, int32.
    straight: last code up to which they are code * unit; -1 where they are nowhere.
    unit: int16 or int32, as the values are worked in.
    spare: bits of LUMA_ONE that such a multiplication by `unit` leaves to be dropped, -1 beyond int32.
    free_from, free_to: first and last code that need neither curve nor clamp; none where the last is below the first.
    free_stay: whether these stay as they are, for there is no grain and dither is below a code.
    """

    values: npt.NDArray[np.int32]
    straight: np.int32
    unit: np.int16 | np.int32
    spare: np.int32
    free_from: np.int32
    free_to: np.int32
    free_stay: bool


class Store(NamedTuple):
    """How values become codes: between low and high, both in fixed point, of so many fraction bits.

    shift: bits of a gain times the grain field that are dropped.
    """

    low: np.int16 | np.int32
    high: np.int16 | np.int32
    shift: np.int32
    bits: np.uint32


class LumaWork(NamedTuple):
    """What is done to the luma of a frame.

    gain: by code, int32. pair_curve, pair_gain: the same of two codes at a time, uint32 by uint16. black: its code.
    """

    curve: Curve
    gain: npt.NDArray[np.int32]
    pair_curve: npt.NDArray[np.uint32]
    pair_gain: npt.NDArray[np.uint32]
    black: np.int64
    store: Store


class LumaLines(NamedTuple):
    """Scratch for a row of luma; the pairs are the same memory as what they are pairs of."""

    values: Whole
    gains: Whole
    value_pairs: npt.NDArray[np.uint32]
    gain_pairs: npt.NDArray[np.uint32]
    moved: npt.NDArray[np.int32]


class Scale(NamedTuple):
    """How codes become normalised float32: (luma - black) * span, (chroma - grey) * unit."""

    black: np.float32
    span: np.float32
    grey: np.float32
    unit: np.float32
    channels: Channels


class ChromaWork(NamedTuple):
    """What is done to Cb and Cr of a frame.

    across, down: luma samples for one of theirs. gain: by luma code, int32. pair_gain: of two at a time, uint32.
    scale: for luma codes. luma_curve, curved: normalised luma after its curve, by code, and the scale for that; the
    first is empty where there is no curve. factor: what chroma is scaled by beside the shoulder, by luma code; empty
    where by nothing.
    grey: in fixed point. relief_unit, relief_drop: what a term of texture is multiplied by and how many bits are
    dropped then. most: the last code in fixed point.
    """

    across: int
    down: int
    curve: Curve
    gain: npt.NDArray[np.int32]
    pair_gain: npt.NDArray[np.uint32]
    scale: Scale
    luma_curve: npt.NDArray[np.float32]
    curved: Scale
    factor: npt.NDArray[np.float32]
    shoulder: Rolloff
    grey: np.int32
    relief_unit: np.int32
    relief_drop: np.int32
    most: np.int32
    store: Store


class ChromaLines(NamedTuple):
    """Scratch for a row of Cb and Cr; the pairs are the same memory as what they are pairs of.

    sited: luma at the chroma samples. sited_bytes: the same in 8 bits; empty where it is not read in pairs.
    """

    cb: Whole
    cr: Whole
    gains: Whole
    gain_pairs: npt.NDArray[np.uint32]
    sited: Codes
    sited_bytes: npt.NDArray[np.uint8]
    sited_pairs: npt.NDArray[np.uint16]
    factors: npt.NDArray[np.float32]


@_jit
def _look_up(
    codes: Codes, table: npt.NDArray[np.int32 | np.uint32 | np.float32],
    out: npt.NDArray[np.int16 | np.int32 | np.uint32 | np.float32],
) -> None:  # fmt: skip
    # A loop of its own: LLVM cannot vectorise a look-up, and would leave the arithmetic around it scalar too.
    for i in range(out.shape[0]):
        out[i] = table[codes[i]]


@_jit
def _extremes(codes: Codes) -> tuple[int, int]:
    """(smallest, largest) of a row."""
    low, high = codes[0], codes[0]
    for i in range(codes.shape[0]):
        low, high = min(low, codes[i]), max(high, codes[i])
    return low, high


@_jit
def _largest_code(codes: Codes) -> int:
    peak: int = codes[0]
    for i in range(codes.shape[0]):
        peak = max(peak, codes[i])
    return peak


@_jit
def _widen(codes: Codes, unit: np.int16 | np.int32, out: Whole) -> None:
    # By multiplying: numba shifts by a variable in 64 bits, which LLVM cannot undo.
    for i in range(out.shape[0]):
        out[i] = codes[i] * unit


@_jit
def _values(codes: Codes, curve: Curve, out: Whole) -> None:
    """Curve values of a row; no look-up where the curve only multiplies all its codes."""
    if I32(_largest_code(codes)) <= curve.straight:
        _widen(codes, curve.unit, out)
    else:
        _look_up(codes, curve.values, out)


@_jit
def _move(codes: Codes, gain: Relief, black: np.int32, out: npt.NDArray[np.int32]) -> tuple[np.int32, np.int32]:
    """Codes whose distance from black is scaled by 1 + gain / LUMA_ONE, times LUMA_ONE; (smallest, largest) of them."""
    low, high = I32((1 << 31) - 1), I32(0)
    for i in range(out.shape[0]):
        moved = I32(I32(I32(codes[i]) * _LUMA_ONE) + I32(I32(I32(codes[i]) - black) * I32(gain[i])))
        low, high = min(low, moved), max(high, moved)
        out[i] = moved
    return low, high


@_jit
def _drop_bits(values: npt.NDArray[np.int32], bits: np.int32, out: Whole) -> None:
    bits = bits & I32(31)
    for i in range(out.shape[0]):
        out[i] = values[i] >> bits


@_jit
def _textured(
    codes: Codes, gain: Relief, black: np.int64, curve: Curve, moved: npt.NDArray[np.int32], out: Whole
) -> None:
    """Curve values of codes that are moved as `_move` does, between table entries too."""
    if I32(_largest_code(codes)) <= curve.straight and curve.spare >= 0:
        least, most = _move(codes, gain, I32(black), moved[: codes.shape[0]])
        if least >= 0 and (most >> _LUMA_BITS) < curve.straight:
            # Between entries of a straight curve lies what its multiplier makes of all the bits.
            _drop_bits(moved, curve.spare, out)
            return
    values, last = curve.values, np.int64(curve.values.shape[0] - 1)
    for i in range(out.shape[0]):
        code = np.int64(codes[i])
        there = (code << _LUMA_BITS) + (code - black) * np.int64(gain[i])
        whole = min(max(there >> _LUMA_BITS, np.int64(0)), last)
        low = np.int64(values[whole])
        step = (np.int64(values[min(whole + 1, last)]) - low) * (there & _LUMA_MASK)
        out[i] = low + (step >> _LUMA_BITS)


@_jit_inline
def _stored(value: np.int16, sample: np.uint8, bits: np.uint32) -> np.int16:
    """The code of an int16 value of so many fraction bits, dithered."""
    return I16(value + I16(U16(U16(sample) * SPREAD) >> U16(U16(16) - U16(bits)))) >> I16(bits)


@_jit_inline
def _narrow(values: Whole, gains: Whole, grain: Grain, store: Store, bits: np.uint32, out: Codes) -> None:
    low, high = store.low, store.high
    for i in range(values.shape[0]):
        value = values[i]
        # Symmetric room: near the ends of the range grain shrinks on both sides, so the mean stays.
        room = max(min(I16(value - low), I16(high - value)), I16(0))
        amount = upper(gains[i], I16(mix(grain, i) << _LIFT))
        out[i] = _stored(I16(value + min(max(amount, I16(-room)), room)), grain.samples[i], bits)


@_jit
def _wide(values: Whole, gains: Whole, grain: Grain, store: Store, out: Codes) -> None:
    low, high = store.low, store.high
    shift, bits = store.shift & I32(31), store.bits & U32(15)
    drop = U16(U16(16) - U16(bits))
    for i in range(values.shape[0]):
        value = values[i]
        room = max(min(I32(value - low), I32(high - value)), I32(0))
        amount = I32(I32(I32(gains[i]) * I32(mix(grain, i))) >> shift)
        value = I32(value + min(max(amount, I32(-room)), room))
        out[i] = I32(value + I32(U16(U16(grain.samples[i]) * SPREAD) >> drop)) >> I32(bits)


@_jit
def _grain_row(values: Whole, gains: Whole, grain: Grain, store: Store, out: Codes) -> None:
    """Fixed-point values with grain, dithered to codes; all in the integers that `values` has."""
    if store.bits == _BITS_8:
        _narrow(values, gains, grain, store, _BITS_8, out)
    elif store.bits == _BITS_10:
        _narrow(values, gains, grain, store, _BITS_10, out)
    else:
        _wide(values, gains, grain, store, out)


@_jit_inline
def _free(codes: Codes, unit: np.int16 | np.int32, gains: Whole, grain: Grain, bits: np.uint32, out: Codes) -> None:
    for i in range(out.shape[0]):
        amount = upper(gains[i], I16(mix(grain, i) << _LIFT))
        out[i] = _stored(I16(I16(codes[i] * unit) + amount), grain.samples[i], bits)


@_jit
def _copy(codes: Codes, out: Codes) -> None:
    for i in range(out.shape[0]):
        out[i] = codes[i]


@_jit
def _is_free(codes: Codes, curve: Curve) -> np.bool:
    """Whether `_grain_codes` may have these codes."""
    low, high = _extremes(codes)
    return curve.free_from <= I32(low) and I32(high) <= curve.free_to


@_jit
def _grain_codes(
    codes: Codes, unit: np.int16 | np.int32, gains: Whole, grain: Grain, bits: np.uint32, out: Codes
) -> None:
    """What `_values` and `_grain_row` make of codes that need neither curve nor clamp, in one go."""
    if bits == _BITS_8:
        _free(codes, unit, gains, grain, _BITS_8, out)
    else:
        _free(codes, unit, gains, grain, _BITS_10, out)


@_jit
def luma_rows(
    source: Plane, pairs: npt.NDArray[np.uint16], first: int, count: int, work: LumaWork, relief: LumaRelief,
    field: Field, lines: LumaLines, out: Plane,
) -> None:  # fmt: skip
    """Finish rows first..first + count of a luma plane. pairs: see `pairs_of`."""
    curve, store, side = work.curve, work.store, relief.left
    width = source.shape[1]
    right = min(side + relief.gain.shape[1], width)
    for row in range(first, first + count):
        codes, y = source[row], row - relief.top
        touched = 0 <= y < relief.gain.shape[0]
        plain = not touched and _is_free(codes, curve)
        if plain and curve.free_stay:
            _copy(codes, out[row])
            continue
        if pairs.shape[0]:
            _look_up(pairs[row], work.pair_gain, lines.gain_pairs)
        else:
            _look_up(codes, work.gain, lines.gains)
        grain = draw_grain(field, row, width)
        if plain:
            _grain_codes(codes, curve.unit, lines.gains, grain, store.bits, out[row])
            continue
        for here in range(0, width, SEGMENT):
            end = min(here + SEGMENT, width)
            if not pairs.shape[0] or I32(_largest_code(codes[here:end])) <= curve.straight:
                _values(codes[here:end], curve, lines.values[here:end])
            else:
                pair, last = here // 2, end // 2
                _look_up(pairs[row, pair:last], work.pair_curve, lines.value_pairs[pair:last])
        if touched:
            for here in range(side, right, SEGMENT):
                end = min(here + SEGMENT, right)
                gain_here = relief.gain[y, here - side : end - side]
                _textured(codes[here:end], gain_here, work.black, curve, lines.moved, lines.values[here:end])
        _grain_row(lines.values, lines.gains, grain, store, out[row])


@_jit
def _sited_luma(luma: Plane, row: int, across: int, down: int, out: Codes) -> None:
    """Mean luma code under each chroma sample of a row, in integers that hold the sum of four."""
    whole = out.dtype.type
    height, width = luma.shape
    upper = luma[row * down]
    lower = luma[min(row * down + down - 1, height - 1)]
    if across == 1:
        for i in range(out.shape[0]):
            out[i] = whole(whole(whole(upper[i]) + whole(lower[i])) + whole(1)) >> whole(1)
        return
    pairs = width // 2
    for i in range(pairs):
        above = whole(whole(upper[2 * i]) + whole(upper[2 * i + 1]))
        below = whole(whole(lower[2 * i]) + whole(lower[2 * i + 1]))
        out[i] = whole(whole(above + below) + whole(2)) >> whole(2)
    if pairs < out.shape[0]:
        out[pairs] = whole(whole(whole(upper[width - 1]) + whole(lower[width - 1])) + whole(1)) >> whole(1)


@_jit
def _reaches(luma: Codes, cb: Codes, cr: Codes, scale: Scale, knee: np.float32) -> np.bool:
    """False where no R', G' or B' of these samples can be above the knee; rounding goes one way, so it is safe."""
    grey, unit, channels = scale.grey, scale.unit, scale.channels
    y = F32(_largest_code(luma))
    (low_u, high_u), (low_v, high_v) = _extremes(cb), _extremes(cr)
    least_u, most_u = F32(F32(F32(low_u) - grey) * unit), F32(F32(F32(high_u) - grey) * unit)
    least_v, most_v = F32(F32(F32(low_v) - grey) * unit), F32(F32(F32(high_v) - grey) * unit)
    green = F32(F32(channels.g_cb * least_u) + F32(channels.g_cr * least_v))
    most = max(max(F32(channels.r_cr * most_v), F32(channels.b_cb * most_u)), green)
    return F32(F32(F32(y - scale.black) * scale.span) + most) > knee


@_jit
def _slopes(
    luma: Codes | npt.NDArray[np.float32], cb: Codes, cr: Codes, scale: Scale, shoulder: Rolloff,
    out: npt.NDArray[np.float32],
) -> None:  # fmt: skip
    """The shoulder's factors on chroma into out float32."""
    grey, unit = scale.grey, scale.unit
    for i in range(out.shape[0]):
        y = F32(F32(F32(luma[i]) - scale.black) * scale.span)
        u, v = F32(F32(F32(cb[i]) - grey) * unit), F32(F32(F32(cr[i]) - grey) * unit)
        out[i] = slope(y, largest_channel(y, u, v, scale.channels), shoulder)


@_jit
def _may_roll(luma: Codes, cb: Codes, cr: Codes, work: ChromaWork) -> bool | np.bool:
    """False where the shoulder leaves these samples as they are. What a curve makes of luma is not looked at first."""
    bent, shoulder = work.luma_curve.shape[0] > 0, work.shoulder
    return shoulder.strength > F32(0.0) and (bent or _reaches(luma, cb, cr, work.scale, shoulder.knee))


@_jit
def _factors(luma: Codes, cb: Codes, cr: Codes, work: ChromaWork, out: npt.NDArray[np.float32]) -> bool:
    """What chroma is scaled by into out float32; False, and nothing in it, where nothing is."""
    bent = work.luma_curve.shape[0] > 0
    scaled: bool = work.factor.shape[0] > 0
    if _may_roll(luma, cb, cr, work):
        if bent:
            _look_up(luma, work.luma_curve, out)
            _slopes(out, cb, cr, work.curved, work.shoulder, out)
        else:
            _slopes(luma, cb, cr, work.scale, work.shoulder, out)
        if scaled:
            for i in range(out.shape[0]):
                out[i] = F32(out[i] * work.factor[luma[i]])
        return True
    if scaled:
        _look_up(luma, work.factor, out)
    return scaled


@_jit
def _scale_chroma(values: Whole, factors: npt.NDArray[np.float32], work: ChromaWork) -> None:
    grey, most = work.grey, work.most
    for i in range(values.shape[0]):
        value = I32(grey + I32(np.floor(F32(F32(F32(values[i] - grey) * factors[i]) + F32(0.5)))))
        values[i] = min(max(value, I32(0)), most)


@_jit
def _shift(values: Whole, relief: Relief, work: ChromaWork) -> None:
    unit, drop, most = work.relief_unit, work.relief_drop, work.most
    # Over the samples that are there: the rectangle may reach past the right edge.
    for i in range(values.shape[0]):
        values[i] = min(max(I32(I32(values[i]) + I32(I32(I32(relief[i]) * unit) >> drop)), I32(0)), most)


@_jit
def chroma_rows(
    source: Planes, first: int, count: int, work: ChromaWork, relief: ChromaRelief, cb_field: Field, cr_field: Field,
    lines: ChromaLines, cb_out: Plane, cr_out: Plane,
) -> None:  # fmt: skip
    """Finish rows first..first + count of Cb and Cr."""
    curve, store, scaled = work.curve, work.store, work.factor.shape[0] > 0
    width, side = source.cb.shape[1], relief.left
    right = side + relief.cb.shape[1]
    for row in range(first, first + count):
        cb, cr = source.cb[row], source.cr[row]
        _sited_luma(source.luma, row, work.across, work.down, lines.sited)
        inside = row - relief.top
        touched = 0 <= inside < relief.cb.shape[0]
        changed = scaled or _may_roll(lines.sited, cb, cr, work)
        plain = not touched and not changed and _is_free(cb, curve) and _is_free(cr, curve)
        if plain and curve.free_stay:
            _copy(cb, cb_out[row])
            _copy(cr, cr_out[row])
            continue
        if not plain:
            _values(cb, curve, lines.cb)
            _values(cr, curve, lines.cr)
        if changed:
            for here in range(0, width, SEGMENT):
                end = min(here + SEGMENT, width)
                y, u, v = lines.sited[here:end], cb[here:end], cr[here:end]
                if _factors(y, u, v, work, lines.factors[: end - here]):
                    _scale_chroma(lines.cb[here:end], lines.factors, work)
                    _scale_chroma(lines.cr[here:end], lines.factors, work)
        if touched:
            _shift(lines.cb[side:right], relief.cb[inside], work)
            _shift(lines.cr[side:right], relief.cr[inside], work)
        if lines.sited_pairs.shape[0]:
            _copy(lines.sited, lines.sited_bytes)
            _look_up(lines.sited_pairs, work.pair_gain, lines.gain_pairs)
        else:
            _look_up(lines.sited, work.gain, lines.gains)
        grain = draw_grain(cb_field, row, width)
        if plain:
            _grain_codes(cb, curve.unit, lines.gains, grain, store.bits, cb_out[row])
        else:
            _grain_row(lines.cb, lines.gains, grain, store, cb_out[row])
        grain = draw_grain(cr_field, row, width)
        if plain:
            _grain_codes(cr, curve.unit, lines.gains, grain, store.bits, cr_out[row])
        else:
            _grain_row(lines.cr, lines.gains, grain, store, cr_out[row])


def luma_work(tables: PassTables, *, in_pairs: bool) -> LumaWork:
    """Take from the tables what luma needs. in_pairs: whether the plane is read by `pairs_of`."""
    source, target = tables.source, tables.target
    pair_curve, pair_gain = (tables.luma_pairs, tables.luma_gain_pairs) if in_pairs else (_NO_WORDS, _NO_WORDS)
    return LumaWork(
        _curve(tables.luma, tables.luma_straight, tables.luma_free, tables), np.asarray(tables.luma_gain, I32),
        pair_curve, pair_gain, np.int64(luma_codes(source.depth, source.range)[0]),
        _store(target, 0, (1 << target.depth) - 1),
    )  # fmt: skip


def chroma_work(tables: PassTables, *, in_pairs: bool) -> ChromaWork:
    """Take from the tables what Cb and Cr need. in_pairs: whether luma under them is looked up by `sited_pairs`."""
    source, target = tables.source, tables.target
    across, down = source.subsampling
    black, white = luma_codes(source.depth, source.range)
    grey, unit = chroma_codes(source.depth, source.range)
    scale = Scale(F32(black), F32(1 / (white - black)), F32(grey), F32(1 / unit), channels_of(tables))
    bits = fraction_bits(target.depth)
    middle, spread = chroma_codes(target.depth, target.range)
    return ChromaWork(
        across, down, _curve(tables.chroma, tables.chroma_straight, tables.chroma_free, tables),
        np.asarray(tables.chroma_gain, I32), tables.chroma_gain_pairs if in_pairs else _NO_WORDS, scale,
        tables.luma_curve, scale._replace(black=F32(0), span=F32(1)), tables.chroma_factor,
        rolloff_of(tables), I32(int(middle) << bits), I32(round(spread)), I32(_CHROMA_BITS - bits),
        I32(((1 << target.depth) - 1) << bits), _store(target, *chroma_limits(target)),
    )  # fmt: skip


def pairs_of(luma: Plane, tables: PassTables) -> npt.NDArray[np.uint16]:
    """View 8-bit luma as uint16, two samples in each; of no rows where it cannot be read so."""
    if luma.dtype == np.uint8 and is_narrow(tables.target.depth) and luma.shape[1] % 2 == 0:
        pairs = luma.view(np.uint16)
        if pairs.flags.aligned:
            return pairs
    return _NO_PAIRS


def luma_lines(tables: PassTables, width: int) -> LumaLines:
    """Make scratch for rows of luma."""
    whole = _whole(tables.target)
    values, gains = np.empty(width, whole), np.empty(width, whole)
    value_pairs, gain_pairs = (line[: width // 2 * 2].view(np.uint32) for line in (values, gains))
    return LumaLines(values, gains, value_pairs, gain_pairs, np.empty(SEGMENT, np.int32))


def is_sited_in_pairs(luma: Plane, tables: PassTables) -> bool:
    """Say whether luma at the chroma samples is looked up two at a time."""
    return luma.dtype == np.uint8 and is_narrow(tables.target.depth)


def chroma_lines(tables: PassTables, luma: Plane, width: int) -> ChromaLines:
    """Make scratch for rows of chroma, `width` samples wide; without `sited_pairs` where `luma` cannot be paired."""
    whole = _whole(tables.target)
    even = width + width % 2
    gains = np.empty(even, whole)
    sited: Codes = np.empty(width, np.uint16 if tables.source.depth <= 14 else np.int32)
    sited_bytes = np.zeros(even if is_sited_in_pairs(luma, tables) else 0, np.uint8)
    return ChromaLines(
        np.empty(width, whole), np.empty(width, whole), gains[:width], gains.view(np.uint32), sited,
        sited_bytes[:width], sited_bytes.view(np.uint16), np.empty(SEGMENT, np.float32),
    )  # fmt: skip


def _whole(target: Color) -> type[np.int16] | type[np.int32]:
    """The integers that fixed-point values of this colour are worked in."""
    return np.int16 if is_narrow(target.depth) else np.int32


def _store(target: Color, low: int, high: int) -> Store:
    """For codes low..high."""
    whole, bits = _whole(target), fraction_bits(target.depth)
    return Store(whole(low << bits), whole(high << bits), I32(gain_shift(target.depth)), U32(bits))


def _curve(values: npt.NDArray[np.int32], straight: int, free: tuple[int, int], tables: PassTables) -> Curve:
    shift = max(tables.straight_shift, 0)
    spare = LUMA_ONE.bit_length() - 1 - shift if is_narrow(tables.target.depth) else -1
    stay = tables.noise is None and tables.source.depth == tables.target.depth
    unit = _whole(tables.target)(1 << shift)
    return Curve(values, I32(straight), unit, I32(spare), I32(free[0]), I32(free[1]), stay)
