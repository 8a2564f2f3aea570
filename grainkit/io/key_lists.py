"""Keys in a note: a file may hold thousands of them, and letters without end in each."""

from __future__ import annotations

from collections.abc import Sequence

#: How many keys are named, and characters that are shown of each.
_NAMED, _LONGEST = 10, 80


def keys_named(keys: Sequence[str]) -> str:
    """The first ten keys, each cut to 80 characters, and how many more there are."""
    shown = ", ".join(key if len(key) <= _LONGEST else f"{key[: _LONGEST - 3]}..." for key in keys[:_NAMED])
    return shown + (f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else "")
