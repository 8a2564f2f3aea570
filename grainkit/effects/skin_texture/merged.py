"""The layers of all faces of a frame as the one term that the pass takes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.backends.pass_term import CHROMA_ONE, LUMA_ONE, PassTerm
from grainkit.effects.skin_texture.layer import Layer
from grainkit.effects.skin_texture.skin_view import Region
from grainkit.machine.jit import njit
from grainkit.picture.frame import Frame

F32 = npt.NDArray[np.float32]
I16 = npt.NDArray[np.int16]


def merged(layers: Sequence[tuple[Region, Layer]], frame: Frame) -> PassTerm:
    """The layers of all faces over one rectangle; where two overlap, the stronger stands."""
    top, left = min(r.top for r, _ in layers), min(r.left for r, _ in layers)
    bottom, right = max(r.top + r.height for r, _ in layers), max(r.left + r.width for r, _ in layers)
    across, down = frame.color.subsampling
    luma = np.zeros((bottom - top, right - left), np.int16)
    cb, cr = (np.zeros((-(-luma.shape[0] // down), -(-luma.shape[1] // across)), np.int16) for _ in range(2))
    for region, layer in layers:
        y, x = region.top - top, region.left - left
        _lay(layer.gain, np.float32(LUMA_ONE), luma[y:, x:])
        for plane, to in ((layer.cb, cb), (layer.cr, cr)):
            _lay(_halved(plane, across, down), np.float32(CHROMA_ONE), to[y // down :, x // across :])
    return PassTerm(top, left, luma, cb, cr)


def _halved(plane: F32, across: int, down: int) -> F32:
    if (across, down) == (1, 1):
        return plane
    size = (-(-plane.shape[1] // across), -(-plane.shape[0] // down))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


@njit(cache=True, nogil=True, error_model="numpy")
def _lay(plane: F32, one: np.float32, to: I16) -> None:
    """Writes a plane, in fixed point, where it is stronger than what is there."""
    most = np.float32(32000)
    for y in range(plane.shape[0]):
        for x in range(plane.shape[1]):
            value = np.int16(np.rint(min(max(plane[y, x] * one, -most), most)))
            if abs(value) > abs(to[y, x]):
                to[y, x] = value
