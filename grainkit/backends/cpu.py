"""The CPU backend: one fused pass in numba over strips of rows, shared out to threads.

Reference for kernels/*.cu. Noise is integer; integer planes are finished in integer arithmetic
throughout. Each strip redraws the few rows of noise around it, so strips are independent and the
result does not depend on how many there are. Inner loops run along rows over plain one-dimensional
arrays because that is the form LLVM vectorises.
"""

from __future__ import annotations

import os
import platform
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from grainkit.backends.base import Done, Pending, with_rgb
from grainkit.color import Color, chroma_codes, luma_codes
from grainkit.convert import RgbSamples
from grainkit.effects.tables import FLOAT_GAIN_STEPS, GAIN_SHIFT, PassTables, PlaneNoise, fraction_bits
from grainkit.frame import Frame, Plane
from grainkit.noise import COARSE_SHIFT, FIELD_LIMIT, MIX_SHIFT, ROW_SHIFT, pcg4d, white
from grainkit.resample import Geometry, conform
from grainkit.texture.term import CHROMA_ONE, LUMA_ONE, TextureTerm

I16, I32, U32, F32 = np.int16, np.int32, np.uint32, np.float32

#: Rows per strip: its buffers stay in the second-level cache.
STRIP = 64
#: Rows drawn by one call of the hash (its four words).
BLOCK = 4
_ROW_SHIFT, _ROW_HALF = I16(ROW_SHIFT), I16(1 << (ROW_SHIFT - 1))
_COARSE_SHIFT, _COARSE_HALF = I16(COARSE_SHIFT), I16(1 << (COARSE_SHIFT - 1))
_MIX_SHIFT = I32(MIX_SHIFT)
_LIMIT = I32(FIELD_LIMIT)
_GAIN_SHIFT = I32(GAIN_SHIFT)
#: Odd multiplier (2^32 / golden ratio) that makes dither bits out of a noise word.
_SPREAD = U32(0x9E3779B1)
_TINY = F32(1e-6)
_LUMA_BITS, _LUMA_MASK = np.int64(LUMA_ONE.bit_length() - 1), np.int64(LUMA_ONE - 1)
_LUMA_UNIT, _CHROMA_UNIT = F32(1 / LUMA_ONE), F32(1 / CHROMA_ONE)

_jit = njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _draw_rows(row0: Any, row1: Any, row2: Any, row3: Any, left: Any, block: Any, frame: Any, key: Any) -> None:
    x = U32(left)
    for i in range(row0.shape[0]):
        a, b, c, d = pcg4d(x, block, frame, key)
        row0[i], row1[i], row2[i], row3[i] = a, b, c, d
        x = U32(x + U32(1))


