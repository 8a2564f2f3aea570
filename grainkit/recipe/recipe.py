"""Recipes: what to do to a picture and what to deliver, as one frozen value read from YAML.

A preset is a recipe shipped with the package. A user's recipe may extend a preset or another
recipe in its own folder or below, and a sidecar holds one whole. A recipe names no other file: it may come from
a stranger. Numbers, truth values and null are those of YAML 1.2
(`4:2:0`, `no` and `2026-11-01` are text); anchors, aliases, tags and repeated keys are refused.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from grainkit.effects import EFFECTS
from grainkit.effects.base import Effect
from grainkit.errors import RecipeError
from grainkit.io.delivery import STILL_DEPTHS, Delivery
from grainkit.params import Param, Parameters, checked, nearest, shown
from grainkit.recipe.catalogue import MAX_SEED, SEED, catalogue, nearest_keys
from grainkit.recipe.targets import Adapt, Proxy, Targets
from grainkit.recipe.updated import require_keys, updated

__all__ = [
    "KINDS",
    "MAX_SEED",
    "Adapt",
    "Layer",
    "Proxy",
    "Recipe",
    "Targets",
    "fingerprint",
    "layers",
    "load_recipe",
    "override",
    "parse_recipe",
    "preset_names",
    "read_mapping",
    "read_settings",
    "shipped",
    "to_mapping",
    "to_yaml",
    "yaml_text",
]

#: Version of the recipe format.
FORMAT = 1

#: What a recipe may say apart for; a numbered sequence is a clip.
KINDS = ("still", "clip")

#: Ending of the files that tell how an output was made; each holds a recipe.
SIDECAR_SUFFIX = ".grainkit.txt"

_MAX_FILE = 1 << 20
_MAX_DEPTH = 16
_MAX_VALUES = 20_000
_SUFFIXES = (".yaml", ".yml", SIDECAR_SUFFIX)
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

#: Parameter values by effect and parameter.
E = TypeVar("E", bound=Effect)
Settings = Mapping[str, Mapping[str, Any]]


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

    def for_kind(self, kind: str) -> Recipe:
        """The recipe for a `still` or a `clip` alone: its own parameters applied, none left to choose."""
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; it is one of {', '.join(KINDS)}")
        settings: Settings = getattr(self, kind)
        effects = {name: replace(p, **settings.get(name, {})) for name, p in self.effects.items()}  # type: ignore[type-var]
        return replace(self, effects=effects, still={}, clip={})


# Finding recipes


def preset_names() -> list[str]:
    """Every preset that the package ships, sorted."""
    return sorted(_presets())


def load_recipe(name_or_path: str | Path, profiled: Callable[[Recipe], Recipe] | None = None) -> Recipe:
    """The preset of that name, or the recipe in a .yaml or .yml file or in an output's sidecar.

    profiled: what a source profile makes of a preset. A file's own values go over it.
    Raises RecipeError where there is none, it cannot be read, or anything in it is not allowed.
    """
    return _load(str(name_or_path), None, (), profiled=profiled)


def parse_recipe(text: str, where: str = "recipe") -> Recipe:
    """The recipe in YAML `text`; `where` names it in messages. It may extend presets and paths from here."""
    return _build(read_mapping(text, where), where, Path(), (where,))


@dataclass(frozen=True)
class Layer:
    """One of the recipes that a recipe is made of: a preset's or file's name, and what it says itself."""

    name: str
    values: Mapping[str, Any]

    @property
    def source(self) -> tuple[str, ...]:
        return tuple(self.values.get("source", ()))

    @property
    def checked_on(self) -> str:
        return str(self.values.get("checked_on", ""))


def layers(name_or_path: str | Path) -> list[Layer]:
    """The recipes that this one is made of, from the one that extends none up to itself; errors as of `load_recipe`."""
    load_recipe(name_or_path)  # which checks them all, so that they can be read here without a question
    found: list[Layer] = []
    asked: str | None = str(name_or_path)
    folder = Path()
    while asked is not None:
        if asked.endswith(_SUFFIXES):
            path = folder / asked
            values, folder = read_mapping(_file_text(path, ""), str(path)), path.parent
            values = values["recipe"] if asked.endswith(SIDECAR_SUFFIX) else values
        else:
            values = read_mapping(_presets()[asked].read_text(encoding="utf-8"), f"preset {asked}")
        found.insert(0, Layer(asked, values))
        asked = values.get("extends")
    return found


def _presets() -> dict[str, Traversable]:
    return shipped("presets")


def shipped(folder: str) -> dict[str, Traversable]:
    """The package's YAML files below a folder, by name without ending."""
    return dict(_walk(files("grainkit").joinpath(folder), ""))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".yaml"):
            yield prefix + entry.name.removesuffix(".yaml"), entry


