"""From (source, recipe, output) to a plan: what exactly will be written, settled before any frame moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from grainkit.color import Color, Range, Siting
from grainkit.delivery import STILL_DEPTHS, ClipDelivery, Delivery, StillDelivery
from grainkit.errors import InputError, OutputError, RecipeError
from grainkit.io.base import SourceInfo
from grainkit.io.pixel_formats import parse
from grainkit.params import nearest
from grainkit.recipe import Recipe
from grainkit.resample import Geometry

#: What an output's ending says: container of a still, or of a clip.
STILL_ENDINGS = {
    ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".tif": "tiff", ".tiff": "tiff", ".webp": "webp", ".exr": "exr",
}  # fmt: skip
CLIP_ENDINGS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "mkv", ".webm": "webm", ".nut": "nut"}
#: Codecs that a container cannot hold are replaced by one it can, when its ending is asked for.
_HOME_CODEC = {"webm": ("libvpx-vp9", "yuv420p"), "nut": ("ffv1", "")}
_HOLDS = {"webm": ("libvpx-vp9", "libvpx", "libsvtav1")}


@dataclass(frozen=True)
class Plan:
    """All that decides the output beside the pixels.

    kind: still, sequence, clip or pipe (Y4M on standard output).
    output: the file, the folder or the printf pattern; None for a pipe.
    still, clip: how it is written, whichever `kind` needs.
    geometry: crop and size. working: colours the pass reads. target: colours it stores
        (R'G'B' deliveries: float, brought to `rgb_depth` bits after the pass).
    rgb_depth: bits of R'G'B' samples for the sink, or 0 where planes are delivered.
    dpi: dots per inch for sizes in mm and for the file, 0 where unknown.
    notes: what the plan does that nobody asked for, a sentence each.
    """

    recipe: Recipe
    kind: str
    output: Path | None
    still: StillDelivery | None
    clip: ClipDelivery | None
    geometry: Geometry
    working: Color
    target: Color
    rgb_depth: int
    dpi: float
    rate: Fraction | None
    sample_aspect: Fraction
    notes: tuple[str, ...] = ()


def make_plan(info: SourceInfo, recipe: Recipe, output: str | Path | None) -> Plan:
    """Settle what the recipe means for this source.

    output: as the user gave it; '-' is Y4M on standard output, None puts it beside the input.
    Raises OutputError, InputError or RecipeError where the source cannot be delivered that way.
    """
    side = "still" if info.kind == "still" else "clip"
    recipe = recipe.for_kind(side)
    delivery = recipe.delivery
    if output == "-":
        return _pipe_plan(info, recipe)
    wanted = None if output is None else Path(output)
    container = _asked_container(wanted, side)
    if side == "still":
        return _still_plan(info, recipe, wanted, _still_delivery(recipe, container))
    if delivery.clip is None and container is None:
        raise RecipeError(
            f"preset {recipe.name} delivers stills only, but {info.name} is a {info.kind}; "
            "choose a clip preset such as social/reel or video/h264"
        )
    clip = delivery.clip or ClipDelivery()
    if container in STILL_ENDINGS.values() or (container is None and clip.container == "sequence"):
        still = _still_delivery(recipe, container if container in STILL_DEPTHS else None)
        return _sequence_plan(info, recipe, wanted, still)
    return _clip_plan(info, recipe, wanted, _clip_in(clip, container))


def default_output(info: SourceInfo, recipe: Recipe, ending: str) -> Path:
    """Beside the input: NAME.PRESET.EXT, with `/` in the preset turned into `-`."""
    preset = recipe.name.replace("/", "-")
    if info.path is None:
        raise OutputError("standard input has no folder to write beside; name the output with -o")
    stem = info.path.stem.split("%")[0].rstrip("._- ") or info.path.parent.name
    folder = info.path.parent
    return folder / f"{stem}.{preset}{ending}"


def _asked_container(output: Path | None, side: str) -> str | None:
    """The container that the output's ending names; None where it names none (a folder, or nothing asked)."""
    if output is None or output.is_dir() or not output.suffix:
        return None
    ending = output.suffix.lower()
    known = {**STILL_ENDINGS, **CLIP_ENDINGS}
    if ending not in known:
        raise OutputError(
            f"cannot write {output}: '{ending}' is not a format grainkit writes{nearest(ending, list(known))}; "
            f"it writes {', '.join(known)}"
        )
    if side == "still" and ending in CLIP_ENDINGS:
        raise OutputError(f"cannot write {output}: a still does not become a clip; use one of {', '.join(STILL_ENDINGS)}")
    if side == "clip" and ending in STILL_ENDINGS and "%" not in output.name:
        raise OutputError(
            f"cannot write {output}: a clip becomes numbered stills; give a pattern such as {output.stem}_%05d{ending}"
        )
    return known[ending]


def _still_delivery(recipe: Recipe, container: str | None) -> StillDelivery:
    still = recipe.delivery.still
    if still is None:
        if container is None:
            raise RecipeError(f"preset {recipe.name} delivers clips only; choose a still preset such as social or print")
        still = StillDelivery(container=container)
    if container is None or container == still.container:
        return still
    depths = STILL_DEPTHS[container]
    depth = still.depth if still.depth in depths else max((d for d in depths if d <= still.depth), default=min(depths))
    compression = {"tiff": "deflate", "png": "1"}.get(container, still.compression)
    return replace(still, container=container, depth=depth, compression=compression, max_bytes=0)


def _clip_in(clip: ClipDelivery, container: str | None) -> ClipDelivery:
    if container is None or container == clip.container:
        return clip
    if container in _HOME_CODEC and clip.codec not in _HOLDS.get(container, (_HOME_CODEC[container][0],)):
        codec, pixel_format = _HOME_CODEC[container]
        return ClipDelivery(container, codec, pixel_format, audio=clip.audio)
    if clip.container == "sequence":
        return ClipDelivery(container)
    return replace(clip, container=container)


def _geometry(info: SourceInfo, delivery: Delivery, even: tuple[int, int]) -> tuple[Geometry, Fraction, list[str]]:
    """Crop and size for the delivery's box; sides are whole multiples of `even`, as chroma sampling needs."""
    notes = []
    width, height = info.width, info.height
    aspect = info.sample_aspect
    box = [delivery.width, delivery.height]
    resizes = delivery.fit != "keep" and any(box)
    shown = width * float(aspect) if resizes else float(width)
    if delivery.turn and all(box) and (box[0] > box[1]) != (shown > height):
        box.reverse()
    left, top, right, bottom = 0.0, 0.0, float(width), float(height)
    out = (float(shown), float(height))
    if resizes:
        limits = [b if b else float("inf") for b in box]
        ratios = [limits[0] / shown, limits[1] / height]
        if delivery.fit == "cover" and all(box):
            scale = max(ratios)
            keep_w, keep_h = limits[0] / scale, limits[1] / scale
            left, right = (shown - keep_w) / 2, (shown + keep_w) / 2
            top, bottom = (height - keep_h) / 2, (height + keep_h) / 2
            out = (limits[0], limits[1]) if scale <= 1 or delivery.upscale else (keep_w, keep_h)
            if scale > 1 and not delivery.upscale:
                notes.append(f"the picture is smaller than {box[0]}x{box[1]}: cropped to its shape, not enlarged")
        else:
            scale = min(ratios)
            if scale > 1 and not delivery.upscale:
                scale = 1.0
                if box[0] or box[1]:
                    notes.append(f"the picture is smaller than the {box[0] or 'free'}x{box[1] or 'free'} box and is not enlarged")
            out = (shown * scale, height * scale)
        left, right = left / float(aspect), right / float(aspect)
        aspect = Fraction(1)
    size = tuple(max(e, int(o / e + 0.5) * e) for o, e in zip(out, even, strict=True))
    if (size[0], size[1]) != (width, height) and not resizes:
        # Odd sizes that the chroma sampling cannot hold lose a row or column; nothing is resampled for it.
        size = (max(even[0], width // even[0] * even[0]), max(even[1], height // even[1] * even[1]))
        right, bottom = min(right, float(size[0])), min(bottom, float(size[1]))
        notes.append(f"cropped from {width}x{height} to {size[0]}x{size[1]}: the pixel format needs even sides")
    return Geometry((width, height), (size[0], size[1]), left, top, right, bottom), aspect, notes


def _dpi(info: SourceInfo, delivery: Delivery) -> float:
    if delivery.dpi:
        return delivery.dpi
    return info.still.dpi[0] if info.still.dpi else 0.0


def _still_plan(info: SourceInfo, recipe: Recipe, output: Path | None, still: StillDelivery) -> Plan:
    geometry, aspect, notes = _geometry(info, recipe.delivery, (1, 1))
    if output is None or output.is_dir():
        beside = default_output(info, recipe, _ending(still.container))
        output = beside if output is None else output / beside.name
    working = replace(info.color, depth=32, subsampling=(1, 1), range=Range.FULL, is_rgb=True)
    return Plan(
        recipe, "still", output, still, None, geometry, working, working, still.depth, _dpi(info, recipe.delivery),
        None, aspect, tuple(notes),
    )  # fmt: skip


def _sequence_plan(info: SourceInfo, recipe: Recipe, output: Path | None, still: StillDelivery) -> Plan:
    geometry, aspect, notes = _geometry(info, recipe.delivery, (1, 1))
    if output is None:
        output = default_output(info, recipe, "")
    if "%" not in output.name:
        output = output / f"{(info.path or Path('frame')).stem.split('%')[0].rstrip('._- ') or 'frame'}_%06d{_ending(still.container)}"
    working = replace(info.color, depth=32, subsampling=(1, 1), range=Range.FULL, is_rgb=True)
    return Plan(
        recipe, "sequence", output, still, None, geometry, working, working, still.depth, _dpi(info, recipe.delivery),
        info.rate, aspect, tuple(notes),
    )  # fmt: skip


def _clip_plan(info: SourceInfo, recipe: Recipe, output: Path | None, clip: ClipDelivery) -> Plan:
    name = clip.pixel_format or info.pixel_format
    form = parse(name)
    if form is None:
        raise OutputError(f"delivery.clip.pixel_format {name} is not one grainkit writes; use yuv420p, yuv422p10le, ...")
    even = form.subsampling if not form.is_rgb else (1, 1)
    if clip.codec == "libx264" and form.subsampling == (2, 2):
        even = (2, 2)
    geometry, aspect, notes = _geometry(info, recipe.delivery, even)
    if info.color.is_hdr and form.depth < 10:
        raise InputError(
            f"{info.name} is HDR ({info.color.transfer.name}) and {recipe.name} delivers 8-bit SDR, which would need a tone "
            "map that grainkit does not do; use video/hevc10 or video/master"
        )
    if output is None or output.is_dir():
        beside = default_output(info, recipe, "." + clip.container)
        output = beside if output is None else output / beside.name
    if form.is_rgb:
        working = target = replace(info.color, depth=32, subsampling=(1, 1), range=Range.FULL, is_rgb=True)
        rgb_depth = form.rgb_depth
    else:
        range_ = Range.FULL if form.full_range else Range.LIMITED
        target = replace(
            info.color, depth=form.depth, subsampling=form.subsampling, range=range_, is_rgb=False,
            siting=Siting.LEFT if info.color.subsampling == (1, 1) else info.color.siting,
        )  # fmt: skip
        working, rgb_depth = _working(info.color, target, geometry), 0
    return Plan(
        recipe, "clip", output, None, clip, geometry, working, target, rgb_depth, recipe.delivery.dpi, info.rate, aspect,
        tuple(notes),
    )  # fmt: skip


def _working(color: Color, target: Color, geometry: Geometry) -> Color:
    """The source's own planes where their layout is delivered as it is, else float planes laid out as delivered."""
    if geometry.is_identity and not color.is_float and not color.is_rgb and color.subsampling == target.subsampling:
        return color
    return replace(target, depth=32)


def _pipe_plan(info: SourceInfo, recipe: Recipe) -> Plan:
    """Y4M at the recipe's size, with the source's own sampling and depth (R'G'B' becomes 4:4:4)."""
    target = info.color
    if target.is_rgb or target.is_float:
        depth = 8 if target.depth == 8 else 16
        target = replace(target, is_rgb=False, depth=depth, range=Range.LIMITED, subsampling=(1, 1), siting=Siting.CENTER)
    geometry, aspect, notes = _geometry(info, recipe.delivery, target.subsampling)
    working = _working(info.color, target, geometry)
    return Plan(
        recipe, "pipe", None, None, None, geometry, working, target, 0, recipe.delivery.dpi, info.rate, aspect, tuple(notes)
    )


def _ending(container: str) -> str:
    return {"jpeg": ".jpg", "tiff": ".tif"}.get(container, "." + container)


def own_format_plan(info: SourceInfo, recipe: Recipe) -> Plan:
    """The effects alone: frames keep the source's size, sampling, depth and range (R'G'B' stays R'G'B')."""
    recipe = recipe.for_kind("still" if info.kind == "still" else "clip")
    color = info.color
    working = replace(color, depth=32) if color.is_rgb else color
    dpi = _dpi(info, recipe.delivery)
    same = Geometry.same(info.width, info.height)
    rgb_depth = color.depth if color.is_rgb else 0
    return Plan(recipe, info.kind, None, None, None, same, working, working, rgb_depth, dpi, info.rate, info.sample_aspect)
