"""What callers give, from Python or a command line, brought to the one form that the rest takes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from numbers import Integral, Rational, Real
from pathlib import Path
from urllib.parse import unquote

from grainkit.errors import InputError, OutputError, RecipeError
from grainkit.params import shown

#: Overrides as they may be given: a mapping (flat or nested) of keys to values, or KEY=VALUE each.
GivenSettings = Mapping[str, object] | Iterable[str]
#: Frames per second as they may be given.
GivenRate = int | float | str | Fraction

#: Fastest frame rate, frames per second.
MOST_RATE = 1000
#: Whole rates that television runs 1000/1001 times as fast, and how far their usual short forms (23.976, 23.98,
#: 29.97) may be from that.
_NTSC, _SHORT = (24, 30, 48, 60, 72, 96, 120, 240), Fraction(5, 1000)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_RATE_FORM = r"\d{1,9}(/\d{1,9}|\.\d{1,6})?"


def is_url(text: str) -> bool:
    """Whether it is an address and not the name of a file."""
    return _URL.match(text) is not None


def as_assignments(settings: GivenSettings) -> list[str]:
    """Overrides as KEY=VALUE each, VALUE as YAML reads it.

    settings: {'cinema_grain.strength': 1.5}, {'cinema_grain': {'strength': 1.5}}, or KEY=VALUE in a list.
    Raises RecipeError for other things, and for values that are no single text, number or truth value.
    """
    if isinstance(settings, Mapping):
        return list(_flat(settings, ""))
    if isinstance(settings, (str, bytes)) or not isinstance(settings, Iterable):
        raise RecipeError(
            f"settings = {shown(settings)} are no settings; give a mapping such as {{'cinema_grain.strength': 1.5}}, "
            "or a list of KEY=VALUE"
        )
    given = list(settings)
    for one in given:
        if not isinstance(one, str):
            raise RecipeError(f"settings hold {shown(one)}; each is KEY=VALUE, such as 'cinema_grain.strength=1.5'")
    return given


def _flat(settings: Mapping[str, object], above: str) -> Iterable[str]:
    for name, value in settings.items():
        if not isinstance(name, str) or not name or "=" in name:
            raise RecipeError(f"settings have the key {shown(name)}; a key is text such as 'cinema_grain.strength'")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}={_scalar(value, above + name)}"


def _scalar(value: object, key: str) -> str:
    """A value as YAML reads it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Real):
        # repr is the shortest text that reads back as the same number; NumPy's types have one of their own.
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    if isinstance(value, str):
        # Single quotes keep text text: '1:0' and 'true' too.
        return "'" + value.replace("'", "''") + "'"
    raise RecipeError(
        f"settings: {key} = {shown(value)} is of type {type(value).__name__}; a value is a number, a text, true "
        "or false (lists go into a recipe file)"
    )


def as_rate(rate: GivenRate | None) -> Fraction | None:
    """Frames per second as a fraction: 25, 23.976 (24000/1001), '30000/1001', '29.97' or a Fraction; None stays None.

    InputError for anything else, and outside 0 to 1000.
    """
    if rate is None:
        return None
    given: object = rate
    found = None
    if isinstance(given, str):
        # Nine places say every rate there is; a power of ten such as 1e99999999 would take hours to write out.
        if re.fullmatch(_RATE_FORM, given, re.ASCII) and not re.fullmatch(r".*/0+", given):
            found = Fraction(given)
    elif isinstance(given, bool):
        found = None
    elif isinstance(given, Rational):
        found = Fraction(int(given.numerator), int(given.denominator))
    elif isinstance(given, Real) and abs(float(given)) <= MOST_RATE:
        found = Fraction(f"{float(given):.6f}")
    if found is None or not 0 < found <= MOST_RATE:
        raise InputError(f"{shown(rate)} is not a frame rate, such as 25, 23.976 or 30000/1001 (0 to {MOST_RATE} fps)")
    return _exact(found)


def _exact(rate: Fraction) -> Fraction:
    """The rate that is meant where a decimal only comes near it: 24000/1001 for 23.976 and 23.98."""
    for whole in _NTSC:
        meant = Fraction(whole * 1000, 1001)
        if rate.denominator > 1 and abs(rate - meant) < _SHORT:
            return meant
    return rate


def from_home(text: str) -> str:
    """A path with a leading ~ replaced by the home folder, as shells do unless it is quoted or behind a `=`."""
    return os.path.expanduser(text) if text.startswith("~") and not os.path.lexists(text) else text


def as_place(given: object, role: str) -> str | Path:
    """A path as it was given. role: the argument's name.

    InputError where it is none, or an address; OutputError of an output.
    """
    kind = OutputError if role == "output" else InputError
    if "\0" in (os.fsdecode(given) if isinstance(given, (str, bytes, os.PathLike)) else ""):
        raise kind(f"{role} = {shown(given)} holds a NUL character, which no file's name does; take it out")
    if isinstance(given, str) and is_url(given):
        raise kind(f"{_shortened(given)}: {_of_address(given, role)}")
    if isinstance(given, (str, Path)) and str(given):
        return given
    if isinstance(given, os.PathLike):
        return Path(os.fsdecode(given))
    if isinstance(given, str):
        raise kind(f"{role} is empty; give the name of a file")
    library = type(given).__module__.partition(".")[0]
    remedy = "give a path as text"
    if library in ("numpy", "PIL", "torch", "cupy"):
        remedy = "pictures in memory go through finish_array()"
    raise kind(f"{role} = {shown(given)} is of type {type(given).__name__}, not a path; {remedy}")


def _of_address(text: str, role: str) -> str:
    """Why an address will not do, and what will."""
    scheme, _, rest = text.partition("://")
    if scheme.lower() == "file":
        place = unquote(rest.partition("/")[1] + rest.partition("/")[2])
        return f"is the address of a file; give its path, {place or 'such as /home/me/a.png'}"
    if role == "output":
        return "is an address, and grainkit writes files; write a file, and upload that"
    return "is an address, and grainkit reads files; download it first, and give the name of the file"


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:60]}..."


def as_frames(frames: object) -> tuple[int, int | None]:
    """A range (first, end) of frames, end excluded or None. InputError where it is none."""
    if isinstance(frames, (tuple, list)) and len(frames) == 2:
        first, end = _count(frames[0]), _count(frames[1])
        if first is not None and (frames[1] is None or (end is not None and end > first)):
            return first, end
    said = "(first, end) with 0 <= first < end, such as (10, 20), or (10, None) for to the last"
    raise InputError(f"frames = {shown(frames)} is not {said}")


def as_most_pixels(given: object) -> int | None:
    """The most pixels that a picture may have; None, and 0, stand for the default. InputError where it is none."""
    if given is None:
        return None
    count = _count(given)
    if count is None:
        raise InputError(f"max_pixels = {shown(given)} is no number of pixels, such as 500_000_000")
    return count


def as_index(given: object) -> int | None:
    """The number of a frame of a clip, None for a still. InputError where it is none."""
    if given is None:
        return None
    count = _count(given)
    if count is None:
        raise InputError(f"index = {shown(given)} is no frame's number; give a whole number from 0 on, or leave it out")
    return count


def _count(value: object) -> int | None:
    """A whole number from 0 on, NumPy's among them; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 0:
        return None
    return int(value)
