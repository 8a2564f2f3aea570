"""How cost grows: with pixels, with the length of a clip, with threads, with faces.

    python -m benchmarks.scaling [--rounds 7] [--only pixels|length|threads|faces] [--json FILE]

pixels: CPU time of the pass (grain + guard, 8 bit 4:2:0, one thread), per frame and per pixel, from 480p to 2160p.
length: peak resident size of a whole export of 60, 500 and 2,000 drawn frames (160x90, all three effects on), over that
of 60. threads: the pass on 1080p and 2160p by one thread and by two. faces: CPU time of the texture analysis per frame
of a 1080p picture with 0 to 8 drawn heads of 270 px, moving; the first frame of the shot apart, because that is where
faces are looked for and measured. Medians with quartiles; ratios are taken round by round.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks._measure import Spread, cpu_ms, keep, machine, ratios, table
from benchmarks.effect import picture
from grainkit.analysis.faces import find_faces
from grainkit.analysis.networks import FaceNetworks
from grainkit.backends.cpu import CpuBackend
from grainkit.effects.base import Context, pass_tables
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.effects.skin_texture.clip_skin import ClipSkin
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame
from samples.draw import limited_420, portrait

SIZES = ((854, 480), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160))
LENGTHS = (60, 500, 2000)
FACES = (0, 1, 2, 4, 8)
#: Frames of a shot that faces are followed in.
SHOT = 13
HD = (1920, 1080)
#: A whole export, which says how much memory it took.
JOB = """
import sys
from benchmarks._measure import peak_mib
from grainkit import finish
finish(sys.argv[1], sys.argv[2], preset="video", settings=["delivery.clip.options.preset=ultrafast"], backend="cpu")
print(peak_mib())
"""


def passes(size: tuple[int, int], workers: int) -> Any:
    """A function of the frame's number that finishes a drawn frame, called once already."""
    color, backend = Color(), CpuBackend(workers=workers)
    planes = picture(*size, color)
    tables = pass_tables(
        (HighlightGuard(), CinemaGrain()), Context(source=color, target=color, width=size[0], height=size[1], seed=1)
    )

    def work(index: int) -> Frame:
        return backend.finish(Frame(planes, color, index=index), tables)

    work(0)
    return work


def pixels(rounds: int) -> dict[str, list[float]]:
    """CPU ms per frame by size."""
    works = {size: passes(size, 1) for size in SIZES}
    found: dict[tuple[int, int], list[float]] = {size: [] for size in SIZES}
    for _ in range(rounds):
        for size, work in works.items():
            found[size].append(cpu_ms(work, 5))
    per_pixel = {(w, h): [1e6 * v / (w * h) for v in took] for (w, h), took in found.items()}
    rows = [(f"{w}x{h}", Spread.of(found[w, h]), Spread.of(per_pixel[w, h]), ratios(per_pixel[w, h], per_pixel[HD]))
            for w, h in SIZES]  # fmt: skip
    print(f"\n{table(('the pass', 'CPU ms/frame', 'CPU ns/pixel', 'per pixel x 1080p'), rows)}", flush=True)
    return {f"{w}x{h}": took for (w, h), took in found.items()}


