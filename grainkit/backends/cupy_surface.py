"""The little of CuPy that the CUDA backend uses, as types: CuPy itself is imported by backends/cuda_card.py alone.

tests/cudacheck/test_surface.py holds these names against a CuPy that is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

#: What arrays are indexed by here: a row, or rows and columns.
Part = slice | tuple[slice | int, ...]


class CardStream(Protocol):
    """Work on the card in order; within its context it is the current one."""

    def __enter__(self) -> object: ...
    def __exit__(self, *error: object) -> object: ...
    def synchronize(self) -> None: ...


class CardEvent(Protocol):
    def record(self, stream: CardStream) -> None: ...
    def synchronize(self) -> None: ...


class Memory(Protocol):
    """Where an array begins."""

    @property
    def ptr(self) -> int: ...
    def copy_from_device_async(self, source: Memory, nbytes: int, stream: CardStream) -> None: ...


class CardDevice(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def compute_capability(self) -> str: ...
    @property
    def attributes(self) -> dict[str, int]: ...
    def synchronize(self) -> None: ...


class CardArray(Protocol):
    """cupy.ndarray."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def strides(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[np.generic]: ...
    @property
    def size(self) -> int: ...
    @property
    def data(self) -> Memory: ...
    @property
    def device(self) -> CardDevice: ...
    def __getitem__(self, part: Part, /) -> CardArray: ...
    def view(self, dtype: np.dtype[np.generic], /) -> CardArray: ...
    def reshape(self, *shape: int) -> CardArray: ...
    def set(self, array: npt.NDArray[np.generic], stream: CardStream) -> None: ...
    def get(
        self, stream: CardStream | None = None, order: str = "C", out: npt.NDArray[np.generic] | None = None,
        blocking: bool = True,
    ) -> npt.NDArray[Any]: ...  # fmt: skip


class Function(Protocol):
    """A kernel."""

    max_dynamic_shared_size_bytes: int

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[npt.NDArray[np.void]], *, shared_mem: int
    ) -> None: ...


class Module(Protocol):
    def get_function(self, name: str) -> Function: ...


class Pool(Protocol):
    def free_all_blocks(self) -> None: ...


class _MemoryErrors(Protocol):
    OutOfMemoryError: type[Exception]


class _Driver(Protocol):
    CUDADriverError: type[Exception]


class _Compiler(Protocol):
    CompileException: type[Exception]


class _Nvrtc(Protocol):
    def getVersion(self) -> tuple[int, int]: ...


class _Runtime(Protocol):
    CUDARuntimeError: type[Exception]

    def getDeviceCount(self) -> int: ...
    def getDeviceProperties(self, device: int) -> dict[str, Any]: ...
    def memGetInfo(self) -> tuple[int, int]: ...
    def driverGetVersion(self) -> int: ...


class _Cuda(Protocol):
    memory: _MemoryErrors
    driver: _Driver
    compiler: _Compiler
    nvrtc: _Nvrtc
    runtime: _Runtime

    def Stream(self, *, non_blocking: bool) -> CardStream: ...
    def Event(self, *, disable_timing: bool) -> CardEvent: ...
    def Device(self) -> CardDevice: ...
    def get_current_stream(self) -> CardStream: ...
    def alloc_pinned_memory(self, nbytes: int) -> memoryview: ...


class Cupy(Protocol):
    """The module."""

    __version__: str
    ndarray: type[object]
    cuda: _Cuda

    def RawModule(self, *, code: str, options: Sequence[str]) -> Module: ...
    def empty(self, shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> CardArray: ...
    def asarray(self, array: object) -> CardArray: ...
    def ascontiguousarray(self, array: CardArray) -> CardArray: ...
    def from_dlpack(self, array: object) -> CardArray: ...
    def get_default_memory_pool(self) -> Pool: ...


#: A context in which work on the card is in order: a stream, or none of ours.
InOrder = AbstractContextManager[object] | CardStream
