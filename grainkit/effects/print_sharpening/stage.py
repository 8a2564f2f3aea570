"""Sharpening for paper: luma, once, at the size it is printed, sized by the distance it is looked at from.

Skin is sharpened no further than to what a photograph of skin shows at that scale (the targets of skin texture): at
waxy skin a little, at photographed or textured skin not at all.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.face import Face
from grainkit.analysis.faces import FaceTracker
from grainkit.analysis.matte import Looked, colour_in, matte_over
from grainkit.analysis.networks import FaceNetworks
from grainkit.analysis.picture import luma_of, reduced_size, rgb_of
from grainkit.effects.print_sharpening.parameters import Sharpening
from grainkit.effects.skin_texture.blocks import padded
from grainkit.effects.skin_texture.energy import energy_of
from grainkit.effects.skin_texture.layer import target
from grainkit.picture.frame import Frame
from grainkit.picture.resample import alpha_top, normalised, seen_part

F32 = npt.NDArray[np.float32]

#: Long side of the picture that faces are looked for in, px, and px per mm that their skin is.
LOOK_SIZE, MATTE_SCALE = 1280, 2.2
#: px per mm below which a face is too small to tell its skin.
SMALLEST = 0.45
#: Bands that sharpening works on; the widest is shape.
BANDS = 3


def sharpened(frame: Frame, sharpening: Sharpening) -> Frame:
    """The frame (float planes) with its luma sharpened; nothing leaves the range that the luma had.

    frame.matte: where skin is, in place of what is found; nothing is added there.
    """
    luma, *chroma = (np.asarray(p, np.float32) for p in frame.planes)
    blurred = _blurred(luma, sharpening.radius, frame)
    detail = np.asarray((luma - blurred) * np.float32(sharpening.amount), np.float32)
    share = 1 - frame.matte if frame.matte is not None else _beside_skin(frame, luma, detail)
    done = np.clip(luma + detail * share, np.fmin.reduce(luma, axis=None), np.fmax.reduce(luma, axis=None))
    return frame.with_planes((np.asarray(done, np.float32), *chroma))


def _blurred(luma: F32, radius: float, frame: Frame) -> F32:
    """Gaussian of luma; beside what is transparent, of what can be seen alone."""

    def blur(plane: F32) -> F32:
        return np.asarray(cv2.GaussianBlur(plane, (0, 0), radius, borderType=cv2.BORDER_REFLECT_101), np.float32)

    if frame.alpha is None:
        return blur(luma)
    alpha = normalised(frame.alpha, 0.0, alpha_top(frame.alpha, frame.color))
    if (alpha == np.float32(1.0)).all():
        return blur(luma)
    return seen_part(luma.copy(), blur(luma * alpha), blur(alpha))


def _beside_skin(frame: Frame, luma: F32, detail: F32) -> F32:
    """(h, w) 0..1: how much of `detail` each px takes."""
    share = np.ones(luma.shape, np.float32)
    if min(luma.shape) < 32:
        return share
    small = rgb_of(frame, size=reduced_size(frame, LOOK_SIZE))
    for face in FaceTracker(FaceNetworks()).track(small, small.shape[1] / frame.width):
        matte = _skin(frame, face) if face.px_per_mm >= SMALLEST else None
        if matte is not None:
            share = np.minimum(share, 1 - matte * np.float32(1 - _headroom(luma, detail, matte, face)))
    return share


def _skin(frame: Frame, face: Face) -> F32 | None:
    """(h, w) 0..1: where this face's skin is; None where it cannot be told."""
    scale = min(1.0, MATTE_SCALE / face.px_per_mm)
    size = (max(8, round(frame.height * scale)), max(8, round(frame.width * scale)))
    own = face.scaled(size[1] / frame.width)
    looked = Looked.at(rgb_of(frame, size=size), own, own.px_per_mm)
    colour = colour_in(looked)
    if colour is None:
        return None
    matte = matte_over(np.clip(luma_of(frame, size=size), 0, 1), looked, colour, None)
    return np.asarray(cv2.resize(matte, (frame.width, frame.height), interpolation=cv2.INTER_LINEAR), np.float32)


def _headroom(luma: F32, detail: F32, matte: F32, face: Face) -> float:
    """0..1: how much of `detail` leaves the skin within what a photograph shows, in every band."""
    rows, columns = (np.flatnonzero((matte > 0.5).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return 0.0
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    skin, own, more = (padded(np.ascontiguousarray(plane[part])) for plane in (matte, luma, detail))
    allowed = target(face.px_per_mm)[:BANDS] ** 2
    none, half, whole = (_energy(own + np.float32(s) * more, skin) for s in (0.0, 0.5, 1.0))
    # A band's energy is a quadratic in the share that is added.
    bend = 2 * (whole + none - 2 * half)
    shares = np.linspace(0, 1, 101)[:, None]
    fits = (none + (whole - none - bend) * shares + bend * shares**2 <= allowed).all(axis=1)
    above = np.flatnonzero(~fits)
    return float(shares[-1, 0] if not above.size else shares[max(above[0] - 1, 0), 0] * (above[0] > 0))


def _energy(luma: F32, skin: F32) -> npt.NDArray[np.float64]:
    """Mean square of ln Y per band over skin."""
    found = energy_of(np.clip(luma, 0, 1), skin)
    total = found.squares.sum(axis=(0, 1), dtype=np.float64)[:BANDS]
    return np.asarray(total / max(float(found.count.sum()), 1.0))
