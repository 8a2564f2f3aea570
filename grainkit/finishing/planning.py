"""From (source, recipe, output) to a plan."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from grainkit.errors import RecipeError
from grainkit.finishing import formats
from grainkit.finishing.place import Place, asked_container
from grainkit.finishing.plan import (
    CARRIES_GRAIN,
    ClipPlan,
    DeliveryPlan,
    OwnFormatPlan,
    PicturesPlan,
    PipePlan,
    Plan,
    SequencePlan,
    StillPlan,
)
from grainkit.io.base import SourceInfo
from grainkit.io.box import canvas_for, canvas_notes, fitted
from grainkit.io.color_tags import LIMITED_ONLY
from grainkit.io.delivery import ClipDelivery, Delivery, StillDelivery
from grainkit.io.fields import refuse_mixed_fields
from grainkit.io.still_formats import format_named, still_names
from grainkit.picture.background import Canvas
from grainkit.picture.resample import Geometry
from grainkit.recipe.recipe import Recipe

P = TypeVar("P", bound=PicturesPlan)

#: Codecs that keep the odd last row and column of subsampled planes.
_TAKES_ODD = ("ffv1",)


def make_plan(info: SourceInfo, recipe: Recipe, output: str | Path | None) -> DeliveryPlan:
    """Settle what the recipe means for this source.

    output: as the user gave it; '-' is Y4M on standard output, None puts it beside the input, a path that ends
        in '/' is a folder for it.
    Raises OutputError, InputError or RecipeError where the source cannot be delivered that way.
    """
    recipe = recipe.for_kind(_side(info))
    plan = replace(_settled(info, recipe, output), pixels=info.pixels)
    notes = [*plan.notes, *_effect_notes(plan)]
    refuse_mixed_fields(info, plan.kind, plan.codec, plan.geometry, plan.target)
    return replace(plan, notes=(*notes, *plan.untold(), *plan.hdr10_lost(info)))


def own_format_plan(info: SourceInfo, recipe: Recipe) -> OwnFormatPlan:
    """Plan the effects alone: frames keep the source's size, sampling, depth and range (R'G'B' stays R'G'B')."""
    recipe = recipe.for_kind(_side(info))
    color = info.color
    working = replace(color, depth=32) if color.is_rgb else color
    plan = OwnFormatPlan(
        recipe=recipe, source_kind=info.kind, geometry=Geometry.same(info.width, info.height),
        working=working, target=working, rgb_depth=color.depth if color.is_rgb else 0, pixel_format=info.pixel_format,
        dpi=_dpi(info, recipe.delivery), rate=info.rate, sample_aspect=info.sample_aspect, pixels=info.pixels,
    )  # fmt: skip
    return replace(plan, notes=tuple(_effect_notes(plan)))


def _side(info: SourceInfo) -> str:
    """Return which side of a recipe is for this source: still or clip."""
    return "still" if info.kind == "still" else "clip"


def _settled(info: SourceInfo, recipe: Recipe, output: str | Path | None) -> DeliveryPlan:
    """Choose the kind of output, and plan it."""
    if str(output) == "-":
        return _pipe_plan(info, recipe)
    place = Place.of(output)
    container = asked_container(place.file, is_still=info.kind == "still")
    if info.kind == "still":
        return _still_plan(info, recipe, place, formats.still_in(recipe, container))
    clip = recipe.delivery.clip
    if clip is None and container is None:
        raise RecipeError(
            f"preset {recipe.name} delivers stills only, but {info.name} is a {info.kind}; "
            "choose a clip preset such as social/reel or video/h264"
        )
    of_stills = clip is not None and clip.container == "sequence" if container is None else container in still_names()
    if of_stills:
        return _sequence_plan(info, recipe, place, formats.still_in(recipe, container))
    return _clip_plan(info, recipe, place, formats.clip_in(clip, container))


def _still_plan(info: SourceInfo, recipe: Recipe, place: Place, still: StillDelivery) -> StillPlan:
    remedy = "print or another 16-bit preset, or PNG with --set delivery.still.depth=16"
    formats.refuse_banding(info, still.depth, still.container, remedy)
    box = fitted(info, recipe.delivery, (1, 1))
    output = place.named(info, recipe, format_named(still.container).ending)
    return replace(_pictures_plan(StillPlan, info, recipe, still, output, box), new_folder=place.new_folder)


def _sequence_plan(info: SourceInfo, recipe: Recipe, place: Place, still: StillDelivery) -> SequencePlan:
    formats.refuse_banding(info, still.depth, still.container, "video/sequence or another 16-bit preset")
    box = fitted(info, recipe.delivery, (1, 1))
    output = place.numbered(info, recipe, format_named(still.container).ending)
    return _pictures_plan(SequencePlan, info, recipe, still, output, box)


