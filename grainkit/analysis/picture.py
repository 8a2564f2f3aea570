"""The R'G'B' picture of a frame that analysis looks at: whole or a part, at full or reduced size."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from numba import njit

from grainkit.color import chroma_codes, luma_codes
from grainkit.frame import Frame, Plane

F32 = npt.NDArray[np.float32]

#: (top, left, height, width) in luma px.
Area = tuple[int, int, int, int]


def luma_of(frame: Frame, area: Area | None = None, size: tuple[int, int] | None = None) -> F32:
    """Y' as float32, 0 reference black, 1 reference white (values outside are kept).

    area: part of the frame, whole where None. size: (height, width) of the result, the area's own where None.
    """
    top, left, height, width = area or (0, 0, frame.height, frame.width)
    plane = _resized(frame.planes[0][top : top + height, left : left + width], size or (height, width))
    if frame.color.is_float:
        return plane
    black, white = luma_codes(frame.color.depth, frame.color.range)
    return (plane - np.float32(black)) * np.float32(1 / (white - black))


def luma_shrunk(frame: Frame, scale: float, top: int, left: int, height: int, width: int) -> F32:
    """Y' as `luma_of`, of the frame reduced by `scale` (at most 1): a rectangle of it, in px of the reduced frame.

    Every px is the mean of what it covers; pixel centres are aligned.
    """
    plane = frame.planes[0]
    out = np.empty((height, width), np.float32)
    down, across = (
        _covers(n, at, scale, size) for n, at, size in ((height, top, plane.shape[0]), (width, left, plane.shape[1]))
    )
    _shrink(plane, *down, *across, out)
    if frame.color.is_float:
        return out
    black, white = luma_codes(frame.color.depth, frame.color.range)
    return (out - np.float32(black)) * np.float32(1 / (white - black))


def chroma_cells(frame: Frame, scale: float, top: int, left: int, height: int, width: int) -> tuple[F32, F32]:
    """Cb and Cr, -0.5..0.5, of a rectangle of the frame reduced by `scale` (far below 1), cut at the nearest px."""
    color = frame.color
    zero, unit = (0.0, 1.0) if color.is_float else chroma_codes(color.depth, color.range)
    out = []
    for plane in frame.planes[1:3]:
        ends = []
        for at, count, by, size in zip((top, left), (height, width), color.subsampling[::-1], plane.shape, strict=True):
            first = min(round(at / (scale * by)), size - 1)
            ends.append(slice(first, max(first + 1, min(size, round((at + count) / (scale * by))))))
        small = cv2.resize(plane[ends[0], ends[1]], (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
        out.append((small - np.float32(zero)) * np.float32(1 / unit))
    return out[0], out[1]


def _covers(count: int, start: int, scale: float, size: int) -> tuple[npt.NDArray[np.int64], F32]:
    """For `count` px of a reduced axis from `start`: the first px that each covers, and the weights (count, taps)."""
    edges = np.clip(np.arange(start, start + count + 1) / scale, 0, size)
    first = np.minimum(edges[:-1].astype(np.int64), size - 1)
    taps = int(np.ceil(1 / scale)) + 1
    px = first[:, None] + np.arange(taps)
    cover = np.minimum(edges[1:, None], px + 1) - np.maximum(edges[:-1, None], px)
    weights = np.maximum(cover, 0) / np.maximum(edges[1:] - edges[:-1], 1e-6)[:, None]
    weights[px >= size] = 0
    return first, weights.astype(np.float32)


@njit(cache=True, nogil=True, error_model="numpy")
def _shrink(plane: Any, rows: Any, down: Any, columns: Any, across: Any, out: Any) -> None:
    height, width = plane.shape
    low, high = columns[0], min(columns[-1] + across.shape[1], width)
    line = np.empty(high - low, np.float32)
    for y in range(out.shape[0]):
        line[:] = np.float32(0.0)
        for k in range(down.shape[1]):
            weight, row = down[y, k], plane[min(rows[y] + k, height - 1)]
            for x in range(high - low):
                line[x] += weight * np.float32(row[low + x])
        for x in range(out.shape[1]):
            total = np.float32(0.0)
            for k in range(across.shape[1]):
                total += across[x, k] * line[min(columns[x] + k, high - 1) - low]
            out[y, x] = total


def rgb_of(frame: Frame, area: Area | None = None, size: tuple[int, int] | None = None) -> F32:
    """The picture as (h, w, 3) float32 display-encoded R'G'B', clipped to 0..1.

    area, size: as for `luma_of`. Planes are reduced before they are converted, so a small picture of a large
    frame is cheap. Chroma is taken as centred on its luma: half a luma px matters to nothing that looks at it.
    """
    top, left, height, width = area or (0, 0, frame.height, frame.width)
    shape = size or (height, width)
    y = luma_of(frame, area, size)
    if len(frame.planes) == 1:
        return np.clip(np.repeat(y[..., None], 3, axis=2), 0, 1)
    across, down = frame.color.subsampling
    rows = slice(top // down, -(-(top + height) // down))
    columns = slice(left // across, -(-(left + width) // across))
    kr, kg, kb = frame.color.luma_weights()
    zero, unit = (0.0, 1.0) if frame.color.is_float else chroma_codes(frame.color.depth, frame.color.range)
    cb, cr = (
        (_resized(plane[rows, columns], shape) - np.float32(zero)) * np.float32(1 / unit) for plane in frame.planes[1:]
    )
    out = np.empty((*shape, 3), np.float32)
    out[..., 0] = y + cr * np.float32(2 * (1 - kr))
    out[..., 2] = y + cb * np.float32(2 * (1 - kb))
    out[..., 1] = y - cb * np.float32(2 * (1 - kb) * kb / kg) - cr * np.float32(2 * (1 - kr) * kr / kg)
    return np.clip(out, 0, 1, out=out)


def reduced_size(frame: Frame, longest: int) -> tuple[int, int]:
    """(height, width) with the long side at most `longest` px, never enlarged, at least 1 px each."""
    scale = min(1.0, longest / max(frame.height, frame.width))
    return max(round(frame.height * scale), 1), max(round(frame.width * scale), 1)


def _resized(plane: Plane, shape: tuple[int, int]) -> F32:
    """float32 samples of the plane at `shape`; its scale is left as it is."""
    if plane.shape == shape:
        return plane.astype(np.float32)
    if shape[0] > plane.shape[0] or shape[1] > plane.shape[1]:
        return np.asarray(cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    out = np.empty(shape, np.float32)
    down, across = (_covers(n, 0, n / size, size) for n, size in zip(shape, plane.shape, strict=True))
    _shrink(plane, *down, *across, out)
    return out