def draw_small(path: Path, frames: int) -> None:
    """A small clip of a ramp that moves on."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=Fraction(24), options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        ramp = np.tile(np.linspace(20, 230, 160), (135, 1)).astype(np.uint8)
        for index in range(frames):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(ramp, index, axis=1), "yuv420p")))
        output.mux(stream.encode(None))


def length(rounds: int) -> dict[int, list[float]]:
    """Peak resident size by number of frames, MiB."""
    found: dict[int, list[float]] = {frames: [] for frames in LENGTHS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for frames in LENGTHS:
            draw_small(folder / f"{frames}.mp4", frames)
        for index in range(rounds):
            for frames in LENGTHS:
                out = folder / f"{frames}.{index}.out.mp4"
                command = [sys.executable, "-c", JOB, str(folder / f"{frames}.mp4"), str(out)]
                said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                found[frames].append(float(said))
    rows = [(f"{n} frames", Spread.of(found[n]), ratios(found[n], found[LENGTHS[0]])) for n in LENGTHS]
    print(f"\n{table(('clip of', 'peak RSS, MiB', f'x {LENGTHS[0]} frames'), rows)}", flush=True)
    return found


def threads(rounds: int) -> dict[str, list[tuple[float, float]]]:
    """(wall, CPU) ms per frame, by size and number of threads."""
    found: dict[str, list[tuple[float, float]]] = {}
    cases = {(size, workers): passes(size, workers) for size in (HD, (3840, 2160)) for workers in (1, 2)}
    for _ in range(rounds):
        for (size, workers), work in cases.items():
            wall, cpu = time.perf_counter(), time.process_time()
            for index in range(8):
                work(index)
            took = ((time.perf_counter() - wall) * 125, (time.process_time() - cpu) * 125)
            found.setdefault(f"{size[0]}x{size[1]}, {workers}", []).append(took)
    rows = []
    for name, took in found.items():
        walls, cpus = [wall for wall, _ in took], [cpu for _, cpu in took]
        alone = [wall for wall, _ in found[f"{name.rpartition(', ')[0]}, 1"]]
        rows.append((name, Spread.of(walls), Spread.of(cpus), ratios(alone, walls)))
    head = ("size, threads", "wall ms/frame", "CPU ms/frame", "times as fast as one")
    print(f"\n{table(head, rows)}", flush=True)
    return found


def crowd(heads: int) -> tuple[np.ndarray, ...]:
    """Y'CbCr planes of a 1080p picture of so many heads, two rows of four at most, before the portrait's wall."""
    one = portrait(480, 540)
    out = np.tile(one[:8, :8].mean((0, 1)), (HD[1], HD[0], 1)).astype(np.float32)
    for index in range(heads):
        y, x = 540 * (index // 4), 480 * (index % 4)
        out[y : y + 540, x : x + 480] = one
    return limited_420(out)


def faces(rounds: int) -> dict[int, list[tuple[float, float]]]:
    """(first frame, following frames) CPU ms per frame, by number of faces."""
    color, shots, seen = Color(), {}, {}
    for heads in FACES:
        planes = crowd(heads)
        still = Frame(planes, color, time_base=1 / Fraction(24))
        shots[heads] = [
            replace(still, planes=tuple(np.roll(p, (4 >> (k > 0)) * i, axis=1) for k, p in enumerate(planes)),
                    index=i, pts=i) for i in range(SHOT)
        ]  # fmt: skip
        luma = planes[0].astype(np.float32) / 255
        seen[heads] = len(find_faces(FaceNetworks(), np.stack([luma] * 3, -1)))
    found: dict[int, list[tuple[float, float]]] = {heads: [] for heads in FACES}
    for round_ in range(rounds + 1):
        for heads, shot in shots.items():
            stage = ClipSkin(SkinTexture(strength=1.0), 7)
            first = cpu_ms(lambda _, stage=stage, shot=shot: stage.textured(shot[0]), 1)  # type: ignore[misc]
            rest = cpu_ms(lambda i, stage=stage, shot=shot: stage.textured(shot[1 + i]), SHOT - 1)  # type: ignore[misc]
            if round_:
                found[heads].append((first, rest))
    rows = []
    for heads, took in found.items():
        alone = [rest for _, rest in found[1]]
        first, rest = [f for f, _ in took], [r for _, r in took]
        rows.append((heads, seen[heads], Spread.of(first), Spread.of(rest), ratios(rest, alone)))
    head = ("heads", "found", "first frame, CPU ms", "following, CPU ms/frame", "x one head")
    print(f"\n{table(head, rows)}", flush=True)
    return found


def main() -> None:
    parts = {"pixels": pixels, "length": length, "threads": threads, "faces": faces}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=tuple(parts))
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    print(machine())
    # A round of lengths takes a minute, and what it finds hardly varies.
    result = {
        name: part(min(options.rounds, 3) if name in ("length", "faces") else options.rounds)
        for name, part in parts.items()
        if options.only in (None, name)
    }
    keep(options.json, result)


if __name__ == "__main__":
    main()
