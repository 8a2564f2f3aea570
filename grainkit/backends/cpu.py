"""The CPU backend: one fused pass in numba over strips of rows, shared out to threads.

Reference for kernels/*.cu. Noise is integer; integer planes are finished in integer arithmetic
throughout. A strip draws its noise row after row and keeps no more rows of it than the filters reach
over, which the nearest cache holds; it redraws the few around it, so strips are independent and the
result does not depend on how many there are. Inner loops run along rows over plain one-dimensional
arrays because that is the form LLVM vectorises.
"""

from __future__ import annotations

import platform
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from grainkit.backends.base import Done, Pending, with_rgb
from grainkit.backends.pass_term import CHROMA_ONE, LUMA_ONE, TextureTerm
from grainkit.backends.tables import (
    FLOAT_GAIN_STEPS,
    PassTables,
    PlaneNoise,
    chroma_limits,
    fraction_bits,
    gain_shift,
    is_narrow,
)
from grainkit.machine.uncounted import uncounted
from grainkit.picture.color import Color, chroma_codes, luma_codes
from grainkit.picture.frame import Frame, Plane
from grainkit.picture.noise import COARSE_SHIFT, FIELD_LIMIT, MIX_SHIFT, ROW_SHIFT, noise_words, white
from grainkit.picture.resample import Geometry, conform
from grainkit.picture.rgb import RgbSamples
from grainkit.scale.cores import cores

I16, I32, U16, U32, F32 = np.int16, np.int32, np.uint16, np.uint32, np.float32

#: Strips of a plane for each thread: enough that none waits long for another.
STRIPS_EACH = 2
#: Rows drawn by one call of the hash (its four words), and columns (a word's bytes).
BLOCK = 4
#: Samples that are looked at together for whether any of them reaches the knee.
SEGMENT = 128
_ROW_SHIFT, _ROW_HALF = I16(ROW_SHIFT), I16(1 << (ROW_SHIFT - 1))
_COARSE_SHIFT, _COARSE_HALF = I16(COARSE_SHIFT), I16(1 << (COARSE_SHIFT - 1))
_MIX_SHIFT = I32(MIX_SHIFT)
_LIMIT = I16(FIELD_LIMIT)
#: Odd multiplier of a noise sample that leaves eight bits of dither in the upper byte: of all of them the one for
#: which least is left of a correlation with `white`, .0005, and .0000 between their top seven and it.
_SPREAD = U16(149 << 8)
#: Before the first row that may be asked for.
_BEFORE_ALL = -(1 << 40)
_TINY = F32(1e-6)
_16 = U32(16)
#: Fraction bits of what int16 holds: codes of 8 and of 10 bits.
_BITS_8, _BITS_10 = U32(fraction_bits(8)), U32(fraction_bits(10))
#: Brings the shift of their gains to that of `_upper`.
_LIFT = I16(MIX_SHIFT - gain_shift(8))
_LUMA_BITS, _LUMA_MASK, _LUMA_ONE = np.int64(LUMA_ONE.bit_length() - 1), np.int64(LUMA_ONE - 1), I32(LUMA_ONE)
_LUMA_UNIT, _CHROMA_UNIT = F32(1 / LUMA_ONE), F32(1 / CHROMA_ONE)
CHROMA_BITS = CHROMA_ONE.bit_length() - 1

_jit = uncounted()
#: For loops that shift by what only the caller knows: with a constant, LLVM keeps the lanes as narrow as the samples.
_jit_inline = uncounted(inline="always")


@_jit
def _draw_rows(row0: Any, row1: Any, row2: Any, row3: Any, left: Any, block: Any, frame: Any, key: Any) -> None:
    x = U32(left)
    for i in range(row0.shape[0]):
        a, b, c, d = noise_words(x, block, frame, key)
        row0[i], row1[i], row2[i], row3[i] = a, b, c, d
        x = U32(x + U32(1))


