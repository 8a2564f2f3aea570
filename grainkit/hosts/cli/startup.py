"""What a process of the `grainkit` command's own does before and as libraries load, so that it begins sooner.

None of it changes what is computed, and none of it is for a program that uses grainkit as a library: it is that
program's to say what is loaded and when garbage is looked for.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any, Protocol

from grainkit.errors import UserError
from grainkit.params import shown

#: What numba loads where it finds it: linear algebra, and what measures its tests. No kernel needs either.
_LEFT_OUT = ("scipy", "coverage")
#: Minor versions of numba whose cache is reached into: those that `tests/hosts/test_startup.py` has passed with. Any
#: other one runs as it is.
TESTED_NUMBA = tuple(("0", str(minor)) for minor in range(61, 69))


def before_libraries() -> None:
    """To be called before numpy and numba are imported."""
    for name in _LEFT_OUT:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    # What is solved here is small: OpenBLAS' other threads would spin for longer than they work.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _say_whatever_names_hold()


def _say_whatever_names_hold() -> None:
    """Let consoles and pipes that know few characters (code page 1252, ASCII) take all: those that they lack are
    written as \\uXXXX, where Python would raise an error on stdout."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def bear_closed_stderr() -> None:
    """Let what is said go nowhere where standard error is closed (`2>&-`).

    `print` would put it on standard output, among frames, and the next file that is opened would take its number,
    where libraries write their warnings.
    """
    if sys.stderr is not None:
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.fstat(2)
    except OSError:
        os.dup2(nothing, 2)
    if nothing > 2:
        os.close(nothing)
    sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (it lives as long as the process)


def refuse_settings_of_numba() -> None:
    """Raise UserError for variables that numba cannot work by, before it is loaded: it tells a traceback of them.

    Where it is loaded already they are that program's.
    """
    if "numba" in sys.modules:
        return
    threads = os.environ.get("NUMBA_NUM_THREADS", "").strip()
    if threads and not (threads.isascii() and threads.isdecimal() and int(threads) > 0):
        raise UserError(
            f"NUMBA_NUM_THREADS = {shown(threads)} is no number of threads; set it to a whole number above 0, or unset "
            "it for all cores"
        )
    if os.environ.get("NUMBA_DISABLE_JIT", "").strip() not in ("", "0"):
        raise UserError("NUMBA_DISABLE_JIT leaves nothing compiled, and kernels cannot run so; unset it")


def load() -> None:
    """Load what finishes pictures. Garbage is not looked for meanwhile, nor afterwards among what stays for good: that
    takes a tenth of a start. UserError as of `refuse_settings_of_numba`."""
    refuse_settings_of_numba()
    if "grainkit.job.finish" in sys.modules or not gc.isenabled():
        return
    gc.disable()
    try:
        import_module("grainkit.job.finish")
        import numba

        leave_registries_to_the_compiler(numba.__version__)
    finally:
        gc.freeze()
        gc.enable()


def begin_apart() -> None:
    """Begin a process that does jobs for the command: load what they need before any of it is asked for."""
    before_libraries()
    load()


class _Cache(Protocol):
    """What of numba's cache of one function is reached into."""

    def _guard_against_spurious_io_errors(self) -> AbstractContextManager[None]: ...
    def _load_overload(self, sig: object, target_context: object) -> object: ...


def leave_registries_to_the_compiler(version: str) -> None:
    """Let numba read compiled functions from its cache without all that it needs to compile one.

    Before it looks into its cache it imports and registers what every function of Python and numpy compiles to: a
    sixth of a start (`python -m benchmarks.startup`). Code from the cache needs its runtime alone; where there is none,
    the compiler registers the rest for itself.
    version: numba's. One that is not in TESTED_NUMBA is left as it is.
    """
    if tuple(version.split(".")[:2]) not in TESTED_NUMBA:
        return
    from numba.core import caching
    from numba.core.runtime import nrt

    def load_overload(self: _Cache, sig: object, target_context: object) -> object:
        nrt.rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    kind: Any = caching.Cache  # whose methods are not ours to assign to
    kind.load_overload = load_overload
