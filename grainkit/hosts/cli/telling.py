"""What the command says on standard error, a line each, and what it says of a job that is done."""

from __future__ import annotations

import contextlib
import re
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from grainkit.job.failures import cut

if TYPE_CHECKING:
    from grainkit.job.report import Report
    from grainkit.job.request import Progress

#: Characters of a path that Linux takes; a longer word in a message is no path, and is cut.
_LONGEST_PATH = 4096
#: What wipes a terminal's line.
WIPE = "\r\x1b[K"


def tell(sentence: str) -> None:
    """A line on standard error; where that takes no more, nothing can be told."""
    with contextlib.suppress(OSError):
        print(f"grainkit: {one_line(sentence)}", file=sys.stderr)


def one_line(message: str) -> str:
    """What names of files and values given may break into several lines, or write all over a terminal."""
    shortened = re.sub(rf"\S{{{_LONGEST_PATH + 1},}}", lambda found: cut(found[0]), message)
    return "".join(c if c.isprintable() else "?" for c in shortened)


def show(error: Exception) -> None:
    """The traceback, for --debug."""
    with contextlib.suppress(OSError):
        traceback.print_exception(error, file=sys.stderr)


def tell_report(report: Report, label: str, *, as_json: bool) -> None:
    """Notes on standard error, and a line on standard output, unless that is for JSON. label: such as '[2/3] '."""
    from grainkit.machine import system

    # Who has no such card need not hear what it lacks; `doctor` says it.
    if report.chosen_because and (not label or label.startswith("[1/")) and system.has_nvidia_driver():
        print(f"grainkit: note: finished on the CPU: {report.chosen_because}", file=sys.stderr)
    for note in report.notes:
        print(f"grainkit: {label}note: {one_line(note)}", file=sys.stderr)
    if not as_json and report.output != "-":
        print(_line(report, label))


def _line(report: Report, label: str) -> str:
    frames = f", {report.frames} frames" if report.kind != "still" else ""
    pilot = f"\n{label}{report.pilot}  pilot" if report.pilot else ""
    size = f"{report.width}x{report.height} {report.pixel_format}"
    if report.skipped:
        return f"{label}{report.output}  {size}{frames}, was done already{pilot}"
    went_on = f", of which {report.kept} were done already" if report.kept else ""
    return f"{label}{report.output}  {size}{frames}{went_on}, {report.backend}, {report.seconds:.1f} s{pilot}"


@contextmanager
def progress(label: str, *, shown: bool) -> Iterator[Progress | None]:
    """A line on stderr with frames, rate and time left, redrawn ten times a second and wiped at the end."""
    if not shown:
        yield None
        return
    last = 0.0

    def show(done: int, total: int | None, rate: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < 0.1 and done != total:
            return
        last = now
        of = f"/{total}" if total else ""
        left = f", {max(0, total - done) / rate:.0f} s left" if total and rate > 0 else ""
        sys.stderr.write(f"{WIPE}{label}: frame {done}{of}, {rate:.1f} fps{left}")
        sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write(WIPE)
        sys.stderr.flush()
