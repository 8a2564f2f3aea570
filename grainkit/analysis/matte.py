"""Where skin is: a soft matte grown from the face's own colour, kept off everything that is not skin."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.face import BROWS, CHEEKS, EYES, FOREHEAD, LIPS, NOSE, NOSTRILS, OVAL, Face

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SkinColour:
    """One face's skin: mean a*, b* along L* (Lab, D65), their spread, and how bright it gets.

    slope, level: (2,) each; mean (a*, b*) = level + slope L*. inverse: (2, 2) of the covariance.
    low, high: L* below which nothing is skin, and the range over which the line holds.
    roughness: median fine contrast of the sure skin, against which hair is told apart.
    """

    slope: F32
    level: F32
    inverse: F32
    low: float
    line: tuple[float, float]
    roughness: float


def filled(shape: tuple[int, int], points: F32) -> F32:
    """(h, w) float32 cover of the polygon through `points` (n, 2) px, antialiased."""
    out = np.zeros(shape, np.uint8)
    cv2.fillPoly(out, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return out.astype(np.float32) / np.float32(255)


def _blur(plane: F32, sigma: float) -> F32:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), max(sigma, 0.3)), np.float32)


def _disk(radius: float) -> npt.NDArray[np.uint8]:
    r = max(1, round(radius))
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * r + 1, 2 * r + 1)), np.uint8)


def _lab(rgb: F32, mm: float) -> F32:
    return _blur(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), max(1.0, 0.7 * mm))


def _roughness(rgb: F32, mm: float) -> F32:
    """Fine contrast relative to brightness: hair, beard and cloth have much more of it than skin."""
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    fine = np.abs(luma - _blur(luma, max(0.8, 0.9 * mm))) / (_blur(luma, 2.5 * mm) + np.float32(0.03))
    return _blur(fine, max(1.0, 1.5 * mm))


def _sure_skin(shape: tuple[int, int], face: Face) -> npt.NDArray[np.bool_]:
    """Cheeks, forehead and nose, as polygons of the mesh."""
    points = face.points[:, :2]
    sure = filled(shape, points[list(NOSE)])
    for zone in (*CHEEKS, FOREHEAD):
        sure = np.maximum(sure, filled(shape, cv2.convexHull(points[list(zone)]).reshape(-1, 2)))
    return sure > 0.9


def skin_colour(rgb: F32, face: Face) -> SkinColour | None:
    """The colour of this face's skin in a picture (h, w, 3) float32; None where too little of it is seen.

    Cheeks, forehead and nose are sampled, outliers (glasses, hair, shine) dropped twice.
    """
    mm = face.px_per_mm
    sure = _sure_skin(rgb.shape[:2], face)
    lab = _lab(rgb, mm)[sure]
    if len(lab) < 24:
        return None
    kept = np.ones(len(lab), bool)
    for _ in range(3):
        x = np.column_stack([np.ones(kept.sum()), lab[kept, 0]])
        line, *_ = np.linalg.lstsq(x, lab[kept, 1:], rcond=None)
        rest = lab[:, 1:] - np.column_stack([np.ones(len(lab)), lab[:, 0]]) @ line
        spread = np.cov(rest[kept].T) + np.diag([4.0, 6.0])
        inverse = np.linalg.inv(spread)
        kept = np.einsum("ni,ij,nj->n", rest, inverse, rest) < 7.0
        if kept.sum() < 24:
            return None
    dark, bright = np.percentile(lab[kept, 0], [1, 99])
    rough = float(np.median(_roughness(rgb, mm)[sure]))
    return SkinColour(
        line[1].astype(np.float32), line[0].astype(np.float32), inverse.astype(np.float32),
        float(max(4.0, dark - 22)), (float(max(5.0, dark - 25)), float(bright + 12)), rough,
    )  # fmt: skip


def skin_matte(rgb: F32, face: Face, colour: SkinColour, person: F32 | None = None) -> F32:
    """(h, w) float32 0..1: how much each px is this face's skin (its neck, ears and shoulders with it).

    rgb: (h, w, 3) float32 display-encoded picture or part of one, in whose px `face` is.
    person: (h, w) 0..1 matte of people, which keeps walls and wood out; None where there is none.
    """
    mm, shape = face.px_per_mm, rgb.shape[:2]
    lab = _lab(rgb, mm)
    lightness = np.clip(lab[..., 0], *colour.line)
    away = lab[..., 1:] - (colour.level + lightness[..., None] * colour.slope)
    distance = np.einsum("hwi,ij,hwj->hw", away, colour.inverse, away)
    like = np.exp(-0.5 * np.maximum(0, distance - 4) / 4) * np.clip((lab[..., 0] - colour.low) / 6, 0, 1)
    like = like.astype(np.float32)
    # Shine is skin too: holes in the likelihood inside the face are closed.
    core = filled(shape, face.hull())
    like = np.maximum(like, cv2.morphologyEx(like, cv2.MORPH_CLOSE, _disk(4 * mm)) * cv2.erode(core, _disk(3 * mm)))

    # Away from the face cloth and walls may come near its colour: only a close match is skin there.
    near = cv2.dilate(core, _disk(10 * mm))
    like *= np.maximum(near, _smoothstep(like, 0.45, 0.95))

    prior = _prior(shape, face)
    if person is not None:
        prior *= np.clip((person - 0.25) / 0.4, 0, 1)
    threshold = max(2.5 * colour.roughness, 0.035)
    smooth = np.clip(2 - _roughness(rgb, mm) / threshold, 0, 1)
    matte = (prior * like * smooth * (1 - excluded(shape, face))).astype(np.float32)
    matte = cv2.erode(matte, _disk(0.6 * mm))
    return _blur(_smoothstep(matte, 0.15, 0.75), max(0.7, mm))


def _smoothstep(x: F32, low: float, high: float) -> F32:
    t = np.clip((x - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _prior(shape: tuple[int, int], face: Face) -> F32:
    """Where skin may be: the face, a strip of forehead above it, ears, neck and the shoulders below."""
    points, mm = face.points[:, :2], face.px_per_mm
    up = points[10] - points[152]
    up = up / max(float(np.linalg.norm(up)), 1e-6)
    right = np.array([-up[1], up[0]], np.float32)
    if float(right @ (points[454] - points[234])) < 0:
        right = -right
    prior = np.maximum(filled(shape, points[list(OVAL)]), filled(shape, face.hull()))
    forehead = [points[i] + up * 16 * mm for i in (54, 103, 67, 109, 10, 338, 297, 332, 284)]
    prior = np.maximum(prior, 0.85 * filled(shape, np.array([*forehead, points[284], points[54]], np.float32)))
    for near, side in (((127, 234, 93), -right), ((356, 454, 323), right)):
        ear = [*(points[i] for i in near), points[near[2]] + side * 22 * mm, points[near[0]] + side * 25 * mm]
        prior = np.maximum(prior, 0.85 * filled(shape, np.array(ear, np.float32)))
    jaw = (points[172], points[397])
    neck = [jaw[0], jaw[1], jaw[1] + (right * 14 - up * 75) * mm, jaw[0] + (-right * 14 - up * 75) * mm]
    prior = np.maximum(prior, 0.9 * filled(shape, np.array(neck, np.float32)))
    spread = [
        jaw[0] - up * 45 * mm, jaw[1] - up * 45 * mm, jaw[1] + (right * 300 - up * 420) * mm,
        jaw[1] + (right * 300 - up * 900) * mm, jaw[0] + (-right * 300 - up * 900) * mm,
        jaw[0] + (-right * 300 - up * 420) * mm,
    ]  # fmt: skip
    prior = np.maximum(prior, 0.8 * filled(shape, np.array(spread, np.float32)))
    return _blur(prior, 1.5 * mm)


def excluded(shape: tuple[int, int], face: Face) -> F32:
    """(h, w) 0..1 cover of eyes, brows, lips (and what is between them) and nostrils, with a margin."""
    points, mm = face.points[:, :2], face.px_per_mm
    out = np.zeros(shape, np.float32)
    for group, margin in ((EYES[0], 2.2), (EYES[1], 2.2), (BROWS[0], 1.5), (BROWS[1], 1.5), (LIPS, 1.8)):
        out = np.maximum(out, cv2.dilate(filled(shape, points[list(group)]), _disk(margin * mm)))
    for i in NOSTRILS:
        center = (round(float(points[i, 0])), round(float(points[i, 1])))
        cv2.circle(out, center, max(1, round(3 * mm)), 1.0, -1, cv2.LINE_AA)
    return np.asarray(np.clip(_blur(out, max(0.7, mm)) * 1.15, 0, 1), np.float32)
