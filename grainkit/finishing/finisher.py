"""Frames in, finished frames out: the effects of a recipe on a backend, with no file in sight."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import numpy as np
import numpy.typing as npt

from grainkit.analysis.light import Light
from grainkit.arguments import GivenSettings, as_assignments, as_index
from grainkit.backends import open_backend
from grainkit.backends.base import Backend, Pending, on_card
from grainkit.backends.pass_term import PassTerm
from grainkit.backends.tables import PassTables
from grainkit.effects.base import Analysed, Stage, pass_tables
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.effects.highlights.patches import with_patches
from grainkit.errors import InputError, RecipeError
from grainkit.finishing.arrays import Picture, joined, mattes_of, picture_on_card, pictures_of, refuse_other_things
from grainkit.finishing.plan import Plan
from grainkit.finishing.planning import own_format_plan
from grainkit.finishing.regrain import regrained, wants_regrain
from grainkit.finishing.two_sizes import split
from grainkit.io.base import Source, SourceInfo
from grainkit.io.pixel_formats import rescale
from grainkit.params import shown
from grainkit.picture.background import composited, padded
from grainkit.picture.color import SRGB_STILL
from grainkit.picture.frame import Frame
from grainkit.picture.grain_key import pixels_digest
from grainkit.picture.resample import alpha_top, conform
from grainkit.picture.rgb import RGB, PlanesOfRgb, RgbSamples
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from grainkit.recipe.recipe import Recipe
from grainkit.recipe.source_profile import NO_PROFILE, load_source

if TYPE_CHECKING:
    from grainkit.analysis.faces import StillFaces

F32 = npt.NDArray[np.float32]

_TYPES = {8: np.uint8, 16: np.uint16, 32: np.float32}


class Finisher:
    """Applies a recipe's effects to frames.

    light: what skin was shaded by in the first frame that was textured; None where none was, or not yet.
    gave: names of the effects that have given something to a frame (see `Analysed.by`); may_give: of those that may
        still do so, once the first frame has come.
    backend: auto, cpu or cuda, or a backend that is open already (it is then left open at close()).
    Without a plan, frames keep the source's own size, sampling and depth.
    gain: highlight patches of a still, (h, w) of the delivery's size; see grainkit.effects.highlights.patches.
    ready: the plan's one still, where that much has been done already.
    """

    def __init__(
        self, recipe: Recipe, backend: str | Backend = "auto", *, plan: Plan | None = None, gain: F32 | None = None,
        ready: Analysed | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(recipe, Recipe):
            raise RecipeError(f"Finisher takes a Recipe, not {shown(recipe)}; load_recipe('social') makes one")
        self.recipe = recipe
        self.light: Light | None = None
        self.gave: frozenset[str] = frozenset()
        self.may_give: frozenset[str] = frozenset()
        self._plan, self._gain, self._ready = plan, gain, ready
        self._owned = not isinstance(backend, Backend)
        self.backend = backend if isinstance(backend, Backend) else open_backend(backend)

    def stream(self, source: Source) -> Iterator[Frame]:
        """The source's frames, finished, in order, one at a time."""
        yield from self.frames(source, source.info)

    def frames(
        self, frames: Iterable[Frame], info: SourceInfo, first: int = 0, since: int | None = None
    ) -> Iterator[Frame]:
        """The same for frames that come from elsewhere; `info` says what they are. With a plan they have its bars.

        Their planes may lie on a GPU, in arrays of any library that speaks DLPack or __cuda_array_interface__
        (CuPy, torch): the CUDA backend finishes them there, and they come back as CuPy arrays.
        first: number of the first frame that is wanted; those before it only teach the analysis.
        since: number of the first frame that was wanted of an earlier run, which this one goes on with; None for the
            same.
        """
        plan = self._plan or own_format_plan(info, self.recipe)
        if info.kind == "still" and plan.pixels is None:
            plan, frames = _of_own_grain(plan, frames, self.backend)
        # A clip's alpha keeps the source's scale.
        alpha_of = info.color if plan.keeps_alpha_scale else None
        for frame in self._finished(frames, plan, first, since):
            yield padded(frame, plan.canvas, alpha_of)

    def _finished(self, frames: Iterable[Frame], plan: Plan, first: int, since: int | None) -> Iterator[Frame]:
        if self._gain is None:
            refuse_patches(plan)
        since = first if since is None else since
        before, after = split(plan)
        # Patches are worked out from planes in this memory.
        where = self.backend if self._gain is None or after is not None else None
        wanted = self._seen(self._made_ready(frames, before, where), first, since)
        if after is not None:
            for one, done in in_two_passes(wanted, before, after, self.backend, self._gain):
                self._note(one)
                yield done
            return
        tables = plan_tables(plan)
        begun: deque[Pending] = deque()
        for one in wanted:
            # The matte has done its work, and frames wait in queues.
            plain, term = replace(one.frame, matte=None), one.term
            if self._gain is not None:
                term = with_patches(plain, self._gain, tables.shoulder, term)
            begun.append(self.backend.begin(plain, tables, term, _samples(plan)))
            if len(begun) >= self.backend.in_flight:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()

    def _seen(self, frames: Iterable[Analysed], first: int, since: int) -> Iterator[Analysed]:
        """The frames that are wanted; what effects gave to them is noted, as is what they gave to an earlier run's."""
        for one in frames:
            if one.frame.index >= since:
                self._note(one)
            if one.frame.index >= first:
                yield one

    def _note(self, one: Analysed) -> None:
        self.light = self.light or one.light
        self.gave |= one.by

    def _made_ready(self, frames: Iterable[Frame], plan: Plan, where: Backend | None) -> Iterator[Analysed]:
        if self._ready is not None:
            self.may_give = self._ready.by
            for _ in frames:
                yield self._ready
            return
        stages = stages_of(plan, plan.recipe.effects)
        self.may_give = frozenset(stages)
        yield from analysed((Analysed(conformed(frame, plan, where)) for frame in frames), stages.values())

    def close(self) -> None:
        if self._owned:
            self.backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _of_own_grain(plan: Plan, frames: Iterable[Frame], backend: Backend) -> tuple[Plan, Iterable[Frame]]:
    """The plan of a still whose source did not say what its grain is drawn by, and the frames."""
    found = iter(frames)
    first = next(found, None)
    if first is None:
        return plan, found
    if first.rgb is not None:
        plan = replace(plan, pixels=_digest(first.rgb, backend))
    return plan, chain([first], found)


