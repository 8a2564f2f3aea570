"""A writer to match `open_source`: frames into a file of any kind that grainkit delivers, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from grainkit.arguments import as_place
from grainkit.backends.cpu import CpuBackend
from grainkit.errors import InputError, OutputError
from grainkit.finishing.finisher import conformed, finish_frame, plan_tables
from grainkit.finishing.plan import FilePlan, Opening
from grainkit.finishing.planning import make_plan
from grainkit.io.base import Sink, SourceInfo, input_files
from grainkit.io.mattes import known
from grainkit.io.pending import output_errors
from grainkit.params import shown
from grainkit.picture.frame import Frame
from grainkit.recipe.presets import load_recipe
from grainkit.recipe.recipe import Recipe


class Writer:
    """Takes the frames of one clip, sequence or still in their order; see `open_writer`."""

    def __init__(self, plan: FilePlan, info: SourceInfo) -> None:
        self._plan, self._info = plan, info
        self._tables = plan_tables(plan)
        self._backend = CpuBackend()
        self._sink: Sink | None = None
        self._lacks = False

    def write(self, frame: Frame) -> None:
        """Add a frame, brought to the output's samples. Raises InputError or OutputError where it cannot be written:

        the output then lacks a frame, and is not delivered.
        """
        try:
            self._write(frame)
        except BaseException:
            self._lacks = True
            raise

    def _write(self, frame: Frame) -> None:
        if not isinstance(frame, Frame):
            raise InputError(f"a writer takes a Frame, not {shown(frame)}; Frame.from_rgb makes one of samples")
        if (frame.width, frame.height) != (self._info.width, self._info.height):
            raise InputError(
                f"frame {frame.index} is {frame.width}x{frame.height}, and {self._plan.name} was opened for "
                f"{self._info.width}x{self._info.height}; a writer takes frames of one size"
            )
        ready = finish_frame(conformed(frame, self._plan, self._backend), self._plan, self._tables, self._backend)
        with output_errors(self._plan.name):
            if self._sink is None:
                opening = Opening(self._info, self._info.digital_source_type, "written with grainkit", ready)
                self._sink = self._plan.open_sink(opening)
            self._sink.write(ready)

    def commit(self) -> None:
        """Put the file in its place. Raises InputError where no frame was written."""
        self._backend.close()
        if self._sink is None:
            raise InputError(f"no frame was written to {self._plan.name}; write one, or leave the writer out")
        if self._lacks:
            raise OutputError(f"{self._plan.name} lacks a frame that could not be written, and is not delivered")
        with output_errors(self._plan.name):
            self._sink.commit()

    def abort(self) -> None:
        """Leave nothing behind."""
        self._backend.close()
        if self._sink is not None:
            self._sink.abort()


@contextmanager
def open_writer(
    output: str | Path, info: SourceInfo, *, preset: str | Recipe = "video", overwrite: bool = False
) -> Iterator[Writer]:
    """A writer for as long as the block takes: the file appears as it ends, and not at all where it raises.

    output: a file, or a printf pattern for a sequence; its ending says the format. info: what is written, as a source
    says it (size, colour, rate, metadata that travels along); frames have that size and colour.
    preset: what its delivery says of codec and quality is taken, and none of its effects. Sound goes along where `info`
    comes from a file that has any.
    Raises OutputError for a place that cannot be written, or that is taken and may not be replaced.
    """
    if not isinstance(info, SourceInfo):
        raise InputError(f"info = {shown(info)} is none; give the `info` of an open source, or a SourceInfo")
    recipe = preset if isinstance(preset, Recipe) else load_recipe(preset)
    delivery = replace(recipe.delivery, fit="keep", width=0, height=0)
    side = "still" if info.kind == "still" else "clip"
    plain = replace(recipe.for_kind(side), delivery=delivery)
    plain = plain.with_effect(*(effect.off() for effect in plain.effects.values()))
    plan = make_plan(info, plain, as_place(output, "output"))
    if not isinstance(plan, FilePlan):
        raise OutputError("a writer writes files; for standard output use finish(..., '-')")
    present = plan.present()
    if known(input_files(info)) & known(present):
        raise OutputError(f"{plan.name} is read from, and an input is never overwritten; choose another name")
    if present and not overwrite:
        raise OutputError(f"{plan.name} exists already; pass overwrite=True to replace it, or choose another name")
    writer = Writer(plan, info)
    try:
        yield writer
        writer.commit()
    except BaseException:
        writer.abort()
        raise
