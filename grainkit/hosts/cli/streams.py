"""Standard input, output and error: frames on the one, words on the others, and what is closed or a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

from grainkit.errors import InputError, OutputError

_NO_PIPE = "pipe it into a program that reads Y4M, or name a file with -o"


def standard_input() -> BinaryIO:
    """Standard input as a reader of our own: a thread that still waits in Python's one would crash its end."""
    try:
        stream = open(0, "rb", closefd=False)  # noqa: SIM115 (it lives as long as the process)
    except OSError as error:
        raise InputError("standard input is closed; pipe Y4M into it, or name a file") from error
    if stream.isatty():
        raise InputError("standard input is a terminal; pipe Y4M into it, or name a file")
    return stream


def standard_output() -> BinaryIO:
    """Standard output for frames. OutputError where it takes none."""
    if sys.stdout is None:
        raise OutputError(f"standard output is closed; {_NO_PIPE}")
    if sys.stdout.isatty():
        raise OutputError(f"standard output is a terminal; {_NO_PIPE}")
    return sys.stdout.buffer


@contextmanager
def frames_apart(wanted: bool) -> Iterator[BinaryIO | None]:
    """Keep standard output for frames, where they are `wanted` there: what libraries print goes to standard error.

    Gives the stream for them; None where standard output is not the process's own, or takes no frames.
    """
    if not wanted or not _is_own(sys.stdout):
        yield None
        return
    sys.stdout.flush()
    ours = os.dup(1)
    stream = open(ours, "wb", closefd=False)  # noqa: SIM115 (it is closed below, whether it can be flushed or not)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield stream
        stream.flush()
    finally:
        with contextlib.suppress(OSError):
            stream.close()
        os.dup2(ours, 1)
        os.close(ours)


def flush_standard_output() -> None:
    """OSError that names it, where it takes no more."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from error


def write_out(stream: TextIO | None) -> None:
    """Write out what a stream still holds, or silence it where that fails: the message is enough."""
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        silence(stream)


def silence(stream: TextIO | None) -> None:
    """Lead a stream that takes no more into nothing, or Python complains of it once more as it ends."""
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _is_own(stream: TextIO | None) -> bool:
    """Whether a stream is file descriptor 1, and no terminal."""
    try:
        return stream is not None and stream.fileno() == 1 and not stream.isatty()
    except (OSError, ValueError):  # io.UnsupportedOperation is both
        return False
