"""numba's compiler for functions that own no arrays, and need not count references to them.

Counting them for every row of every plane, on lines of cache that all threads share, would cost as much as the work.
Such a function must not be called from one that counts, nor give an array back to Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grainkit.machine.compiled import njit

#: What numba builds its own string functions with, unknown to its stubs.
_OPTIONS: Any = {"_nrt": False}


def uncounted(**more: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The decorator. more: options of numba's besides those that all functions of this package have."""
    compiler: Callable[[Callable[..., Any]], Callable[..., Any]] = njit(
        cache=True, nogil=True, error_model="numpy", **_OPTIONS, **more
    )
    return compiler
