"""What passes in front of a face: a hand, hair, a microphone.

Where the face's own motion leads back to a place of the key frame, tone (brightness and colour, cell by cell) is to be
what it was there, motion what it is around it, and fine structure that of the frame before or of the key frame. What
is off in these covers the face. Brightness may change smoothly over all of it and tone slowly; lids and lips are not
judged, and what is narrower than a finger has no weight. A place is covered until it looks like itself again.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.face import BROWS, EYES, LIPS, Face
from grainkit.analysis.flow import CELL, Match, Picture
from grainkit.analysis.picture import chroma_cells
from grainkit.picture.frame import Frame

F32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

#: What tone differs by on a face that is not covered: deviations of ln luma, Cb and Cr.
TONE = np.array([0.07, 0.012, 0.012], np.float32)
#: Fine structure that does not fit, as a multiple of what noise and MISPLACED px make; motion that differs, mm.
STRUCTURE, MOTION = 9.0, 6.0
#: Least noise of fine structure, ln luma, and px of the matched pictures that it may lie beside its place.
LEAST_NOISE, MISPLACED = 0.006, 0.6
#: Deviations by which a cover is begun, and by which it is kept up and grows; more than MOST count as that many.
BEGINS, ENDS, MOST = 3.0, 1.2, np.float32(5)
#: What covers a face is wider than this, mm; features reach this much further, mm, and are believed by this share.
WIDE_MM, AROUND_MM, FEATURES = 4.0, 5.0, np.float32(0.02)
#: Rim of the outline that is not judged by itself, mm.
RIM_MM = 6.0
#: Share of a difference in tone that is learnt per frame.
LEARNT = np.float32(0.2)
#: Cells that tone may lie beside its place.
BESIDE = 1
#: A cover that moves as the face does, nothing within NEAR_MM of it changing by STIRS deviations, is part of it
#: after so many frames: skin that has changed under a hand, or a hand that rests on it.
STAYS, NEAR_MM, STIRS = 6, 12.0, 0.8
#: Shares by which texture goes and comes back per frame.
GOES, COMES = np.float32(0.6), np.float32(0.34)
#: Rounds of a robust fit, and about how many cells it looks at.
FITS, SAMPLES = 3, 400
#: Less of a veil than this is none.
FAINT = np.float32(0.01)


@dataclass(frozen=True, eq=False)
class Cover:
    """What hides a face, per cell of the last frame.

    drift: (rows, columns, 3) ln luma, Cb, Cr: by how much tone has come to differ from the key frame's.
    seen: (rows, columns, 3) tone as it looked.
    hidden: (rows, columns) what is covered. calm: frames that it has moved as the face does.
    veil: (rows, columns) 0..1, the cover feathered in place and time.
    """

    drift: F32
    seen: F32
    hidden: Mask
    calm: npt.NDArray[np.int16]
    veil: F32

    @staticmethod
    def start(tone: F32, veil: float = 0.0) -> Cover:
        """Nothing is covered. tone: (rows, columns, 3) as it looks."""
        shape = tone.shape[:2]
        return Cover(
            np.zeros_like(tone),
            tone,
            np.zeros(shape, bool),
            np.zeros(shape, np.int16),
            np.full(shape, veil, np.float32),
        )

    def moved(self, down: int, across: int, cells: tuple[int, int]) -> Cover:
        """The same over another cut of the screen, whose cell (0, 0) is cell (down, across) of this one."""
        height, width = self.hidden.shape
        if not down and not across and cells == (height, width):
            return self
        rows, columns = (np.arange(n) + at for n, at in zip(cells, (down, across), strict=True))
        at = np.ix_(np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1))
        known = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
        return Cover(
            self.drift[at], self.seen[at], self.hidden[at] & known, self.calm[at] * known, self.veil[at] * known
        )

    def then(self, tone: F32, known: F32, hidden: Mask, step: F32, face: Mask, mm: float) -> Cover:
        """One frame later. tone: as it looks now. known: as it was expected. face: within its outline.

        step: (rows, columns, 2) px back to where each cell was. mm: px per mm.
        """
        drift = carried(self.drift, step)
        learnt = LEARNT * (tone - known)
        if not (hidden.any() or self.veil.any()):
            return Cover(drift + learnt, tone, hidden, self.calm, self.veil)
        before = carried(self.seen, step)
        stirs = (np.square(_apart(tone, before) / TONE).sum(-1) > STIRS**2) & hidden & _within(face, mm)
        near = cv2.dilate(stirs.astype(np.uint8), _square(NEAR_MM, mm)) > 0
        calm = np.where(hidden & ~near, self.calm + 1, 0).astype(np.int16)
        stays = calm > STAYS
        hidden = hidden & ~stays
        learnt[hidden] = 0
        learnt[stays] /= LEARNT
        wide = cv2.GaussianBlur(cv2.dilate(hidden.astype(np.float32), np.ones((3, 3))), (0, 0), 0.7)
        veil = self.veil + np.where(wide > self.veil, GOES, COMES) * (wide - self.veil)
        veil[veil < FAINT] = 0
        return Cover(drift + learnt, tone, hidden, calm, veil)


def tone_of(frame: Frame, picture: Picture, luma: F32, scale: float, floor: float) -> F32:
    """(rows, columns, 3) ln luma, Cb, Cr of a picture's cells. luma: (h, w) it was made of. scale: of the frame."""
    rows, columns = picture.cells
    out = np.zeros((rows, columns, 3), np.float32)
    small = cv2.resize(luma, (columns, rows), interpolation=cv2.INTER_AREA)
    out[..., 0] = np.log(np.maximum(small, 0) + np.float32(floor))
    if len(frame.planes) > 1:
        place = (picture.top // CELL, picture.left // CELL, rows, columns)
        out[..., 1], out[..., 2] = chroma_cells(frame, scale / CELL, *place)
    return out


def carried(values: F32, step: F32) -> F32:
    """values (rows, columns, n) of the frame before, brought to where they are now."""
    rows, columns = step.shape[:2]
    places = step * np.float32(1 / CELL)
    places[..., 0] += np.arange(columns, dtype=np.float32)
    places[..., 1] += np.arange(rows, dtype=np.float32)[:, None]
    found = cv2.remap(values, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)


def expected(key: F32, drift: F32, way: F32, tone: F32, skin: Mask) -> F32:
    """(rows, columns, 3) the tone that a face has, if nothing covers it.

    key: (.., .., 3) of the key frame. drift: from it. way: (rows, columns, 2) px from cells of this frame to the key's.
    tone: as it looks now. skin: cells that are believed; brightness may change smoothly over all of them.
    """
    known = np.asarray(carried(key, way) + drift, np.float32)
    light = smooth(np.asarray((tone - known) / TONE, np.float32), skin, 1, 1.0)
    return np.asarray(known + light * TONE, np.float32)


def unlike(tone: F32, known: F32, step: F32, matches: tuple[Match, ...], skin: Mask, mm: float) -> F32:
    """(rows, columns): by how many deviations tone, motion and structure differ from what the face has there.

    tone, known: as it looks and as expected. step: motion from the frame before. matches: with what the face has
    looked like; structure that is as in any of them is the face's. skin: cells that are believed. mm: px per mm.
    """
    square = np.square(_apart(tone, known) / TONE).sum(-1)
    moves = np.square((step - smooth(step, skin, 2, mm)) / np.float32(MOTION * mm)).sum(-1)
    structure = np.full(skin.shape, np.inf, np.float32)
    for found in matches:
        # What the face has there, a little beside its place, is no other thing either.
        rest, slope = (cv2.GaussianBlur(p, (0, 0), 1.0) for p in (found.rest, found.slope))
        noise = max(float(np.median(rest[skin])) if skin.any() else 0.0, LEAST_NOISE**2)
        structure = np.minimum(structure, rest / (noise + np.float32(MISPLACED**2) * slope))
    return np.asarray(np.sqrt(square + moves + np.square(structure / np.float32(STRUCTURE))), np.float32)


def covered(off: F32, before: Mask, face: Mask, features: Mask, mm: float) -> Mask:
    """Cells that something covers. off: deviations by which each differs from the face. before: those that were.

    face: within its outline. features: eyes, brows and lips. mm: px per mm.
    """
    # At its rim a face turns out of sight and into it, and features change: they go with what is around them.
    trust = np.where(_within(face, mm), np.where(features, FEATURES, np.float32(1)), np.float32(1e-3))
    sigma = WIDE_MM * mm / CELL
    level = cv2.GaussianBlur(np.minimum(off, MOST) * trust, (0, 0), sigma) / cv2.GaussianBlur(trust, (0, 0), sigma)
    more = face & (level > ENDS)
    count, names = cv2.connectedComponents(more.astype(np.uint8), connectivity=4)
    chosen = np.zeros(count, bool)
    chosen[np.unique(names[more & ((level > BEGINS) | before)])] = True
    chosen[0] = False
    found = chosen[names]
    return _without_holes(found) if found.any() else found


def _within(face: Mask, mm: float) -> Mask:
    """A face without its rim."""
    return np.asarray(cv2.erode(face.astype(np.uint8), _square(RIM_MM, mm), borderValue=0) > 0, bool)


def _apart(tone: F32, known: F32) -> F32:
    """By how much tones (rows, columns, 3) differ from all that is known near their place."""
    near = np.ones((2 * BESIDE + 1, 2 * BESIDE + 1), np.uint8)
    return np.asarray(tone - np.clip(tone, cv2.erode(known, near), cv2.dilate(known, near)), np.float32)


def _without_holes(mask: Mask) -> Mask:
    """A mask with what it encloses."""
    names = cv2.connectedComponents((~np.pad(mask, 1)).astype(np.uint8), connectivity=4)[1]
    return np.asarray((names != names[0, 0])[1:-1, 1:-1], bool)


def _square(radius_mm: float, mm: float) -> npt.NDArray[np.uint8]:
    side = 2 * max(1, round(radius_mm * mm / CELL)) + 1
    return np.ones((side, side), np.uint8)


def smooth(values: F32, where: Mask, degree: int, scale: float) -> F32:
    """The polynomial field (rows, columns, n) that most of `values` lie on, those off by more than `scale` apart."""
    rows, columns = values.shape[:2]
    count = 3 if degree == 1 else 6
    at = np.flatnonzero(where)
    if len(at) < 9 * count:
        return np.zeros_like(values)
    at = at[:: max(1, len(at) // SAMPLES)]
    x, y = np.linspace(-1, 1, columns, dtype=np.float32), np.linspace(-1, 1, rows, dtype=np.float32)
    a = _terms(x[at % columns], y[at // columns], count).astype(np.float64)
    b = values.reshape(rows * columns, -1)[at].astype(np.float64)
    hold = 1e-3 * len(a) * np.eye(count)
    found = np.linalg.solve(a.T @ a + hold, a.T @ b)
    for _ in range(FITS):
        trust = 1 / np.square(1 + np.square(b - a @ found).sum(-1) / scale**2)
        weighed = a.T * trust
        found = np.linalg.solve(weighed @ a + hold * trust.mean(), weighed @ b)
    on = np.meshgrid(x, y)
    return np.asarray(_terms(*on, count) @ found.astype(np.float32), np.float32)


def _terms(x: F32, y: F32, count: int) -> F32:
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y][:count], -1)


def bridged(way: F32, known: Mask, hidden: Mask, px: float) -> F32:
    """A field (rows, columns, 2) with what is hidden filled in from what is known about it.

    The smooth field through all that is known, and on it what lies beside that nearby. px: what may be off it.
    """
    if not hidden.any() or known.sum() < 24:
        return way
    whole = smooth(way, known, 1, px)
    rest, share = (way - whole) * known[..., None], known.astype(np.float32)
    total, weight = np.zeros_like(rest), np.full(known.shape, np.float32(1e-3))
    for sigma in (1.5, 4.0, 10.0):
        # What is near counts for more than all that is further away.
        total, weight = (
            a + b * np.float32(1 / sigma**3)
            for a, b in (
                (total, cv2.GaussianBlur(rest, (0, 0), sigma)),
                (weight, cv2.GaussianBlur(share, (0, 0), sigma)),
            )
        )
    return np.asarray(np.where(hidden[..., None], whole + total / weight[..., None], way), np.float32)


def features_of(face: Face, picture: Picture, scale: float) -> Mask:
    """Cells on and around eyes, brows and lips. scale: of the picture."""
    out = np.zeros(picture.cells, np.uint8)
    points = (face.scaled(scale).points[:, :2] - np.array([picture.left, picture.top], np.float32) + 0.5) / CELL - 0.5
    for group in (*EYES, *BROWS, LIPS):
        outline = cv2.convexHull(np.ascontiguousarray(points[list(group)])).reshape(-1, 2)
        cv2.fillConvexPoly(out, np.round(outline * 16).astype(np.int32), 1, 8, 4)
    r = max(1, round(AROUND_MM * face.px_per_mm * scale / CELL))
    return np.asarray(cv2.dilate(out, np.ones((2 * r + 1, 2 * r + 1))) > 0, bool)
