"""What the speed benchmarks share: processes measured from outside, spreads, tables, results that are kept."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

#: Options of libx264 that every export is made with.
X264 = {"preset": "medium", "crf": "18"}

#: For processes that are to find Python's compiled modules, whatever is usual where the benchmark runs.
WARM = {"PYTHONDONTWRITEBYTECODE": ""}

Planes = tuple[npt.NDArray[Any], ...]


@dataclass(frozen=True)
class Spent:
    """What a command took: CPU seconds of all its processes, and wall seconds."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of what several rounds gave."""

    middle: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        if len(values) == 1:
            return Spread(values[0], values[0], values[0])
        low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
        return Spread(middle, low, high)

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.low:.2f}-{self.high:.2f})"


def ratios(values: Sequence[float], reference: Sequence[float]) -> Spread:
    """Round by round: what the machine does to one of a round it does to the other."""
    return Spread.of([a / b for a, b in zip(values, reference, strict=True)])


def ran(pipeline: Sequence[Sequence[str]], environment: Mapping[str, str] | None = None) -> Spent:
    """Runs commands joined by pipes and waits for all. RuntimeError with what a failing one said."""
    began = time.perf_counter()
    running: list[subprocess.Popen[bytes]] = []
    for index, command in enumerate(pipeline):
        last = index == len(pipeline) - 1
        running.append(
            subprocess.Popen(
                command, stdin=running[-1].stdout if running else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if last else subprocess.PIPE, stderr=subprocess.PIPE,
                env=None if environment is None else {**os.environ, **environment},
            )
        )  # fmt: skip
        if index:
            before = running[-2].stdout
            assert before is not None
            before.close()
    cpu = 0.0
    for process, command in zip(running, pipeline, strict=True):
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stderr.close()
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)[:200]}: {said.decode(errors='replace')[-800:]}")
        cpu += usage.ru_utime + usage.ru_stime
    return Spent(cpu, time.perf_counter() - began)


def cpu_ms(work: Callable[[int], object], frames: int) -> float:
    """CPU milliseconds per frame of `work` on frames 0, 1, ..., all threads of this process added up."""
    began = time.process_time()
    for index in range(frames):
        work(index)
    return (time.process_time() - began) * 1000 / frames


def peak_mib(pid: int | str = "self") -> float:
    """Largest resident size of a process so far, MiB (Linux).

    Not ru_maxrss: across exec that carries over the peak of the process that started this one.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def machine() -> dict[str, Any]:
    """What figures belong to."""
    return {
        "processor": platform.machine(), "cores": len(os.sched_getaffinity(0)), "system": platform.platform(terse=True),
        "python": platform.python_version(), "load": [round(v, 1) for v in os.getloadavg()],
    }  # fmt: skip


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def keep(path: str | None, result: Mapping[str, Any]) -> None:
    """Saves a result and the machine as JSON, where a file is named."""
    if path is not None:
        told = {"machine": machine(), **result}
        Path(path).write_text(json.dumps(told, indent=1, default=lambda value: asdict(value)) + "\n")
