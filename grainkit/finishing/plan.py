"""From (source, recipe, output) to a plan: what exactly will be written, settled before any frame moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from grainkit.effects.base import Context
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.print_sharpening.parameters import Sharpening
from grainkit.errors import InputError, OutputError, RecipeError
from grainkit.io.base import SourceInfo
from grainkit.io.box import canvas_for, canvas_notes, fitted
from grainkit.io.color_tags import LIMITED_ONLY, untold
from grainkit.io.delivery import STILL_DEPTHS, ClipDelivery, Delivery, StillDelivery
from grainkit.io.fields import refuse_mixed_fields
from grainkit.io.formats import SUFFIXES
from grainkit.io.hdr10 import hdr10_lost
from grainkit.io.names import names_folder
from grainkit.io.pending import output_errors
from grainkit.io.pixel_formats import PixelFormat, parse
from grainkit.picture.background import Canvas
from grainkit.picture.color import Color, Range, Siting
from grainkit.picture.resample import Geometry
from grainkit.recipe.recipe import Recipe

#: What an output's ending says: container of a still, or of a clip.
STILL_ENDINGS = {
    ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".tif": "tiff", ".tiff": "tiff", ".webp": "webp", ".exr": "exr",
}  # fmt: skip
CLIP_ENDINGS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "mkv", ".webm": "webm", ".nut": "nut"}

#: What is written where a clip's container is asked for and the recipe has no codec to put into it.
_PLAIN = ClipDelivery("mp4", "libx264", "yuv420p", options={"preset": "medium", "crf": "16"})
#: The same for containers that hold no H.264, and the codecs that they do hold.
_HOME = {
    "webm": ClipDelivery("webm", "libvpx-vp9", "yuv420p", options={"crf": "18", "b": "0", "row-mt": "1"}),
    "nut": ClipDelivery("nut", "ffv1", ""),
}
_HOLDS = {"webm": ("libvpx-vp9", "libvpx", "libsvtav1", "libaom-av1"), "nut": ("ffv1",)}
#: Codecs that keep the odd last row and column of subsampled planes.
_TAKES_ODD = ("ffv1",)
#: Containers in which a pixel aspect is written by the codec alone, and encoders that write it.
_ASPECT_BY_CODEC = ("mkv", "webm", "nut")
_SAYS_ASPECT = ("libx264", "libx264rgb", "libx265", "mpeg2video", "mpeg4")
#: Encoders whose streams can be given film grain.
_CARRIES_GRAIN = ("libsvtav1", "libaom-av1", "librav1e")
#: Depth from which PQ and HLG do not band.
_HDR_DEPTH = 10


@dataclass(frozen=True)
class Plan:
    """All that decides the output beside the pixels.

    kind: still, sequence, clip or pipe (Y4M on standard output).
    output: the file, or the printf pattern of a sequence; None for a pipe.
    new_folder: the folder for it that was asked for and is to be made, or None.
    still, clip: how it is written, whichever `kind` needs.
    geometry: crop and size. working: colours the pass reads. target: colours it stores
        (R'G'B' deliveries: float, brought to `rgb_depth` bits after the pass).
    rgb_depth: bits of R'G'B' samples for the sink, or 0 where planes are delivered.
    pixel_format: what is delivered, in words: FFmpeg's name, or a still's container and depth.
    dpi: dots per inch for sizes in mm and for the file, 0 where unknown.
    rate: mean frames per second, None for a still. sample_aspect: pixel aspect ratio of what is delivered.
    notes: what the plan does that nobody asked for, a sentence each.
    pixels: digest of a still's pixels, None for all else; see `grainkit.picture.grain_key`.
    background: what transparency is composited over, '' where it is kept or there is none.
    canvas: what the finished picture is laid on, None where it is all that is delivered.
    """

    recipe: Recipe
    kind: str
    output: Path | None
    new_folder: Path | None
    still: StillDelivery | None
    clip: ClipDelivery | None
    geometry: Geometry
    working: Color
    target: Color
    rgb_depth: int
    pixel_format: str
    dpi: float
    rate: Fraction | None
    sample_aspect: Fraction
    notes: tuple[str, ...] = ()
    background: str = ""
    canvas: Canvas | None = None
    pixels: int | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of what is delivered, bars included."""
        return self.geometry.size if self.canvas is None else self.canvas.size

    @property
    def carries_grain(self) -> bool:
        """Whether grain goes into the stream as metadata, and none into the pixels."""
        return self.recipe.effect(CinemaGrain).is_carried

    @property
    def context(self) -> Context:
        """What effects may know of it."""
        width, height = self.geometry.size
        return Context(
            self.working, self.target, width, height, self.recipe.seed, self.pixels, self.kind, self.dpi, self.rate
        )

    @property
    def sharpening(self) -> Sharpening | None:
        """How stills are sharpened for paper, None for not at all."""
        if self.still is None or self.still.sharpen == 0.0:
            return None
        return Sharpening.of(self.still.sharpen, self.still.viewing_mm, self.dpi, *self.geometry.size)

    def as_delivered(self, recipe: Recipe) -> Recipe:
        """`recipe`, from which this plan was made, with the formats in it that the output's ending asked for.

        It is adapted, or was not to be: a replay adapts nothing by itself.
        """
        delivery = recipe.delivery
        still, clip = self.still or delivery.still, self.clip or delivery.clip
        if self.kind == "sequence" and (clip is None or clip.container != "sequence"):
            clip = ClipDelivery("sequence", "", "", audio=_PLAIN.audio)
        done = replace(recipe.adapt, **{"still" if self.kind == "still" else "clip": False})
        return replace(recipe, delivery=replace(delivery, still=still, clip=clip), adapt=done)


def make_plan(info: SourceInfo, recipe: Recipe, output: str | Path | None) -> Plan:
    """Settle what the recipe means for this source.

    output: as the user gave it; '-' is Y4M on standard output, None puts it beside the input, a path that ends
        in '/' is a folder for it.
    Raises OutputError, InputError or RecipeError where the source cannot be delivered that way.
    """
    side = "still" if info.kind == "still" else "clip"
    recipe = recipe.for_kind(side)
    plan = replace(_settled(info, recipe, side, output), pixels=info.pixels)
    plan = _with_carrier(_checked(_with_aspect(plan)))
    refuse_mixed_fields(info, plan.kind, plan.clip.codec if plan.clip else "", plan.geometry, plan.target)
    return replace(plan, notes=(*plan.notes, *_untold(plan), *_hdr10_note(info, plan)))


def _settled(info: SourceInfo, recipe: Recipe, side: str, output: str | Path | None) -> Plan:
    if str(output) == "-":
        return _pipe_plan(info, recipe)
    place = _Place.of(output)
    container = _asked_container(place.file, side)
    if side == "still":
        return _still_plan(info, recipe, place, _still_delivery(recipe, container))
    clip = recipe.delivery.clip
    if clip is None and container is None:
        raise RecipeError(
            f"preset {recipe.name} delivers stills only, but {info.name} is a {info.kind}; "
            "choose a clip preset such as social/reel or video/h264"
        )
    if container in STILL_DEPTHS or (container is None and clip is not None and clip.container == "sequence"):
        return _sequence_plan(info, recipe, place, _still_delivery(recipe, container))
    return _clip_plan(info, recipe, place, _clip_in(clip, container))


def _checked(plan: Plan) -> Plan:
    """The plan, with what its effects say of what they will do. RecipeError where one cannot."""
    notes = plan.notes
    for effect in plan.recipe.effects.values():
        if effect.strength:
            notes += effect.check(plan.context)
    return replace(plan, notes=notes)


def _untold(plan: Plan) -> list[str]:
    """What of its colours a clip or a pipe will not say of itself."""
    if plan.kind == "pipe":
        return untold(plan.target, plan.geometry.size, "y4m")
    if plan.kind == "clip" and plan.clip is not None:
        return untold(plan.target, plan.geometry.size, plan.clip.container, plan.clip.codec)
    return []


def _hdr10_note(info: SourceInfo, plan: Plan) -> list[str]:
    """What of HDR10's declarations this delivery cannot hold."""
    if info.hdr10 is None:
        return []
    what = {"pipe": "Y4M", "sequence": "a sequence of stills"}.get(plan.kind, plan.clip.codec if plan.clip else "")
    return list(filter(None, [hdr10_lost(info.hdr10, what)]))


def _with_aspect(plan: Plan) -> Plan:
    """The plan, with a word on pixels whose shape is lost: some containers leave it to the codec's own header."""
    clip, aspect = plan.clip, plan.sample_aspect
    if clip is None or aspect == 1 or clip.container not in _ASPECT_BY_CODEC or clip.codec in _SAYS_ASPECT:
        return plan
    note = (
        f"its pixels are {aspect.numerator}:{aspect.denominator} wide, which {clip.codec} in {clip.container} does not "
        "say: players will show them square; deliver mp4 or mov, or resize with delivery.fit=fit and delivery.height"
    )
    return replace(plan, notes=(*plan.notes, note))


def _with_carrier(plan: Plan) -> Plan:
    """The plan, with a word on how its grain gets to the viewer. RecipeError where it cannot."""
    if not plan.carries_grain:
        return plan
    codec = plan.clip.codec if plan.clip is not None else "frames" if plan.kind == "clip" else f"a {plan.kind}"
    if codec not in _CARRIES_GRAIN or plan.target.is_rgb:
        what = f"{codec} in {plan.pixel_format}" if plan.clip is not None else codec
        raise RecipeError(
            f"cinema_grain.carrier = metadata needs a Y'CbCr clip encoded by {', '.join(_CARRIES_GRAIN)}, and "
            f"this is {what}; use --set cinema_grain.carrier=animated, or --preset video/av1"
        )
    note = "grain is carried as AV1 film grain metadata, which players turn into grain; none is burned in"
    return replace(plan, notes=(*plan.notes, note))


@dataclass(frozen=True)
class _Place:
    """Where the user wants the output: a file (or pattern), a folder, or neither."""

    file: Path | None = None
    folder: Path | None = None

    @staticmethod
    def of(output: str | Path | None) -> _Place:
        if output is None:
            return _Place()
        path = Path(output)
        with output_errors(path):
            is_folder = names_folder(str(output)) or path.is_dir()
        return _Place(folder=path) if is_folder else _Place(file=path)

    @property
    def new_folder(self) -> Path | None:
        return None if self.folder is None or self.folder.exists() else self.folder

    def named(self, info: SourceInfo, recipe: Recipe, ending: str) -> Path:
        """The file asked for, or NAME.PRESET.EXT in the folder asked for or beside the input."""
        if self.file is not None:
            return self.file
        name = f"{_stem(info)}.{recipe.name.replace('/', '-')}{ending}"
        return (self.folder or _beside(info)) / name


def _stem(info: SourceInfo) -> str:
    """The input's name without its ending (or its number, for a pattern)."""
    if info.path is None:
        return "frame"
    path = info.path.absolute()
    if info.kind == "sequence" and not path.is_dir():
        return path.stem.split("%")[0].rstrip("._- ") or path.parent.name
    return (path.name if path.is_dir() else path.stem) or "frame"


def _beside(info: SourceInfo) -> Path:
    if info.path is None:
        raise OutputError("standard input has no folder to write beside; name the output with -o")
    return info.path.absolute().parent if info.path.name in ("", "..") else info.path.parent


def _asked_container(output: Path | None, side: str) -> str | None:
    """The container that the output's ending names; None where no file is asked for."""
    if output is None:
        return None
    ending = output.suffix.lower()
    known = {**STILL_ENDINGS, **CLIP_ENDINGS}
    if not ending:
        example = f"{output.name}{'.png' if side == 'still' else '.mp4'}"
        raise OutputError(
            f"cannot write {output}: its name has no ending; write {example}, or {output.name}/ for a folder"
        )
    if ending not in known:
        # Endings are too short for a likeness: .gif is not .tif. Letters that changed places are.
        near = next((f"; did you mean {each}?" for each in known if sorted(each) == sorted(ending)), "")
        raise OutputError(
            f"cannot write {output}: '{ending}' is not a format grainkit writes{near} (it writes {', '.join(known)})"
        )
    if side == "still" and ending in CLIP_ENDINGS:
        raise OutputError(
            f"cannot write {output}: a still does not become a clip; use one of {', '.join(STILL_ENDINGS)}"
        )
    if ending in STILL_ENDINGS:
        from grainkit.io.sequence import parse_pattern

        is_pattern = parse_pattern(output) is not None
        if side == "still" and is_pattern:
            raise OutputError(
                f"cannot write {output}: a still is one file, and the name is a pattern for many; leave the % out"
            )
        if side == "clip" and not is_pattern:
            raise OutputError(
                f"cannot write {output}: a clip becomes numbered stills; give a pattern such as "
                f"{output.stem}_%05d{ending}"
            )
    return known[ending]


def _still_delivery(recipe: Recipe, container: str | None) -> StillDelivery:
    """The recipe's still in the container asked for, as deep as that can hold."""
    still = recipe.delivery.still
    if still is None:
        if container is None:
            raise RecipeError(
                f"preset {recipe.name} delivers clips only; choose a still preset such as social or print"
            )
        still = StillDelivery()
    if container is None or container == still.container:
        return still
    depths = STILL_DEPTHS[container]
    depth = max((d for d in depths if d <= still.depth), default=min(depths))
    compression = {"tiff": "deflate", "png": "1"}.get(container, still.compression)
    return replace(still, container=container, depth=depth, compression=compression, max_bytes=0)


def _clip_in(clip: ClipDelivery | None, container: str | None) -> ClipDelivery:
    """The recipe's clip in the container asked for, with another codec where that cannot hold the recipe's."""
    if clip is None or (clip.container == "sequence" and container is not None):
        clip = _PLAIN
    if container is None or container == clip.container:
        return clip
    if container in _HOME and clip.codec not in _HOLDS[container]:
        return replace(_HOME[container], audio=clip.audio, closed_gop_seconds=clip.closed_gop_seconds)
    return replace(clip, container=container)


def _still_plan(info: SourceInfo, recipe: Recipe, place: _Place, still: StillDelivery) -> Plan:
    if info.color.is_hdr and still.depth < _HDR_DEPTH:
        raise _tone_map_needed(
            info, f"{still.depth}-bit {still.container}", "print or another 16-bit preset, or PNG with "
            "--set delivery.still.depth=16"
        )  # fmt: skip
    geometry, aspect, notes = fitted(info, recipe.delivery, (1, 1))
    output = place.named(info, recipe, SUFFIXES[still.container])
    return _rgb_plan(info, recipe, "still", output, place.new_folder, still, geometry, aspect, notes)


def _sequence_plan(info: SourceInfo, recipe: Recipe, place: _Place, still: StillDelivery) -> Plan:
    if info.color.is_hdr and still.depth < _HDR_DEPTH:
        raise _tone_map_needed(info, f"{still.depth}-bit {still.container}", "video/sequence or another 16-bit preset")
    geometry, aspect, notes = fitted(info, recipe.delivery, (1, 1))
    output = place.file
    if output is None:
        folder = place.folder or place.named(info, recipe, "")
        # Numbers keep their digits, and frames their names: others look for them by these.
        name = info.frame_name or f"{_stem(info).replace('%', '%%')}_%06d"
        output = folder / f"{name}{SUFFIXES[still.container]}"
    # The sink makes the folder itself: its frames appear all at once.
    return _rgb_plan(info, recipe, "sequence", output, None, still, geometry, aspect, notes)


def _rgb_plan(
    info: SourceInfo, recipe: Recipe, kind: str, output: Path, new_folder: Path | None, still: StillDelivery,
    geometry: Geometry, aspect: Fraction, notes: list[str],
) -> Plan:  # fmt: skip
    working = replace(info.color, depth=32, subsampling=(1, 1), range=Range.FULL, is_rgb=True)
    background = _background(info, recipe) if still.container == "jpeg" else ""
    canvas = canvas_for(info, recipe.delivery, geometry, (1, 1))
    notes += _said(background, "a JPEG", canvas, geometry)
    dpi = _dpi(info, recipe.delivery)
    if still.sharpen and dpi <= 0.0:
        raise RecipeError("delivery.still.sharpen needs delivery.dpi; set it, e.g. --set delivery.dpi=300")
    if geometry.scale > 1.0:
        notes.append(f"enlarged {geometry.scale:.2f} times, after texture and highlights and before grain")
    words = f"{still.container} {still.depth}-bit" + (f" {still.subsampling}" if still.container == "jpeg" else "")
    return Plan(
        recipe, kind, output, new_folder, still, None, geometry, working, working, still.depth, words,
        dpi, info.rate, aspect, tuple(notes), background, canvas,
    )  # fmt: skip


def _background(info: SourceInfo, recipe: Recipe) -> str:
    """The colour that a source is composited over, '' where it is opaque."""
    return recipe.delivery.background if info.has_alpha else ""


def _said(background: str, holder: str, canvas: Canvas | None, geometry: Geometry) -> list[str]:
    """What lies behind the picture, a sentence each."""
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


def _clip_plan(info: SourceInfo, recipe: Recipe, place: _Place, clip: ClipDelivery) -> Plan:
    form = parse(clip.pixel_format or info.pixel_format)
    if form is None:
        raise OutputError(
            f"delivery.clip.pixel_format = '{clip.pixel_format or info.pixel_format}' is not one grainkit writes; "
            "use for example yuv420p, yuv422p10le, yuv444p10le or gbrp10le"
        )
    if form.depth == 32:
        raise OutputError(
            f"{info.name} has float samples, which no encoder of clips takes; deliver frames, such as -o f_%05d.exr, "
            "or set delivery.clip.pixel_format"
        )
    keeps_format = not clip.pixel_format
    if keeps_format:
        name = _written_as(form)
        clip, form = replace(clip, pixel_format=name), parse(name) or form
    if info.color.is_hdr and form.depth < _HDR_DEPTH:
        raise _tone_map_needed(info, f"{form.depth}-bit {form.name}", "video/hevc10 or video/master")
    # Bars begin on whole chroma samples, whatever the codec takes.
    takes_odd = clip.codec in _TAKES_ODD and recipe.delivery.fit != "pad"
    step = (1, 1) if takes_odd else form.subsampling
    geometry, aspect, notes = fitted(info, recipe.delivery, step)
    background = "" if form.alpha else _background(info, recipe)
    canvas = canvas_for(info, recipe.delivery, geometry, step)
    notes += canvas_notes(info, recipe.delivery, canvas)
    notes += _said(background, form.name, canvas, geometry)
    if form.is_grey and not info.pixel_format.startswith(("gray", "ya")):
        notes.append(f"its colours are left out: {form.name} (delivery.clip.pixel_format) is grey")
    if form.is_rgb:
        working = target = replace(info.color, depth=32, subsampling=(1, 1), range=Range.FULL, is_rgb=True)
    else:
        target = _target(info.color, form, keep_range=keeps_format and clip.codec not in LIMITED_ONLY)
        working = _working(info.color, target, geometry)
    output = place.named(info, recipe, "." + clip.container)
    return Plan(
        recipe, "clip", output, place.new_folder, None, clip, geometry, working,
        target, form.rgb_depth if form.is_rgb else 0, form.name, recipe.delivery.dpi, info.rate, aspect, tuple(notes),
        background, canvas,
    )  # fmt: skip


def _written_as(form: PixelFormat) -> str:
    """The name to write samples of this form under where the recipe keeps the source's: what FFV1 knows them by."""
    depth = form.depth
    if form.is_rgb and depth == 8:
        return "bgra" if form.alpha else "bgr0"
    if form.is_rgb:
        return f"gbr{'a' if form.alpha else ''}p{_deep(form.rgb_depth)}"
    if form.is_grey:
        return ("ya8" if depth == 8 else "ya16le") if form.alpha else f"gray{_deep(depth)}"
    return _planar(form.subsampling, depth, "yuva" if form.alpha else "yuv")


def _planar(subsampling: tuple[int, int], depth: int, family: str = "yuv") -> str:
    sampling = {(2, 2): "420", (2, 1): "422", (1, 1): "444"}[subsampling]
    return f"{family}{sampling}p{_deep(depth)}"


def _deep(depth: int) -> str:
    return "" if depth == 8 else "f32le" if depth == 32 else f"{depth}le"


def _tone_map_needed(info: SourceInfo, delivered: str, remedy: str) -> InputError:
    return InputError(
        f"{info.name} is HDR ({info.color.transfer.name}), and {delivered} would need a tone map that grainkit does "
        f"not do; use {remedy}"
    )


def _target(color: Color, form: PixelFormat, *, keep_range: bool) -> Color:
    """Colours of a planar delivery: the source's meaning in the form's depth and sampling."""
    range_ = Range.FULL if form.full_range else Range.LIMITED
    if keep_range and not color.is_rgb:
        range_ = color.range
    siting = Siting.LEFT if color.subsampling == (1, 1) else color.siting
    return replace(color, depth=form.depth, subsampling=form.subsampling, range=range_, is_rgb=False, siting=siting)


def _working(color: Color, target: Color, geometry: Geometry) -> Color:
    """The source's own samples where they need no resampling, else float planes laid out as delivered."""
    as_they_are = geometry.is_crop(color.subsampling) and color.subsampling == target.subsampling
    if as_they_are and not color.is_float and not color.is_rgb:
        return color
    return replace(target, depth=32)


def _pipe_plan(info: SourceInfo, recipe: Recipe) -> Plan:
    """Y4M at the recipe's size, with the source's own sampling and depth (R'G'B' becomes 4:4:4)."""
    target = info.color
    notes = []
    if target.is_rgb or target.is_float:
        depth = 8 if target.depth == 8 else 16
        target = replace(
            target, is_rgb=False, depth=depth, range=Range.LIMITED, subsampling=(1, 1), siting=Siting.CENTER
        )
    step = target.subsampling if recipe.delivery.fit == "pad" else (1, 1)
    geometry, aspect, resized = fitted(info, recipe.delivery, step)
    background = _background(info, recipe)
    canvas = canvas_for(info, recipe.delivery, geometry, step)
    notes += canvas_notes(info, recipe.delivery, canvas)
    notes += _said(background, "Y4M", canvas, geometry)
    working = _working(info.color, target, geometry)
    grey = info.pixel_format.startswith(("gray", "ya"))
    name = f"gray{_deep(target.depth)}" if grey else _planar(target.subsampling, target.depth)
    return Plan(
        recipe, "pipe", None, None, None, None, geometry, working, target, 0, name, recipe.delivery.dpi, info.rate,
        aspect, (*notes, *resized), background, canvas,
    )  # fmt: skip


def own_format_plan(info: SourceInfo, recipe: Recipe) -> Plan:
    """The effects alone: frames keep the source's size, sampling, depth and range (R'G'B' stays R'G'B')."""
    recipe = recipe.for_kind("still" if info.kind == "still" else "clip")
    color = info.color
    working = replace(color, depth=32) if color.is_rgb else color
    plan = Plan(
        recipe, info.kind, None, None, None, None, Geometry.same(info.width, info.height), working, working,
        color.depth if color.is_rgb else 0, info.pixel_format, _dpi(info, recipe.delivery), info.rate,
        info.sample_aspect, pixels=info.pixels,
    )  # fmt: skip
    return _with_carrier(_checked(plan))


def _dpi(info: SourceInfo, delivery: Delivery) -> float:
    if delivery.dpi:
        return delivery.dpi
    return info.still.dpi[0] if info.still.dpi else 0.0
