"""Values of options: from the word that the user wrote to what it means, or what is wrong with it."""

from __future__ import annotations

from argparse import ArgumentTypeError
from fractions import Fraction

from grainkit.errors import InputError


def path(text: str) -> str:
    """The name of a file, with a leading ~ replaced as shells do."""
    from grainkit.arguments import from_home

    return from_home(text)


def seed(text: str) -> int:
    """A whole number from 0 to the largest seed."""
    from grainkit.recipe.catalogue import MAX_SEED

    try:
        found = int(text)
    except ValueError:
        found = -1
    if not 0 <= found <= MAX_SEED:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 0 to {MAX_SEED}")
    return found


def size(text: str) -> tuple[int, int]:
    """Width and height in pixels, such as 1920x1080."""
    width, _, height = text.partition("x")
    try:
        found = int(width), int(height)
    except ValueError:
        found = (0, 0)
    if min(found) < 16:
        raise ArgumentTypeError(f"{text!r} is not a size such as 1920x1080 (16 px or more each way)")
    return found


def count(text: str, what: str = "whole number above 0") -> int:
    """A whole number above 0. what: the value in words."""
    try:
        found = int(text)
    except ValueError:
        found = 0
    if found < 1:
        raise ArgumentTypeError(f"{text!r} is not a {what}")
    return found


def mebibytes(text: str) -> int:
    """Bytes, from a number of MiB."""
    return count(text, "whole number of MiB above 0, such as 4096") << 20


def pixels(text: str) -> int:
    """A number of pixels; 500M is 500 million."""
    what = "number of pixels above 0, such as 500M"
    return count(text[:-1], what) * 1_000_000 if text.endswith("M") else count(text, what)


def frames(text: str) -> tuple[int, int | None]:
    """A range A:B of frames, B excluded; either may be left out."""
    first, colon, end = text.partition(":")
    try:
        found = int(first or 0), int(end) if end else None
    except ValueError:
        found = (-1, None)
    if not colon or found[0] < 0 or (found[1] is not None and found[1] <= found[0]):
        raise ArgumentTypeError(f"{text!r} is not A:B with 0 <= A < B, such as 10:20, :48 or 100:")
    return found


def rate(text: str) -> Fraction:
    """Frames per second, such as 25 or 30000/1001."""
    from grainkit.arguments import as_rate

    try:
        found = as_rate(text)
    except InputError as error:
        raise ArgumentTypeError(str(error)) from error
    assert found is not None
    return found
