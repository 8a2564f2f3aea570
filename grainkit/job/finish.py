"""The whole job: source, finish, sink, sidecar, with the stages overlapping and nothing left half done."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from grainkit.adapt.offer import Reading, adapted, cost, patched, refuse_patches, wanted
from grainkit.analysis.light import Light
from grainkit.arguments import GivenRate, GivenSettings, as_assignments, as_frames, as_place, as_rate
from grainkit.backends import open_backend
from grainkit.backends.base import Backend
from grainkit.effects.base import Analysed
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.errors import InputError, OutputError, RecipeError
from grainkit.finishing.finisher import Finisher, conformed
from grainkit.finishing.plan import ClipPlan, DeliveryPlan, FilePlan, Opening, PipePlan, Plan, SequencePlan, StillPlan
from grainkit.finishing.planning import make_plan
from grainkit.finishing.regrain import regrained, wants_regrain
from grainkit.finishing.touched import SHARPENING, at_work
from grainkit.io import open_source
from grainkit.io.base import Sink, Source, SourceInfo, no_such_frames
from grainkit.io.mattes import Mattes, matte_files, mattes_for
from grainkit.io.metadata import outgoing_source_type
from grainkit.io.pending import Pending, output_errors
from grainkit.io.still_formats.png import PNG
from grainkit.io.still_formats.tiff import TIFF
from grainkit.job import sidecar
from grainkit.job.frame_lengths import FrameLengths
from grainkit.job.outputs import (
    clear_up,
    identity_of,
    input_files,
    new_folder,
    refuse_clobber,
    refuse_meanwhile,
    refuse_sidecar,
    take_back,
)
from grainkit.job.replay import declared_source, other_grain, other_input
from grainkit.job.resume import done_already, job_of
from grainkit.picture.frame import Frame
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import SIDECAR_SUFFIX, load_recipe, preset_names
from grainkit.recipe.recipe import Recipe, to_mapping
from grainkit.recipe.source_profile import NO_PROFILE, SourceProfile, load_source
from grainkit.scale.overlap import Overlapped
from grainkit.unforeseen import doing, noted

if TYPE_CHECKING:
    from grainkit.adapt.loop import Adapted
    from grainkit.effects.grain.metadata import CarriedGrain
    from grainkit.job.grain_like import GrainLike

#: What the names of recipe files end in.
RECIPE_ENDINGS = (".yaml", ".yml", SIDECAR_SUFFIX)
#: Frames that may wait between two stages.
QUEUE_DEPTH = 3
#: Seconds that a job which ends early waits for a pipe to say something.
PIPE_PATIENCE = 1.0
#: Stands in the sidecar until the output is in place and its digest known.
_NO_DIGEST = "0" * 64

#: Told after each frame that was written: frames done, frames in all (None where unknown), frames per second.
Progress = Callable[[int, int | None, float], None]


@dataclass(frozen=True)
class Report:
    """What a job did.

    input, output: names as given; output '-' is standard output. sidecar, pilot: files beside the output, or ''.
    kind: still, sequence, clip or pipe. frames: written. seconds: wall time.
    width, height, pixel_format: of what was delivered. sha256: of the output ('' for a pipe).
    digital_source_type: IPTC term of the output, '' where none is claimed.
    source_profile: where the picture comes from as it was declared, or auto.
    light: what skin was shaded by where texture first went, in words; '' where it went nowhere.
    notes: what was assumed or done on the way, a sentence each.
    chosen_because: why backend `auto` did not take CUDA; '' where it did, or was not asked.
    skipped: whether the output was there already, whole and of this very job; kept: frames of it that were.
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
    source_profile: str
    light: str
    notes: tuple[str, ...]
    chosen_because: str = ""
    skipped: bool = False
    kept: int = 0

    def as_mapping(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def resolve_recipe(
    preset: str | Recipe | None, recipe: str | Path | Recipe | None, settings: Iterable[str], seed: int | None,
    *, piped: bool = False, profile: SourceProfile | None = None,
) -> Recipe:  # fmt: skip
    """The recipe asked for, with overrides. Nothing asked: `social`, or `video` for a pipe.

    Preset, then source profile, then a recipe's own values, then settings: the later wins.
    """
    if preset is not None and recipe is not None:
        raise RecipeError("give a preset or a recipe, not both; a recipe can say `extends: PRESET`")
    recipe = preset if isinstance(preset, Recipe) else recipe
    if not isinstance(recipe, Recipe):
        name = str(recipe if recipe is not None else preset or ("video" if piped else "social"))
        if not name.endswith(RECIPE_ENDINGS) and name not in preset_names() and os.path.exists(name):
            ends = ", ".join(RECIPE_ENDINGS)
            raise RecipeError(f"{name} is no recipe: it is a file or folder whose name ends in none of {ends}")
        recipe = load_recipe(name, None if profile is None else profile.over)
    return override(recipe, [*settings, *([] if seed is None else [f"seed={seed}"])])


def finish(
    input: str | Path,
    output: str | Path | None = None,
    *,
    preset: str | Recipe | None = None,
    recipe: str | Path | Recipe | None = None,
    source_profile: str = NO_PROFILE,
    seed: int | None = None,
    settings: GivenSettings = (),
    backend: str | Backend = "auto",
    device_memory: int | None = None,
    hwaccel: str = "",
    frames: tuple[int, int | None] = (0, None),
    rate: GivenRate | None = None,
    pilot: bool = False,
    grain_table: str | Path | None = None,
    grain_table_out: str | Path | None = None,
    grain_like: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    allow_truncated: bool = False,
    matte: str | Path | None = None,
    adapt: bool | None = None,
    max_pixels: int | None = None,
    as_: str | None = None,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
    stdin: BinaryIO | None = None,
    stdout: BinaryIO | None = None,
) -> Report:
    """Finish one clip, still or sequence by preset, and write its sidecar.

    input: a path, a folder or printf pattern of numbered stills, or '-' for Y4M on standard input.
    output: a file, a printf pattern, a folder ending in '/', or '-' for Y4M on standard output; None writes
        NAME.PRESET.EXT beside the input.
    preset, recipe: a preset's name, or a recipe, its file or an earlier sidecar; `social` where neither is given.
    source_profile: where the picture comes from (flux, photo, ...); auto is what a sidecar that is replayed declares,
        and nothing for all else.
    settings: overrides, as a mapping (flat or nested) such as {'cinema_grain.strength': 1.5}, or as KEY=VALUE in a
        list. seed: replaces the recipe's.
    backend: auto, cpu or cuda, or one that is open already, which stays open. device_memory: bytes that a
        backend opened here may take on the card, None for most of what is free.
    hwaccel: 'cuda' decodes a clip on the card, for backend cuda (experimental: it has not run on a card).
    frames: (first, end) by absolute number, end excluded; None for to the last.
    rate: of a numbered sequence, frames per second: 25, 23.976 (which is 24000/1001), '30000/1001' or a Fraction.
    pilot: a still also gets a clean 16-bit picture of its own size, without grain.
    grain_table: a film grain table (filmgrn1) that stands in for the recipe's grain where that is carried as metadata.
    grain_table_out: where to write what is carried as such a table.
    grain_like: a clip or still whose grain is measured and laid, where `settings` do not say otherwise.
    resume: go on with what an earlier run of the same job has done: an output that is whole stays as it is, the first
        frames of a sequence are taken over, and what grainkit made otherwise is made again. What a sequence has
        done is kept where the run fails.
    overwrite: an output that exists may be replaced. allow_truncated: make do with what decodes of a damaged clip.
    matte: where skin may be textured, instead of where it is found; see `mattes_for` for what it may be.
    adapt: whether grain and highlights are adapted to what the platform's codec leaves of them, within the
        recipe's bounds; None leaves it to the recipe. What `settings` set stays as it is.
    max_pixels: of a picture that is read; more is refused before it is decoded. None is 300 million for stills and
        150 million for frames of clips and pipes.
    as_: 'sequence' where a folder's numbered stills are the frames of one clip; None where that is to be found out.
    progress: called after each frame. announce: told before what takes long, in a sentence.
    stdin, stdout: streams that stand in for '-'.

    Raises a UserError where the input, the output or the recipe is at fault, another GrainkitError where an
    encoder fails. Output, pilot and sidecar appear together; whatever is raised, none of them is left behind.
    """
    started = time.monotonic()
    input, output = as_place(input, "input"), None if output is None else as_place(output, "output")
    for role, path in (("recipe", recipe), ("matte", matte), ("grain_like", grain_like), ("grain_table", grain_table)):
        if path is not None and not isinstance(path, Recipe):
            as_place(path, role)
    settings, rate, frames = as_assignments(settings), as_rate(rate), as_frames(frames)
    for role, teller in (("progress", progress), ("announce", announce)):
        if teller is not None and not callable(teller):
            raise InputError(f"{role} is a function to call, not {teller!r}; leave it out for none")
    source_profile = declared_source(source_profile, recipe)
    profile = load_source(source_profile)
    like = _reference(grain_like, grain_table, max_pixels)
    said = [*(like.settings if like else ()), *settings]
    asked = resolve_recipe(preset, recipe, said, seed, piped=str(output) == "-", profile=profile)
    timed = frames != (0, None) or rate is not None
    _refuse_series(input, as_, output, asked, max_pixels, matte=matte, timed=timed)
    start = 0 if remembers(asked) else frames[0]
    with ExitStack() as stack:
        stack.enter_context(_loading_ahead(asked, adapt))
        source = stack.enter_context(
            open_source(
                input,
                start=start,
                stop=frames[1],
                allow_truncated=allow_truncated,
                rate=rate,
                stdin=stdin,
                hwaccel=hwaccel,
                max_pixels=max_pixels,
            )
        )
        info = source.info
        declared = profile.digital_source_type if profile else ""
        plan = make_plan(info, asked, output)
        plans = [plan, *([_pilot_plan(info, asked, plan)] if pilot else [])]
        inputs = input_files(info)
        mattes = (
            None
            if matte is None
            else mattes_for(matte, info, inputs, start=start, stop=frames[1], max_pixels=max_pixels)
        )
        options = _options(
            source_profile, frames, rate if info.kind == "sequence" else None, allow_truncated, matte, grain_table,
            max_pixels,
        )  # fmt: skip
        if info.kind == "sequence" and info.path is not None and info.path.is_dir():
            options += ["--as", "sequence"]
        opened = stack.enter_context(_opened(backend, device_memory))
        identity = _Identity(plan, tuple(inputs), mattes, grain_table, (*options, f"{adapt}", f"{pilot}"), opened.name)
        word = ""
        if resume:
            if not isinstance(plan, FilePlan) or not inputs:
                raise OutputError("--resume goes on with files, not with what comes or goes by a pipe; leave it out")
            job = identity.job
            files = partial(_files, plan, info, frames[0])
            done = done_already(
                plan, files, [each.output for each in plans[1:] if isinstance(each, FilePlan)], job, overwrite
            )
            if done is not None:
                return _skipped(input, plan, plans[1:], done, source_profile, started)
            word = job[:16] if isinstance(plan, SequencePlan) else ""
        for each in plans:
            clear_up(each, word)
        _refuse_outputs(plans, inputs, matte, overwrite, resume=resume)
        if grain_table_out is not None:
            taken = [*inputs, *(each.output for each in plans if isinstance(each, FilePlan))]
            _refuse_table(Path(grain_table_out), plan, taken, overwrite)
        refuse_patches(plan, info)
        adapt = _adapts(adapt, plan)
        reading = Reading(input, frames, rate, allow_truncated, mattes, max_pixels)
        plan, lacking = _lacking(plan, info, reading)
        plans[0] = plan
        carried = _carried(plan, grain_table)
        table = None
        if grain_table_out is not None and carried is not None:
            table = _pending_table(Path(grain_table_out), carried)
            stack.callback(table.abort)
        found, ready = _adapted(reading, asked, plan, source, opened, adapt, said, announce)
        if found is not None:
            asked = found.recipe
            plan = make_plan(info, asked, output)
            plans = [plan, *([_pilot_plan(info, asked, plan)] if pilot else [])]
            patches = found.patches
        else:
            patches, ready = patched(reading, plan, opened, source)
        if isinstance(plan, FilePlan):
            stack.enter_context(new_folder(plan.new_folder))

        gain = None if patches is None else patches.gain
        if gain is None and opened.name != "cpu":
            # A card brings stills to size itself, now as when the sidecar's recipe is replayed.
            ready = None
        kept = 0
        if word and isinstance(plan, SequencePlan):
            from grainkit.io.sequence import frames_kept

            # The last of them is made once more: something must be, and a clip's number of frames is not known.
            kept = max(0, frames_kept(plan.output, word, info.first_number + frames[0]) - 1)
        going_on = source
        if kept and not remembers(asked):
            going_on = stack.enter_context(
                open_source(
                    input,
                    start=frames[0] + kept,
                    stop=frames[1],
                    allow_truncated=allow_truncated,
                    rate=rate,
                    hwaccel=hwaccel,
                    max_pixels=max_pixels,
                )
            )
        todo = (frames[0] + kept, frames[1])
        written = [
            _write(
                plan, going_on, mattes, declared, opened, todo, progress, stdout, carried, gain,
                info=info, since=frames[0], kept=word, ready=ready,
            )
        ]  # fmt: skip
        stack.callback(written[0].sink.abort)
        if kept:
            whole = kept + written[0].frames
            written[0] = replace(written[0], frames=whole, files=tuple(_files(plan, info, frames[0], whole)))
        if pilot:
            again = stack.enter_context(open_source(input, max_pixels=max_pixels))
            written.append(_write(plans[1], again, mattes, declared, opened, (0, None), None, None, None))
            stack.callback(written[1].sink.abort)
        report = Report(
            input=str(input), output=plan.name, sidecar="", pilot=plans[1].name if pilot else "",
            preset=asked.name, kind=plan.kind, backend=opened.name, seed=asked.seed, frames=written[0].frames,
            seconds=0.0, width=plan.size[0], height=plan.size[1], pixel_format=plan.pixel_format,
            sha256="", digital_source_type=written[0].source_type, source_profile=source_profile,
            light=_lit(plan, written[0].light),
            notes=(
                *source.info.notes, *_unused(info, frames, rate, as_), *_usual_rate(info, plan, rate),
                *_other_claim(info, profile), *([like.note] if like else []), *plan.notes, *other_grain(recipe, plan),
                *other_input(recipe, lambda: identity.digests.get("input", "")), *_idle_matte(plan, mattes),
                *_no_skin(plan, written[0].light), *([] if found is None else [found.note()]), *written[0].notes,
            ),
            chosen_because=getattr(opened, "chosen_because", ""), kept=kept,
        )  # fmt: skip
        if not isinstance(plan, FilePlan):
            with doing("writing standard output"), output_errors("standard output"):
                written[0].sink.commit()
        else:
            told = _told(report, plan, asked, info, identity, mattes, written[0], found, options)
            told["measured"] |= {**({"grain_like": like.measured} if like else {}), **lacking}
            report = _deliver(report, plan, written, told, overwrite or resume)
        if table is not None:
            table.commit()
    return replace(report, seconds=time.monotonic() - started)


def _refuse_series(
    input: str | Path, as_: str | None, output: str | Path | None, recipe: Recipe, max_pixels: int | None, *,
    matte: str | Path | None, timed: bool,
) -> None:  # fmt: skip
    """InputError where the input stands for several stills: one job is one of them."""
    from grainkit.job.series import expand_inputs
    from grainkit.job.series_or_sequence import AS

    if as_ is not None and as_ not in AS:
        raise InputError(f"as_ is {as_!r}; it is one of {', '.join(AS)}, or None")
    if as_ == "sequence":
        return
    place, mask = (None if path is None else str(path) for path in (output, matte))
    if not os.path.isdir(input) and as_ is None:
        return
    taken = expand_inputs(
        [str(input)], mask, as_=as_, output=place, timed=timed, recipe=lambda: recipe, max_pixels=max_pixels
    )
    if taken.said and taken.is_series:
        raise InputError(f"{input}: {taken.said[0]} (as_='sequence' in Python)")
    if as_ is not None and taken.is_series:
        raise InputError(f"{input}: holds {len(taken.inputs)} stills; finish them one by one")


@dataclass(frozen=True)
class _Identity:
    """What tells a job from every other, worked out when it is asked for: it reads the whole input."""

    plan: DeliveryPlan
    inputs: tuple[Path, ...]
    mattes: Mattes | None
    grain_table: str | Path | None
    options: tuple[str, ...]
    backend: str

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of what is read: input, matte and table, where there are any."""
        files = {
            "input": self.inputs, "matte": () if self.mattes is None else self.mattes.files,
            "table": () if self.grain_table is None else (Path(self.grain_table),),
        }  # fmt: skip
        return {role: sidecar.sha256_files(paths) for role, paths in files.items() if paths}

    @property
    def job(self) -> str:
        return job_of(self.plan, self.digests, self.backend, self.options)


def _files(plan: DeliveryPlan, info: SourceInfo, first: int, count: int) -> list[Path]:
    """The output's files where it has so many frames from `first` on."""
    return plan.output_files(range(info.first_number + first, info.first_number + first + count))


def _skipped(
    input: str | Path, plan: FilePlan, others: Iterable[DeliveryPlan], told: dict[str, Any], profile: str,
    started: float,
) -> Report:  # fmt: skip
    """The report of a job whose output was there, from its sidecar."""
    made = told["output"]
    return Report(
        input=str(input), output=str(plan.output), sidecar=str(sidecar.sidecar_path(plan.output)),
        pilot="".join(each.name for each in others), preset=plan.recipe.name, kind=plan.kind,
        backend=str(told.get("backend", "")), seed=plan.recipe.seed, frames=made["frames"],
        seconds=time.monotonic() - started, width=plan.size[0], height=plan.size[1],
        pixel_format=plan.pixel_format, sha256=made["sha256"],
        digital_source_type=str(told.get("digital_source_type", "")), source_profile=profile,
        light=str(told.get("light", "")), notes=(), skipped=True, kept=made["frames"],
    )  # fmt: skip


def dry_run(
    input: str | Path, output: str | Path | None = None, *, preset: str | Recipe | None = None,
    recipe: str | Path | Recipe | None = None, source_profile: str = NO_PROFILE, seed: int | None = None,
    settings: GivenSettings = (), frames: tuple[int, int | None] = (0, None), rate: GivenRate | None = None,
    pilot: bool = False, overwrite: bool = False, allow_truncated: bool = False, matte: str | Path | None = None,
    adapt: bool | None = None, grain_like: str | Path | None = None, stdin: BinaryIO | None = None,
    max_pixels: int | None = None, as_: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What `finish` would do with the same arguments, as plain values; nothing is written."""
    input, output = as_place(input, "input"), None if output is None else as_place(output, "output")
    settings, rate, frames = as_assignments(settings), as_rate(rate), as_frames(frames)
    source_profile = declared_source(source_profile, recipe)
    profile = load_source(source_profile)
    like = _reference(grain_like, None, max_pixels)
    said = [*(like.settings if like else ()), *settings]
    asked = resolve_recipe(preset, recipe, said, seed, piped=str(output) == "-", profile=profile)
    timed = frames != (0, None) or rate is not None
    _refuse_series(input, as_, output, asked, max_pixels, matte=matte, timed=timed)
    with open_source(
        input,
        start=frames[0],
        stop=frames[1],
        allow_truncated=allow_truncated,
        rate=rate,
        stdin=stdin,
        max_pixels=max_pixels,
    ) as source:
        info = source.info
        plan = make_plan(info, asked, output)
        plans = [plan, *([_pilot_plan(info, asked, plan)] if pilot else [])]
        inputs = input_files(info)
        mattes = (
            None
            if matte is None
            else mattes_for(matte, info, inputs, start=frames[0], stop=frames[1], max_pixels=max_pixels)
        )
        _refuse_outputs(plans, inputs, matte, overwrite)
        refuse_patches(plan, info)
        proxies = wanted(asked, plan, info, _adapts(adapt, plan))
    recipe_values = to_mapping(plan.recipe)
    delivered: dict[str, Any] = {
        "name": plan.name, "kind": plan.kind, "size": list(plan.size),
        "pixel_format": plan.pixel_format,
    }  # fmt: skip
    if isinstance(plan, ClipPlan):
        delivered |= {"container": plan.clip.container, "codec": plan.clip.codec, "options": dict(plan.clip.options)}
    if pilot:
        delivered["pilot"] = plans[1].name
    return {
        "input": {
            "name": info.name, "kind": info.kind, "size": [info.width, info.height], "frames": info.frames,
            "rate": None if info.rate is None else str(info.rate), "pixel_format": info.pixel_format,
            "audio": info.has_audio,
        },
        "output": delivered,
        "preset": asked.name,
        "source_profile": source_profile,
        "seed": asked.seed,
        "effects": recipe_values["effects"],
        "adapt": cost(plan, proxies, asked.adapt.rounds) if proxies else "no",
        "notes": [
            *info.notes, *_unused(info, frames, rate, as_), *_usual_rate(info, plan, rate),
            *_other_claim(info, profile), *([like.note] if like else []), *plan.notes, *other_grain(recipe, plan),
            *_idle_matte(plan, mattes),
        ],
    }  # fmt: skip


@contextmanager
def _loading_ahead(recipe: Recipe, adapt: bool | None) -> Iterator[None]:
    """Load what skin texture is made with in a thread, while the block opens its input: decoding needs no Python."""
    kinds = [recipe.for_kind(kind).effects["skin_texture"] for kind in ("still", "clip")]
    if "grainkit.effects.skin_texture.stage" in sys.modules or not any(each.strength for each in kinds):
        yield
        return
    # OpenCV takes itself out of the list of modules as it is imported: nobody else may import it meanwhile.
    from grainkit.analysis.matte import prepare

    def load() -> None:
        prepare()
        import_module("grainkit.effects.skin_texture.stage")
        if adapt or (adapt is None and recipe.adapt.still):
            import_module("grainkit.adapt.loop")

    with ThreadPoolExecutor(1, "grainkit-ahead") as pool:
        pool.submit(load)
        yield


def _adapted(
    reading: Reading, recipe: Recipe, plan: Plan, source: Source, backend: Backend, asked: bool | None,
    settings: Iterable[str], announce: Callable[[str], None] | None,
) -> tuple[Adapted | None, Analysed | None]:  # fmt: skip
    """The recipe adapted to its proxies, where that is wanted; its cost is announced first. See `adapted`."""
    proxies = wanted(recipe, plan, source.info, asked)
    # A still has frame 0 alone; the run refuses another one in its own words.
    if not proxies or (source.info.kind == "still" and reading.frames[0] > 0):
        return None, None
    if announce is not None:
        announce(cost(plan, proxies, recipe.adapt.rounds))
    fixed = {each.partition("=")[0] for each in settings}
    return adapted(reading, recipe, plan, proxies, backend, source, fixed)


def _reference(grain_like: str | Path | None, table: str | Path | None, max_pixels: int | None) -> GrainLike | None:
    """The grain of a reference, measured; None where none is named."""
    if grain_like is None:
        return None
    if table is not None:
        raise RecipeError("--grain-like and --grain-table both say what the grain is; give one of them")
    from grainkit.job.grain_like import grain_like as measured_like

    return measured_like(grain_like, max_pixels)


def _adapts(asked: bool | None, plan: Plan) -> bool | None:
    """Whether to adapt, as asked: but not where the amount of grain is what the picture lacks of the recipe's."""
    if not wants_regrain(plan):
        return asked
    if asked:
        raise RecipeError("--adapt and cinema_grain.regrain both decide how much grain is laid; give one of them")
    return False


def _lacking(plan: DeliveryPlan, info: SourceInfo, reading: Reading) -> tuple[DeliveryPlan, dict[str, Any]]:
    """The plan with only the grain that the input lacks where that is asked for, and what was measured.

    It is told from the first frames, whatever part is finished: any part gets the same grain.
    """
    if not wants_regrain(plan):
        return plan, {}
    if info.path is None:
        raise InputError(
            "cinema_grain.regrain = true reads the input twice, which standard input does not allow; name a file"
        )
    from grainkit.analysis.grain import measure_grain

    with reading.source(0, None) as source:
        plan, measured = regrained(plan, measure_grain(conformed(frame, plan) for frame in source))
    return plan, {"regrain": measured} if measured else {}


def _carried(plan: Plan, table: str | Path | None) -> CarriedGrain | None:
    """The grain that goes into the stream as metadata, None for none."""
    if table is None and not plan.carries_grain:
        return None
    from grainkit.effects.grain.metadata import carried_grain

    return carried_grain(plan.recipe.effect(CinemaGrain), plan.context, None if table is None else Path(table))


def remembers(recipe: Recipe) -> bool:
    """Whether a frame of a clip depends on those before it: any part of it must then be analysed from the start."""
    recipe = recipe.for_kind("clip")
    grain = recipe.effect(CinemaGrain)
    locked = grain.carrier == "locked" and grain.strength > 0.0
    return locked or recipe.effect(SkinTexture).strength > 0.0


@contextmanager
def _opened(backend: str | Backend, device_memory: int | None) -> Iterator[Backend]:
    """A backend by name, closed afterwards, or the one that is open already."""
    if isinstance(backend, Backend):
        yield backend
        return
    opened = open_backend(backend, device_memory=device_memory)
    try:
        yield opened
    finally:
        opened.close()


def _pilot_plan(info: SourceInfo, recipe: Recipe, plan: DeliveryPlan) -> DeliveryPlan:
    """The clean picture at the source's own size, 16 bit, without grain: OUTPUT.pilot.png (or .tif)."""
    if not isinstance(plan, StillPlan):
        what = f"{info.name} is a {info.kind}" if info.kind != "still" else "this one goes to standard output"
        raise InputError(f"a pilot is a file beside a finished still, but {what}; leave --pilot out")
    form = TIFF if plan.still.container == TIFF.name else PNG
    clean = override(
        recipe,
        [
            "cinema_grain.strength=0", "highlight_guard.patches=0",
            "delivery.fit=keep", "delivery.width_mm=0", "delivery.height_mm=0",
            "delivery.still.sharpen=0", "delivery.still.depth=16",
            f"delivery.still.container={form.name}", f"delivery.still.compression={form.compression}",
        ],
    )  # fmt: skip
    pilot = make_plan(info, clean, plan.output.with_suffix(f".pilot{form.ending}"))
    assert isinstance(pilot, StillPlan)
    return replace(pilot, new_folder=plan.new_folder)


@dataclass(frozen=True)
class _Written:
    """A sink that has all its frames and is not committed yet.

    frames: how many. files: what it will become. light: what skin was shaded by, None where none was textured.
    notes: what was left out, a sentence each. source_type: IPTC term of the output, '' where none is claimed.
    working: what of the plan changed pixels; see `at_work`.
    gave: names of effects that gave something to a frame.
    """

    sink: Sink
    frames: int
    files: tuple[Path, ...]
    light: Light | None
    notes: tuple[str, ...]
    source_type: str
    working: tuple[str, ...]
    gave: frozenset[str]


def _write(
    plan: DeliveryPlan, source: Source, mattes: Mattes | None, declared: str, backend: Backend,
    wanted: tuple[int, int | None], progress: Progress | None, stdout: BinaryIO | None, carried: CarriedGrain | None,
    gain: npt.NDArray[np.float32] | None = None, *, info: SourceInfo | None = None, since: int | None = None,
    kept: str = "", ready: Analysed | None = None,
) -> _Written:  # fmt: skip
    """Drive all frames into a sink; on any failure the sink is aborted and the stages have ended.

    Decoding and finishing run in a thread each, encoding in this one.
    info, since, kept: what an earlier run was given for its source and first frame, which this one goes on with, and
        the word for what it kept.
    ready: what has been done to a still already. declared: IPTC term that the user says of the source, or ''.
    """
    info = info or source.info
    working: tuple[str, ...] = ()
    source_type = ""
    patience = PIPE_PATIENCE if info.kind == "pipe" else None
    place = plan.name if isinstance(plan, FilePlan) else "standard output"
    sink: Sink | None = None
    began, count, first, seen = time.monotonic(), 0, 0, 0
    lengths = FrameLengths()

    def counted(frames: Iterable[Frame]) -> Iterator[Frame]:
        nonlocal seen
        for frame in frames:
            seen = frame.index + 1
            yield frame

    with (
        Finisher(plan.recipe, backend, plan=plan, gain=gain, ready=ready) as finisher,
        Overlapped(noted(source, f"reading {info.name}"), QUEUE_DEPTH, patience) as decoded,
        Overlapped(
            noted(
                finisher.frames(counted(_matted(decoded, mattes, plan)), info, wanted[0], since),
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
                            info.digital_source_type, declared, touched=bool(working) or plan.carries_grain
                        )
                        sink = _open_sink(
                            plan, info, source_type, _summary(plan, working), frame, wanted[1], stdout, carried, kept
                        )
                    sink.write(frame)
                lengths.see(frame)
                count += 1
                if progress is not None:
                    # What a clip says of its length before it is decoded is an estimate.
                    total = None if info.frames is None else max(info.frames, count)
                    progress(count, total, count / max(time.monotonic() - began, 1e-9))
            if sink is None:
                raise no_such_frames(info.name, info.kind, seen, wanted[0], min(wanted[1] or seen, seen))
        except BaseException:
            if sink is not None:
                sink.abort()
            raise
        finally:
            decoded.stop()
    first += info.first_number
    files = tuple(plan.output_files(range(first, first + count)))
    said = () if carried is None else carried.notes
    notes = (*sink.notes, *said, *lengths.notes(plan.without_times), *plan.lost(info))
    return _Written(sink, count, files, finisher.light, notes, source_type, working, finisher.gave)


def _refuse_table(path: Path, plan: Plan, taken: list[Path], overwrite: bool) -> None:
    """Raise where a film grain table cannot be written there. taken: files it may not replace."""
    if not plan.carries_grain:
        raise RecipeError("--grain-table-out writes grain that is carried as metadata; use --preset video/av1")
    if path.resolve() in [one.resolve() for one in taken]:
        raise OutputError(f"the grain table cannot take the place of {path}; choose another name")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already; pass --overwrite to replace it, or choose another name")


def _pending_table(path: Path, carried: CarriedGrain) -> Pending:
    """The film grain table, written but not in place yet."""
    text, pending = carried.text(), Pending(path)
    try:
        with output_errors(path):
            pending.path.write_bytes(text.encode("ascii"))  # with LF on every system
    except BaseException:
        pending.abort()
        raise
    return pending


def _open_sink(
    plan: DeliveryPlan, info: SourceInfo, source_type: str, summary: str, first: Frame, end: int | None,
    stdout: BinaryIO | None, carried: CarriedGrain | None, kept: str,
) -> Sink:  # fmt: skip
    """The sink that the plan names."""
    return plan.open_sink(Opening(info, source_type, summary, first, end, stdout, carried, kept))


def _matted(frames: Iterable[Frame], mattes: Mattes | None, plan: Plan) -> Iterable[Frame]:
    return frames if mattes is None or not _looks_for_skin(plan) else mattes.over(frames)


def _textures(plan: Plan) -> bool:
    return plan.recipe.effect(SkinTexture).strength > 0.0


def _looks_for_skin(plan: Plan) -> bool:
    """Whether anything depends on where skin is."""
    return _textures(plan) or plan.sharpening is not None


def _idle_matte(plan: Plan, mattes: Mattes | None) -> tuple[str, ...]:
    """That a matte says where there is nothing to put."""
    if mattes is None or _looks_for_skin(plan):
        return ()
    return ("the matte is not used: skin_texture.strength is 0",)


def _other_claim(info: SourceInfo, profile: SourceProfile | None) -> tuple[str, ...]:
    """That the file's own claim of origin stands against what is declared."""
    claim = info.digital_source_type
    if not claim or profile is None or outgoing_source_type(claim) == outgoing_source_type(profile.digital_source_type):
        return ()
    return (f"the input claims to be {claim}, which stands, although its source is declared as {profile.name}",)


def _unused(
    info: SourceInfo, frames: tuple[int, int | None], rate: Fraction | None, as_: str | None
) -> list[str]:  # fmt: skip
    """What was asked for and means nothing for such an input, a sentence each."""
    notes = []
    if rate is not None and info.kind != "sequence":
        own = "" if info.rate is None else f" its own {round(float(info.rate), 3):g} fps"
        kept = "a still has none" if info.kind == "still" else f"the {info.kind} keeps{own or ' its own'}"
        notes.append(f"--rate is for numbered stills: {kept}")
    if info.kind == "still" and frames not in ((0, None), (0, 1)):
        notes.append("--frames is for clips and sequences: a still is one frame")
    if as_ is not None and info.kind in ("clip", "pipe"):
        notes.append(f"--as is for numbered stills: this is a {info.kind}")
    return notes


def _usual_rate(info: SourceInfo, plan: Plan, rate: Fraction | None) -> tuple[str, ...]:
    """How fast numbered stills are shown in a clip, where nobody said it."""
    if rate is not None or info.kind != "sequence" or not isinstance(plan, (ClipPlan, PipePlan)):
        return ()
    return (f"shown at {float(info.rate or 24):g} frames per second; --rate says otherwise",)


def _no_skin(plan: Plan, light: Light | None) -> tuple[str, ...]:
    """That skin texture had nowhere to go."""
    return ("no skin was found to texture",) if light is None and _textures(plan) else ()


def _lit(plan: Plan, light: Light | None) -> str:
    if light is None:
        return ""
    texture = plan.recipe.effect(SkinTexture)
    return f"{light.words()} ({'estimated' if texture.lamp is None else 'declared'})"


def _angles(light: Light) -> dict[str, float]:
    """Where it stands, degrees, and how far to the side: 0 at the camera, 1 square to it."""
    values = {"azimuth": light.azimuth, "elevation": light.elevation, "grazing": light.grazing}
    return {name: round(value, 2) for name, value in values.items()}


def _summary(plan: Plan, working: tuple[str, ...]) -> str:
    """What was done to the pixels, in a sentence. working: see `at_work`."""
    effects = plan.recipe.effects
    done = [f"{name.replace('_', ' ')} {effects[name].strength:g}" for name in working if name in effects]
    done += ["sharpened for paper"] if SHARPENING in working else []
    done += ["grain as metadata"] if plan.carries_grain else []
    recipe = plan.recipe
    return f"finished with grainkit, preset {recipe.name}: {', '.join(done) or 'no effect'}, seed {recipe.seed}"


def _options(
    profile: str, frames: tuple[int, int | None], rate: Fraction | None, allow_truncated: bool,
    matte: str | Path | None, grain_table: str | Path | None, max_pixels: int | None,
) -> list[str]:  # fmt: skip
    """Words of the command, beside the recipe, that decide the output."""
    declared = [] if profile == NO_PROFILE else ["--source", profile]
    first, end = frames
    part = [] if frames == (0, None) else ["--frames", f"{first}:{'' if end is None else end}"]
    speed = [] if rate is None else ["--rate", str(rate)]
    # Of its place the name alone is told; a folder is named as one.
    named = sidecar.as_argument
    own = [] if matte is None else ["--matte", named(Path(matte).name) + ("/" if Path(matte).is_dir() else "")]
    table = [] if grain_table is None else ["--grain-table", named(Path(grain_table).name)]
    limit = [] if max_pixels is None else ["--max-pixels", str(max_pixels)]
    return [*declared, *part, *speed, *limit, *table, *(["--allow-truncated"] if allow_truncated else []), *own]


def _told(
    report: Report, plan: DeliveryPlan, recipe: Recipe, info: SourceInfo, identity: _Identity, mattes: Mattes | None,
    written: _Written, found: Adapted | None, options: list[str],
) -> dict[str, Any]:  # fmt: skip
    """What the sidecar says, but for the output's digest."""
    light = written.light
    working = at_work(plan, written.gave)
    return sidecar.job_report(
        plan.as_delivered(recipe),
        kind="still" if info.kind == "still" else "clip",
        backend=report.backend,
        input={
            "name": Path(info.name).name, "sha256": identity.digests.get("input", ""), "kind": info.kind,
            "size": [info.width, info.height], "frames": info.frames if info.kind != "clip" else report.frames,
            **({} if plan.pixels is None else {"pixels": f"{plan.pixels:08x}"}),
            **({} if mattes is None else {"matte_sha256": identity.digests["matte"]}),
        },
        output={
            "name": Path(report.output).name, "sha256": _NO_DIGEST, "frames": report.frames,
            "size": [report.width, report.height], "pixel_format": report.pixel_format,
        },
        notes=report.notes,
        digital_source_type=report.digital_source_type,
        measured={
            **({} if light is None else {"light": _angles(light)}),
            **({} if found is None else {"adapt": found.as_mapping()}),
        },
        source_profile=report.source_profile,
        light=report.light,
        generated=[] if light is None else ["skin_texture"],
        idle=[name for name in plan.recipe.effects if name not in working],
        also=[name for name in working if name == SHARPENING],
        upscaled=plan.geometry.scale > 1.0,
        options=options,
        job=identity.job,
    )  # fmt: skip


def _refuse_outputs(
    plans: list[DeliveryPlan], inputs: list[Path], matte: str | Path | None, overwrite: bool, *, resume: bool = False
) -> None:
    """OutputError where what is to be made, the sidecar of the first plan too, may not take its place."""
    mattes = [] if matte is None else matte_files(matte)
    for each in plans:
        refuse_clobber(each, inputs, overwrite or resume, mattes=mattes)
    refuse_sidecar(plans[0], inputs, overwrite, mattes=mattes)


def _deliver(report: Report, plan: FilePlan, written: list[_Written], told: dict[str, Any], replaces: bool) -> Report:
    """Put all files in place, the sidecar with the output's digest last; on failure take back what was.

    replaces: whether what is in its place by now may be replaced.
    """
    path = sidecar.sidecar_path(plan.output)
    folder = None if path.parent.is_dir() else path.parent
    note = Pending(path, waits_in=folder and folder.absolute().parent)
    placed: list[Path] = []
    try:
        # Whole, but for the digest: from here on there is room for it, and leave to write it.
        _store(note, told)
        refuse_meanwhile(plan, replaces)
        for each in written:
            with doing(f"writing {plan.output}"), output_errors(plan.output):
                each.sink.commit()
            placed += each.files
        told["output"]["sha256"] = sidecar.sha256_files(written[0].files)
        _store(note, told)
        ours = identity_of(written[0].files[0])
        note.commit()
    except BaseException:
        # Where the sidecar is in its place already, all is: an interrupt after that must not leave it without output.
        if note.path.exists():
            note.abort()
            take_back(placed, folder)
        raise
    if identity_of(written[0].files[0]) != ours:
        raise OutputError(
            f"another run made {plan.output} at the same moment, and its sidecar may be of either; finish it again "
            "with --overwrite"
        )
    return replace(report, sidecar=str(path), sha256=told["output"]["sha256"])


def _store(note: Pending, told: dict[str, Any]) -> None:
    with output_errors(note.destination), note.path.open("r+b") as file:
        file.write(sidecar.sidecar_text(told).encode("utf-8"))
        file.truncate()
