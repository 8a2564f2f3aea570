"""Odd but mostly valid files, drawn by a seed: each ends in the right pixels or in one clear line.

    python -m benchmarks.corpus [--seed N] [--only PATTERN]... [--keep DIR] [--list] [--json]
    python -m benchmarks.corpus --folder DIR               files of one's own

Stills, clips, pipes, sequences, names and things that are no pictures are drawn by other libraries or by hand, and
what each must give is known from how it was drawn: its pixels, upright, with what they mean, or a kind of refusal. Each
goes through `grainkit.open_source` and, with all effects off, through `grainkit finish`, whose output must hold the
same samples bit for bit, in a process that is watched. What is counted, by kind of file:

  right     right pixels, read and delivered
  refused   one line that names the file and says why, exit status 2, nothing left behind
  wrong     other pixels or another meaning, a refusal where there must be none (or none where there must be one), a
            line that does not name the file, another exit status, a file left behind, a changed input
  silent    something was left behind without a note
  crash     an exception that is none of grainkit's, a traceback, the end of the process, a hang, memory
  noise     on standard error, what is not grainkit's own

With --folder nothing is known beforehand: every file ends in a picture or one clear line, and samples that tifffile,
Pillow, OpenCV or FFmpeg read otherwise are listed, for a person to judge. Exit status 0 where nothing is found.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks import _corpus_clips, _corpus_jpeg, _corpus_own, _corpus_png, _corpus_strange, _corpus_tiff
from benchmarks._corpus_case import Case, Own, Sketch
from benchmarks._corpus_judge import Finding, emptied, judge, judge_own
from benchmarks._measure import table

#: Seconds that a case may take; reading and finishing a small file takes a tenth of one.
LIMIT = 60.0
#: Seconds that the first case of a process may take, in which everything is compiled.
FIRST_LIMIT = 400.0
#: Bytes that a case may add to the memory that its process has held at most.
GROWTH = 1 << 30
#: Bytes that a process may hold at all.
MEMORY = 8 << 30
COLUMNS = ("right", "refused", "wrong", "silent", "crash", "noise")
#: Where findings that have no column of their own are counted.
_COUNTED_AS = {"hang": "crash", "memory": "crash"}

Judged = tuple[str, list[Finding]]


def sketches() -> Iterator[Sketch]:
    """Every file that can be drawn."""
    for module in (_corpus_png, _corpus_jpeg, _corpus_tiff, _corpus_clips, _corpus_strange):
        yield from module.sketches()


def chosen(patterns: Sequence[str]) -> list[Sketch]:
    """Those whose kind, or kind/name, is like one of the patterns; all where there are none."""
    return [
        sketch
        for sketch in sketches()
        if not patterns
        or any(fnmatch(name, p) for p in patterns for name in (sketch.kind, f"{sketch.kind}/{sketch.name}"))
    ]


# ------------------------------------------------------------------------------------------- watching


def _work(tells: Connection, takes: Connection) -> None:
    """Judge cases as they come, until None does."""
    # What would fill the machine's memory shall fail here first.
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    while (case := takes.recv()) is not None:
        held = _held()
        try:
            outcome, findings = judge_own(case) if isinstance(case, Own) else judge(case)
        except Exception as error:  # the judge's own, which must not be taken for grainkit's
            outcome, findings = (
                "right",
                [Finding("wrong", f"cannot be judged: {traceback.format_exception(error)[-3:]}")],
            )
        grown = _held() - held
        if grown > GROWTH:
            findings.append(Finding("memory", f"{grown >> 20} MiB more"))
        tells.send((outcome, findings))


def _held() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


class Watched:
    """A process that judges, and is replaced where it ends or hangs."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._process: Any = None

    def judged(self, case: Case | Own) -> Judged:
        limit = self._limit
        if self._process is None:
            limit = max(limit, FIRST_LIMIT)
            context = multiprocessing.get_context("spawn")
            self._hears, tells = context.Pipe(duplex=False)
            takes, self._gives = context.Pipe(duplex=False)
            self._process = context.Process(target=_work, args=(tells, takes), daemon=True)
            self._process.start()
            tells.close()
            takes.close()
        self._gives.send(case)
        if not self._hears.poll(limit):
            self._process.kill()
            self._end()
            return "right", [Finding("hang", f"over {limit:g} s")]
        try:
            outcome: Judged = self._hears.recv()
        except EOFError:
            code = self._end()
            return "right", [Finding("crash", f"the process ended with {code}")]
        if any(each.what == "memory" for each in outcome[1]):
            # What it holds now would hide what the next case takes.
            self.close()
        return outcome

    def _end(self) -> int | None:
        self._process.join()
        code: int | None = self._process.exitcode
        self._hears.close()
        self._gives.close()
        self._process = None
        return code

    def close(self) -> None:
        if self._process is not None:
            self._gives.send(None)
            self._end()


