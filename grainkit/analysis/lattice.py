"""A smooth field over the frame, known at the points of a regular lattice and a cubic between them.

Catmull-Rom: cubics that keep straight lines straight. Library cubics (a = -0.75) do not, and on coordinates their
ripple would lay texture out on a lattice of the points' spacing. Beyond the lattice fields go on straight.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from grainkit.machine.jit import njit

F32 = npt.NDArray[np.float32]

_jit = njit(cache=True, nogil=True, error_model="numpy")


@dataclass(frozen=True, eq=False)
class Lattice:
    """A field of n values.

    values: (rows, columns, n) float32, at least 2 x 2 points.
    top, left: px of the frame (centres of px are whole numbers) that point (0, 0) lies on. step: px between points.
    """

    values: F32
    top: float
    left: float
    step: float

    def scaled(self, scale: float, left: float = 0.0, top: float = 0.0) -> Lattice:
        """The field over a picture cut at (left, top) px and then resized by `scale` (pixel centres aligned)."""
        x, y = ((at - cut + 0.5) * scale - 0.5 for at, cut in ((self.left, left), (self.top, top)))
        return replace(self, left=x, top=y, step=self.step * scale)

    def on_squares(self, shape: tuple[int, ...], side: int) -> F32:
        """(*shape[:2], n): the field at the middles of squares of a picture."""
        return self.on(shape[0], shape[1], side)

    def on(self, height: int, width: int, step: int = 1) -> F32:
        """(height, width, n): the field on every px of a picture, or with `step` at the middles of its squares."""
        first = (step - 1) / 2
        out = np.empty((height, width, self.values.shape[2]), np.float32)
        _enlarge(
            np.ascontiguousarray(self.values),
            np.float32((first - self.top) / self.step),
            np.float32((first - self.left) / self.step),
            np.float32(step / self.step),
            out,
        )
        return out


@_jit
def _taps(place: np.float32, count: int) -> tuple[int, np.float32, np.float32, np.float32, np.float32]:
    """(i, weights of points i - 1 .. i + 2) at a place along an axis; straight between the last two and beyond them."""
    zero, one, half = np.float32(0.0), np.float32(1.0), np.float32(0.5)
    i = min(max(int(np.floor(place)), 0), count - 2)
    t = place - np.float32(i)
    if i == 0 or i == count - 2:
        return i, zero, one - t, t, zero
    a = half * (-t + np.float32(2.0) * t * t - t * t * t)
    b = half * (np.float32(2.0) - np.float32(5.0) * t * t + np.float32(3.0) * t * t * t)
    c = half * (t + np.float32(4.0) * t * t - np.float32(3.0) * t * t * t)
    return i, a, b, c, one - a - b - c


@_jit
def read(values: F32, y: np.float32, x: np.float32, out: F32) -> None:
    """Values at the place (y, x), in points of the lattice, into out (n,)."""
    rows, columns = values.shape[0], values.shape[1]
    j, a0, a1, a2, a3 = _taps(y, rows)
    i, b0, b1, b2, b3 = _taps(x, columns)
    j0, j3, i0, i3 = max(j - 1, 0), min(j + 2, rows - 1), max(i - 1, 0), min(i + 2, columns - 1)
    for n in range(values.shape[2]):
        top = b0 * values[j0, i0, n] + b1 * values[j0, i, n] + b2 * values[j0, i + 1, n] + b3 * values[j0, i3, n]
        one = b0 * values[j, i0, n] + b1 * values[j, i, n] + b2 * values[j, i + 1, n] + b3 * values[j, i3, n]
        two = (
            b0 * values[j + 1, i0, n] + b1 * values[j + 1, i, n] + b2 * values[j + 1, i + 1, n]
            + b3 * values[j + 1, i3, n]
        )  # fmt: skip
        low = b0 * values[j3, i0, n] + b1 * values[j3, i, n] + b2 * values[j3, i + 1, n] + b3 * values[j3, i3, n]
        out[n] = a0 * top + a1 * one + a2 * two + a3 * low


@_jit
def _enlarge(values: F32, top: np.float32, left: np.float32, unit: np.float32, out: F32) -> None:
    rows, columns, count = values.shape
    height, width = out.shape[0], out.shape[1]
    # Rows of points and of px as they lie in memory; what each sample of a row is made of is the same in all rows.
    points, to = values.reshape(rows, columns * count), out.reshape(height, width * count)
    at, weights = np.empty((4, width * count), np.uint32), np.empty((4, width * count), np.float32)
    for x in range(width):
        i, b0, b1, b2, b3 = _taps(left + np.float32(x) * unit, columns)
        for n in range(count):
            k = x * count + n
            weights[0, k], weights[1, k], weights[2, k], weights[3, k] = b0, b1, b2, b3
            at[0, k], at[1, k] = max(i - 1, 0) * count + n, i * count + n
            at[2, k], at[3, k] = (i + 1) * count + n, min(i + 2, columns - 1) * count + n
    line = np.empty(columns * count, np.float32)
    i0, i1, i2, i3 = at[0], at[1], at[2], at[3]
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    for y in range(height):
        j, a0, a1, a2, a3 = _taps(top + np.float32(y) * unit, rows)
        p0, p1, p2, p3 = points[max(j - 1, 0)], points[j], points[j + 1], points[min(j + 2, rows - 1)]
        for k in range(columns * count):
            line[k] = a0 * p0[k] + a1 * p1[k] + a2 * p2[k] + a3 * p3[k]
        row = to[y]
        for k in range(width * count):
            row[k] = w0[k] * line[i0[k]] + w1[k] * line[i1[k]] + w2[k] * line[i2[k]] + w3[k] * line[i3[k]]
