"""Outputs appear whole or not at all: written beside their place, fsynced, renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grainkit.errors import OutputError

#: In the name of everything that is not finished yet.
MARK = ".grainkit-part-"

#: Folder under construction in which replaced files wait until all new ones are in place.
_REPLACED = "replaced"
#: Characters of the destination's name that go into the temporary one, so that it is never too long.
_STEM = 32

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
    Raises OutputError where the folder does not take it.
    """

    def __init__(self, destination: Path, *, folder: bool = False, waits_in: Path | None = None) -> None:
        self.destination = destination
        name = f".{destination.stem[:_STEM]}{MARK}{os.getpid()}-{secrets.token_hex(4)}{destination.suffix}"
        # Files for a folder that exists wait inside it: beside it may be another disk, or no permission.
        self.path = (destination if folder and destination.is_dir() else waits_in or destination.parent) / name
        # Made before the file: an interrupt in between finds nothing to remove, one after it finds the file.
        self._cleanup = weakref.finalize(self, _remove, self.path)
        with output_errors(destination):
            if folder:
                self.path.mkdir()
            else:
                self.path.touch()

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

    def _move_files(self) -> None:
        """Every file into the folder that is there; all back again where one cannot be moved."""
        files = sorted(self.path.iterdir())
        replaced = self.path / _REPLACED
        replaced.mkdir()
        try:
            for file in files:
                target = self.destination / file.name
                if target.exists():
                    target.replace(replaced / file.name)
                file.replace(target)
        except BaseException:
            for file in files:
                target, old = self.destination / file.name, replaced / file.name
                if not file.exists():
                    target.unlink(missing_ok=True)
                if old.exists():
                    old.replace(target)
            raise
        shutil.rmtree(self.path)

    def abort(self) -> None:
        """Remove what was written, unless it is in place already."""
        self._cleanup()


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