# ------------------------------------------------------------------------------------------- the whole


def run(
    drawn: Sequence[Sketch], room: Path, seed: int, limit: float, keep: bool
) -> Iterator[tuple[Sketch, str, list[Finding]]]:
    """Each sketch drawn and judged: (sketch, column it is counted in, findings)."""
    watched = Watched(limit)
    try:
        for sketch in drawn:
            outcome, findings = _one(sketch, room, seed, watched, keep)
            if findings:
                outcome = _COUNTED_AS.get(findings[0].what, findings[0].what)
            yield sketch, outcome, findings
    finally:
        watched.close()


def _one(sketch: Sketch, room: Path, seed: int, watched: Watched, keep: bool) -> Judged:
    try:
        case = sketch.case(room, seed)
    except Exception as error:  # an encoder that this machine's libraries lack, say: not to be passed over, nor the end
        return "right", [Finding("wrong", f"cannot be drawn: {type(error).__name__}: {error}")]
    outcome, findings = watched.judged(case)
    if not (keep and findings):
        emptied(case.folder)
    return outcome, findings


def _drawn(options: argparse.Namespace) -> int:
    drawn = chosen(options.only)
    if options.list:
        print("\n".join(f"{sketch.kind}/{sketch.name}" for sketch in drawn))
        return 0
    began, counts, found = time.monotonic(), {sketch.kind: Counter[str]() for sketch in drawn}, []
    with tempfile.TemporaryDirectory() as temporary:
        room = Path(temporary if options.keep is None else options.keep)
        for sketch, outcome, findings in run(drawn, room, options.seed, options.limit, options.keep is not None):
            counts[sketch.kind][outcome] += 1
            found += [(f"{sketch.kind}/{sketch.name}", each.what, each.said) for each in findings]
            if findings and not options.json:
                for each in findings:
                    print(f"{sketch.kind}/{sketch.name}: {each.what}: {each.said}", file=sys.stderr, flush=True)
    seconds = time.monotonic() - began
    if options.json:
        print(json.dumps({"files": len(drawn), "seed": options.seed, "seconds": seconds, "counts": counts,
                          "findings": found}))  # fmt: skip
        return int(bool(found))
    total: Counter[str] = sum(counts.values(), Counter())
    rows = [[kind, each.total(), *(each[column] for column in COLUMNS)] for kind, each in counts.items()]
    rows.append(["all", total.total(), *(total[column] for column in COLUMNS)])
    print(table(("kind", "files", *COLUMNS), rows))
    if found:
        print("\nfindings:")
        for name, what, said in found:
            print(f"  {name}: {what}: {said}")
    odd = len({name for name, _, _ in found})
    print(f"\n{len(drawn)} files of seed {options.seed}, {odd} with findings, {seconds:.0f} s")
    return int(bool(found))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="what sizes, samples and the matrix are drawn by")
    parser.add_argument(
        "--only", action="append", default=[], metavar="PATTERN", help="kind or kind/name, e.g. tiff/matrix-*"
    )
    parser.add_argument("--keep", metavar="DIR", help="draw into this folder, and leave the files with findings there")
    parser.add_argument("--list", action="store_true", help="name the files, and draw none")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for a file")
    parser.add_argument("--folder", metavar="DIR", help="judge the files of a folder instead of drawn ones")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.folder is not None:
        watched = Watched(options.limit)
        try:
            return _corpus_own.judged_folder(Path(options.folder), options.only, watched, as_json=options.json)
        finally:
            watched.close()
    return _drawn(options)


if __name__ == "__main__":
    sys.exit(main())
