"""The map of the flattened face: what kind of skin lies where, the same for every seed.

Axes: x to the right of the face, y down, both in mm; the origin is the middle of the flattened mean
face (grainkit/data/face_uv.npz), the neck lies below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

#: (left, top, right, bottom) of the atlas in mm: face, neck, and below it a hand of plain skin.
EXTENT = (-128.0, -112.0, 128.0, 210.0)
#: Width and height of that, mm.
ACROSS, DOWN = EXTENT[2] - EXTENT[0], EXTENT[3] - EXTENT[1]
#: From here down, in mm, the atlas holds plain skin: what shoulders, arms and hands are made of.
PLAIN_FROM = 118.0


@dataclass(frozen=True, eq=False)
class FaceMap:
    """Maps of the extent with a sample per mm.

    zones: (h, w, 6), weights of forehead, nose, cheek, under-eye, chin and neck, in this order; they add up to 1.
    angle: (h, w), direction of the lines of least tension, radians.
    denser: (h, w), how much denser pores are near the wings of the nose.
    corners: (h, w), how much a place is at the outer corner of an eye, where lines fan out sideways.
    """

    zones: F32
    angle: F32
    denser: F32
    corners: F64

    def by_zone(self, *values: float) -> F32:
        """Map (h, w) of a quantity that has one value per zone, in the order of `zones`."""
        return np.asarray(self.zones @ np.array(values, np.float32), np.float32)


def face_map() -> FaceMap:
    """Draw the map."""
    left, top, right, bottom = EXTENT
    x, y = np.meshgrid(np.arange(left, right + 1), np.arange(top, bottom + 1))
    ax = np.abs(x)
    corners: F64 = np.exp(-(((ax - 68) / 10) ** 2) - ((y + 31) / 13) ** 2)
    forehead, neck = _step(-(y + 52) / 5), _step((y - 102) / 5)
    nose = np.exp(-((ax / 17) ** 4)) * np.exp(-(((y + 16) / 30) ** 4))
    under_eye = np.exp(-((((ax - 40) / 24) ** 2 + ((y + 17) / 9) ** 2) ** 1.5))
    chin = np.exp(-((ax / 30) ** 4)) * _step((y - 58) / 5) * (1 - neck)
    cheek = np.maximum(0.0, 1 - forehead - nose - under_eye - chin - neck)
    zones = np.stack([forehead, nose, cheek, under_eye, chin, neck], -1)
    zones /= zones.sum(-1, keepdims=True) + 1e-6

    # Lines of least tension, as doubled angles so that opposite directions are one: across the forehead
    # and neck, round the orbits, oblique over the cheeks, down the nose.
    c, s = forehead.copy(), np.zeros_like(forehead)
    dx, dy = ax - 40, y + 33
    ring = np.exp(-(((np.hypot(dx, dy) - 24) / 16) ** 2)) * (1 - 0.8 * forehead)
    around = np.arctan2(dy, dx) + np.pi / 2
    c, s = c + 1.4 * ring * np.cos(2 * around), s + 1.4 * ring * np.sin(2 * around)
    c -= 0.9 * np.exp(-((ax / 12) ** 2)) * np.exp(-(((y + 16) / 26) ** 2))
    side = (1 - forehead) * (1 - np.exp(-((ax / 18) ** 2)))
    oblique = np.radians(58)
    c, s = c + side * np.cos(2 * oblique), s + side * np.sin(2 * oblique)
    c += 1.2 * (1 - forehead) * np.exp(-((ax / 25) ** 2)) * _step((y - 52) / 6) + 3 * neck
    c += 3 * corners
    angle = 0.5 * np.arctan2(s, c) * np.where(x >= 0, 1, -1)
    denser = 1 + 0.8 * np.exp(-(((ax - 26) ** 2 + (y - 4) ** 2) / 400)) * zones[..., 2]
    return FaceMap(zones.astype(np.float32), angle.astype(np.float32), denser.astype(np.float32), corners)


def _step(t: F64) -> F64:
    """From 0 to 1 about t = 0."""
    return 1.0 / (1.0 + np.exp(-t))
