"""Outputs appear whole or not at all: written beside their place, fsynced, renamed.

While a process makes one it holds a lock on it (flock). The lock ends with the process, however that ends, so
what nobody holds was left by a run that was killed; `sweep` removes it, or takes back what had begun to move.
Where locks cannot be had (Windows, some network disks) nothing is taken for stale.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grainkit.errors import OutputError

if sys.platform != "win32":
    import fcntl

#: In the name of everything that is not finished yet.
MARK = ".grainkit-part-"

#: Folder under construction in which replaced files wait until all new ones are in place.
_REPLACED = "replaced"
#: There too, while files are being moved into place: their names.
_MOVING = "moving"
#: Characters of the destination's name that go into the temporary one, so that it is never too long.
_STEM = 32
#: In the names of folders that are kept for another run of the same job.
_KEPT = "kept-"
#: What temporary names look like, and no other name is ever swept.
_OURS = re.compile(rf"\.(?P<stem>.{{0,{_STEM}}}){re.escape(MARK)}(\d+-[0-9a-f]{{8}}|(?P<kept>{_KEPT}\w+))(\..*)?", re.S)

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder with -o",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder with -o",
    errno.EFBIG: "the file system holds no file that large; choose another folder with -o",
    errno.EACCES: "no permission to write there; choose another folder with -o",
    errno.EPERM: "no permission to write there; choose another folder with -o",
    errno.EROFS: "the file system is read-only; choose another folder with -o",
    errno.ENOENT: "the folder does not exist; create it or choose another with -o",
    errno.ENOTDIR: "part of the path is a file, not a folder; choose another with -o",
    errno.EISDIR: "it is a folder; name a file in it with -o",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one with -o",
    errno.ELOOP: "its links lead in a circle; choose another folder with -o",
}


@contextmanager
def output_errors(path: Path | str) -> Iterator[None]:
    """Turn the operating system's refusals to write into an OutputError with the remedy.

    BrokenPipeError, and errors with no remedy known here, go through as they are.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        raise OutputError(f"cannot write {path}: {_REMEDIES[error.errno]}") from error


class Pending:
    """A file or folder under construction beside its destination.

    `path` is where to write: same folder (files for a folder that exists: in it), same suffix, a name with MARK
    in it. commit() fsyncs and
    renames it onto the destination; abort() removes it. Both may be called again and then do nothing.
    What was neither committed nor aborted is removed with the object, or when Python ends.
    waits_in: a folder on the same disk to write in, where the destination's own is yet to appear.
    kept: of a folder, a word by which another run finds it again: what is in it already is taken over, and
        whatever does not end in commit() leaves it there.
    Raises OutputError where the folder does not take it, or another process makes the same one at the moment.
    """

    def __init__(
        self, destination: Path, *, folder: bool = False, waits_in: Path | None = None, kept: str = ""
    ) -> None:
        self.destination = destination
        # Files for a folder that exists wait inside it: beside it may be another disk, or no permission.
        place = destination if folder and destination.is_dir() else waits_in or destination.parent
        with output_errors(destination):
            while True:
                token = f"{_KEPT}{kept}" if kept else f"{os.getpid()}-{secrets.token_hex(4)}"
                self.path = place / f".{destination.stem[:_STEM]}{MARK}{token}{destination.suffix}"
                self._held: list[int] = []
                # Made before the file: an interrupt in between finds nothing to remove, one after it finds the file.
                self._cleanup = weakref.finalize(self, _leave if kept else _discard, self.path, self._held)
                if folder:
                    self.path.mkdir(exist_ok=bool(kept))
                else:
                    self.path.touch(exist_ok=False)
                if _held(self.path, self._held, wait=not kept, unlockable=True):
                    return
                if kept:
                    _release(self._held)
                    raise OutputError(
                        f"another run is making {destination} at this moment; wait for it, or choose another place"
                    )
                # A sweep came between making and holding it.
                self._cleanup()

    def commit(self) -> None:
        """Put it in place; a folder that exists already takes the new files beside its own.

        Raises OutputError, or what the operating system raised; the destination is then as it was before.
        """
        if not self._cleanup.alive:
            return
        with output_errors(self.destination):
            if not self.path.is_dir():
                _fsync(self.path)
                self.path.replace(self.destination)
            else:
                for file in self.path.iterdir():
                    _fsync(file)
                if self.destination.exists():
                    self._move_files()
                else:
                    self.path.replace(self.destination)
            _fsync_folder(self.destination.parent)
        self._cleanup.detach()
        _release(self._held)

    def _move_files(self) -> None:
        """Every file into the folder that is there; all back again where one cannot be moved."""
        files = sorted(self.path.iterdir())
        replaced, moving = self.path / _REPLACED, self.path / _MOVING
        replaced.mkdir()
        # Under another name until it is whole: half of it would speak of files that are none of ours.
        listed = self.path / f"{_MOVING}.part"
        listed.write_bytes(b"\0".join(os.fsencode(file.name) for file in files))
        _fsync(listed)
        os.replace(listed, moving)
        try:
            for file in files:
                target = self.destination / file.name
                if target.exists():
                    target.replace(replaced / file.name)
                file.replace(target)
        except BaseException:
            _move_back(self.path, self.destination)
            raise
        # From here on all are in place, and what happens next takes none of them back.
        moving.unlink()
        shutil.rmtree(self.path)

    def abort(self) -> None:
        """Remove what was written (a kept one: leave it), unless it is in place already."""
        self._cleanup()


