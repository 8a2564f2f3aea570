"""R'G'B' samples to float Y'CbCr planes and back, exactly.

A picture goes round (8, 16 bit: every code; float: the same bits) because a pixel whose planes are
still what its own R'G'B' gives is returned as it came in. Others are rounded to 16 bit, and
dithered to 8 bit with uniform noise of one code, which keeps the mean of every level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

from grainkit.errors import GrainkitError
from grainkit.machine.jit import njit
from grainkit.picture.color import Color
from grainkit.picture.frame import Plane
from grainkit.picture.noise import pcg4d, stream_key

RGB = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32]
Float = npt.NDArray[np.float32]

F32 = np.float32
#: Noise stream of the dither at this boundary (planes of a picture use 0, 1 and 2).
DITHER_STREAM = 7


class RgbWeights(NamedTuple):
    """Luma weights, and what makes Cb and Cr of the differences to luma."""

    kr: np.float32
    kg: np.float32
    kb: np.float32
    cb_scale: np.float32
    cr_scale: np.float32


class _Dither(NamedTuple):
    """What the dither of a frame is drawn by. on: whether there is any."""

    key: np.uint32
    frame: np.uint32
    on: bool


@njit(cache=True, inline="always", nogil=True)
def _ycc(r: np.float32, g: np.float32, b: np.float32, weights: RgbWeights) -> tuple[np.float32, np.float32, np.float32]:
    y = F32(F32(weights.kr * r) + F32(weights.kg * g)) + F32(weights.kb * b)
    return y, F32(F32(b - y) * weights.cb_scale), F32(F32(r - y) * weights.cr_scale)


@njit(cache=True, nogil=True)
def _from_rgb(rgb: RGB, scale: np.float32, weights: RgbWeights, y: Float, cb: Float, cr: Float) -> None:
    for row in range(rgb.shape[0]):
        for x in range(rgb.shape[1]):
            y[row, x], cb[row, x], cr[row, x] = _ycc(
                F32(rgb[row, x, 0]) * scale, F32(rgb[row, x, 1]) * scale, F32(rgb[row, x, 2]) * scale, weights
            )


@njit(cache=True, inline="always", nogil=True)
def _code(value: np.float32, top: np.float32, nudge: np.float32) -> np.float32:
    return min(max(np.floor(F32(F32(value * top) + nudge)), F32(0.0)), top)


@njit(cache=True, nogil=True)
def _to_rgb(
    y: Plane, cb: Plane, cr: Plane, weights: RgbWeights, origin: RGB, scale: np.float32, dither: _Dither,
    top: np.float32, out: RGB,
) -> None:  # fmt: skip
    r_gain, b_gain, g_gain = F32(1.0) / weights.cr_scale, F32(1.0) / weights.cb_scale, F32(1.0) / weights.kg
    known = origin.shape[0] > 0
    for row in range(y.shape[0]):
        for x in range(y.shape[1]):
            if known:
                same = _ycc(
                    F32(origin[row, x, 0]) * scale, F32(origin[row, x, 1]) * scale, F32(origin[row, x, 2]) * scale,
                    weights,
                )  # fmt: skip
                if same[0] == y[row, x] and same[1] == cb[row, x] and same[2] == cr[row, x]:
                    for c in range(3):
                        out[row, x, c] = origin[row, x, c]
                    continue
            r = y[row, x] + F32(cr[row, x] * r_gain)
            b = y[row, x] + F32(cb[row, x] * b_gain)
            g = F32(F32(F32(y[row, x] - F32(weights.kr * r)) - F32(weights.kb * b)) * g_gain)
            if top == F32(1.0):
                out[row, x, 0], out[row, x, 1], out[row, x, 2] = r, g, b
            elif dither.on:
                words = pcg4d(np.uint32(x), np.uint32(row), dither.frame, dither.key)
                unit = F32(1.0 / 16777216.0)
                out[row, x, 0] = _code(r, top, F32(words[0] >> np.uint32(8)) * unit)
                out[row, x, 1] = _code(g, top, F32(words[1] >> np.uint32(8)) * unit)
                out[row, x, 2] = _code(b, top, F32(words[2] >> np.uint32(8)) * unit)
            else:
                out[row, x, 0] = _code(r, top, F32(0.5))
                out[row, x, 1] = _code(g, top, F32(0.5))
                out[row, x, 2] = _code(b, top, F32(0.5))


@njit(cache=True, nogil=True)
def _to_grey(y: Plane, origin: RGB, scale: np.float32, dither: _Dither, top: np.float32, out: RGB) -> None:
    known = origin.shape[0] > 0
    for row in range(y.shape[0]):
        for x in range(y.shape[1]):
            if known and F32(origin[row, x]) * scale == y[row, x]:
                out[row, x] = origin[row, x]
            elif top == F32(1.0):
                out[row, x] = y[row, x]
            elif dither.on:
                word = pcg4d(np.uint32(x), np.uint32(row), dither.frame, dither.key)[0]
                out[row, x] = _code(y[row, x], top, F32(word >> np.uint32(8)) * F32(1.0 / 16777216.0))
            else:
                out[row, x] = _code(y[row, x], top, F32(0.5))


def rgb_weights(color: Color) -> RgbWeights:
    kr, kg, kb = color.luma_weights()
    return RgbWeights(F32(kr), F32(kg), F32(kb), F32(0.5 / (1.0 - kb)), F32(0.5 / (1.0 - kr)))


def full_scale(dtype: np.dtype[np.generic]) -> float:
    """The code of white in R'G'B' samples of this type: 255, 65535 or 1.0."""
    return {"u1": 255.0, "u2": 65535.0, "f4": 1.0}[dtype.str[1:]]


