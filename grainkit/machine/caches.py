"""Where grainkit keeps what it could make again: compiled code and skins."""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from platformdirs import user_cache_path

from grainkit.machine.system import user

#: Names the folder, in place of the user's own.
VARIABLE = "GRAINKIT_CACHE"


@dataclass(frozen=True)
class Place:
    """A folder of caches. folder: None where nothing can be kept. why: why it is not the user's own, '' where it is."""

    folder: Path | None
    kind: Literal["asked", "user", "temporary", "none"]
    why: str = ""


def place() -> Place:
    """$GRAINKIT_CACHE, else the user's cache folder, else one of this user alone under the temporary folder.

    Code that is run comes from there: a folder that others can write to, or own, is not taken.
    """
    asked = os.environ.get(VARIABLE)
    if asked:
        return Place(Path(asked).absolute(), "asked")
    own = _own()
    if own is not None and writable(own):
        return Place(own, "user")
    why = "there is no home folder" if own is None else f"{own} cannot be written"
    folder, refusal = _temporary()
    return Place(None, "none", f"{why}, and {refusal}") if folder is None else Place(folder, "temporary", why)


def _own() -> Path | None:
    try:
        own = user_cache_path("grainkit", appauthor=False)
    except RuntimeError:
        return None
    # Older platformdirs leave '~' as it is written where there is no home.
    return own if own.is_absolute() else None


def cache_folder() -> Path | None:
    """The folder of `place`."""
    return place().folder


def writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def find_for_cupy() -> None:
    """Tell CuPy where to keep the kernels it compiles, where it would find no place by itself (CUPY_CACHE_DIR)."""
    own = Path(os.path.expanduser("~/.cupy/kernel_cache"))
    if "CUPY_CACHE_DIR" in os.environ or (own.is_absolute() and writable(own)):
        return
    folder = cache_folder()
    if folder is None:
        os.environ.setdefault("CUPY_CACHE_IN_MEMORY", "1")
    else:
        os.environ["CUPY_CACHE_DIR"] = str(folder / "cuda")


def _temporary() -> tuple[Path | None, str]:
    """A folder under the temporary one that nobody else can write to; None, and why, where there is none."""
    try:
        above = Path(tempfile.gettempdir())
    except FileNotFoundError:
        return None, "there is no temporary folder to write to"
    if "TMPDIR" not in os.environ and above == Path.cwd():
        return None, "there is no temporary folder to write to"  # Python would take the one it stands in
    number = user()
    folder = above / ("grainkit" if number is None else f"grainkit-{number}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        refusal = _refusal(folder, number)
    except OSError as error:
        return None, f"{folder} cannot be made ({error.strerror or error})"
    if not refusal and not writable(folder):
        refusal = "cannot be written"
    return (None, f"{folder} {refusal}") if refusal else (folder, "")


def _refusal(folder: Path, number: int | None) -> str:
    """Why a folder is not safe, '' where it is. number: of the user; None where users have none (Windows, whose
    temporary folder is the user's own)."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return "is no folder"
    if number is None:
        return ""
    if found.st_uid != number:
        return "is another user's"
    if stat.S_IMODE(found.st_mode) & 0o077:
        return "is open to other users"
    above = folder.parent.stat().st_mode
    if above & stat.S_IWOTH and not above & stat.S_ISVTX:
        return "lies where other users may replace it"
    return ""
