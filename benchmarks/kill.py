"""Kills exports at seeded moments, and looks at what is left: nothing at its place that is not whole.

    python -m benchmarks.kill [--kills N] [--seed N] [--signal KILL|INT|TERM] [--job NAME]... [--json]

Six jobs: a clip, a still with a pilot into a new folder, numbered stills into a new folder, numbered stills over those
of an earlier run, a series, and one by two processes more, which the signal does not reach. Half of the kills come at
a moment of the clock, the rest just before a step that touches the disk (a folder made, something renamed or removed)
in the command's own process, drawn from all such steps of the job. After each:

  torn      files at their place that are neither those of an uninterrupted run nor those that were there before
  mixed     runs after which numbered stills are in part the old ones and in part the new, until the next run begins
  left      files under construction that lie there (of INT and TERM: none may)
  then      the same job run again, whole: it must end with 0, give what an uninterrupted run gives, and leave no
            file under construction

Exit status 0 where nothing was torn and every run afterwards was as it must be.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from grainkit.hosts.cli import command as cli
from grainkit.io.pending import MARK
from samples.waves import draw_waves

#: Audit events at which the disk changes.
STEPS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")
#: Seconds after which a job counts as hung.
LIMIT = 120.0


@dataclass(frozen=True)
class Job:
    """A command, and the one that fills its place beforehand, '' for none."""

    name: str
    arguments: tuple[str, ...]
    before: tuple[str, ...] = ()


QUIET = ("--quiet", "--no-adapt", "--seed", "5")
JOBS = (
    Job("clip", ("finish", "in/clip.nut", "-o", "clip.mp4", *QUIET)),
    Job("still", ("finish", "in/a.png", "-o", "new/", "--pilot", *QUIET)),
    Job("sequence", ("finish", "in/clip.nut", "-o", "frames/f_%03d.png", *QUIET)),
    Job(
        "replaced",
        ("finish", "in/clip.nut", "-o", "old/f_%03d.png", "--overwrite", *QUIET),
        ("finish", "in/clip.nut", "-o", "old/f_%03d.png", "--frames", ":6", "--quiet", "--no-adapt", "--seed", "1"),
    ),
    Job("series", ("finish", "in/a.png", "in/b.png", "in/c.png", "-o", "series/", *QUIET)),
    Job("side by side", ("finish", "in/a.png", "in/b.png", "in/c.png", "-o", "done/", "--workers", "2", *QUIET)),
)


@dataclass
class Found:
    """What the kills of one job left."""

    kills: int = 0
    alive: int = 0
    torn: list[str] = field(default_factory=list)
    mixed: int = 0
    left: int = 0
    failed: list[str] = field(default_factory=list)


def inputs(folder: Path) -> None:
    """A clip and three stills."""
    folder.mkdir()
    draw_waves(folder / "clip.nut", 64, 48, 12)
    for number, name in enumerate("abc"):
        codes = np.random.default_rng(number).integers(60, 200, (48, 64, 3), np.uint8)
        Image.fromarray(codes).save(folder / f"{name}.png")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that is not under construction, by its place; the inputs are not looked at."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.relative_to(folder).parts[0] != "in")
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if MARK not in str(p)}


def leftovers(folder: Path) -> list[Path]:
    """What is under construction."""
    return [p for p in folder.rglob("*") if MARK in p.name]


def run(
    arguments: Sequence[str], folder: Path, *, number: int = 0, after: float = 0.0, step: int = 0
) -> tuple[int, int]:
    """Run the command in a process of its own: (exit status or -signal, steps that touched the disk).

    number: the signal that it gets `after` seconds, or before its step of that number; 0 for none.
    """
    told, tells = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(told)
        os.chdir(folder)
        _count(step if number else 0, number, tells)
        # Standard error goes where the caller looks for tracebacks.
        error = os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(error, 2)
        status = 70
        try:
            status = cli.main(list(arguments))
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(tells)
    if number and not step:
        threading.Timer(after, _signal, (process, number)).start()
    ended, waited = 0, 0.0
    while not ended:
        ended, how = os.waitpid(process, os.WNOHANG)
        time.sleep(0.005)
        waited += 0.005
        if waited > LIMIT:
            os.kill(process, signal.SIGKILL)
    with os.fdopen(told, "rb") as pipe:
        steps = len(pipe.read())
    return os.waitstatus_to_exitcode(how), steps


def _signal(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def _count(step: int, number: int, tells: int) -> None:
    done = 0

    def hook(event: str, _: Any) -> None:
        nonlocal done
        if event not in STEPS:
            return
        done += 1
        os.write(tells, b".")
        if done == step:
            os.kill(os.getpid(), number)

    sys.addaudithook(hook)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--signal", choices=("KILL", "INT", "TERM"), default="KILL")
    parser.add_argument("--job", action="append", choices=[job.name for job in JOBS], help="one of them alone")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    draw = random.Random(options.seed)
    number = int(getattr(signal, f"SIG{options.signal}"))
    rows: dict[str, Found] = {}
    with tempfile.TemporaryDirectory() as room:
        inputs(Path(room) / "in")
        jobs = [job for job in JOBS if not options.job or job.name in options.job]
        prepared = {job.name: _prepared(job, Path(room)) for job in jobs}
        for kill in range(options.kills):
            job = jobs[kill % len(jobs)]
            before, whole, seconds, steps = prepared[job.name]
            moment = {"after": draw.uniform(0, seconds)} if kill // len(jobs) % 2 else {"step": draw.randint(1, steps)}
            _killed(job, Path(room), before, whole, rows.setdefault(job.name, Found()), number, **moment)
    return _report(rows, options.json)


def _place(job: Job, room: Path, files: dict[str, bytes]) -> Path:
    """A folder with the inputs and these files."""
    folder = room / job.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "in").symlink_to(room / "in")
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def _prepared(job: Job, room: Path) -> tuple[dict[str, bytes], dict[str, bytes], float, int]:
    """What is there before the job, what is there after it, and its seconds and steps."""
    folder = _place(job, room, {})
    if job.before:
        assert run(job.before, folder)[0] == 0, (folder / "stderr").read_text()
    (folder / "stderr").unlink(missing_ok=True)
    before = contents(folder)
    folder = _place(job, room, before)
    # Once in this process: what is imported and compiled here is there in those that come of it.
    with contextlib.chdir(folder):
        assert cli.main(list(job.arguments)) == 0
    folder = _place(job, room, before)
    started = time.monotonic()
    status, steps = run(job.arguments, folder)
    seconds = time.monotonic() - started
    assert status == 0, (folder / "stderr").read_text()
    (folder / "stderr").unlink()
    return before, contents(folder), seconds, steps


def _killed(
    job: Job, room: Path, before: dict[str, bytes], whole: dict[str, bytes], found: Found, number: int, **moment: Any
) -> None:
    folder = _place(job, room, before)
    status, _ = run(job.arguments, folder, number=number, **moment)
    said = (folder / "stderr").read_text()
    (folder / "stderr").unlink()
    found.kills += 1
    found.alive += status == 0
    if status not in (0, -signal.SIGKILL, 128 + number) or said.count("\n") > 1 or "Traceback" in said:
        found.failed.append(f"ended with {status} at {moment}: {said.strip()[-300:]}")
    there = contents(folder)
    found.torn += [
        f"{name} at {moment}" for name, data in there.items() if data not in (before.get(name), whole.get(name))
    ]
    replaced = [name for name in before if not name.endswith(".txt")]
    found.mixed += len({there.get(name) == whole[name] for name in replaced}) > 1
    found.left += bool(leftovers(folder))
    if number != signal.SIGKILL and leftovers(folder):
        found.failed.append(f"left {[p.name for p in leftovers(folder)]} at {moment}")
    again = job.arguments if "--overwrite" in job.arguments else (*job.arguments, "--overwrite")
    status, _ = run(again, folder)
    said = (folder / "stderr").read_text()
    (folder / "stderr").unlink()
    if status != 0 or contents(folder) != whole or leftovers(folder):
        names = [p.name for p in leftovers(folder)]
        found.failed.append(f"the run after ended with {status}, left {names} at {moment}: {said.strip()[-300:]}")


def _report(rows: dict[str, Found], as_json: bool) -> int:
    if as_json:
        print(json.dumps({name: vars(found) for name, found in rows.items()}))
    else:
        print(f"{'job':10} {'kills':>6} {'too late':>8} {'torn':>5} {'mixed':>6} {'left':>5} {'wrong after':>12}")
        for name, f in rows.items():
            print(f"{name:10} {f.kills:6} {f.alive:8} {len(f.torn):5} {f.mixed:6} {f.left:5} {len(f.failed):12}")
            for line in (*f.torn, *f.failed):
                print(f"    {line}")
    return int(any(f.torn or f.failed for f in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
