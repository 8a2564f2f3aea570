"""Frames into a sink: reading, finishing and writing side by side, and nothing left where one of them fails."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from grainkit.analysis.light import Light
from grainkit.backends.base import Backend
from grainkit.effects.base import Analysed
from grainkit.finishing.finisher import Finisher
from grainkit.finishing.plan import DeliveryPlan, FilePlan, Opening
from grainkit.finishing.touched import SHARPENING, at_work
from grainkit.io.base import Sink, Source, SourceInfo, no_such_frames
from grainkit.io.mattes import Mattes
from grainkit.io.metadata import outgoing_source_type
from grainkit.io.pending import output_errors
from grainkit.job.frame_lengths import FrameLengths
from grainkit.job.notes import looks_for_skin
from grainkit.job.request import UNWATCHED, Watch
from grainkit.picture.frame import Frame
from grainkit.scale.overlap import Overlapped
from grainkit.unforeseen import doing, noted

if TYPE_CHECKING:
    from grainkit.effects.base import Packets

#: Frames that may wait between two stages.
QUEUE_DEPTH = 3
#: Seconds that a job which ends early waits for a pipe to say something.
PIPE_PATIENCE = 1.0


@dataclass(frozen=True)
class Delivery:
    """One output that is to be made of frames.

    info: of the input. mattes: the user's. declared: IPTC term that the user says of the input, or ''.
    frames: (first, end) of those that are wanted. carried: grain for the stream's metadata. gain: highlight patches of
    a still. ready: what has been done to a still already.
    since, kept: number of the first frame that an earlier run was to make, which this one goes on with, and the word
    for what it has kept; None and '' where there is no such run.
    """

    plan: DeliveryPlan
    info: SourceInfo
    mattes: Mattes | None
    declared: str
    frames: tuple[int, int | None] = (0, None)
    carried: Packets | None = None
    gain: npt.NDArray[np.float32] | None = None
    ready: Analysed | None = None
    since: int | None = None
    kept: str = ""


@dataclass(frozen=True)
class Written:
    """A sink that has all its frames and is not committed yet.

    frames: how many. files: what it will become. light: what skin was shaded by, None where none was textured.
    gave: names of the effects that gave something to a frame.
    notes: what was left out, a sentence each. source_type: IPTC term of the output, '' where none is claimed.
    """

    sink: Sink
    frames: int
    files: tuple[Path, ...]
    light: Light | None
    gave: frozenset[str]
    notes: tuple[str, ...]
    source_type: str


def write(delivery: Delivery, source: Source, backend: Backend, watch: Watch = UNWATCHED) -> Written:
    """Drive all frames into a sink; on any failure the sink is aborted and the stages have ended.

    Decoding and finishing run in a thread each, encoding in this one.
    """
    plan, info = delivery.plan, delivery.info
    patience = PIPE_PATIENCE if info.kind == "pipe" else None
    place = plan.name if isinstance(plan, FilePlan) else "standard output"
    sink: Sink | None = None
    first, source_type = 0, ""
    lengths, passed = FrameLengths(), _Passed()
    with (
        Finisher(plan.recipe, backend, plan=plan, gain=delivery.gain, ready=delivery.ready) as finisher,
        Overlapped(noted(source, f"reading {info.name}"), QUEUE_DEPTH, patience) as decoded,
        Overlapped(
            noted(
                finisher.frames(passed.seen(_matted(decoded, delivery)), info, delivery.frames[0], delivery.since),
                f"finishing {info.name}",
            ),
            QUEUE_DEPTH,
            patience,
        ) as finished,
    ):
        try:
            for frame in finished:
                with doing(f"writing {place}"), output_errors(place):
                    if sink is None:
                        first = frame.index
                        # A still is finished by now; in a clip skin may be found later.
                        working = at_work(plan, finisher.may_give if plan.moves else finisher.gave)
                        source_type = outgoing_source_type(
                            info.digital_source_type, delivery.declared, touched=bool(working) or plan.carries_grain
                        )
                        opening = Opening(
                            info, source_type, _summary(plan, working), frame, delivery.frames[1], watch.stdout,
                            delivery.carried, delivery.kept,
                        )  # fmt: skip
                        sink = plan.open_sink(opening)
                    sink.write(frame)
                lengths.see(frame)
                passed.tell(info, watch)
            if sink is None:
                begin, end, seen = *delivery.frames, passed.frames_seen
                raise no_such_frames(info.name, info.kind, seen, begin, min(end or seen, seen))
        except BaseException:
            if sink is not None:
                sink.abort()
            raise
        finally:
            decoded.stop()
    first += info.first_number
    files = tuple(plan.output_files(range(first, first + passed.frames_written)))
    said = () if delivery.carried is None else delivery.carried.notes
    notes = (*sink.notes, *said, *lengths.notes(plan.without_times), *plan.lost(info))
    return Written(sink, passed.frames_written, files, finisher.light, finisher.gave, notes, source_type)


class _Passed:
    """Counts the frames of a run, as they come in and as they are written."""

    def __init__(self) -> None:
        self.frames_seen = self.frames_written = 0
        self._began = time.monotonic()

    def seen(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames; afterwards `frames_seen` is the number behind the last one's."""
        for frame in frames:
            self.frames_seen = frame.index + 1
            yield frame

    def tell(self, info: SourceInfo, watch: Watch) -> None:
        """Count one that was written, and say so."""
        self.frames_written += 1
        if watch.progress is not None:
            # What a clip says of its length before it is decoded is an estimate.
            total = None if info.frames is None else max(info.frames, self.frames_written)
            took = max(time.monotonic() - self._began, 1e-9)
            watch.progress(self.frames_written, total, self.frames_written / took)


def _matted(frames: Iterable[Frame], delivery: Delivery) -> Iterable[Frame]:
    if delivery.mattes is None or not looks_for_skin(delivery.plan):
        return frames
    return delivery.mattes.over(frames)


def _summary(plan: DeliveryPlan, working: tuple[str, ...]) -> str:
    """What was done to the pixels, in a sentence. working: see `at_work`."""
    effects = plan.recipe.effects
    done = [f"{name.replace('_', ' ')} {effects[name].strength:g}" for name in working if name in effects]
    done += ["sharpened for paper"] if SHARPENING in working else []
    done += ["grain as metadata"] if plan.carries_grain else []
    recipe = plan.recipe
    return f"finished with grainkit, preset {recipe.name}: {', '.join(done) or 'no effect'}, seed {recipe.seed}"
