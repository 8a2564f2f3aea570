"""Planes resized by weights: every sample of the result is a weighted sum of neighbours, down and then across.

Lanczos brings pictures to the delivery's size; means over what a px covers make the small pictures that
analysis looks at. Both are tables for one function, twin of kernels/weigh.cu.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from grainkit.machine.jit import njit

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
#: A plane of any sample type.
Samples = npt.NDArray[np.generic]

#: Samples from which a plane is shared out to threads, so many rows of the result at a time.
LARGE, STRIP = 1 << 22, 128
#: Lobes of the Lanczos window to either side.
LOBES = 3


@dataclass(frozen=True, eq=False)
class Taps:
    """What the samples of one axis are made of: sample i is the sum over k of weights[i, k] * source[first[i] + k].

    first: (n,) int32, never falling; first + taps stays within the source.
    weights: (n, taps) float32.
    """

    first: npt.NDArray[np.int32]
    weights: F32

    @staticmethod
    def within(size: int, first: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]) -> Taps:
        """Taps over a source of `size` samples; weights of what lies beyond it are left out (or were 0 already)."""
        count = min(weights.shape[1], size)
        begin = np.clip(first, 0, size - count)
        made = np.where((begin == first)[:, None], weights[:, :count], 0.0)
        # Few reach beyond the source.
        rows = np.flatnonzero(begin != first)
        at = (first - begin)[rows, None] + np.arange(weights.shape[1])
        on, k = np.nonzero((at >= 0) & (at < count))
        made[rows[on], at[on, k]] = weights[rows[on], k]
        return Taps(begin.astype(np.int32), made.astype(np.float32))

    def shifted(self, by: int) -> Taps:
        """The same of a source that begins `by` samples further on."""
        return replace(self, first=self.first + np.int32(by))


class Elsewhere(Protocol):
    """A plane whose samples are not in this memory, and which does the work where they are."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def weighed(self, down: Taps, across: Taps) -> F32: ...

    def __getitem__(self, part: slice | tuple[slice, slice]) -> Samples: ...


def lanczos(size: int, near: float, far: float, source: int) -> Taps:
    """Taps that bring near..far of a source axis to `size` samples: Lanczos, widened where it reduces.

    near, far: px from the source's first edge; what lies outside the source repeats its ends.
    """
    if far - near == size and near == int(near):
        return _repeated(np.arange(size)[:, None] + int(near), np.ones((size, 1)), source)
    scale = (far - near) / size
    wide = max(scale, 1.0)
    reach = LOBES * wide
    centre = near + (np.arange(size) + 0.5) * scale
    # As Pillow: samples whose middles lie within the window, and none beyond the source and what pads it.
    low, high = min(0, math.floor(near)), max(source, math.ceil(far))
    first = np.maximum(np.floor(centre - reach + 0.5).astype(np.int64), low)
    end = np.minimum(np.floor(centre + reach + 0.5).astype(np.int64), high)
    px = first[:, None] + np.arange(int((end - first).max()))
    x = (px + 0.5 - centre[:, None]) / wide
    weights = np.where((np.abs(x) < LOBES) & (px < end[:, None]), np.sinc(x) * np.sinc(x / LOBES), 0.0)
    return _repeated(px, weights / weights.sum(axis=1, keepdims=True), source)


def _repeated(px: npt.NDArray[np.int64], weights: npt.NDArray[np.float64], source: int) -> Taps:
    """Taps of samples that may lie outside a source, whose first and last then stand for them."""
    inside = np.clip(px, 0, source - 1)
    first = inside[:, 0]
    made = np.zeros(weights.shape)
    rows = np.arange(len(px))
    for k in range(px.shape[1]):
        made[rows, inside[:, k] - first] += weights[:, k]
    return Taps.within(source, first, made)


def covers(count: int, start: float, scale: float, source: int) -> Taps:
    """Taps of `count` px, from place `start`, of an axis reduced by `scale` (at most 1): means of what each covers."""
    taps = min(int(np.ceil(1 / scale)) + 1, source)
    first, weights = np.empty(count, np.int32), np.zeros((count, taps), np.float32)
    _cover(start, scale, source, first, weights)
    return Taps(first, weights)


@njit(cache=True, nogil=True, error_model="numpy")
def _cover(start: float, scale: float, source: int, first: I32, weights: F32) -> None:
    taps = weights.shape[1]
    for i in range(first.shape[0]):
        low, high = min(max((start + i) / scale, 0.0), source), min(max((start + i + 1) / scale, 0.0), source)
        at = min(int(low), source - 1)
        first[i] = min(at, source - taps)
        for px in range(at, min(first[i] + taps, source)):
            cover = max(min(high, px + 1.0) - max(low, px), 0.0)
            weights[i, px - first[i]] = cover / max(high - low, 1e-6)


def weighed(plane: Samples | Elsewhere, down: Taps, across: Taps) -> F32:
    """(rows of down, columns of across) float32 of a plane of any sample type, at its own scale."""
    if not isinstance(plane, np.ndarray):
        return plane.weighed(down, across)
    out = np.empty((len(down.first), len(across.first)), np.float32)
    weights = np.ascontiguousarray(across.weights.T)

    def rows(part: slice) -> None:
        _weigh(plane, down.first[part], down.weights[part], across.first, weights, out[part])

    if plane.size < LARGE:
        rows(slice(None))
        return out
    with ThreadPoolExecutor(thread_name_prefix="grainkit-weigh") as pool:
        list(pool.map(rows, (slice(top, top + STRIP) for top in range(0, len(out), STRIP))))
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh(plane: Samples, rows: I32, down: F32, columns: I32, across: F32, out: F32) -> None:
    """across: (taps, width), so that sums of neighbours go on side by side."""
    low, high = columns[0], columns[-1] + across.shape[0]
    line = np.empty(high - low, np.float32)
    for y in range(out.shape[0]):
        _sum_rows(plane, rows[y], down[y], low, high, line)
        _sum_columns(line, low, columns, across, out[y])


# Rows are cut before the loops and places are unsigned: an index that might count from the end is not vectorised.


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_rows(plane: Samples, first: np.int32, weights: F32, low: int, high: int, line: F32) -> None:
    line[:] = np.float32(0.0)
    for k in range(weights.shape[0]):
        weight, row = weights[k], plane[first + k, low:high]
        for x in range(line.shape[0]):
            line[x] += weight * np.float32(row[x])


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_columns(line: F32, low: int, columns: I32, across: F32, out: F32) -> None:
    out[:] = np.float32(0.0)
    for k in range(across.shape[0]):
        weights = across[k]
        for x in range(out.shape[0]):
            out[x] += weights[x] * line[np.uintp(columns[x] - low + k)]
