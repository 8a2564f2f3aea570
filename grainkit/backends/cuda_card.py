"""The card itself: CuPy and what it needs, found or said to be missing; its errors as ours; arrays that lie on it.

The only file that imports CuPy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
import numpy.typing as npt

from grainkit.backends.cupy_surface import CardArray, Cupy
from grainkit.errors import BackendUnavailable, GrainkitError, InputError
from grainkit.machine.caches import find_for_cupy

#: Oldest compute capability that NVRTC 13 builds for.
OLDEST = 75
REMEDY = "or use --backend cpu"


class Card:
    """CuPy, with a card that works.

    free: bytes that were free on the card at first. most_shared: bytes of shared memory that a block may have.
    described: the card, its driver and the versions that kernels are compiled and run by.
    Raises BackendUnavailable with what is missing and how to get it.
    """

    def __init__(self) -> None:
        self.cupy = cupy = _load()
        with self.errors():
            self.free, total = cupy.cuda.runtime.memGetInfo()
            properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
            self.most_shared = int(cupy.cuda.Device().attributes["MaxSharedMemoryPerBlockOptin"])
        self.described = (
            f"cuda ({properties['name'].decode()}, compute capability {properties['major']}.{properties['minor']}, "
            f"{total / 2**30:.1f} GiB, driver {_version(cupy.cuda.runtime.driverGetVersion())}, "
            f"CuPy {cupy.__version__})"
        )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """A context in which the card's errors become ours, a line each."""
        cuda = self.cupy.cuda
        try:
            yield
        except (cuda.memory.OutOfMemoryError, cuda.runtime.CUDARuntimeError, cuda.driver.CUDADriverError) as error:
            text = _text(error)
            if isinstance(error, cuda.memory.OutOfMemoryError) or "emoryAllocation" in text or "OUT_OF_MEMORY" in text:
                raise GrainkitError(
                    f"the GPU is out of memory ({text}); finish smaller pictures, close what else uses it, {REMEDY}"
                ) from error
            raise GrainkitError(f"the GPU stopped working ({text}); run again, {REMEDY}") from error
        except cuda.compiler.CompileException as error:
            raise GrainkitError(
                f"NVRTC does not compile grainkit's kernels ({_text(error)[:300]}); {REMEDY[3:]}"
            ) from error

    def array(self, given: object) -> CardArray:
        """An array on the card as CuPy's, without a copy. Raises InputError where it is on another card."""
        cupy = self.cupy
        if isinstance(given, cupy.ndarray):
            array = cast(CardArray, given)
        else:
            array = cupy.from_dlpack(given) if hasattr(given, "__dlpack__") else cupy.asarray(given)
        if array.device.id != cupy.cuda.Device().id:
            raise InputError(
                f"the array is on GPU {array.device.id} and the backend on GPU {cupy.cuda.Device().id}; "
                "move it, or choose the card with CUDA_VISIBLE_DEVICES"
            )
        return array

    def taken(self, plane: object) -> CardArray:
        """An array on the card as CuPy's, its samples side by side in a row; nothing is copied otherwise."""
        array = self.array(plane)
        return array if array.strides[1] == array.dtype.itemsize else self.cupy.ascontiguousarray(array)

    def pinned(self, nbytes: int) -> npt.NDArray[np.uint8]:
        """Memory of the host that the card copies from and to by itself."""
        return np.frombuffer(self.cupy.cuda.alloc_pinned_memory(nbytes), np.uint8, nbytes)


def _load() -> Cupy:
    """CuPy, where all that it needs is there."""
    try:
        import cupy
    except ImportError as error:
        raise BackendUnavailable(
            "the CUDA backend needs CuPy, which is not installed: pip install 'grainkit[cuda13]' "
            f"('grainkit[cuda12]' for drivers older than 580), {REMEDY}"
        ) from error
    find_for_cupy()  # which CuPy asks for as it compiles; where there is no CuPy, no folder of it is made
    found: Cupy = cupy
    try:
        count = found.cuda.runtime.getDeviceCount()
    except found.cuda.runtime.CUDARuntimeError as error:
        raise BackendUnavailable(
            f"the CUDA backend finds no NVIDIA driver that works ({_text(error)}): "
            f"install or update it from nvidia.com/drivers, {REMEDY}"
        ) from error
    if count == 0:
        raise BackendUnavailable("the CUDA backend finds no NVIDIA GPU on this machine; use --backend cpu")
    try:
        found.cuda.nvrtc.getVersion()
    except Exception as error:  # whatever the loader raises, the library is not there
        raise BackendUnavailable(
            f"the CUDA backend needs NVRTC, which cannot be loaded: pip install 'grainkit[cuda13]', {REMEDY}"
        ) from error
    capability = int(found.cuda.Device().compute_capability)
    if capability < OLDEST:
        raise BackendUnavailable(
            f"this GPU has compute capability {capability / 10}, the CUDA backend needs {OLDEST / 10} or newer; "
            "use --backend cpu"
        )
    return found


def _text(error: BaseException) -> str:
    return " ".join(str(error).split())


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
