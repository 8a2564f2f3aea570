"""Where skin is: a soft matte grown from the face's own colour, kept off everything that is not skin.

All of it is worked out small (WORK_SCALE px per mm are enough to tell skin from hair) and brought to the
size of the picture along the picture's own edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.face import (
    BEARD,
    BROWS,
    CHEEKS,
    CHIN,
    EYE_CORNERS,
    EYES,
    FOREHEAD,
    LIPS,
    NOSE,
    NOSTRILS,
    OVAL,
    Face,
)
from grainkit.machine.jit import njit

F32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

#: px per mm at which the matte is worked out; below, at the picture's own size.
WORK_SCALE = 2.0
#: Cells of the colour tables along L*, a*, b*; where they begin, and their size.
_CELLS = (50, 72, 72)
_FIRST, _CELL = np.array([0, -54, -54], np.float32), np.array([2, 1.5, 1.5], np.float32)
#: How far colours of things that are not skin spread in the tables, in cells: samples are few.
_SPREAD = 1.5
#: Share of each L* that may be skin although the sampled part of the face has none of it (shadow, shine).
_ANY_TONE = 0.6
#: Weight against skin of what is around the head and below it: within the face's outline, about it, and where
#: hair falls into the face. Low enough for what has skin's very colour (bare scalp, shoulders) to stay skin.
_INSIDE, _NEAR, _FALLING = 0.04, 0.35, 1.2
#: Roughness, as a multiple of the face's own, above which it is hair (on the face; at its edge), or cloth.
_HAIR, _FRINGE, _CLOTH, _LEAST_ROUGH = 2.5, 1.7, 1.8, 0.03
#: Skin apart from face and neck is at least this large: less is a speck of cloth or hair, mm².
_SPECK, _PATCH = 250.0, 900.0


@dataclass(frozen=True, eq=False)
class SkinColour:
    """What one face's skin looks like; measured once, then looked up.

    inside: uint8 cells of (L*, a*, b*), 255 where it is skin within the outline of the face.
    near: the same for neck and ears. edge: the same for forehead and temples, where hair begins.
    far: the same for shoulders and hands, where only a close match is skin.
    roughness: median fine contrast of the sure skin, against which hair is told apart.
    tone: median L* of the sure skin.
    line: (cells, 2) float32: the mean a*, b* of skin for each cell of L*.
    """

    inside: npt.NDArray[np.uint8]
    near: npt.NDArray[np.uint8]
    edge: npt.NDArray[np.uint8]
    far: npt.NDArray[np.uint8]
    roughness: float
    tone: float
    line: F32


@dataclass(frozen=True, eq=False)
class Looked:
    """A picture as skin is looked for in it, once for its colour and for where it is.

    rgb: (h, w, 3) at the working size, scale: of that. face: in its px. lab: L*a*b*. rough: (h, w) fine contrast.
    """

    rgb: F32
    face: Face
    scale: float
    lab: F32
    rough: F32

    @staticmethod
    def at(rgb: F32, face: Face, work_scale: float = WORK_SCALE) -> Looked:
        """Of a picture (h, w, 3) float32 and a face in its px. work_scale: px per mm to work at, at most."""
        small, own, scale = _working(rgb, face, work_scale)
        return Looked(small, own, scale, _lab(small, own.px_per_mm), _roughness(small, own.px_per_mm))


def prepare() -> None:
    """Have OpenCV work out its tables for L*a*b*, which takes longer than all that a picture then needs of them."""
    cv2.cvtColor(np.zeros((1, 1, 3), np.float32), cv2.COLOR_RGB2LAB)


def filled(shape: tuple[int, int], points: F32) -> F32:
    """(h, w) float32 cover of the polygon through `points` (n, 2) px, antialiased."""
    out = np.zeros(shape, np.uint8)
    cv2.fillPoly(out, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return out.astype(np.float32) / np.float32(255)


def skin_colour(rgb: F32, face: Face, *, work_scale: float = WORK_SCALE) -> SkinColour | None:
    """The colour of this face's skin in a picture (h, w, 3) float32; None where too little of it is seen.

    work_scale: px per mm to work at, as it will be for `skin_matte`.
    """
    return colour_in(Looked.at(rgb, face, work_scale))


def colour_in(looked: Looked) -> SkinColour | None:
    """`skin_colour` of a picture that is looked at.

    Nose and cheeks are sampled, and as much of the forehead as agrees with them; outliers (glasses, hair,
    shine) are dropped. What lies around the head and below it says how hair, wall and cloth look.
    """
    lab, rough, face = looked.lab, looked.rough, looked.face
    shape = rough.shape
    points = face.points[:, :2]
    sure = filled(shape, points[list(NOSE)])
    for cheek in CHEEKS:
        sure = np.maximum(sure, filled(shape, cv2.convexHull(points[list(cheek)]).reshape(-1, 2)))
    open_skin = (sure > 0.9) & (_featureless(shape, face) > 0.5)
    if open_skin.sum() < 24:
        return None
    usual = float(np.median(rough[open_skin]))
    open_skin &= rough < max(2.5 * usual, _LEAST_ROUGH)
    fitted = _fit(lab[open_skin])
    if fitted is None:
        return None
    forehead = filled(shape, cv2.convexHull(points[list(FOREHEAD)]).reshape(-1, 2)) > 0.9
    forehead &= rough < max(2.0 * usual, _LEAST_ROUGH)
    forehead[forehead] = _distance(lab[forehead], *fitted) < 7.0
    samples = lab[open_skin | forehead]
    fitted = _fit(samples) or fitted
    level, slope, spread = fitted

    tones = np.arange(_CELLS[0], dtype=np.float32) * _CELL[0] + _FIRST[0] + _CELL[0] / 2
    dark, dim, bright = np.percentile(samples[:, 0], [1, 10, 99])
    line = np.clip(tones, dim, bright + 12)[:, None] * slope + level
    # Darker than was sampled is the same skin in shade: chroma falls with lightness, and is less certain.
    line *= np.minimum(1, (tones + 16) / (dim + 16))[:, None]
    widened = 1 + np.maximum(0, dim - tones) / 12
    a, b = (np.arange(_CELLS[i], dtype=np.float32) * _CELL[i] + _FIRST[i] + _CELL[i] / 2 for i in (1, 2))
    away = np.empty((*_CELLS, 2), np.float32)
    away[..., 0] = a[None, :, None] - line[:, 0, None, None]
    away[..., 1] = b[None, None, :] - line[:, 1, None, None]
    square = np.einsum("labi,ij,labj->lab", away, np.linalg.inv(spread), away) / widened[:, None, None]
    lit = np.clip((tones - max(4.0, dark - 22)) / 6, 0, 1)[:, None, None]
    like = np.exp(-0.5 * np.maximum(0, square - 4) / 4) * lit
    roughly = np.exp(-0.5 * np.maximum(0, square - 9) / 9) * lit

    count, _ = np.histogram(samples[:, 0], _CELLS[0], (0, _CELLS[0] * _CELL[0]))
    tone = cv2.GaussianBlur(count.astype(np.float32)[:, None], (1, 0), 0, sigmaY=4).ravel()
    tone = (1 - _ANY_TONE) * tone / tone.sum() + _ANY_TONE / _CELLS[0]
    density = np.exp(-0.5 * square) * tone[:, None, None]
    density *= _CELL[1] * _CELL[2] / (2 * np.pi * np.sqrt(np.linalg.det(spread)) * widened[:, None, None])
    around, below = _elsewhere(shape, face)
    hair, cloth = _density(lab[around]), _density(lab[below])
    other = np.maximum(hair, cloth)
    ours, owned, kept = (
        _smoothstep(density / (density + share * rival + 1e-12), 0.12, 0.42)
        for share, rival in ((_INSIDE, other), (_NEAR, other), (_FALLING, hair))
    )
    return SkinColour(
        _table(roughly * ours), _table(like * owned), _table(like * owned * kept),
        _table(_smoothstep(like * owned, 0.45, 0.95)),
        float(np.median(rough[open_skin])), float(np.median(samples[:, 0])),
        line.astype(np.float32),
    )  # fmt: skip


def skin_matte(
    rgb: F32, face: Face, colour: SkinColour, person: F32 | None = None, *, work_scale: float = WORK_SCALE
) -> F32:
    """(h, w) float32 0..1: how much each px is this face's skin (its neck, ears, shoulders and hands with it).

    rgb: (h, w, 3) float32 display-encoded picture or part of one, in whose px `face` is.
    person: (h, w) 0..1 matte of people, which keeps walls and wood out; None where there is none.
    work_scale: px per mm to work at; half the default is a third of the cost and does for video.
    """
    return matte_in(rgb, Looked.at(rgb, face, work_scale), colour, person)


def matte_in(rgb: F32, looked: Looked, colour: SkinColour, person: F32 | None) -> F32:
    """`skin_matte` of a picture that is looked at."""
    if person is not None and looked.scale != 1:
        person = cv2.resize(person, looked.rough.shape[::-1], interpolation=cv2.INTER_AREA)
    return matte_over(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), looked, colour, person)


def matte_over(guide: F32, looked: Looked, colour: SkinColour, person: F32 | None) -> F32:
    """`skin_matte` of a picture of which a reduced copy is looked at.

    guide: (h, w) luma 0..1 of the picture, whose edges the matte follows.
    person: matte of people at the size that is looked at, or None.
    """
    return along_edges(guide, looked.face, likely_skin(looked, colour, person))


def likely_skin(looked: Looked, colour: SkinColour, person: F32 | None) -> F32:
    """(h, w) float32 0..1: what may be skin by its colour and place, features and edges aside.

    looked: at about 1 px per mm. person: matte of people of its size, or None.
    """
    lab, own = looked.lab, looked.face
    mm, shape = own.px_per_mm, looked.rough.shape
    cell = ((lab - _FIRST) * (1 / _CELL)).astype(np.int32)
    np.clip(cell, 0, np.array(_CELLS) - 1, out=cell)
    index = (cell[..., 0] * _CELLS[1] + cell[..., 1]) * _CELLS[2] + cell[..., 2]
    tables = (colour.inside, colour.near, colour.edge, colour.far)
    inside, near, edge, far = (_blur(np.take(t, index).astype(np.float32) / np.float32(255), 0.5 * mm) for t in tables)

    head, body = _places(shape, own)
    core = filled(shape, own.hull())
    inner, above = _zones(shape, own)
    near = np.maximum(near + (edge - near) * above, inside * inner)
    # Shine is skin too: what is enclosed by the face's skin, and brighter, belongs to it.
    closed = cv2.morphologyEx(near, cv2.MORPH_CLOSE, _disk(4 * mm)) * cv2.erode(core, _disk(3 * mm))
    shine = _smoothstep(lab[..., 0], colour.tone, colour.tone + 8)
    near = np.maximum(near, closed * shine)

    rough = looked.rough * np.float32(1 / max(colour.roughness, _LEAST_ROUGH / 2.5))
    near *= head * np.clip(2 - rough / (_HAIR - (_HAIR - _FRINGE) * above), 0, 1)
    # Between strands of a fringe there is more hair than skin.
    near = near + above * (cv2.morphologyEx(near, cv2.MORPH_OPEN, _disk(3 * mm)) - near)
    _without_beard(near, own, rough, lab, colour)
    far *= body * np.clip(2 - rough / _CLOTH, 0, 1)
    matte = np.maximum(near, _patches(far, near, mm))
    if person is not None:
        matte *= np.clip((person - 0.25) / 0.4, 0, 1)
    return np.asarray(matte, np.float32)


def along_edges(guide: F32, own: Face, likely: F32) -> F32:
    """(h, w) matte out of `likely_skin`, the size of its picture reduced: features taken out, along the guide's edges.

    guide: (h, w) luma 0..1 of the picture. own: the face in px of `likely`.
    """
    mm, shape = own.px_per_mm, (likely.shape[0], likely.shape[1])
    bare = _featureless(shape, own)
    matte = cv2.erode(likely * bare, _disk(0.5 * mm))
    small = guide if guide.shape == shape else cv2.resize(guide, shape[::-1], interpolation=cv2.INTER_AREA)
    gain, offset = _guided(np.asarray(small, np.float32), np.asarray(matte, np.float32), 2.0 * mm)
    limit = _blur(bare, 0.4 * mm) * (cv2.dilate(matte, _disk(2.5 * mm)) > 0.05)
    if guide.shape != shape:
        gain, offset, limit = (
            cv2.resize(p, guide.shape[::-1], interpolation=cv2.INTER_LINEAR) for p in (gain, offset, limit)
        )
    out = np.empty(guide.shape, np.float32)
    _soft(gain, offset, limit, guide, out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _soft(gain: F32, offset: F32, limit: F32, guide: F32, out: F32) -> None:
    low, per = np.float32(0.2), np.float32(1 / 0.6)
    zero, one = np.float32(0.0), np.float32(1.0)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            t = min(max((gain[y, x] * guide[y, x] + offset[y, x] - low) * per, zero), one)
            out[y, x] = t * t * (np.float32(3.0) - np.float32(2.0) * t) * limit[y, x]


def _without_beard(near: F32, face: Face, rough: F32, lab: F32, colour: SkinColour) -> None:
    """Take beard out of `near`: the lower face where it is rougher, darker and greyer than shade makes skin."""
    mm = face.px_per_mm
    outline = cv2.convexHull(face.points[list(BEARD), :2]).reshape(-1, 2)
    place = _around(near.shape, outline, 6 * mm)
    if place is None:
        return
    zone = _blur(filled(near.shape[:2], outline)[place], 2 * mm)
    lab, rough = _blur(lab[place], 2 * mm), _blur(rough[place], 2 * mm)
    usual = colour.line[np.clip(lab[..., 0] / _CELL[0], 0, _CELLS[0] - 1).astype(np.int32)]
    greyer = 1 - (lab[..., 1:] * usual).sum(-1) / np.maximum((usual * usual).sum(-1), 1)
    darker = 1 - lab[..., 0] / max(colour.tone, 1)
    signs = np.clip((rough - 1) / 1.5, -0.5, 1.5)
    signs += np.clip((darker - 0.15) / 0.3, -0.5, 1.5) + np.clip(greyer / 0.2, 0, 1.5)
    # Stubble still shows skin: half of it stays, so that no seam is seen beside it.
    near[place] *= 1 - zone * (0.5 * _smoothstep(signs, 1.9, 2.7) + 0.5 * _smoothstep(signs, 2.7, 3.6))


def _around(shape: tuple[int, ...], points: F32, margin: float) -> tuple[slice, slice] | None:
    """Rows and columns of a picture that hold these points (n, 2) with a margin; None where they are outside it."""
    low = np.maximum(np.floor(points.min(0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(points.max(0) + margin) + 1, [shape[1], shape[0]]).astype(int)
    return None if (high - low).min() < 2 else (slice(low[1], high[1]), slice(low[0], high[0]))


def excluded(shape: tuple[int, int], face: Face) -> F32:
    """(h, w) 0..1 cover of eyes, brows, lips (and what is between them) and nostrils, with a margin."""
    mm = face.px_per_mm
    out = np.zeros(shape, np.float32)
    place = _around(shape, face.points[:, :2], 8 * mm)
    if place is None:
        return out
    rows, columns = place
    points = face.points[:, :2] - np.array([columns.start, rows.start], np.float32)
    part = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)
    for group, margin in ((EYES[0], 2.2), (EYES[1], 2.2), (BROWS[0], 1.5), (BROWS[1], 1.5), (LIPS, 1.8)):
        cover = filled(part.shape, points[list(group)])
        part = np.maximum(part, cv2.dilate(cover, _disk(margin * mm)) if margin * mm >= 0.5 else cover)
    for i in NOSTRILS:
        x, y = (round(float(v)) for v in points[i])
        cv2.circle(part, (x, y), max(1, round(3 * mm)), 1.0, -1, cv2.LINE_AA)
    out[place] = np.clip(_blur(part, max(0.7, mm)) * 1.15, 0, 1)
    return out


def _featureless(shape: tuple[int, int], face: Face) -> F32:
    return np.asarray(1 - excluded(shape, face), np.float32)


def _working(rgb: F32, face: Face, work_scale: float) -> tuple[F32, Face, float]:
    """Picture and face at the size that the matte is worked out at, and that size's scale."""
    if face.px_per_mm <= work_scale * 1.2:
        return rgb, face, 1.0
    scale = work_scale / face.px_per_mm
    height, width = rgb.shape[:2]
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.float32)
    return small, face.scaled(scale), scale


