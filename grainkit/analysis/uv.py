"""Where on the atlas a pixel lies: a smooth field over the face, carried on past its edge."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.face import FACE_WIDTH_MM, Face, mean_face
from grainkit.analysis.lattice import Lattice
from grainkit.machine.jit import njit

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

#: Landmarks that look away from the camera by more than this (z of the normal) do not steer the field.
FACING = 0.08
#: Stiffness of the thin plate: landmarks are only good to a part of a millimetre.
STIFFNESS = 3e-4
#: Spacing of the grid that the field is worked out on, mm; between its samples it is a cubic.
GRID_MM = 6.0
#: Half side and spacing of the map of normals, mm.
MAP_REACH, MAP_MM = 160.0, 4.0
#: How far outside the outline the field is led on as a flat board, mm.
RINGS_MM = (12.0, 35.0, 80.0, 160.0)


@cache
def face_uv() -> F32:
    """(468, 2) float32: atlas coordinates of the landmarks, mm, x right and y down."""
    with (files("grainkit") / "data" / "face_uv.npz").open("rb") as file, np.load(file) as data:
        uv: F32 = data["uv_mm"].astype(np.float32)
    uv.setflags(write=False)
    return uv


def uv_lattice(face: Face, height: int, width: int) -> Lattice:
    """Atlas coordinates in mm over a picture in whose px `face` is.

    A thin-plate field through the landmarks that face the camera. Outside their outline it is led on as a flat
    board of the face's scale, so that neck, ears and shoulders get the same material at the right size.
    """
    return uv_and_normals(face, height, width)[0]


def uv_and_normals(face: Face, height: int, width: int) -> tuple[Lattice, Lattice]:
    """Atlas coordinates as `uv_lattice`, and normals (of about unit length) by the same means."""
    step = int(np.clip(round(face.px_per_mm * GRID_MM), 2, 96))
    x, y = ((np.arange(-(-n // step) + 3, dtype=np.float32) - 1) * step for n in (width, height))
    found = _fields_at(face, x, y)
    uv, normals = (Lattice(np.ascontiguousarray(p), -step, -step, step) for p in (found[..., :2], found[..., 2:]))
    return uv, normals


def _fields_at(face: Face, x: F32, y: F32) -> F32:
    """Coordinates and normals (rows, columns, 5) at the crossings of columns x and rows y, px."""
    normals = face.normals()
    keep = normals[:, 2] > FACING
    if keep.sum() < 16:
        keep[:] = True
    inner, inner_uv = face.points[keep, :2].astype(np.float64), face_uv()[keep].astype(np.float64)
    outer, outer_uv = _rings(face, inner, inner_uv)
    # A neck is a cylinder that looks at the camera, more or less.
    away = np.tile([0.0, 0.25, 0.97], (len(outer), 1))
    points = np.concatenate([inner, outer])
    values = np.concatenate([np.column_stack([inner_uv, normals[keep]]), np.column_stack([outer_uv, away])])
    size = max(face.width, 1e-3)
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype(np.float64) / size
    found = _evaluate(grid, points / size, _thin_plate(points / size, values))
    return found.reshape(len(y), len(x), 5).astype(np.float32)


@cache
def normal_map() -> F32:
    """Unit normals of the mean face over the atlas, (h, w, 3) float32, MAP_MM apart from (-MAP_REACH, -MAP_REACH) mm.

    Axes are those of the mean face: x right, y down, z towards the camera.
    """
    with (files("grainkit") / "data" / "face_normals.npz").open("rb") as file, np.load(file) as data:
        normals: F32 = data["normals"]
    normals.setflags(write=False)
    return normals


def made_normal_map() -> F32:
    """What `normal_map` reads, worked out: no clip has to wait for it (scripts/make-face-normals)."""
    mesh = mean_face()
    upright = Face(mesh.vertices, 1.0, (0.0, 0.0, 0.0, 0.0), 1.0, np.eye(3, dtype=np.float32))
    uv, normals = face_uv().astype(np.float64), upright.normals().astype(np.float64)
    side = np.arange(-MAP_REACH, MAP_REACH + 1, MAP_MM)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    rim = cv2.convexHull(uv.astype(np.float32), returnPoints=False).ravel()
    far = uv[rim] * 1.5
    points = np.concatenate([uv, far]) / FACE_WIDTH_MM
    values = np.concatenate([normals, np.tile([0.0, 0.25, 0.97], (len(far), 1))])
    field = _evaluate(grid / FACE_WIDTH_MM, points, _thin_plate(points, values)).reshape(len(side), len(side), 3)
    field /= np.linalg.norm(field, axis=-1, keepdims=True)
    return field.astype(np.float32)


def normals_at(uv: F32, rotation: F32) -> F32:
    """Unit normals (h, w, 3) in the picture of places on a face, from their atlas coordinates (h, w, 2) in mm.

    rotation: (3, 3) of the face. The mean face's own normals turned with the head: smooth, and free of the
    jitter that a mesh has from frame to frame.
    """
    place = (uv + np.float32(MAP_REACH)) * np.float32(1 / MAP_MM)
    found = cv2.remap(normal_map(), place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found @ rotation.T, np.float32)


def _rings(face: Face, points: F64, uv: F64) -> tuple[F64, F64]:
    """Places outside the outline of `points`, and the atlas coordinates of a board that touches it there."""
    rim = cv2.convexHull(points.astype(np.float32), returnPoints=False).ravel()
    outward = points[rim] - points.mean(0)
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    turn = _roll(points, uv)
    places = [points[rim] + outward * (r * face.px_per_mm) for r in RINGS_MM]
    targets = [uv[rim] + (outward @ turn.T) * r for r in RINGS_MM]
    return np.concatenate(places), np.concatenate(targets)


def _roll(source: F64, target: F64) -> F64:
    """The rotation (2, 2) that turns the picture's axes into the atlas'."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, _, vt = np.linalg.svd(b.T @ a)
    return np.asarray(u @ np.diag([1.0, np.sign(np.linalg.det(u @ vt)) or 1.0]) @ vt)


def _thin_plate(points: F64, values: F64) -> F64:
    """Weights of a smoothing thin-plate spline through `values` at `points` (Duchon)."""
    count = len(points)
    affine = np.column_stack([np.ones(count), points])
    square = ((points[:, None] - points[None]) ** 2).sum(-1)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _bend(square) + STIFFNESS * np.eye(count)
    system[:count, count:], system[count:, :count] = affine, affine.T
    found: F64 = np.linalg.solve(system, np.concatenate([values, np.zeros((3, values.shape[1]))]))
    return found


def _bend(square: F64) -> F64:
    return np.asarray(0.5 * square * np.log(np.maximum(square, 1e-18)))


def _evaluate(grid: F64, points: F64, weights: F64) -> F64:
    """(n, k) values of a spline at places (n, 2): weights (points + 3, k) from `_thin_plate`."""
    out = np.empty((len(grid), weights.shape[1]))
    _sum_up(grid, points, weights, out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_up(grid: F64, points: F64, weights: F64, out: F64) -> None:
    count = points.shape[0]
    for i in range(grid.shape[0]):
        x, y = grid[i, 0], grid[i, 1]
        for n in range(out.shape[1]):
            out[i, n] = weights[count, n] + x * weights[count + 1, n] + y * weights[count + 2, n]
        for k in range(count):
            across, down = x - points[k, 0], y - points[k, 1]
            square = max(across * across + down * down, 1e-18)
            bend = 0.5 * square * np.log(square)
            for n in range(out.shape[1]):
                out[i, n] += bend * weights[k, n]
