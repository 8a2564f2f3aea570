"""A job as a value: all that is asked for, checked once, and small enough to be sent to another process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import BinaryIO, TypedDict, TypeVar, Unpack

from grainkit.arguments import GivenRate, GivenSettings, as_assignments, as_place
from grainkit.backends.base import Backend
from grainkit.errors import InputError
from grainkit.io.base import SourceInfo
from grainkit.io.reading import ALL_FRAMES, Read
from grainkit.job.sidecar import as_argument
from grainkit.recipe.recipe import Recipe
from grainkit.recipe.source_profile import NO_PROFILE

#: Told after each frame that was written: frames done, frames in all (None where unknown), frames per second.
Progress = Callable[[int, int | None, float], None]


class Options(TypedDict, total=False):
    """What a job may be told beside its input and its output, by name; whatever is left out has its default.

    preset, recipe: a preset's name, or a recipe, its file or an earlier sidecar; `social` where neither is given.
    settings: overrides, as a mapping (flat or nested) such as {'cinema_grain.strength': 1.5}, or as KEY=VALUE in a
        list. seed: replaces the recipe's.
    adapt: whether grain and highlights are adapted to what the platform's codec leaves of them, within the recipe's
        bounds; None leaves it to the recipe. What `settings` set stays as it is.
    grain_like: a clip or still whose grain is measured and laid, where `settings` do not say otherwise.
    grain_table: a film grain table (filmgrn1) that stands in for the recipe's grain where that is carried as metadata.
    source_profile: where the picture comes from (flux, photo, ...); auto is what a sidecar that is replayed declares,
        and nothing for all else.
    frames: (first, end) by absolute number, end excluded; None for to the last.
    rate: of a numbered sequence, frames per second: 25, 23.976 (which is 24000/1001), '30000/1001' or a Fraction.
    matte: where skin may be textured, instead of where it is found; see `mattes_for` for what it may be.
    as_: 'sequence' where a folder's numbered stills are the frames of one clip; None where that is to be found out.
    allow_truncated: make do with what decodes of a damaged clip.
    max_pixels: of a picture that is read; more is refused before it is decoded. None is 300 million for stills and
        150 million for frames of clips and pipes.
    hwaccel: 'cuda' decodes a clip on the card, for backend cuda (experimental: it has not run on a card).
    overwrite: an output that exists may be replaced.
    resume: go on with what an earlier run of the same job has done: an output that is whole stays as it is, the first
        frames of a sequence are taken over, and what grainkit made otherwise is made again. What a sequence has
        done is kept where the run fails.
    pilot: a still also gets a clean 16-bit picture of its own size, without grain.
    grain_table_out: where to write what is carried as metadata as a film grain table.
    device_memory: bytes that a backend opened for the job may take on the card, None for most of what is free.
    """

    preset: str | Recipe | None
    recipe: str | Path | Recipe | None
    settings: GivenSettings
    seed: int | None
    adapt: bool | None
    grain_like: str | Path | None
    grain_table: str | Path | None
    source_profile: str
    frames: tuple[int, int | None]
    rate: GivenRate | None
    matte: str | Path | None
    as_: str | None
    allow_truncated: bool
    max_pixels: int | None
    hwaccel: str
    overwrite: bool
    resume: bool
    pilot: bool
    grain_table_out: str | Path | None
    device_memory: int | None


@dataclass(frozen=True)
class RecipeChoice:
    """What is to be done to the picture; see `Options`."""

    preset: str | Recipe | None = None
    recipe: str | Path | Recipe | None = None
    settings: tuple[str, ...] = ()
    seed: int | None = None
    adapt: bool | None = None
    grain_like: str | Path | None = None
    grain_table: str | Path | None = None

    def __post_init__(self) -> None:
        files = {"recipe": self.recipe, "grain_like": self.grain_like, "grain_table": self.grain_table}
        for role, given in files.items():
            if given is not None and not isinstance(given, Recipe):
                object.__setattr__(self, role, as_place(given, role))
        object.__setattr__(self, "settings", tuple(as_assignments(self.settings)))


@dataclass(frozen=True)
class Write:
    """How the output is put in its place, and what goes beside it; see `Options`."""

    overwrite: bool = False
    resume: bool = False
    pilot: bool = False
    grain_table_out: str | Path | None = None


@dataclass(frozen=True)
class Machine:
    """What computes. backend: auto, cpu or cuda. device_memory: see `Options`."""

    backend: str = "auto"
    device_memory: int | None = None


@dataclass(frozen=True)
class FinishRequest:
    """One job, as it is asked for. Make it with `of`; whatever is at fault in itself is refused there.

    input: a path, a folder or printf pattern of numbered stills, or '-' for Y4M on standard input.
    output: a file, a printf pattern, a folder ending in '/', or '-' for Y4M on standard output; None writes
        NAME.PRESET.EXT beside the input.
    profile: name of the source profile that is declared. recipe, read, write, machine: all else; see `Options`.
    """

    input: str | Path
    output: str | Path | None = None
    recipe: RecipeChoice = field(default_factory=RecipeChoice)
    profile: str = NO_PROFILE
    read: Read = field(default_factory=Read)
    write: Write = field(default_factory=Write)
    machine: Machine = field(default_factory=Machine)

    @classmethod
    def of(
        cls, input: str | Path, output: str | Path | None = None, *, backend: str = "auto", **options: Unpack[Options]
    ) -> FinishRequest:
        """The request for one input, all of whose options are given by name.

        Raises a UserError for what is no path, rate, range of frames or setting, and TypeError for other names.
        """
        for name in options:
            if name not in Options.__annotations__:
                raise TypeError(f"{name!r} is no option of a job; there are {', '.join(Options.__annotations__)}")
        return cls(
            as_place(input, "input"), None if output is None else as_place(output, "output"),
            part_of(RecipeChoice, options), options.get("source_profile", NO_PROFILE), part_of(Read, options),
            part_of(Write, options), Machine(backend, options.get("device_memory")),
        )  # fmt: skip

    @property
    def is_piped(self) -> bool:
        """Whether the output goes to standard output."""
        return str(self.output) == "-"

    def words(self, profile: str, info: SourceInfo) -> list[str]:
        """Words of the command, beside the recipe, that decide the output.

        profile: that is declared, by the user or by a sidecar. info: of the input, for what means nothing to some.
        """
        read = self.read
        declared = [] if profile == NO_PROFILE else ["--source", profile]
        first, end = read.frames
        part = [] if read.frames == ALL_FRAMES else ["--frames", f"{first}:{'' if end is None else end}"]
        speed = [] if read.rate is None or info.kind != "sequence" else ["--rate", str(read.rate)]
        limit = [] if read.max_pixels is None else ["--max-pixels", str(read.max_pixels)]
        grain_table = self.recipe.grain_table
        # Of its place the name alone is told; a folder is named as one.
        table = [] if grain_table is None else ["--grain-table", as_argument(Path(grain_table).name)]
        cut = ["--allow-truncated"] if read.allow_truncated else []
        own = []
        if read.matte is not None:
            matte = Path(read.matte)
            own = ["--matte", as_argument(matte.name) + ("/" if matte.is_dir() else "")]
        is_folder = info.kind == "sequence" and info.path is not None and info.path.is_dir()
        return [*declared, *part, *speed, *limit, *table, *cut, *own, *(["--as", "sequence"] if is_folder else [])]


@dataclass(frozen=True)
class Watch:
    """What goes with one run of a job and stays in its process: who is told, and what is open already.

    progress: called after each frame. announce: told before what takes long, in a sentence.
    stdin, stdout: streams that stand in for '-'. backend: one that is open already, which stays open; None opens the
    request's.
    """

    progress: Progress | None = None
    announce: Callable[[str], None] | None = None
    stdin: BinaryIO | None = None
    stdout: BinaryIO | None = None
    backend: Backend | None = None

    def __post_init__(self) -> None:
        for role, teller in (("progress", self.progress), ("announce", self.announce)):
            if teller is not None and not callable(teller):
                raise InputError(f"{role} is a function to call, not {teller!r}; leave it out for none")


#: Who is told nothing.
UNWATCHED = Watch()


_P = TypeVar("_P", RecipeChoice, Read, Write)


def part_of(kind: type[_P], options: Options) -> _P:
    """A part of a request, made of those options that are its."""
    make: Callable[..., _P] = kind
    names = {each.name for each in fields(kind)}
    return make(**{name: value for name, value in options.items() if name in names})
