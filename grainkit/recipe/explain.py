"""What parameters and presets are, in words: everything from the one declaration, and from the presets' own files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from grainkit.effects import EFFECTS
from grainkit.errors import RecipeError
from grainkit.params import Plain, nearest
from grainkit.recipe.catalogue import Entry, catalogue, nearest_keys
from grainkit.recipe.presets import Layer, layers, load_recipe
from grainkit.recipe.recipe import KINDS, Recipe, to_mapping

#: Columns that text is broken at.
_WIDTH = 100


def select(name: str | None = None) -> list[Entry]:
    """The parameter of that key, those below it (an effect, delivery, delivery.still, ...), or all.

    RecipeError, with what is near, where there is none.
    """
    entries = catalogue()
    if name is None:
        return list(entries.values())
    found = [entry for key, entry in entries.items() if key == name or key.startswith(f"{name}.")]
    if found:
        return found
    groups = sorted({key[:at] for key in entries for at, letter in enumerate(key) if letter == "."})
    named = [group for group in groups if name in group.split("_")]
    near = f"; did you mean {named[0]}?" if named else "" if "." in name else nearest(name, groups)
    if not near and (keys := nearest_keys(name)):
        near = f"; did you mean {' or '.join(keys)}?"
    raise RecipeError(
        f"no parameter '{name}'{near} (there are {', '.join(g for g in groups if '.' not in g)} and seed; `grainkit "
        "params` lists them all)"
    )


def parameter_text(entries: list[Entry]) -> str:
    """Parameters for a person to read: key, allowed values, default, sentence and source, an effect at a time."""
    lines: list[str] = []
    group = ""
    for entry in entries:
        if len(entries) > 1 and _group(entry.key) != group:
            group = _group(entry.key)
            lines += ["", *_heading(group)]
        lines += [f"{entry.key}  {entry.allowed}; default {_value(entry.default)}", *_wrapped(entry.declared.help)]
        if entry.declared.source:
            lines += _wrapped(f"Source: {entry.declared.source}.")
    return "\n".join(lines).lstrip("\n")


def parameter_mapping(entries: list[Entry]) -> dict[str, Plain]:
    """The same as plain values, by key."""
    return {entry.key: {**_declared(entry), "default": entry.default} for entry in entries}


def _declared(entry: Entry) -> dict[str, Plain]:
    declared = entry.declared
    is_number = isinstance(entry.default, (int, float)) and not isinstance(entry.default, bool)
    bounds = {"low": declared.low, "high": declared.high} if is_number else {}
    choices = {"choices": list(declared.choices)} if declared.choices else {}
    return {
        "help": declared.help, "allowed": entry.allowed, "unit": declared.unit, **bounds, **choices,
        "source": declared.source,
    }  # fmt: skip


def _group(key: str) -> str:
    """The heading a parameter stands under; an encoder's options stand among those of the clip."""
    return "delivery.clip" if key.startswith("delivery.clip.") else key.rpartition(".")[0]


def _heading(group: str) -> list[str]:
    effect = EFFECTS.get(group)
    said = (effect.__doc__ or "").splitlines()[0] if effect is not None else ""
    if group == "proxies":
        said = "Encodes that stand in for a platform's, each in the list under `proxies` of a recipe."
    return [f"[{group}]", *([said] if said else [])] if group else []


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="    ")


def _value(value: Plain) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {v}" for k, v in value.items()) + "}"
    return "''" if value == "" else str(value)


@dataclass(frozen=True)
class Explained:
    """One value of a preset.

    kind: still or clip where it differs for that kind, else ''. origin: the preset or file of the chain that says
    so, '' where it is the declaration's default. entry: its declaration, None for what is a list or an option.
    """

    key: str
    kind: str
    value: Plain
    origin: str
    entry: Entry | None


