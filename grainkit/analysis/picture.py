"""The R'G'B' picture of a frame that analysis looks at: whole or a part, at full or reduced size."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.machine.jit import njit
from grainkit.picture.frame import Frame, Plane
from grainkit.picture.taps import covers, weighed

F32 = npt.NDArray[np.float32]

#: (top, left, height, width) in luma px.
Area = tuple[int, int, int, int]


def luma_of(frame: Frame, area: Area | None = None, size: tuple[int, int] | None = None) -> F32:
    """Y' as float32, 0 reference black, 1 reference white (values outside are kept).

    area: part of the frame, whole where None. size: (height, width) of the result, the area's own where None.
    """
    top, left, height, width = area or (0, 0, frame.height, frame.width)
    plane = _resized(frame.planes[0], (top, left, height, width), size or (height, width))
    return _normalised(plane, *frame.levels[0])


def luma_shrunk(frame: Frame, scale: float, top: int, left: int, height: int, width: int) -> F32:
    """Y' as `luma_of`, of the frame reduced by `scale` (at most 1): a rectangle of it, in px of the reduced frame.

    Every px is the mean of what it covers; pixel centres are aligned.
    """
    plane = frame.planes[0]
    out = weighed(plane, covers(height, top, scale, plane.shape[0]), covers(width, left, scale, plane.shape[1]))
    return _normalised(out, *frame.levels[0])


def _normalised(plane: F32, zero: float, one: float) -> F32:
    if (zero, one) == (0.0, 1.0):
        return plane
    return (plane - np.float32(zero)) * np.float32(1 / one)


def chroma_cells(frame: Frame, scale: float, top: int, left: int, height: int, width: int) -> tuple[F32, F32]:
    """Cb and Cr, -0.5..0.5, of a rectangle of the frame reduced by `scale` (far below 1)."""
    zero, unit = frame.levels[1]
    across, down = frame.color.subsampling
    cb, cr = (
        weighed(
            plane,
            covers(height, top, scale * down, plane.shape[0]),
            covers(width, left, scale * across, plane.shape[1]),
        )
        for plane in frame.planes[1:3]
    )
    return (cb - np.float32(zero)) * np.float32(1 / unit), (cr - np.float32(zero)) * np.float32(1 / unit)


def rgb_of(frame: Frame, area: Area | None = None, size: tuple[int, int] | None = None) -> F32:
    """The picture as (h, w, 3) float32 display-encoded R'G'B', clipped to 0..1.

    area, size: as for `luma_of`. Planes are reduced before they are converted, so a small picture of a large
    frame is cheap. Chroma is taken as centred on its luma: half a luma px matters to nothing that looks at it.
    """
    top, left, height, width = area or (0, 0, frame.height, frame.width)
    shape = size or (height, width)
    if len(frame.planes) == 1:
        return np.clip(np.repeat(luma_of(frame, area, size)[..., None], 3, axis=2), 0, 1)
    y = _resized(frame.planes[0], (top, left, height, width), shape)
    across, down = frame.color.subsampling
    first, begin = top // down, left // across
    under = (first, begin, -(-(top + height) // down) - first, -(-(left + width) // across) - begin)
    (black, span), (zero, unit), _ = frame.levels
    scales = np.array([black, 1 / span, zero, 1 / unit], np.float32)
    cb, cr = (_resized(plane, under, shape) for plane in frame.planes[1:])
    out = np.empty((*shape, 3), np.float32)
    _rgb(y, cb, cr, scales, _terms(frame.color.luma_weights()), out)
    return out


def _terms(weights: tuple[float, float, float]) -> F32:
    """What Cr adds to R', Cb and Cr take from G', Cb adds to B'."""
    kr, kg, kb = weights
    parts = (2 * (1 - kr), 2 * (1 - kb) * kb / kg, 2 * (1 - kr) * kr / kg, 2 * (1 - kb))
    return np.array(parts, np.float32)


@njit(cache=True, nogil=True, error_model="numpy")
def _rgb(y: F32, cb: F32, cr: F32, scales: F32, terms: F32, out: F32) -> None:
    """R'G'B' of samples as they are stored. scales: luma's black and unit, chroma's zero and unit."""
    black, of_luma, zero, of_chroma = scales[0], scales[1], scales[2], scales[3]
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            luma = (y[j, i] - black) * of_luma
            b, r = (np.float32(cb[j, i]) - zero) * of_chroma, (np.float32(cr[j, i]) - zero) * of_chroma
            out[j, i, 0] = min(max(luma + r * terms[0], np.float32(0.0)), np.float32(1.0))
            out[j, i, 1] = min(max(luma - b * terms[1] - r * terms[2], np.float32(0.0)), np.float32(1.0))
            out[j, i, 2] = min(max(luma + b * terms[3], np.float32(0.0)), np.float32(1.0))


def reduced_size(frame: Frame, longest: int) -> tuple[int, int]:
    """(height, width) with the long side at most `longest` px, never enlarged, at least 1 px each."""
    scale = min(1.0, longest / max(frame.height, frame.width))
    return max(round(frame.height * scale), 1), max(round(frame.width * scale), 1)


def _resized(plane: Plane, area: Area, shape: tuple[int, int]) -> F32:
    """float32 samples of an area of the plane at `shape`; its scale is left as it is."""
    top, left, height, width = area
    if shape[0] > height or shape[1] > width or shape == (height, width):
        part = plane[top : top + height, left : left + width]
        if shape == (height, width):
            return part.astype(np.float32)
        return np.asarray(cv2.resize(part, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    down, across = covers(shape[0], 0, shape[0] / height, height), covers(shape[1], 0, shape[1] / width, width)
    return weighed(plane, down.shifted(top), across.shifted(left))
