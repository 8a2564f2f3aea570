"""The user's own matte over one face's region."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.face import Face
from grainkit.analysis.picture import Area

F32 = npt.NDArray[np.float32]


def given_matte(whole: F32, area: Area, size: tuple[int, int], face: Face, faces: Sequence[Face]) -> F32:
    """The part of a frame's matte that is one face's: float32 0..1 at `size` (height, width).

    whole: the matte of the frame. area: (top, left, height, width) of the region in its px.
    face, faces: whose region it is, and all that are textured, in px of the frame. A px belongs to the face that
    is nearest in widths of that face, so that regions which overlap do not lay two skins over one another.
    """
    top, left, height, width = area
    part = whole[top : top + height, left : left + width]
    shrinks = size[0] <= height and size[1] <= width
    out = cv2.resize(part, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    if len(faces) > 1:
        y = (np.arange(size[0], dtype=np.float32)[:, None] + 0.5) * (height / size[0]) + top
        x = (np.arange(size[1], dtype=np.float32)[None] + 0.5) * (width / size[1]) + left
        own = _distance(face, x, y)
        for other in faces:
            if other is not face:
                out = out * (own <= _distance(other, x, y))
    return np.asarray(out, np.float32)


def _distance(face: Face, x: F32, y: F32) -> F32:
    """Squared distance from a face's middle, in its widths."""
    middle = face.center
    return np.asarray(((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / np.float32(face.width**2), np.float32)
