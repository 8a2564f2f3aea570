"""What grainkit does to a picture: one file an effect, in the order they are applied."""

from __future__ import annotations

from grainkit.effects.cinema_grain import CinemaGrain
from grainkit.effects.highlight_guard import HighlightGuard
from grainkit.params import Parameters

#: Every effect by name, in the order of application (skin texture comes first when it lands).
EFFECTS: dict[str, type[Parameters]] = {e.name: e for e in (HighlightGuard, CinemaGrain)}
