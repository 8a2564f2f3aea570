"""What the CUDA backend uses of CuPy exists in the CuPy that is installed, as the stand-in has it; no card needed."""

from __future__ import annotations

import re

import numpy as np
import pytest

from grainkit.backends.cuda_launch import OPTIONS
from grainkit.backends.cuda_pass import variant
from grainkit.backends.kernel_source import flatten
from tests.cudacheck import nvrtc
from tests.cudacheck.pictures import KINDS

cupy = pytest.importorskip("cupy", reason="CuPy is not installed")

SIGNATURES = [
    (cupy.RawModule, "code=None", "options=()"),
    (cupy.RawModule.get_function, "name"),
    (cupy.RawKernel.__call__, "grid, block, args"),
    (cupy.ndarray.set, "arr, stream=None"),
    (cupy.ndarray.get, "stream=None", "out=None", "blocking=True"),
    (cupy.cuda.MemoryPointer.copy_from_device_async, "src, size_t size, stream=None"),
    (cupy.cuda.Event.__init__, "disable_timing=False"),
    (cupy.cuda.Event.record, "stream=None"),
    (cupy.cuda.Stream.__init__, "non_blocking=False"),
    (cupy.cuda.alloc_pinned_memory, "size"),
    (cupy.cuda.get_current_stream, "device_id"),
    (cupy.from_dlpack, "array"),
]


@pytest.mark.parametrize(("thing", "parts"), [(t, p) for t, *p in SIGNATURES], ids=lambda v: getattr(v, "__name__", ""))
def test_signatures_are_those_that_are_used(thing, parts):
    said = re.sub(r"\b(MemoryPointer|str|tuple|int) ", "", (thing.__doc__ or "").split("\n")[0])
    for part in parts:
        assert part in said


def test_structs_of_numpy_are_passed_by_value():
    """CuPy takes the bytes of an array of numpy's that has one element."""
    assert cupy.cuda.function.CNumpyArray(np.zeros((), np.dtype([("first", "u8"), ("pitch", "i4")], align=True)))


def test_names_exist():
    cuda = cupy.cuda
    for error in (
        cuda.memory.OutOfMemoryError, cuda.runtime.CUDARuntimeError, cuda.driver.CUDADriverError,
        cuda.compiler.CompileException,
    ):  # fmt: skip
        assert issubclass(error, Exception)
    for owner, name in [
        (cupy.RawKernel, "max_dynamic_shared_size_bytes"), (cuda.Device, "attributes"), (cuda.Device, "id"),
        (cuda.Device, "compute_capability"), (cuda.Device, "synchronize"), (cuda.Event, "synchronize"),
        (cuda.Stream, "synchronize"),
        (cuda.runtime, "getDeviceCount"), (cuda.runtime, "getDeviceProperties"), (cuda.runtime, "memGetInfo"),
        (cuda.runtime, "driverGetVersion"), (cuda.nvrtc, "getVersion"), (cupy.ndarray, "device"),
        (cuda.MemoryPointer, "ptr"), (cupy.ndarray, "data"),
        (cupy, "get_default_memory_pool"), (cupy, "empty"), (cupy, "asarray"), (cupy, "ascontiguousarray"),
    ]:  # fmt: skip
        assert hasattr(owner, name), name


@pytest.mark.parametrize("plane", ["luma", "chroma"])
def test_cupy_itself_compiles_the_kernels(plane, monkeypatch):
    """By its own way to NVRTC and with its own options; only the question which card there is is answered for it."""
    if nvrtc.missing():
        pytest.skip(nvrtc.missing())
    compiler = cupy.cuda.compiler
    monkeypatch.setattr(compiler, "_get_arch_for_options_for_nvrtc", lambda arch=None: ("-arch=sm_86", "cubin"))
    name, defines = variant(plane, KINDS[0].tables())
    compiled, _ = compiler.compile_using_nvrtc(flatten(name), (*OPTIONS, *defines), "86")
    assert name.encode() in compiled