def _load(
    asked: str, folder: Path | None, chain: tuple[str, ...], asker: str = "",
    profiled: Callable[[Recipe], Recipe] | None = None,
) -> Recipe:  # fmt: skip
    """`folder` is where a relative path starts, `chain` the recipes that led here, `asker` who extends this one."""
    if not asked.endswith(_SUFFIXES):
        presets = _presets()
        if asked not in presets:
            near = nearest(asked, list(presets))
            listed = ", ".join(sorted(presets))
            raise RecipeError(f"{asker}no preset {shown(asked)}{near} (there are: {listed}; or give a .yaml file)")
        where = key = f"preset {asked}"
        _refuse_circle(key, chain)
        text = presets[asked].read_text(encoding="utf-8")
        preset = _build(read_mapping(text, where), where, None, (*chain, key))
        return preset if profiled is None else profiled(preset)
    if "\0" in asked:
        raise RecipeError(f"{asker}{shown(asked)} holds a NUL character, which no file's name does; take it out")
    path = Path(asked) if folder is None else folder / asked
    where, key = str(path), str(path.resolve())
    if folder is not None and not path.resolve().is_relative_to(folder.resolve()):
        raise RecipeError(
            f"{asker}extends = {shown(asked)} lies outside the recipe's own folder; put it there, or give its values"
        )
    _refuse_circle(key, chain)
    values: Any = read_mapping(_file_text(path, asker), where)
    if asked.endswith(SIDECAR_SUFFIX):
        values = values.get("recipe")
        if not isinstance(values, dict):
            raise RecipeError(f"{where} holds no recipe: it has no mapping under the key 'recipe'")
        _require_version(values, f"{where}: recipe")
    return _build(values, where, path.parent, (*chain, key), profiled)


def _refuse_circle(key: str, chain: tuple[str, ...]) -> None:
    if key in chain:
        circle = " extends ".join(Path(c).name if Path(c).is_absolute() else c for c in (*chain, key))
        raise RecipeError(f"recipes extend each other in a circle: {circle}; take one `extends` out")


def _file_text(path: Path, asker: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE + 1)
    except FileNotFoundError:
        raise RecipeError(f"{asker}no recipe file {path}; check the path, or give a preset's name") from None
    except OSError as error:
        raise RecipeError(f"{asker}cannot read the recipe file {path}: {error.strerror}") from error
    if len(data) > _MAX_FILE:
        raise RecipeError(f"{path} is larger than {_MAX_FILE} bytes; a recipe is a few kilobytes of text")
    try:
        # PowerShell writes UTF-16, with its mark, where a preset is led into a file.
        return data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RecipeError(f"{path}, line {line}: not UTF-8 text; save it as UTF-8") from error


def read_sidecar(path: Path) -> dict[str, Any] | None:
    """What a sidecar says, as plain values; None where there is none, or it is not one."""
    try:
        return read_mapping(_file_text(path, ""), str(path))
    except RecipeError:
        return None


