"""What is told of an error, whatever it is, and with what status the command ends for it."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TypeGuard

from grainkit.errors import GrainkitError
from grainkit.unforeseen import done_meanwhile, in_one_line

_NO_MEMORY = "out of memory; finish it at a smaller size, or fewer inputs at a time"


@dataclass(frozen=True)
class Failure:
    """What a job failed with, in words, and the exit status for it."""

    message: str
    exit_status: int


def failure_of(error: Exception, input: str = "") -> Failure:
    """What is told of an error, whatever it is. input: the one of a series that it failed."""
    if isinstance(error, GrainkitError):
        return Failure(str(error), error.exit_status)
    place = f"{input}: " if input else ""
    if isinstance(error, MemoryError):
        return Failure(f"{place}{_NO_MEMORY}", 1)
    if of_the_system(error):
        if error.errno == errno.ENAMETOOLONG:
            return Failure(f"{cut(str(error.filename))}: {error.strerror}; give a shorter one", 2)
        told = f"{error.filename}: " if error.filename else place or f"{done_meanwhile(error)}: ".removeprefix(": ")
        return Failure(f"{told}{error.strerror}", 1)
    return Failure(in_one_line(error), 1)


def of_the_system(error: Exception) -> TypeGuard[OSError]:
    """Whether the operating system refused, which its own words say; libraries raise OSError for much besides."""
    return isinstance(error, OSError) and error.errno is not None and type(error).__module__ == "builtins"


def cut(word: str) -> str:
    """A word that is no longer than a line takes."""
    return word if len(word) <= 80 else f"{word[:60]}... ({len(word)} characters)"
