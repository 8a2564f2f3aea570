"""numba's compiler, and where what it compiles is kept for the next process.

Every compiled function of grainkit comes from `njit` or `uncounted`. It goes where numba puts it (`NUMBA_CACHE_DIR`, or
`__pycache__` beside the code) where that can be written, else into grainkit's cache folder (`machine.caches`), else
nowhere, and then every process compiles for itself. numba alone would raise an error instead.
A cache that can be read and not written, as an image has that was made by another user, is copied there first.
A disk that is full by the time something is to be kept only costs that: it is compiled again by the next process.
"""

from __future__ import annotations

import functools
import logging
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numba

from grainkit.machine import caches

F = TypeVar("F", bound=Callable[..., object])

_PACKAGE = Path(__file__).parents[1]
#: Modules are loaded on several threads.
_one_at_a_time = threading.Lock()
#: What refused to keep something, in words; no more than the first is told.
_refusals: list[str] = []
#: numba's settings as they are now: its stubs know none of them.
_config: Any = numba.config


class _Index(Protocol):
    """numba's list, in a file, of what was compiled of one function."""

    _load_index: Callable[[], dict[object, str]]


class _Cache(Protocol):
    """numba's cache of one function."""

    cache_path: str
    save_overload: Callable[[object, object], None]
    _cache_file: _Index


@dataclass(frozen=True)
class Kept:
    """Where what is compiled is kept.

    folder: None where it cannot be. by_numba: whether numba finds it by itself. passing: whether it is below the
    temporary folder. why: why it is not where numba would have it, '' where it is.
    """

    folder: Path | None
    by_numba: bool = False
    passing: bool = False
    why: str = ""


@functools.cache
def kept(source: Path = _PACKAGE) -> Kept:
    """Where functions of a folder of source files are kept."""
    with _one_at_a_time:
        asked = _config.CACHE_DIR
    beside = source / "__pycache__"
    refused = f"NUMBA_CACHE_DIR, {asked}, cannot be written" if asked else ""
    if asked and caches.writable(Path(asked)):
        return Kept(Path(asked), by_numba=True)
    if caches.writable(beside):
        return Kept(beside, by_numba=True, why=refused)
    found = caches.place()
    why = ", ".join(filter(None, (refused, f"{beside} cannot be written", found.why)))
    folder = None if found.folder is None else found.folder / "compiled"
    if folder is None or not caches.writable(folder):
        return Kept(None, why=why)
    return Kept(folder, passing=found.kind == "temporary", why=why)


def unkept() -> str:
    """Why something that this process compiled could not be kept, '' where all was."""
    return _refusals[0] if _refusals else ""


def is_cold() -> bool:
    """Whether nothing of ours was compiled and kept on this machine."""
    folder = kept().folder
    if folder is None:
        return True
    # numba's index of a function: beside the code, or in a folder of the cache for each folder of code.
    return next((_PACKAGE if folder.parent == _PACKAGE else folder).rglob("*.nbi"), None) is None


def njit(**options: Any) -> Callable[[F], F]:
    """`numba.njit` with these options, which keeps what it compiles wherever that can be kept."""

    def compiler(function: F) -> F:
        source = Path(function.__code__.co_filename).parent
        place = kept(source)
        compile_it: Callable[[F], F] = numba.njit(**{**options, "cache": place.folder is not None})
        # numba reads it as a function is declared: what other programs compile stays where it was.
        with _one_at_a_time:
            asked = _config.CACHE_DIR
            if not place.by_numba:
                _config.CACHE_DIR = str(place.folder or "")
            try:
                made = compile_it(function)
            finally:
                _config.CACHE_DIR = asked
        if place.folder is not None and hasattr(made, "_cache"):
            _keep_where_there_is_room(made._cache)
            _forget_what_is_no_more(made._cache)
        if place.folder is not None and not place.by_numba and hasattr(made, "stats"):  # NUMBA_DISABLE_JIT leaves none
            _fill(Path(made.stats.cache_path), source, asked)
        return made

    return compiler


def uncounted(*, inline: str = "never") -> Callable[[F], F]:
    """`njit` for functions that own no arrays, and need not count references to them.

    Counting them for every row of every plane, on lines of cache that all threads share, would cost as much as the
    work. Such a function must not be called from one that counts, nor give an array back to Python. It runs without
    Python's lock. inline: "always" where numba shall put it into the code of those that call it.
    """
    # _nrt is what numba builds its own string functions with.
    return njit(nogil=True, error_model="numpy", inline=inline, _nrt=False)


def _keep_where_there_is_room(cache: _Cache) -> None:
    """Let a function's cache go without what the system refuses to write: it is compiled, and can be run.

    numba would raise the error out of whatever called the function first, such as the decoding of a picture.
    """
    save = cache.save_overload

    def save_overload(sig: object, data: object) -> None:
        try:
            save(sig, data)
        except OSError as error:
            why = f"compiled code cannot be kept in {cache.cache_path}: {error.strerror or error}"
            with _one_at_a_time:
                _refusals.append(why)
            if len(_refusals) == 1:
                logging.getLogger("grainkit").warning(why)

    cache.save_overload = save_overload


def _forget_what_is_no_more(cache: _Cache) -> None:
    """Let an index that names types which were renamed or moved since, as by an update, be an empty one.

    Values go into compiled code as NamedTuples, and numba's index of a function holds their classes. It loads them
    before it looks whether the file is still the one that was compiled, and would raise an error.
    """
    file = cache._cache_file
    load = file._load_index

    def load_index() -> dict[object, str]:
        try:
            return load()
        except (AttributeError, ImportError):
            return {}

    file._load_index = load_index


@functools.cache
def _fill(folder: Path, source: Path, asked: str) -> None:
    """Copy into an empty folder of the cache what can be read, and not written, of one that was filled before.

    asked: NUMBA_CACHE_DIR.
    """
    others = [*([Path(asked) / folder.name] if asked else []), source / "__pycache__"]
    filled = next((one for one in others if any(one.glob("*.nbi"))), None)
    if filled is None or any(folder.glob("*.nbi")):
        return
    # The index goes last: what it names is there by then.
    for file in (*filled.glob("*.nbc"), *filled.glob("*.nbi")):
        part = folder / f".{file.name}.{os.getpid()}.part"
        try:
            shutil.copyfile(file, part)
            part.replace(folder / file.name)
        except OSError:
            part.unlink(missing_ok=True)  # it will be compiled instead
