"""Whether this machine has NVIDIA's driver, told without loading anything of it."""

from __future__ import annotations

import os
import shutil

#: What the driver leaves behind: Linux's kernel module and device, WSL's library, and Windows' library.
SIGNS = (
    "/proc/driver/nvidia/version",
    "/dev/nvidiactl",
    "/usr/lib/wsl/lib/libcuda.so.1",
    os.path.join(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "nvcuda.dll"),
)


def has_nvidia_driver() -> bool:
    """Whether there is a driver, by its own files or its `nvidia-smi`. A card without one cannot compute either."""
    return any(os.path.exists(sign) for sign in SIGNS) or shutil.which("nvidia-smi") is not None
