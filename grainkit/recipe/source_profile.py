"""Source profiles: what is known of pictures from one generator, as values that go over a preset's.

A profile is a small YAML file of the package with its reasons in comments. It adjusts; it turns nothing on: what a
preset has off, because of where the picture goes, stays off wherever the picture comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from grainkit.errors import RecipeError
from grainkit.params import nearest, shown
from grainkit.recipe.recipe import KINDS, Recipe, Settings, read_mapping, read_settings, shipped
from grainkit.recipe.updated import require_keys

#: The name that stands for no profile.
NO_PROFILE = "auto"
_KEYS = ["grainkit", "description", "source", "checked_on", "digital_source_type", "effects"]


@dataclass(frozen=True)
class SourceProfile:
    """Where pictures come from.

    name: as `--source` has it. description: one line. digital_source_type: the IPTC term that it declares.
    effects: values by effect and parameter.
    """

    name: str
    description: str
    digital_source_type: str
    effects: Settings

    def over(self, recipe: Recipe) -> Recipe:
        """The recipe with this profile's values for stills and clips, but for the strength of what it has off."""
        made: dict[str, Any] = {}
        for kind in KINDS:
            own = recipe.for_kind(kind).effects
            settings = dict(getattr(recipe, kind))
            for name, values in self.effects.items():
                is_on = own[name].strength > 0
                kept = {key: value for key, value in values.items() if is_on or key != "strength"}
                if kept:
                    settings[name] = {**settings.get(name, {}), **kept}
            made[kind] = settings
        return replace(recipe, **made)


def source_names() -> list[str]:
    """Every profile that the package ships, sorted."""
    return sorted(shipped("sources"))


def load_source(name: str) -> SourceProfile | None:
    """The profile of that name, None for `auto`. RecipeError where there is none."""
    if name == NO_PROFILE:
        return None
    files = shipped("sources")
    if not isinstance(name, str):
        raise RecipeError(f"source_profile = {shown(name)} is of type {type(name).__name__}; give a name as text")
    if name not in files:
        known = [NO_PROFILE, *sorted(files)]
        raise RecipeError(f"no source {shown(name)}{nearest(name, known)} (there are: {', '.join(known)})")
    where = f"source {name}"
    values: Mapping[str, Any] = require_keys(read_mapping(files[name].read_text(encoding="utf-8"), where), _KEYS, where)
    effects = read_settings(values["effects"], f"{where}: effects")
    return SourceProfile(name, values["description"], values["digital_source_type"], effects)