@_jit
def _draw(words: Any, left: Any, top: Any, frame: Any, key: Any) -> None:
    """Noise words of rows top.. (top a multiple of BLOCK) and columns left.. into words (rows, columns) uint32."""
    for k in range(words.shape[0] // BLOCK):
        r = BLOCK * k
        block = U32(I32(I32(top) + I32(r)) >> I32(2))
        _draw_rows(words[r], words[r + 1], words[r + 2], words[r + 3], left, block, frame, key)


@_jit
def _whiten(words: Any, out: Any) -> None:
    for i in range(words.shape[0]):
        out[i] = white(words[i])


@_jit
def _first_taps(
    total: Any, centre: Any, a1: Any, b1: Any, a2: Any, b2: Any, a3: Any, b3: Any, taps: Any, bias: Any
) -> None:
    """The centre tap and three pairs in one trip along the row, in int16: most grain needs no more."""
    t0, t1, t2, t3 = taps[0], taps[1], taps[2], taps[3]
    for i in range(total.shape[0]):
        near = I16(I16(t0 * centre[i]) + I16(t1 * I16(a1[i] + b1[i])))
        far = I16(I16(t2 * I16(a2[i] + b2[i])) + I16(t3 * I16(a3[i] + b3[i])))
        total[i] = I16(I16(bias + near) + far)


@_jit
def _more_taps(total: Any, a1: Any, b1: Any, a2: Any, b2: Any, a3: Any, b3: Any, taps: Any) -> None:
    """Three pairs further out."""
    t1, t2, t3 = taps[0], taps[1], taps[2]
    for i in range(total.shape[0]):
        pairs = I16(I16(t1 * I16(a1[i] + b1[i])) + I16(t2 * I16(a2[i] + b2[i])))
        total[i] += I16(pairs + I16(t3 * I16(a3[i] + b3[i])))


@_jit
def _drop(total: Any, shift: Any, out: Any) -> None:
    for i in range(total.shape[0]):
        out[i] = total[i] >> shift


@_jit
def _filter_row(words: Any, taps: Any, room: Any, out: Any) -> None:
    """Horizontal filter of one row: out (width,) int16 from words (width + 2 radius)."""
    r = taps.shape[0] - 1
    line, total = room[: words.shape[0]], room[words.shape[0] : words.shape[0] + out.shape[0]]
    _whiten(words, line)
    _first_taps(
        total, line[r:], line[r - 1 :], line[r + 1 :], line[r - 2 :], line[r + 2 :], line[r - 3 :], line[r + 3 :],
        taps, _ROW_HALF,
    )  # fmt: skip
    for k in range(4, r + 1, 3):
        _more_taps(
            total, line[r - k :], line[r + k :], line[r - k - 1 :], line[r + k + 1 :], line[r - k - 2 :],
            line[r + k + 2 :], taps[k:],
        )  # fmt: skip
    _drop(total, _ROW_SHIFT, out)


@_jit
def _draw_filtered(words: Any, left: Any, top: Any, frame: Any, key: Any, taps: Any, room: Any, rows: Any) -> None:
    """`_draw`, and each row filtered into rows while its words are in the first-level cache."""
    for k in range(words.shape[0] // BLOCK):
        r = BLOCK * k
        _draw(words[r : r + BLOCK], left, top + r, frame, key)
        for row in range(r, r + BLOCK):
            _filter_row(words[row], taps, room, rows[row])


@_jit
def _filter_column(rows: Any, c: Any, taps: Any, bias: Any, total: Any) -> None:
    """Vertical filter around row `c`, unshifted, into total (width,) int16."""
    _first_taps(
        total, rows[c], rows[c - 1], rows[c + 1], rows[c - 2], rows[c + 2], rows[c - 3], rows[c + 3], taps, bias
    )
    for k in range(4, taps.shape[0], 3):
        _more_taps(
            total,
            rows[c - k],
            rows[c + k],
            rows[c - k - 1],
            rows[c + k + 1],
            rows[c - k - 2],
            rows[c + k + 2],
            taps[k:],
        )


@_jit
def _blend(near: Any, far: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        out[i] = I16(I16(I16(3) * near[i]) + far[i])


@_jit
def _mix(fine: Any, fine_weight: Any, coarse: Any, coarse_weight: Any, out: Any) -> None:
    """Octaves added and clamped; coarse (width // 2 + 2) is widened twofold around its pixel centres."""
    pairs = out.shape[0] // 2
    for i in range(pairs):
        centre = I32(I32(3) * I32(coarse[i + 1]))
        even = I32(fine_weight * I32(fine[2 * i])) + I32(coarse_weight * I32(centre + I32(coarse[i])))
        odd = I32(fine_weight * I32(fine[2 * i + 1])) + I32(coarse_weight * I32(centre + I32(coarse[i + 2])))
        out[2 * i] = min(max(I32(I32(even) >> _MIX_SHIFT), -_LIMIT), _LIMIT)
        out[2 * i + 1] = min(max(I32(I32(odd) >> _MIX_SHIFT), -_LIMIT), _LIMIT)
    if 2 * pairs < out.shape[0]:
        last = I32(I32(I32(3) * I32(coarse[pairs + 1])) + I32(coarse[pairs]))
        even = I32(fine_weight * I32(fine[2 * pairs])) + I32(coarse_weight * last)
        out[2 * pairs] = min(max(I32(I32(even) >> _MIX_SHIFT), -_LIMIT), _LIMIT)


@_jit
def _field(
    first: Any, frame: Any, fine_key: Any, coarse_key: Any, fine_x: Any, fine_y: Any, coarse_x: Any, coarse_y: Any,
    fine_weight: Any, coarse_weight: Any, words_room: Any, rows_room: Any, lines_room: Any, field: Any,
) -> Any:  # fmt: skip
    """Grain field of rows first.. into field (rows, width) int16; returns the noise words of
    those rows, uint32 (rows, more than width), and the column that the field begins at.

    words_room, rows_room, lines_room: scratch of at least the sizes that _Scratch works out.
    """
    count, width = field.shape
    half_width, half_first = width // 2 + 2, first // 2 - 1
    half_count = (first + count - 1) // 2 + 2 - half_first
    fine, blend, total = lines_room[0, :width], lines_room[1, :half_width], lines_room[2, :half_width]

    rx, ry = coarse_x.shape[0] - 1, coarse_y.shape[0] - 1
    top = (half_first - ry) // BLOCK * BLOCK
    offset = half_first - ry - top
    drawn = (offset + half_count + 2 * ry + BLOCK - 1) // BLOCK * BLOCK
    words = words_room[: drawn * (half_width + 2 * rx)].reshape(drawn, half_width + 2 * rx)
    rows = rows_room[: drawn * half_width].reshape(drawn, half_width)
    coarse = rows_room[rows.size : rows.size + half_count * half_width].reshape(half_count, half_width)
    _draw_filtered(words, U32(-1 - rx), top, frame, coarse_key, coarse_x, lines_room[3], rows)
    for r in range(half_count):
        _filter_column(rows, offset + ry + r, coarse_y, _COARSE_HALF, total)
        _drop(total, _COARSE_SHIFT, coarse[r])

    kept = rows.size + coarse.size
    rx, ry = fine_x.shape[0] - 1, fine_y.shape[0] - 1
    top = (first - ry) // BLOCK * BLOCK
    offset = first - ry - top
    drawn = (offset + count + 2 * ry + BLOCK - 1) // BLOCK * BLOCK
    words = words_room[: drawn * (width + 2 * rx)].reshape(drawn, width + 2 * rx)
    rows = rows_room[kept : kept + drawn * width].reshape(drawn, width)
    _draw_filtered(words, U32(-rx), top, frame, fine_key, fine_x, lines_room[3], rows)
    for r in range(count):
        _filter_column(rows, offset + ry + r, fine_y, I16(0), fine)
        near = (first + r) // 2 - half_first
        far = near + 1 if (first + r) % 2 else near - 1
        _blend(coarse[near], coarse[far], blend)
        _mix(fine, fine_weight, blend, coarse_weight, field[r])
    return words[offset + ry : offset + ry + count], rx


@_jit
def _no_field(first: Any, frame: Any, key: Any, words_room: Any, field: Any) -> Any:
    """A field of zeros; returns noise words as `_field` does."""
    count, width = field.shape
    top = first // BLOCK * BLOCK
    drawn = (first - top + count + BLOCK - 1) // BLOCK * BLOCK
    words = words_room[: drawn * width].reshape(drawn, width)
    _draw(words, U32(0), top, frame, key)
    field[:] = np.int16(0)
    return words[first - top : first - top + count], 0


@_jit
def _look_up(codes: Any, table: Any, out: Any) -> None:
    # A loop of its own: LLVM cannot vectorise a look-up, and would leave the arithmetic around it scalar too.
    for i in range(out.shape[0]):
        out[i] = table[codes[i]]


@_jit
def _largest_code(codes: Any) -> Any:
    peak = codes[0]
    for i in range(codes.shape[0]):
        peak = max(peak, codes[i])
    return peak


@_jit
def _widen(codes: Any, shift: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        out[i] = I32(codes[i]) << shift


@_jit
def _values(codes: Any, curve: Any, straight: Any, shift: Any, out: Any) -> None:
    """Curve values of a row; no look-up where the curve is a plain shift for all its codes."""
    if I32(_largest_code(codes)) <= straight:
        _widen(codes, shift, out)
    else:
        _look_up(codes, curve, out)


@_jit
def _textured(codes: Any, gain: Any, black: Any, last: Any, curve: Any, out: Any) -> None:
    """Curve values of codes whose distance from black is scaled by 1 + gain / LUMA_ONE, between table entries too."""
    for i in range(out.shape[0]):
        code = np.int64(codes[i])
        moved = (code << _LUMA_BITS) + (code - black) * np.int64(gain[i])
        whole = min(max(moved >> _LUMA_BITS, np.int64(0)), last)
        low = np.int64(curve[whole])
        step = (np.int64(curve[min(whole + 1, last)]) - low) * (moved & _LUMA_MASK)
        out[i] = low + (step >> _LUMA_BITS)


@_jit
def _luma_row(values: Any, gains: Any, field: Any, dither: Any, bits: Any, out: Any) -> None:
    drop = U32(U32(32) - U32(bits))
    for i in range(out.shape[0]):
        grain = I32(I32(gains[i] * I32(field[i])) >> _GAIN_SHIFT)
        out[i] = I32(I32(values[i] + grain) + I32(U32(dither[i] * _SPREAD) >> drop)) >> I32(bits)


@_jit
def _luma(
    source: Any,
    first: Any,
    grain: Any,
    curve: Any,
    straight: Any,
    gain: Any,
    black: Any,
    texture: Any,
    bits: Any,
    out: Any,
) -> None:
    field, words, left = grain
    top, side, relief = texture
    right = side + relief.shape[1]
    last = np.int64(curve.shape[0] - 1)
    values, gains = np.empty(source.shape[1], np.int32), np.empty(source.shape[1], np.int32)
    for r in range(field.shape[0]):
        codes, y = source[first + r], first + r - top
        _values(codes, curve, straight[0], straight[1], values)
        if 0 <= y < relief.shape[0]:
            _textured(codes[side:right], relief[y], black, last, curve, values[side:right])
        _look_up(codes, gain, gains)
        _luma_row(values, gains, field[r], words[r, left : left + out.shape[1]], bits, out[first + r])


@_jit
def _sited_luma(luma: Any, row: Any, across: Any, down: Any, out: Any) -> None:
    """Mean luma code under each chroma sample of a row, int32."""
    height, width = luma.shape
    upper = luma[row * down]
    lower = luma[min(row * down + down - 1, height - 1)]
    if across == 1:
        for i in range(out.shape[0]):
            out[i] = I32(I32(upper[i]) + I32(lower[i]) + I32(1)) >> I32(1)
        return
    whole = width // 2
    for i in range(whole):
        out[i] = I32(
            I32(upper[2 * i]) + I32(upper[2 * i + 1]) + I32(lower[2 * i]) + I32(lower[2 * i + 1]) + I32(2)
        ) >> I32(2)
    if whole < out.shape[0]:
        out[whole] = I32(I32(upper[width - 1]) + I32(lower[width - 1]) + I32(1)) >> I32(1)


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
def _slopes(luma: Any, cb: Any, cr: Any, scale: Any, shoulder: Any, out: Any) -> Any:
    """Chroma factors of one row of integer samples into out; False, and no factors, where none reaches the knee."""
    black, span, grey, unit = scale[0], scale[1], scale[2], scale[3]
    knee, curvature, strength = shoulder[0], shoulder[1], shoulder[2]
    r_cr, g_cb, g_cr, b_cb = scale[4], scale[5], scale[6], scale[7]
    reached = I32(0)  # counted, not compared for the largest: an integer sum is what LLVM vectorises
    for i in range(out.shape[0]):
        y = F32(F32(F32(luma[i]) - black) * span)
        u, v = F32(F32(F32(cb[i]) - grey) * unit), F32(F32(F32(cr[i]) - grey) * unit)
        reached += I32(_largest(y, u, v, r_cr, g_cb, g_cr, b_cb) > knee)
    if reached == I32(0):
        return False
    for i in range(out.shape[0]):
        y = F32(F32(F32(luma[i]) - black) * span)
        u, v = F32(F32(F32(cb[i]) - grey) * unit), F32(F32(F32(cr[i]) - grey) * unit)
        out[i] = _slope(y, _largest(y, u, v, r_cr, g_cb, g_cr, b_cb), knee, curvature, strength)
    return True


@_jit
def _scale_chroma(values: Any, slopes: Any, grey: Any) -> None:
    for i in range(values.shape[0]):
        values[i] = grey + I32(np.floor(F32(F32(F32(values[i] - grey) * slopes[i]) + F32(0.5))))


@_jit
def _shift(values: Any, relief: Any, unit: Any, top: Any) -> None:
    # Over the samples that are there: the rectangle may reach past the right edge.
    for i in range(values.shape[0]):
        values[i] = min(max(I32(values[i] + I32(I32(relief[i]) * unit)), I32(0)), top)


@_jit
def _chroma_row(values: Any, gains: Any, field: Any, dither: Any, low: Any, high: Any, bits: Any, out: Any) -> None:
    drop = U32(U32(32) - U32(bits))
    for i in range(values.shape[0]):
        value = values[i]
        # Symmetric room: near the ends of the range grain shrinks on both sides, so the mean stays.
        room = max(min(I32(value - low), I32(high - value)), I32(0))
        grain = I32(I32(gains[i] * I32(field[i])) >> _GAIN_SHIFT)
        value = I32(value + min(max(grain, -room), room))
        out[i] = I32(value + I32(U32(dither[i] * _SPREAD) >> drop)) >> I32(bits)


@_jit
def _chroma(
    luma: Any, across: Any, down: Any, cb: Any, cr: Any, first: Any, cb_grain: Any, cr_grain: Any, curve: Any,
    straight: Any, gain: Any, texture: Any, scale: Any, shoulder: Any, grey: Any, low: Any, high: Any, bits: Any,
    cb_out: Any, cr_out: Any,
) -> None:  # fmt: skip
    (cb_field, cb_words, cb_left), (cr_field, cr_words, cr_left) = cb_grain, cr_grain
    top, side, cb_relief, cr_relief, relief_unit, relief_top = texture
    width, right = cb.shape[1], side + cb_relief.shape[1]
    sited, slopes, gains = np.empty(width, np.int32), np.empty(width, np.float32), np.empty(width, np.int32)
    cb_values, cr_values = np.empty(width, np.int32), np.empty(width, np.int32)
    for r in range(cb_field.shape[0]):
        row = first + r
        _sited_luma(luma, row, across, down, sited)
        _values(cb[row], curve, straight[0], straight[1], cb_values)
        _values(cr[row], curve, straight[0], straight[1], cr_values)
        if shoulder[2] > F32(0.0) and _slopes(sited, cb[row], cr[row], scale, shoulder, slopes):
            _scale_chroma(cb_values, slopes, grey)
            _scale_chroma(cr_values, slopes, grey)
        if 0 <= row - top < cb_relief.shape[0]:
            _shift(cb_values[side:right], cb_relief[row - top], relief_unit, relief_top)
            _shift(cr_values[side:right], cr_relief[row - top], relief_unit, relief_top)
        _look_up(sited, gain[0], gains)
        _chroma_row(cb_values, gains, cb_field[r], cb_words[r, cb_left : cb_left + width], low, high, bits, cb_out[row])
        _look_up(sited, gain[1], gains)
        _chroma_row(cr_values, gains, cr_field[r], cr_words[r, cr_left : cr_left + width], low, high, bits, cr_out[row])


@_jit
def _float_gain(table: Any, y: Any) -> Any:
    # 0 stands first so that NaN, which exceeds nothing, becomes 0 and not an index.
    t = F32(min(max(F32(0.0), y), F32(1.0)) * F32(FLOAT_GAIN_STEPS))
    i = min(I32(t), I32(FLOAT_GAIN_STEPS - 1))
    return F32(table[i] + F32(F32(table[i + 1] - table[i]) * F32(t - F32(i))))


@_jit
def _store(value: Any, offset: Any, unit: Any, top: Any, word: Any) -> Any:
    """An integer code of a normalised value, dithered with one code of uniform noise."""
    nudge = F32(F32(U32(word * _SPREAD) >> U32(8)) * F32(1.0 / 16777216.0))
    return min(max(F32(0.0), np.floor(F32(F32(offset + F32(value * unit)) + nudge))), top)


@_jit
def _luma_float(
    source: Any, first: Any, grain: Any, gain: Any, texture: Any, shoulder: Any, store: Any, out: Any
) -> None:
    knee, curvature, strength = shoulder[0], shoulder[1], shoulder[2]
    offset, unit, top = store[0], store[1], store[2]
    field, words, left = grain
    top_row, side, relief = texture
    for r in range(field.shape[0]):
        values, target = source[first + r], out[first + r]
        inside = first + r - top_row
        touched = 0 <= inside < relief.shape[0]
        for i in range(values.shape[0]):
            y = values[i]
            if touched and side <= i < side + relief.shape[1]:
                y = F32(y + F32(y * F32(F32(relief[inside, i - side]) * _LUMA_UNIT)))
            value = F32(_roll(y, knee, curvature, strength) + F32(_float_gain(gain, y) * F32(field[r, i])))
            target[i] = value if top == F32(0.0) else _store(value, offset, unit, top, words[r, left + i])


@_jit
def _chroma_float(
    luma: Any, across: Any, down: Any, cb: Any, cr: Any, first: Any, cb_grain: Any, cr_grain: Any, gain: Any,
    texture: Any, rgb: Any, shoulder: Any, store: Any, cb_out: Any, cr_out: Any,
) -> None:  # fmt: skip
    (cb_field, cb_words, cb_left), (cr_field, cr_words, cr_left) = cb_grain, cr_grain
    top_row, side, cb_relief, cr_relief = texture
    knee, curvature, strength = shoulder[0], shoulder[1], shoulder[2]
    offset, unit, top = store[0], store[1], store[2]
    half = F32(0.5)
    height, width = luma.shape
    for r in range(cb_field.shape[0]):
        row = first + r
        upper, lower = luma[row * down], luma[min(row * down + down - 1, height - 1)]
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
            grain_u = F32(_float_gain(gain[0], y) * F32(cb_field[r, i]))
            grain_v = F32(_float_gain(gain[1], y) * F32(cr_field[r, i]))
            u = F32(u + min(max(grain_u, -room_u), room_u))
            v = F32(v + min(max(grain_v, -room_v), room_v))
            cb_out[row, i] = u if top == F32(0.0) else _store(u, offset, unit, top, cb_words[r, cb_left + i])
            cr_out[row, i] = v if top == F32(0.0) else _store(v, offset, unit, top, cr_words[r, cr_left + i])


def _strips(height: int) -> list[tuple[int, int]]:
    return [(first, min(STRIP, height - first)) for first in range(0, height, STRIP)]


def _channels(tables: PassTables) -> tuple[float, float, float, float]:
    """What Cb and Cr add to Y in R' (cr), G' (cb, cr) and B' (cb)."""
    kr, kg, kb = tables.source.luma_weights()
    return 2 * (1 - kr), -2 * kb * (1 - kb) / kg, -2 * kr * (1 - kr) / kg, 2 * (1 - kb)


class _Room:
    """A thread's scratch for one plane's strip, kept from frame to frame: fresh memory costs page faults."""

    def __init__(self) -> None:
        self.words = np.empty(0, np.uint32)
        self.rows = np.empty(0, np.int16)
        self.lines = np.empty((4, 0), np.int16)
        self.field = np.empty(0, np.int16)

    def draw(self, noise: PlaneNoise | None, plane: int, first: int, count: int, width: int, frame: Any) -> Any:
        """(field, noise words, left) of these rows, as `_field` has them, in views that the next call overwrites."""
        radius = 0 if noise is None else max(len(noise.filter.fine_x), len(noise.filter.coarse_x))
        reach = 0 if noise is None else max(len(noise.filter.fine_y), len(noise.filter.coarse_y))
        drawn = count + 2 * reach + 2 * BLOCK
        self._grow(drawn * (width + 2 * radius + 4), 2 * drawn * (width + 4), 2 * width + 2 * radius + 8, count * width)
        field = self.field[: count * width].reshape(count, width)
        if noise is None:
            return field, *_no_field(first, frame, U32(plane), self.words, field)
        f = noise.filter
        words, left = _field(
            first, frame, noise.fine_key, noise.coarse_key, f.fine_x, f.fine_y, f.coarse_x, f.coarse_y,
            I32(f.fine_weight), I32(f.coarse_weight), self.words, self.rows, self.lines, field,
        )  # fmt: skip
        return field, words, left

    def _grow(self, words: int, rows: int, lines: int, field: int) -> None:
        if self.words.size < words:
            self.words = np.empty(words, np.uint32)
        if self.rows.size < rows:
            self.rows = np.empty(rows, np.int16)
        if self.lines.shape[1] < lines:
            self.lines = np.empty((4, lines), np.int16)
        if self.field.size < field:
            self.field = np.empty(field, np.int16)


class _Rooms(threading.local):
    def __init__(self) -> None:
        self.of_plane = (_Room(), _Room(), _Room())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


#: Where there is no relief: a rectangle of nothing.
NO_TEXTURE = TextureTerm(0, 0, *(np.zeros((0, 0), np.int16) for _ in range(3)))


class CpuBackend:
    """numba on `workers` threads; the default where there is no GPU.

    chosen_because: why `auto` did not take CUDA, a sentence; empty where the CPU was asked for.
    """

    name = "cpu"
    in_flight = 1

    def __init__(self, workers: int | None = None, chosen_because: str = "") -> None:
        self.workers = workers or _cores()
        self.chosen_because = chosen_because
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="grainkit-pass")
        self._rooms = _Rooms()

    def describe(self) -> str:
        return f"cpu ({platform.machine()}, {self.workers} threads)"

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def conform(self, frame: Frame, geometry: Geometry, working: Color) -> Frame:
        """As grainkit.resample's."""
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
        jobs = [(self._luma, strip) for strip in _strips(out[0].shape[0])]
        if len(out) == 3:
            jobs += [(self._chroma, strip) for strip in _strips(out[1].shape[0])]
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
        grain = self._rooms.of_plane[0].draw(noise, 0, first, count, planes[0].shape[1], frame)
        relief = (texture.top, texture.left, texture.luma)
        if source.is_float:
            store = np.zeros(3, np.float32)
            if not target.is_float:
                black, white = luma_codes(target.depth, target.range)
                store[:] = black, white - black, (1 << target.depth) - 1
            _luma_float(planes[0], first, grain, tables.luma_gain, relief, _shoulder(tables), store, out[0])
        else:
            zero = np.int64(luma_codes(source.depth, source.range)[0])
            bits = U32(fraction_bits(target.depth))
            _luma(
                planes[0],
                first,
                grain,
                tables.luma,
                _straight(tables.luma_straight, source),
                tables.luma_gain,
                zero,
                relief,
                bits,
                out[0],
            )

    def _chroma(
        self, planes: tuple[Plane, ...], tables: PassTables, texture: TextureTerm, frame: Any, first: int, count: int,
        out: tuple[Plane, ...],
    ) -> None:  # fmt: skip
        source, target = tables.source, tables.target
        luma, cb, cr = planes
        noises = tables.noise[1:] if tables.noise else (None, None)
        cb_grain, cr_grain = (
            self._rooms.of_plane[plane].draw(noise, plane, first, count, cb.shape[1], frame)
            for plane, noise in enumerate(noises, start=1)
        )
        across, down = source.subsampling
        corner = (texture.top // down, texture.left // across)
        if source.is_float:
            store = np.zeros(3, np.float32)
            if not target.is_float:
                store[:] = *chroma_codes(target.depth, target.range), (1 << target.depth) - 1
            _chroma_float(
                luma, across, down, cb, cr, first, cb_grain, cr_grain, tables.chroma_gain,
                (*corner, texture.cb, texture.cr), np.array(_channels(tables), np.float32), _shoulder(tables), store,
                out[1], out[2],
            )  # fmt: skip
            return
        black, white = luma_codes(source.depth, source.range)
        grey, unit = chroma_codes(source.depth, source.range)
        scale = np.array([black, 1 / (white - black), grey, 1 / unit, *_channels(tables)], np.float32)
        bits = fraction_bits(target.depth)
        middle, spread = chroma_codes(target.depth, target.range)
        low = round(middle - spread / 2) << bits
        high = min(round(middle + spread / 2), (1 << target.depth) - 1) << bits
        unit_of_relief, last = I32(round(spread * (1 << bits) / CHROMA_ONE)), I32((1 << 24) - (1 << bits))
        relief = (*corner, texture.cb, texture.cr, unit_of_relief, last)
        _chroma(
            luma, across, down, cb, cr, first, cb_grain, cr_grain, tables.chroma,
            _straight(tables.chroma_straight, source),
            tables.chroma_gain, relief, scale, _shoulder(tables), I32(int(middle) << bits), I32(low), I32(high),
            U32(bits), out[1], out[2],
        )  # fmt: skip


def _straight(last: int, source: Color) -> tuple[Any, Any]:
    return I32(last), I32(fraction_bits(source.depth))


def _shoulder(tables: PassTables) -> npt.NDArray[np.float32]:
    s = tables.shoulder
    return np.array([s.knee, s.curvature, s.strength], np.float32)
