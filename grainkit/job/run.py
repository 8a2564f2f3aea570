"""A job from its request to its files: settled, looked at, finished, delivered, with nothing left half done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from grainkit.adapt.offer import refuse_patches
from grainkit.backends import open_backend
from grainkit.backends.base import Backend
from grainkit.errors import OutputError
from grainkit.finishing.plan import DeliveryPlan, FilePlan, SequencePlan
from grainkit.io.base import SourceInfo
from grainkit.job.deliver import deliver, deliver_to_pipe, pending_table
from grainkit.job.outputs import clear_up, new_folder, refuse_outputs, refuse_table
from grainkit.job.report import Report, report_of, sidecar_of, skipped_report
from grainkit.job.request import UNWATCHED, FinishRequest, Watch
from grainkit.job.resume import Identity, done_already
from grainkit.job.settle import Settled, remembers, settle
from grainkit.job.sinks import Delivery, Written, write
from grainkit.job.treatment import Treatment, lacking_grain, packets_of, treatment


def run(request: FinishRequest, watch: Watch = UNWATCHED) -> Report:
    """Finish what is asked for and write its sidecar.

    Raises a UserError where the input, the output or the recipe is at fault, another GrainkitError where an encoder
    fails. Output, pilot and sidecar appear together; whatever is raised, none of them is left behind.
    """
    started = time.monotonic()
    with settle(request, watch) as settled:
        report = run_settled(settled, watch)
    return replace(report, seconds=time.monotonic() - started)


def run_settled(settled: Settled, watch: Watch = UNWATCHED) -> Report:
    """`run` for a job that is settled; its source is read by this, and cannot be once more."""
    request, plan = settled.request, settled.plan
    resume, overwrite = request.write.resume, request.write.overwrite
    with ExitStack() as stack:
        backend = stack.enter_context(_opened(request, watch))
        identity = Identity.of(settled, backend.name)
        if resume and (done := _done_before(settled, identity)) is not None:
            return done
        word = identity.job[:16] if resume and isinstance(plan, SequencePlan) else ""
        for each in settled.plans:
            clear_up(each, word)
        refuse_outputs(settled.plans, settled.inputs, request.read.matte, overwrite, resume=resume)
        refuse_table(request.write.grain_table_out, settled.plans, settled.inputs, overwrite)
        refuse_patches(plan, settled.info)
        adapt = settled.adapts()
        plan, lacking = lacking_grain(settled)
        carried = packets_of(settled, plan)
        table = stack.enter_context(pending_table(request.write.grain_table_out, carried))
        treated = treatment(settled, plan, adapt, backend, watch)
        plan = treated.plans[0]
        if isinstance(plan, FilePlan):
            stack.enter_context(new_folder(plan.new_folder))
        delivery = Delivery(
            plan, settled.info, settled.mattes, settled.declared, request.read.frames, carried, treated.gain,
            treated.ready, request.read.frames[0], word,
        )  # fmt: skip
        written, kept = _written(settled, treated, delivery, backend, watch, stack)
        report = report_of(settled, treated, written[0], backend, identity, kept)
        if isinstance(plan, FilePlan):
            said = sidecar_of(report, settled, treated, written[0], identity, lacking)
            report = deliver(report, plan, written, said, overwrite or resume)
        else:
            deliver_to_pipe(written[0])
        if table is not None:
            table.commit()
    return report


@contextmanager
def _opened(request: FinishRequest, watch: Watch) -> Iterator[Backend]:
    """The backend by the name asked for, closed afterwards, or the one that is open already."""
    if watch.backend is not None:
        yield watch.backend
        return
    opened = open_backend(request.machine.backend, device_memory=request.machine.device_memory)
    try:
        yield opened
    finally:
        opened.close()


def _done_before(settled: Settled, identity: Identity) -> Report | None:
    """The report of an earlier run that has done all of this very job; None where something is to be done."""
    plan, info, first = settled.plan, settled.info, settled.request.read.frames[0]
    if not isinstance(plan, FilePlan) or not settled.inputs:
        raise OutputError("--resume goes on with files, not with what comes or goes by a pipe; leave it out")
    others = [each.output for each in settled.plans[1:] if isinstance(each, FilePlan)]
    done = done_already(
        plan, lambda count: _files(plan, info, first, count), others, identity.job, settled.request.write.overwrite
    )
    return None if done is None else skipped_report(settled, done)


def _files(plan: DeliveryPlan, info: SourceInfo, first: int, count: int) -> list[Path]:
    """The output's files where it has so many frames from `first` on."""
    return plan.output_files(range(info.first_number + first, info.first_number + first + count))


def _written(
    settled: Settled, treated: Treatment, delivery: Delivery, backend: Backend, watch: Watch, stack: ExitStack
) -> tuple[list[Written], int]:
    """The output, and behind it the pilot, written and not in place yet, and how many frames an earlier run had made.

    stack: aborts what is not committed as it ends.
    """
    plan, request, info = delivery.plan, settled.request, settled.info
    read, (first, end) = request.read, request.read.frames
    kept = 0
    if delivery.kept and isinstance(plan, SequencePlan):
        from grainkit.io.sequence import frames_kept

        # The last of them is made once more: something must be, and a clip's number of frames is not known.
        kept = max(0, frames_kept(plan.output, delivery.kept, info.first_number + first) - 1)
    source = settled.source
    if kept and not remembers(treated.recipe):
        source = stack.enter_context(read.source(request.input, first + kept, end, on_card=True))
    output = write(replace(delivery, frames=(first + kept, end)), source, backend, watch)
    stack.callback(output.sink.abort)
    if kept:
        whole = kept + output.frames
        output = replace(output, frames=whole, files=tuple(_files(plan, info, first, whole)))
    written = [output]
    for pilot in treated.plans[1:]:
        again = stack.enter_context(read.source(request.input, 0, None))
        written.append(write(Delivery(pilot, again.info, settled.mattes, settled.declared), again, backend))
        stack.callback(written[-1].sink.abort)
    return written, kept
