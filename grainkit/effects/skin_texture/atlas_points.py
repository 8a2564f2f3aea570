"""Points and numbers that atlases are drawn with: all hashed from integers, so that one seed is one skin everywhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from grainkit.machine.jit import njit
from grainkit.picture.noise import pcg4d

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]

#: Most points that are looked at for one place; a bucket has about one, 25 buckets are in reach.
MOST_NEAR = 24

_jit = njit(cache=True, nogil=True, error_model="numpy")


class Near(NamedTuple):
    """Points, and for each bucket of the extent which of them can be nearest or second for some place in it.

    points: float32 (n, 4), x and y in mm from the corner, how domed a cell is (0..1), its own level (normal, 0.35).
    indices: (buckets, MOST_NEAR), -1 behind the last. columns, rows: how many buckets there are. cell: their side, mm.
    """

    points: F32
    indices: I32
    columns: int
    rows: int
    cell: float


@_jit
def four(index: int, stream: int, seed: int) -> tuple[float, float, float, float]:
    """Four uniform numbers in [0, 1) of an index."""
    a, b, c, d = pcg4d(np.uint32(index), np.uint32(stream), np.uint32(seed), np.uint32(0x534B494E))
    unit = 1.0 / 16777216.0
    eight = np.uint32(8)
    return (a >> eight) * unit, (b >> eight) * unit, (c >> eight) * unit, (d >> eight) * unit


@_jit
def normal(a: float, b: float) -> float:
    """A normal number of two uniform ones (Box-Muller)."""
    value: float = np.sqrt(-2.0 * np.log(max(a, 1e-7))) * np.cos(6.283185307179586 * b)
    return value


@_jit
def sample_at(shape: tuple[int, ...], x: float | np.float32, y: float | np.float32) -> tuple[int, int]:
    """Row and column of the sample of a 1 mm map nearest to (x, y) mm from its corner. shape: of the map."""
    return min(shape[0] - 1, max(0, int(y + 0.5))), min(shape[1] - 1, max(0, int(x + 0.5)))


@_jit
def at(plane: F32, x: float | np.float32, y: float | np.float32) -> np.float32:
    """A 1 mm map (h, w) at (x, y) mm from its corner."""
    j, i = sample_at(plane.shape, x, y)
    value: np.float32 = plane[j, i]
    return value


@_jit
def scattered(radius: F32, width: float, height: float, throws: int, stream: int, seed: int) -> F32:
    """Poisson-disk points (n, 2) in mm from the corner, by dart throwing; radius: 1 mm map of the least distance."""
    cell = max(0.12, radius.min() * 0.7)
    columns, rows = int(width / cell) + 1, int(height / cell) + 1
    grid = np.full((rows, columns), -1, np.int32)
    points = np.empty((rows * columns, 2), np.float32)
    count = 0
    for k in range(throws // 2):
        a, b, c, d = four(k, stream, seed)
        for half in range(2):
            x, y = np.float32(width * (c if half else a)), np.float32(height * (d if half else b))
            i, j = int(x / cell), int(y / cell)
            if grid[j, i] >= 0:
                continue
            r = np.float32(at(radius, x, y))
            reach = int(r / cell) + 1
            free = True
            # From the middle outwards: nearly every dart is refused, and by a near one.
            for n in range(2 * reach + 1):
                jj = j + (n + 1) // 2 * (1 if n & 1 else -1)
                if jj < 0 or jj >= rows:
                    continue
                for ii in range(max(0, i - reach), min(columns, i + reach + 1)):
                    q = grid[jj, ii]
                    if q >= 0 and (points[q, 0] - x) ** 2 + (points[q, 1] - y) ** 2 < r * r:
                        free = False
                        break
                if not free:
                    break
            if free:
                points[count, 0], points[count, 1] = x, y
                grid[j, i] = count
                count += 1
    return points[:count].copy()


def near_points(placed: F32, cell: float, extent: tuple[float, float], squeeze: float, stream: int, seed: int) -> Near:
    """Points (n, 2) in mm from the corner, sorted into buckets.

    cell: side of a bucket, about the distance of the points. extent: (width, height), mm.
    squeeze: least share of a distance that is left of it in the metric that they are to be near in.
    """
    columns, rows = int(extent[0] / cell) + 2, int(extent[1] / cell) + 2
    starts, order = _bucketed(placed, cell, columns, rows)
    points = _with_heights(placed[order], stream, seed)
    indices = np.full((columns * rows, MOST_NEAR), -1, np.int32)
    _within_reach(points, starts, columns, rows, cell, np.float32(squeeze), indices)
    return Near(points, indices, columns, rows, cell)


@_jit
def _bucketed(points: F32, cell: float, columns: int, rows: int) -> tuple[I32, I32]:
    """Where each bucket's points begin, and the points in the order of their buckets."""
    starts = np.zeros(columns * rows + 1, np.int32)
    for k in range(points.shape[0]):
        starts[int(points[k, 1] / cell) * columns + int(points[k, 0] / cell) + 1] += 1
    for k in range(columns * rows):
        starts[k + 1] += starts[k]
    order = np.empty(points.shape[0], np.int32)
    cursor = starts.copy()
    for k in range(points.shape[0]):
        bucket = int(points[k, 1] / cell) * columns + int(points[k, 0] / cell)
        order[cursor[bucket]] = k
        cursor[bucket] += 1
    return starts, order


@_jit
def _within_reach(
    points: F32, starts: I32, columns: int, rows: int, cell: float, squeeze: np.float32, near: I32
) -> None:
    """For each bucket, which points can be nearest or second for some place in it: near (buckets, n), -1 behind them.

    A distance in the stretched metric lies between squeeze times the plain one and the plain one, which
    bounds it for all of a bucket at once.
    """
    most = near.shape[1]
    corner = np.float32(0.7072 * cell)
    for cj in range(rows):
        for ci in range(columns):
            x, y = np.float32((ci + 0.5) * cell), np.float32((cj + 0.5) * cell)
            first, second = np.float32(1e9), np.float32(1e9)
            for keep in range(2):
                count = 0
                for jj in range(max(0, cj - 2), min(rows, cj + 3)):
                    for k in range(starts[jj * columns + max(0, ci - 2)], starts[jj * columns + min(columns, ci + 3)]):
                        dx, dy = points[k, 0] - x, points[k, 1] - y
                        d = np.sqrt(dx * dx + dy * dy)
                        if keep:
                            if (d - corner) * squeeze <= second + corner and count < most:
                                near[cj * columns + ci, count] = k
                                count += 1
                        elif d < first:
                            second, first = first, d
                        elif d < second:
                            second = d


@_jit
def _with_heights(points: F32, stream: int, seed: int) -> F32:
    """Points with two random numbers behind each: how domed a cell is, 0..1, and its own level (normal, 0.35)."""
    out = np.empty((points.shape[0], 4), np.float32)
    for k in range(points.shape[0]):
        dome, a, b, _ = four(k, stream, seed)
        out[k, 0], out[k, 1], out[k, 2], out[k, 3] = points[k, 0], points[k, 1], dome, 0.35 * normal(a, b)
    return out
