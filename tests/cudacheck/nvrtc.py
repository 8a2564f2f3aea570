"""Kernels compiled with NVRTC as CuPy does it, and what ptxas says of them; no device and no toolkit needed.

The wheels nvidia-cuda-nvrtc, nvidia-cuda-cuobjdump and nvidia-cuda-nvdisasm (the extra `cudacheck`) are all it takes.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

#: Compute capabilities that every kernel is built for.
ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
#: What CuPy 14 adds to our options (cupy/cuda/compiler.py).
CUPY_OPTIONS = ("-ftz=true", "--device-as-default-execution-space")


def _folder() -> Path | None:
    spec = find_spec("nvidia")
    for place in (spec.submodule_search_locations or []) if spec else []:
        if list(Path(place).glob("cu13/lib/libnvrtc.so.*")):
            return Path(place) / "cu13"
    return None


def missing() -> str:
    """Why NVRTC cannot be used here, or nothing."""
    folder = _folder()
    if folder is None:
        return "NVRTC is not installed; pip install 'grainkit[cudacheck]'"
    return "" if (folder / "bin" / "cuobjdump").exists() else "cuobjdump is not installed"


@cache
def _library() -> ctypes.CDLL:
    folder = _folder()
    assert folder is not None
    ctypes.CDLL(str(next(folder.glob("lib/libnvrtc-builtins.so.*"))), mode=ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(str(next(folder.glob("lib/libnvrtc.so.*"))))


def version() -> str:
    """NVRTC's own version."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return f"{major.value}.{minor.value}"


class CompileError(Exception):
    """NVRTC refused, or warned; the text is its log."""


@dataclass(frozen=True)
class Built:
    """One kernel for one architecture: its PTX, its machine code, and ptxas's figures in the log."""

    ptx: str
    cubin: bytes
    log: str


@cache
def compile_kernel(code: str, options: tuple[str, ...], arch: int) -> Built:
    """A source compiled. Raises CompileError on warnings too."""
    nvrtc, program = _library(), ctypes.c_void_p()
    told = (*options, *CUPY_OPTIONS, f"-arch=sm_{arch}", "--ptxas-options=-v")
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), code.encode(), b"kernel.cu", 0, None, None)
    try:
        words = (ctypes.c_char_p * len(told))(*(o.encode() for o in told))
        failed = nvrtc.nvrtcCompileProgram(program, len(told), words)
        log = _read(program, "ProgramLog").decode(errors="replace").rstrip("\0")
        if failed or re.search(r"\bwarning\b", log):
            raise CompileError(log)
        return Built(_read(program, "PTX").decode().rstrip("\0"), _read(program, "CUBIN"), log)
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _read(program: ctypes.c_void_p, what: str) -> bytes:
    nvrtc, size = _library(), ctypes.c_size_t()
    getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    room = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, f"nvrtcGet{what}")(program, room)
    return room.raw


@dataclass(frozen=True)
class Facts:
    """What ptxas and the machine code say of one kernel.

    spills, stack: bytes per thread. wide_loads, wide_stores: 16-byte accesses to global memory.
    local: accesses to local memory. double: instructions on float64.
    """

    registers: int
    spills: int
    stack: int
    wide_loads: int
    wide_stores: int
    local: int
    double: int


def facts(built: Built) -> Facts:
    """The facts of the only kernel that was built."""
    m = re.search(
        r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads.*?Used (\d+) registers",
        built.log, re.S,
    )  # fmt: skip
    assert m is not None, built.log
    counts = _sass(built.cubin)

    def count(pattern: str) -> int:
        return sum(n for op, n in counts.items() if re.match(pattern, op))

    return Facts(
        registers=int(m[4]), spills=int(m[2]) + int(m[3]), stack=int(m[1]), wide_loads=count(r"LDG\b.*\.128"),
        wide_stores=count(r"STG\b.*\.128"), local=count(r"(LDL|STL)\b"),
        double=count(r"(DADD|DMUL|DFMA|DSETP)\b") + sum(n for op, n in counts.items() if ".F64" in op),
    )  # fmt: skip


def _sass(cubin: bytes) -> Counter[str]:
    folder = _folder()
    assert folder is not None
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}  # cuobjdump calls nvdisasm
        text = subprocess.run(
            [str(folder / "bin" / "cuobjdump"), "-sass", file.name],
            check=True, capture_output=True, text=True, env=environment,
        ).stdout  # fmt: skip
    return Counter(re.findall(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\d+\s+)?([A-Z][A-Z0-9_.]*)", text, re.M))
