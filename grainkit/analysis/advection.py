"""Coordinates that travel with all that a frame shows, for grain that sticks to what moves.

The whole frame is matched with the one before at reduced size, and the motion added up: every point of a lattice
knows which place of the shot's first frame its grain comes from. Where motion tears that apart (a contour over a
backdrop, a stretch that has grown) there is nothing to interpolate: a cell whose corners disagree shows the rigid
surroundings of the nearest, and what is looked up there is rigid from then on. So a tear heals by itself, nothing is
ever stretched for long, and what comes into view takes the grain that its neighbour would have had.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.flow import CELL, Picture, match
from grainkit.analysis.picture import luma_of
from grainkit.machine.jit import njit
from grainkit.picture.frame import Frame

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Long side of the pictures that are matched, px.
LONG = 384
#: Halvings below that, where large motion is found; Gauss-Newton steps at each size, smallest first.
HALVINGS, ROUNDS = 3, (3, 2, 2, 1)
#: Blur of the pictures before matching, px, and the width over which brightness is evened out, px.
PRE_BLUR, EVEN = 0.9, 17
#: Added to luma before its logarithm: noise in the dark counts for less.
FLOOR = 0.08
#: Windows of the residual motion are those of `flow`, at this many matched px per mm of theirs.
WINDOW = 1.0
#: A match worse than this failed, and everything stays where it is.
LOST = 0.1
#: Corners of a cell agree while the coordinates between them are stretched by no more than this.
STRETCH = 1.3
#: Motion below this many matched px per frame is taken for noise.
STILL = 0.02

#: Cells that a tear closes by from each side, per frame.
HEALED = 1

_jit = njit(cache=True, nogil=True, error_model="numpy")


@dataclass(frozen=True, eq=False)
class Advection:
    """Coordinates over one shot. `start` it on the first frame, then `follow`.

    coordinates: (rows, columns, 2) px of the shot's first frame (x, y), at points `step` (x, y) px of the frame
        apart, the first at `first` (x, y). whole: (rows - 1, columns - 1) whether the corners of a cell agree.
    motion: (rows, columns, 2) px of the frame: what is at x now was at x + motion in the frame before.
    """

    coordinates: F64
    whole: Mask
    motion: F32
    first: tuple[float, float]
    step: tuple[float, float]
    pictures: tuple[Picture, ...]

    @staticmethod
    def start(frame: Frame) -> Advection:
        pictures = _pyramid(frame)
        rows, columns = pictures[-1].cells
        step = (frame.width / columns, frame.height / rows)
        first = (step[0] / 2 - 0.5, step[1] / 2 - 0.5)
        x, y = first[0] + step[0] * np.arange(columns), first[1] + step[1] * np.arange(rows)
        coordinates = np.stack(np.meshgrid(x, y), axis=-1)
        whole = np.ones((rows - 1, columns - 1), np.bool_)
        return Advection(coordinates, whole, np.zeros((rows, columns, 2), np.float32), first, step, pictures)

    def follow(self, frame: Frame) -> Advection:
        """The coordinates one frame later."""
        pictures = _pyramid(frame)
        found = _motion(pictures, self.pictures)
        motion = found * (np.array(self.step, np.float32) / np.float32(CELL))
        coordinates, whole = np.empty_like(self.coordinates), np.empty_like(self.whole)
        _moved(self.coordinates, self.whole, motion, np.array(self.step), coordinates)
        _agree(coordinates, np.array(self.step), STRETCH, whole)
        for _ in range(HEALED):
            _heal(coordinates.copy(), whole, np.array(self.step), coordinates)
            _agree(coordinates, np.array(self.step), STRETCH, whole)
        return replace(self, coordinates=coordinates, whole=whole, motion=motion, pictures=pictures)

    def carried(self, field: F32) -> F32:
        """A field (rows, columns) of the frame before, moved along with the picture."""
        x, y = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in field.shape[::-1]))
        step = np.array(self.step, np.float32)
        from_x, from_y = x + self.motion[..., 0] / step[0], y + self.motion[..., 1] / step[1]
        return np.asarray(cv2.remap(field, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _pyramid(frame: Frame) -> tuple[Picture, ...]:
    """The frame's luma, reduced and evened out, smallest size first."""
    unit = CELL << HALVINGS
    scale = min(1.0, LONG / max(frame.height, frame.width))
    height, width = (max(2, round(side * scale / unit)) * unit for side in (frame.height, frame.width))
    halves = int(np.log2(max(1.0, 0.5 / scale)))
    if halves:
        # Whole codes of a halved picture are precise enough, and halving is cheap.
        plane = cv2.resize(frame.planes[0][:], None, fx=0.5**halves, fy=0.5**halves, interpolation=cv2.INTER_AREA)
        frame = frame.with_planes((plane,))
    luma = np.nan_to_num(luma_of(frame, size=(height, width)), nan=0, posinf=1, neginf=0)
    values = cv2.GaussianBlur(cv2.log(cv2.max(luma, 0) + np.float32(FLOOR)), (0, 0), PRE_BLUR)
    sizes = [np.asarray(values - cv2.blur(values, (EVEN, EVEN)), np.float32)]
    for _ in range(HALVINGS):
        values = cv2.resize(values, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        sizes.append(np.asarray(values - cv2.blur(values, (EVEN, EVEN)), np.float32))
    return tuple(Picture(size, 0, 0) for size in reversed(sizes))


def _motion(now: tuple[Picture, ...], before: tuple[Picture, ...]) -> F32:
    """Motion from the frame before at the cells of the largest size, px of it."""
    rows, columns = now[0].cells
    field = np.zeros((rows, columns, 2), np.float32)
    likeness = 0.0
    for here, then, rounds in zip(now, before, ROUNDS, strict=True):
        if here.cells != field.shape[:2]:
            field = np.asarray(cv2.resize(field * np.float32(2), here.cells[::-1], interpolation=cv2.INTER_LINEAR))
        found = match(here, then, field, np.ones(here.cells, np.float32), WINDOW, rounds)
        field, likeness = found.field, found.likeness
    if likeness <= LOST:
        return np.zeros_like(field)
    length = np.linalg.norm(field, axis=-1, keepdims=True)
    return np.asarray(field * (length > STILL), np.float32)


@_jit
def _moved(coordinates: F64, whole: Mask, motion: F32, step: F64, out: F64) -> None:
    """out(x) = coordinates(x + motion)."""
    rows, columns = whole.shape
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            u, v = x + motion[y, x, 0] / step[0], y + motion[y, x, 1] / step[1]
            i, j = min(max(int(np.floor(u)), 0), columns - 1), min(max(int(np.floor(v)), 0), rows - 1)
            s, t = u - i, v - j
            if whole[j, i] and 0 <= s <= 1 and 0 <= t <= 1:
                for n in range(2):
                    upper = coordinates[j, i, n] + s * (coordinates[j, i + 1, n] - coordinates[j, i, n])
                    lower = coordinates[j + 1, i, n] + s * (coordinates[j + 1, i + 1, n] - coordinates[j + 1, i, n])
                    out[y, x, n] = upper + t * (lower - upper)
            else:
                a, b = (1 if s > 0.5 else 0), (1 if t > 0.5 else 0)
                out[y, x, 0] = coordinates[j + b, i + a, 0] + (s - a) * step[0]
                out[y, x, 1] = coordinates[j + b, i + a, 1] + (t - b) * step[1]


@_jit
def _holds(whole: Mask, y: int, x: int) -> bool:
    """Whether any cell around a point is whole."""
    for j in range(max(y - 1, 0), min(y + 1, whole.shape[0])):
        for i in range(max(x - 1, 0), min(x + 1, whole.shape[1])):
            if whole[j, i]:
                return True
    return False


@_jit
def _heal(coordinates: F64, whole: Mask, step: F64, out: F64) -> None:
    """Points with no whole cell around them go on rigidly from a neighbour that has one."""
    rows, columns = out.shape[0], out.shape[1]
    near = ((0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
    for y in range(rows):
        for x in range(columns):
            if _holds(whole, y, x):
                continue
            for b, a in near:
                j, i = y + b, x + a
                if 0 <= j < rows and 0 <= i < columns and _holds(whole, j, i):
                    out[y, x, 0] = coordinates[j, i, 0] - a * step[0]
                    out[y, x, 1] = coordinates[j, i, 1] - b * step[1]
                    break


@_jit
def _agree(coordinates: F64, step: F64, most: float, out: Mask) -> None:
    """Whether the four sides and both diagonals of each cell are stretched by `most` at most, and not folded."""
    corners = ((0, 0, 0, 1), (1, 0, 1, 1), (0, 0, 1, 0), (0, 1, 1, 1), (0, 0, 1, 1), (0, 1, 1, 0))
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            good = True
            for a, b, c, d in corners:
                u = coordinates[j + c, i + d, 0] - coordinates[j + a, i + b, 0]
                v = coordinates[j + c, i + d, 1] - coordinates[j + a, i + b, 1]
                length = ((d - b) * step[0]) ** 2 + ((c - a) * step[1]) ** 2
                stretch = (u * u + v * v) / length
                good = good and 1 / most**2 <= stretch <= most**2
            ux = coordinates[j, i + 1, 0] - coordinates[j, i, 0]
            uy = coordinates[j + 1, i, 0] - coordinates[j, i, 0]
            vx = coordinates[j, i + 1, 1] - coordinates[j, i, 1]
            vy = coordinates[j + 1, i, 1] - coordinates[j, i, 1]
            out[j, i] = good and ux * vy - uy * vx > 0
