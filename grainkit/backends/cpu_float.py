"""Rows of float planes on the CPU, finished to float or to dithered codes. Twin of kernels/{luma,chroma}_float.cu."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from grainkit.backends.cpu_noise import Field, draw_grain, mix
from grainkit.backends.cpu_rows import SPREAD, ChromaRelief, LumaRelief, Planes
from grainkit.backends.cpu_shoulder import Channels, Rolloff, channels_of, largest_channel, roll, rolloff_of, slope
from grainkit.backends.pass_term import CHROMA_ONE, LUMA_ONE
from grainkit.backends.tables import LUMA_STEPS, PassTables
from grainkit.machine.jit import uncounted
from grainkit.picture.color import Color, chroma_codes, luma_codes
from grainkit.picture.frame import Plane

I32, U16, F32 = np.int32, np.uint16, np.float32

_LUMA_UNIT, _CHROMA_UNIT = F32(1 / LUMA_ONE), F32(1 / CHROMA_ONE)

_jit = uncounted()


class Store(NamedTuple):
    """How values become codes: offset + value * unit, 0..top; top is 0 where they stay values."""

    offset: np.float32
    unit: np.float32
    top: np.float32


class LumaWork(NamedTuple):
    """What is done to the luma of a frame. curve, gain: by luma 0..1, see PassTables; no curve where it is empty."""

    curve: npt.NDArray[np.float32]
    gain: npt.NDArray[np.float32]
    shoulder: Rolloff
    store: Store


class ChromaWork(NamedTuple):
    """What is done to Cb and Cr of a frame.

    across, down: luma samples for one of theirs. curve, factor, gain: luma after its curve, what chroma is scaled by
    and grain, by luma 0..1, see PassTables; no curve and no factor where they are empty.
    """

    across: int
    down: int
    curve: npt.NDArray[np.float32]
    factor: npt.NDArray[np.float32]
    gain: npt.NDArray[np.float32]
    channels: Channels
    shoulder: Rolloff
    store: Store


@_jit
def at_luma(table: npt.NDArray[np.float32], y: np.float32) -> np.float32:
    """Read a table over luma 0..1, between its entries too."""
    # 0 stands first so that NaN, which exceeds nothing, becomes 0 and not an index.
    t = F32(min(max(F32(0.0), y), F32(1.0)) * F32(LUMA_STEPS))
    i = min(I32(t), I32(LUMA_STEPS - 1))
    return F32(table[i] + F32(F32(table[i + 1] - table[i]) * F32(t - F32(i))))


@_jit
def curved(table: npt.NDArray[np.float32], y: np.float32) -> np.float32:
    """Luma after the luma curve; what lies beyond 0..1 stays as far beyond the curve's ends."""
    return F32(at_luma(table, y) + F32(y - min(max(F32(0.0), y), F32(1.0))))


@_jit
def stored(value: np.float32, store: Store, sample: np.uint8) -> np.float32:
    """An integer code of a normalised value, dithered with one code of uniform noise."""
    # The middle of its 256 steps: a code that rounding left a little too low must not become the one below.
    nudge = F32(F32(F32(U16(U16(sample) * SPREAD)) + F32(128.0)) * F32(1.0 / 65536.0))
    return min(max(F32(0.0), np.floor(F32(F32(store.offset + F32(value * store.unit)) + nudge))), store.top)


@_jit
def luma_rows(
    source: Plane, first: int, count: int, work: LumaWork, relief: LumaRelief, field: Field, out: Plane
) -> None:
    """Finish rows first..first + count of a luma plane."""
    curve, gain, shoulder, store, side = work.curve, work.gain, work.shoulder, work.store, relief.left
    bent = curve.shape[0] > 0
    for row in range(first, first + count):
        values, target = source[row], out[row]
        inside = row - relief.top
        touched = 0 <= inside < relief.gain.shape[0]
        grain = draw_grain(field, row, values.shape[0])
        for i in range(values.shape[0]):
            y = values[i]
            if touched and side <= i < side + relief.gain.shape[1]:
                y = F32(y + F32(y * F32(F32(relief.gain[inside, i - side]) * _LUMA_UNIT)))
            toned = curved(curve, y) if bent else y
            value = F32(roll(toned, shoulder) + F32(at_luma(gain, y) * F32(mix(grain, i))))
            target[i] = value if store.top == F32(0.0) else stored(value, store, grain.samples[i])