def _pictures_plan(
    kind: type[P], info: SourceInfo, recipe: Recipe, still: StillDelivery, output: Path,
    box: tuple[Geometry, Fraction, list[str]],
) -> P:  # fmt: skip
    """Plan pictures of R'G'B'. box: as `fitted` gives it."""
    geometry, aspect, notes = box
    working = formats.rgb_of(info.color)
    form = format_named(still.container)
    background = "" if form.alpha else _background(info, recipe)
    canvas = canvas_for(info, recipe.delivery, geometry, (1, 1))
    notes = [*notes, *_behind(background, f"a {form.name.upper()}", canvas, geometry)]
    dpi = _dpi(info, recipe.delivery)
    if still.sharpen and dpi <= 0.0:
        raise RecipeError("delivery.still.sharpen needs delivery.dpi; set it, e.g. --set delivery.dpi=300")
    if geometry.scale > 1.0:
        notes.append(f"enlarged {geometry.scale:.2f} times, after texture and highlights and before grain")
    words = f"{still.container} {still.depth}-bit" + (f" {still.subsampling}" if form.subsampled else "")
    return kind(
        recipe=recipe, output=output, still=still, geometry=geometry, working=working, target=working,
        rgb_depth=still.depth, pixel_format=words, dpi=dpi, rate=info.rate, sample_aspect=aspect, notes=tuple(notes),
        background=background, canvas=canvas,
    )  # fmt: skip


def _clip_plan(info: SourceInfo, recipe: Recipe, place: Place, clip: ClipDelivery) -> ClipPlan:
    form, keeps_format = formats.clip_samples(info, clip), not clip.pixel_format
    clip = replace(clip, pixel_format=clip.pixel_format or form.name)
    formats.refuse_banding(info, form.depth, form.name, "video/hevc10 or video/master")
    # Bars begin on whole chroma samples, whatever the codec takes.
    takes_odd = clip.codec in _TAKES_ODD and recipe.delivery.fit != "pad"
    step = (1, 1) if takes_odd else form.subsampling
    geometry, aspect, notes = fitted(info, recipe.delivery, step)
    background = "" if form.alpha else _background(info, recipe)
    canvas = canvas_for(info, recipe.delivery, geometry, step)
    notes = [
        *notes, *canvas_notes(info, recipe.delivery, canvas), *_behind(background, form.name, canvas, geometry)
    ]  # fmt: skip
    if form.is_grey and not info.pixel_format.startswith(("gray", "ya")):
        notes.append(f"its colours are left out: {form.name} (delivery.clip.pixel_format) is grey")
    if form.is_rgb:
        working = target = formats.rgb_of(info.color)
    else:
        keeps_range = keeps_format and clip.codec not in LIMITED_ONLY
        target = formats.planar_target(info.color, form, keep_range=keeps_range)
        working = formats.planar_working(info.color, target, geometry)
    output = place.named(info, recipe, "." + clip.container)
    plan = ClipPlan(
        recipe=recipe, output=output, new_folder=place.new_folder, clip=clip, geometry=geometry, working=working,
        target=target, rgb_depth=form.rgb_depth if form.is_rgb else 0, pixel_format=form.name,
        dpi=recipe.delivery.dpi, rate=info.rate, sample_aspect=aspect, background=background, canvas=canvas,
    )  # fmt: skip
    return replace(plan, notes=(*notes, *plan.aspect_lost()))


def _pipe_plan(info: SourceInfo, recipe: Recipe) -> PipePlan:
    """Plan Y4M at the recipe's size, with the source's own sampling and depth (R'G'B' becomes 4:4:4)."""
    target = formats.y4m_target(info.color)
    step = target.subsampling if recipe.delivery.fit == "pad" else (1, 1)
    geometry, aspect, resized = fitted(info, recipe.delivery, step)
    background = _background(info, recipe)
    canvas = canvas_for(info, recipe.delivery, geometry, step)
    padded = canvas_notes(info, recipe.delivery, canvas)
    return PipePlan(
        recipe=recipe, geometry=geometry, working=formats.planar_working(info.color, target, geometry), target=target,
        rgb_depth=0, pixel_format=formats.y4m_name(info, target), dpi=recipe.delivery.dpi, rate=info.rate,
        sample_aspect=aspect, notes=(*padded, *_behind(background, "Y4M", canvas, geometry), *resized),
        background=background, canvas=canvas,
    )  # fmt: skip


def _effect_notes(plan: Plan) -> list[str]:
    """Return what the effects say of what they will do. Raises RecipeError where one cannot."""
    notes = [note for effect in plan.recipe.effects.values() if effect.strength for note in effect.check(plan.context)]
    if not plan.carries_grain:
        return notes
    if not plan.can_carry_grain:
        raise RecipeError(
            f"cinema_grain.carrier = metadata needs a Y'CbCr clip encoded by {', '.join(CARRIES_GRAIN)}, and "
            f"this is {plan.coding}; use --set cinema_grain.carrier=animated, or --preset video/av1"
        )
    return [*notes, "grain is carried as AV1 film grain metadata, which players turn into grain; none is burned in"]


def _background(info: SourceInfo, recipe: Recipe) -> str:
    """Return the colour that a source is composited over, '' where it is opaque."""
    return recipe.delivery.background if info.has_alpha else ""


def _behind(background: str, holder: str, canvas: Canvas | None, geometry: Geometry) -> list[str]:
    """Return notes on what lies behind the picture. holder: what holds no transparency, in words."""
    notes = []
    if background:
        notes.append(
            f"transparency composited over {background} (delivery.background) in code values, as browsers do: "
            f"{holder} has none"
        )
    if canvas is not None and canvas.size != geometry.size:
        whole = f"{canvas.size[0]}x{canvas.size[1]}"
        notes.append(f"bars to {whole} in {canvas.background} (delivery.background): {canvas.bars(geometry.size)}")
    return notes


def _dpi(info: SourceInfo, delivery: Delivery) -> float:
    """Return dots per inch as the recipe says, or else the source; 0 where neither does."""
    if delivery.dpi:
        return delivery.dpi
    return info.still.dpi[0] if info.still.dpi else 0.0
