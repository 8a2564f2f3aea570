"""Frames in, finished frames out: the effects of a recipe on a backend, with no file in sight."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from grainkit.analysis.light import Light
from grainkit.backends import open_backend
from grainkit.backends.base import Backend, Pending
from grainkit.backends.cuda import CudaBackend, on_card
from grainkit.color import SRGB_STILL
from grainkit.convert import RGB, planes_from_rgb, rgb_from_planes
from grainkit.effects.cinema_grain import CinemaGrain
from grainkit.effects.skin_texture import SkinTexture
from grainkit.effects.tables import PassTables, pass_tables
from grainkit.errors import InputError, RecipeError
from grainkit.frame import Frame
from grainkit.io.base import Source, SourceInfo
from grainkit.io.pixel_formats import rescale
from grainkit.late import split
from grainkit.measured_grain import measure_grain
from grainkit.plan import Plan, own_format_plan
from grainkit.recipe import Recipe, load_recipe, override
from grainkit.regrain import regrained, wants_regrain
from grainkit.resample import alpha_top, conform
from grainkit.source_profile import NO_PROFILE, load_source
from grainkit.texture.term import TextureTerm

_TYPES = {8: np.uint8, 16: np.uint16, 32: np.float32}


class Finisher:
    """Applies a recipe's effects to frames.

    light: what skin was shaded by in the first frame that was textured; None where none was, or not yet.
    backend: auto, cpu or cuda, or a backend that is open already (it is then left open at close()).
    Without a plan, frames keep the source's own size, sampling and depth.
    """

    def __init__(self, recipe: Recipe, backend: str | Backend = "auto", *, plan: Plan | None = None) -> None:
        self.recipe = recipe
        self.light: Light | None = None
        self._plan = plan
        self._owned = isinstance(backend, str)
        self.backend = open_backend(backend) if isinstance(backend, str) else backend

    def stream(self, source: Source) -> Iterator[Frame]:
        """The source's frames, finished, in order, one at a time."""
        yield from self.frames(source, source.info)

    def frames(
        self, frames: Iterable[Frame], info: SourceInfo, first: int = 0, since: int | None = None
    ) -> Iterator[Frame]:
        """The same for frames that come from elsewhere; `info` says what they are.

        Their planes may lie on a GPU, in arrays of any library that speaks DLPack or __cuda_array_interface__
        (CuPy, torch): the CUDA backend finishes them there, and they come back as CuPy arrays.
        first: number of the first frame that is wanted; those before it only teach the analysis.
        since: number of the first frame that was wanted of an earlier run, which this one goes on with; None for the
            same.
        """
        plan = self._plan or own_format_plan(info, self.recipe)
        before, after = split(plan)
        if after is not None:
            yield from self._late(frames, before, after, first, first if since is None else since)
            return
        tables = plan_tables(plan)
        begun: deque[tuple[Frame, Pending]] = deque()
        for frame, texture in _textured_anywhere((conformed(frame, plan) for frame in frames), plan, self.backend):
            if texture is not None and frame.index >= (first if since is None else since):
                self.light = self.light or texture.light
            if frame.index < first:
                continue
            # The matte has done its work, and frames wait in queues.
            plain = replace(frame, matte=None)
            begun.append((plain, self.backend.begin(plain, tables, texture)))
            if len(begun) >= self.backend.in_flight:
                yield _delivered(*begun.popleft(), plan, self.backend)
        while begun:
            yield _delivered(*begun.popleft(), plan, self.backend)

    def _late(self, frames: Iterable[Frame], before: Plan, after: Plan, first: int, since: int) -> Iterator[Frame]:
        """The same in two passes, with enlarging and sharpening between them."""
        tables, last = plan_tables(before), plan_tables(after)
        for frame, texture in textured((conformed(frame, before) for frame in frames), before):
            if texture is not None and frame.index >= since:
                self.light = self.light or texture.light
            if frame.index < first:
                continue
            done = finish_frame(frame, before, tables, self.backend, texture)
            ready = conformed(replace(done, matte=frame.matte), after)
            yield finish_frame(_sharp(ready, after), after, last, self.backend)

    def close(self) -> None:
        if self._owned:
            self.backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _sharp(frame: Frame, plan: Plan) -> Frame:
    """A frame of the delivery's size, sharpened where that is asked for."""
    if plan.sharpening is None:
        return frame
    from grainkit.output_sharpening import sharpened

    return sharpened(frame, plan.sharpening)


def plan_tables(plan: Plan) -> PassTables:
    """The tables of the pass that this plan asks for. Grain that is carried as metadata is not in them."""
    if wants_regrain(plan):
        raise RecipeError(
            "cinema_grain.regrain = true needs the picture measured before it is finished; use finish() or "
            "finish_array(), or regrained() on a plan"
        )
    width, height = plan.geometry.size
    effects = plan.recipe.effects
    grain = CinemaGrain(strength=0.0) if plan.carries_grain else effects["cinema_grain"]
    return pass_tables(
        effects["highlight_guard"], grain,  # type: ignore[arg-type]
        source=plan.working, target=plan.target, width=width, height=height, seed=plan.recipe.seed, dpi=plan.dpi,
        rate=plan.rate,
    )  # fmt: skip


