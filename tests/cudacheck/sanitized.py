"""Run the pass, and a resize, under a sanitizer: python -m tests.cudacheck.sanitized asan|tsan [FAULT].

Prints `clean` at the end. In a process of its own, because the sanitizer's library must be loaded before Python (see
test_sanitizers.py). Planes are on the card and end with their last sample, so an access beyond them is seen.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from grainkit.picture.color import Color
from grainkit.picture.resample import Geometry
from tests.cudacheck.faults import RESIZING, faulty
from tests.cudacheck.host import HostKernel
from tests.cudacheck.pictures import KINDS, Job
from tests.cudacheck.stand_in import stand_in


def jobs(mode: str, fault: bool) -> list[Job]:
    """Both kinds of arithmetic; luma alone where a fault is looked for. A thread per CUDA thread is slow: less."""
    if mode == "tsan":
        return [replace(KINDS[0], size=(33, 129), relief=None, grey=fault)]
    if fault:
        return [replace(KINDS[0], size=(33, 131), relief=None, grey=True)]
    return [replace(KINDS[kind], size=(33, 131), relief=(0, 0, 33, 131)) for kind in (0, 8)]


def main() -> None:
    mode, *fault = sys.argv[1:]

    def executor(code: str, name: str, options: tuple[str, ...]) -> HostKernel:
        return HostKernel(code, name, options, mode)

    cupy = stand_in(faulty(executor, fault[0]) if fault else executor, eager=True)
    sys.modules["cupy"] = cupy
    from grainkit.backends.cuda import CudaBackend

    for job in jobs(mode, bool(fault)):
        frame = job.frame()
        on_card = frame.with_planes(tuple(cupy.asarray(np.ascontiguousarray(p)) for p in frame.planes))
        cuda = CudaBackend()
        if not fault or fault[0] not in RESIZING:
            cuda.finish(on_card, job.tables(), job.texture())
        if not fault or fault[0] in RESIZING:
            height, width = job.size
            geometry = Geometry((width, height), (width // 3, height // 2), 0.0, 0.0, float(width), float(height))
            planes = on_card.planes[:1] if mode == "tsan" else on_card.planes
            cuda.conform(on_card.with_planes(planes), geometry, Color(depth=32))
    print("clean")


if __name__ == "__main__":
    main()
