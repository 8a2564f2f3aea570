"""Smooth random fields of an atlas, and planes of one texel size read at another."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.machine.jit import njit
from grainkit.picture.noise import pcg4d, stream_key

F32 = npt.NDArray[np.float32]

_jit = njit(cache=True, nogil=True, error_model="numpy")


def field(shape: tuple[int, int], period: float, texel: float, seed: int, stream: int) -> F32:
    """Band-limited normal field of unit variance, periods around `period` mm; drawn as coarse as it allows."""
    sigma = period / texel / 5.0
    if sigma > 3.5:
        k = sigma / 2.0
        small = field((int(shape[0] / k) + 8, int(shape[1] / k) + 8), period, texel * k, seed, stream)
        size = (int(small.shape[1] * k), int(small.shape[0] * k))
        return np.ascontiguousarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)[: shape[0], : shape[1]])
    noise = np.empty(shape, np.float32)
    _white(noise, stream_key(seed, 200 + stream, 0))
    sigma = max(sigma, 0.45)
    band = cv2.GaussianBlur(noise, (0, 0), sigma) - cv2.GaussianBlur(noise, (0, 0), 1.8 * sigma)
    return np.asarray(band / band.std(), np.float32)


@_jit
def _white(out: F32, key: np.uint32) -> None:
    """Nearly normal white noise of unit variance."""
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            a, b, c, d = pcg4d(np.uint32(i), np.uint32(j), np.uint32(0), np.uint32(key))
            total = np.float32(a >> np.uint32(8)) + np.float32(b >> np.uint32(8))
            total += np.float32(c >> np.uint32(8)) + np.float32(d >> np.uint32(8))
            out[j, i] = (total * np.float32(1.0 / 16777216.0) - np.float32(2.0)) * np.float32(1.7320508)


def drawn_out(field: F32, angle: F32, mm: float, texel: float) -> F32:
    """A field smeared along an angle (a map of the same size) over about this many mm, of unit variance again."""
    rows, columns = np.indices(field.shape, np.float32)
    along, down = np.cos(angle) * np.float32(1 / texel), np.sin(angle) * np.float32(1 / texel)
    out = np.zeros_like(field)
    for n in range(-3, 4):
        at, share = np.float32(n * mm / 3), np.float32(1 - abs(n) / 4)
        x, y = columns + along * at, rows + down * at
        out += share * cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(out / out.std(), np.float32)


def widened(plane: F32, shape: tuple[int, int]) -> F32:
    """A plane stretched to a shape, corner on corner."""
    return np.asarray(cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def resized(plane: F32, shape: tuple[int, int], scale: float) -> F32:
    """A plane whose samples lie `scale` times as far apart in those of the result, sample 0 on sample 0."""
    if plane.shape[:2] == shape:
        return plane
    back = np.array([[1 / scale, 0, 0], [0, 1 / scale, 0]], np.float64)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(plane, back, shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
