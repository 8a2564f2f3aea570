"""KEY=VALUE over a recipe, as `--set` and `settings` have it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from grainkit.effects import EFFECTS
from grainkit.errors import RecipeError
from grainkit.params import Plain, nearest
from grainkit.recipe.catalogue import catalogue, nearest_keys
from grainkit.recipe.recipe import Recipe
from grainkit.recipe.values import KEYS, applied
from grainkit.recipe.yaml_text import yaml_value


def override(recipe: Recipe, assignments: Iterable[str]) -> Recipe:
    """`recipe` with `KEY=VALUE`s over it: `cinema_grain.strength=1.5`, `delivery.still.quality=90`, `seed=7`.

    A key is an effect's parameter or a recipe's key; VALUE is read as in YAML, and of two for the
    same key the later one counts. Raises RecipeError naming --set, key, value and what is allowed.
    """
    values: dict[str, Plain] = {}
    for assignment in assignments:
        key, equals, text = (part.strip() for part in assignment.partition("="))
        if not equals or not key:
            raise RecipeError(f"--set {assignment}: write it as KEY=VALUE, such as {_example(key)}")
        _assign(values, key, _scalar(assignment, text))
    return applied(recipe, values, "--set")


def _example(key: str) -> str:
    """An assignment to the parameter that is meant, as far as that can be told."""
    near = nearest_keys(re.split(r"[:\s]", key, maxsplit=1)[0])
    if not near:
        return "delivery.fit=cover"
    entry = catalogue()[near[0]]
    value = {True: "true", False: "false"}[entry.default] if isinstance(entry.default, bool) else entry.default
    return f"{entry.key}={value:g}" if isinstance(value, float) else f"{entry.key}={value}"


def _scalar(assignment: str, text: str) -> Plain:
    if text.startswith("#"):  # a colour; YAML would take it for a comment
        return text
    value = yaml_value(text, f"--set {assignment}") if text.strip() else ""
    if isinstance(value, (dict, list)):
        raise RecipeError(f"--set {assignment}: give one value for one key; lists and mappings go into a .yaml file")
    return value


def _assign(values: dict[str, Plain], key: str, value: Plain) -> None:
    # Three cuts at most: what stands below delivery.clip.options is one key, dots and all.
    first, *rest = key.split(".", 3)
    if first in EFFECTS:
        first, *rest = ["effects", *key.split(".", 3)]
    if first not in KEYS:
        raise RecipeError(f"--set {key}: {_unknown(key, first)}")
    parameter = next((each for each in catalogue() if each.startswith(f"{key}.") and first != "proxies"), None)
    if parameter is not None and value is not None:
        raise RecipeError(f"--set {key}={value}: {key} has parameters; set one of them, such as {_example(parameter)}")
    *above, last = [first, *rest]
    place = values
    for part in above:
        below = place.setdefault(part, {})
        if not isinstance(below, dict):
            raise RecipeError(f"--set {key}: {part} itself was already set to a value")
        place = below
    if isinstance(place.get(last), dict):
        raise RecipeError(f"--set {key}: keys below it were already set")
    place[last] = value


def _unknown(key: str, first: str) -> str:
    known = [*EFFECTS, *KEYS]
    found = nearest_keys(key)
    near = f"; did you mean {' or '.join(found)}?" if found else nearest(first, known)
    if "." not in key:
        return f"no key '{key}'{near} (`grainkit params` lists them all)"
    return f"no effect or key '{first}'{near} (there are: {', '.join(known)})"