def planes_from_rgb(rgb: RGB, color: Color) -> tuple[Plane, ...]:
    """Float32 planes of full-range R'G'B' (h, w, 3), or the one luma plane of grey (h, w).

    rgb: uint8, uint16 or float32 (1.0 is white; values outside 0..1 are kept).
    """
    scale = np.float32(1.0) / np.float32(full_scale(rgb.dtype))
    if rgb.ndim == 2:
        return (rgb.astype(np.float32) * scale,)
    y, cb, cr = (np.empty(rgb.shape[:2], np.float32) for _ in range(3))
    _from_rgb(rgb, scale, rgb_weights(color), y, cb, cr)
    return y, cb, cr


class PlanesOfRgb(Sequence[Plane]):
    """`planes_from_rgb` of these samples, made when one of them is looked at: a backend may make them elsewhere."""

    def __init__(self, rgb: RGB, color: Color) -> None:
        self.rgb, self.color = rgb, color
        self._made: tuple[Plane, ...] | None = None

    def __len__(self) -> int:
        return 1 if self.rgb.ndim == 2 else 3

    @overload
    def __getitem__(self, which: int) -> Plane: ...
    @overload
    def __getitem__(self, which: slice) -> tuple[Plane, ...]: ...
    def __getitem__(self, which: int | slice) -> Plane | tuple[Plane, ...]:
        if self._made is None:
            self._made = planes_from_rgb(self.rgb, self.color)
        return self._made[which]


@dataclass(frozen=True)
class RgbSamples:
    """R'G'B' as it is delivered: uint8 (dithered by `seed` where a pixel changed), uint16 or float32."""

    dtype: np.dtype[np.generic]
    seed: int


def rgb_from_planes(
    planes: Sequence[Plane],
    color: Color,
    dtype: npt.DTypeLike,
    *,
    seed: int = 0,
    frame: int = 0,
    origin: RGB | None = None,
) -> RGB:
    """Full-range R'G'B' (h, w, 3), or grey (h, w), of float32 4:4:4 planes.

    dtype: uint8 (dithered where a pixel changed), uint16 (rounded) or float32.
    origin: the samples the planes came from, of the same dtype and size; unchanged pixels keep its bits.
    seed, frame: what the dither is drawn by.
    """
    dtype = np.dtype(dtype)
    top = np.float32(full_scale(dtype))
    if any(p.dtype != np.float32 for p in planes):
        raise GrainkitError("R'G'B' comes from float planes only")
    if origin is not None and (origin.dtype != dtype or origin.shape[:2] != planes[0].shape):
        origin = None
    dither = _Dither(stream_key(seed, DITHER_STREAM, 0), np.uint32(frame), bool(dtype == np.uint8))
    scale = np.float32(1.0) / top
    shape = planes[0].shape if len(planes) == 1 else (*planes[0].shape, 3)
    out: RGB = np.empty(shape, dtype)
    known: RGB = np.empty((0,) * len(shape), dtype) if origin is None else origin
    if len(planes) == 1:
        _to_grey(planes[0], known, scale, dither, top, out)
    else:
        y, cb, cr = planes
        _to_rgb(y, cb, cr, rgb_weights(color), known, scale, dither, top, out)
    return out
