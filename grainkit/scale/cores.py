"""How many cores this process may use."""

from __future__ import annotations

from grainkit.machine.system import own_cores


def cores() -> int:
    """Those that it is held to, where the system tells; all of the machine's otherwise."""
    return own_cores()
