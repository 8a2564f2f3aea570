"""What operating systems do each in their own way. Nothing else of grainkit asks which one it runs on.

Names that one of them lacks are looked for as they are needed (`hasattr`), never assumed: see
`tests/machine/test_system.py`, which holds every other module to it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: Whether a file that is open, by whomever, can be renamed, replaced and removed. Windows refuses all three.
OPEN_FILES_MOVE = os.name != "nt"
#: Whether names of devices, and characters that no name of a file may hold there, are refused as outputs.
NAMES_LIKE_WINDOWS = os.name == "nt"
#: Whether a process can be asked to end and still clean up (SIGTERM). Windows ends it at once.
ENDS_WHEN_ASKED = os.name != "nt"

#: What asks the command to end: Ctrl-C, kill, a terminal that closes, and Ctrl-Break of Windows.
ENDING_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)


def own_cores() -> int:
    """The cores that this process is held to, where the system tells; all of the machine's otherwise."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Bytes of the machine's memory; without end where it does not say."""
    if hasattr(os, "sysconf"):
        with contextlib.suppress(OSError, ValueError):
            return int(os.sysconf("SC_PHYS_PAGES")) * int(os.sysconf("SC_PAGE_SIZE"))
    elif sys.platform == "win32":
        kibibytes = ctypes.c_ulonglong(0)
        if ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kibibytes)):
            return kibibytes.value << 10
    return 1 << 62


def user() -> int | None:
    """The number of the user that this process runs as; None where users have none."""
    return os.getuid() if hasattr(os, "getuid") else None


@contextmanager
def ctrl_c_held_back() -> Iterator[None]:
    """Processes started meanwhile never hear of Ctrl-C; it reaches this one afterwards. Windows cannot."""
    if sys.platform != "win32" and hasattr(signal, "pthread_sigmask"):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    else:
        yield


def to_disk(path: Path, *, through: bool = True) -> None:
    """Wait until the disk has what a file holds. Raises OSError.

    through: also until the disk itself has nothing left to write. Only macOS knows the difference: there fsync hands
    data to the disk, which may still keep it in memory (fsync(2) of Darwin, F_FULLFSYNC). Once for many files is
    enough, for the last.
    """
    # Windows takes no handle that may only read.
    handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(handle)
        if through and sys.platform != "win32" and hasattr(fcntl, "F_FULLFSYNC"):
            with contextlib.suppress(OSError):  # a network disk has no such thing
                fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
    finally:
        os.close(handle)


def folder_to_disk(path: Path) -> None:
    """The same for the names in a folder, where the system can: Windows and some network disks cannot."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


#: What NVIDIA's driver leaves behind: Linux's kernel module and device, WSL's library, and Windows' library.
DRIVER_SIGNS = (
    "/proc/driver/nvidia/version",
    "/dev/nvidiactl",
    "/usr/lib/wsl/lib/libcuda.so.1",
    os.path.join(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "nvcuda.dll"),
)


def has_nvidia_driver() -> bool:
    """Whether there is NVIDIA's driver, by its own files or its `nvidia-smi`; nothing of it is loaded."""
    return any(os.path.exists(sign) for sign in DRIVER_SIGNS) or shutil.which("nvidia-smi") is not None
