"""Every error grainkit raises on purpose.

GrainkitError                 exit status 1: something failed that the message names
├── EncodingError             an encoder or muxer refused a frame midway
└── UserError                 exit status 2: the user can mend it, and the message says how
    ├── InputError            missing, empty, truncated or not what its name says
    ├── OutputError           exists already, not writable, disk full, no such format
    ├── RecipeError           unknown preset, key or effect; a value outside its range
    └── BackendUnavailable    a backend asked for by name that cannot run here

A message is one line: what, where, what is allowed, the remedy.
"""

from __future__ import annotations

from typing import ClassVar


class GrainkitError(Exception):
    """Base of all; `exit_status` is what the command ends with."""

    exit_status: ClassVar[int] = 1


class EncodingError(GrainkitError):
    """An encoder or muxer failed while writing."""


class UserError(GrainkitError):
    """Something the user can mend."""

    exit_status: ClassVar[int] = 2


class InputError(UserError):
    """An input is missing, empty, truncated or not what its name says."""


class OutputError(UserError):
    """An output exists already, cannot be written, or has a format that is not known."""


class RecipeError(UserError):
    """A preset, recipe, effect, parameter or value that is not allowed."""


class BackendUnavailable(UserError):
    """A backend asked for by name cannot run on this machine."""
