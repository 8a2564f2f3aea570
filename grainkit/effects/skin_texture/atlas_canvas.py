"""What every layer of an atlas is drawn on: seed, age, texel size, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grainkit.effects.skin_texture.atlas_fields import field
from grainkit.effects.skin_texture.atlas_map import ACROSS, DOWN, FaceMap, face_map
from grainkit.effects.skin_texture.atlas_points import scattered

F32 = npt.NDArray[np.float32]

#: How far each age bracket is along the scale that drives elongation, line depth and spots.
AGES = {"child": 0.05, "young": 0.15, "adult": 0.35, "mature": 0.65, "senior": 0.9}
#: mm between samples of the pigments: they are read once per square of the picture, which is wider.
TINT_TEXEL = 0.32


@dataclass(frozen=True, eq=False)
class Canvas:
    """A skin that is being baked.

    old: 0..1, age. texel: mm between samples of the relief. shape, tinted: (h, w) of relief and pigments.
    patchy, patchy_pores: normal fields, a sample per mm, that cells and pores are unevenly strong by.
    """

    seed: int
    old: float
    texel: float
    shape: tuple[int, int]
    tinted: tuple[int, int]
    face: FaceMap
    patchy: F32
    patchy_pores: F32

    @staticmethod
    def of(seed: int, age: str, texel: float) -> Canvas:
        """The canvas of an age bracket."""
        face = face_map()
        patchy, patchy_pores = (field(face.angle.shape, period, 1.0, seed, n) for n, period in enumerate((9.0, 6.0)))
        return Canvas(seed, AGES[age], texel, _shape(texel), _shape(TINT_TEXEL), face, patchy, patchy_pores)

    def field(self, period: float, stream: int) -> F32:
        """A normal field over the relief, with periods around `period` mm."""
        return field(self.shape, period, self.texel, self.seed, stream)

    def scattered(self, least: npt.NDArray[np.floating], throws: float, stream: int) -> F32:
        """Poisson-disk points, (n, 2) in mm from the corner. least: 1 mm map of distances. throws: per mm²."""
        darts = int(ACROSS * DOWN * throws)
        return scattered(least.astype(np.float32), ACROSS, DOWN, darts, stream, self.seed)


def _shape(texel: float) -> tuple[int, int]:
    return int(DOWN / texel) + 1, int(ACROSS / texel) + 1
