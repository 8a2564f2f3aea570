"""A stand-in for the part of CuPy that the CUDA backend uses, with no card behind it.

Kernels are executed by whatever `executor` makes of their source: the host build, or NVRTC's PTX in the
interpreter. What a backend can get wrong shows:

* a kernel's struct is taken as CuPy takes it, by value, and compared with the kernel's own, field by field;
* a stream is a queue, run as late as can be (or at once): without the right event or synchronisation
  the host reads what is not there yet, or overwrites what is still to be read;
* fresh memory is poison, and memory given back is poisoned in the order of the stream it came from;
* a launch beyond __launch_bounds__, or with more shared memory than was asked for, is refused.
"""

from __future__ import annotations

import re
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any, Protocol

import numpy as np

from tests.cudacheck import host

POISON = 0xAA
_LARGE = 1 << 30


class Executor(Protocol):
    """A kernel that can be run. source: what it was made of: code, name, options."""

    source: tuple[str, str, tuple[str, ...]]

    def __call__(
        self, blocks: Sequence[int], threads: Sequence[int], arguments: Sequence[Any], shared: int
    ) -> None: ...


@dataclass(frozen=True)
class Pointer:
    """An address in device memory: an allocation (uint8) and the offset into it."""

    allocation: Any
    offset: int


@dataclass(frozen=True)
class Struct:
    """A struct that is passed by value: its bytes, and by offset the addresses among them."""

    data: bytes
    pointers: dict[int, Pointer]


class Race(AssertionError):
    """A kernel ran before a copy on another stream had filled what it reads."""


class CUDARuntimeError(RuntimeError):
    pass


class CUDADriverError(RuntimeError):
    pass


class OutOfMemoryError(MemoryError):
    pass


class CompileException(Exception):
    pass


def fields(dtype: np.dtype[Any], path: str = "", start: int = 0) -> dict[str, tuple[int, np.dtype[Any]]]:
    """Offset and type of each field of a struct, by its path: those of structs within it one by one."""
    found = {}
    assert dtype.fields is not None
    for name, (inner, offset, *_) in dtype.fields.items():
        more = fields(inner, f"{path}{name}.", start + offset) if inner.fields else {}
        found |= more or {path + name: (start + offset, inner)}
    return found