@_jit
def chroma_rows(
    source: Planes, first: int, count: int, work: ChromaWork, relief: ChromaRelief, cb_field: Field, cr_field: Field,
    cb_out: Plane, cr_out: Plane,
) -> None:  # fmt: skip
    """Finish rows first..first + count of Cb and Cr."""
    luma, cb, cr = source
    curve, factor, gain, channels = work.curve, work.factor, work.gain, work.channels
    shoulder, store = work.shoulder, work.store
    bent, scaled = curve.shape[0] > 0, factor.shape[0] > 0
    top, side, cb_relief, cr_relief = relief
    half = F32(0.5)
    height, width = luma.shape
    for row in range(first, first + count):
        upper = luma[row * work.down]
        lower = luma[min(row * work.down + work.down - 1, height - 1)]
        cb_grain = draw_grain(cb_field, row, cb.shape[1])
        cr_grain = draw_grain(cr_field, row, cb.shape[1])
        for i in range(cb.shape[1]):
            left = i * work.across
            right = min(left + work.across - 1, width - 1)
            y = F32(F32(F32(upper[left] + upper[right]) + F32(lower[left] + lower[right])) * F32(0.25))
            u, v = cb[row, i], cr[row, i]
            toned = curved(curve, y) if bent else y
            scale = slope(toned, largest_channel(toned, u, v, channels), shoulder)
            if scaled:
                scale = F32(scale * at_luma(factor, y))
            if 0 <= row - top < cb_relief.shape[0] and side <= i < side + cb_relief.shape[1]:
                u = F32(u + F32(F32(cb_relief[row - top, i - side]) * _CHROMA_UNIT))
                v = F32(v + F32(F32(cr_relief[row - top, i - side]) * _CHROMA_UNIT))
            u, v = F32(u * scale), F32(v * scale)
            room_u, room_v = max(F32(half - abs(u)), F32(0.0)), max(F32(half - abs(v)), F32(0.0))
            grain_u = F32(at_luma(gain, y) * F32(mix(cb_grain, i)))
            grain_v = F32(at_luma(gain, y) * F32(mix(cr_grain, i)))
            u = F32(u + min(max(grain_u, -room_u), room_u))
            v = F32(v + min(max(grain_v, -room_v), room_v))
            cb_out[row, i] = u if store.top == F32(0.0) else stored(u, store, cb_grain.samples[i])
            cr_out[row, i] = v if store.top == F32(0.0) else stored(v, store, cr_grain.samples[i])


def luma_work(tables: PassTables) -> LumaWork:
    """Take from the tables what float luma needs."""
    black, white = luma_codes(tables.target.depth, tables.target.range)
    return LumaWork(
        tables.luma_curve, np.asarray(tables.luma_gain, F32), rolloff_of(tables),
        _store(tables.target, black, white - black),
    )  # fmt: skip


def chroma_work(tables: PassTables) -> ChromaWork:
    """Take from the tables what float Cb and Cr need."""
    across, down = tables.source.subsampling
    store = _store(tables.target, *chroma_codes(tables.target.depth, tables.target.range))
    return ChromaWork(
        across, down, tables.luma_curve, tables.chroma_factor, np.asarray(tables.chroma_gain, F32),
        channels_of(tables), rolloff_of(tables), store,
    )  # fmt: skip


def _store(target: Color, offset: float, unit: float) -> Store:
    return (
        Store(F32(0), F32(0), F32(0))
        if target.is_float
        else Store(F32(offset), F32(unit), F32((1 << target.depth) - 1))
    )