def _digest(rgb: RGB, backend: Backend) -> int:
    """A picture's digest, wherever it lies: the hash runs on the host."""
    return pixels_digest(_owner(backend, rgb).to_host(rgb) if on_card(rgb) else rgb)


def refuse_patches(plan: Plan) -> None:
    """RecipeError where highlight patches are asked for and there is no gain."""
    guard = plan.recipe.effect(HighlightGuard)
    if guard.patches and guard.strength and not plan.working.is_hdr:
        raise RecipeError(
            "highlight_guard.patches needs the delivery put through a codec before it is finished; use finish(), or "
            "set it to 0"
        )


def finish_still(
    frame: Frame, plan: Plan, backend: Backend, texture: PassTerm | None = None, gain: F32 | None = None
) -> Frame:
    """One still with every effect applied, in two passes where it is enlarged or sharpened.

    frame: conformed to the first plan that `split` gives. texture: for that frame. gain: highlight patches, (h, w)
    of the delivery's size; see grainkit.effects.highlights.patches.
    """
    before, after = split(plan)
    if after is None:
        tables = plan_tables(before)
        term = texture if gain is None else with_patches(frame, gain, tables.shoulder, texture)
        return finish_frame(frame, plan, tables, backend, term)
    return next(in_two_passes([Analysed(frame, texture)], before, after, backend, gain))[1]