def sweep(folder: Path, destination: Path, spared: str = "") -> list[Path]:
    """Remove what runs that were killed left under construction in a folder; what was removed.

    What a process still makes stays, and so does what is kept for another run of a job, unless it is of this
    destination and kept by another word than `spared`. Where files of a killed run had begun to replace those of
    an earlier one, these come back.
    """
    try:
        names = [name for name in os.listdir(folder) if MARK in name]
    except OSError:
        return []  # writing there will say why
    removed = []
    for name in names:
        found = _OURS.fullmatch(name)
        if found is None:
            continue
        if found["kept"] and (found["stem"] != destination.stem[:_STEM] or found["kept"] == f"{_KEPT}{spared}"):
            continue
        path, held = folder / name, list[int]()
        try:
            if not path.is_symlink() and _held(path, held, wait=False, unlockable=False):
                if (path / _MOVING).exists():
                    _move_back(path, folder)
                _remove(path)
                removed.append(path)
        except OSError:
            continue  # gone meanwhile, or not ours to remove
        finally:
            _release(held)
    return removed


def unfinished(folder: Path, destination: Path) -> list[Path]:
    """Everything in a folder that is or was under construction for such a destination."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    found = [name for name in names if (m := _OURS.fullmatch(name)) and m["stem"] == destination.stem[:_STEM]]
    return [folder / name for name in found if name.endswith(destination.suffix)]


def kept_folder(destination: Path, word: str) -> Path | None:
    """The folder that an earlier run of a job kept for this destination; None where there is none."""
    place = destination if destination.is_dir() else destination.parent
    path = place / f".{destination.stem[:_STEM]}{MARK}{_KEPT}{word}{destination.suffix}"
    return path if path.is_dir() else None


def _held(path: Path, held: list[int], *, wait: bool, unlockable: bool) -> bool:
    """Hold the lock on a file or folder; False where another process does, or it is gone.

    held: takes the handle. unlockable: the answer where there are no locks.
    """
    if sys.platform == "win32":
        return unlockable
    try:
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    except FileNotFoundError:
        return False
    held.append(handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return unlockable
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _release(held: list[int]) -> None:
    while held:
        os.close(held.pop())


def _discard(path: Path, held: list[int]) -> None:
    _remove(path)
    _release(held)


def _leave(path: Path, held: list[int]) -> None:
    # One with nothing in it is of no use to another run.
    with contextlib.suppress(OSError):
        path.rmdir()
    _release(held)


def _move_back(path: Path, destination: Path) -> None:
    """Undo moves from a folder under construction into its destination: what was replaced is there again."""
    for name in map(os.fsdecode, (path / _MOVING).read_bytes().split(b"\0")):
        target, old = destination / name, path / _REPLACED / name
        if not (path / name).exists():
            target.unlink(missing_ok=True)
        if old.exists():
            old.replace(target)
    (path / _MOVING).unlink()


def _remove(path: Path) -> None:
    # What cannot be removed cannot be helped here: the reason for removing it is being raised already.
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _fsync_folder(path: Path) -> None:
    # Some network file systems, and Windows, cannot fsync a folder; the file itself is safe by then.
    with contextlib.suppress(OSError):
        _fsync(path)