def stand_in(
    executor: Callable[[str, str, Sequence[str]], Executor], *, eager: bool = False, memory: int = 8 << 30,
    capability: str = "86", most_shared: int = 99 * 1024, devices: int = 1,
) -> ModuleType:  # fmt: skip
    """A module to put into sys.modules as `cupy`.

    log: what was asked of it, in order. downloaded: bytes that came down.
    """
    cupy = ModuleType("cupy")
    log: list[str] = []
    # By address that was asked for: the memory it is in, and the type of what was said to be there.
    known: dict[int, tuple[weakref.ref[Memory], np.dtype[Any]]] = {}
    used = [0]

    class Stream:
        def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
            self.null, self.queue, self.count = null, deque[Callable[[], None]](), 0
            assert null or non_blocking, "a blocking stream waits for the null stream"

        def push(self, what: str, work: Callable[[], None]) -> None:
            log.append(what)
            self.count += 1
            self.queue.append(work)
            if eager:
                self.synchronize()

        def synchronize(self) -> None:
            self.run_to(self.count)

        def run_to(self, count: int) -> None:
            while self.count - len(self.queue) < count:
                self.queue.popleft()()

        def __enter__(self) -> Stream:
            current.append(self)
            return self

        def __exit__(self, *_: object) -> None:
            current.pop()

    current = [Stream(null=True)]

    class Event:
        def __init__(self, block: bool = False, disable_timing: bool = False) -> None:
            self.stream: Stream | None = None
            self.count = 0

        def record(self, stream: Stream | None = None) -> None:
            self.stream = stream or current[-1]
            self.count = self.stream.count

        def synchronize(self) -> None:
            if self.stream is not None:
                self.stream.run_to(self.count)

    class Memory:
        def __init__(self, nbytes: int) -> None:
            if used[0] + nbytes > memory:
                raise OutOfMemoryError(f"Out of memory allocating {nbytes:,} bytes")
            used[0] += nbytes
            cupy.most_used = max(cupy.most_used, used[0])
            # Filling would make pages of memory that nobody touches otherwise.
            self.bytes = np.full(nbytes, POISON, np.uint8) if nbytes < _LARGE else np.zeros(nbytes, np.uint8)
            self.filling: list[Stream] = []  # a stream for each copy into it that is still to run
            stream, held = current[-1], self.bytes

            def give_back() -> None:
                used[0] -= nbytes
                if nbytes < _LARGE:
                    stream.push("free", lambda: held.fill(POISON))

            weakref.finalize(self, give_back).atexit = False

    class ndarray:
        """Only what cannot be done on the card by accident: views, and explicit copies."""

        def __init__(self, array: Any, memory: Memory) -> None:
            self._array, self._memory = array, memory

        shape = property(lambda self: self._array.shape)
        strides = property(lambda self: self._array.strides)
        dtype = property(lambda self: self._array.dtype)
        size = property(lambda self: self._array.size)
        nbytes = property(lambda self: self._array.nbytes)
        ndim = property(lambda self: self._array.ndim)
        device = SimpleNamespace(id=0)

        def __array__(self, *_: Any, **__: Any) -> Any:
            raise TypeError("Implicit conversion to a NumPy array is not allowed.")

        def __dlpack_device__(self) -> tuple[int, int]:
            return 2, 0

        def __getitem__(self, index: Any) -> ndarray:
            return ndarray(self._array[index], self._memory)

        def view(self, dtype: Any) -> ndarray:
            return ndarray(self._array.view(dtype), self._memory)

        def reshape(self, *shape: int) -> ndarray:
            made = self._array.reshape(*shape)
            assert np.shares_memory(made, self._memory.bytes) or not made.size
            return ndarray(made, self._memory)

        @property
        def data(self) -> Any:
            at = self._array.ctypes.data
            known[at] = weakref.ref(self._memory), self.dtype
            return SimpleNamespace(ptr=at, array=self._array, copy_from_device_async=self._copy)

        def _copy(self, source: Any, nbytes: int, stream: Stream) -> None:
            assert nbytes == self.nbytes == source.array.nbytes
            stream.push("copy", lambda: np.copyto(self._array, source.array))

        def set(self, array: Any, stream: Stream | None = None) -> None:
            assert array.dtype == self.dtype
            assert array.shape == self.shape
            assert array.flags.c_contiguous
            source = array if is_pinned(array) else array.copy()  # other memory is staged before the call returns
            target, held, queue = self._array, self._memory, stream or current[-1]

            def fill() -> None:
                np.copyto(target, source)
                held.filling.remove(queue)

            held.filling.append(queue)
            queue.push("up", fill)

        def get(self, stream: Stream | None = None, order: str = "C", out: Any = None, blocking: bool = True) -> Any:
            queue = stream or current[-1]
            target = np.empty(self.shape, self.dtype) if out is None else out
            assert blocking or is_pinned(target), "copies to pageable memory are not asynchronous"
            source, held = self._array, self._memory.bytes
            cupy.downloaded[0] += target.nbytes
            queue.push("down", lambda: (np.copyto(target, source), held)[0])
            if blocking:
                queue.synchronize()
            return target

    def empty(shape: Any, dtype: Any = np.float64) -> ndarray:
        dtype = np.dtype(dtype)
        held = Memory(int(np.prod(shape)) * dtype.itemsize)
        return ndarray(held.bytes.view(dtype).reshape(shape), held)

    def asarray(array: Any) -> ndarray:
        if isinstance(array, ndarray):
            return array
        made = empty(array.shape, array.dtype)
        made.set(np.ascontiguousarray(array))
        return made

    def ascontiguousarray(array: ndarray) -> ndarray:
        if array._array.flags.c_contiguous:
            return array
        made = empty(array.shape, array.dtype)
        source, target = array._array, made._array
        current[-1].push("copy", lambda: np.copyto(target, source))
        return made

    pinned: list[tuple[int, int]] = []

    def is_pinned(array: Any) -> bool:
        at = array.ctypes.data
        return any(start <= at and at + array.nbytes <= end for start, end in pinned)

    def alloc_pinned_memory(nbytes: int) -> Any:
        # The allocator hands out whole pages: more than was asked for, as CuPy's does.
        held = np.full(-(-nbytes // 512) * 512, POISON, np.uint8)
        pinned.append((held.ctypes.data, held.ctypes.data + held.nbytes))
        return held

    class RawKernel:
        def __init__(self, code: str, name: str, options: Sequence[str]) -> None:
            self.kernel = executor(code, name, options)
            self.name = name
            bounds = re.search(r"__launch_bounds__\((\w+)", code)
            define = re.search(rf"#define {bounds[1]} (\d+)", code) if bounds else None
            self.bounds = int(define[1]) if define else 1024
            self.max_dynamic_shared_size_bytes = 48 * 1024

        def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0) -> None:
            assert 0 < np.prod(block) <= self.bounds, f"{self.name}: {block} threads, at most {self.bounds}"
            assert all(0 < g < 65536 for g in grid), f"{self.name}: grid {grid}"
            assert shared_mem <= self.max_dynamic_shared_size_bytes <= most_shared, f"{self.name}: {shared_mem} bytes"
            (given,) = args
            # CuPy passes arrays of numpy's by value where they have one element, and as many bytes as it has.
            assert isinstance(given, np.ndarray)
            assert given.size == 1
            ours, theirs = fields(given.dtype), host.fields(*self.kernel.source, tuple(fields(given.dtype)))
            data, pointers, memories = given.tobytes(), {}, []
            for path, (offset, dtype) in ours.items():
                at, want = theirs.fields[path]
                said, plain = f"{dtype.kind}{dtype.itemsize}", "u8" if "*" in want else want
                assert said == plain, f"{self.name} {path}: {said} for {want}"
                assert offset == at, f"{self.name} {path}: at {offset}, not {at}"
                if "*" not in want:
                    continue
                address = int.from_bytes(data[offset : offset + 8], "little")
                if address:
                    held, dtype = known[address]
                    memory = held()
                    assert memory is not None, f"{self.name} {path}: memory that was given back"
                    plain = f"*{dtype.kind}{dtype.itemsize}"
                    assert plain == want.replace("const:", "").replace(":", ""), (
                        f"{self.name} {path}: {plain} for {want}"
                    )
                    memories.append(memory)
                    pointers[offset] = Pointer(memory.bytes, address - memory.bytes.ctypes.data)
            assert given.dtype.itemsize == theirs.size, f"{self.name}: {given.dtype.itemsize} bytes for {theirs.size}"
            told, stream = Struct(data, pointers), current[-1]

            def run() -> None:
                if any(other is not stream for m in memories for other in m.filling):
                    raise Race(f"{self.name} reads what another stream has not filled yet")
                self.kernel(grid, block, [told], shared_mem)

            stream.push(self.name, run)

    class RawModule:
        def __init__(self, *, code: str, options: tuple[str, ...] = ()) -> None:
            assert not re.search(r'^\s*#include\s+"', code, re.M), "CuPy's cache does not see what is included"
            assert "--fmad=false" in options, "products and sums must not be fused"
            self.code, self.options = code, options

        def get_function(self, name: str) -> RawKernel:
            return RawKernel(self.code, name, self.options)

    properties = {"name": b"Stand-in", "major": int(capability[:-1]), "minor": int(capability[-1])}
    cupy.__version__ = "14.0.0"
    cupy.log, cupy.most_used, cupy.used, cupy.downloaded = log, 0, used, [0]
    cupy.ndarray, cupy.RawModule = ndarray, RawModule
    cupy.empty, cupy.asarray, cupy.ascontiguousarray = empty, asarray, ascontiguousarray
    cupy.from_dlpack = lambda array: array if isinstance(array, ndarray) else array.__dlpack__(stream=0)
    cupy.get_default_memory_pool = lambda: SimpleNamespace(free_all_blocks=lambda: None)
    device = SimpleNamespace(
        id=0,
        compute_capability=capability,
        attributes={"MaxSharedMemoryPerBlockOptin": most_shared},
        synchronize=lambda: current[0].synchronize(),
    )
    cupy.cuda = SimpleNamespace(
        Stream=Stream, Event=Event, Device=lambda: device, alloc_pinned_memory=alloc_pinned_memory,
        get_current_stream=lambda: current[-1],
        nvrtc=SimpleNamespace(getVersion=lambda: (13, 0)),
        memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
        driver=SimpleNamespace(CUDADriverError=CUDADriverError),
        compiler=SimpleNamespace(CompileException=CompileException),
        runtime=SimpleNamespace(
            CUDARuntimeError=CUDARuntimeError, getDeviceCount=lambda: devices,
            memGetInfo=lambda: (memory - used[0], memory), driverGetVersion=lambda: 13000,
            getDeviceProperties=lambda _: properties,
        ),
    )  # fmt: skip
    return cupy
