"""How a face moves from one picture to the next: dense flow made robust on soft skin.

Skin has little to hold on to, so raw flow wobbles. DIS patches (mean-normalised, so that light may change)
on pre-blurred pictures give a first field; a robust affine motion plus a residual that is smoothed over
several widths in mm, each trusted only where there is texture enough, takes the error from .37 px to
about .1 (ALGORITHMS.md 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

#: Blur of the pictures before matching, px.
PRE_BLUR = 1.5
PATCH, STRIDE = 16, 5
ALPHA, ITERATIONS = 60.0, 10
#: Widths over which the residual is smoothed, mm, coarse to fine.
SMOOTH_MM = (12.0, 6.0, 3.0)
#: Confidence that a fine width must gather before it is trusted.
TRUST = 6.0
#: Structure (squared gradient) at which a place counts half.
STRUCTURE = 60.0
#: The field is kept at half the pictures' resolution.
FIELD = 2


@dataclass(frozen=True, eq=False)
class Motion:
    """Backward motion: what is at x now was at x + v(x) then.

    affine: (3, 2) float64; v = (1, x, y) @ affine in px, x and y px of the whole picture.
    residual: (h, w, 2) float32 px to add inside the crop, at 1 / FIELD of its resolution, 0 at its rim.
    wobble: weighted mean of what the affine motion leaves, px; large where the match failed.
    """

    affine: npt.NDArray[np.float64]
    residual: F32
    wobble: float


def matcher() -> Any:
    """OpenCV's DIS flow, set up for skin."""
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setPatchSize(PATCH)
    dis.setPatchStride(STRIDE)
    dis.setVariationalRefinementAlpha(ALPHA)
    dis.setVariationalRefinementIterations(ITERATIONS)
    dis.setUseMeanNormalization(True)
    return dis


def prepared(luma: F32) -> U8:
    """A picture to match: luma 0..1 as 8 bit, blurred."""
    codes = np.clip(luma * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(codes, (0, 0), PRE_BLUR), np.uint8)


def motion(dis: Any, then: U8, now: U8, corner: tuple[int, int], px_per_mm: float, weight: F32) -> Motion:
    """Motion of the crop `now` (h, w) against `then`, both at `corner` (top, left) of the picture.

    px_per_mm: of these pictures. weight: (h, w) 0..1, where the face is.
    """
    height, width = now.shape
    raw = dis.calc(np.ascontiguousarray(now), np.ascontiguousarray(then), None)
    size = (max(2, width // FIELD), max(2, height // FIELD))
    field = cv2.resize(raw, size, interpolation=cv2.INTER_AREA)
    trust = cv2.resize(_structure(now) * (0.02 + weight), size, interpolation=cv2.INTER_AREA)
    x = (np.arange(size[0]) + 0.5) * (width / size[0]) - 0.5 + corner[1]
    y = (np.arange(size[1]) + 0.5) * (height / size[1]) - 0.5 + corner[0]
    places = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    affine = _affine(places, field.reshape(-1, 2).astype(np.float64), trust.ravel().astype(np.float64))
    basis = np.column_stack([np.ones(len(places)), places])
    rest = field - (basis @ affine).reshape(field.shape).astype(np.float32)
    residual = _smoothed(rest, trust, px_per_mm / FIELD) * _rim(size)[..., None]
    wobble = float(np.average(np.abs(rest).sum(-1), weights=trust + 1e-9))
    return Motion(affine, residual.astype(np.float32), wobble)


def _structure(picture: U8) -> F32:
    """0..1: how much there is to match, from the smaller eigenvalue of the structure tensor."""
    gx, gy = cv2.Sobel(picture, cv2.CV_32F, 1, 0), cv2.Sobel(picture, cv2.CV_32F, 0, 1)
    xx, yy, xy = (cv2.GaussianBlur(p, (0, 0), 4.5) for p in (gx * gx, gy * gy, gx * gy))
    smaller = 0.5 * (xx + yy - np.sqrt((xx - yy) ** 2 + 4 * xy * xy))
    return np.asarray(smaller / (smaller + STRUCTURE) + 0.003, np.float32)


def _affine(
    places: npt.NDArray[np.float64], field: npt.NDArray[np.float64], trust: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Affine motion by iteratively reweighted least squares: what moves otherwise is left out."""
    middle, spread = places.mean(0), max(float(places.std()), 1e-6)
    basis = np.column_stack([np.ones(len(places)), (places - middle) / spread])
    weights = trust.copy()
    for _ in range(5):
        weighted = basis * weights[:, None]
        found = np.linalg.solve(weighted.T @ basis + 1e-6 * np.eye(3), weighted.T @ field)
        error = np.linalg.norm(field - basis @ found, axis=1)
        scale = 1.48 * float(np.median(error[trust > 0.05 * trust.max()])) + 0.05
        weights = trust / (1 + (error / (2 * scale)) ** 2)
    out = np.empty((3, 2))
    out[1:] = found[1:] / spread
    out[0] = found[0] - middle @ out[1:]
    return out


def _smoothed(rest: F32, trust: F32, px_per_mm: float) -> F32:
    """The residual smoothed coarse to fine, each finer width trusted where it has gathered confidence enough."""
    found: F32 | None = None
    for width in SMOOTH_MM:
        sigma = max(0.7, width * px_per_mm)
        mass = cv2.GaussianBlur(trust, (0, 0), sigma)[..., None]
        if found is None:
            found = cv2.GaussianBlur(rest * trust[..., None], (0, 0), sigma) / (mass + 1e-5)
            continue
        needed = TRUST / (2 * np.pi * sigma * sigma) * 4
        found = found + cv2.GaussianBlur((rest - found) * trust[..., None], (0, 0), sigma) / (mass + needed)
    return np.asarray(found, np.float32)


def _rim(size: tuple[int, int]) -> F32:
    """1 inside, falling to 0 over the outer eighth: beyond the crop the affine motion stands alone."""
    across, down = (np.minimum(np.arange(n) + 0.5, n - np.arange(n) - 0.5) / (n / 8) for n in size)
    fade = np.clip(np.minimum(across[None], down[:, None]), 0, 1)
    return np.asarray(fade * fade * (3 - 2 * fade), np.float32)
