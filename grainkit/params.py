"""Parameters, declared once: default, range, unit and one sentence, beside the field that holds them."""

from __future__ import annotations

import math
import re
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from typing import Any, ClassVar

from grainkit.errors import RecipeError


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
    default: Any, help: str, *, low: float = -math.inf, high: float = math.inf, unit: str = "",
    choices: tuple[str, ...] = (), pattern: str = "", form: str = "", source: str = "",
) -> Any:  # fmt: skip
    """A dataclass field that knows its range, unit and meaning."""
    return field(default=default, metadata={"param": Param(help, unit, low, high, choices, pattern, form, source)})


def nearest(word: str, known: list[str] | tuple[str, ...]) -> str:
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


def checked(declared: Param, default: Any, value: Any, where: str) -> Any:
    """`value` as the type of `default` (bool, str, int or float) where `declared` allows it.

    A number given for text becomes text, a whole float given for an int becomes an int.
    Raises RecipeError naming `where`, the value, the range and the unit.
    """
    said = f"{where} = {shown(value)}"
    if isinstance(default, bool):
        if not isinstance(value, bool):
            meant = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
            word = meant.get(str(value).lower(), str(value).lower())
            near = f"; did you mean {word}?" if word in ("true", "false") else ""
            raise RecipeError(f"{said} is not allowed; it is true or false{near}")
        return value
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(default, str):
        if not is_number and not isinstance(value, str):
            raise RecipeError(f"{said} is not text" + (f"; it is {declared.allowed()}" if declared.choices else ""))
        if str(value) in declared.choices:
            return str(value)
        if declared.choices and not declared.pattern:
            near = nearest(str(value), declared.choices)
            raise RecipeError(f"{said} is not allowed; it is {declared.allowed()}{near}")
        if declared.pattern and not re.fullmatch(declared.pattern, str(value)):
            near = nearest(str(value), declared.choices)
            raise RecipeError(f"{said} is not allowed; it is {declared.allowed()}{near}")
        return str(value)
    if not is_number or (isinstance(value, float) and not math.isfinite(value)):
        comma = isinstance(value, str) and re.fullmatch(r"\s*[-+]?\d+,\d+\s*", value)
        near = f"; did you mean {str(value).strip().replace(',', '.')}?" if comma else ""
        raise RecipeError(f"{said} is not a number; allowed: {declared.allowed()}{near}")
    if isinstance(default, int) and int(value) != value:
        raise RecipeError(f"{said} is not a whole number; allowed: {declared.allowed()}")
    if not declared.low <= value <= declared.high:
        raise RecipeError(f"{said} is outside {declared.allowed()}")
    return type(default)(value)


class Parameters:
    """Base of frozen dataclasses whose fields are `param(...)`s; checks each value when made.

    Raises RecipeError naming the parameter, the value, the range and the unit.
    """

    name: ClassVar[str]

    def __post_init__(self) -> None:
        for f in fields(self):  # type: ignore[arg-type]
            value = checked(f.metadata["param"], f.default, getattr(self, f.name), f"{self.name}.{f.name}")
            object.__setattr__(self, f.name, value)

    @classmethod
    def declared(cls) -> dict[str, tuple[Any, Param]]:
        """Parameter name to (default, declaration), in order of declaration."""
        found = {}
        for f in fields(cls):  # type: ignore[arg-type]
            assert f.default is not MISSING
            found[f.name] = (f.default, f.metadata["param"])
        return found
