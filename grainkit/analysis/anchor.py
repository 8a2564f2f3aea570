"""What holds texture to a moving face: coordinates that travel with the skin, registered to a key frame.

Motion from frame to frame is added up (the way of every place back to the key frame), and each sum is nudged
towards a direct match with the key frame, which takes out drift. Landmarks give the coordinates of the key frame
and a first guess of motion, and nothing else: their jitter would slide the texture (ALGORITHMS.md 3, method iv).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.cover import Cover, bridged, carried, covered, expected, features_of, tone_of, unlike
from grainkit.analysis.face import Face
from grainkit.analysis.flow import CELL, Match, Picture, match, middles
from grainkit.analysis.lattice import Lattice, read
from grainkit.analysis.picture import luma_shrunk
from grainkit.analysis.uv import uv_lattice
from grainkit.machine.jit import njit
from grainkit.picture.frame import Frame

F32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

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
#: What a cover that has just gone adds to limit and reach, as a multiple.
LIFTED = np.float32(3.0)
#: A face of which less than this share is seen is lost until it is found by its key frame.
SEEN = 0.4
#: Frames after which it is no longer looked for: it gets coordinates anew.
GIVEN_UP = 48
#: A face that has grown or shrunk by this much since the key frame gets a new one.
RESCALE = 1.5
#: So does one that has come to look otherwise: correlation with the key frame below this.
ALIKE = 0.4
#: A match to the frame before that is worse than this failed: landmarks alone say how the face moved.
LOST = 0.2
#: Share of the frames before in what the next one is matched with: it averages their noise.
KEEP = np.float32(0.5)
#: Weight of what lies beside the face; of what is covered, from frame to frame and towards the key frame.
BESIDE, UNSEEN, DOUBTED = 0.3, np.float32(1e-3), np.float32(0.2)

_jit = njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _composed(way: F32, down: int, across: int, step: F32, out: F32) -> None:
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
def _looked_up(field: F32, down: int, across: int, way: F32, out: F32) -> None:
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
    key: the key frame. key_face, key_tone: the face on it, and the tone of its cells.
    coordinates: (h, w, 2) mm on the key frame, FINE px apart.
    now: the last frame. way: (rows, columns, 2) px from the cells of `now` back to the key frame.
    face: where it is now. cover: what hides parts of it. number: of the last frame.
    lost: frames that it has been too far hidden to be followed; it is looked for by the key frame.
    speed: px of the frame that it moves per frame, median over the face.
    step: (rows, columns, 2) px from the cells of `now` back to the frame before; None where that was not matched.
    """

    scale: float
    key: Picture
    key_face: Face
    key_tone: F32
    coordinates: F32
    now: Picture
    way: F32
    face: Face
    cover: Cover
    number: int
    lost: int = 0
    speed: float = 0.0
    step: F32 | None = None

    @staticmethod
    def start(frame: Frame, face: Face) -> Anchor | None:
        """The anchor of a face on its first frame; None where too little of it is in the frame."""
        scale = min(1.0, FACE_PX / max(face.width, 1.0))
        seen = _matched(frame, face, scale)
        if seen is None:
            return None
        sight, tone = seen
        picture = _evened(sight, face.px_per_mm * scale, np.zeros(sight.cells, bool))
        height, width = picture.values.shape
        own = uv_lattice(face.scaled(scale).scaled(1, picture.left, picture.top), height, width)
        coordinates = own.on(height // FINE, width // FINE, FINE)
        way = np.zeros((*picture.cells, 2), np.float32)
        return Anchor(scale, picture, face, tone, coordinates, picture, way, face, Cover.start(tone), frame.index)

    def follow(self, frame: Frame, face: Face) -> Anchor:
        """The anchor one frame later. face: where the face is now."""
        seen = _matched(frame, face, self.scale)
        if seen is None:
            return replace(self, face=face, lost=self.lost + 1, step=None)
        if self.lost or frame.index != self.number + 1:
            return self._found(frame, face, *seen)
        sight, tone = seen
        mm = face.px_per_mm * self.scale
        oval = _oval(face, self.scale, sight)
        inside = oval > 0.5
        guess = _guess(self.face, face, self.scale, sight)
        down, across = (sight.top - self.now.top) // CELL, (sight.left - self.now.left) // CELL
        cover = self.cover.moved(down, across, sight.cells)
        shut = _shut(cover.hidden)
        weight = oval * np.where(shut, UNSEEN, np.float32(1))
        now = _evened(sight, mm, shut)
        step, found = _motion(now, self.now, guess, weight, mm)
        step = bridged(step, inside & ~shut, shut, mm)
        way = np.empty((*now.cells, 2), np.float32)
        _composed(self.way, down, across, step, way)
        veil = cover.veil
        weight = oval * np.where(shut, DOUBTED, np.float32(1))
        to_key = match(now, self.key, way, weight, mm, ROUNDS[2])

        features = features_of(face, now, self.scale)
        skin = (oval > 0.9) & ~features & ~shut
        known = self._expected(now, tone, carried(cover.drift, step), to_key.field, skin)
        off = unlike(tone, known, step, (to_key,) if found is None else (found, to_key), skin, mm)
        hidden = covered(off, cover.hidden, inside, features, mm)
        if (hidden & ~shut).any():
            shut = _shut(hidden | cover.hidden)
            step = bridged(step, inside & ~shut, shut, mm)
            _composed(self.way, down, across, step, way)
        cover = cover.then(tone, known, hidden, step, inside, mm)
        if found is not None:
            now = _calmed(now, found, shut, KEEP)
        if to_key.likeness > ALIKE:
            rest = to_key.field - way
            length = np.linalg.norm(rest, axis=-1, keepdims=True)
            # Where a cover has just gone nothing is seen to move, and there is more to make up.
            more = 1 + LIFTED * veil[..., None]
            share = PULL * np.exp(-((length / (PULL_REACH * more)) ** 2))
            share = np.minimum(share, PULL_LIMIT * more / np.maximum(length, 1e-6))
            way += rest * np.where(shut[..., None], np.float32(0), share)
        own = inside & ~shut
        speed = float(np.median(np.linalg.norm(step, axis=-1)[own])) if own.any() else 0.0
        lost = int(own.sum() < SEEN * inside.sum())
        followed = replace(
            self, now=now, way=way, face=face, speed=speed / self.scale, cover=cover, number=frame.index, lost=lost,
            step=step,
        )  # fmt: skip
        # What is covered would be forgotten with the key frame.
        if cover.veil.any():
            return followed
        return followed._rekeyed() if to_key.likeness <= ALIKE or followed._rescaled(own) else followed

    def _found(self, frame: Frame, face: Face, sight: Picture, tone: F32) -> Anchor:
        """The anchor of a face that was out of sight: matched to the key frame alone, and all of it veiled at first."""
        mm = face.px_per_mm * self.scale
        oval = _oval(face, self.scale, sight)
        inside = oval > 0.5
        now = _evened(sight, mm, np.zeros(sight.cells, bool))
        way, found = _motion(now, self.key, _guess(self.key_face, face, self.scale, sight), oval, mm)
        cover = Cover.start(tone, 1.0)
        lost = found is None or found.likeness < ALIKE
        if found is not None:
            features = features_of(face, now, self.scale)
            skin = (oval > 0.9) & ~features
            known = self._expected(now, tone, cover.drift, way, skin)
            hidden = covered(unlike(tone, known, way, (found,), skin, mm), cover.hidden, inside, features, mm)
            shut = _shut(hidden)
            own = inside & ~shut
            way = bridged(way, own, shut, mm)
            now = _calmed(now, found, shut, np.float32(0))
            lost = lost or bool(own.sum() < SEEN * inside.sum())
            cover = replace(cover, hidden=hidden)
        if lost and self.lost >= GIVEN_UP and (anew := Anchor.start(frame, face)) is not None:
            return replace(anew, cover=replace(anew.cover, veil=np.ones_like(anew.cover.veil)))
        return replace(
            self, now=now, way=way, face=face, cover=cover, number=frame.index, lost=self.lost + 1 if lost else 0,
            step=None,
        )  # fmt: skip

    def _expected(self, now: Picture, tone: F32, drift: F32, way: F32, skin: Mask) -> F32:
        """Tone of the cells of `now` if nothing covers the face."""
        beside = np.array([now.left - self.key.left, now.top - self.key.top], np.float32)
        return expected(self.key_tone, drift, way + beside, tone, skin)

    def veil(self) -> Lattice:
        """How far the face is covered over the frame, 0..1: texture is to go there."""
        return self._over_frame(self.cover.veil[..., None])

    def back(self) -> Lattice | None:
        """Over the frame, px of it back to where each place was in the frame before; None where that is not known."""
        return None if self.step is None else self._over_frame(self.step * np.float32(1 / self.scale))

    def _over_frame(self, values: F32) -> Lattice:
        """A field of the cells of `now`, over the frame."""
        first = (CELL - 1) / 2
        return Lattice(values, self.now.top + first, self.now.left + first, CELL).scaled(1 / self.scale)

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
        way = np.zeros((*self.now.cells, 2), np.float32)
        return replace(
            self, key=self.now, key_face=self.face, key_tone=self.cover.seen, coordinates=self.uv().values, way=way,
            cover=Cover.start(self.cover.seen),
        )  # fmt: skip


def _matched(frame: Frame, face: Face, scale: float) -> tuple[Picture, F32] | None:
    """The surroundings of a face, reduced, in ln luma, and their tone; None where little of it is in the frame."""
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
    sight = Picture(np.asarray(values, np.float32), y0 * unit, x0 * unit)
    return sight, tone_of(frame, sight, luma, scale, FLOOR)


def _evened(sight: Picture, mm: float, shut: Mask) -> Picture:
    """A sight of a face without its local mean, to which nothing that is shut (cells) adds."""
    sigma = EVEN_MM * mm
    mean = cv2.GaussianBlur(sight.values, (0, 0), sigma)
    if shut.any():
        seen = cv2.resize((~shut).astype(np.float32), sight.values.shape[::-1], interpolation=cv2.INTER_NEAREST)
        share = np.maximum(cv2.GaussianBlur(seen, (0, 0), sigma), np.float32(1e-3))
        mean += seen * (cv2.GaussianBlur(sight.values * seen, (0, 0), sigma) / share - mean)
    return replace(sight, values=sight.values - mean)


def _motion(now: Picture, before: Picture, guess: F32, weight: F32, mm: float) -> tuple[F32, Match | None]:
    """Motion from the frame before, coarse to fine; the guess and None where they do not match."""
    half_now, half_before = _halved(now), _halved(before)
    size = half_now.cells[::-1]
    small = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (guess * np.float32(0.5), weight)]
    coarse = match(half_now, half_before, small[0], small[1], mm / 2, ROUNDS[0])
    start = cv2.resize(coarse.field * np.float32(2), now.cells[::-1], interpolation=cv2.INTER_LINEAR)
    found = match(now, before, np.asarray(start, np.float32), weight, mm, ROUNDS[1])
    return (found.field, found) if found.likeness > LOST else (guess, None)


def _calmed(now: Picture, found: Match, hidden: Mask, keep: np.float32) -> Picture:
    """A frame with a share of how it looked before, which averages noise; all of it where the face is hidden."""
    share = np.where(hidden, np.float32(1), keep)
    share = cv2.resize(share, now.values.shape[::-1], interpolation=cv2.INTER_NEAREST) * found.inside
    return replace(now, values=now.values + share * (found.moved - now.values))


def _shut(hidden: Mask) -> Mask:
    """What is hidden and its rim."""
    return np.asarray(cv2.dilate(hidden.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0, bool)


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
