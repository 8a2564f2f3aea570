"""What the inputs of a command stand for: jobs of their own, the stills of a folder, or the frames of one clip."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from grainkit.errors import InputError
from grainkit.io.mattes import known, matte_files
from grainkit.io.names import names_folder
from grainkit.io.reading import SEQUENCE, STILLS, Read
from grainkit.io.still_formats import looks_like_still
from grainkit.job.sidecar import is_sidecar, sidecar_path
from grainkit.recipe.presets import SIDECAR_SUFFIX

if TYPE_CHECKING:
    from grainkit.io.sequence import Numbered
    from grainkit.job.series_or_sequence import Verdict
    from grainkit.recipe.recipe import Recipe


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
    inputs: Sequence[str], read: Read | None = None, output: str | None = None,
    recipe: Callable[[], Recipe] | None = None,
) -> Taken:  # fmt: skip
    """The inputs, with each folder of stills that are no frames replaced by its stills, sorted by number and name, and
    stills that a shell listed and that are frames replaced by their pattern.

    read: how they are read; the default where None. What it says numbered stills are decides of patterns, too, which
        are sequences otherwise.
    output: as the user gave it. recipe: tells what is delivered; `social` if None.
    InputError where the matte lies among the stills of a folder, or is not a folder although there are several inputs.
    """
    asked = _Asked(read or Read(), output, recipe)
    matte = asked.read.matte
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

    read: Read
    output: str | None
    recipe: Callable[[], Recipe] | None

    @property
    def said(self) -> str | None:
        """What the user says of numbered stills, by --as or by what only a sequence has; None for nothing."""
        if self.read.as_ is not None:
            return self.read.as_
        return SEQUENCE if self.because else None

    @property
    def because(self) -> str:
        """What the user gave that only a sequence has; '' for nothing."""
        from grainkit.finishing.place import CLIP_ENDINGS
        from grainkit.io.sequence import parse_pattern

        def is_pattern(name: str) -> bool:
            return parse_pattern(name) is not None and not names_folder(name) and not os.path.exists(name)

        output, matte = self.output, None if self.read.matte is None else str(self.read.matte)
        if output is not None and (output == "-" or Path(output).suffix.lower() in CLIP_ENDINGS or is_pattern(output)):
            return f"-o {output}"
        if matte is not None and is_pattern(matte):
            return f"--matte {matte}"
        return "--frames or --rate" if self.read.is_timed else ""

    def judged(self, found: Numbered) -> Verdict:
        from grainkit.job.series_or_sequence import judge
        from grainkit.recipe.presets import load_recipe

        return judge(found, load_recipe("social") if self.recipe is None else self.recipe(), self.read.max_pixels)


def _stills_of(one: str, asked: _Asked) -> tuple[list[Path] | None, list[str]]:
    """The stills that an input stands for, None where it is to be finished as it is; and what is to be said of it."""
    if one == "-":
        return None, []
    is_folder = os.path.isdir(one)
    if not is_folder and (asked.read.as_ != "stills" or os.path.exists(one) or "%" not in Path(one).name):
        return None, []
    from grainkit.io.sequence import numbered_among, sequence_files, series_files

    if not is_folder:
        return sequence_files(one), []
    files = series_files(one)
    found = numbered_among(files)
    if found is None:
        if asked.read.as_ == "sequence":
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
    if asked.read.as_ is not None or asked.read.is_timed:
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
    wanted = asked.read.as_ == "sequence"
    if len(files) < 2 or asked.read.as_ == "stills" or not all(looks_like_still(p) and p.is_file() for p in files):
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
