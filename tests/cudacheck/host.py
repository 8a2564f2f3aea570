"""The .cu files built by g++ through host_cuda.h, and their kernels launched from Python."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

HEADER = Path(__file__).with_name("host_cuda.h")
#: Builds are kept between runs, by the hash of all that goes into them.
CACHE = Path(__file__).resolve().parents[2] / "build" / "host-kernels"

_BASE = [
    "-std=c++20", "-fPIC", "-shared", "-g1", "-pthread", "-ffp-contract=off", "-Wall", "-Wextra", "-Wdouble-promotion",
    "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-function", "-Wno-unused-parameter", "-Wno-clobbered",
]  # fmt: skip
MODES = {
    "plain": ["-O1"],
    "layout": ["-O0", "-Wno-invalid-offsetof"],
    "asan": ["-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "tsan": ["-O1", "-DHOST_THREADS", "-fsanitize=thread"],
    # What the house rules forbid, to see that it is noticed: a * b + c rounded once.
    "fused": ["-O2", "-ffp-contract=fast", "-mfma"],
}
_DYNAMIC = re.compile(r"extern __shared__ uint4 (\w+)\[\];")


def missing() -> str:
    """Why nothing can be built here, or nothing."""
    return "" if shutil.which("g++") else "g++ is not installed"


def build(code: str, name: str, options: Sequence[str], mode: str = "plain", export: str = "HOST_EXPORT") -> Path:
    """A shared library of one kernel; -D options are taken, the rest is NVRTC's business.

    export: the macro that makes of the kernel what the library is asked for.
    """
    source = f'#include "{HEADER}"\n{_DYNAMIC.sub(lambda m: f"uint4* {m[1]} = (uint4*)host::shared;", code)}\n'
    source += f"{export}({name})\n" if "(" not in export else f"{export}\n"
    flags = [*_BASE, *MODES[mode], *(o for o in options if o.startswith("-D"))]
    key = hashlib.sha256("\0".join([source, *flags, HEADER.read_text()]).encode()).hexdigest()[:24]
    made = CACHE / f"{name}-{mode}-{key}.so"
    if not made.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            text, library = Path(folder) / "kernel.cpp", Path(folder) / "kernel.so"
            text.write_text(source)
            done = subprocess.run(["g++", *flags, str(text), "-o", str(library)], capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"g++ refuses {name}:\n{done.stderr[-4000:]}")
            os.replace(library, made)
    return made


@dataclass(frozen=True)
class Layout:
    """A kernel's struct as g++ lays it out.

    size: bytes. fields: by path the offset of each, and its type as host_cuda.h spells it.
    """

    size: int
    fields: dict[str, tuple[int, str]]


@cache
def fields(code: str, name: str, options: Sequence[str], paths: Sequence[str]) -> Layout:
    """Where the fields of these paths are in the struct that a kernel takes."""
    listed = "".join(f' HOST_FIELD({name}, "{path}", {path})' for path in paths)
    library = ctypes.CDLL(str(build(code, name, options, "layout", f"HOST_LAYOUT({name},{listed})")))
    library.layout.restype = ctypes.c_char_p
    size, *words = library.layout().decode().split()
    found = (word.split("@") for word in words)
    return Layout(int(size), {path: (int(offset), kind) for path, offset, kind in found})


class HostKernel:
    """A kernel that runs on this CPU.

    order: in which a block's threads take turns; 0 forward, 1 backward, else shuffled by this seed.
    """

    def __init__(self, code: str, name: str, options: Sequence[str] = (), mode: str = "plain", order: int = 0) -> None:
        library = ctypes.CDLL(str(build(code, name, options, mode)))
        self.name, self.order, self.source = name, order, (code, name, tuple(options))
        self._launch = library.launch
        self._launch.restype = ctypes.c_char_p

    def __call__(self, blocks: Sequence[int], threads: Sequence[int], arguments: Sequence[Any], shared: int) -> None:
        """Run it to the end. arguments: structs, numpy arrays (by address) or numpy scalars."""
        packed = [pack(a) for a in arguments]
        held = [ctypes.create_string_buffer(p, len(p)) for p in packed]
        pointers = (ctypes.c_void_p * len(held))(*(ctypes.addressof(h) for h in held))
        three = [(ctypes.c_uint * 3)(*size, *[1] * (3 - len(size))) for size in (blocks, threads)]
        problem = self._launch(*three, ctypes.c_uint(shared), self.order, pointers)
        if problem:
            raise RuntimeError(f"{self.name}: {problem.decode()}")


def pack(argument: Any) -> bytes:
    """A kernel argument by value."""
    if hasattr(argument, "pointers"):
        return bytes(argument.data)
    if isinstance(argument, np.ndarray):
        return argument.ctypes.data.to_bytes(8, "little")
    if isinstance(argument, np.generic):
        return argument.tobytes()
    raise TypeError(f"{type(argument).__name__} is no kernel argument")
