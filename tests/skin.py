"""A waxy face to try analysis and texture on: the drawn portrait, small, and what is found in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from grainkit.analysis.face import BROWS, EYES, LIPS, Face
from grainkit.analysis.faces import find_faces
from grainkit.analysis.light import Light, estimate_light
from grainkit.analysis.matte import SkinColour, filled, skin_colour, skin_matte
from grainkit.analysis.networks import FaceNetworks
from grainkit.analysis.uv import uv_fields
from grainkit.effects.skin_texture import SkinTexture
from grainkit.texture.atlas import Atlas, bake
from grainkit.texture.layer import KEEP_MM, Skin, linear, luminance, masked_blur
from grainkit.texture.sample import sample
from samples.draw import portrait

WIDTH, HEIGHT = 450, 600
PLAIN = SkinTexture(strength=1.0)


@cache
def atlas() -> Atlas:
    return bake(1, "adult", 0.24)


@dataclass(frozen=True, eq=False)
class Found:
    """The portrait and what analysis says of it. rgb: float32 0..1."""

    rgb: np.ndarray
    face: Face
    person: np.ndarray
    colour: SkinColour
    matte: np.ndarray
    uv: np.ndarray
    normals: np.ndarray
    skin: Skin
    light: Light

    def cover(self, *groups: tuple[int, ...]) -> np.ndarray:
        """True inside the polygons of these landmark groups."""
        out = np.zeros(self.matte.shape, np.float32)
        for group in groups:
            out = np.maximum(out, filled(self.matte.shape, self.face.points[list(group), :2]))
        return out > 0.5


@cache
def found() -> Found:
    rgb = np.ascontiguousarray(portrait(WIDTH, HEIGHT))
    networks = FaceNetworks()
    (face,) = find_faces(networks, rgb)
    person = cv2.resize(networks.person(rgb), (WIDTH, HEIGHT))
    colour = skin_colour(rgb, face)
    assert colour is not None
    matte = skin_matte(rgb, face, colour, person)
    uv, normals = uv_fields(face, HEIGHT, WIDTH)
    sharp = np.zeros(matte.shape, np.float32)
    for group in (*EYES, *BROWS):
        sharp = np.maximum(sharp, filled(matte.shape, face.points[list(group), :2]))
    planes = sample(atlas(), uv, matte > 0, -0.5)
    skin = Skin(rgb, matte, (sharp > 0.5).astype(np.float32), normals, planes, uv)
    low = masked_blur(luminance(linear(rgb)), (matte > 0.5).astype(np.float32), KEEP_MM * face.px_per_mm)
    light = estimate_light(low, normals, matte)
    return Found(rgb, face, person, colour, matte, uv, normals, skin, light)


FEATURES = (*EYES, LIPS)
