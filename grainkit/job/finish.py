"""`finish`, the friendly face of a job: one call, and every option by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Unpack

from grainkit.backends.base import Backend
from grainkit.job.report import Report
from grainkit.job.request import FinishRequest, Options, Progress, Watch
from grainkit.job.run import run


def finish(
    input: str | Path,
    output: str | Path | None = None,
    *,
    backend: str | Backend = "auto",
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
    stdin: BinaryIO | None = None,
    stdout: BinaryIO | None = None,
    **options: Unpack[Options],
) -> Report:
    """Finish one clip, still or sequence by preset, and write its sidecar.

    input: a path, a folder or printf pattern of numbered stills, or '-' for Y4M on standard input.
    output: a file, a printf pattern, a folder ending in '/', or '-' for Y4M on standard output; None writes
        NAME.PRESET.EXT beside the input.
    backend: auto, cpu or cuda, or one that is open already, which stays open.
    progress: called after each frame. announce: told before what takes long, in a sentence.
    stdin, stdout: streams that stand in for '-'.
    options: what is to be done, such as preset='social/reel', seed=7 and settings={'cinema_grain.strength': 1.5}; all
        of them are told in `grainkit.job.request.Options`.

    Raises a UserError where the input, the output or the recipe is at fault, another GrainkitError where an
    encoder fails. Output, pilot and sidecar appear together; whatever is raised, none of them is left behind.
    """
    name, opened = ("auto", backend) if isinstance(backend, Backend) else (backend, None)
    request = FinishRequest.of(input, output, backend=name, **options)
    return run(request, Watch(progress, announce, stdin, stdout, opened))
