"""Noise on the CPU, row after row: drawn, filtered along rows and down columns, and enlarged where it is coarse.

Twin of kernels/grain_field.cuh. All in integers. No more rows are kept than the filters reach over, which the nearest
cache holds. Inner loops run along rows over plain one-dimensional arrays because that is the form LLVM vectorises.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from grainkit.backends.tables import PlaneNoise
from grainkit.machine.jit import uncounted
from grainkit.picture.noise import COARSE_SHIFT, FIELD_LIMIT, MIX_SHIFT, ROW_SHIFT, noise_words, white

I16, I32, U32 = np.int16, np.int32, np.uint32

Samples = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint32]
Line = npt.NDArray[np.int16]

#: Rows drawn by one call of the hash (its four words), and columns (a word's bytes).
BLOCK = 4
_ROW_SHIFT, _ROW_HALF = I16(ROW_SHIFT), I16(1 << (ROW_SHIFT - 1))
_COARSE_SHIFT, _COARSE_HALF = I16(COARSE_SHIFT), I16(1 << (COARSE_SHIFT - 1))
_MIX_SHIFT = I32(MIX_SHIFT)
_LIMIT = I16(FIELD_LIMIT)
#: Before the first row that may be asked for.
_BEFORE_ALL = -(1 << 40)

_jit = uncounted()
#: For loops that shift by what only the caller knows: with a constant, LLVM keeps the lanes as narrow as the samples.
_jit_inline = uncounted(inline="always")


class Octave(NamedTuple):
    """An octave of some columns, and the rows of it that are in memory: row y lies at y % kept, a power of two.

    words: noise, (kept, groups) uint32. samples: the same memory as uint8, four to a word.
    rows: (kept, width) int16, filtered along rows; nothing where `down` is empty.
    along, down: half of the filters along rows and down columns, centre tap first; empty where only dither is wanted.
    group: the first group's number. edge: the first sample in it that is wanted. key: of the noise.
    """

    words: Words
    samples: Samples
    rows: Line
    along: Line
    down: Line
    group: np.uint32
    edge: int
    key: np.uint32


class Field(NamedTuple):
    """What `draw_grain` draws a plane's noise by, and what of it is drawn. Rows come in order; some may be left out.

    summed: (4, coarse columns) int16, rows of the coarse octave filtered both ways; row y lies at y % 4.
    fine_weight, coarse_weight: (width,) int16, the weight of an octave once for each column; see `upper`.
    line, blended, enlarged: scratch, int16.
    frame: number of the frame that the noise is of.
    drawn: (3,) int64, the first row not drawn yet of the fine octave, of the coarse one and of `summed`.
    """

    fine: Octave
    coarse: Octave
    summed: Line
    fine_weight: Line
    coarse_weight: Line
    line: Line
    blended: Line
    enlarged: Line
    frame: np.uint32
    drawn: npt.NDArray[np.int64]


class Grain(NamedTuple):
    """A row of noise: both octaves and their weights, which `mix` makes the grain field of; all (width,) int16.

    samples: the same row's unfiltered samples, (width,) uint8, for dither.
    """

    fine: Line
    fine_weight: Line
    coarse: Line
    coarse_weight: Line
    samples: Samples


class _Pair(NamedTuple):
    """The lines at one distance to either side of the one that is filtered, which one tap weighs."""

    before: Line
    after: Line


@_jit
def _draw_rows(
    row0: Words, row1: Words, row2: Words, row3: Words, octave: Octave, block: int, frame: np.uint32
) -> None:
    x, y = octave.group, U32(block)
    for i in range(row0.shape[0]):
        a, b, c, d = noise_words(x, y, frame, octave.key)
        row0[i], row1[i], row2[i], row3[i] = a, b, c, d
        x = U32(x + U32(1))


@_jit
def _whiten(samples: Samples, out: Line) -> None:
    for i in range(out.shape[0]):
        out[i] = white(samples[i])


@_jit_inline
def _beside(line: Line, start: int, distance: int) -> _Pair:
    return _Pair(line[start - distance :], line[start + distance :])


@_jit_inline
def _above_and_below(rows: Line, row: int, distance: int) -> _Pair:
    kept = rows.shape[0] - 1
    return _Pair(rows[(row - distance) & kept], rows[(row + distance) & kept])


@_jit_inline
def _one_pair(total: Line, centre: Line, pair1: _Pair, taps: Line, bias: np.int16, shift: np.int16) -> None:
    """The centre tap and one pair around it, in int16."""
    a1, b1 = pair1
    t0, t1 = taps[0], taps[1]
    for i in range(total.shape[0]):
        total[i] = I16(bias + I16(I16(t0 * centre[i]) + I16(t1 * I16(a1[i] + b1[i])))) >> shift


@_jit_inline
def _two_pairs(
    total: Line, centre: Line, pair1: _Pair, pair2: _Pair, taps: Line, bias: np.int16, shift: np.int16
) -> None:
    a1, b1 = pair1
    a2, b2 = pair2
    t0, t1, t2 = taps[0], taps[1], taps[2]
    for i in range(total.shape[0]):
        near = I16(I16(t0 * centre[i]) + I16(t1 * I16(a1[i] + b1[i])))
        total[i] = I16(I16(bias + near) + I16(t2 * I16(a2[i] + b2[i]))) >> shift


@_jit_inline
def _three_pairs(
    total: Line, centre: Line, pair1: _Pair, pair2: _Pair, pair3: _Pair, taps: Line, bias: np.int16, shift: np.int16
) -> None:
    a1, b1 = pair1
    a2, b2 = pair2
    a3, b3 = pair3
    t0, t1, t2, t3 = taps[0], taps[1], taps[2], taps[3]
    for i in range(total.shape[0]):
        near = I16(I16(t0 * centre[i]) + I16(t1 * I16(a1[i] + b1[i])))
        far = I16(I16(t2 * I16(a2[i] + b2[i])) + I16(t3 * I16(a3[i] + b3[i])))
        total[i] = I16(I16(bias + near) + far) >> shift


@_jit
def _three_more(total: Line, pair1: _Pair, pair2: _Pair, pair3: _Pair, taps: Line) -> None:
    a1, b1 = pair1
    a2, b2 = pair2
    a3, b3 = pair3
    t1, t2, t3 = taps[0], taps[1], taps[2]
    for i in range(total.shape[0]):
        pairs = I16(I16(t1 * I16(a1[i] + b1[i])) + I16(t2 * I16(a2[i] + b2[i])))
        total[i] += I16(pairs + I16(t3 * I16(a3[i] + b3[i])))


@_jit
def _drop(total: Line) -> None:
    for i in range(total.shape[0]):
        total[i] >>= _ROW_SHIFT


@_jit
def _filter_row(line: Line, taps: Line, out: Line) -> None:
    """Horizontal filter of one row: out (width,) int16 from line (width + 2 radius) int16."""
    r = taps.shape[0] - 1
    centre, pair1 = line[r:], _beside(line, r, 1)
    if r == 1:
        _one_pair(out, centre, pair1, taps, _ROW_HALF, _ROW_SHIFT)
        return
    pair2 = _beside(line, r, 2)
    if r == 2:
        _two_pairs(out, centre, pair1, pair2, taps, _ROW_HALF, _ROW_SHIFT)
        return
    pair3 = _beside(line, r, 3)
    if r == 3:
        _three_pairs(out, centre, pair1, pair2, pair3, taps, _ROW_HALF, _ROW_SHIFT)
        return
    _three_pairs(out, centre, pair1, pair2, pair3, taps, _ROW_HALF, I16(0))
    for k in range(4, r + 1, 3):
        _three_more(out, _beside(line, r, k), _beside(line, r, k + 1), _beside(line, r, k + 2), taps[k:])
    _drop(out)


@_jit
def _filter_column(rows: Line, c: int, taps: Line, out: Line) -> None:
    """Vertical filter around row `c`, unshifted, into out (width,) int16. rows: as many as `_octave` keeps."""
    r = taps.shape[0] - 1
    centre, pair1 = rows[c & (rows.shape[0] - 1)], _above_and_below(rows, c, 1)
    if r == 1:
        _one_pair(out, centre, pair1, taps, I16(0), I16(0))
        return
    pair2 = _above_and_below(rows, c, 2)
    if r == 2:
        _two_pairs(out, centre, pair1, pair2, taps, I16(0), I16(0))
        return
    _three_pairs(out, centre, pair1, pair2, _above_and_below(rows, c, 3), taps, I16(0), I16(0))
    for k in range(4, r + 1, 3):
        pair1, pair2 = _above_and_below(rows, c, k), _above_and_below(rows, c, k + 1)
        _three_more(out, pair1, pair2, _above_and_below(rows, c, k + 2), taps[k:])


@_jit
def _advance(octave: Octave, frame: np.uint32, line: Line, drawn: int, row: int) -> int:
    """Draws an octave and filters it along rows, as far as its filter along columns goes from `row`.

    drawn: the first row that is not drawn yet; what it is now is given back. Rows come in order, and some may be
    left out.
    """
    reach, kept = max(octave.down.shape[0] - 1, 0), octave.words.shape[0] - 1
    drawn = max(drawn, (row - reach) // BLOCK * BLOCK)
    while drawn <= row + reach:
        top = drawn & kept
        block = octave.words[top : top + BLOCK]
        _draw_rows(block[0], block[1], block[2], block[3], octave, drawn // BLOCK, frame)
        if octave.down.shape[0]:
            # While the words are in the first-level cache.
            for r in range(top, top + BLOCK):
                _whiten(octave.samples[r, octave.edge :], line)
                _filter_row(line, octave.along, octave.rows[r])
        drawn += BLOCK
    return drawn


@_jit
def _blend(near: Line, far: Line, out: Line) -> None:
    for i in range(out.shape[0]):
        out[i] = I16(I16(I16(I16(3) * near[i]) + far[i]) + _COARSE_HALF) >> _COARSE_SHIFT


@_jit
def _enlarge(coarse: Line, out: Line) -> None:
    """A row widened twofold around its pixel centres; coarse has a sample more at its left, and one at its right."""
    pairs = out.shape[0] // 2
    for i in range(pairs):
        centre = I16(I16(3) * coarse[i + 1])
        out[2 * i] = I16(centre + coarse[i])
        out[2 * i + 1] = I16(centre + coarse[i + 2])
    if 2 * pairs < out.shape[0]:
        out[2 * pairs] = I16(I16(I16(3) * coarse[pairs + 1]) + coarse[pairs])


@_jit_inline
def upper(a: np.int16, b: np.int16) -> np.int16:
    """The upper half of a product of two int16: one instruction for a vector of them, if both come out of arrays."""
    return I16(I32(I32(a) * I32(b)) >> _MIX_SHIFT)


@_jit_inline
def mix(grain: Grain, i: int) -> np.int16:
    """The grain field at a column: its octaves, weighted, added and clamped."""
    mixed = I16(upper(grain.fine_weight[i], grain.fine[i]) + upper(grain.coarse_weight[i], grain.coarse[i]))
    return min(max(mixed, I16(-_LIMIT)), _LIMIT)


@_jit
def draw_grain(field: Field, row: int, width: int) -> Grain:
    """Draw the noise of a row, which lies in the field's scratch until the next one is drawn."""
    fine, coarse, drawn = field.fine, field.coarse, field.drawn
    across = coarse.rows.shape[1]
    # Never in place, nor out of one array into another part of it: LLVM would not dare to use vectors.
    out, blended, enlarged = field.line[:width], field.blended[:across], field.enlarged[:width]
    radius = max(fine.along.shape[0] - 1, 0)
    drawn[0] = _advance(fine, field.frame, field.line[: width + 2 * radius], drawn[0], row)
    samples = fine.samples[row & (fine.samples.shape[0] - 1), fine.edge + radius :]
    if fine.down.shape[0] == 0:
        out[:] = I16(0)
        enlarged[:] = I16(0)
        return Grain(out, field.fine_weight, enlarged, field.coarse_weight, samples)
    near = row // 2
    far = near + 1 if row % 2 else near - 1
    half = max(drawn[2], near - 1)
    line = field.line[: across + 2 * (coarse.along.shape[0] - 1)]
    while half <= near + 1:
        drawn[1] = _advance(coarse, field.frame, line, drawn[1], half)
        _filter_column(coarse.rows, half, coarse.down, field.summed[half & 3])
        half += 1
    drawn[2] = half
    _blend(field.summed[near & 3], field.summed[far & 3], blended)
    _enlarge(blended, enlarged)
    _filter_column(fine.rows, row, fine.down, out)
    return Grain(out, field.fine_weight, enlarged, field.coarse_weight, samples)


