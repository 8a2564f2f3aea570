"""Stills: a portrait of 12 MP for Instagram's feed, one of 50 MP for print, and a series on all cores.

    python -m benchmarks.stills [--rounds 3] [--series 4] [--json FILE]

Wall and CPU seconds, medians with quartiles and the shortest: of the whole `grainkit finish` process, and of the same
call repeated in a process that has done it before. The series is a folder of 12 MP portraits, by as many cores as there
are and held to one; its ratio is what the cores bring. The portrait is drawn and enlarged; the input is a JPEG of
quality 95.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import grainkit as gk
from benchmarks._measure import WARM, Spent, Spread, keep, machine, ran, ratios, table
from grainkit.io.base import StillMetadata
from grainkit.io.delivery import StillDelivery
from grainkit.io.stills import StillSink
from grainkit.picture.color import SRGB_STILL
from grainkit.picture.frame import Frame
from samples.draw import codes, portrait

#: Name: (width, height, preset, ending of the output, whether it is adapted).
CASES = {
    "12 MP to social/instagram-feed": (3000, 4000, "social/instagram-feed", ".jpg", True),
    "12 MP to social/instagram-feed, --no-adapt": (3000, 4000, "social/instagram-feed", ".jpg", False),
    "50 MP to print": (6144, 8192, "print", ".tif", True),
}


def write(path: Path, small: npt.NDArray[np.float32], width: int, height: int) -> None:
    """The portrait enlarged to this size: drawn at it, it would take minutes."""
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    sink = StillSink(path, delivery=StillDelivery("jpeg", quality=95), dpi=72, metadata=StillMetadata())
    sink.write(Frame((), SRGB_STILL, rgb=codes(large, 8)))
    sink.commit()


def here(work: Callable[[], object]) -> Spent:
    """What a call takes in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.process_time() - cpu, time.perf_counter() - wall)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--series", type=int, default=4, help="stills in the series")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    print(machine())
    spent: dict[str, list[Spent]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder, small = Path(name), portrait()
        jobs: dict[str, Callable[[], Spent]] = {}
        for case, (width, height, preset, ending, adapt) in CASES.items():
            source, out = folder / f"{width}.jpg", folder / f"out{ending}"
            if not source.exists():
                write(source, small, width, height)
            command = [sys.executable, "-m", "grainkit", "finish", str(source), "-o", str(out), "--preset", preset]
            command += ["--overwrite", "--quiet", "--backend", "cpu", *([] if adapt else ["--no-adapt"])]

            def again(source: Path = source, out: Path = out, preset: str = preset, adapt: bool = adapt) -> object:
                asked = None if adapt else False
                return gk.finish(source, out, preset=preset, adapt=asked, backend="cpu", overwrite=True)

            jobs[f"{case}, process"] = lambda command=command: ran([command], WARM)  # type: ignore[misc]
            jobs[f"{case}, again"] = lambda again=again: here(again)  # type: ignore[misc]
            again()
        stills = folder / "series"
        stills.mkdir()
        for index in range(options.series):
            shutil.copy(folder / "3000.jpg", stills / f"still_{chr(ord('a') + index % 26)}{index // 26}x.jpg")
        series = [sys.executable, "-m", "grainkit", "finish", str(stills), "-o", f"{folder}/done/", "--overwrite"]
        series += ["--quiet", "--preset", "social/instagram-feed", "--backend", "cpu"]
        every = f"series of {options.series}, all cores"
        jobs[every] = lambda: ran([series], WARM)
        jobs["series, one core"] = lambda: _held_to_one(lambda: ran([series], WARM))
        for _ in range(options.rounds):
            for case, job in jobs.items():
                spent.setdefault(case, []).append(job())
    rows = []
    for case, took in spent.items():
        walls, cpus = [s.wall for s in took], [s.cpu for s in took]
        rows.append((case, Spread.of(walls), f"{min(walls):.2f}", Spread.of(cpus), ratios(cpus, walls)))
    print(table(("", "wall s", "shortest", "CPU s", "cores busy"), rows))
    gain = ratios([s.wall for s in spent["series, one core"]], [s.wall for s in spent[every]])
    print(f"\nthe series on all cores is {gain} times as fast as on one")
    keep(options.json, {"spent": spent})


def _held_to_one(job: Callable[[], Spent]) -> Spent:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        return job()
    finally:
        os.sched_setaffinity(0, cores)


if __name__ == "__main__":
    main()
