"""What grainkit does to a picture: one folder an effect, in the order they are applied."""

from __future__ import annotations

from grainkit.effects.base import Effect, registered
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.effects.skin_texture.parameters import SkinTexture

#: Every effect by name, in the order of application.
EFFECTS: dict[str, type[Effect]] = registered(SkinTexture, HighlightGuard, CinemaGrain)
