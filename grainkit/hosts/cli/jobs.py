"""One job of the command line: what it is asked for, and what is said as it is run."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from grainkit.hosts.cli.streams import standard_input, standard_output
from grainkit.hosts.cli.telling import progress, tell_report

if TYPE_CHECKING:
    from grainkit.job.request import FinishRequest, Options


@dataclass(frozen=True)
class Order:
    """What `finish` is asked for on the command line.

    inputs, output: as written. options, backend: of every job. workers: stills at once, None for what is best.
    dry_run: print what would be done. json, quiet, debug: what is told, and how.
    """

    inputs: list[str]
    output: str | None
    options: Options
    backend: str
    workers: int | None
    dry_run: bool
    json: bool
    quiet: bool
    debug: bool

    def request(self, input: str, output: str | None) -> FinishRequest:
        """The job for one of the inputs that the order's were taken for."""
        from grainkit.job.series import request_of

        return request_of(input, output, self.options, self.backend)


def finish_one(
    order: Order, request: FinishRequest, label: str, stdout: BinaryIO | None = None
) -> Mapping[str, object]:
    """Run one job, or print what it would do, and say what came of it; as plain values. label: such as '[2/3] '.

    stdout: the stream for frames, None for the process's own.
    """
    from grainkit.job.request import Watch
    from grainkit.job.run import run

    stdin = standard_input() if str(request.input) == "-" else None
    if order.dry_run:
        from grainkit.job.dry_run import dry_run

        plan = dry_run(request, Watch(stdin=stdin))
        if not order.json:
            from grainkit.recipe.yaml_text import yaml_text

            print(yaml_text(plan), end="")
        return cast("Mapping[str, object]", plan)

    def announce(sentence: str) -> None:
        if not order.quiet:
            print(f"grainkit: {label}{sentence}", file=sys.stderr, flush=True)

    shown = not order.quiet and sys.stderr.isatty()
    with (
        _told_of_what_is_kept(request.write.resume),
        progress(f"{label}{Path(request.input).name}", shown=shown) as shows,
    ):
        piped = (stdout or standard_output()) if request.is_piped else None
        report = run(request, Watch(shows, announce, stdin, piped))
    if not order.quiet:
        tell_report(report, label, as_json=order.json)
    return report.as_mapping()


@contextmanager
def _told_of_what_is_kept(resume: bool) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if resume:
            interrupt.add_note("what a sequence has done is kept for --resume, and nothing else unfinished")
        raise
