"""The analysis stage for skin texture: frames in, what the pass is to add to each out."""

from __future__ import annotations

from grainkit.analysis.faces import StillFaces
from grainkit.effects.base import Stage
from grainkit.effects.skin_texture.clip_skin import ClipSkin
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.effects.skin_texture.still_skin import StillSkin


def skin_stage(parameters: SkinTexture, seed: int, *, moves: bool, faces: StillFaces | None = None) -> Stage:
    """The stage for stills, or for frames that follow each other.

    seed: of the recipe. faces: those of the one still, where others ask for them too.
    """
    return ClipSkin(parameters, seed) if moves else StillSkin(parameters, seed, faces)
