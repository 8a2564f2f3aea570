"""Keeps a library from writing on the process's own streams, where only our lines and what is piped belong."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

#: The process has one pair of streams: who turns them aside does so alone.
_ALONE = threading.Lock()


@contextlib.contextmanager
def without_lines(*beginnings: str) -> Iterator[None]:
    """Leave out lines that begin so, written meanwhile to file descriptor 2 or to sys.stdout as Python sees it.

    What others write to them in that time appears right after it. File descriptor 1 is not touched.
    """
    printed = io.StringIO()
    with _ALONE, tempfile.TemporaryFile() as logged:
        try:
            kept = os.dup(2)
        except OSError:  # started without standard error: nothing can be seen there
            yield
            return
        try:
            os.dup2(logged.fileno(), 2)
            with contextlib.redirect_stdout(printed):
                yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            logged.seek(0)
            for line in logged.read().splitlines(keepends=True):
                if not line.startswith(tuple(one.encode() for one in beginnings)):
                    os.write(2, line)
            if sys.stdout is not None:
                sys.stdout.writelines(
                    line for line in printed.getvalue().splitlines(keepends=True) if not line.startswith(beginnings)
                )
