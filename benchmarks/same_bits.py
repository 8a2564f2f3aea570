"""The kept pictures of tests/pictures.lock made again in other circumstances, each in a process of its own.

    python -m benchmarks.same_bits [--only NAME ...] [--media FILE ...]

Prints, for every circumstance, how many pictures have the bits that are kept, and how far the blocks of those that
do not are from the kept ones. Other processors are stood in for by switching off what this one has: numba compiles
for x86-64 without AVX (or whatever `generic` means here) with an empty cache, numpy and OpenCV leave out their wider
vectors, OpenBLAS takes the kernels of an old processor. --media: stills and clips of your own (the first frames),
with social or social/reel, compared with a first plain run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import grainkit as gk
from grainkit.picture.frame import Frame
from tests import goldens
from tests.goldens import Case, Golden

ROOT = Path(__file__).resolve().parents[1]
#: Frames of a clip of --media.
FRAMES = 3
_WIDE = "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V3 X86_V4"
#: Name to environment; `fresh` stands for an empty folder.
CIRCUMSTANCES: dict[str, dict[str, str]] = {
    "again": {},
    "one worker, OpenCV on one thread": {"WORKERS": "1", "OPENCV_FOR_THREADS_NUM": "1"},
    "five workers": {"WORKERS": "5"},
    "numba's cache empty": {"NUMBA_CACHE_DIR": "fresh"},
    "numba for a plain processor": {"NUMBA_CACHE_DIR": "fresh", "NUMBA_CPU_NAME": "generic"},
    "numpy without wide vectors": {"NPY_DISABLE_CPU_FEATURES": _WIDE},
    "OpenCV without wide vectors": {"OPENCV_CPU_DISABLE": "AVX512_SKX,AVX512_ICL,AVX2,FP16,AVX"},
    "OpenBLAS for an old processor": {"OPENBLAS_CORETYPE": "Nehalem"},
}


def cases(media: Iterable[Path]) -> list[Case]:
    """The kept ones, or those of the user's own pictures."""
    own = [_case(path) for path in media]
    return own or [*goldens.EXACT, *goldens.SAMPLES]


def _case(path: Path) -> Case:
    def frames() -> list[Frame]:
        with gk.open_source(path) as source:
            return list(islice(source, FRAMES))

    with gk.open_source(path) as source:
        still = source.info.kind == "still"
    preset, output = ("social", "o.png") if still else ("social/reel", "o.mp4")
    return Case(str(path), frames, preset, output, ("highlight_guard.patches=0",))


def worker(media: Iterable[Path]) -> None:
    """Prints the goldens of this process."""
    workers = int(os.environ.get("WORKERS", "2"))
    print(json.dumps({case.name: asdict(goldens.golden(case, workers)) for case in cases(media)}))


def made(environment: dict[str, str], media: list[Path]) -> dict[str, Golden]:
    """The goldens of another process."""
    with tempfile.TemporaryDirectory() as fresh:
        variables = {key: fresh if value == "fresh" else value for key, value in environment.items()}
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.same_bits", "--worker"]
        command += ["--media", *map(str, media)] if media else []
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=False
        )
    if done.returncode:
        sys.exit(f"benchmarks.same_bits: {done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    return {name: Golden(g["drawn"], g["finished"], tuple(g["blocks"])) for name, g in found.items()}


def row(name: str, kept: dict[str, Golden], found: dict[str, Golden]) -> str:
    """One line of the table."""
    drawn = [n for n in kept if found[n].drawn == kept[n].drawn]
    same = [n for n in kept if found[n].finished == kept[n].finished]
    apart = max(
        (abs(a - b) for n in kept if n not in same for a, b in zip(kept[n].blocks, found[n].blocks, strict=True)),
        default=0.0,
    )
    others = "; ".join(n for n in kept if n not in same) or "none"
    return f"| {name} | {len(drawn)} of {len(kept)} | {len(same)} of {len(kept)} | {apart:.2f} | {others} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(CIRCUMSTANCES), metavar="NAME", choices=CIRCUMSTANCES)
    parser.add_argument("--media", nargs="+", type=Path, default=[], metavar="FILE")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    media = [path.resolve() for path in arguments.media]
    if arguments.worker:
        worker(media)
        return
    first = made({}, media)
    made_on, lock = goldens.read_lock()
    print(f"this machine: {goldens.machine()}\nkept pictures: {made_on}\n")
    print("| circumstance | same picture in | same bits out | blocks apart, codes of 255 | other bits |")
    print("|---|--:|--:|--:|---|")
    if not media:
        kept = {n: g if g.blocks else Golden(g.drawn, g.finished, first[n].blocks)
                for section in lock.values() for n, g in section.items()}  # fmt: skip
        print(row("plain run, against the lock", kept, first), flush=True)
    for name in arguments.only:
        print(row(name, first, made(CIRCUMSTANCES[name], media)), flush=True)


if __name__ == "__main__":
    main()