def field_of(noise: PlaneNoise, width: int) -> Field:
    """Make a field of this noise for a plane so many columns wide, before its first frame; see `begun`."""
    f, half = noise.filter, width // 2 + 2
    fine = _octave(noise.fine_key, f.fine_x, f.fine_y, 0, width)
    coarse = _octave(noise.coarse_key, f.coarse_x, f.coarse_y, -1, half)
    longest = max(width, half) + 2 * max(len(f.fine_x), len(f.coarse_x))
    return _field(fine, coarse, (f.fine_weight, f.coarse_weight), width, longest)


def field_of_dither(plane: int, width: int) -> Field:
    """Make a field that only dither is drawn from: its grain is 0."""
    nothing = np.empty(0, np.int16)
    fine, coarse = (_octave(U32(plane), nothing, nothing, 0, columns) for columns in (width, 0))
    return _field(fine, coarse, (0, 0), width, width)


def begun(field: Field, frame: np.uint32) -> Field:
    """Give the field as it is before any row of this frame is drawn; in the same memory."""
    return field._replace(frame=frame, drawn=np.full(3, _BEFORE_ALL))


def _field(fine: Octave, coarse: Octave, weights: tuple[int, int], width: int, longest: int) -> Field:
    summed = np.empty((4, coarse.rows.shape[1]), np.int16)
    fine_weight, coarse_weight = (np.full(width, weight, np.int16) for weight in weights)
    line, blended, enlarged = (np.empty(longest, np.int16) for _ in range(3))
    drawn = np.full(3, _BEFORE_ALL)
    return Field(fine, coarse, summed, fine_weight, coarse_weight, line, blended, enlarged, U32(0), drawn)


def _octave(key: np.uint32, along: Line, down: Line, left: int, width: int) -> Octave:
    """An octave of columns left..left + width.

    It keeps as many rows as a filtered column reaches over, and the block that is drawn ahead.
    """
    radius, reach = max(len(along) - 1, 0), max(len(down) - 1, 0)
    group, edge = divmod(left - radius, BLOCK)
    kept = 1 << (2 * reach + BLOCK - 1).bit_length()
    words = np.empty((kept, -(-(edge + width + 2 * radius) // BLOCK)), np.uint32)
    rows = np.empty((kept if len(down) else 0, width), np.int16)
    return Octave(words, words.view(np.uint8), rows, along, down, U32(group & 0xFFFFFFFF), edge, key)
