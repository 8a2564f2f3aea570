"""Parameters, declared once: default, range, unit and one sentence, beside the field that holds them.

A frozen dataclass of such fields checks what it is given by its declarations: `Parameters` when it is made, any other
through `updated`, which goes over it with the changes that a mapping names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar, TypeAlias, TypeVar

from grainkit.errors import RecipeError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: What one parameter holds.
Value: TypeAlias = bool | int | float | str
#: Plain values, which YAML and JSON hold as they are.
Plain: TypeAlias = "Value | Sequence[Plain] | Mapping[str, Plain] | None"

V = TypeVar("V", bound=Value)
D = TypeVar("D", bound="DataclassInstance")
#: What an option of an encoder may be called.
_OPTION_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Param:
    """What a parameter may be: a number within [low, high] in `unit`, one of `choices`, or text of a pattern.

    Where there are both choices and a pattern, either will do.

    pattern: regular expression that the whole text matches, '' for any. form: the pattern, or what a text is, in words.
    source: where its default, range or form come from, '' where nothing is measured or written.
    """

    help: str
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    pattern: str = ""
    form: str = ""
    source: str = ""

    def allowed(self) -> str:
        """The allowed values in words, for messages and help."""
        if self.choices:
            return "one of " + ", ".join(self.choices) + (f"; or {self.form}" if self.pattern else "")
        if self.pattern or self.form:
            return self.form
        if math.isinf(self.low) and math.isinf(self.high):
            return "a text"
        return f"{_number(self.low)} to {_number(self.high)}" + (f" {self.unit}" if self.unit else "")


def _number(value: float) -> str:
    """A bound, whole ones with all their digits."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:g}"


def param(
    default: V, help: str, *, low: float = -math.inf, high: float = math.inf, unit: str = "",
    choices: tuple[str, ...] = (), pattern: str = "", form: str = "", source: str = "",
) -> V:  # fmt: skip
    """A dataclass field that knows its range, unit and meaning."""
    return field(default=default, metadata={"param": Param(help, unit, low, high, choices, pattern, form, source)})


def declaration(field: Field[Value]) -> tuple[Value, Param]:
    """The default of a field made by `param`, and what was declared of it."""
    assert field.default is not MISSING
    return field.default, field.metadata["param"]


def nearest(word: str, known: Sequence[str]) -> str:
    """'; did you mean X?' for a near miss, also in other letters or without the folder of a name; else ''."""
    close = get_close_matches(word, known, n=1)
    if not close:
        lower = {each.lower(): each for each in known} | {each.rpartition("/")[2].lower(): each for each in known}
        close = [lower[each] for each in get_close_matches(word.lower(), list(lower), n=1)]
    if not close:
        # Long names by how they begin: instagram for social/instagram-feed.
        close = [each for each in known if len(word) > 2 and each.rpartition("/")[2].startswith(word.lower())]
    return f"; did you mean {close[0]}?" if close else ""


def shown(value: object) -> str:
    """`value` for a message: its repr in one line, cut to what that can hold."""
    text = " ".join(line.strip() for line in repr(value).splitlines())
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"


def checked(declared: Param, default: Value, value: object, where: str) -> Value:
    """`value` as the type of `default` (bool, str, int or float) where `declared` allows it.

    A number given for text becomes text, a whole float given for an int becomes an int.
    Raises RecipeError naming `where`, the value, the range and the unit.
    """
    said = f"{where} = {shown(value)}"
    if isinstance(default, bool):
        return _truth(value, said)
    if isinstance(default, str):
        return _text(declared, value, said)
    return _amount(declared, default, value, said)


def _truth(value: object, said: str) -> bool:
    if isinstance(value, bool):
        return value
    meant = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
    word = meant.get(str(value).lower(), str(value).lower())
    near = f"; did you mean {word}?" if word in ("true", "false") else ""
    raise RecipeError(f"{said} is not allowed; it is true or false{near}")


