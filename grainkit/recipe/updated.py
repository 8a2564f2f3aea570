"""Frozen values with changes from a mapping: every key known, every value in its range."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import Field, fields, replace
from typing import Any, TypeVar

from grainkit.errors import RecipeError
from grainkit.params import checked, nearest, shown

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def require_keys(changes: object, known: list[str], where: str) -> Mapping[str, Any]:
    """`changes`, if it is a mapping with no key outside `known`; else RecipeError naming `where`."""
    if not isinstance(changes, Mapping):
        given = "empty" if changes is None else f"{shown(changes)}, not a mapping"
        raise RecipeError(f"{where} is {given}; leave it out or give any of: {', '.join(known)}")
    for key in changes:
        if key not in known:
            raise RecipeError(f"{where} has no key {shown(key)}{nearest(str(key), known)}; it has: {', '.join(known)}")
    return changes


def updated(value: T, changes: object, where: str) -> T:
    """A declared frozen dataclass with `changes` over it.

    Fields are declared by `param(...)` (a number, text or truth value), by metadata `part` (another
    such dataclass, which null switches off) or by metadata `strings` (a mapping of text to text,
    merged key by key, where null takes a key away). Raises RecipeError naming `where`, key, value
    and what is allowed.
    """
    known: dict[str, Field[Any]] = {f.name: f for f in fields(value)}  # type: ignore[arg-type]
    given = require_keys(changes, list(known), where)
    made = {key: _one(known[key], getattr(value, key), new, f"{where}.{key}") for key, new in given.items()}
    return replace(value, **made)  # type: ignore[type-var]


def _one(field: Field[Any], old: Any, new: Any, where: str) -> Any:
    if "part" in field.metadata:
        return None if new is None else updated(field.metadata["part"]() if old is None else old, new, where)
    if "strings" in field.metadata:
        return _strings(old, new, where)
    return checked(field.metadata["param"], field.default, new, where)


def _strings(old: Mapping[str, str], new: object, where: str) -> dict[str, str]:
    if not isinstance(new, Mapping):
        raise RecipeError(f"{where} = {shown(new)} is not a mapping of names to values, like {{crf: 16}}")
    merged = dict(old)
    for key, value in new.items():
        if not _NAME.fullmatch(key):
            raise RecipeError(f"{where} has the key {shown(key)}; a name is letters, digits and any of . _ -")
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, (int, float, str)) and not isinstance(value, bool):
            merged[key] = str(value)
        else:
            raise RecipeError(f"{where}.{key} = {shown(value)} is not text or a number (null takes it away)")
    return merged
