"""How a face moves from one picture to another: a smooth field of motion, found by Gauss-Newton.

Skin has little to hold on to, so no place is matched alone. Every px says how far along its own gradient the
other picture lies (Lucas & Kanade 1981, with the gradient of both pictures: Benhimane & Malis 2004); what they say
is added up as information, a 2 x 2 matrix and a vector per cell, and solved for an affine motion first and for
what is left over Gaussian windows of 12, 6 and 3 mm after it, each held to the one before as far as its window has
gathered less information than noise. Edges so steer the motion across them and nothing along them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.machine.jit import njit

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

#: Side of a cell, px of the pictures that are matched: motion is known at the middle of each.
CELL = 4
#: Windows of the residual motion, mm, and how far it usually goes in each: px, and a share of what is found so far.
WINDOWS_MM, LEAST, SHARE = (12.0, 6.0, 3.0), (1.0, 0.05, 0.02), (0.0, 0.8, 0.6)
#: Noise of neighbouring px is not independent, which its variance is raised for.
CORRELATED = 12.0
#: Differences beyond this many deviations count less (Cauchy weights).
OUTLYING = 2.0

_jit = njit(cache=True, nogil=True, error_model="numpy")


@dataclass(frozen=True, eq=False)
class Picture:
    """Part of a frame, reduced, ready to be matched: ln luma without its local mean, so that light may change.

    values: (h, w) float32, sides whole multiples of CELL. top, left: whole px of the reduced frame, multiples of CELL.
    """

    values: F32
    top: int
    left: int

    @property
    def cells(self) -> tuple[int, int]:
        return self.values.shape[0] // CELL, self.values.shape[1] // CELL


@_jit
def _gather(values: F32, from_top: int, from_left: int, field: F32, out: F32, inside: F32) -> None:
    """out(x) = values(x + field(x)), bilinear as the field is between cell middles; inside: whether it lay within."""
    # Places, what to read and reading are loops of their own, with unsigned indices: all but the last is vectorised.
    zero, one, two = np.float32(0.0), np.float32(1.0), np.float32(2.0)
    rows, columns = field.shape[0], field.shape[1]
    height, width = out.shape
    right, bottom = np.float32(values.shape[1] - 1), np.float32(values.shape[0] - 1)
    per, half = np.float32(1.0 / CELL), np.float32((CELL - 1) / 2)
    flat, stride, below, next_ = values.ravel(), np.int32(values.shape[1]), np.uintp(values.shape[1]), np.uintp(1)
    along, down = np.empty(columns + 2, np.float32), np.empty(columns + 2, np.float32)
    xs, ys = np.empty((columns + 1) * CELL, np.float32), np.empty((columns + 1) * CELL, np.float32)
    px, py = xs[CELL // 2 : CELL // 2 + width], ys[CELL // 2 : CELL // 2 + width]
    at = np.empty(width, np.uint32)
    for y in range(height):
        v = (np.float32(y) - half) * per
        j = min(max(int(np.floor(v)), 0), rows - 2)
        t = v - np.float32(j)
        for i in range(columns):
            along[i + 1] = (one - t) * field[j, i, 0] + t * field[j + 1, i, 0]
            down[i + 1] = (one - t) * field[j, i, 1] + t * field[j + 1, i, 1]
        for line in (along, down):
            line[0], line[columns + 1] = line[1] * two - line[2], line[columns] * two - line[columns - 1]
        # Between the middles of two cells the field is straight.
        for i in range(columns + 1):
            du, dv = (along[i + 1] - along[i]) * per, (down[i + 1] - down[i]) * per
            u = along[i] + du * np.float32(0.5) + np.float32(i * CELL - CELL // 2 + from_left)
            w = down[i] + dv * np.float32(0.5) + np.float32(y + from_top)
            for k in range(CELL):
                xs[i * CELL + k], ys[i * CELL + k] = u + np.float32(k) * (du + one), w + np.float32(k) * dv
        to, fit = out[y], inside[y]
        for x in range(width):
            fits = (px[x] >= zero) & (py[x] >= zero) & (px[x] < right) & (py[x] < bottom)
            u, w = px[x] if fits else zero, py[x] if fits else zero
            a, b = np.int32(u), np.int32(w)
            at[x] = np.uint32(np.int32(b * stride) + a)
            px[x], py[x] = u - np.float32(a), w - np.float32(b)
            fit[x] = one if fits else zero
        for x in range(width):
            n = np.uintp(at[x])
            m = n + below
            near = flat[n] + px[x] * (flat[n + next_] - flat[n])
            far = flat[m] + px[x] * (flat[m + next_] - flat[m])
            to[x] = near + py[x] * (far - near) if fit[x] > zero else zero


@_jit
def _gather_information(now: F32, then: F32, inside: F32, limit: np.float32, out: F32) -> None:
    """Per cell (xx, xy, yy, x e, y e, w, w e e): information that its px have on how far `then` is to move."""
    zero, one, quarter = np.float32(0.0), np.float32(1.0), np.float32(0.25)
    height, width = now.shape
    sums = np.empty((7, width), np.float32)
    xx, xy, yy, xe, ye, ww, ee = sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6]
    across = np.zeros(width, np.float32)
    gx = across[1 : width - 1]
    for j in range(height // CELL):
        sums[:] = zero
        for y in range(j * CELL, j * CELL + CELL):
            above, below = max(y - 1, 0), min(y + 1, height - 1)
            own, other, there = now[y], then[y], inside[y]
            own_up, own_low, other_up, other_low = now[above], now[below], then[above], then[below]
            own_left, own_right, other_left, other_right = own[: width - 2], own[2:], other[: width - 2], other[2:]
            for x in range(width - 2):
                gx[x] = quarter * (own_right[x] - own_left[x] + other_right[x] - other_left[x])
            for x in range(width):
                gy = quarter * (own_low[x] - own_up[x] + other_low[x] - other_up[x])
                e = own[x] - other[x]
                w = there[x] / (one + e * e * limit)
                a, b = across[x] * w, gy * w
                xx[x] += a * across[x]
                xy[x] += a * gy
                yy[x] += b * gy
                xe[x] += a * e
                ye[x] += b * e
                ww[x] += w
                ee[x] += w * e * e
        for i in range(width // CELL):
            for n in range(7):
                four = sums[n, i * CELL : i * CELL + CELL]
                out[j, i, n] = (four[0] + four[1]) + (four[2] + four[3])


@_jit
def _about(information: F32, motion: F32, weight: F32) -> float:
    """Weighs information on what is left of a motion, and turns it into such on all of it: b + H v.

    Returns the variance of what the pictures differ by.
    """
    total, square = 1e-6, 0.0
    for y in range(information.shape[0]):
        for x in range(information.shape[1]):
            cell, w = information[y, x], weight[y, x]
            u, v = motion[y, x, 0], motion[y, x, 1]
            cell[3] += cell[0] * u + cell[1] * v
            cell[4] += cell[1] * u + cell[2] * v
            for n in range(7):
                cell[n] *= w
            total, square = total + cell[5], square + cell[6]
    return square / total


@_jit
def _solve(
    information: F32, count: np.float32, noise: np.float32, least: np.float32, share: np.float32, affine: F32, rest: F32
) -> None:
    """rest += (count H + hold)^-1 count b for every cell.

    hold: noise over the square of how far it may go: `least` px and a share of what is found beyond the affine motion.
    """
    for y in range(rest.shape[0]):
        for x in range(rest.shape[1]):
            cell = information[y, x]
            u, v = rest[y, x, 0] - affine[y, x, 0], rest[y, x, 1] - affine[y, x, 1]
            reach = least + share * np.sqrt(u * u + v * v)
            hold = noise / (reach * reach)
            xx, xy, yy = cell[0] * count + hold, cell[1] * count, cell[2] * count + hold
            bx, by = cell[3] * count, cell[4] * count
            scale = np.float32(1.0) / (xx * yy - xy * xy)
            rest[y, x, 0] += (yy * bx - xy * by) * scale
            rest[y, x, 1] += (xx * by - xy * bx) * scale


@_jit
def _left_over(information: F32, motion: F32, out: F32) -> None:
    """Information on what a motion leaves: H, b - H v."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            cell = information[y, x]
            u, v = motion[y, x, 0], motion[y, x, 1]
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = cell[0], cell[1], cell[2]
            out[y, x, 3] = cell[3] - cell[0] * u - cell[1] * v
            out[y, x, 4] = cell[4] - cell[1] * u - cell[2] * v


