"""Planes and their means over small squares: what is smooth is worked out on those, and read between them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.machine.jit import njit

F32 = npt.NDArray[np.float32]

#: Side of a square, px.
BLOCK = 4

_jit = njit(cache=True, nogil=True, error_model="numpy")


def padded(plane: F32) -> F32:
    """The plane with its last row and column repeated until its sides are whole multiples of BLOCK."""
    down, right = (-n % BLOCK for n in plane.shape[:2])
    if not down and not right:
        return plane
    return np.asarray(cv2.copyMakeBorder(plane, 0, down, 0, right, cv2.BORDER_REPLICATE), np.float32)


def means(plane: F32) -> F32:
    """(h / BLOCK, w / BLOCK[, n]) means of a plane whose sides are whole multiples of BLOCK."""
    height, width = plane.shape[:2]
    size = (width // BLOCK, height // BLOCK)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def blur(plane: F32, sigma: float) -> F32:
    """Gaussian blur; wide ones at a reduced size, which they cannot tell from the full."""
    if sigma <= 0:
        return plane
    step = int(min(8, sigma // 3))
    if step < 2:
        return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)
    height, width = plane.shape[:2]
    size = (max(1, -(-width // step)), max(1, -(-height // step)))
    small = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / step)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def blurred_means(small: F32, sigma: float) -> F32:
    """The means of a plane as the means of that plane blurred would be; sigma in px of the plane."""
    # What the squares have blurred already: the variance of a square of that width.
    rest = sigma * sigma - (BLOCK * BLOCK - 1) / 12
    return blur(small, float(np.sqrt(max(rest, 0))) / BLOCK)


class Under:
    """Blurs of what lies under a mask alone: hair and background do not leak in. Blurred masks are kept."""

    def __init__(self, mask: F32) -> None:
        self.mask = mask
        self._blurred: dict[float, F32] = {}

    def blur(self, plane: F32, sigma: float) -> F32:
        """Gaussian blur of a plane the size of the mask; sigma in its px."""
        return plane if sigma <= 0 else self.share(plane * self.mask, sigma)

    def share(self, masked: F32, sigma: float) -> F32:
        """The same of a plane that is 0 beyond the mask already."""
        if sigma not in self._blurred:
            self._blurred[sigma] = blur(self.mask, sigma) + np.float32(1e-4)
        return np.asarray(blur(masked, sigma) / self._blurred[sigma], np.float32)


def masked_blur(plane: F32, mask: F32, sigma: float) -> F32:
    """One blur under a mask."""
    return Under(mask).blur(plane, sigma)


@_jit
def expand(small: F32, y: int, line: F32, out: F32) -> None:
    """Row y of a plane out of the means of its squares, straight between their middles. line: room for one."""
    half, per = np.float32((BLOCK - 1) / 2), np.float32(1 / BLOCK)
    rows, columns = small.shape
    place = (np.float32(y) - half) * per
    j = min(max(int(np.floor(place)), 0), max(rows - 2, 0))
    t = min(max(place - np.float32(j), np.float32(0.0)), np.float32(1.0))
    above, below = small[j], small[min(j + 1, rows - 1)]
    for i in range(columns):
        line[i] = above[i] + t * (below[i] - above[i])
    for x in range(BLOCK // 2):
        out[x] = line[0]
        out[columns * BLOCK - 1 - x] = line[columns - 1]
    for i in range(columns - 1):
        base, slope = line[i], (line[i + 1] - line[i]) * per
        for k in range(BLOCK):
            out[i * BLOCK + BLOCK // 2 + k] = base + slope * (np.float32(k) + np.float32(0.5))