def _text(declared: Param, value: object, said: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise RecipeError(f"{said} is not text" + (f"; it is {declared.allowed()}" if declared.choices else ""))
    text = str(value)
    if text in declared.choices:
        return text
    fits = re.fullmatch(declared.pattern, text) if declared.pattern else not declared.choices
    if not fits:
        raise RecipeError(f"{said} is not allowed; it is {declared.allowed()}{nearest(text, declared.choices)}")
    return text


def _amount(declared: Param, default: int | float, value: object, said: str) -> int | float:
    is_finite = not isinstance(value, float) or math.isfinite(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not is_finite:
        comma = isinstance(value, str) and re.fullmatch(r"\s*[-+]?\d+,\d+\s*", value)
        near = f"; did you mean {str(value).strip().replace(',', '.')}?" if comma else ""
        raise RecipeError(f"{said} is not a number; allowed: {declared.allowed()}{near}")
    if isinstance(default, int) and int(value) != value:
        raise RecipeError(f"{said} is not a whole number; allowed: {declared.allowed()}")
    if not declared.low <= value <= declared.high:
        raise RecipeError(f"{said} is outside {declared.allowed()}")
    return type(default)(value)


def require_keys(changes: object, known: Sequence[str], where: str) -> Mapping[str, Plain]:
    """`changes`, if it is a mapping with no key outside `known`; else RecipeError naming `where`."""
    if not isinstance(changes, Mapping):
        given = "empty" if changes is None else f"{shown(changes)}, not a mapping"
        raise RecipeError(f"{where} is {given}; leave it out or give any of: {', '.join(known)}")
    for key in changes:
        if key not in known:
            raise RecipeError(f"{where} has no key {shown(key)}{nearest(str(key), known)}; it has: {', '.join(known)}")
    return changes


def updated(value: D, changes: object, where: str) -> D:
    """A declared frozen dataclass with `changes` over it.

    Fields are declared by `param(...)` (a number, text or truth value), by metadata `part` (another
    such dataclass, which null switches off) or by metadata `strings` (a mapping of text to text,
    merged key by key, where null takes a key away). Raises RecipeError naming `where`, key, value
    and what is allowed.
    """
    known = {f.name: f for f in fields(value)}
    given = require_keys(changes, list(known), where)
    return with_values(value, {key: _changed(value, known[key], new, f"{where}.{key}") for key, new in given.items()})


def with_values(value: D, values: Mapping[str, object]) -> D:
    """A frozen dataclass with these values, by name, in place of its own; `Parameters` check them as when made."""
    return replace(value, **values)


def _changed(value: DataclassInstance, field: Field[Value], new: Plain, where: str) -> object:
    """What the field of `value` holds once it is given `new`."""
    old = getattr(value, field.name)
    if "part" in field.metadata:
        return None if new is None else updated(field.metadata["part"]() if old is None else old, new, where)
    if "strings" in field.metadata:
        return _strings(old, new, where)
    default, declared = declaration(field)
    return checked(declared, default, new, where)


def _strings(old: Mapping[str, str], new: object, where: str) -> dict[str, str]:
    if not isinstance(new, Mapping):
        raise RecipeError(f"{where} = {shown(new)} is not a mapping of names to values, like {{crf: 16}}")
    merged = dict(old)
    for key, value in new.items():
        if not _OPTION_NAME.fullmatch(key):
            raise RecipeError(f"{where} has the key {shown(key)}; a name is letters, digits and any of . _ -")
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, (int, float, str)) and not isinstance(value, bool):
            merged[key] = str(value)
        else:
            raise RecipeError(f"{where}.{key} = {shown(value)} is not text or a number (null takes it away)")
    return merged


@dataclass(frozen=True)
class Parameters:
    """Base of frozen dataclasses whose fields are an effect's `param(...)`s; checks each value when made.

    Each declares its own `strength`, of which 0 leaves every bit alone.
    Raises RecipeError naming the parameter, the value, the range and the unit.
    """

    name: ClassVar[str]

    strength: float = param(0.0, "How much of the effect there is; 0 is an exact identity.", low=0.0)

    def __post_init__(self) -> None:
        for f in fields(self):
            default, declared = declaration(f)
            value = checked(declared, default, getattr(self, f.name), f"{self.name}.{f.name}")
            object.__setattr__(self, f.name, value)

    @classmethod
    def declared(cls) -> dict[str, tuple[Value, Param]]:
        """Parameter name to (default, declaration), in order of declaration."""
        return {f.name: declaration(f) for f in fields(cls)}
