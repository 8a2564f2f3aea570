"""A series on the command line: its jobs one after another or side by side, and what is said of them."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from grainkit.hosts.cli import startup
from grainkit.hosts.cli.jobs import Order, finish_one
from grainkit.hosts.cli.telling import WIPE, show, tell, tell_report
from grainkit.job.failures import Failure, failure_of, of_the_system
from grainkit.unforeseen import doing

if TYPE_CHECKING:
    from grainkit.job.inputs import Taken
    from grainkit.job.request import FinishRequest
    from grainkit.job.series import Outcome
    from grainkit.recipe.recipe import Recipe


def finish_series(order: Order, taken: Taken, recipe: Recipe) -> int:
    """Finish all that the inputs were taken for; 0 done, else the lowest exit status of what failed."""
    from grainkit.job.series import at_once, series_folder, series_output

    inputs, output = taken.inputs, order.output
    if len(inputs) > 1 or (output is not None and not Path(output).suffix):
        output = series_output(inputs, output, recipe)
    jobs = [_Job(one, output, f"[{number}/{len(inputs)}] ") for number, one in enumerate(inputs, start=1)]
    count = 1 if order.dry_run else at_once(inputs, order.workers, order.backend)
    results: list[tuple[str, Mapping[str, object]]] = []
    failed: list[tuple[str, Failure]] = []
    with (
        series_folder(output if count > 1 else None),
        contextlib.closing(_finished(order, jobs, count)) as outcomes,
    ):
        for job, done in zip(jobs, outcomes, strict=True):
            if isinstance(done, Failure):
                failed.append((job.input, done))
                tell(done.message)
            else:
                results.append((job.input, done))
    _tell_all(order, taken.skipped, results, failed)
    return min((each.exit_status for _, each in failed), default=0)


def _tell_all(
    order: Order, skipped: Mapping[str, str], results: Sequence[tuple[str, Mapping[str, object]]],
    failed: Sequence[tuple[str, Failure]],
) -> None:  # fmt: skip
    """What came of the whole series. skipped: what was left alone, and why."""
    from grainkit.job.series_summary import series_summary

    if order.json:
        told = {
            "results": [done for _, done in results], "failed": [each.message for _, each in failed],
            "failed_inputs": [name for name, _ in failed],
            "skipped": [{"input": name, "reason": reason} for name, reason in skipped.items()],
        }  # fmt: skip
        print(json.dumps(told))
    if failed or not order.quiet:
        again = {name for name, done in results if done.get("skipped")}
        left = {**dict.fromkeys((name for name, _ in results if name in again), "done already"), **skipped}
        made = [name for name, _ in results if name not in again]
        tell(series_summary(made, left, [name for name, _ in failed]))


@dataclass(frozen=True)
class _Job:
    """One input of a series. label: stands before what is said of it."""

    input: str
    output: str | None
    label: str


def _finished(order: Order, jobs: Sequence[_Job], count: int) -> Generator[Mapping[str, object] | Failure, None, None]:
    """What came of each job, in their order, with all that it said before it; `count` at once."""
    if count == 1:
        yield from (_done(order, job) for job in jobs)
        return
    from grainkit.machine.jit import is_cold

    if is_cold():
        # The others take what the first one compiles, which would otherwise be compiled by each of them.
        yield _done(order, jobs[0])
        jobs = jobs[1:]
    yield from _finished_apart(order, jobs, count)


def _done(order: Order, job: _Job) -> Mapping[str, object] | Failure:
    """What came of a job that is done in this process."""
    try:
        with doing(f"finishing {job.input}"):
            return finish_one(order, order.request(job.input, job.output), job.label)
    except Exception as error:
        # Where standard output takes no more, nothing can be told of the rest either.
        if of_the_system(error) and not error.filename:
            raise
        return _failed(order, job, error)


def _failed(order: Order, job: _Job, error: Exception) -> Failure:
    if order.debug:
        show(error)
    return failure_of(error, job.input)


def _finished_apart(
    order: Order, jobs: Sequence[_Job], count: int
) -> Generator[Mapping[str, object] | Failure, None, None]:
    """What came of each job, by `count` processes of their own."""
    from grainkit.job.series import run
    from grainkit.scale.processes import SideBySide

    shown = not order.quiet and sys.stderr.isatty()
    requests = [_request(order, job) for job in jobs]
    made = [each for each in requests if not isinstance(each, Failure)]

    def told(done: int) -> None:
        if shown:
            sys.stderr.write(f"{WIPE}{done} of {len(made)} stills done" if done < len(made) else WIPE)
            sys.stderr.flush()

    executor = SideBySide(count, told, startup.begin_apart)
    with contextlib.closing(run(made, executor, partial(_done_apart, debug=order.debug))) as outcomes:
        for job, request in zip(jobs, requests, strict=True):
            if isinstance(request, Failure):
                yield request
                continue
            outcome = next(outcomes)
            if shown:
                sys.stderr.write(WIPE)
            yield _told(order, job, outcome)


def _request(order: Order, job: _Job) -> FinishRequest | Failure:
    try:
        return order.request(job.input, job.output)
    except Exception as error:
        return _failed(order, job, error)


def _told(order: Order, job: _Job, outcome: Outcome) -> Mapping[str, object] | Failure:
    """What came of a job in another process, once all that it said is told."""
    for sentence in () if order.quiet else outcome.announced:
        print(f"grainkit: {job.label}{sentence}", file=sys.stderr, flush=True)
    for on_stderr, text in outcome.printed:
        print(text, end="", file=sys.stderr if on_stderr else sys.stdout, flush=True)
    if isinstance(outcome.result, Failure):
        return outcome.result
    if not order.quiet:
        tell_report(outcome.result, job.label, as_json=order.json)
    return outcome.result.as_mapping()


def _done_apart(request: FinishRequest, *, debug: bool) -> Outcome:
    """What came of a request in a process of its own: what is printed is kept, and nothing that fails goes further."""
    from grainkit.job.series import outcome_of

    printed: list[tuple[bool, str]] = []
    with contextlib.redirect_stdout(_Kept(printed, False)), contextlib.redirect_stderr(_Kept(printed, True)):
        outcome = outcome_of(request, show if debug else None)
    return replace(outcome, printed=tuple(printed))


class _Kept(io.TextIOBase):
    """A text stream that is kept, to be told in its turn. on_stderr: where that is to be."""

    def __init__(self, printed: list[tuple[bool, str]], on_stderr: bool) -> None:
        super().__init__()
        self._printed, self._on_stderr = printed, on_stderr

    def write(self, text: str) -> int:
        self._printed.append((self._on_stderr, text))
        return len(text)