def in_two_passes(
    frames: Iterable[Analysed], before: Plan, after: Plan, backend: Backend, gain: F32 | None = None
) -> Iterator[tuple[Analysed, Frame]]:
    """Finish frames before and after they are enlarged and sharpened: what the effects of the last pass gave, and it.

    frames: conformed and analysed for the first pass. gain: see `finish_still`.
    """
    first, last = plan_tables(before), plan_tables(after)
    # Sharpening and patches read whole planes: they are resized where that is done.
    where = backend if after.sharpening is None and gain is None else None

    def enlarged() -> Iterator[Analysed]:
        for one in frames:
            done = finish_frame(one.frame, before, first, backend, one.term)
            yield Analysed(brought_up(replace(done, matte=one.frame.matte), after, where))

    for one in analysed(enlarged(), stages_of(after, after.recipe.effects).values()):
        term = one.term if gain is None else with_patches(one.frame, gain, last.shoulder, one.term)
        yield one, finish_frame(one.frame, after, last, backend, term)


def brought_up(frame: Frame, plan: Plan, backend: Backend | None = None) -> Frame:
    """A frame in the delivery's size, sharpened where that is asked for. backend: see `conformed`."""
    ready = conformed(frame, plan, backend)
    if plan.sharpening is None:
        return ready
    from grainkit.effects.print_sharpening.stage import sharpened

    return sharpened(ready, plan.sharpening)


def plan_tables(plan: Plan) -> PassTables:
    """The tables of the pass that this plan asks for. Grain that is carried as metadata is not in them."""
    if wants_regrain(plan):
        raise RecipeError(
            "cinema_grain.regrain = true needs the picture measured before it is finished; use finish() or "
            "finish_array(), or regrained() on a plan"
        )
    return pass_tables(plan.recipe.effects.values(), plan.context)


def conformed(frame: Frame, plan: Plan, backend: Backend | None = None) -> Frame:
    """A frame of the source in the delivery's size and sampling, ready for analysis and the pass.

    backend: where its planes are resized and may stay; None for the host.
    """
    if plan.background:
        frame = composited(frame, plan.background)
    given = frame.rgb if isinstance(frame.planes, PlanesOfRgb) else frame.planes[0]
    if on_card(given):
        backend = _owner(backend, given)
    ready = (conform if backend is None else backend.conform)(frame, plan.geometry, plan.working)
    # A clip's sink scales alpha itself, from the source's depth; stills take it at the full scale of their type.
    if ready.alpha is None or plan.keeps_alpha_scale or not plan.rgb_depth:
        return ready
    return replace(ready, alpha=rescale(ready.alpha, alpha_top(ready.alpha, frame.color), plan.rgb_depth))


def stages_of(plan: Plan, names: Collection[str], faces: StillFaces | None = None) -> dict[str, Stage]:
    """What the effects of these names do frame by frame, in the effects' order.

    faces: of the plan's one still, where others ask for them too.
    """
    asked = {name: effect for name, effect in plan.recipe.effects.items() if name in names and effect.strength}
    stages = {name: effect.stage(plan.context, faces) for name, effect in asked.items()}
    return {name: stage for name, stage in stages.items() if stage is not None}


def analysed(frames: Iterable[Analysed], stages: Iterable[Stage]) -> Iterator[Analysed]:
    """Conformed frames with what each stage gives to them."""
    for stage in stages:
        frames = stage.stream(frames)
    yield from frames


def _owner(backend: Backend | None, array: object) -> Backend:
    """The backend, where an array that is not the host's is its own; InputError where it is not."""
    if backend is None or not backend.owns(array):
        name = "cpu" if backend is None else backend.name
        raise InputError(f"the frame is on a GPU and the backend is {name}; use backend='cuda'")
    return backend


def finish_frame(
    frame: Frame, plan: Plan, tables: PassTables, backend: Backend, texture: PassTerm | None = None
) -> Frame:
    """One conformed frame with every effect applied, as R'G'B' where that is delivered."""
    return backend.begin(replace(frame, matte=None), tables, texture, _samples(plan)).result()


