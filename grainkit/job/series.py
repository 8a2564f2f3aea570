"""Several inputs, or a folder of unrelated stills: one recipe, one seed, each done."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from grainkit.errors import OutputError
from grainkit.io.names import folds_case, names_folder
from grainkit.io.pending import output_errors
from grainkit.io.reading import SEQUENCE
from grainkit.io.still_formats import looks_like_still
from grainkit.job.failures import Failure, failure_of
from grainkit.job.request import FinishRequest, Options, Watch
from grainkit.machine.system import memory
from grainkit.scale.cores import cores
from grainkit.scale.executors import Ended, Executor
from grainkit.unforeseen import doing

if TYPE_CHECKING:
    from grainkit.job.report import Report
    from grainkit.recipe.recipe import Recipe

#: Bytes of files from which a series is worth processes of its own, which take a second or two to begin.
WORTH_IT = 4 << 20
#: Memory that a still is counted with where nobody says how many are finished at once: 50 megapixels, for print.
MEMORY_EACH = 2 << 30


@dataclass(frozen=True)
class Outcome:
    """What came of one request of a series.

    announced: what was told before what takes long. printed: what libraries printed meanwhile, where that was kept:
    (whether on standard error, text).
    """

    result: Report | Failure
    announced: tuple[str, ...] = ()
    printed: tuple[tuple[bool, str], ...] = ()


def run(
    requests: Sequence[FinishRequest], executor: Executor, work: Callable[[FinishRequest], Outcome] | None = None
) -> Generator[Outcome, None, None]:
    """Finish each by itself, wherever the executor does it; outcomes come in their order.

    work: what is done with each, `outcome_of` where None. One that fails stops none of the others.
    """
    with contextlib.closing(executor.map(work or outcome_of, requests)) as outcomes:
        for request, outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome, Ended):
                yield Outcome(Failure(_ended(str(request.input), outcome.code), 1))
            else:
                yield outcome


def request_of(input: str, output: str | None, options: Options, backend: str) -> FinishRequest:
    """The request for one of the inputs that `expand_inputs` found: folders and patterns that are left are frames."""
    as_ = SEQUENCE if options.get("as_") or os.path.isdir(input) else None
    given: Options = {**options, "as_": as_}
    return FinishRequest.of(input, output, backend=backend, **given)


def outcome_of(request: FinishRequest, on_error: Callable[[Exception], None] | None = None) -> Outcome:
    """What came of a request, with nobody watching. on_error: is shown the error that it fails with."""
    from grainkit.job.run import run

    announced: list[str] = []
    try:
        with doing(f"finishing {request.input}"):
            return Outcome(run(request, Watch(announce=announced.append)), tuple(announced))
    except Exception as error:
        if on_error is not None:
            on_error(error)
        return Outcome(failure_of(error, str(request.input)), tuple(announced))


def _ended(input: str, code: int | None) -> str:
    how = f"by signal {-code}" if code is not None and code < 0 else f"with status {code}"
    return (
        f"{input}: the process that was finishing it ended {how}; finish it again, and fewer at once with --workers if "
        "memory was short"
    )


def series_output(inputs: Sequence[str], output: str | None, recipe: Recipe | None = None) -> str | None:
    """The folder that a series goes into, ending in '/', or None for beside each input.

    recipe: what is delivered; frames of several sequences in one folder must have names of their own.
    OutputError where several inputs would go into one file, or the folder into one that is not there.
    """
    if output is None:
        folder = None
    elif output == "-" or (Path(output).suffix and not names_folder(output) and not Path(output).is_dir()):
        name = "finished" if output == "-" else Path(output).stem
        raise OutputError(f"{len(inputs)} inputs do not fit into {output}; name a folder, such as -o {name}/")
    else:
        folder = output if names_folder(output) else f"{output}/"
        above = Path(folder).absolute().parent
        if not above.is_dir():
            raise OutputError(
                f"cannot write to {folder}: the folder {above} does not exist; create it or choose another with -o"
            )
    clip = None if recipe is None else recipe.delivery.clip
    _refuse_twins(inputs, folder, as_frames=clip is not None and clip.container == "sequence")
    return folder


@contextmanager
def series_folder(folder: str | None) -> Iterator[None]:
    """The folder that a series goes into, made for as long as it takes, and kept if anything came into it."""
    place = None if folder is None else Path(folder)
    if place is None or place.exists() or not place.absolute().parent.is_dir():
        yield
        return
    with output_errors(place):
        place.mkdir(exist_ok=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty
            place.rmdir()


def at_once(inputs: Sequence[str], asked: int | None, backend: str) -> int:
    """How many inputs of a series are finished side by side. asked: as the user said, None for what is best.

    Only stills are, on the CPU: a clip keeps all cores busy by itself, and a card is one for all.
    """
    if not all(looks_like_still(Path(one)) for one in inputs):
        return 1
    if backend != "cpu" and (backend != "auto" or find_spec("cupy") is not None):
        return 1
    if asked is None:
        sizes = (os.stat(one).st_size for one in inputs if os.path.exists(one))
        asked = 1 if sum(sizes) < WORTH_IT else min(cores(), memory() // MEMORY_EACH)
    return max(1, min(asked, len(inputs)))


def _refuse_twins(inputs: Sequence[str], folder: str | None, *, as_frames: bool) -> None:
    """Outputs are named after inputs, less their ending, and frames in a folder of the user's after the frames.

    On many a disk, case does not tell two names apart.
    """
    first: dict[tuple[str, ...], tuple[tuple[str, ...], int]] = {}
    for number, one in enumerate(inputs):
        for key in _names_of(one, folder, as_frames=as_frames):
            written, other = first.setdefault(tuple(part.casefold() for part in key), (key, number))
            place = Path(one).parent if folder is None else Path(folder)
            if other != number and (key == written or folds_case(place)):
                raise OutputError(
                    f"{inputs[other]} and {one} would become the same file; rename one, or finish it on its own"
                )


def _names_of(one: str, folder: str | None, *, as_frames: bool) -> Iterator[tuple[str, ...]]:
    """What an input's output is called, as far as it differs between inputs."""
    from grainkit.io.sequence import numbered_among, parse_pattern, series_files

    path = Path(one)
    is_folder = os.path.isdir(path)
    pattern = None if is_folder or os.path.exists(path) else parse_pattern(path)
    place = "" if folder is not None else str(path.parent)
    if pattern is None and not is_folder and looks_like_still(path):
        yield "still", place, path.stem
        return
    stem = path.stem if pattern is None else path.stem.split("%")[0].rstrip("._- ")
    yield "moving", place, path.name if is_folder else stem
    if as_frames and folder is not None:
        found = numbered_among(series_files(path)) if is_folder else None
        if pattern is None and found is not None:
            pattern = found.pattern
        yield "frames", f"{stem}_%06d" if pattern is None else pattern.name
