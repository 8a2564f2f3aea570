"""Outputs appear whole or not at all: written beside their place, fsynced, renamed."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grainkit.errors import OutputError

#: In the name of everything that is not finished yet.
MARK = ".grainkit-part-"


@contextmanager
def output_errors(path: Path | str) -> Iterator[None]:
    """Turn the operating system's refusals to write into an OutputError with the remedy."""
    remedies = {
        errno.ENOSPC: "the disk is full; free some space or choose another folder with -o",
        errno.EDQUOT: "the disk quota is used up; free some space or choose another folder with -o",
        errno.EACCES: "no permission to write there; choose another folder with -o",
        errno.EPERM: "no permission to write there; choose another folder with -o",
        errno.EROFS: "the file system is read-only; choose another folder with -o",
        errno.ENOENT: "the folder does not exist; create it or choose another with -o",
        errno.ENOTDIR: "part of the path is a file, not a folder; choose another with -o",
    }
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno not in remedies:
            raise
        raise OutputError(f"cannot write {path}: {remedies[error.errno]}") from error


class Pending:
    """A file or folder under construction beside its destination.

    `path` is where to write: same folder, same suffix, a name with MARK in it. commit() fsyncs and
    renames it onto the destination; abort() removes it. Both may be called again and then do nothing.
    """

    def __init__(self, destination: Path, *, folder: bool = False) -> None:
        self.destination = destination
        name = f".{destination.stem}{MARK}{os.getpid()}-{secrets.token_hex(4)}{destination.suffix}"
        self.path = destination.with_name(name)
        self._open = True
        with output_errors(destination):
            if folder:
                self.path.mkdir()
            else:
                self.path.touch()

    def commit(self) -> None:
        if not self._open:
            return
        with output_errors(self.destination):
            if self.path.is_dir():
                self._move_folder()
            else:
                _fsync(self.path)
                self.path.replace(self.destination)
            _fsync(self.destination.parent)
        self._open = False

    def _move_folder(self) -> None:
        """Rename the whole folder when the destination is new, else file by file into it."""
        files = sorted(self.path.iterdir())
        for file in files:
            _fsync(file)
        if not self.destination.exists():
            self.path.replace(self.destination)
            return
        for file in files:
            file.replace(self.destination / file.name)
        self.path.rmdir()

    def abort(self) -> None:
        if not self._open:
            return
        self._open = False
        if self.path.is_dir():
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            self.path.unlink(missing_ok=True)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
