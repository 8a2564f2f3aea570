"""CPU time of the pass alone: grain and highlight protection on frames in memory.

    python -m benchmarks.effect [--size 1920x1080] [--rounds 9] [--workers 1]

Prints milliseconds of CPU time per frame (all threads added up), the least, median and quartiles over the rounds,
and the ratio to copying the same planes in the same round: machines are noisy, ratios less so. The first case is a
picture without highlights, in the others a highlight crosses every row.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks._measure import cpu_ms
from grainkit.backends.cpu import CpuBackend
from grainkit.backends.tables import PassTables
from grainkit.effects.base import Context, pass_tables
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.picture.color import Color, chroma_codes, luma_codes
from grainkit.picture.frame import Frame, Plane

#: Effects, and the white end of the picture that they are timed on.
CASES = {
    "grain + guard, midtones": (HighlightGuard(), CinemaGrain(), 0.7),
    "grain + guard": (HighlightGuard(), CinemaGrain(), 1.0),
    "grain": (HighlightGuard(strength=0.0), CinemaGrain(), 1.0),
    "guard": (HighlightGuard(), CinemaGrain(strength=0.0), 1.0),
}


def picture(width: int, height: int, color: Color, end: float = 1.0) -> tuple[Plane, ...]:
    """A ramp from black to `end` with a colour that drifts: up to white, every branch of the pass is taken."""
    dtype = np.uint8 if color.depth == 8 else np.uint16
    black, white = luma_codes(color.depth, color.range)
    grey, unit = chroma_codes(color.depth, color.range)
    luma = np.tile(np.linspace(black, black + end * (white - black), width), (height, 1))
    across, down = color.subsampling
    drift = np.tile(np.linspace(-0.1, 0.1, -(-width // across)), (-(-height // down), 1)) * unit
    return luma.astype(dtype), (grey + drift).astype(dtype), (grey - drift).astype(dtype)


def _finish(backend: CpuBackend, tables: PassTables, planes: tuple[Plane, ...], color: Color, index: int) -> None:
    backend.finish(Frame(planes, color, index=index), tables)


def _copy(planes: tuple[Plane, ...], _: int) -> None:
    for plane in planes:
        plane.copy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="1920x1080", metavar="WxH")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--workers", type=int, default=1, help="threads; two on one core cost more CPU time")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    backend = CpuBackend(options.workers)
    print(f"{options.size}, 4:2:0, {backend.describe()}, {options.rounds} rounds of 5 frames")
    jobs: dict[str, tuple[Callable[[int], object], Callable[[int], object]]] = {}
    for depth in (8, 10):
        color = Color(depth=depth)
        for name, (guard, grain, end) in CASES.items():
            planes = picture(width, height, color, end)
            tables = pass_tables(
                (guard, grain), Context(source=color, target=color, width=width, height=height, seed=1)
            )
            finish = partial(_finish, backend, tables, planes, color)
            finish(0)
            jobs[f"{depth}-bit {name}"] = finish, partial(_copy, planes)
    times: dict[str, list[float]] = {name: [] for name in jobs}
    ratios: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(options.rounds):
        # One after the other in each round: a machine that is slow for a while is so for all of them.
        for name, (finish, copy) in jobs.items():
            times[name].append(cpu_ms(finish, 5))
            ratios[name].append(times[name][-1] / max(cpu_ms(copy, 50), 1e-6))
    print(f"{'':32}{'CPU ms/frame':>14}{'least':>8}{'quartiles':>18}{'x copy':>10}")
    for name, took in times.items():
        low, middle, high = statistics.quantiles(took, n=4)
        spread = f"{low:.2f} - {high:.2f}"
        print(f"{name:32}{middle:14.2f}{min(took):8.2f}{spread:>18}{statistics.median(ratios[name]):10.1f}")
    backend.close()


if __name__ == "__main__":
    main()
