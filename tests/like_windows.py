"""Makes a process of its own as much like one on Windows as Linux lets it, before grainkit is imported.

Names that Windows lacks are taken out of `os`, `signal` and the modules; a file that is open can be neither renamed,
replaced nor removed, whoever opened it (FFmpeg too: /proc tells); a folder cannot be opened, and a handle that may
only read cannot be flushed. Locks are the system's, by way of filelock.

    from tests.like_windows import become; become()
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: What `os` and `signal` of Windows do not have, and modules: "Availability" in the documentation of Python 3.13.
_OS = """
O_CLOEXEC O_DIRECT O_DIRECTORY O_DSYNC O_NDELAY O_NOATIME O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_RSYNC O_SYNC O_TMPFILE
WCOREDUMP WEXITSTATUS WIFEXITED WIFSIGNALED WNOHANG WTERMSIG chflags chown chroot confstr copy_file_range ctermid
environb eventfd fchown fdatasync fork forkpty fpathconf fstatvfs fwalk getegid getenvb geteuid getgid getgrouplist
getgroups getloadavg getpgid getpgrp getpriority getrandom getresgid getresuid getsid getuid getxattr killpg lchown
listxattr lockf major makedev memfd_create minor mkfifo mknod nice openpty pathconf pidfd_open posix_fadvise
posix_fallocate posix_openpt posix_spawn posix_spawnp pread preadv pwrite pwritev readv register_at_fork removexattr
sched_get_priority_max sched_getaffinity sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setscheduler
sched_yield sendfile setegid seteuid setgid setgroups setns setpgid setpriority setregid setresgid setresuid setreuid
setsid setuid setxattr splice statvfs sync sysconf sysconf_names tcgetpgrp tcsetpgrp ttyname uname unshare wait wait3
wait4 waitid writev
"""
_SIGNAL = """
ITIMER_PROF ITIMER_REAL ITIMER_VIRTUAL SIGALRM SIGBUS SIGCHLD SIGCONT SIGHUP SIGIO SIGKILL SIGPIPE SIGPROF SIGQUIT
SIGSTOP SIGTRAP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGUSR1 SIGUSR2 SIGVTALRM SIGWINCH SIGXCPU SIGXFSZ SIG_BLOCK SIG_SETMASK
SIG_UNBLOCK alarm getitimer pause pthread_kill pthread_sigmask setitimer siginterrupt sigpending sigtimedwait sigwait
sigwaitinfo
"""
_MODULES = "crypt fcntl grp nis posix pty pwd readline resource spwd syslog termios tty"
OS, SIGNAL, MODULES = (frozenset(names.split()) for names in (_OS, _SIGNAL, _MODULES))


def become() -> None:
    """What is imported from here on finds a machine like Windows."""
    import ctypes  # noqa: F401
    import fcntl
    import multiprocessing.connection  # noqa: F401
    import shutil
    import tempfile

    import av  # noqa: F401
    import cv2  # noqa: F401
    import filelock  # noqa: F401
    import numba  # noqa: F401
    import OpenEXR  # noqa: F401
    import PIL.Image  # noqa: F401
    import platformdirs.unix  # noqa: F401
    import tifffile  # noqa: F401
    import yaml  # noqa: F401
    from numba.core.runtime import nrt  # noqa: F401

    assert not [name for name in sys.modules if name.startswith("grainkit")]
    access = fcntl.fcntl
    # What these modules do where they find themselves on Windows.
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    tempfile.TemporaryFile = tempfile.NamedTemporaryFile  # type: ignore[assignment, misc]
    os.name = "nt"
    try:
        import grainkit.machine.system
    finally:
        os.name = "posix"
    for module, names in ((os, OS), (signal, SIGNAL)):
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    grainkit.machine.system.fcntl = None  # type: ignore[attr-defined]
    grainkit.machine.system.ENDING_SIGNALS = tuple(
        s for s in grainkit.machine.system.ENDING_SIGNALS if s.name in dir(signal)
    )
    _refuse(os, "replace", lambda path, target: _is_open(path) or _is_open(target))
    _refuse(os, "rename", lambda path, target: _is_open(path) or os.path.exists(target))
    for name in ("unlink", "remove"):
        _refuse(os, name, _is_open)
    _refuse(os, "open", lambda path, *_, **__: os.path.isdir(path))
    flush = os.fsync

    def fsync(handle: int) -> None:
        if access(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flush(handle)

    os.fsync = fsync


def _refuse(module: Any, name: str, refused: Callable[..., bool]) -> None:
    done = getattr(module, name)

    def instead(*args: Any, **kwargs: Any) -> Any:
        if refused(*args, **kwargs):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(args[0]))
        return done(*args, **kwargs)

    setattr(module, name, instead)


def _is_open(path: Any, **_: Any) -> bool:
    """Whether this process or one of the same user has a file open, or a file in a folder."""
    wanted = os.path.realpath(os.fsdecode(path))
    for process in Path("/proc").glob("[0-9]*"):
        for link in _links(process / "fd"):
            if link == wanted or link.startswith(wanted + os.sep):
                return True
    return False


def _links(folder: Path) -> list[str]:
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                found.append(os.readlink(folder / name))
    return found
