"""Files put in their places together: output, pilot and sidecar, and the film grain table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from grainkit.errors import OutputError
from grainkit.finishing.plan import FilePlan
from grainkit.io.pending import Pending, output_errors
from grainkit.job import sidecar
from grainkit.job.outputs import identity_of, refuse_meanwhile, take_back
from grainkit.job.report import Report
from grainkit.job.sidecar import JobReport
from grainkit.job.sinks import Written
from grainkit.unforeseen import doing

if TYPE_CHECKING:
    from grainkit.effects.base import Packets


def deliver(report: Report, plan: FilePlan, written: Sequence[Written], told: JobReport, replaces: bool) -> Report:
    """Put all files in place, the sidecar with the output's digest last; on failure take back what was.

    replaces: whether what is in its place by now may be replaced.
    """
    path = sidecar.sidecar_path(plan.output)
    folder = None if path.parent.is_dir() else path.parent
    note = Pending(path, waits_in=folder and folder.absolute().parent)
    placed: list[Path] = []
    try:
        # Whole, but for the digest: from here on there is room for it, and leave to write it.
        _store(note, told)
        refuse_meanwhile(plan, replaces)
        for each in written:
            with doing(f"writing {plan.output}"), output_errors(plan.output):
                each.sink.commit()
            placed += each.files
        digest = sidecar.sha256_files(written[0].files)
        _store(note, sidecar.with_digest(told, digest))
        ours = identity_of(written[0].files[0])
        note.commit()
    except BaseException:
        # Where the sidecar is in its place already, all is: an interrupt after that must not leave it without output.
        if note.path.exists():
            note.abort()
            take_back(placed, folder)
        raise
    if identity_of(written[0].files[0]) != ours:
        raise OutputError(
            f"another run made {plan.output} at the same moment, and its sidecar may be of either; finish it again "
            "with --overwrite"
        )
    return replace(report, sidecar=str(path), sha256=digest)


def deliver_to_pipe(written: Written) -> None:
    """End what went to standard output."""
    with doing("writing standard output"), output_errors("standard output"):
        written.sink.commit()


@contextmanager
def pending_table(path: str | Path | None, carried: Packets | None) -> Iterator[Pending | None]:
    """The film grain table, written and not in place yet, and gone after the block unless it is committed there.

    None where no table, or no grain, is to be written.
    """
    if path is None or carried is None:
        yield None
        return
    text, pending = carried.text(), Pending(Path(path))
    try:
        with output_errors(path):
            pending.path.write_bytes(text.encode("ascii"))  # with LF on every system
        yield pending
    finally:
        pending.abort()


def _store(note: Pending, told: JobReport) -> None:
    with output_errors(note.destination), note.path.open("r+b") as file:
        file.write(sidecar.sidecar_text(told).encode("utf-8"))
        file.truncate()
