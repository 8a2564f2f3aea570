"""`finish` and `finish_series`, the friendly faces of jobs: one call, and every option by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Unpack

from grainkit.arguments import as_place
from grainkit.backends.base import Backend
from grainkit.errors import GrainkitError, UserError
from grainkit.io.reading import Read
from grainkit.job import series
from grainkit.job.failures import Failure
from grainkit.job.inputs import expand_inputs
from grainkit.job.report import Report
from grainkit.job.request import FinishRequest, Options, Progress, RecipeChoice, Watch, part_of
from grainkit.job.run import run
from grainkit.job.settle import resolve_recipe
from grainkit.scale.executors import Executor, OneByOne


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
    A folder of stills that are pictures of their own is refused here: `finish_series` takes one.
    options: what is to be done, such as preset='social/reel', seed=7 and settings={'cinema_grain.strength': 1.5}; all
        of them are told in `grainkit.job.request.Options`.

    Raises a UserError where the input, the output or the recipe is at fault, another GrainkitError where an
    encoder fails. Output, pilot and sidecar appear together; whatever is raised, none of them is left behind.
    """
    name, opened = ("auto", backend) if isinstance(backend, Backend) else (backend, None)
    request = FinishRequest.of(input, output, backend=name, **options)
    return run(request, Watch(progress, announce, stdin, stdout, opened))


def finish_series(
    inputs: str | Path | Iterable[str | Path], output: str | Path | None = None, *, backend: str = "auto",
    executor: Executor | None = None, **options: Unpack[Options],
) -> tuple[Report, ...]:  # fmt: skip
    """Finish several inputs, or the stills of a folder, each by itself with one recipe and one seed.

    inputs: a folder of stills, or the inputs one by one. output: a folder; None writes beside each input.
    executor: where they are finished; one after another in this process where None. `SideBySide(count)` of
        `grainkit.scale.processes` takes processes: where it is used in a script, that is guarded by
        `if __name__ == "__main__"`.
    options: see `finish`. What is in place already is told from what is to be done by resume=True.

    Returns a report for each, in their order. One that fails stops none of the others: when all are done a UserError,
    or another GrainkitError, says how many failed and why the first did. A UserError also where none can begin.
    """
    given = [inputs] if isinstance(inputs, (str, Path)) else list(inputs)
    places = [str(as_place(one, "input")) for one in given]
    place = None if output is None else str(as_place(output, "output"))
    recipe = resolve_recipe(part_of(RecipeChoice, options))
    taken = expand_inputs(places, part_of(Read, options), place, lambda: recipe)
    folder = series.series_output(taken.inputs, place, recipe)
    requests = [series.request_of(one, folder, options, backend) for one in taken.inputs]
    with series.series_folder(folder):
        results = [outcome.result for outcome in series.run(requests, executor or OneByOne())]
    failed = [each for each in results if isinstance(each, Failure)]
    if failed:
        kind = UserError if any(each.exit_status == UserError.exit_status for each in failed) else GrainkitError
        raise kind(f"{len(failed)} of {len(results)} inputs failed; {failed[0].message}")
    return tuple(each for each in results if isinstance(each, Report))