@_jit
def _whiten(samples: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        out[i] = white(samples[i])


@_jit_inline
def _one_pair(total: Any, centre: Any, a1: Any, b1: Any, taps: Any, bias: Any, shift: Any) -> None:
    """The centre tap and one pair around it, in int16."""
    t0, t1 = taps[0], taps[1]
    for i in range(total.shape[0]):
        total[i] = I16(bias + I16(I16(t0 * centre[i]) + I16(t1 * I16(a1[i] + b1[i])))) >> shift


@_jit_inline
def _two_pairs(total: Any, centre: Any, a1: Any, b1: Any, a2: Any, b2: Any, taps: Any, bias: Any, shift: Any) -> None:
    t0, t1, t2 = taps[0], taps[1], taps[2]
    for i in range(total.shape[0]):
        near = I16(I16(t0 * centre[i]) + I16(t1 * I16(a1[i] + b1[i])))
        total[i] = I16(I16(bias + near) + I16(t2 * I16(a2[i] + b2[i]))) >> shift


@_jit_inline
def _three_pairs(
    total: Any, centre: Any, a1: Any, b1: Any, a2: Any, b2: Any, a3: Any, b3: Any, taps: Any, bias: Any, shift: Any
) -> None:
    t0, t1, t2, t3 = taps[0], taps[1], taps[2], taps[3]
    for i in range(total.shape[0]):
        near = I16(I16(t0 * centre[i]) + I16(t1 * I16(a1[i] + b1[i])))
        far = I16(I16(t2 * I16(a2[i] + b2[i])) + I16(t3 * I16(a3[i] + b3[i])))
        total[i] = I16(I16(bias + near) + far) >> shift


@_jit
def _three_more(total: Any, a1: Any, b1: Any, a2: Any, b2: Any, a3: Any, b3: Any, taps: Any) -> None:
    t1, t2, t3 = taps[0], taps[1], taps[2]
    for i in range(total.shape[0]):
        pairs = I16(I16(t1 * I16(a1[i] + b1[i])) + I16(t2 * I16(a2[i] + b2[i])))
        total[i] += I16(pairs + I16(t3 * I16(a3[i] + b3[i])))


@_jit
def _drop(total: Any) -> None:
    for i in range(total.shape[0]):
        total[i] >>= _ROW_SHIFT


@_jit
def _filter_row(line: Any, taps: Any, out: Any) -> None:
    """Horizontal filter of one row: out (width,) int16 from line (width + 2 radius) int16."""
    r = taps.shape[0] - 1
    centre, a1, b1 = line[r:], line[r - 1 :], line[r + 1 :]
    if r == 1:
        _one_pair(out, centre, a1, b1, taps, _ROW_HALF, _ROW_SHIFT)
        return
    a2, b2 = line[r - 2 :], line[r + 2 :]
    if r == 2:
        _two_pairs(out, centre, a1, b1, a2, b2, taps, _ROW_HALF, _ROW_SHIFT)
        return
    a3, b3 = line[r - 3 :], line[r + 3 :]
    if r == 3:
        _three_pairs(out, centre, a1, b1, a2, b2, a3, b3, taps, _ROW_HALF, _ROW_SHIFT)
        return
    _three_pairs(out, centre, a1, b1, a2, b2, a3, b3, taps, _ROW_HALF, I16(0))
    for k in range(4, r + 1, 3):
        _three_more(
            out, line[r - k :], line[r + k :], line[r - k - 1 :], line[r + k + 1 :], line[r - k - 2 :],
            line[r + k + 2 :], taps[k:],
        )  # fmt: skip
    _drop(out)


@_jit
def _filter_column(rows: Any, c: Any, taps: Any, out: Any) -> None:
    """Vertical filter around row `c`, unshifted, into out (width,) int16. rows: as many as `_octave` keeps."""
    r, kept = taps.shape[0] - 1, rows.shape[0] - 1
    centre, a1, b1 = rows[c & kept], rows[(c - 1) & kept], rows[(c + 1) & kept]
    if r == 1:
        _one_pair(out, centre, a1, b1, taps, I16(0), I16(0))
        return
    a2, b2 = rows[(c - 2) & kept], rows[(c + 2) & kept]
    if r == 2:
        _two_pairs(out, centre, a1, b1, a2, b2, taps, I16(0), I16(0))
        return
    a3, b3 = rows[(c - 3) & kept], rows[(c + 3) & kept]
    _three_pairs(out, centre, a1, b1, a2, b2, a3, b3, taps, I16(0), I16(0))
    for k in range(4, r + 1, 3):
        a1, b1 = rows[(c - k) & kept], rows[(c + k) & kept]
        a2, b2 = rows[(c - k - 1) & kept], rows[(c + k + 1) & kept]
        a3, b3 = rows[(c - k - 2) & kept], rows[(c + k + 2) & kept]
        _three_more(out, a1, b1, a2, b2, a3, b3, taps[k:])


@_jit
def _advance(octave: Any, frame: Any, line: Any, drawn: Any, row: Any) -> Any:
    """Draws an octave and filters it along rows, as far as its filter along columns goes from `row`.

    drawn: the first row that is not drawn yet; what it is now is given back. Rows come in order, and some may be
    left out.
    """
    words, samples, rows, along, down, group, edge, key = octave
    reach, kept = max(down.shape[0] - 1, 0), words.shape[0] - 1
    drawn = max(drawn, (row - reach) // BLOCK * BLOCK)
    while drawn <= row + reach:
        top = drawn & kept
        block = words[top : top + BLOCK]
        _draw_rows(block[0], block[1], block[2], block[3], group, U32(drawn // BLOCK), frame, key)
        if down.shape[0]:
            # While the words are in the first-level cache.
            for r in range(top, top + BLOCK):
                _whiten(samples[r, edge:], line)
                _filter_row(line, along, rows[r])
        drawn += BLOCK
    return drawn


@_jit
def _blend(near: Any, far: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        out[i] = I16(I16(I16(I16(3) * near[i]) + far[i]) + _COARSE_HALF) >> _COARSE_SHIFT


@_jit
def _enlarge(coarse: Any, out: Any) -> None:
    """A row widened twofold around its pixel centres; coarse has a sample more at its left, and one at its right."""
    pairs = out.shape[0] // 2
    for i in range(pairs):
        centre = I16(I16(3) * coarse[i + 1])
        out[2 * i] = I16(centre + coarse[i])
        out[2 * i + 1] = I16(centre + coarse[i + 2])
    if 2 * pairs < out.shape[0]:
        out[2 * pairs] = I16(I16(I16(3) * coarse[pairs + 1]) + coarse[pairs])


@_jit_inline
def _upper(a: Any, b: Any) -> Any:
    """The upper half of a product of two int16: one instruction for a vector of them, if both come out of arrays."""
    return I16(I32(I32(a) * I32(b)) >> _MIX_SHIFT)


@_jit_inline
def _mix(fine: Any, fine_weight: Any, coarse: Any, coarse_weight: Any) -> Any:
    """Octaves added and clamped, int16."""
    mixed = I16(_upper(fine_weight, fine) + _upper(coarse_weight, coarse))
    return min(max(mixed, I16(-_LIMIT)), _LIMIT)


@_jit
def _octaves(field: Any, row: Any, width: Any) -> Any:
    """What `_mix` makes the grain field of a row of: both octaves, each followed by its weights, (width,) int16.

    And the noise samples of the row, uint8, for dither. field: see `_Room.field`. Rows come in order, and some may be
    left out.
    """
    fine, coarse, summed, weights, lines, frame, drawn = field
    _, dither, rows, along, down, _, edge, _ = fine
    _, _, coarse_rows, coarse_along, coarse_down, _, _, _ = coarse
    across = coarse_rows.shape[1]
    # Never in place, nor out of one array into another part of it: LLVM would not dare to use vectors.
    out, blend, enlarged = lines[0][:width], lines[1][:across], lines[2][:width]
    drawn[0] = _advance(fine, frame, lines[0][: width + 2 * (along.shape[0] - 1)], drawn[0], row)
    samples = dither[row & (dither.shape[0] - 1), edge + max(along.shape[0] - 1, 0) :]
    if down.shape[0] == 0:
        out[:] = I16(0)
        enlarged[:] = I16(0)
        return (out, weights[0], enlarged, weights[1]), samples
    near = row // 2
    far = near + 1 if row % 2 else near - 1
    half = max(drawn[2], near - 1)
    while half <= near + 1:
        drawn[1] = _advance(coarse, frame, lines[0][: across + 2 * (coarse_along.shape[0] - 1)], drawn[1], half)
        _filter_column(coarse_rows, half, coarse_down, summed[half & 3])
        half += 1
    drawn[2] = half
    _blend(summed[near & 3], summed[far & 3], blend)
    _enlarge(blend, enlarged)
    _filter_column(rows, row, down, out)
    return (out, weights[0], enlarged, weights[1]), samples


@_jit
def _look_up(codes: Any, table: Any, out: Any) -> None:
    # A loop of its own: LLVM cannot vectorise a look-up, and would leave the arithmetic around it scalar too.
    for i in range(out.shape[0]):
        out[i] = table[codes[i]]


@_jit
def _extremes(codes: Any) -> Any:
    """(smallest, largest) of a row."""
    low, high = codes[0], codes[0]
    for i in range(codes.shape[0]):
        low, high = min(low, codes[i]), max(high, codes[i])
    return low, high


@_jit
def _largest_code(codes: Any) -> Any:
    peak = codes[0]
    for i in range(codes.shape[0]):
        peak = max(peak, codes[i])
    return peak


@_jit
def _widen(codes: Any, unit: Any, out: Any) -> None:
    # By multiplying: numba shifts by a variable in 64 bits, which LLVM cannot undo.
    for i in range(out.shape[0]):
        out[i] = codes[i] * unit


@_jit
def _values(codes: Any, curve: Any, straight: Any, out: Any) -> None:
    """Curve values of a row; no look-up where the curve only multiplies all its codes. straight: see `_straight`."""
    if I32(_largest_code(codes)) <= straight[0]:
        _widen(codes, straight[1], out)
    else:
        _look_up(codes, curve, out)


@_jit
def _move(codes: Any, gain: Any, black: Any, out: Any) -> Any:
    """Codes whose distance from black is scaled by 1 + gain / LUMA_ONE, times LUMA_ONE; (smallest, largest) of them."""
    low, high = I32((1 << 31) - 1), I32(0)
    for i in range(out.shape[0]):
        moved = I32(I32(I32(codes[i]) * _LUMA_ONE) + I32(I32(I32(codes[i]) - black) * I32(gain[i])))
        low, high = min(low, moved), max(high, moved)
        out[i] = moved
    return low, high


@_jit
def _drop_bits(values: Any, bits: Any, out: Any) -> None:
    bits = bits & I32(31)
    for i in range(out.shape[0]):
        out[i] = values[i] >> bits


@_jit
def _textured(codes: Any, gain: Any, black: Any, last: Any, curve: Any, straight: Any, moved: Any, out: Any) -> None:
    """Curve values of codes that are moved as `_move` does, between table entries too."""
    if I32(_largest_code(codes)) <= straight[0] and straight[2] >= 0:
        least, most = _move(codes, gain, I32(black), moved[: codes.shape[0]])
        if least >= 0 and (most >> _LUMA_BITS) < straight[0]:
            # Between entries of a straight curve lies what its multiplier makes of all the bits.
            _drop_bits(moved, straight[2], out)
            return
    for i in range(out.shape[0]):
        code = np.int64(codes[i])
        there = (code << _LUMA_BITS) + (code - black) * np.int64(gain[i])
        whole = min(max(there >> _LUMA_BITS, np.int64(0)), last)
        low = np.int64(curve[whole])
        step = (np.int64(curve[min(whole + 1, last)]) - low) * (there & _LUMA_MASK)
        out[i] = low + (step >> _LUMA_BITS)


@_jit_inline
def _stored(value: Any, sample: Any, bits: Any) -> Any:
    """The code of an int16 value of so many fraction bits, dithered."""
    return I16(value + I16(U16(U16(sample) * _SPREAD) >> U16(U16(16) - U16(bits)))) >> I16(bits)


@_jit_inline
def _narrow(values: Any, gains: Any, octaves: Any, samples: Any, low: Any, high: Any, bits: Any, out: Any) -> None:
    fine, fine_weight, coarse, coarse_weight = octaves
    for i in range(values.shape[0]):
        value = values[i]
        # Symmetric room: near the ends of the range grain shrinks on both sides, so the mean stays.
        room = max(min(I16(value - low), I16(high - value)), I16(0))
        field = _mix(fine[i], fine_weight[i], coarse[i], coarse_weight[i])
        grain = _upper(gains[i], I16(field << _LIFT))
        out[i] = _stored(I16(value + min(max(grain, I16(-room)), room)), samples[i], bits)


@_jit
def _wide(values: Any, gains: Any, octaves: Any, samples: Any, store: Any, out: Any) -> None:
    fine, fine_weight, coarse, coarse_weight = octaves
    low, high, shift, bits = store
    shift, bits = shift & I32(31), bits & U32(15)
    drop = U16(U16(16) - U16(bits))
    for i in range(values.shape[0]):
        value = values[i]
        room = max(min(I32(value - low), I32(high - value)), I32(0))
        field = I32(_mix(fine[i], fine_weight[i], coarse[i], coarse_weight[i]))
        grain = I32(I32(I32(gains[i]) * field) >> shift)
        value = I32(value + min(max(grain, I32(-room)), room))
        out[i] = I32(value + I32(U16(U16(samples[i]) * _SPREAD) >> drop)) >> I32(bits)


@_jit
def _grain_row(values: Any, gains: Any, octaves: Any, samples: Any, store: Any, out: Any) -> None:
    """Fixed-point values with grain, dithered to codes; all in the integers that `values` has."""
    low, high, _, bits = store
    if bits == _BITS_8:
        _narrow(values, gains, octaves, samples, low, high, _BITS_8, out)
    elif bits == _BITS_10:
        _narrow(values, gains, octaves, samples, low, high, _BITS_10, out)
    else:
        _wide(values, gains, octaves, samples, store, out)


@_jit_inline
def _free(codes: Any, unit: Any, gains: Any, octaves: Any, samples: Any, bits: Any, out: Any) -> None:
    fine, fine_weight, coarse, coarse_weight = octaves
    for i in range(out.shape[0]):
        field = _mix(fine[i], fine_weight[i], coarse[i], coarse_weight[i])
        out[i] = _stored(I16(I16(codes[i] * unit) + _upper(gains[i], I16(field << _LIFT))), samples[i], bits)


@_jit
def _copy(codes: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        out[i] = codes[i]


@_jit
def _is_free(codes: Any, free: Any) -> Any:
    """Whether `_grain_codes` may have these codes."""
    low, high = _extremes(codes)
    return free[0] <= I32(low) and I32(high) <= free[1]


@_jit
def _grain_codes(codes: Any, gains: Any, octaves: Any, samples: Any, free: Any, bits: Any, out: Any) -> None:
    """What `_values` and `_grain_row` make of codes that need neither curve nor clamp, in one go."""
    unit = free[2]
    if bits == _BITS_8:
        _free(codes, unit, gains, octaves, samples, _BITS_8, out)
    else:
        _free(codes, unit, gains, octaves, samples, _BITS_10, out)


@_jit
def _luma(
    source: Any, pairs: Any, first: Any, count: Any, grain: Any, curve: Any, straight: Any, free: Any, gain: Any,
    black: Any, texture: Any, store: Any, lines: Any, out: Any,
) -> None:  # fmt: skip
    """pairs: source, two codes at a time, their curve and their gains; without rows where it cannot be read so."""
    coupled, pair_curve, pair_gain = pairs
    top, side, relief = texture
    right = min(side + relief.shape[1], source.shape[1])
    last = np.int64(curve.shape[0] - 1)
    width = source.shape[1]
    values, gains, value_pairs, gain_pairs, moved = lines
    for row in range(first, first + count):
        codes, y = source[row], row - top
        touched = 0 <= y < relief.shape[0]
        plain = not touched and _is_free(codes, free)
        if plain and free[3]:
            _copy(codes, out[row])
            continue
        if coupled.shape[0]:
            _look_up(coupled[row], pair_gain, gain_pairs)
        else:
            _look_up(codes, gain, gains)
        octaves, dither = _octaves(grain, row, width)
        if plain:
            _grain_codes(codes, gains, octaves, dither, free, store[3], out[row])
            continue
        for here in range(0, width, SEGMENT):
            end = min(here + SEGMENT, width)
            if not coupled.shape[0] or I32(_largest_code(codes[here:end])) <= straight[0]:
                _values(codes[here:end], curve, straight, values[here:end])
            else:
                _look_up(coupled[row, here // 2 : end // 2], pair_curve, value_pairs[here // 2 : end // 2])
        if touched:
            for here in range(side, right, SEGMENT):
                end = min(here + SEGMENT, right)
                gain_here = relief[y, here - side : end - side]
                _textured(codes[here:end], gain_here, black, last, curve, straight, moved, values[here:end])
        _grain_row(values, gains, octaves, dither, store, out[row])


@_jit
def _sited_luma(luma: Any, row: Any, across: Any, down: Any, out: Any) -> None:
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
def _roll(n: Any, knee: Any, curvature: Any, strength: Any) -> Any:
    """Twin of Shoulder.roll in float32, by adds, multiplies, one division and one root."""
    d = F32(min(max(n, knee), F32(1.0)) - knee)
    rolled = F32(knee + F32(d / F32(np.sqrt(F32(F32(1.0) + F32(curvature * F32(d * d)))))))
    return F32(n + F32(strength * F32(rolled - n))) if n > knee else n


@_jit
def _slope(y: Any, largest: Any, knee: Any, curvature: Any, strength: Any) -> Any:
    """What chroma is scaled by: the shoulder's slope between luma and the largest channel."""
    if largest <= knee or largest - y < _TINY:
        return F32(1.0)
    rise = F32(_roll(largest, knee, curvature, strength) - _roll(y, knee, curvature, strength))
    return F32(rise / F32(largest - y))


@_jit
def _largest(y: Any, cb: Any, cr: Any, r_cr: Any, g_cb: Any, g_cr: Any, b_cb: Any) -> Any:
    """max(R', G', B') of normalised Y', Cb, Cr."""
    return F32(y + max(max(F32(r_cr * cr), F32(b_cb * cb)), F32(F32(g_cb * cb) + F32(g_cr * cr))))


@_jit
def _reaches(luma: Any, cb: Any, cr: Any, scale: Any, knee: Any) -> Any:
    """False where no R', G' or B' of these samples can be above the knee; rounding goes one way, so it is safe."""
    black, span, grey, unit = scale[0], scale[1], scale[2], scale[3]
    r_cr, g_cb, g_cr, b_cb = scale[4], scale[5], scale[6], scale[7]
    y = F32(_largest_code(luma))
    (low_u, high_u), (low_v, high_v) = _extremes(cb), _extremes(cr)
    least_u, most_u = F32(F32(F32(low_u) - grey) * unit), F32(F32(F32(high_u) - grey) * unit)
    least_v, most_v = F32(F32(F32(low_v) - grey) * unit), F32(F32(F32(high_v) - grey) * unit)
    green = F32(F32(g_cb * least_u) + F32(g_cr * least_v))
    most = max(max(F32(r_cr * most_v), F32(b_cb * most_u)), green)
    return F32(F32(F32(y - black) * span) + most) > knee


@_jit
def _slopes(luma: Any, cb: Any, cr: Any, scale: Any, shoulder: Any, out: Any) -> None:
    """Chroma factors of integer samples into out float32."""
    black, span, grey, unit = scale[0], scale[1], scale[2], scale[3]
    knee, curvature, strength = shoulder[0], shoulder[1], shoulder[2]
    r_cr, g_cb, g_cr, b_cb = scale[4], scale[5], scale[6], scale[7]
    for i in range(out.shape[0]):
        y = F32(F32(F32(luma[i]) - black) * span)
        u, v = F32(F32(F32(cb[i]) - grey) * unit), F32(F32(F32(cr[i]) - grey) * unit)
        out[i] = _slope(y, _largest(y, u, v, r_cr, g_cb, g_cr, b_cb), knee, curvature, strength)


@_jit
def _scale_chroma(values: Any, slopes: Any, grey: Any) -> None:
    for i in range(values.shape[0]):
        values[i] = grey + I32(np.floor(F32(F32(F32(values[i] - grey) * slopes[i]) + F32(0.5))))


@_jit
def _shift(values: Any, relief: Any, unit: Any, drop: Any, top: Any) -> None:
    # Over the samples that are there: the rectangle may reach past the right edge.
    for i in range(values.shape[0]):
        values[i] = min(max(I32(I32(values[i]) + I32(I32(I32(relief[i]) * unit) >> drop)), I32(0)), top)


@_jit
def _chroma(
    luma: Any, across: Any, down: Any, cb: Any, cr: Any, first: Any, count: Any, cb_grain: Any, cr_grain: Any,
    curve: Any, straight: Any, free: Any, gain: Any, pair_gain: Any, texture: Any, scale: Any, shoulder: Any,
    grey: Any, store: Any, lines: Any, cb_out: Any, cr_out: Any,
) -> None:  # fmt: skip
    top, side, cb_relief, cr_relief, relief_unit, relief_drop, relief_top = texture
    width, right = cb.shape[1], side + cb_relief.shape[1]
    cb_values, cr_values, gains, gain_pairs, sited, sited_bytes, sited_pairs, slopes = lines
    for row in range(first, first + count):
        _sited_luma(luma, row, across, down, sited)
        touched = 0 <= row - top < cb_relief.shape[0]
        reaches = shoulder[2] > F32(0.0) and _reaches(sited, cb[row], cr[row], scale, shoulder[0])
        plain = not touched and not reaches and _is_free(cb[row], free) and _is_free(cr[row], free)
        if plain and free[3]:
            _copy(cb[row], cb_out[row])
            _copy(cr[row], cr_out[row])
            continue
        if not plain:
            _values(cb[row], curve, straight, cb_values)
            _values(cr[row], curve, straight, cr_values)
        if reaches:
            for here in range(0, width, SEGMENT):
                end = min(here + SEGMENT, width)
                y, u, v = sited[here:end], cb[row, here:end], cr[row, here:end]
                if _reaches(y, u, v, scale, shoulder[0]):
                    _slopes(y, u, v, scale, shoulder, slopes[: end - here])
                    _scale_chroma(cb_values[here:end], slopes, grey)
                    _scale_chroma(cr_values[here:end], slopes, grey)
        if touched:
            _shift(cb_values[side:right], cb_relief[row - top], relief_unit, relief_drop, relief_top)
            _shift(cr_values[side:right], cr_relief[row - top], relief_unit, relief_drop, relief_top)
        if sited_pairs.shape[0]:
            _copy(sited, sited_bytes)
            _look_up(sited_pairs, pair_gain, gain_pairs)
        else:
            _look_up(sited, gain, gains)
        octaves, dither = _octaves(cb_grain, row, width)
        if plain:
            _grain_codes(cb[row], gains, octaves, dither, free, store[3], cb_out[row])
        else:
            _grain_row(cb_values, gains, octaves, dither, store, cb_out[row])
        octaves, dither = _octaves(cr_grain, row, width)
        if plain:
            _grain_codes(cr[row], gains, octaves, dither, free, store[3], cr_out[row])
        else:
            _grain_row(cr_values, gains, octaves, dither, store, cr_out[row])


@_jit
def _float_gain(table: Any, y: Any) -> Any:
    # 0 stands first so that NaN, which exceeds nothing, becomes 0 and not an index.
    t = F32(min(max(F32(0.0), y), F32(1.0)) * F32(FLOAT_GAIN_STEPS))
    i = min(I32(t), I32(FLOAT_GAIN_STEPS - 1))
    return F32(table[i] + F32(F32(table[i + 1] - table[i]) * F32(t - F32(i))))


@_jit
def _store(value: Any, offset: Any, unit: Any, top: Any, sample: Any) -> Any:
    """An integer code of a normalised value, dithered with one code of uniform noise."""
    # The middle of its 256 steps: a code that rounding left a little too low must not become the one below.
    nudge = F32(F32(F32(U16(U16(sample) * _SPREAD)) + F32(128.0)) * F32(1.0 / 65536.0))
    return min(max(F32(0.0), np.floor(F32(F32(offset + F32(value * unit)) + nudge))), top)


@_jit
def _luma_float(
    source: Any, first: Any, count: Any, grain: Any, gain: Any, texture: Any, shoulder: Any, store: Any, out: Any
) -> None:
    knee, curvature, strength = shoulder[0], shoulder[1], shoulder[2]
    offset, unit, top = store[0], store[1], store[2]
    top_row, side, relief = texture
    for row in range(first, first + count):
        values, target = source[row], out[row]
        inside = row - top_row
        touched = 0 <= inside < relief.shape[0]
        (fine, fine_weight, coarse, coarse_weight), samples = _octaves(grain, row, values.shape[0])
        for i in range(values.shape[0]):
            y = values[i]
            if touched and side <= i < side + relief.shape[1]:
                y = F32(y + F32(y * F32(F32(relief[inside, i - side]) * _LUMA_UNIT)))
            value = F32(
                _roll(y, knee, curvature, strength)
                + F32(_float_gain(gain, y) * F32(_mix(fine[i], fine_weight[i], coarse[i], coarse_weight[i])))
            )
            target[i] = value if top == F32(0.0) else _store(value, offset, unit, top, samples[i])


@_jit
def _chroma_float(
    luma: Any, across: Any, down: Any, cb: Any, cr: Any, first: Any, count: Any, cb_grain: Any, cr_grain: Any,
    gain: Any, texture: Any, rgb: Any, shoulder: Any, store: Any, cb_out: Any, cr_out: Any,
) -> None:  # fmt: skip
    top_row, side, cb_relief, cr_relief = texture
    knee, curvature, strength = shoulder[0], shoulder[1], shoulder[2]
    offset, unit, top = store[0], store[1], store[2]
    half = F32(0.5)
    height, width = luma.shape
    for row in range(first, first + count):
        upper, lower = luma[row * down], luma[min(row * down + down - 1, height - 1)]
        (cb_fine, cb_fine_weight, cb_coarse, cb_coarse_weight), cb_samples = _octaves(cb_grain, row, cb.shape[1])
        (cr_fine, cr_fine_weight, cr_coarse, cr_coarse_weight), cr_samples = _octaves(cr_grain, row, cb.shape[1])
        for i in range(cb.shape[1]):
            left = i * across
            right = min(left + across - 1, width - 1)
            y = F32(F32(F32(upper[left] + upper[right]) + F32(lower[left] + lower[right])) * F32(0.25))
            u, v = cb[row, i], cr[row, i]
            slope = _slope(y, _largest(y, u, v, rgb[0], rgb[1], rgb[2], rgb[3]), knee, curvature, strength)
            if 0 <= row - top_row < cb_relief.shape[0] and side <= i < side + cb_relief.shape[1]:
                u = F32(u + F32(F32(cb_relief[row - top_row, i - side]) * _CHROMA_UNIT))
                v = F32(v + F32(F32(cr_relief[row - top_row, i - side]) * _CHROMA_UNIT))
            u, v = F32(u * slope), F32(v * slope)
            room_u, room_v = max(F32(half - abs(u)), F32(0.0)), max(F32(half - abs(v)), F32(0.0))
            grain_u = F32(
                _float_gain(gain, y) * F32(_mix(cb_fine[i], cb_fine_weight[i], cb_coarse[i], cb_coarse_weight[i]))
            )
            grain_v = F32(
                _float_gain(gain, y) * F32(_mix(cr_fine[i], cr_fine_weight[i], cr_coarse[i], cr_coarse_weight[i]))
            )
            u = F32(u + min(max(grain_u, -room_u), room_u))
            v = F32(v + min(max(grain_v, -room_v), room_v))
            cb_out[row, i] = u if top == F32(0.0) else _store(u, offset, unit, top, cb_samples[i])
            cr_out[row, i] = v if top == F32(0.0) else _store(v, offset, unit, top, cr_samples[i])


def _strips(height: int, count: int) -> list[tuple[int, int]]:
    """First row and rows of so many strips that share a height, whole blocks of noise but for the last."""
    rows = -(-height // (count * BLOCK)) * BLOCK
    return [(first, min(rows, height - first)) for first in range(0, height, rows)]


def _channels(tables: PassTables) -> tuple[float, float, float, float]:
    """What Cb and Cr add to Y in R' (cr), G' (cb, cr) and B' (cb)."""
    kr, kg, kb = tables.source.luma_weights()
    return 2 * (1 - kr), -2 * kb * (1 - kb) / kg, -2 * kr * (1 - kr) / kg, 2 * (1 - kb)


class _Room:
    """A thread's scratch for one plane, kept from frame to frame: fresh memory costs page faults."""

    def __init__(self) -> None:
        self._noise: PlaneNoise | None = None
        self._width = -1
        self._drawn_by: tuple[Any, ...] = ()

    def field(self, noise: PlaneNoise | None, plane: int, width: int, frame: Any) -> tuple[Any, ...]:
        """What `_octaves` draws a plane's noise by, from any row on; an earlier one is not to be used after it.

        noise: None where only dither wants any.
        """
        if noise is not self._noise or width != self._width:
            self._noise, self._width = noise, width
            self._drawn_by = _without_grain(U32(plane), width) if noise is None else _with_grain(noise, width)
        return *self._drawn_by, frame, np.full(3, _BEFORE_ALL)


def _with_grain(noise: PlaneNoise, width: int) -> tuple[Any, ...]:
    f, half = noise.filter, width // 2 + 2
    fine = _octave(noise.fine_key, f.fine_x, f.fine_y, 0, width)
    coarse = _octave(noise.coarse_key, f.coarse_x, f.coarse_y, -1, half)
    weights = np.full(width, f.fine_weight, np.int16), np.full(width, f.coarse_weight, np.int16)  # see `_upper`
    lines = _lines(max(width, half) + 2 * max(len(f.fine_x), len(f.coarse_x)))
    return fine, coarse, np.empty((4, half), np.int16), weights, lines


def _without_grain(key: Any, width: int) -> tuple[Any, ...]:
    nothing = np.empty(0, np.int16)
    fine, coarse = _octave(key, nothing, nothing, 0, width), _octave(key, nothing, nothing, 0, 0)
    weights = np.zeros(width, np.int16), np.zeros(width, np.int16)
    return fine, coarse, np.empty((4, 0), np.int16), weights, _lines(width)


def _octave(key: Any, along: Any, down: Any, left: int, width: int) -> tuple[Any, ...]:
    """An octave of columns left..left + width, as `_advance` takes it.

    Words of noise (kept, groups) uint32 and the same as samples, uint8; rows (kept, width) int16, filtered; taps along
    rows and down columns; the first group's number, the first sample in it that is wanted, and the noise's key. Row y
    lies at y % kept, a power of two: as many as a filtered column reaches over, and the block that is drawn ahead.
    """
    radius, reach = max(len(along) - 1, 0), max(len(down) - 1, 0)
    group, edge = divmod(left - radius, BLOCK)
    kept = 1 << (2 * reach + BLOCK - 1).bit_length()
    words = np.empty((kept, -(-(edge + width + 2 * radius) // BLOCK)), np.uint32)
    rows = np.empty((kept if len(down) else 0, width), np.int16)
    return words, words.view(np.uint8), rows, along, down, U32(group & 0xFFFFFFFF), edge, key


def _lines(size: int) -> tuple[Any, Any, Any]:
    return np.empty(size, np.int16), np.empty(size, np.int16), np.empty(size, np.int16)


class _Rooms(threading.local):
    def __init__(self) -> None:
        self.of_plane = (_Room(), _Room(), _Room())


_NO_WORDS = np.empty(0, np.uint32)
_NO_PAIRS = np.empty((0, 0), np.uint16), _NO_WORDS, _NO_WORDS
#: Where there is no relief: a rectangle of nothing.
NO_TEXTURE = TextureTerm(0, 0, *(np.zeros((0, 0), np.int16) for _ in range(3)))


class CpuBackend:
    """numba on `workers` threads; the default where there is no GPU.

    chosen_because: why `auto` did not take CUDA, a sentence; empty where the CPU was asked for.
    """

    name = "cpu"
    in_flight = 1
    resizes = False

    def __init__(self, workers: int | None = None, chosen_because: str = "") -> None:
        self.workers = workers or cores()
        self.chosen_because = chosen_because
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="grainkit-pass")
        self._rooms = _Rooms()

    def describe(self) -> str:
        return f"cpu ({platform.machine()}, {self.workers} threads)"

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def conform(self, frame: Frame, geometry: Geometry, working: Color) -> Frame:
        """As grainkit.picture.resample's."""
        return conform(frame, geometry, working)

    def begin(
        self, frame: Frame, tables: PassTables, texture: TextureTerm | None = None, rgb: RgbSamples | None = None
    ) -> Pending:
        """`finish`, at once: all cores are at work on the one frame anyway."""
        return Done(with_rgb(self.finish(frame, tables, texture), frame, tables.source, rgb))

    def finish(self, frame: Frame, tables: PassTables, texture: TextureTerm | None = None) -> Frame:
        """One pass over the planes. Frames keep their planes, untouched, where nothing would change."""
        if tables.is_identity and texture is None:
            return frame.with_planes(frame.planes, tables.target)
        dtype = np.float32 if tables.target.is_float else np.uint8 if tables.target.depth == 8 else np.uint16
        out: tuple[Plane, ...] = tuple(np.empty(p.shape, dtype) for p in frame.planes)
        held = U32((frame.index // tables.hold) & 0xFFFFFFFF)
        relief = texture or NO_TEXTURE
        strips = 1 if self.workers == 1 else STRIPS_EACH * self.workers
        jobs = [(self._luma, strip) for strip in _strips(out[0].shape[0], strips)]
        if len(out) == 3:
            jobs += [(self._chroma, strip) for strip in _strips(out[1].shape[0], strips)]
        planes = tuple(frame.planes)
        for done in [self._pool.submit(job, planes, tables, relief, held, *strip, out) for job, strip in jobs]:
            done.result()
        return frame.with_planes(out, tables.target)

    def _luma(
        self, planes: tuple[Plane, ...], tables: PassTables, texture: TextureTerm, frame: Any, first: int, count: int,
        out: tuple[Plane, ...],
    ) -> None:  # fmt: skip
        source, target = tables.source, tables.target
        noise = tables.noise[0] if tables.noise else None
        width = planes[0].shape[1]
        grain = self._rooms.of_plane[0].field(noise, 0, width, frame)
        relief = (texture.top, texture.left, texture.luma)
        if source.is_float:
            store = np.zeros(3, np.float32)
            if not target.is_float:
                black, white = luma_codes(target.depth, target.range)
                store[:] = black, white - black, (1 << target.depth) - 1
            _luma_float(planes[0], first, count, grain, tables.luma_gain, relief, _shoulder(tables), store, out[0])
            return
        zero, whole = np.int64(luma_codes(source.depth, source.range)[0]), _whole(target)
        values, gains = np.empty(width, whole), np.empty(width, whole)
        in_pairs = (line[: width // 2 * 2].view(np.uint32) for line in (values, gains))
        lines = values, gains, *in_pairs, np.empty(SEGMENT, np.int32)
        _luma(
            planes[0], _in_pairs(planes[0], tables), first, count, grain, tables.luma,
            _straight(tables.luma_straight, tables), _free_codes(tables.luma_free, tables), tables.luma_gain, zero,
            relief, _codes(target, 0, (1 << target.depth) - 1), lines, out[0],
        )  # fmt: skip

    def _chroma(
        self, planes: tuple[Plane, ...], tables: PassTables, texture: TextureTerm, frame: Any, first: int, count: int,
        out: tuple[Plane, ...],
    ) -> None:  # fmt: skip
        source, target = tables.source, tables.target
        luma, cb, cr = planes
        width = cb.shape[1]
        noises = tables.noise[1:] if tables.noise else (None, None)
        cb_grain, cr_grain = (
            self._rooms.of_plane[plane].field(noise, plane, width, frame) for plane, noise in enumerate(noises, start=1)
        )
        across, down = source.subsampling
        corner = (texture.top // down, texture.left // across)
        if source.is_float:
            store = np.zeros(3, np.float32)
            if not target.is_float:
                store[:] = *chroma_codes(target.depth, target.range), (1 << target.depth) - 1
            _chroma_float(
                luma, across, down, cb, cr, first, count, cb_grain, cr_grain, tables.chroma_gain,
                (*corner, texture.cb, texture.cr), np.array(_channels(tables), np.float32), _shoulder(tables), store,
                out[1], out[2],
            )  # fmt: skip
            return
        black, white = luma_codes(source.depth, source.range)
        grey, unit = chroma_codes(source.depth, source.range)
        scale = np.array([black, 1 / (white - black), grey, 1 / unit, *_channels(tables)], np.float32)
        bits = fraction_bits(target.depth)
        middle, spread = chroma_codes(target.depth, target.range)
        last = (1 << target.depth) - 1
        store_as = _codes(target, *chroma_limits(target))
        relief = (*corner, texture.cb, texture.cr, I32(round(spread)), I32(CHROMA_BITS - bits), I32(last << bits))
        whole = _whole(target)
        even = width + width % 2
        gains, sited = np.empty(even, whole), np.empty(width, np.uint16 if source.depth <= 14 else np.int32)
        sited_bytes = np.zeros(even if luma.dtype == np.uint8 and whole == np.int16 else 0, np.uint8)
        lines = (
            np.empty(width, whole), np.empty(width, whole), gains[:width], gains.view(np.uint32), sited,
            sited_bytes[:width], sited_bytes.view(np.uint16), np.empty(SEGMENT, np.float32),
        )  # fmt: skip
        _chroma(
            luma, across, down, cb, cr, first, count, cb_grain, cr_grain, tables.chroma,
            _straight(tables.chroma_straight, tables), _free_codes(tables.chroma_free, tables), tables.chroma_gain,
            tables.chroma_gain_pairs if sited_bytes.size else _NO_WORDS, relief, scale, _shoulder(tables),
            I32(int(middle) << bits), store_as, lines, out[1], out[2],
        )  # fmt: skip


def _whole(target: Color) -> Any:
    """The integers that fixed-point values of this colour are worked in."""
    return np.int16 if is_narrow(target.depth) else np.int32


def _codes(target: Color, low: int, high: int) -> Any:
    """How `_grain_row` stores codes low..high: both in fixed point, the gain's shift, the fraction's bits."""
    whole, bits = _whole(target), fraction_bits(target.depth)
    return whole(low << bits), whole(high << bits), I32(gain_shift(target.depth)), U32(bits)


def _free_codes(free: tuple[int, int], tables: PassTables) -> tuple[Any, Any, Any, bool]:
    """First and last, what turns them into values, and whether they stay as they are (dither is below a code)."""
    stay = tables.noise is None and tables.source.depth == tables.target.depth
    return I32(free[0]), I32(free[1]), _unit(tables), stay


def _in_pairs(luma: Plane, tables: PassTables) -> tuple[Any, Any, Any]:
    """8-bit luma as uint16, two samples in each, and their curve and gains by it; of nothing where that cannot be."""
    if luma.dtype == np.uint8 and is_narrow(tables.target.depth) and luma.shape[1] % 2 == 0:
        pairs = luma.view(np.uint16)
        if pairs.flags.aligned:
            return pairs, tables.luma_pairs, tables.luma_gain_pairs
    return _NO_PAIRS


def _straight(last: int, tables: PassTables) -> tuple[Any, Any, Any]:
    """Last code that the curve only multiplies, what by, and how many bits of LUMA_ONE that leaves, -1 beyond int32."""
    spare = LUMA_ONE.bit_length() - 1 - max(tables.straight_shift, 0)
    return I32(last), _unit(tables), I32(spare if is_narrow(tables.target.depth) else -1)


def _unit(tables: PassTables) -> Any:
    return _whole(tables.target)(1 << max(tables.straight_shift, 0))


def _shoulder(tables: PassTables) -> npt.NDArray[np.float32]:
    s = tables.shoulder
    return np.array([s.knee, s.curvature, s.strength], np.float32)
