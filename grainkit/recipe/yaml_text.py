"""YAML as recipes and sidecars are written in it, to plain values and back.

Numbers, truth values and null are those of YAML 1.2 (`4:2:0`, `no` and `2026-11-01` are text); anchors, aliases, tags
and repeated keys are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml

from grainkit.errors import RecipeError
from grainkit.params import Plain, shown

#: Version of the recipe format.
FORMAT = 1

_MAX_DEPTH = 16
_MAX_VALUES = 20_000


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without what a recipe has no use for and a hostile file has."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (the type is PyYAML's)
    _depth = 0
    _count = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
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

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
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

    def ignore_aliases(self, data: object) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Line breaks of Unicode are folded away in any other style.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _represent_text)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def yaml_text(values: Mapping[str, object]) -> str:
    """Plain values (mappings, lists, text, numbers, truth values, None) as YAML, in the order given."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 20)


def yaml_value(text: str, where: str) -> Plain:
    """YAML as plain values; `where` names it in messages. RecipeError with the line where it is none."""
    try:
        value: Plain = yaml.load(text, Loader=_Loader)
        return value
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f", line {error.problem_mark.line + 1}"
        raise RecipeError(f"{where}{line}: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        number = text.count("\n", 0, error.position) + 1
        raise RecipeError(
            f"{where}, line {number}: a character that text does not hold (#x{error.character:x})"
        ) from error


def read_mapping(text: str, where: str) -> dict[str, Plain]:
    """YAML of a recipe's version as plain values; `where` names it in messages. RecipeError where it is none."""
    values = yaml_value(text, where)
    if not isinstance(values, dict):
        found = "empty" if values is None else f"a {type(values).__name__}, not a mapping of keys to values"
        raise RecipeError(f"{where} is {found}; a recipe begins with 'grainkit: {FORMAT}'")
    require_version(values, where)
    return values


def require_version(values: Mapping[str, Plain], where: str) -> None:
    """RecipeError naming `where`, unless the values say that they are of the version that is read here."""
    version = values.get("grainkit")
    if version != FORMAT or isinstance(version, bool):
        said = "does not say its version" if version is None else f"is of version {shown(version)}"
        raise RecipeError(f"{where} {said}; this grainkit reads 'grainkit: {FORMAT}'")
