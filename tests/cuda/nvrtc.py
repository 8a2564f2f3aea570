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


class CompileError(Exception):
    """NVRTC refused, or warned; the text is its log."""


def compile_kernel(code: str, options: tuple[str, ...], arch: int, *, ptx: bool) -> tuple[bytes, str]:
    """PTX or cubin of a source, and the log, with ptxas's figures. Raises CompileError on warnings too."""
    nvrtc, program = _library(), ctypes.c_void_p()
    told = (*options, *CUPY_OPTIONS, f"-arch={'compute' if ptx else 'sm'}_{arch}", "--ptxas-options=-v")
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), code.encode(), b"kernel.cu", 0, None, None)
    try:
        words = (ctypes.c_char_p * len(told))(*(o.encode() for o in told))
        failed = nvrtc.nvrtcCompileProgram(program, len(told), words)
        log = _read(program, "ProgramLog").decode(errors="replace").rstrip("\0")
        if failed or re.search(r"\bwarning\b", log):
            raise CompileError(log)
        return _read(program, "PTX" if ptx else "CUBIN"), log
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
    """What ptxas and the SASS say of one kernel.

    spills, stack: bytes per thread. wide_loads, wide_stores: 16-byte accesses to global memory.
    """

    registers: int
    spills: int
    stack: int
    wide_loads: int
    wide_stores: int
    local: int
    fused: int
    double: int


def facts(cubin: bytes, log: str) -> Facts:
    """Facts of the only kernel in a cubin, compiled with --ptxas-options=-v."""
    m = re.search(
        r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads.*?Used (\d+) registers", log, re.S
    )
    assert m is not None, log
    counts = _sass(cubin)

    def count(pattern: str) -> int:
        return sum(n for op, n in counts.items() if re.match(pattern, op))

    return Facts(
        registers=int(m[4]), spills=int(m[2]) + int(m[3]), stack=int(m[1]), wide_loads=count(r"LDG\b.*\.128"),
        wide_stores=count(r"STG\b.*\.128"), local=count(r"(LDL|STL)\b"), fused=count(r"FFMA\b"),
        double=count(r"(DADD|DMUL|DFMA|DSETP|F2F\.F(32\.F64|64\.F32)|I2F\.F64|F2I\.F64|F2I\S*\.F64)"),
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
