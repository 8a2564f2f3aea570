"""Source profiles: what is known of pictures from one generator, as values that go over a preset's.

A profile is a small YAML file of the package with its reasons in comments. It adjusts; it turns nothing on: what a
preset has off, because of where the picture goes, stays off wherever the picture comes from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from grainkit.errors import RecipeError
from grainkit.params import nearest, require_keys, shown
from grainkit.recipe.presets import shipped
from grainkit.recipe.recipe import Recipe, Settings
from grainkit.recipe.values import read_settings
from grainkit.recipe.yaml_text import read_mapping

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
        return replace(recipe, still=self._over_kind(recipe, "still"), clip=self._over_kind(recipe, "clip"))

    def _over_kind(self, recipe: Recipe, kind: str) -> Settings:
        own = recipe.for_kind(kind).effects
        settings = dict(recipe.settings(kind))
        for name, values in self.effects.items():
            is_on = own[name].strength > 0
            kept = {key: value for key, value in values.items() if is_on or key != "strength"}
            if kept:
                settings[name] = {**settings.get(name, {}), **kept}
        return settings


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
    values = require_keys(read_mapping(files[name].read_text(encoding="utf-8"), where), _KEYS, where)
    effects = read_settings(values["effects"], f"{where}: effects")
    return SourceProfile(name, str(values["description"]), str(values["digital_source_type"]), effects)
