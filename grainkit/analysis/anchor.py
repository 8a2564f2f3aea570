"""What holds texture to a moving face: coordinates that travel with the skin, registered to a key frame.

Motion from frame to frame is added up (the way of every place back to the key frame), and each sum is nudged
towards a direct match with the key frame, which takes out drift. Landmarks give the coordinates of the key frame
and a first guess of motion, and nothing else: their jitter would slide the texture (ALGORITHMS.md 3, method iv).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from numba import njit

from grainkit.analysis.face import Face
from grainkit.analysis.flow import CELL, Picture, match, middles
from grainkit.analysis.lattice import Lattice, read
from grainkit.analysis.picture import luma_shrunk
from grainkit.analysis.uv import uv_lattice
from grainkit.frame import Frame

F32 = npt.NDArray[np.float32]

#: Width of the face in the pictures that are matched, px; smaller faces are matched as they are.
FACE_PX = 190.0
#: Coordinates are known every so many matched px: at the rim of a face and on the nose they bend within a cell.
FINE = 2
#: Surroundings that are followed, in face widths: to the sides, above, below.
MARGIN = (0.30, 0.30, 0.55)
#: Gaussian sigmas: of the blur of pictures before matching, px, and of the mean that brightness is taken relative to,
#: mm. A wide mean, and one with edges of its own, does not go with skin that stretches: it pulled hair lines by 1 px.
PRE_BLUR, EVEN_MM = 0.9, 3.5
#: Added to luma before its logarithm: noise in the dark counts for less.
FLOOR = 0.08
#: Gauss-Newton steps at half size, at full size, and towards the key frame.
ROUNDS = (1, 2, 1)
#: Share of the distance to the key frame that is made up per frame, its limit and its reach, matched px.
PULL, PULL_LIMIT, PULL_REACH = 1.0, 0.3, 2.5
#: A face that has grown or shrunk by this much since the key frame gets a new one.
RESCALE = 1.5
#: So does one that has come to look otherwise: correlation with the key frame below this.
ALIKE = 0.4
#: A match to the frame before that is worse than this failed: landmarks alone say how the face moved.
LOST = 0.2
#: Share of the frames before in what the next one is matched with: it averages their noise.
KEEP = np.float32(0.5)
#: Weight of what lies beside the face.
BESIDE = 0.3

_jit = njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _composed(way: Any, down: Any, across: Any, step: Any, out: Any) -> None:
    """out(x) = step(x) + way(x + step(x)): two motions one after the other.

    step, out: (rows, columns, 2) px per cell. Cell (0, 0) of theirs is cell (down, across) of way's.
    """
    per = np.float32(1.0 / CELL)
    value = np.zeros(2, np.float32)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            dx, dy = step[y, x, 0], step[y, x, 1]
            read(way, np.float32(y + down) + dy * per, np.float32(x + across) + dx * per, value)
            out[y, x, 0], out[y, x, 1] = dx + value[0], dy + value[1]


@_jit
def _looked_up(field: Any, down: Any, across: Any, way: Any, out: Any) -> None:
    """out(x) = field(x + way(x)), all of them FINE px apart; point (0, 0) of way's is (down, across) of the field's."""
    per = np.float32(1.0 / FINE)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            u, v = np.float32(x + across) + way[y, x, 0] * per, np.float32(y + down) + way[y, x, 1] * per
            read(field, v, u, out[y, x])


@dataclass(frozen=True, eq=False)
class Anchor:
    """Coordinates that travel with one face. `start` it on the first frame it is seen in, then `follow`.

    scale: px of the matched pictures per px of the frame.
    key: the key frame. coordinates: (h, w, 2) mm on the key frame, FINE px apart.
    now: the last frame. way: (rows, columns, 2) px from the cells of `now` back to the key frame.
    face: where it is now. speed: px of the frame that it moves per frame, median over the face.
    """

    scale: float
    key: Picture
    coordinates: F32
    now: Picture
    way: F32
    face: Face
    speed: float = 0.0

    @staticmethod
    def start(frame: Frame, face: Face) -> Anchor | None:
        """The anchor of a face on its first frame; None where too little of it is in the frame."""
        scale = min(1.0, FACE_PX / max(face.width, 1.0))
        picture = _matched(frame, face, scale)
        if picture is None:
            return None
        height, width = picture.values.shape
        own = uv_lattice(face.scaled(scale).scaled(1, picture.left, picture.top), height, width)
        coordinates = own.on(height // FINE, width // FINE, FINE)
        return Anchor(scale, picture, coordinates, picture, np.zeros((*picture.cells, 2), np.float32), face)

    def follow(self, frame: Frame, face: Face) -> Anchor:
        """The anchor one frame later. face: where the face is now."""
        now = _matched(frame, face, self.scale)
        if now is None:
            return replace(self, face=face)
        mm = face.px_per_mm * self.scale
        weight = _oval(face, self.scale, now)
        guess = _guess(self.face, face, self.scale, now)
        step, now = _motion(now, self.now, guess, weight, mm)
        way = np.empty((*now.cells, 2), np.float32)
        down, across = (now.top - self.now.top) // CELL, (now.left - self.now.left) // CELL
        _composed(self.way, down, across, step, way)
        to_key = match(now, self.key, way, weight, mm, ROUNDS[2])
        if to_key.likeness > ALIKE:
            rest = to_key.field - way
            length = np.linalg.norm(rest, axis=-1, keepdims=True)
            share = PULL * np.exp(-((length / PULL_REACH) ** 2))
            way += rest * np.minimum(share, PULL_LIMIT / np.maximum(length, 1e-6))
        inside = weight > 0.5
        speed = float(np.median(np.linalg.norm(step, axis=-1)[inside])) if inside.any() else 0.0
        followed = replace(self, now=now, way=way, face=face, speed=speed / self.scale)
        return followed._rekeyed() if to_key.likeness <= ALIKE or followed._rescaled(inside) else followed

    def uv(self) -> Lattice:
        """Atlas coordinates in mm over the frame."""
        height, width = (n // FINE for n in self.now.values.shape)
        first = (CELL - 1) / 2
        way = Lattice(self.way, first, first, CELL).on(height, width, FINE)
        out = np.empty((height, width, 2), np.float32)
        down, across = (self.now.top - self.key.top) // FINE, (self.now.left - self.key.left) // FINE
        _looked_up(self.coordinates, down, across, way, out)
        first = (FINE - 1) / 2
        return Lattice(out, self.now.top + first, self.now.left + first, FINE).scaled(1 / self.scale)

    def _rescaled(self, inside: npt.NDArray[np.bool_]) -> bool:
        """Whether the face has changed size too much since the key frame."""
        if not inside.any():
            return False
        across, down = np.gradient(self.way[..., 0], CELL, axis=1), np.gradient(self.way[..., 1], CELL, axis=0)
        size = float(np.median(np.sqrt(np.abs((1 + across) * (1 + down)))[inside]))
        return not 1 / RESCALE < size < RESCALE

    def _rekeyed(self) -> Anchor:
        """This frame becomes the key frame; coordinates at its points are what they were, exactly."""
        return replace(self, key=self.now, coordinates=self.uv().values, way=np.zeros((*self.now.cells, 2), np.float32))


def _matched(frame: Frame, face: Face, scale: float) -> Picture | None:
    """The surroundings of a face, reduced and evened out; None where little of it is in the frame."""
    left, top, right, bottom = (v * scale for v in face.box)
    size = face.width * scale
    unit = 2 * CELL
    x0, y0 = max(0, int(left - MARGIN[0] * size) // unit), max(0, int(top - MARGIN[1] * size) // unit)
    x1 = min(int(frame.width * scale), int(right + MARGIN[0] * size)) // unit
    y1 = min(int(frame.height * scale), int(bottom + MARGIN[2] * size)) // unit
    if x1 - x0 < 4 or y1 - y0 < 4:
        return None
    luma = luma_shrunk(frame, scale, y0 * unit, x0 * unit, (y1 - y0) * unit, (x1 - x0) * unit)
    values = cv2.GaussianBlur(cv2.log(cv2.max(luma, 0) + np.float32(FLOOR)), (0, 0), PRE_BLUR)
    even = values - cv2.GaussianBlur(values, (0, 0), EVEN_MM * face.px_per_mm * scale)
    return Picture(np.asarray(even, np.float32), y0 * unit, x0 * unit)


def _motion(now: Picture, before: Picture, guess: F32, weight: F32, mm: float) -> tuple[F32, Picture]:
    """Motion from the frame before, coarse to fine; and this frame with the noise of the last few averaged out."""
    half_now, half_before = _halved(now), _halved(before)
    size = half_now.cells[::-1]
    small = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (guess * np.float32(0.5), weight)]
    coarse = match(half_now, half_before, small[0], small[1], mm / 2, ROUNDS[0])
    start = cv2.resize(coarse.field * np.float32(2), now.cells[::-1], interpolation=cv2.INTER_LINEAR)
    found = match(now, before, np.asarray(start, np.float32), weight, mm, ROUNDS[1])
    if found.likeness <= LOST:
        return guess, now
    kept = KEEP * found.inside
    return found.field, replace(now, values=now.values + kept * (found.moved - now.values))


def _halved(picture: Picture) -> Picture:
    values = cv2.resize(picture.values, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return Picture(np.asarray(values, np.float32), picture.top // 2, picture.left // 2)


def _guess(before: Face, now: Face, scale: float, picture: Picture) -> F32:
    """The affine motion of the landmarks, px per cell."""
    then, here = (f.scaled(scale).points[:, :2].astype(np.float64) for f in (before, now))
    basis = np.column_stack([np.ones(len(here)), here])
    found, *_ = np.linalg.lstsq(basis, then - here, rcond=None)
    x, y = middles(picture)
    out: F32 = (found[0] + x[None, :, None] * found[1] + y[:, None, None] * found[2]).astype(np.float32)
    return out


def _oval(face: Face, scale: float, picture: Picture) -> F32:
    """Per cell: 1 on the face, BESIDE elsewhere."""
    rows, columns = picture.cells
    out = np.zeros((rows, columns), np.uint8)
    points = (face.scaled(scale).hull() - np.array([picture.left, picture.top], np.float32) + 0.5) / CELL - 0.5
    cv2.fillPoly(out, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(np.maximum(out / np.float32(255), BESIDE), np.float32)
