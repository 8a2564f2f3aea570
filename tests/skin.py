"""A waxy face to try analysis and texture on: the drawn portrait, small, and what is found in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from grainkit.analysis.face import EYES, LIPS, Face
from grainkit.analysis.faces import find_faces
from grainkit.analysis.lattice import Lattice
from grainkit.analysis.light import Light, estimate_light
from grainkit.analysis.matte import SkinColour, filled, skin_colour, skin_matte
from grainkit.analysis.networks import FaceNetworks
from grainkit.analysis.uv import uv_and_normals
from grainkit.effects.skin_texture.atlas import Atlas, load_atlas
from grainkit.effects.skin_texture.blocks import BLOCK, masked_blur, means
from grainkit.effects.skin_texture.energy import energy_of, linear, local_energy, luminance
from grainkit.effects.skin_texture.layer import KEEP_MM, Layer, Skin, SkinStatistics, skin_layer
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.effects.skin_texture.sample import Material, sample
from samples.draw import portrait

WIDTH, HEIGHT = 452, 600
PLAIN = SkinTexture(strength=1.0)


@cache
def atlas() -> Atlas:
    """The skin of seed 1, baked once a run of the tests (tests/conftest.py)."""
    return load_atlas(1, "adult", 0.24)


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
    material: Material
    light: Light

    def layer(self, statistics: SkinStatistics, parameters: SkinTexture, skin: Skin | None = None) -> Layer:
        """The layer of this picture, or of another of the same face."""
        skin = skin or self.skin
        energy = local_energy(energy_of(skin.luma, skin.matte), statistics.px_per_mm)
        return skin_layer(skin, self.material, energy, statistics, parameters)

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
    uv, normals = uv_and_normals(face, HEIGHT, WIDTH)
    skin = skin_of(rgb, matte, uv, normals)
    material = sample(atlas(), uv, matte > 0, -0.5)
    low = masked_blur(luminance(linear(rgb)), (matte > 0.5).astype(np.float32), KEEP_MM * face.px_per_mm)
    fine = normals.on(HEIGHT, WIDTH)
    light = estimate_light(low, fine, matte)
    return Found(rgb, face, person, colour, matte, uv.on(HEIGHT, WIDTH), fine, skin, material, light)


def skin_of(rgb: np.ndarray, matte: np.ndarray, uv: Lattice, normals: Lattice) -> Skin:
    """A picture (h, w, 3) whose sides are whole multiples of BLOCK, ready to be textured."""
    height, width = matte.shape
    return Skin(luminance(rgb), means(rgb), matte, normals.on(height // BLOCK, width // BLOCK, BLOCK), uv)


FEATURES = (*EYES, LIPS)
