"""The whole job: source, finish, sink, sidecar, with the stages overlapping and nothing left half done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any, BinaryIO, TypeVar

from grainkit import sidecar
from grainkit.backends import open_backend
from grainkit.backends.base import Backend
from grainkit.errors import InputError, OutputError
from grainkit.finisher import Finisher
from grainkit.frame import Frame
from grainkit.io import open_source
from grainkit.io.base import Sink, Source, SourceInfo
from grainkit.io.metadata import outgoing_source_type, xmp_packet
from grainkit.plan import Plan, make_plan
from grainkit.recipe import Recipe, load_recipe, override, to_mapping

T = TypeVar("T")

#: Frames that may wait between two stages.
QUEUE_DEPTH = 3

#: Told after each frame that was written: frames done, frames in all (None where unknown), frames per second.
Progress = Callable[[int, int | None, float], None]


@dataclass(frozen=True)
class Report:
    """What a job did.

    input, output: names as given; output '-' is standard output. sidecar, pilot: files beside the output, or ''.
    kind: still, sequence, clip or pipe. frames: written. seconds: wall time.
    width, height, pixel_format: of what was delivered. sha256: of the output ('' for a pipe).
    digital_source_type: IPTC term stated in the output, '' where none is claimed.
    notes: what was assumed or done on the way, a sentence each.
    """

    input: str
    output: str
    sidecar: str
    pilot: str
    preset: str
    kind: str
    backend: str
    seed: int
    frames: int
    seconds: float
    width: int
    height: int
    pixel_format: str
    sha256: str
    digital_source_type: str
    notes: tuple[str, ...]

    def as_mapping(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def resolve_recipe(
    preset: str | None, recipe: str | Path | Recipe | None, settings: Iterable[str], seed: int | None, *, piped: bool = False
) -> Recipe:
    """The recipe asked for: a preset or a recipe file, with overrides. Nothing asked: `social`, or `video` for a pipe."""
    if preset is not None and recipe is not None:
        raise InputError("give a preset or a recipe, not both; a recipe can say `extends: PRESET`")
    if isinstance(recipe, Recipe):
        found = recipe
    else:
        found = load_recipe(recipe if recipe is not None else preset or ("video" if piped else "social"))
    return override(found, [*settings, *([] if seed is None else [f"seed={seed}"])])


def finish(
    input: str | Path,
    output: str | Path | None = None,
    *,
    preset: str | None = None,
    recipe: str | Path | Recipe | None = None,
    seed: int | None = None,
    settings: Iterable[str] = (),
    backend: str | Backend = "auto",
    frames: tuple[int, int | None] = (0, None),
    rate: Fraction | None = None,
    pilot: bool = False,
    overwrite: bool = False,
    allow_truncated: bool = False,
    progress: Progress | None = None,
    stdin: BinaryIO | None = None,
    stdout: BinaryIO | None = None,
) -> Report:
    """Finish one clip, still or sequence by preset, and write its sidecar.

    input: a path, a folder or printf pattern of numbered stills, or '-' for Y4M on standard input.
    output: a path, or '-' for Y4M on standard output; None writes NAME.PRESET.EXT beside the input.
    frames: (first, end) by absolute number, end excluded. rate: of a numbered sequence, frames per second.
    pilot: a still also gets a clean 16-bit picture of its own size, without grain.
    Raises a UserError where the input, the output or the recipe is at fault; nothing is left behind then.
    """
    started = time.monotonic()
    asked = resolve_recipe(preset, recipe, settings, seed, piped=str(output) == "-")
    first, end = frames
    source = open_source(input, start=first, stop=end, allow_truncated=allow_truncated, rate=rate, stdin=stdin)
    with source:
        plan = make_plan(source.info, asked, str(output) if output is not None else None)
        inputs = _input_files(source.info)
        refuse_clobber(plan, inputs, overwrite)
        if pilot and plan.kind != "still":
            raise InputError(f"a pilot is made of a still, but {source.info.name} is a {source.info.kind}")
        opened = open_backend(backend) if isinstance(backend, str) else backend
        try:
            with Finisher(asked, opened, plan=plan) as finisher:
                result = _run(plan, source, finisher, end, progress, stdout)
            notes = [*source.info.notes, *plan.notes, *result.notes]
            pilot_path = ""
            if pilot and plan.output is not None:
                pilot_path = str(_write_pilot(input, asked, plan, opened, overwrite))
        finally:
            if isinstance(backend, str):
                opened.close()
    report = Report(
        input=str(input), output="-" if plan.output is None else str(plan.output), sidecar="", pilot=pilot_path,
        preset=asked.name, kind=plan.kind, backend=opened.name, seed=asked.seed, frames=result.frames,
        seconds=time.monotonic() - started, width=plan.geometry.size[0], height=plan.geometry.size[1],
        pixel_format=_pixel_format(plan, source.info), sha256="", digital_source_type=result.source_type,
        notes=tuple(notes),
    )  # fmt: skip
    if plan.output is None:
        return report
    return _with_sidecar(report, plan, asked, source.info, inputs, result)


def dry_run(
    input: str | Path, output: str | Path | None = None, *, preset: str | None = None,
    recipe: str | Path | Recipe | None = None, seed: int | None = None, settings: Iterable[str] = (),
    frames: tuple[int, int | None] = (0, None), rate: Fraction | None = None, overwrite: bool = False,
    allow_truncated: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """What `finish` would do with the same arguments, as plain values; nothing is written."""
    asked = resolve_recipe(preset, recipe, settings, seed, piped=str(output) == "-")
    with open_source(input, start=frames[0], stop=frames[1], allow_truncated=allow_truncated, rate=rate) as source:
        info = source.info
        plan = make_plan(info, asked, str(output) if output is not None else None)
        refuse_clobber(plan, _input_files(info), overwrite)
    return {
        "input": {
            "name": info.name, "kind": info.kind, "size": [info.width, info.height], "frames": info.frames,
            "rate": None if info.rate is None else str(info.rate), "pixel_format": info.pixel_format,
            "audio": info.has_audio,
        },
        "output": {
            "name": "-" if plan.output is None else str(plan.output), "kind": plan.kind,
            "size": list(plan.geometry.size), "pixel_format": _pixel_format(plan, info),
        },
        "effects": to_mapping(plan.recipe)["effects"],
        "seed": plan.recipe.seed,
        "notes": [*info.notes, *plan.notes],
    }  # fmt: skip


@dataclass(frozen=True)
class _Result:
    frames: int
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    source_type: str


def _run(
    plan: Plan, source: Source, finisher: Finisher, end: int | None, progress: Progress | None, stdout: BinaryIO | None
) -> _Result:
    """Drive frames into a sink; commit when all are there, abort on anything else.

    Decoding and finishing run in a thread each, encoding in this one.
    """
    info = source.info
    source_type = outgoing_source_type(info.digital_source_type)
    sink: Sink | None = None
    began, count, numbers = time.monotonic(), 0, []
    total = info.frames if plan.kind != "still" else 1
    with (
        overlapped(iter(source), QUEUE_DEPTH) as decoded,
        overlapped(finisher.frames(decoded, info), QUEUE_DEPTH) as finished,
    ):
        try:
            for frame in finished:
                if sink is None:
                    sink = _open_sink(plan, info, frame, end, source_type, stdout)
                sink.write(frame)
                numbers.append(frame.index) if plan.kind == "sequence" else None
                count += 1
                if progress is not None:
                    progress(count, total, count / max(time.monotonic() - began, 1e-9))
            if sink is None:
                raise InputError(f"{info.name} has no frames in the range asked for; see --frames")
            sink.commit()
        except BaseException:
            if sink is not None:
                sink.abort()
            raise
    notes = tuple(getattr(sink, "notes", ()))
    files: tuple[Path, ...] = () if plan.output is None else (plan.output,)
    if plan.kind == "sequence" and plan.output is not None:
        files = tuple(plan.output.parent / (plan.output.name % n) for n in numbers)
    return _Result(count, files, notes, source_type)


def _open_sink(
    plan: Plan, info: SourceInfo, first: Frame, end: int | None, source_type: str, stdout: BinaryIO | None
) -> Sink:
    """The sink that the plan names. Its module is imported only now, so that a still never loads FFmpeg."""
    if plan.kind == "pipe":
        import sys

        from grainkit.io.y4m import Y4MSink

        width, height = plan.geometry.size
        return Y4MSink(stdout or sys.stdout.buffer, plan.target, width, height, plan.rate or Fraction(25), plan.sample_aspect)
    assert plan.output is not None
    xmp = xmp_packet(
        digital_source_type=source_type, software="grainkit", summary=_summary(plan), existing=info.still.xmp
    )
    if plan.kind == "clip":
        from grainkit.io.video import VideoSink

        assert plan.clip is not None
        start = first.seconds or 0.0
        stop = None if end is None or plan.rate is None else start + float((end - first.index) / plan.rate)
        return VideoSink(
            plan.output, delivery=plan.clip, color=plan.target, width=plan.geometry.size[0],
            height=plan.geometry.size[1], source=replace(info, sample_aspect=plan.sample_aspect),
            start_seconds=start if first.index else 0.0, end_seconds=stop, rate=plan.rate, xmp=xmp,
        )  # fmt: skip
    assert plan.still is not None
    if plan.kind == "sequence":
        from grainkit.io.sequence import SequenceSink

        return SequenceSink(plan.output, delivery=plan.still, dpi=plan.dpi, metadata=info.still, xmp=xmp)
    from grainkit.io.stills import StillSink

    return StillSink(plan.output, delivery=plan.still, dpi=plan.dpi, metadata=info.still, xmp=xmp)


def _summary(plan: Plan) -> str:
    done = [
        f"{name.replace('_', ' ')} {parameters.strength:g}"  # type: ignore[attr-defined]
        for name, parameters in plan.recipe.effects.items()
        if parameters.strength  # type: ignore[attr-defined]
    ]
    return f"finished with grainkit, preset {plan.recipe.name}: {', '.join(done) or 'no effect'}, seed {plan.recipe.seed}"


def _pixel_format(plan: Plan, info: SourceInfo) -> str:
    if plan.kind == "clip" and plan.clip is not None:
        return plan.clip.pixel_format or info.pixel_format
    if plan.still is not None:
        return f"{plan.still.container} {plan.still.depth}-bit"
    return info.pixel_format


def _input_files(info: SourceInfo) -> list[Path]:
    if info.path is None:
        return []
    if info.kind == "sequence":
        from grainkit.io.sequence import _sequence_files as sequence_files

        return sequence_files(info.path)
    return [info.path]


def refuse_clobber(plan: Plan, inputs: list[Path], overwrite: bool) -> None:
    """OutputError where the plan would write over an input, or over an output without leave."""
    output = plan.output
    if output is None:
        return
    if plan.kind == "sequence":
        folder = output.parent
        there = sorted(p for p in folder.iterdir() if _matches(output.name, p.name)) if folder.is_dir() else []
    else:
        there = [output] if output.exists() else []
        if output.is_dir():
            raise OutputError(f"cannot write {output}: it is a folder; name a file in it with -o")
    for file in there:
        if any(file.samefile(one) for one in inputs if one.exists()):
            raise OutputError(f"cannot write {file}: it is the input, which is never overwritten; choose another name with -o")
    if there and not overwrite:
        raise OutputError(f"{there[0]} exists already; pass --overwrite to replace it, or choose another name with -o")
    parent = output.parent
    missing = parent.parent if plan.kind == "sequence" and not parent.exists() else parent
    if not missing.is_dir():
        raise OutputError(f"cannot write {output}: the folder {missing} does not exist; create it or choose another with -o")


def _matches(pattern: str, name: str) -> bool:
    head, _, rest = pattern.partition("%")
    tail = rest.lstrip("0123456789").removeprefix("d")
    middle = name[len(head) : len(name) - len(tail)] if tail else name[len(head) :]
    return name.startswith(head) and name.endswith(tail) and middle.isdigit()


def _write_pilot(input: str | Path, recipe: Recipe, plan: Plan, backend: Backend, overwrite: bool) -> Path:
    """The clean picture at the source's own size, 16 bit, without grain: OUTPUT.pilot.png (or .tif)."""
    assert plan.output is not None
    assert plan.still is not None
    ending = ".tif" if plan.still.container == "tiff" else ".png"
    path = plan.output.with_suffix(f".pilot{ending}")
    clean = override(recipe, ["cinema_grain.strength=0", "delivery.fit=keep", "delivery.still.depth=16", *(
        ["delivery.still.container=tiff", "delivery.still.compression=deflate"] if ending == ".tif"
        else ["delivery.still.container=png", "delivery.still.compression=1"]
    )])  # fmt: skip
    with open_source(input) as source:
        pilot_plan = make_plan(source.info, clean, path)
        refuse_clobber(pilot_plan, _input_files(source.info), overwrite)
        with Finisher(clean, backend, plan=pilot_plan) as finisher:
            _run(pilot_plan, source, finisher, None, None, None)
    return path