def _blur(plane: F32, sigma: float) -> F32:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), max(sigma, 0.3)), np.float32)


def _disk(radius: float) -> npt.NDArray[np.uint8]:
    r = max(1, round(radius))
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * r + 1, 2 * r + 1)), np.uint8)


def _smoothstep(x: npt.NDArray[np.floating], low: float, high: float) -> F32:
    t = np.clip((x - low) * (1 / (high - low)), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _lab(rgb: F32, mm: float) -> F32:
    return np.asarray(cv2.cvtColor(_blur(rgb, 0.7 * mm), cv2.COLOR_RGB2LAB), np.float32)


def _roughness(rgb: F32, mm: float) -> F32:
    """Fine contrast relative to brightness: hair, beard and cloth have much more of it than skin."""
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    fine = np.abs(luma - _blur(luma, max(0.8, 0.9 * mm))) / (_blur(luma, 2.5 * mm) + np.float32(0.03))
    return _blur(fine, max(1.0, 1.5 * mm))


def _fit(lab: F32) -> tuple[F32, F32, npt.NDArray[np.float64]] | None:
    """(level, slope, spread): mean (a*, b*) = level + slope L*, and the covariance about it; None for too few px."""
    kept = np.ones(len(lab), bool)
    for _ in range(4):
        if kept.sum() < 24:
            return None
        x = np.column_stack([np.ones(kept.sum()), lab[kept, 0]])
        # A face lit evenly says nothing of how colour runs with tone: held to the usual slope of zero.
        hold = np.diag([0.0, 0.02 * kept.sum()])
        line = np.linalg.solve(x.T @ x + hold, x.T @ lab[kept, 1:])
        rest = lab[:, 1:] - np.column_stack([np.ones(len(lab)), lab[:, 0]]) @ line
        spread = np.cov(rest[kept].T) + np.diag([4.0, 6.0])
        kept = np.einsum("ni,ij,nj->n", rest, np.linalg.inv(spread), rest) < 7.0
    return line[0].astype(np.float32), line[1].astype(np.float32), spread


def _distance(lab: F32, level: F32, slope: F32, spread: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    away = lab[:, 1:] - (level + lab[:, :1] * slope)
    return np.asarray(np.einsum("ni,ij,nj->n", away, np.linalg.inv(spread), away))


def _density(lab: F32) -> npt.NDArray[np.float64]:
    """Share of the samples (n, 3) in each cell, smoothed."""
    if len(lab) < 24:
        return np.zeros(_CELLS)
    cell = np.clip(((lab - _FIRST) / _CELL).astype(np.int64), 0, np.array(_CELLS) - 1)
    index = (cell[:, 0] * _CELLS[1] + cell[:, 1]) * _CELLS[2] + cell[:, 2]
    out = np.bincount(index, minlength=int(np.prod(_CELLS))).astype(np.float32)
    out = cv2.GaussianBlur(out.reshape(_CELLS[0], -1), (1, 0), 0, sigmaY=_SPREAD).reshape(_CELLS)
    out = np.stack([cv2.GaussianBlur(layer, (0, 0), _SPREAD) for layer in out])
    return np.asarray(out / len(lab), np.float64)


def _table(share: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.rint(np.clip(share, 0, 1) * 255), np.uint8).ravel()


def _frame_of(face: Face) -> tuple[F32, F32]:
    """Unit directions in the picture: up along the face, and to its right-hand side as seen."""
    points = face.points[:, :2]
    up = points[OVAL[0]] - points[CHIN]
    up = up / np.float32(max(float(np.linalg.norm(up)), 1e-6))
    right = np.array([-up[1], up[0]], np.float32)
    return up, right if float(right @ (points[454] - points[234])) >= 0 else -right


def _elsewhere(shape: tuple[int, int], face: Face) -> tuple[Mask, Mask]:
    """Where there is no skin for sure, but for a bald head and bare shoulders: around the head; below the neck."""
    mm = face.px_per_mm
    up, right = _frame_of(face)
    x, y = np.meshgrid(np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32))
    chin = face.points[CHIN, :2]
    height = (x - chin[0]) * up[0] + (y - chin[1]) * up[1]
    aside = np.abs((x - face.center[0]) * right[0] + (y - face.center[1]) * right[1])
    head = filled(shape, face.hull())
    far = cv2.distanceTransform((head < 0.5).astype(np.uint8), cv2.DIST_L2, 3) if head.any() else np.full(shape, 1e6)
    top = height > 140 * mm
    around = ((far > np.where(top, 22, 34) * mm) & (far < 80 * mm) & (height > 50 * mm)).astype(bool)
    below = (height < -95 * mm) & (height > -260 * mm) & (aside < 110 * mm)
    return around, below


def _zones(shape: tuple[int, int], face: Face) -> tuple[F32, F32]:
    """(the face from the brows down, without its edge; what lies above the eyes or beside them, where hair falls)."""
    points, mm = face.points[:, :2], face.px_per_mm
    inner = filled(shape, cv2.convexHull(points[[*BROWS[0], *BROWS[1], *OVAL[7:30]]]).reshape(-1, 2))
    inner = _blur(cv2.erode(inner, _disk(4 * mm)), 3 * mm)
    up, right = _frame_of(face)
    left_eye, right_eye = points[EYE_CORNERS[0]], points[EYE_CORNERS[1]]
    reach = 160 * mm
    above = [
        left_eye - right * reach - up * 25 * mm, left_eye - up * 25 * mm, right_eye - up * 25 * mm,
        right_eye + right * reach - up * 25 * mm, right_eye + (right + up) * reach, left_eye + (up - right) * reach,
    ]  # fmt: skip
    return inner, _blur(filled(shape, np.array(above, np.float32)), 5 * mm) * (1 - inner)


def _places(shape: tuple[int, int], face: Face) -> tuple[F32, F32]:
    """Where skin may be: (face, forehead above it, ears and neck; shoulders, arms and hands)."""
    points, mm = face.points[:, :2], face.px_per_mm
    up, right = _frame_of(face)
    head = np.maximum(filled(shape, points[list(OVAL)]), filled(shape, face.hull()))
    # Widened by what hangs over the edge of the mesh: it ends a little inside the outline of a turned head.
    head = cv2.dilate(head, _disk(2.5 * mm))
    forehead = [points[i] + up * 16 * mm for i in (54, 103, 67, 109, 10, 338, 297, 332, 284)]
    head = np.maximum(head, 0.9 * filled(shape, np.array([*forehead, points[284], points[54]], np.float32)))
    for near, side in (((127, 234, 93), -right), ((356, 454, 323), right)):
        ear = [*(points[i] for i in near), points[near[2]] + side * 22 * mm, points[near[0]] + side * 25 * mm]
        head = np.maximum(head, 0.9 * filled(shape, np.array(ear, np.float32)))
    jaw = (points[172], points[397])
    neck = [
        points[132], points[361], jaw[1] + (right * 14 - up * 60) * mm, jaw[1] + (right * 20 - up * 90) * mm,
        jaw[0] + (-right * 20 - up * 90) * mm, jaw[0] + (-right * 14 - up * 60) * mm,
    ]  # fmt: skip
    head = np.maximum(head, 0.95 * filled(shape, np.array(neck, np.float32)))
    spread = [
        jaw[0] - up * 45 * mm, jaw[1] - up * 45 * mm, jaw[1] + (right * 300 - up * 420) * mm,
        jaw[1] + (right * 300 - up * 900) * mm, jaw[0] + (-right * 300 - up * 900) * mm,
        jaw[0] + (-right * 300 - up * 420) * mm,
    ]  # fmt: skip
    body = 0.9 * filled(shape, np.array(spread, np.float32))
    return _blur(np.asarray(head, np.float32), 1.5 * mm), _blur(body.astype(np.float32), 1.5 * mm)


def _patches(far: F32, near: F32, mm: float) -> F32:
    """Skin away from the face without its specks: what is left is large, or hangs together with the neck."""
    whole = cv2.morphologyEx(far, cv2.MORPH_OPEN, _disk(2 * mm))
    count, label, stats, _ = cv2.connectedComponentsWithStats((np.maximum(whole, near) > 0.3).astype(np.uint8))
    area = stats[:count, cv2.CC_STAT_AREA] / max(mm, 1e-3) ** 2
    weight = _smoothstep(area, _SPECK, _PATCH)
    weight[0] = 0
    return np.asarray(far * _blur(np.maximum(weight[label], 0), mm), np.float32)


def _guided(guide: F32, plane: F32, radius: float) -> tuple[F32, F32]:
    """(gain, offset) with which gain * guide + offset follows `plane` along the guide's edges (He et al. 2010)."""
    size = (2 * max(1, round(radius)) + 1,) * 2
    mean, target = cv2.blur(guide, size), cv2.blur(plane, size)
    gain = (cv2.blur(guide * plane, size) - mean * target) / (cv2.blur(guide * guide, size) - mean * mean + 2e-3)
    offset = target - gain * mean
    return np.asarray(cv2.blur(gain, size), np.float32), np.asarray(cv2.blur(offset, size), np.float32)
