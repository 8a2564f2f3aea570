"""How long one waits: `grainkit --help`, and the first finished frame of a clip, in a new process each.

    python -m benchmarks.startup [--rounds 7] [--json FILE]

The first frame is 1080p with all three effects on a drawn face, written to standard output as Y4M; what is measured is
wall and CPU time from the start of the process until all of it has come through the pipe. Everything is compiled
and read before (one round that does not count). Python that does nothing is there for comparison, and so is the
command with numba's cache left alone (`hosts/cli/startup.py`), as it is with a numba that was not tested.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._measure import WARM, Spent, Spread, keep, machine, ran, table
from benchmarks.peers import HEIGHT, WIDTH, draw_clip, own_recipe

#: The command with numba's cache left alone.
UNPATCHED = (
    "import sys; from grainkit.hosts.cli import command, startup\n"
    "startup.TESTED_NUMBA = (); sys.exit(command.command())"
)
FRAME = WIDTH * HEIGHT * 3 // 2


def first_frame(command: list[str]) -> Spent:
    """What a process takes until its first frame is out; it is not waited for."""
    began = time.perf_counter()
    environment = {**os.environ, **WARM}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
        assert process.stdout is not None
        head = process.stdout.readline() + process.stdout.readline()
        frame = process.stdout.read(FRAME)
        took = Spent(_cpu_of(process.pid), time.perf_counter() - began)
        process.kill()
    if not head.startswith(b"YUV4MPEG2") or len(frame) != FRAME:
        raise SystemExit(f"no frame came: {' '.join(command)}")
    return took


def _cpu_of(pid: int) -> float:
    """CPU seconds of a process so far, all its threads (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
        left_alone = [sys.executable, "-c", UNPATCHED]
        frames = {
            what: [*command, "finish", str(clip), "-o", "-", "--recipe", str(recipe), "--backend", "cpu", "--quiet"]
            for what, command, recipe in (
                ("first frame, all three effects", grainkit, full),
                ("first frame, grain + guard", grainkit, plain),
                ("the same, numba's cache left alone", left_alone, plain),
            )
        }
        jobs = {
            "python -c pass": lambda: ran([[sys.executable, "-c", "pass"]], WARM),
            "grainkit --help": lambda: ran([[*grainkit, "--help"]], WARM),
            **{what: lambda command=command: first_frame(command) for what, command in frames.items()},
        }
        found: dict[str, list[Spent]] = {what: [] for what in jobs}
        for round_ in range(options.rounds + 1):
            for what, job in jobs.items():
                took = job()
                if round_:
                    found[what].append(took)
    rows = []
    for what, all_took in found.items():
        walls, cpus = [took.wall for took in all_took], [took.cpu for took in all_took]
        rows.append((what, Spread.of(walls), f"{min(walls):.2f}", Spread.of(cpus), f"{min(cpus):.2f}"))
    print(table(("", "wall s", "shortest", "CPU s", "least"), rows))
    keep(options.json, {"spent": found})


if __name__ == "__main__":
    main()