def conformed(frame: Frame, plan: Plan) -> Frame:
    """A frame of the source in the delivery's size and sampling, ready for analysis and the pass."""
    if on_card(frame.planes[0]):
        if not plan.geometry.is_identity or frame.color.is_float != plan.working.is_float:
            raise InputError("frames on a GPU keep their size, sampling and depth; change those before or after")
        return replace(frame, color=plan.working)
    ready = conform(frame, plan.geometry, plan.working)
    # A clip's sink scales alpha itself, from the source's depth; stills take it at the full scale of their type.
    if ready.alpha is None or plan.clip is not None or not plan.rgb_depth:
        return ready
    return replace(ready, alpha=rescale(ready.alpha, alpha_top(ready.alpha, frame.color), plan.rgb_depth))


def textured(frames: Iterable[Frame], plan: Plan) -> Iterator[tuple[Frame, TextureTerm | None]]:
    """Conformed frames with the skin relief that the pass is to add; None where there is none."""
    parameters = plan.recipe.effects["skin_texture"]
    assert isinstance(parameters, SkinTexture)
    if parameters.strength == 0.0:
        for frame in frames:
            yield frame, None
        return
    from grainkit.texture.stage import TextureStage

    yield from TextureStage(parameters, plan.recipe.seed, moving=plan.kind != "still").stream(frames)


def _textured_anywhere(
    frames: Iterable[Frame], plan: Plan, backend: Backend
) -> Iterator[tuple[Frame, TextureTerm | None]]:
    """`textured`, and for frames on a GPU too: the analysis sees a copy, the frame itself stays where it is."""
    waiting: deque[Frame] = deque()

    def seen() -> Iterator[Frame]:
        for frame in frames:
            waiting.append(frame)
            looked_at = on_card(frame.planes[0]) and plan.recipe.effects["skin_texture"].strength  # type: ignore[attr-defined]
            yield _cuda(backend).download(frame) if looked_at else frame

    for _, texture in textured(seen(), plan):
        yield waiting.popleft(), texture


def _cuda(backend: Backend) -> CudaBackend:
    if not isinstance(backend, CudaBackend):
        raise InputError(f"the frame is on a GPU and the backend is {backend.name}; use backend='cuda'")
    return backend


def finish_frame(
    frame: Frame, plan: Plan, tables: PassTables, backend: Backend, texture: TextureTerm | None = None
) -> Frame:
    """One conformed frame with every effect applied, as R'G'B' where that is delivered."""
    plain = replace(frame, matte=None)
    return _delivered(plain, backend.begin(plain, tables, texture), plan, backend)


def _delivered(frame: Frame, pending: Pending, plan: Plan, backend: Backend) -> Frame:
    done = pending.result()
    if not plan.rgb_depth:
        return done
    dtype = np.dtype(_TYPES[plan.rgb_depth])
    if on_card(done.planes[0]):
        rgb = _cuda(backend).rgb_from_planes(
            done.planes, plan.working, dtype, seed=plan.recipe.seed, frame=frame.index, origin=frame.rgb
        )
        return replace(done, rgb=rgb)
    rgb = rgb_from_planes(done.planes, plan.working, dtype, seed=plan.recipe.seed, frame=frame.index, origin=frame.rgb)
    return replace(done, rgb=rgb)


def finish_array(
    rgb: RGB, *, preset: str | Recipe = "social", source_profile: str = NO_PROFILE, seed: int | None = None,
    settings: tuple[str, ...] = (), backend: str | Backend = "auto", index: int = 0,
    matte: npt.NDArray[np.float32] | None = None,
) -> RGB:  # fmt: skip
    """The effects of a preset on one picture in memory; size and type stay.

    rgb: (H, W, 3) uint8, uint16 or float32 (1.0 is white), display-encoded like sRGB. It may lie on a GPU, in an
        array of any library that speaks DLPack or __cuda_array_interface__: then so does the result, a CuPy array.
    source_profile: where the picture comes from (flux, photo, ...), which goes over a preset that is named.
    seed: replaces the recipe's. settings: overrides such as 'cinema_grain.strength=1'.
    index: the frame's number, which grain is drawn by.
    matte: (H, W) float32 0..1, where skin may be textured instead of where it is found.
    Raises InputError for another shape or type.
    """
    profile = load_source(source_profile)
    recipe = preset if isinstance(preset, Recipe) else load_recipe(preset, None if profile is None else profile.over)
    recipe = override(recipe, [*settings, *([] if seed is None else [f"seed={seed}"])])
    with Finisher(recipe, backend) as finisher:
        there = on_card(rgb)
        if there:
            rgb = _cuda(finisher.backend).as_array(rgb)
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype.type not in _TYPES.values() or 0 in rgb.shape:
            raise InputError(
                f"finish_array takes (height, width, 3) uint8, uint16 or float32, not {rgb.dtype} {tuple(rgb.shape)}"
            )
        size = rgb.shape[:2]
        if matte is not None and (matte.shape != size or matte.dtype != np.float32):
            raise InputError(f"a matte for this picture is float32 {size}, not {matte.dtype} {tuple(matte.shape)}")
        color = replace(SRGB_STILL, depth=8 * rgb.dtype.itemsize)
        info = SourceInfo("array", None, "still", rgb.shape[1], rgb.shape[0], color, rate=Fraction(24))
        if there:
            planes = _cuda(finisher.backend).planes_from_rgb(rgb, color)
        else:
            rgb = rgb if rgb.flags.c_contiguous else rgb.copy()
            planes = planes_from_rgb(rgb, color)
        plan = own_format_plan(info, recipe)
        frame = Frame(planes, plan.working, index, rgb=rgb, matte=matte)
        if wants_regrain(plan):
            plan, _ = regrained(plan, measure_grain([frame]))
        ((ready, texture),) = _textured_anywhere([frame], plan, finisher.backend)
        out = finish_frame(ready, plan, plan_tables(plan), finisher.backend, texture).rgb
    assert out is not None
    return out
