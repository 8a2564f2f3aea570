"""What grainkit does to a picture: one file an effect, in the order they are applied."""

from __future__ import annotations

from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.params import Parameters

#: Every effect by name, in the order of application.
EFFECTS: dict[str, type[Parameters]] = {e.name: e for e in (SkinTexture, HighlightGuard, CinemaGrain)}