def middles(picture: Picture) -> tuple[F32, F32]:
    """(x (columns,), y (rows,)) px of the reduced frame at the middles of a picture's cells."""
    rows, columns = picture.cells
    first = (CELL - 1) / 2
    x = np.arange(columns, dtype=np.float32) * CELL + np.float32(picture.left + first)
    return x, np.arange(rows, dtype=np.float32) * CELL + np.float32(picture.top + first)


@dataclass(frozen=True, eq=False)
class Match:
    """Motion of one picture against another.

    field: (rows, columns, 2) px per cell: what is at x now was at x + field there.
    likeness: correlation of the two pictures when moved, where the weight is, -1..1.
    moved: (h, w) the other picture, moved onto this one. inside: (h, w) 1 where it reached, else 0.
    slope, rest: (rows, columns) mean square of the gradient, and of what the pictures differ by once moved.
    """

    field: F32
    likeness: float
    moved: F32
    inside: F32
    slope: F32
    rest: F32


def match(now: Picture, then: Picture, start: F32, weight: F32, px_per_mm: float, rounds: int) -> Match:
    """Motion of `now` against `then`, from a first guess.

    start: (rows, columns, 2) px per cell of `now`. weight: (rows, columns) 0..1, where the face is.
    px_per_mm: of the pictures. rounds: Gauss-Newton steps.
    """
    field = np.array(start, np.float32)
    shape = now.values.shape
    moved, inside = np.empty(shape, np.float32), np.empty(shape, np.float32)
    information = np.empty((*now.cells, 7), np.float32)
    rest = np.empty((*now.cells, 5), np.float32)
    x, y = middles(now)
    spread = max(float(x[-1] - x[0]), 1.0)
    basis_x, basis_y = (x - x.mean()) / spread, (y - y.mean()) / spread
    limit = np.float32(0.0)
    for _ in range(rounds):
        _gather(then.values, now.top - then.top, now.left - then.left, field, moved, inside)
        _gather_information(now.values, moved, inside, limit, information)
        # All that has been found since the first guess is found anew: what is held, is held to the guess.
        noise = _about(information, field - start, weight)
        limit = np.float32(1 / (OUTLYING**2 * max(noise, 1e-9)))
        affine = _affine(information, basis_x, basis_y)
        step = affine.copy()
        for mm, least, share in zip(WINDOWS_MM, LEAST, SHARE, strict=True):
            sigma = max(0.7, mm * px_per_mm / CELL)
            _left_over(information, step, rest)
            gathered = cv2.GaussianBlur(rest, (0, 0), sigma)
            count = np.float32(2 * np.pi * sigma**2)
            _solve(gathered, count, np.float32(CORRELATED * noise), np.float32(least), np.float32(share), affine, step)
        np.add(start, step, out=field)
    # Moved as of the last round but one, which is the same to a hundredth of a px.
    weighed = np.maximum(information[..., 5], np.float32(1e-9))
    slope, unlike = (
        np.asarray(v / weighed, np.float32) for v in (information[..., 0] + information[..., 2], information[..., 6])
    )
    return Match(field, float(_likeness(now.values, moved, inside, weight)), moved, inside, slope, unlike)


