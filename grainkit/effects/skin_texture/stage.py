"""The analysis stage for skin texture: frames in, what the pass is to add to each out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from grainkit.analysis.faces import StillFaces
from grainkit.effects.skin_texture.analysed import Analysed
from grainkit.effects.skin_texture.clip_skin import ClipSkin
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.effects.skin_texture.still_skin import StillSkin
from grainkit.picture.frame import Frame


class SkinStage(Protocol):
    """Turns frames into terms for the pass."""

    def stream(self, frames: Iterable[Frame]) -> Iterator[Analysed]:
        """Each frame with its term, None where there is no skin to texture."""


def skin_stage(parameters: SkinTexture, seed: int, kind: str, faces: StillFaces | None = None) -> SkinStage:
    """The stage for a plan of this kind.

    seed: of the recipe. faces: those of the plan's one still, where others ask for them too.
    """
    return StillSkin(parameters, seed, faces) if kind == "still" else ClipSkin(parameters, seed)
