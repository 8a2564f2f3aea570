"""Kernels, compiled when they are first needed, and launched with their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grainkit.backends.cupy_surface import Cupy, Function
from grainkit.backends.kernel_arguments import layout, packed
from grainkit.backends.kernel_source import flatten

#: How kernels are compiled: every operation rounds once, as on the CPU. CuPy adds -ftz=true by itself.
OPTIONS = ("--fmad=false", "-std=c++17")
#: Shared memory that a block may have without asking.
PLAIN_SHARED = 48 * 1024


@dataclass(eq=False)
class Kernel:
    """A compiled kernel. layout: of its arguments, once they are known."""

    function: Function
    layout: np.dtype[np.void] | None = None

    def allow(self, shared: int) -> None:
        """Let a block have that many bytes of shared memory."""
        if shared > PLAIN_SHARED:
            self.function.max_dynamic_shared_size_bytes = shared

    def launch(
        self, blocks: tuple[int, ...], threads: tuple[int, ...], shared: int, arguments: Sequence[object]
    ) -> None:
        """Put a launch on the current stream; `arguments` are those of the kernel's struct."""
        if self.layout is None:
            self.layout = layout(arguments)
        self.function(blocks, threads, (packed(arguments, self.layout),), shared_mem=shared)


class Kernels:
    """The kernels of kernels/*.cu by name and -D options."""

    def __init__(self, cupy: Cupy) -> None:
        self._cupy = cupy
        self._made: dict[tuple[str, ...], Kernel] = {}

    def get(self, name: str, defines: tuple[str, ...]) -> Kernel:
        """A kernel, compiled when it is first needed; CuPy keeps it on disk for the next process."""
        if (name, *defines) not in self._made:
            code = flatten(name)
            module = self._cupy.RawModule(code=code, options=(*OPTIONS, *defines))
            self._made[name, *defines] = Kernel(module.get_function(name))
        return self._made[name, *defines]

    def launch(
        self, name: str, defines: tuple[str, ...], blocks: tuple[int, ...], threads: tuple[int, ...], shared: int,
        arguments: Sequence[object],
    ) -> None:  # fmt: skip
        """Put a launch on the current stream. shared: bytes of shared memory of a block."""
        self.get(name, defines).launch(blocks, threads, shared, arguments)