@_jit
def _likeness(now: F32, moved: F32, inside: F32, weight: F32) -> float:
    both, own, other = 0.0, 1e-9, 1e-9
    for y in range(now.shape[0]):
        a, b, c = np.float32(0.0), np.float32(0.0), np.float32(0.0)
        for i in range(weight.shape[1]):
            for x in range(i * CELL, i * CELL + CELL):
                w = weight[y // CELL, i] * inside[y, x]
                a += w * now[y, x] * moved[y, x]
                b += w * now[y, x] * now[y, x]
                c += w * moved[y, x] * moved[y, x]
        both += float(a)
        own += float(b)
        other += float(c)
    likeness: float = both / np.sqrt(own * other)
    return likeness


def _affine(information: F32, x: F32, y: F32) -> F32:
    """The affine motion (rows, columns, 2) that fits all cells' information best."""
    system, right = np.zeros((6, 6)), np.zeros(6)
    _normal_equations(information, x, y, system, right)
    hold = 1e-6 * float(np.trace(system)) + 1e-9
    found = np.linalg.solve(system + hold * np.eye(6), right).astype(np.float32)
    out = np.empty((*information.shape[:2], 2), np.float32)
    for k in range(2):
        a, b, c = found[3 * k : 3 * k + 3]
        out[..., k] = a + b * x[None] + c * y[:, None]
    return out


@_jit
def _normal_equations(information: F32, x: F32, y: F32, system: F64, right: F64) -> None:
    for j in range(information.shape[0]):
        row = np.zeros((5, 6))
        for i in range(information.shape[1]):
            cell = information[j, i]
            u = float(x[i])
            for n in range(3):
                row[n, 0] += cell[n]
                row[n, 1] += u * cell[n]
                row[n, 2] += u * u * cell[n]
            for n in range(3, 5):
                row[n, 0] += cell[n]
                row[n, 1] += u * cell[n]
        v = float(y[j])
        for k in range(2):
            for m in range(2):
                r = row[k + m]
                own = ((r[0], r[1], v * r[0]), (r[1], r[2], v * r[1]), (v * r[0], v * r[1], v * v * r[0]))
                for p in range(3):
                    for q in range(3):
                        system[3 * k + p, 3 * m + q] += own[p][q]
            right[3 * k] += row[3 + k, 0]
            right[3 * k + 1] += row[3 + k, 1]
            right[3 * k + 2] += v * row[3 + k, 0]
