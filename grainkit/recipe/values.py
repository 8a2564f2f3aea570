"""A recipe with values over it: each key known, each value within its declaration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import TypeVar

from grainkit.effects import EFFECTS
from grainkit.effects.base import Effect
from grainkit.errors import RecipeError
from grainkit.io.delivery import Delivery
from grainkit.io.still_formats import STILL_FORMATS, format_named
from grainkit.params import Param, Plain, checked, nearest, require_keys, shown, updated, with_values
from grainkit.recipe.catalogue import SEED
from grainkit.recipe.recipe import KINDS, Recipe, Settings
from grainkit.recipe.targets import Proxy

T = TypeVar("T")

#: Options of encoders, alone or in a list such as x264-params, that read or write files, by name.
_FILE_OPTIONS = (
    "2pass", "analysis-load", "analysis-load-reuse-level", "analysis-reuse-file", "analysis-save", "c", "config",
    "config-file", "cqmfile", "csv", "dolby-vision-rpu", "dump-yuv", "errlog", "fgs-table", "film-grain-table",
    "fpf", "input", "input-depth", "lambda-file", "log", "log-file", "nalu-file", "output", "pass", "passlogfile",
    "passes", "qp-file", "qpfile", "recon", "roi-map-file", "scaling-list", "stat-file", "statfile", "stats",
    "statsfile", "tcfile-in", "tcfile-out", "two-pass-output", "vmaf-model-path", "zonefile",
)  # fmt: skip
#: What a value may hold of slashes: rates and ratios.
_RATIO = re.compile(r"-?\d+/\d+")
_NAME = re.compile(r"\w[\w .-]*(/\w[\w .-]*)*")

#: Every key that a recipe may have, but for its version and what it extends.
KEYS = [
    "name",
    "description",
    "source",
    "checked_on",
    "seed",
    "effects",
    *KINDS,
    "delivery",
    "proxies",
    "targets",
    "adapt",
]


def applied(base: Recipe, values: Mapping[str, Plain], where: str) -> Recipe:
    """`base` with `values` over it, each checked; what is said for both kinds replaces what `base` said for one.

    values: as a recipe's YAML has them, less version and `extends`. Raises RecipeError naming `where`, key and value.
    """
    for key in values:
        if key not in KEYS:
            listed = ", ".join(["grainkit", "extends", *KEYS])
            raise RecipeError(f"{where} has no key '{key}'{nearest(key, KEYS)}; it has: {listed}")

    def told(key: str, own: T, check: Callable[[T, Plain, str], T]) -> T:
        """What `values` say under that key, or the base's own value."""
        return check(own, values[key], f"{where}: {key}") if key in values else own

    both = read_settings(values.get("effects", {}), f"{where}: effects")
    effects = {name: _parameters(current, both.get(name, {}), where) for name, current in base.effects.items()}
    still, clip = (_kind_settings(base, effects, kind, both, values.get(kind, {}), where) for kind in KINDS)
    return replace(
        base,
        effects=effects,
        still=still,
        clip=clip,
        name=told("name", base.name, _name),
        description=told("description", base.description, _text),
        source=told("source", base.source, _lines),
        checked_on=told("checked_on", base.checked_on, _day),
        seed=told("seed", base.seed, _seed),
        delivery=told("delivery", base.delivery, _delivery),
        proxies=told("proxies", base.proxies, _proxies),
        targets=told("targets", base.targets, updated),
        adapt=told("adapt", base.adapt, updated),
    )


def read_settings(given: object, where: str) -> Settings:
    """Values by effect and parameter as a recipe holds them, names checked."""
    effects = require_keys(given, list(EFFECTS), where)
    known = {name: list(EFFECTS[name].declared()) for name in effects}
    return {name: require_keys(values, known[name], f"{where}.{name}") for name, values in effects.items()}


def _parameters(current: Effect, values: Mapping[str, Plain], where: str) -> Effect:
    try:
        return with_values(current, values)
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from error


def _kind_settings(
    base: Recipe, effects: Mapping[str, Effect], kind: str, both: Settings, given: Plain, where: str
) -> Settings:
    """What the recipe says for that kind alone. effects, both: parameters and what was said of them for both kinds."""
    block = require_keys(given, ["effects"], f"{where}: {kind}")
    own = read_settings(block.get("effects", {}), f"{where}: {kind}.effects")
    inherited = base.settings(kind)
    merged = {}
    for name, parameters in effects.items():
        kept = {k: v for k, v in inherited.get(name, {}).items() if k not in both.get(name, {})}
        changed = {**kept, **own.get(name, {})}
        whole = _parameters(parameters, changed, f"{where}: {kind}.effects")
        if changed:
            merged[name] = {k: getattr(whole, k) for k in type(parameters).declared() if k in changed}
    return merged


