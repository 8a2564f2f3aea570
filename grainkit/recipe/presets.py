"""Recipes by name: the presets that the package ships, files, and what extends what.

A preset is a recipe shipped with the package. A user's recipe may extend a preset or another
recipe in its own folder or below, and a sidecar holds one whole. A recipe names no other file: it may come from
a stranger.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from grainkit.errors import RecipeError
from grainkit.params import Plain, nearest, shown
from grainkit.recipe.recipe import Recipe
from grainkit.recipe.values import applied
from grainkit.recipe.yaml_text import read_mapping, require_version

#: Ending of the files that tell how an output was made; each holds a recipe.
SIDECAR_SUFFIX = ".grainkit.txt"

_MAX_FILE = 1 << 20
_SUFFIXES = (".yaml", ".yml", SIDECAR_SUFFIX)


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
    values: Mapping[str, Plain]

    @property
    def source(self) -> tuple[str, ...]:
        lines = self.values.get("source")
        return tuple(str(line) for line in lines) if isinstance(lines, list) else ()

    @property
    def checked_on(self) -> str:
        return str(self.values.get("checked_on", ""))


def layers(name_or_path: str | Path) -> list[Layer]:
    """The recipes that this one is made of, from the one that extends none up to itself; errors as of `load_recipe`."""
    load_recipe(name_or_path)  # which checks them all, so that they can be read here without a question
    found: list[Layer] = []
    asked: Plain = str(name_or_path)
    folder = Path()
    while isinstance(asked, str):
        if asked.endswith(_SUFFIXES):
            path = folder / asked
            values, folder = _file_values(path, ""), path.parent
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
    key = str(path.resolve())
    if folder is not None and not path.resolve().is_relative_to(folder.resolve()):
        raise RecipeError(
            f"{asker}extends = {shown(asked)} lies outside the recipe's own folder; put it there, or give its values"
        )
    _refuse_circle(key, chain)
    return _build(_file_values(path, asker), str(path), path.parent, (*chain, key), profiled)


def _refuse_circle(key: str, chain: tuple[str, ...]) -> None:
    if key in chain:
        circle = " extends ".join(Path(c).name if Path(c).is_absolute() else c for c in (*chain, key))
        raise RecipeError(f"recipes extend each other in a circle: {circle}; take one `extends` out")


def _file_values(path: Path, asker: str) -> Mapping[str, Plain]:
    """What a recipe file says itself; of a sidecar, what its recipe says."""
    values = read_mapping(_file_text(path, asker), str(path))
    if not path.name.endswith(SIDECAR_SUFFIX):
        return values
    recipe = values.get("recipe")
    if not isinstance(recipe, dict):
        raise RecipeError(f"{path} holds no recipe: it has no mapping under the key 'recipe'")
    require_version(recipe, f"{path}: recipe")
    return recipe


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


def read_sidecar(path: Path) -> dict[str, Plain] | None:
    """What a sidecar says, as plain values; None where there is none, or it is not one."""
    try:
        return read_mapping(_file_text(path, ""), str(path))
    except RecipeError:
        return None


def _build(
    values: Mapping[str, Plain], where: str, folder: Path | None, chain: tuple[str, ...],
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
    return applied(base, rest, where)


def _stem(name: str) -> str:
    """A file's name without its ending, cut down to what a recipe may be called."""
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return re.sub(r"[^\w .-]", "_", name).lstrip(" .-")[:100] or "recipe"