def _with_sidecar(
    report: Report, plan: Plan, recipe: Recipe, info: SourceInfo, inputs: list[Path], result: _Result
) -> Report:
    """Write the sidecar and put its name and the output's digest into the report."""
    assert plan.output is not None
    digest = sidecar.sha256_files(result.files)
    told = sidecar.job_report(
        recipe,
        kind="still" if info.kind == "still" else "clip",
        backend=report.backend,
        input={
            "name": Path(info.name).name, "sha256": sidecar.sha256_files(inputs) if inputs else "", "kind": info.kind,
            "size": [info.width, info.height], "frames": info.frames if info.kind != "clip" else report.frames,
        },
        output={
            "name": plan.output.name, "sha256": digest, "frames": report.frames,
            "size": [report.width, report.height], "pixel_format": report.pixel_format,
        },
        notes=report.notes,
        digital_source_type=report.digital_source_type,
        upscaled=plan.geometry.scale > 1.0,
    )  # fmt: skip
    path = sidecar.sidecar_path(plan.output)
    sidecar.write_sidecar(path, told)
    return replace(report, sidecar=str(path), sha256=digest)


class overlapped(Iterator[T]):  # noqa: N801 - reads as a verb where it is used
    """Runs an iterator in a thread of its own, at most `depth` items ahead.

    Order and exceptions are the iterator's own. Leaving the `with` block stops the thread and waits for it.
    """

    def __init__(self, items: Iterator[T], depth: int) -> None:
        self._items = items
        self._queue: Queue[tuple[bool, T | BaseException | None]] = Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._fill, name="grainkit-stage", daemon=True)
        self._thread.start()

    def _fill(self) -> None:
        try:
            for item in self._items:
                if not self._put((True, item)):
                    return
            self._put((False, None))
        except BaseException as error:
            self._put((False, error))

    def _put(self, entry: tuple[bool, T | BaseException | None]) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(entry, timeout=0.1)
            except Full:
                continue
            return True
        return False

    def __next__(self) -> T:
        while True:
            try:
                is_item, value = self._queue.get(timeout=0.1)
                break
            except Empty:
                if not self._thread.is_alive() and self._queue.empty():
                    raise StopIteration from None
        if is_item:
            return value  # type: ignore[return-value]
        if value is not None:
            raise value  # type: ignore[misc]
        raise StopIteration

    def __enter__(self) -> overlapped[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        close = getattr(self._items, "close", None)
        if close is not None:
            close()
