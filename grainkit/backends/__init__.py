"""Backends by name; asking for one never imports the other."""

from __future__ import annotations

from grainkit.backends.base import BACKENDS, Backend
from grainkit.errors import BackendUnavailable
from grainkit.params import nearest, shown


def open_backend(name: str = "auto", *, workers: int | None = None, device_memory: int | None = None) -> Backend:
    """The backend of that name, ready to run; close() it. `auto` takes CUDA where it works, else the CPU.

    workers: CPU threads, None for all cores. device_memory: bytes on the card for CUDA, None for most of it.
    Raises BackendUnavailable for a name that is none, is not known, or cannot run here: a backend asked
    for by name never falls back.
    """
    if not isinstance(name, str):
        raise BackendUnavailable(
            f"backend = {shown(name)} is none; give one of {', '.join(BACKENDS)}, or what open_backend() gave"
        )
    if name not in BACKENDS:
        near = "; did you mean cuda?" if name.lower() in ("gpu", "nvidia") else nearest(name, BACKENDS)
        raise BackendUnavailable(f"no backend '{name}'{near} (there are: {', '.join(BACKENDS)})")
    chosen_because = ""
    if name != "cpu":
        from grainkit.backends.cuda import CudaBackend

        try:
            return CudaBackend(device_memory)
        except BackendUnavailable as error:
            if name == "cuda":
                raise
            chosen_because = str(error)
    from grainkit.backends.cpu import CpuBackend

    return CpuBackend(workers, chosen_because=chosen_because)
