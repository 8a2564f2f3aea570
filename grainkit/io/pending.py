"""Outputs appear whole or not at all: written beside their place, fsynced, renamed.

While a process makes one it holds a lock on it (filelock's). The lock ends with the process, however that ends, so
what nobody holds was left by a run that was killed; `sweep` removes it, or takes back what had begun to move.
Where locks cannot be had (some network disks) nothing is taken for stale.

On Windows a file that is open can be neither renamed nor written by another handle while it is locked: there the lock
is on an empty file beside it (`LOCK`), and what has none is not taken for stale. Elsewhere that file is heeded where
it is, as on a disk that both share.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor

from grainkit.errors import OutputError
from grainkit.io.names import refuse_name
from grainkit.machine import system

#: In the name of everything that is not finished yet.
MARK = ".grainkit-part-"

#: Ends the name of the file that is locked for another one.
LOCK = ".lock"
#: Seconds between tries, and tries, where a file may be open for a moment: programs look into what is new.
_OPEN_FOR, _TRIES = 0.1, 10

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
        refuse_name(destination)
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
                if system.OPEN_FILES_MOVE:
                    self._make(folder, exist_ok=bool(kept))
                    held = _held(self.path, self._held, wait=not kept, unlockable=True)
                else:
                    # The lock comes first: there what has one and is not held is swept.
                    held = _held(self.path, self._held, wait=not kept, unlockable=True, made=True)
                    if held:
                        self._make(folder, exist_ok=bool(kept))
                if held:
                    return
                if kept:
                    _release(self.path, self._held)
                    raise OutputError(
                        f"another run is making {destination} at this moment; wait for it, or choose another place"
                    )
                # A sweep came between making and holding it.
                self._cleanup()

    def _make(self, folder: bool, *, exist_ok: bool) -> None:
        if folder:
            self.path.mkdir(exist_ok=exist_ok)
        else:
            self.path.touch(exist_ok=False)

    def commit(self) -> None:
        """Put it in place; a folder that exists already takes the new files beside its own.

        Raises OutputError, or what the operating system raised; the destination is then as it was before.
        """
        if not self._cleanup.alive:
            return
        with output_errors(self.destination):
            if not self.path.is_dir():
                system.to_disk(self.path)
                _put(self.path, self.destination)
            else:
                files = list(self.path.iterdir())
                for left, file in enumerate(files, start=1 - len(files)):
                    system.to_disk(file, through=left == 0)
                if self.destination.exists():
                    self._move_files()
                else:
                    _put(self.path, self.destination)
            system.folder_to_disk(self.destination.parent)
        self._cleanup.detach()
        _release(self.path, self._held)

    def _move_files(self) -> None:
        """Every file into the folder that is there; all back again where one cannot be moved."""
        files = sorted(self.path.iterdir())
        replaced, moving = self.path / _REPLACED, self.path / _MOVING
        replaced.mkdir()
        # Under another name until it is whole: half of it would speak of files that are none of ours.
        listed = self.path / f"{_MOVING}.part"
        listed.write_bytes(b"\0".join(os.fsencode(file.name) for file in files))
        system.to_disk(listed)
        os.replace(listed, moving)
        try:
            for file in files:
                target = self.destination / file.name
                if target.exists():
                    _put(target, replaced / file.name, named=target)
                _put(file, target)
        except BaseException:
            _move_back(self.path, self.destination)
            raise
        # From here on all are in place, and what happens next takes none of them back.
        moving.unlink()
        _remove(self.path)

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
        if name.endswith(LOCK):
            path = path.with_name(name.removesuffix(LOCK))
            if os.path.lexists(path):
                continue  # goes with what it is for
        try:
            if not path.is_symlink() and _held(path, held, wait=False, unlockable=False):
                if (path / _MOVING).exists():
                    _move_back(path, folder)
                if os.path.lexists(path):
                    _remove(path)
                    removed.append(path)
        except OSError:
            continue  # gone meanwhile, or not ours to remove
        finally:
            _release(path, held)
    return removed


def unfinished(folder: Path, destination: Path) -> list[Path]:
    """Everything in a folder that is or was under construction for such a destination."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    found = [name for name in names if (m := _OURS.fullmatch(name)) and m["stem"] == destination.stem[:_STEM]]
    return [folder / name for name in found if name.endswith(destination.suffix) and not name.endswith(LOCK)]


def kept_folder(destination: Path, word: str) -> Path | None:
    """The folder that an earlier run of a job kept for this destination; None where there is none."""
    place = destination if destination.is_dir() else destination.parent
    path = place / f".{destination.stem[:_STEM]}{MARK}{_KEPT}{word}{destination.suffix}"
    return path if path.is_dir() else None


def _held(path: Path, held: list[int], *, wait: bool, unlockable: bool, made: bool = False) -> bool:
    """Hold the lock on a file or folder; False where another process does, or there is nothing to lock.

    held: takes the handles. unlockable: the answer where there are no locks. made: the file that is locked in its
    place is made, where it is missing.
    """
    beside = path.with_name(path.name + LOCK)
    places = [*([path] if system.OPEN_FILES_MOVE and os.path.lexists(path) else []), beside]
    if not made and not os.path.lexists(beside):
        places.remove(beside)
    answers = []
    for place in places:
        flags = os.O_RDONLY if place.is_dir() else os.O_RDWR | (os.O_CREAT if made else 0)
        try:
            held.append(handle := os.open(place, flags))
        except FileNotFoundError:
            return False
        except PermissionError:
            if system.OPEN_FILES_MOVE or made:
                raise
            return False  # being removed at this moment
        try:
            if not lock_descriptor(handle, blocking=wait):
                return False
            answers.append(os.path.samestat(os.fstat(handle), place.stat()))
        except FileNotFoundError:
            return False
        except OSError:
            answers.append(unlockable)
    return bool(answers) and all(answers)


def _release(path: Path, held: list[int]) -> None:
    """Let go of it, and of the file that is locked in its place where there is nothing left to lock."""
    ours = bool(held)
    while held:
        os.close(held.pop())
    beside = path.with_name(path.name + LOCK)
    if ours and os.path.lexists(beside) and not os.path.lexists(path):
        with contextlib.suppress(OSError):  # another process has it open, and will remove it
            beside.unlink()


def _put(path: Path, target: Path, named: Path | None = None) -> None:
    """Rename over what is there. named: whom it is about where that is refused, `target` for None."""
    for left in reversed(range(_TRIES)):
        try:
            path.replace(target)
            return
        except PermissionError as error:
            if system.OPEN_FILES_MOVE:
                raise
            if left == 0:
                about = named or target
                if not about.exists():
                    raise
                raise OutputError(
                    f"cannot write {about}: it is open in another program, or read-only; close it there, or choose "
                    "another name with -o"
                ) from error
            time.sleep(_OPEN_FOR)


def _discard(path: Path, held: list[int]) -> None:
    _remove(path)
    _release(path, held)


def _leave(path: Path, held: list[int]) -> None:
    # One with nothing in it is of no use to another run.
    with contextlib.suppress(OSError):
        path.rmdir()
    _release(path, held)


def _move_back(path: Path, destination: Path) -> None:
    """Undo moves from a folder under construction into its destination: what was replaced is there again."""
    for name in map(os.fsdecode, (path / _MOVING).read_bytes().split(b"\0")):
        target, old = destination / name, path / _REPLACED / name
        if not (path / name).exists():
            target.unlink(missing_ok=True)
        if old.exists():
            _put(old, target)
    (path / _MOVING).unlink()


def _remove(path: Path) -> None:
    # What cannot be removed cannot be helped here: the reason for removing it is being raised already.
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