def _samples(plan: Plan) -> RgbSamples | None:
    """The R'G'B' that this plan delivers, None where it delivers planes."""
    return RgbSamples(np.dtype(_TYPES[plan.rgb_depth]), plan.context.picture_seed) if plan.rgb_depth else None


def finish_array(
    rgb: RGB, *, preset: str | Recipe = "social", source_profile: str = NO_PROFILE, seed: int | None = None,
    settings: GivenSettings = (), backend: str | Backend = "auto", index: int | None = None,
    matte: npt.NDArray[np.float32] | None = None,
) -> RGB:  # fmt: skip
    """The effects of a preset on pictures in memory; shape and type stay, and the array itself is never changed.

    rgb: (H, W, 3) uint8, uint16 or float32 (0 is black, 1.0 white), display-encoded like sRGB. Or grey, (H, W) or
        (H, W, 1); or (H, W, 4) with straight alpha, which comes back as it is. (B, H, W, 3) is a series: each picture
        is finished by itself, as it would be alone; frames of a clip, whose texture is to follow the face, go through
        `Finisher.frames`. Any layout in memory will do. An (H, W, 3) may lie on a GPU, in an array of any library
        that speaks DLPack or __cuda_array_interface__: then so does the result, a CuPy array.
    source_profile: where the picture comes from (flux, photo, ...), which goes over a preset that is named.
    seed: replaces the recipe's. settings: overrides as for `finish`, {'cinema_grain.strength': 1.5} or
        'cinema_grain.strength=1.5' in a list.
    index: the frame's number, where the picture is one of a clip: grain is then drawn by it, as in clips. Left out,
        the picture is a still and its grain is drawn by its pixels, so that no two have the same.
    matte: (H, W) float32 0..1, where skin may be textured instead of where it is found; (B, H, W) has one for each.
    Raises InputError for another shape or type, for float samples on the host that reach more than 0.1 beyond
    0..1 (with what they look like), and for what is no array; RecipeError for settings that are not allowed.
    """
    profile, index = load_source(source_profile), as_index(index)
    recipe = preset if isinstance(preset, Recipe) else load_recipe(preset, None if profile is None else profile.over)
    recipe = override(recipe, [*as_assignments(settings), *([] if seed is None else [f"seed={seed}"])])
    there = on_card(rgb)
    if not there:
        refuse_other_things(rgb)
    with Finisher(recipe, backend) as finisher:
        held = cast(RGB, _owner(finisher.backend, rgb).as_array(rgb)) if there else rgb
        pictures = [picture_on_card(held)] if there else pictures_of(rgb)
        mattes = mattes_of(matte, pictures)
        done = [_finished(one, own, finisher, index) for one, own in zip(pictures, mattes, strict=True)]
    return done[0] if there else joined(rgb, done)


def _finished(picture: Picture, matte: npt.NDArray[np.float32] | None, finisher: Finisher, index: int | None) -> RGB:
    """The samples of one picture of an array, finished."""
    rgb, recipe = picture.samples, finisher.recipe
    color = replace(SRGB_STILL, depth=8 * rgb.dtype.itemsize)
    info = SourceInfo("array", None, "still", rgb.shape[1], rgb.shape[0], color, rate=Fraction(24))
    if index is None:
        info = replace(info, pixels=_digest(rgb, finisher.backend))
    plan = own_format_plan(info, recipe)
    refuse_patches(plan)
    frame = Frame(PlanesOfRgb(rgb, color), color, index or 0, alpha=picture.alpha, rgb=rgb, matte=matte)
    frame = conformed(frame, plan, finisher.backend)
    if wants_regrain(plan):
        from grainkit.analysis.grain import measure_grain

        plan, _ = regrained(plan, measure_grain([frame]))
    (ready,) = analysed([Analysed(frame)], stages_of(plan, plan.recipe.effects).values())
    out = finish_frame(ready.frame, plan, plan_tables(plan), finisher.backend, ready.term).rgb
    assert out is not None
    return out
