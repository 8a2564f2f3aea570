"""Backends by name; asking for one never imports the other."""

from __future__ import annotations

from grainkit.backends.base import BACKENDS, Backend
from grainkit.errors import BackendUnavailable
from grainkit.params import nearest


def open_backend(name: str = "auto", *, workers: int | None = None) -> Backend:
    """The backend of that name, ready to run; close() it. workers: CPU threads, None for all cores.

    Raises BackendUnavailable for a name that is not known, or that cannot run here: a backend asked
    for by name never falls back.
    """
    if name not in BACKENDS:
        raise BackendUnavailable(f"no backend '{name}'{nearest(name, BACKENDS)}; there are: {', '.join(BACKENDS)}")
    if name == "cuda":
        raise BackendUnavailable("the CUDA backend is not part of this version; use --backend cpu (or auto)")
    from grainkit.backends.cpu import CpuBackend

    return CpuBackend(workers)