def explained(recipe: Recipe, chain: list[Layer]) -> list[Explained]:
    """Every value of a recipe, and which of the recipes that it is made of (`layers`) says so."""
    said = {layer.name: dict(_keys(layer.values)) for layer in chain}
    found = []
    for key, value in _keys(to_mapping(recipe)):
        origin = next((layer.name for layer in reversed(chain) if key in said[layer.name]), "")
        kind, _, plain = key.rpartition(":")
        found.append(Explained(plain, kind, value, origin, catalogue().get(plain)))
    # What differs for one kind stands behind what is said for both.
    order = {one.key: at for at, one in reversed(list(enumerate(found)))}
    return sorted(found, key=lambda one: order[one.key])


def _keys(values: Mapping[str, Plain]) -> Iterator[tuple[str, Plain]]:
    """The parameters in a recipe's mapping by full key, those of one kind as `still:KEY`."""
    if "seed" in values:
        yield "seed", values["seed"]
    for kind in ("", *KINDS):
        effects = _part(_part(values, kind) if kind else values, "effects")
        for effect in effects:
            for name, value in _part(effects, effect).items():
                yield f"{kind}:{effect}.{name}" if kind else f"{effect}.{name}", value
    for group in ("delivery", "targets", "adapt"):
        yield from _below(_part(values, group), group)
    if values.get("proxies"):
        yield "proxies", values["proxies"]


def _part(values: Mapping[str, Plain], key: str) -> Mapping[str, Plain]:
    """The mapping under that key, empty where there is none."""
    part = values.get(key)
    return part if isinstance(part, Mapping) else {}


def _below(values: Mapping[str, Plain], above: str) -> Iterator[tuple[str, Plain]]:
    for name, value in values.items():
        key = f"{above}.{name}"
        if isinstance(value, Mapping):
            yield from _below(value, key)
        elif value is not None:
            yield key, value


def explain_text(name: str) -> str:
    """A preset (or recipe file) for a person to read: every value, what it means, and where it comes from."""
    recipe, chain = load_recipe(name), layers(name)
    above = "".join(f", which extends {layer.name}" for layer in reversed(chain[:-1]))
    lines = [f"{recipe.name}{above}", *([recipe.description] if recipe.description else [])]
    group = ""
    for one in explained(recipe, chain):
        if _group(one.key) != group:
            group = _group(one.key)
            lines += ["", *_heading(group)]
        kinds = {"still": " (stills)", "clip": " (clips)"}.get(one.kind, "")
        origin = f"from {one.origin}" if one.origin else "default"
        if one.entry is None:
            lines += [f"{one.key}{kinds} = {_plain(one.value)}  ({origin})"]
            continue
        lines += [f"{one.key}{kinds} = {_value(one.value)}  ({origin}; {one.entry.allowed})"]
        lines += _wrapped(one.entry.declared.help)
    for layer in chain:
        if layer.source or layer.checked_on:
            checked = f", checked on {layer.checked_on}" if layer.checked_on else ""
            lines += ["", f"Where {layer.name} has its values from{checked}:"]
            for source in layer.source:
                lines += textwrap.wrap(source, _WIDTH, initial_indent="  - ", subsequent_indent="    ")
    return "\n".join(lines)


def _plain(value: Plain) -> str:
    if isinstance(value, list):
        return "; ".join(_value({k: v for k, v in one.items() if v}) for one in value)
    return _value(value)


def explain_mapping(name: str) -> dict[str, Plain]:
    """The same as plain values."""
    recipe, chain = load_recipe(name), layers(name)
    by_name = {layer.name: layer for layer in chain}

    def told(one: Explained) -> dict[str, Plain]:
        layer = by_name.get(one.origin)
        return {
            "key": one.key, **({"kind": one.kind} if one.kind else {}), "value": one.value,
            "from": one.origin or "default", "checked_on": "" if layer is None else layer.checked_on,
            "source": [] if layer is None else list(layer.source),
            **({} if one.entry is None else {"declared": {**_declared(one.entry), "default": one.entry.default}}),
        }  # fmt: skip

    return {
        "name": recipe.name, "description": recipe.description, "extends": [layer.name for layer in chain[:-1]],
        "values": [told(one) for one in explained(recipe, chain)],
    }  # fmt: skip
