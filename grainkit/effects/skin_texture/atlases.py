"""Atlases of the people in a picture, loaded or baked beside other work."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from grainkit.effects.skin_texture.atlas import Atlas, load_atlas, texel_for
from grainkit.effects.skin_texture.own_skin import OwnSkin


class Atlases:
    """Atlases of one age. Each is loaded once, in a thread that they share."""

    def __init__(self, age: str) -> None:
        self._age = age
        self._begun: dict[tuple[int, float], Future[Atlas]] = {}
        self._aside = ThreadPoolExecutor(1, "grainkit-atlas")

    def begin(self, own: OwnSkin, px_per_mm: float) -> Future[Atlas]:
        """The atlas of a person's skin for a face of this scale."""
        texel = texel_for(px_per_mm)
        asked = (own.seed, texel)
        if asked not in self._begun:
            self._begun[asked] = self._aside.submit(load_atlas, own.seed, self._age, texel)
        return self._begun[asked]
