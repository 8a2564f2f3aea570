"""What to do to a picture and what to deliver, as one frozen value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TypeAlias, TypeVar

from grainkit.effects import EFFECTS
from grainkit.effects.base import Effect
from grainkit.io.delivery import Delivery
from grainkit.params import Plain, with_values
from grainkit.recipe.targets import Adapt, Proxy, Targets
from grainkit.recipe.yaml_text import FORMAT, yaml_text

#: What a recipe may say apart for; a numbered sequence is a clip.
KINDS = ("still", "clip")

#: Parameter values by effect and parameter.
Settings: TypeAlias = Mapping[str, Mapping[str, Plain]]
E = TypeVar("E", bound=Effect)


def _defaults() -> dict[str, Effect]:
    return {name: kind() for name, kind in EFFECTS.items()}


@dataclass(frozen=True)
class Recipe:
    """Effects, delivery and seed: together with grainkit's version, all that decides an output.

    name: what it is called; with `/` turned into `-`, part of an output's name.
    effects: every effect's parameters, in order of application.
    delivery: size and files.
    seed: 0..2^32-1, what noise is drawn by.
    still, clip: parameters that differ for that kind, by effect; `for_kind` applies them.
    proxies: encodes that stand in for what platforms do to the delivery. targets: limits after them.
    adapt: whether it is adapted to its proxies, and how far.
    source: where the facts come from, a sentence or address each. checked_on: YYYY-MM-DD, or ''.
    """

    name: str
    description: str = ""
    effects: Mapping[str, Effect] = field(default_factory=_defaults)
    delivery: Delivery = field(default_factory=Delivery)
    seed: int = 0
    still: Settings = field(default_factory=dict)
    clip: Settings = field(default_factory=dict)
    proxies: tuple[Proxy, ...] = ()
    targets: Targets = field(default_factory=Targets)
    adapt: Adapt = field(default_factory=Adapt)
    source: tuple[str, ...] = ()
    checked_on: str = ""

    def effect(self, kind: type[E]) -> E:
        """The parameters of one effect, by its class."""
        found = self.effects[kind.name]
        assert isinstance(found, kind)
        return found

    def with_effect(self, *changed: Effect) -> Recipe:
        """The recipe with these parameters in place of its own."""
        return replace(self, effects={**self.effects, **{one.name: one for one in changed}})

    def settings(self, kind: str) -> Settings:
        """The parameters that differ for a `still` or a `clip`."""
        return self.still if kind == "still" else self.clip

    def for_kind(self, kind: str) -> Recipe:
        """The recipe for a `still` or a `clip` alone: its own parameters applied, none left to choose."""
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; it is one of {', '.join(KINDS)}")
        settings = self.settings(kind)
        effects = {name: with_values(p, settings.get(name, {})) for name, p in self.effects.items()}
        return replace(self, effects=effects, still={}, clip={})


def to_mapping(recipe: Recipe) -> dict[str, Plain]:
    """All of a recipe as plain values, in the order of its YAML; nothing is left to defaults."""
    delivery = asdict(recipe.delivery)
    if delivery["clip"] is not None:
        # Equal recipes give equal text, however their options came together.
        delivery["clip"]["options"] = dict(sorted(delivery["clip"]["options"].items()))
    return {
        "grainkit": FORMAT,
        "name": recipe.name,
        "description": recipe.description,
        "source": list(recipe.source),
        "checked_on": recipe.checked_on,
        "seed": recipe.seed,
        "effects": {name: asdict(p) for name, p in recipe.effects.items()},
        **{kind: {"effects": {n: dict(s) for n, s in recipe.settings(kind).items()}} for kind in KINDS},
        "delivery": delivery,
        "proxies": [asdict(p) for p in recipe.proxies],
        "targets": asdict(recipe.targets),
        "adapt": asdict(recipe.adapt),
    }


def to_yaml(recipe: Recipe) -> str:
    """All of a recipe as YAML that reads back as the same recipe."""
    return yaml_text(to_mapping(recipe))


def fingerprint(recipe: Recipe) -> str:
    """16 hex digits of what a recipe does; its name, description and sources do not count."""
    values = to_mapping(recipe)
    for key in ("name", "description", "source", "checked_on"):
        del values[key]
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()[:16]
