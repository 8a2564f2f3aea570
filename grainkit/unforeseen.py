"""Errors that nobody foresaw, in one line: what was being done, which library said what, and how to report it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from grainkit.errors import GrainkitError

T = TypeVar("T")

#: How a note of `doing` begins; libraries put notes of their own on errors.
_WHILE = "while "
#: Characters of an error's own words that are told; numba's go on for pages.
_LONGEST = 240


@contextmanager
def doing(what: str) -> Iterator[None]:
    """An unforeseen error that leaves the block is noted to have come up while `what`, such as 'reading clip.mp4'.

    Where blocks lie within each other the innermost is told.
    """
    try:
        yield
    except GrainkitError:
        raise
    except Exception as error:
        if not done_meanwhile(error):
            error.add_note(f"{_WHILE}{what}")
        raise


def noted(items: Iterable[T], what: str) -> Iterator[T]:
    """The items; an error that comes up as one is made is noted as by `doing`."""
    with doing(what):
        yield from items


def in_one_line(error: BaseException) -> str:
    """What the user is told of an error that nobody foresaw."""
    return (
        f"{what_failed(error)}; nobody foresaw this: please report it with what the command prints when --debug is "
        "added, and with what `grainkit doctor` says"
    )


def what_failed(error: BaseException) -> str:
    """What was being done, which library failed, and with what."""
    words = " ".join(_words_of(error).split())
    if len(words) > _LONGEST:
        words = f"{words[:_LONGEST].rstrip()} …"
    said = f"{type(error).__name__}: {words}" if words else type(error).__name__
    meanwhile = done_meanwhile(error)
    return f"{meanwhile}{', ' if meanwhile else ''}{_library(error)} failed with {said}"


def _words_of(error: BaseException) -> str:
    """An error's own words; where it cannot even say them, that."""
    try:
        return str(error)
    except Exception as another:
        return f"(it has no words: {type(another).__name__})"


def done_meanwhile(error: BaseException) -> str:
    """What was being done as an error came up, such as 'while reading clip.mp4'; '' where nothing notes it."""
    notes: Iterable[str] = getattr(error, "__notes__", ())
    return next((note for note in notes if note.startswith(_WHILE)), "")


def _library(error: BaseException) -> str:
    """The package whose error it is, or else in whose code it came up, with its version where it tells one.

    Code of Python's own library is not meant: that is where wrong values end up, not where they come from.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = [type(error).__module__, *(str(frame.f_globals.get("__name__", "")) for frame in reversed(frames))]
    packages = (module.partition(".")[0] for module in modules)
    name = next((each for each in packages if each and each not in sys.stdlib_module_names), "grainkit")
    version = getattr(sys.modules.get(name), "__version__", None)
    return f"{name} {version}" if isinstance(version, str) else name
