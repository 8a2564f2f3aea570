"""What holds texture to a moving face: coordinates that travel with the skin, registered to a key frame.

Motion from frame to frame is added up (the way of every pixel back to the key frame), and each sum is
nudged towards a direct match with the key frame, which takes out drift. Landmarks give the coordinates of
the key frame and nothing after it: their jitter would slide the texture (ALGORITHMS.md 3, method iv).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from numba import njit

from grainkit.analysis.face import Face
from grainkit.analysis.flow import FIELD, U8, Motion, matcher, motion, prepared
from grainkit.analysis.uv import uv_fields

F32 = npt.NDArray[np.float32]

#: Width of the face in the pictures that are matched, px.
FACE_PX = 160.0
#: Surroundings of the face that are matched, in face widths.
MARGIN = 0.25
#: Share of the distance to the key frame that is made up per frame, its limit and its reach, matched px.
PULL, PULL_LIMIT, PULL_REACH = 0.20, 0.15, 4.0
#: A face that has grown or shrunk by this much since the key frame gets a new one.
RESCALE = 1.22
#: Frames after which a key frame is replaced when the match to it has become poor, and what poor is, px.
POOR = 6.0
#: Width over which brightness is evened out before pictures are compared with the key frame, mm.
EVEN_MM = 8.0

_jit = njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _cubic(t: Any) -> Any:
    """Catmull-Rom weights."""
    half = np.float32(0.5)
    a = half * (-t + np.float32(2.0) * t * t - t * t * t)
    b = half * (np.float32(2.0) - np.float32(5.0) * t * t + np.float32(3.0) * t * t * t)
    c = half * (t + np.float32(4.0) * t * t - np.float32(3.0) * t * t * t)
    return a, b, c, np.float32(1.0) - a - b - c


@_jit
def _read(field: Any, x: Any, y: Any, out: Any) -> None:
    """Two planes of a field at (x, y), cubic, in float throughout; edges go on."""
    height, width = field.shape[0], field.shape[1]
    x = min(max(x, np.float32(0.0)), np.float32(width - 1))
    y = min(max(y, np.float32(0.0)), np.float32(height - 1))
    i, j = min(int(x), width - 2), min(int(y), height - 2)
    wx, wy = _cubic(x - np.float32(i)), _cubic(y - np.float32(j))
    out[0], out[1] = np.float32(0.0), np.float32(0.0)
    for k in range(4):
        row = min(max(j + k - 1, 0), height - 1)
        for m in range(4):
            column = min(max(i + m - 1, 0), width - 1)
            weight = wy[k] * wx[m]
            out[0] += weight * field[row, column, 0]
            out[1] += weight * field[row, column, 1]


@_jit
def _composed(way: Any, step: Any, unit: Any, out: Any) -> None:
    """out(x) = step(x) + way(x + step(x)): two motions one after the other; unit: field samples per px."""
    value = np.zeros(2, np.float32)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            dx, dy = step[y, x, 0], step[y, x, 1]
            _read(way, np.float32(x) + dx * unit, np.float32(y) + dy * unit, value)
            out[y, x, 0], out[y, x, 1] = dx + value[0], dy + value[1]


@_jit
def _looked_up(field: Any, way: Any, unit: Any, top: Any, left: Any, scale: Any, out: Any) -> None:
    """field at x + way(x) for every px of a region, both read at `scale` field samples per frame px."""
    moved, value = np.zeros(2, np.float32), np.zeros(2, np.float32)
    half = np.float32(0.5)
    for y in range(out.shape[0]):
        v = (np.float32(top + y) + half) * scale - half
        for x in range(out.shape[1]):
            u = (np.float32(left + x) + half) * scale - half
            _read(way, u, v, moved)
            _read(field, u + moved[0] * unit, v + moved[1] * unit, value)
            out[y, x, 0], out[y, x, 1] = value[0], value[1]


@dataclass(frozen=True, eq=False)
class Anchor:
    """Coordinates that travel with one face. `start` it on the first frame it is seen in, then `follow`.

    scale: px of the matched pictures per px of the frame. px_per_mm: of the matched pictures.
    key: matched picture of the key frame. coordinates: (h, w, 2) mm of the key frame, at 1 / FIELD of it.
    way: (h, w, 2) px from every place now back to the key frame, same size. before: the last picture.
    age: frames since the key frame.
    """

    scale: float
    px_per_mm: float
    key: U8
    coordinates: F32
    way: F32
    before: U8
    face: Face
    age: int = 0

    @staticmethod
    def start(luma: F32, face: Face) -> Anchor:
        """The anchor of a face on its first frame; luma: the whole frame's, float32 0..1."""
        scale = min(1.0, FACE_PX / max(face.width, 1.0))
        picture = _matched(luma, scale)
        height, width = (n // FIELD for n in picture.shape)
        coordinates, _ = uv_fields(face.scaled(scale / FIELD), height, width)
        way = np.zeros((height, width, 2), np.float32)
        return Anchor(scale, face.px_per_mm * scale, picture, coordinates, way, picture, face)

    def follow(self, luma: F32, face: Face) -> Anchor:
        """The anchor one frame later. face: where the face is now; only the crop comes from it."""
        now = _matched(luma, self.scale)
        crop = _crop(face, self.scale, now.shape)
        if crop is None:
            return replace(self, before=now, face=face)
        dis = matcher()
        part = np.s_[crop[0] : crop[2], crop[1] : crop[3]]
        weight = _oval(face, self.scale, crop)
        step = motion(dis, self.before[part], now[part], crop[:2], self.px_per_mm, weight)
        way = np.empty_like(self.way)
        _composed(self.way, self._spread(step, crop), np.float32(1 / FIELD), way)
        nudge, poor = self._nudge(dis, now, way, crop, weight)
        if nudge is not None:
            nudged = np.empty_like(way)
            _composed(way, nudge, np.float32(1 / FIELD), nudged)
            way = nudged
        followed = replace(self, way=way, before=now, face=face, age=self.age + 1)
        return followed._rekeyed() if poor or followed._rescaled(crop) else followed

    def _spread(self, found: Motion, crop: tuple[int, int, int, int]) -> F32:
        """A crop's motion over the whole field: affine everywhere, the residual inside the crop."""
        height, width = self.way.shape[:2]
        x, y = ((np.arange(n) + 0.5) * FIELD - 0.5 for n in (width, height))
        a = found.affine
        out = np.empty((height, width, 2), np.float32)
        for k in range(2):
            out[..., k] = a[0, k] + a[1, k] * x[None] + a[2, k] * y[:, None]
        top, left = crop[0] // FIELD, crop[1] // FIELD
        rows, columns = found.residual.shape[:2]
        out[top : top + rows, left : left + columns] += found.residual[: height - top, : width - left]
        return out

    def _nudge(
        self, dis: Any, now: U8, way: F32, crop: tuple[int, int, int, int], weight: F32
    ) -> tuple[F32 | None, bool]:
        """A small step towards the key frame, and whether the match to it was poor."""
        part = np.s_[crop[0] : crop[2], crop[1] : crop[3]]
        shape = (crop[2] - crop[0], crop[3] - crop[1])
        back = np.empty((*shape, 2), np.float32)
        _looked_up(way, np.zeros_like(way), np.float32(0), crop[0], crop[1], np.float32(1 / FIELD), back)
        x, y = np.meshgrid(np.arange(crop[1], crop[3], dtype=np.float32), np.arange(crop[0], crop[2], dtype=np.float32))
        key = cv2.remap(self.key, x + back[..., 0], y + back[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        here, there = now[part].astype(np.float32), key.astype(np.float32)
        sigma = EVEN_MM * self.px_per_mm
        even = there * (cv2.GaussianBlur(here, (0, 0), sigma) + 2) / (cv2.GaussianBlur(there, (0, 0), sigma) + 2)
        found = motion(dis, np.clip(even, 0, 255).astype(np.uint8), now[part], crop[:2], self.px_per_mm, weight)
        if found.wobble > POOR:
            return None, True
        whole = self._spread(found, crop)
        length = np.linalg.norm(whole, axis=-1, keepdims=True)
        share = PULL * np.exp(-((length / PULL_REACH) ** 2))
        share = np.minimum(share, PULL_LIMIT / np.maximum(length, 1e-6))
        return (whole * share).astype(np.float32), False

    def _rescaled(self, crop: tuple[int, int, int, int]) -> bool:
        """Whether the face has changed size too much since the key frame."""
        inside = self.way[crop[0] // FIELD : crop[2] // FIELD : 4, crop[1] // FIELD : crop[3] // FIELD : 4]
        if min(inside.shape[:2]) < 3:
            return False
        unit = 4 * FIELD
        across, down = np.gradient(inside[..., 0], unit, axis=1), np.gradient(inside[..., 1], unit, axis=0)
        size = float(np.median(np.sqrt(np.abs((1 + across) * (1 + down)))))
        return not 1 / RESCALE < size < RESCALE

    def _rekeyed(self) -> Anchor:
        """This frame becomes the key frame; coordinates go on as they are."""
        height, width = self.way.shape[:2]
        coordinates = np.empty_like(self.coordinates)
        _looked_up(self.coordinates, self.way, np.float32(1 / FIELD), 0, 0, np.float32(1), coordinates)
        way = np.zeros((height, width, 2), np.float32)
        return replace(self, key=self.before, coordinates=coordinates, way=way, age=0)

    def uv(self, top: int, left: int, height: int, width: int) -> F32:
        """Atlas coordinates (height, width, 2) in mm of a region of the frame."""
        out = np.empty((height, width, 2), np.float32)
        scale = np.float32(self.scale / FIELD)
        _looked_up(self.coordinates, self.way, np.float32(1 / FIELD), top, left, scale, out)
        return out


def _matched(luma: F32, scale: float) -> U8:
    """A frame's luma as the picture that is matched; sides are whole multiples of FIELD."""
    height, width = (max(16, round(n * scale) // FIELD * FIELD) for n in luma.shape)
    small = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)
    return prepared(small)


def _crop(face: Face, scale: float, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """(top, left, bottom, right) around the face in the matched picture, on FIELD's grid; None where it is outside."""
    left, top, right, bottom = (v * scale for v in face.box)
    margin = MARGIN * face.width * scale
    y0, x0 = (max(0, int(v - margin) // FIELD * FIELD) for v in (top, left))
    y1, x1 = (min(n, -(-int(v + margin) // FIELD) * FIELD) for n, v in zip(shape, (bottom, right), strict=True))
    return (y0, x0, y1, x1) if y1 - y0 >= 48 and x1 - x0 >= 48 else None


def _oval(face: Face, scale: float, crop: tuple[int, int, int, int]) -> F32:
    """1 on the face, 0 beside it, within the crop."""
    out = np.zeros((crop[2] - crop[0], crop[3] - crop[1]), np.uint8)
    points = face.scaled(scale).hull() - np.array([crop[1], crop[0]], np.float32)
    cv2.fillPoly(out, [np.round(points).astype(np.int32)], 255)
    return np.asarray(cv2.GaussianBlur(out, (0, 0), 3), np.float32) / np.float32(255)