# Reading YAML


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without what a recipe has no use for and a hostile file has."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (the type is PyYAML's)
    _depth = 0
    _count = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.MarkedYAMLError(None, None, "anchors and aliases (& and *) are not allowed", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise yaml.MarkedYAMLError(None, None, "tags (!) are not allowed", event.start_mark)
        if self._depth == _MAX_DEPTH:
            raise yaml.MarkedYAMLError(None, None, f"nested deeper than {_MAX_DEPTH} levels", event.start_mark)
        if self._count == _MAX_VALUES:
            raise yaml.MarkedYAMLError(None, None, f"more than {_MAX_VALUES} values", event.start_mark)
        self._depth += 1
        self._count += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def flatten_mapping(self, node: Any) -> None:
        """Called before a mapping is made: the place to see keys that would hide one another."""
        seen = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str":
                raise yaml.MarkedYAMLError(None, None, "a key must be text", key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(None, None, f"the key '{key.value}' is there twice", key.start_mark)
            seen.add(key.value)


_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?\Z")
_SCALARS = (
    ("null", re.compile(r"(?:~|null|)\Z"), ["~", "n", ""]),
    ("bool", re.compile(r"(?:true|false)\Z"), ["t", "f"]),
    ("int", re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\Z"), list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
)
for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, _first)


class _Dumper(yaml.SafeDumper):
    """Writes text so that readers of YAML 1.1 and 1.2 both take it for text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Line breaks of Unicode are folded away in any other style.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _represent_text)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def yaml_text(values: Mapping[str, Any]) -> str:
    """Plain values (mappings, lists, text, numbers, truth values, None) as YAML, in the order given."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 20)


def _yaml_value(text: str, where: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f", line {error.problem_mark.line + 1}"
        raise RecipeError(f"{where}{line}: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        number = text.count("\n", 0, error.position) + 1
        raise RecipeError(
            f"{where}, line {number}: a character that text does not hold (#x{error.character:x})"
        ) from error


def read_mapping(text: str, where: str) -> dict[str, Any]:
    """YAML of a recipe's version as plain values; `where` names it in messages. RecipeError where it is none."""
    values = _yaml_value(text, where)
    if not isinstance(values, dict):
        found = "empty" if values is None else f"a {type(values).__name__}, not a mapping of keys to values"
        raise RecipeError(f"{where} is {found}; a recipe begins with 'grainkit: {FORMAT}'")
    _require_version(values, where)
    return values


def _require_version(values: Mapping[str, Any], where: str) -> None:
    version = values.get("grainkit")
    if version != FORMAT or isinstance(version, bool):
        said = "does not say its version" if version is None else f"is of version {shown(version)}"
        raise RecipeError(f"{where} {said}; this grainkit reads 'grainkit: {FORMAT}'")


# From values to a recipe


def _build(
    values: Mapping[str, Any], where: str, folder: Path | None, chain: tuple[str, ...],
    profiled: Callable[[Recipe], Recipe] | None = None,
) -> Recipe:  # fmt: skip
    stem = chain[-1].removeprefix("preset ")
    base = Recipe(name=stem if folder is None else _stem(Path(stem).name))
    extends = values.get("extends")
    if extends is not None:
        if not isinstance(extends, str) or (folder is None and extends.endswith(_SUFFIXES)):
            raise RecipeError(f"{where}: extends = {shown(extends)} is not the name of a preset or of a .yaml file")
        base = replace(_load(extends, folder or Path(), chain, f"{where}: ", profiled), name=base.name)
    elif profiled is not None:
        base = profiled(base)
    rest = {k: v for k, v in values.items() if k not in ("grainkit", "extends")}
    return _applied(base, rest, where)


def _stem(name: str) -> str:
    """A file's name without its ending, cut down to what a recipe may be called."""
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return re.sub(r"[^\w .-]", "_", name).lstrip(" .-")[:100] or "recipe"


_KEYS = [
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


def _applied(base: Recipe, values: Mapping[str, Any], where: str) -> Recipe:
    """`base` with `values` over it, each checked; what is said for both kinds replaces what `base` said for one."""
    for key in values:
        if key not in _KEYS:
            listed = ", ".join(["grainkit", "extends", *_KEYS])
            raise RecipeError(f"{where} has no key '{key}'{nearest(key, _KEYS)}; it has: {listed}")
    made: dict[str, Any] = {}
    effects = read_settings(values.get("effects", {}), f"{where}: effects")
    made["effects"] = {
        name: _parameters(current, effects.get(name, {}), where) for name, current in base.effects.items()
    }
    for kind in KINDS:
        made[kind] = _kind_settings(base, made["effects"], kind, effects, values, where)
    for key, check in _CHECKS.items():
        if key in values:
            made[key] = check(getattr(base, key), values[key], f"{where}: {key}")
    return replace(base, **made)


def read_settings(given: object, where: str) -> Settings:
    """Values by effect and parameter as a recipe holds them, names checked."""
    effects = require_keys(given, list(EFFECTS), where)
    for name, values in effects.items():
        require_keys(values, list(EFFECTS[name].declared()), f"{where}.{name}")
    return effects


def _parameters(current: Parameters, values: Mapping[str, Any], where: str) -> Parameters:
    try:
        return replace(current, **values)  # type: ignore[type-var]
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from error


def _kind_settings(
    base: Recipe, effects: Mapping[str, Parameters], kind: str, both: Settings, values: Mapping[str, Any], where: str
) -> Settings:
    block = require_keys(values.get(kind, {}), ["effects"], f"{where}: {kind}")
    own = read_settings(block.get("effects", {}), f"{where}: {kind}.effects")
    inherited: Settings = getattr(base, kind)
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
    text: str = checked(Param(""), "", value, where)
    return text


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
    seed: int = checked(SEED, 0, value, where)
    return seed


def _delivery(base: Delivery, value: object, where: str) -> Delivery:
    made = updated(_without_old_codec(base, value), value, where)
    if made.still is not None and made.still.depth not in STILL_DEPTHS[made.still.container]:
        allowed = " or ".join(str(d) for d in STILL_DEPTHS[made.still.container])
        others = [name for name, depths in STILL_DEPTHS.items() if made.still.depth in depths]
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


#: How each key but effects and kinds is checked: (the base's value, what was given, where) to the value.
_CHECKS: dict[str, Any] = {
    "name": _name,
    "description": _text,
    "source": _lines,
    "checked_on": _day,
    "seed": _seed,
    "delivery": _delivery,
    "proxies": _proxies,
    "targets": updated,
    "adapt": updated,
}


def override(recipe: Recipe, assignments: Iterable[str]) -> Recipe:
    """`recipe` with `KEY=VALUE`s over it: `cinema_grain.strength=1.5`, `delivery.still.quality=90`, `seed=7`.

    A key is an effect's parameter or a recipe's key; VALUE is read as in YAML, and of two for the
    same key the later one counts. Raises RecipeError naming --set, key, value and what is allowed.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = (part.strip() for part in assignment.partition("="))
        if not equals or not key:
            raise RecipeError(f"--set {assignment}: write it as KEY=VALUE, such as {_example(key)}")
        _assign(values, key, _scalar(assignment, text))
    return _applied(recipe, values, "--set")


def _example(key: str) -> str:
    """An assignment to the parameter that is meant, as far as that can be told."""
    near = nearest_keys(re.split(r"[:\s]", key, maxsplit=1)[0])
    if not near:
        return "delivery.fit=cover"
    entry = catalogue()[near[0]]
    value = {True: "true", False: "false"}[entry.default] if isinstance(entry.default, bool) else entry.default
    return f"{entry.key}={value:g}" if isinstance(value, float) else f"{entry.key}={value}"


def _scalar(assignment: str, text: str) -> Any:
    if text.startswith("#"):  # a colour; YAML would take it for a comment
        return text
    value = _yaml_value(text, f"--set {assignment}") if text.strip() else ""
    if isinstance(value, (dict, list)):
        raise RecipeError(f"--set {assignment}: give one value for one key; lists and mappings go into a .yaml file")
    return value


def _assign(values: dict[str, Any], key: str, value: Any) -> None:
    # Three cuts at most: what stands below delivery.clip.options is one key, dots and all.
    first, *rest = key.split(".", 3)
    if first in EFFECTS:
        first, *rest = ["effects", *key.split(".", 3)]
    if first not in _KEYS:
        raise RecipeError(f"--set {key}: {_unknown(key, first)}")
    below = next((each for each in catalogue() if each.startswith(f"{key}.") and first != "proxies"), None)
    if below is not None and value is not None:
        raise RecipeError(f"--set {key}={value}: {key} has parameters; set one of them, such as {_example(below)}")
    *above, last = [first, *rest]
    place = values
    for part in above:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise RecipeError(f"--set {key}: {part} itself was already set to a value")
    if isinstance(place.get(last), dict):
        raise RecipeError(f"--set {key}: keys below it were already set")
    place[last] = value


def _unknown(key: str, first: str) -> str:
    known = [*EFFECTS, *_KEYS]
    found = nearest_keys(key)
    near = f"; did you mean {' or '.join(found)}?" if found else nearest(first, known)
    if "." not in key:
        return f"no key '{key}'{near} (`grainkit params` lists them all)"
    return f"no effect or key '{first}'{near} (there are: {', '.join(known)})"


# From a recipe to values


def to_mapping(recipe: Recipe) -> dict[str, Any]:
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
        "effects": {name: asdict(p) for name, p in recipe.effects.items()},  # type: ignore[call-overload]
        **{kind: {"effects": {n: dict(s) for n, s in getattr(recipe, kind).items()}} for kind in KINDS},
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
