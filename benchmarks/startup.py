"""How long one waits: `grainkit --help`, and the first finished frame of a clip, in a new process each.

    python -m benchmarks.startup [--rounds 7] [--json FILE]

The first frame is 1080p with all three effects on a drawn face, written to standard output as Y4M; what is measured is
the wall time from the start of the process until all of that frame has come through the pipe. Everything is compiled
and read before (one round that does not count). Python that does nothing is there for comparison.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._measure import Spread, keep, machine, ran, table
from benchmarks.peers import HEIGHT, WIDTH, draw_clip, own_recipe

FRAME = WIDTH * HEIGHT * 3 // 2


def first_frame(command: list[str]) -> float:
    """Wall seconds until the first frame is out; the process is not waited for."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        head = process.stdout.readline() + process.stdout.readline()
        frame = process.stdout.read(FRAME)
        took = time.perf_counter() - began
        process.kill()
    if not head.startswith(b"YUV4MPEG2") or len(frame) != FRAME:
        raise SystemExit(f"no frame came: {' '.join(command)}")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    print(machine())
    grainkit = [sys.executable, "-m", "grainkit"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "clip.mp4"
        draw_clip(clip, 24)
        full = own_recipe(folder / "full.yaml", texture=0.85, guard=1.0)
        plain = own_recipe(folder / "plain.yaml", guard=1.0)
        frames = {
            what: [*grainkit, "finish", str(clip), "-o", "-", "--recipe", str(recipe), "--backend", "cpu", "--quiet"]
            for what, recipe in (("first frame, all three effects", full), ("first frame, grain + guard", plain))
        }
        jobs = {
            "python -c pass": lambda: ran([[sys.executable, "-c", "pass"]]).wall,
            "grainkit --help": lambda: ran([[*grainkit, "--help"]]).wall,
            **{what: lambda command=command: first_frame(command) for what, command in frames.items()},
        }
        found: dict[str, list[float]] = {what: [] for what in jobs}
        for round_ in range(options.rounds + 1):
            for what, job in jobs.items():
                took = job()
                if round_:
                    found[what].append(took)
    print(table(("", "wall s", "shortest"), [(what, Spread.of(t), f"{min(t):.2f}") for what, t in found.items()]))
    keep(options.json, {"seconds": found})


if __name__ == "__main__":
    main()