def _name(_: str, value: object, where: str) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value) or len(value) > 100:
        raise RecipeError(
            f"{where} = {shown(value)} is not allowed; use up to 100 letters, digits, spaces and any of . _ - /"
        )
    return value


def _text(_: str, value: object, where: str) -> str:
    return str(checked(Param(""), "", value, where))


def _lines(_: tuple[str, ...], value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
        raise RecipeError(f"{where} = {shown(value)} is not a list of text")
    return tuple(value)


def _day(_: str, value: object, where: str) -> str:
    text = value if isinstance(value, str) else ""
    try:
        if text and date.fromisoformat(text).isoformat() != text:
            raise ValueError
    except ValueError:
        text = ""
    if text != value:
        raise RecipeError(f"{where} = {shown(value)} is not a day; write it like 2026-11-01")
    return text


def _seed(_: int, value: object, where: str) -> int:
    return int(checked(SEED, 0, value, where))


def _delivery(base: Delivery, value: object, where: str) -> Delivery:
    made = updated(_without_old_codec(base, value), value, where)
    if made.still is not None and made.still.depth not in format_named(made.still.container).depths:
        allowed = " or ".join(str(d) for d in format_named(made.still.container).depths)
        others = [each.name for each in STILL_FORMATS if made.still.depth in each.depths]
        other = f" ({' and '.join(others)} can hold {made.still.depth})" if others else ""
        raise RecipeError(
            f"{where}.still.depth = {made.still.depth} is not allowed for {made.still.container}; it is {allowed} bits"
            f"{other}"
        )
    if made.clip is not None and not made.clip.codec and made.clip.container != "sequence":
        raise RecipeError(
            f"{where}.clip.codec is empty; {made.clip.container} needs an encoder's name, such as libx264"
        )
    for key, option in (made.clip.options if made.clip is not None else {}).items():
        if _names_a_file(key, option):
            raise RecipeError(
                f"{where}.clip.options.{key} = {shown(option)} would have the encoder read or write a file of its own, "
                "which no recipe may; take it out"
            )
    return made


def _names_a_file(key: str, value: str) -> bool:
    """Whether an encoder's option, or one in a list of `key=value:key=value`, names a file or writes statistics."""
    if key.lower().startswith("flags") and "pass" in value.lower():
        return True
    for name, given in [(key, value), *(part.partition("=")[::2] for part in re.split("[:,]", value))]:
        if name.strip().lower().lstrip("-").replace("_", "-") in _FILE_OPTIONS:
            return True
        if re.search(r"[\\/]", given) and "=" not in given and not all(_RATIO.fullmatch(v) for v in given.split(",")):
            return True
    return False


def _without_old_codec(base: Delivery, value: object) -> Delivery:
    """`base`; where `value` names another encoder, less the options and profile that were the old one's."""
    clip = value.get("clip") if isinstance(value, Mapping) else None
    codec = clip.get("codec") if isinstance(clip, Mapping) else None
    if base.clip is None or codec is None or codec == base.clip.codec:
        return base
    return replace(base, clip=replace(base.clip, options={}, profile=""))


def _proxies(_: tuple[Proxy, ...], value: object, where: str) -> tuple[Proxy, ...]:
    if not isinstance(value, list):
        raise RecipeError(f"{where} = {shown(value)} is not a list of encodes, like - {{codec: jpeg, quality: 75}}")
    return tuple(_proxy(one, f"{where}[{number}]") for number, one in enumerate(value))


def _proxy(value: object, where: str) -> Proxy:
    proxy = updated(Proxy(), value, where)
    rates = (proxy.quality > 0, proxy.crf > 0, proxy.kbps > 0)
    if proxy.codec == "jpeg" and rates != (True, False, False):
        raise RecipeError(f"{where}: jpeg takes a quality of 1 to 100, and no crf or kbps")
    if proxy.codec != "jpeg" and (rates[0] or rates[1] == rates[2]):
        raise RecipeError(f"{where}: {proxy.codec} takes either crf or kbps, and no quality")
    return proxy
