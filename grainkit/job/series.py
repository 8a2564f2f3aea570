"""Several inputs, or a folder of unrelated stills: one recipe, one seed, each done."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from grainkit.errors import InputError, OutputError
from grainkit.io.formats import looks_like_still
from grainkit.io.mattes import known, matte_files
from grainkit.io.names import folds_case, names_folder
from grainkit.io.pending import output_errors
from grainkit.io.reading import SEQUENCE, STILLS
from grainkit.job.failures import Failure, failure_of
from grainkit.job.request import FinishRequest, Watch
from grainkit.job.sidecar import is_sidecar, sidecar_path
from grainkit.machine.system import memory
from grainkit.recipe.recipe import SIDECAR_SUFFIX
from grainkit.scale.cores import cores
from grainkit.scale.executors import Ended, Executor
from grainkit.unforeseen import doing

if TYPE_CHECKING:
    from grainkit.io.sequence import Numbered
    from grainkit.job.report import Report
    from grainkit.job.series_or_sequence import Verdict
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


@dataclass(frozen=True)
class Taken:
    """What the inputs were taken for.

    inputs: one for each output: a still, a clip, a folder or a pattern of numbered frames, or '-'. is_series: whether
    they are several, or one of a folder's stills. said: what numbered stills were taken for and why, a sentence each.
    skipped: what lies in folders beside the stills, and why it is left alone.
    """

    inputs: list[str]
    is_series: bool
    said: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)


def expand_inputs(
    inputs: Sequence[str], matte: str | None = None, *, as_: str | None = None, output: str | None = None,
    timed: bool = False, recipe: Callable[[], Recipe] | None = None, max_pixels: int | None = None,
) -> Taken:  # fmt: skip
    """The inputs, with each folder of stills that are no frames replaced by its stills, sorted by number and name, and
    stills that a shell listed and that are frames replaced by their pattern.

    matte: as the user gave it. InputError where it lies among the stills of a folder, or where it is not a folder
    although there are several inputs.
    as_: what numbered stills are, `stills` or `sequence`; None where it is to be found out. It decides of patterns,
        too, which are sequences otherwise.
    output: as the user gave it. timed: whether frames or a rate are asked for, which stills have not. recipe: tells
        what is delivered; `social` if None. max_pixels: as for `open_source`.
    """
    asked = _Asked(as_, output, matte, timed, recipe, max_pixels)
    found: list[str] = []
    said: list[str] = []
    skipped: dict[str, str] = {}
    mattes = set() if matte is None else known(matte_files(matte))
    for one in inputs:
        stills, sentence = _stills_of(one, asked)
        said += sentence
        for still in stills or []:
            if os.path.isdir(one) and known([still]) & mattes:
                raise InputError(f"{one}: holds the matte {still.name} too; keep mattes in a folder of their own")
        if stills is not None and os.path.isdir(one):
            skipped |= _foreign(Path(one))
            # A second run over a folder takes the originals, and not what the first has put beside them.
            ours = [p for p in stills if is_sidecar(sidecar_path(p))]
            if len(ours) < len(stills):
                skipped |= dict.fromkeys(map(str, ours), "grainkit made it: its sidecar is beside it")
                stills = [p for p in stills if p not in ours]
        found += [one] if stills is None else [str(p) for p in stills]
    is_series = len(found) > 1 or found != list(inputs)
    if found == list(inputs):
        listed, sentence = _listed_frames(found, asked)
        said += sentence
        if listed is not None:
            found, is_series = [listed], False
    if matte is not None and len(found) > 1 and not os.path.isdir(matte):
        raise InputError(
            f"--matte {matte}: one matte does not fit {len(found)} inputs; give a folder with a matte for each, "
            "called like the input"
        )
    return Taken(found, is_series, tuple(said), skipped)


@dataclass(frozen=True)
class _Asked:
    """What decides between a series and a sequence beside the stills themselves; see `expand_inputs`."""

    as_: str | None
    output: str | None
    matte: str | None
    timed: bool
    recipe: Callable[[], Recipe] | None
    max_pixels: int | None

    @property
    def said(self) -> str | None:
        """What the user says of numbered stills, by --as or by what only a sequence has; None for nothing."""
        if self.as_ is not None:
            return self.as_
        return SEQUENCE if self.because else None

    @property
    def because(self) -> str:
        """What the user gave that only a sequence has; '' for nothing."""
        from grainkit.finishing.plan import CLIP_ENDINGS
        from grainkit.io.sequence import parse_pattern

        def is_pattern(name: str) -> bool:
            return parse_pattern(name) is not None and not names_folder(name) and not os.path.exists(name)

        output, matte = self.output, self.matte
        if output is not None and (output == "-" or Path(output).suffix.lower() in CLIP_ENDINGS or is_pattern(output)):
            return f"-o {output}"
        if matte is not None and is_pattern(matte):
            return f"--matte {matte}"
        return "--frames or --rate" if self.timed else ""

    def judged(self, found: Numbered) -> Verdict:
        from grainkit.job.series_or_sequence import judge
        from grainkit.recipe.recipe import load_recipe

        return judge(found, load_recipe("social") if self.recipe is None else self.recipe(), self.max_pixels)


def _stills_of(one: str, asked: _Asked) -> tuple[list[Path] | None, list[str]]:
    """The stills that an input stands for, None where it is to be finished as it is; and what is to be said of it."""
    if one == "-":
        return None, []
    is_folder = os.path.isdir(one)
    if not is_folder and (asked.as_ != "stills" or os.path.exists(one) or "%" not in Path(one).name):
        return None, []
    from grainkit.io.sequence import numbered_among, sequence_files, series_files

    if not is_folder:
        return sequence_files(one), []
    files = series_files(one)
    found = numbered_among(files)
    if found is None:
        if asked.as_ == "sequence":
            sequence_files(one)  # says what is wrong
        return files, []
    return _judged(found, files, asked)


def _foreign(folder: Path) -> dict[str, str]:
    """What lies in a folder and is no still, and why it is skipped; but for what grainkit wrote there itself."""
    skipped = {}
    for path in sorted(folder.iterdir()):
        if path.name.endswith(SIDECAR_SUFFIX) or ".grainkit-part-" in path.name:
            continue
        if path.is_dir():
            skipped[str(path)] = "a folder in the folder"
        elif path.name.startswith("."):
            skipped[str(path)] = "hidden"
        elif not looks_like_still(path):
            skipped[str(path)] = "no still by its name"
        elif not path.exists():
            skipped[str(path)] = "a link to nothing"
        elif not path.is_file():
            skipped[str(path)] = "no file: a pipe, a socket or a device"
    return skipped


def _judged(found: Numbered, files: list[Path], asked: _Asked) -> tuple[list[Path] | None, list[str]]:
    """`_stills_of` for numbered stills, where nothing is to be said of what --as, --frames and --rate say."""
    if asked.said == STILLS or len(files) < 2:
        return files, []
    if asked.as_ is not None or asked.timed:
        return None, []  # in so many words
    if asked.said is not None:
        what = (
            f"{len(found.files)} numbered stills ({found.files[0].name} ...): one sequence, because of {asked.because}"
        )
        return None, [f"{what}; --as stills finishes each on its own"]
    verdict = asked.judged(found)
    if verdict.kind == STILLS:
        what = f"{len(files)} stills ({files[0].name} ...): a series, because {verdict.because}"
        return files, [f"{what}; --as sequence makes one clip of them"]
    what = f"{len(found.files)} numbered stills ({found.files[0].name} ...): one sequence, because {verdict.because}"
    return None, [f"{what}; --as stills finishes each on its own"]


def _listed_frames(inputs: list[str], asked: _Asked) -> tuple[str | None, list[str]]:
    """The pattern of stills that a shell listed, where they are all the frames of one sequence, and what is to be said.

    InputError where `as_` says that they are, and they are not.
    """
    files = [Path(one) for one in inputs]
    wanted = asked.as_ == "sequence"
    if len(files) < 2 or asked.as_ == "stills" or not all(looks_like_still(p) and p.is_file() for p in files):
        return None, []
    from grainkit.io.sequence import numbered_among

    found = numbered_among(files) if len({p.parent for p in files}) == 1 else None
    if found is None:
        if wanted:
            raise InputError(
                f"{inputs[0]} and {len(inputs) - 1} more are no numbered sequence; name them like f_00001.png, in one "
                "folder"
            )
        return None, []
    there = found.pattern.numbers()
    if len(there) != len(found.files):
        if wanted:
            raise InputError(
                f"{inputs[0]} and {len(inputs) - 1} more are a part of {found.pattern}, which has {len(there)} frames; "
                "give the pattern, and --frames A:B for a part of it"
            )
        return None, []
    stills, said = _judged(found, files, asked)
    return None if stills is not None else str(found.pattern), [*said, *(found.notes if stills is None else ())]


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
