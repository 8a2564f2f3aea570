"""How an output is coded: the recipe's format in the container asked for, and the samples that it holds."""

from __future__ import annotations

from dataclasses import replace

from grainkit.errors import InputError, OutputError, RecipeError
from grainkit.io.base import SourceInfo
from grainkit.io.delivery import ClipDelivery, StillDelivery
from grainkit.io.pixel_formats import PixelFormat, parse
from grainkit.io.still_formats import format_named
from grainkit.picture.color import Color, Range, Siting
from grainkit.picture.resample import Geometry
from grainkit.recipe.recipe import Recipe

#: What is written where a clip's container is asked for and the recipe has no codec to put into it.
_PLAIN = ClipDelivery("mp4", "libx264", "yuv420p", options={"preset": "medium", "crf": "16"})
#: The same for containers that hold no H.264, and the codecs that they do hold.
_HOME = {
    "webm": ClipDelivery("webm", "libvpx-vp9", "yuv420p", options={"crf": "18", "b": "0", "row-mt": "1"}),
    "nut": ClipDelivery("nut", "ffv1", ""),
}
_HOLDS = {"webm": ("libvpx-vp9", "libvpx", "libsvtav1", "libaom-av1"), "nut": ("ffv1",)}
#: Depth from which PQ and HLG do not band.
_HDR_DEPTH = 10


def still_in(recipe: Recipe, container: str | None) -> StillDelivery:
    """Return the recipe's still in the container asked for (None for its own), as deep as that can hold.

    Raises RecipeError where the recipe has no still and no container is asked for.
    """
    still = recipe.delivery.still
    if still is None:
        if container is None:
            raise RecipeError(
                f"preset {recipe.name} delivers clips only; choose a still preset such as social or print"
            )
        still = StillDelivery()
    if container is None or container == still.container:
        return still
    form = format_named(container)
    depth = max((d for d in form.depths if d <= still.depth), default=min(form.depths))
    compression = form.compression or still.compression
    return replace(still, container=container, depth=depth, compression=compression, max_bytes=0)


def clip_in(clip: ClipDelivery | None, container: str | None) -> ClipDelivery:
    """Return the recipe's clip in the container asked for, with another codec where that cannot hold the recipe's."""
    if clip is None or (clip.container == "sequence" and container is not None):
        clip = _PLAIN
    if container is None or container == clip.container:
        return clip
    if container in _HOME and clip.codec not in _HOLDS[container]:
        return replace(_HOME[container], audio=clip.audio, closed_gop_seconds=clip.closed_gop_seconds)
    return replace(clip, container=container)


def clip_samples(info: SourceInfo, clip: ClipDelivery) -> PixelFormat:
    """Return the samples that a clip is written with: those it names, or else the source's as FFV1 knows them.

    Raises OutputError for samples that no encoder takes.
    """
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
    return form if clip.pixel_format else parse(_written_as(form)) or form


def refuse_banding(info: SourceInfo, depth: int, delivered: str, remedy: str) -> None:
    """Raise InputError where an HDR source would be stored in too few bits. delivered: the output, in words."""
    if info.color.is_hdr and depth < _HDR_DEPTH:
        raise InputError(
            f"{info.name} is HDR ({info.color.transfer.name}), and {depth}-bit {delivered} would need a tone map that "
            f"grainkit does not do; use {remedy}"
        )


def rgb_of(color: Color) -> Color:
    """Return the colours of float R'G'B' that means the same."""
    return replace(color, depth=32, subsampling=(1, 1), range=Range.FULL, is_rgb=True)


def planar_target(color: Color, form: PixelFormat, *, keep_range: bool) -> Color:
    """Return the colours of a planar delivery: the source's meaning in the form's depth and sampling."""
    range_ = Range.FULL if form.full_range else Range.LIMITED
    if keep_range and not color.is_rgb:
        range_ = color.range
    siting = Siting.LEFT if color.subsampling == (1, 1) else color.siting
    return replace(color, depth=form.depth, subsampling=form.subsampling, range=range_, is_rgb=False, siting=siting)


def y4m_target(color: Color) -> Color:
    """Return the colours of Y4M: the source's own, but 4:4:4 of 8 or 16 bits where it is R'G'B' or float."""
    if not color.is_rgb and not color.is_float:
        return color
    depth = 8 if color.depth == 8 else 16
    return replace(color, is_rgb=False, depth=depth, range=Range.LIMITED, subsampling=(1, 1), siting=Siting.CENTER)


def planar_working(color: Color, target: Color, geometry: Geometry) -> Color:
    """Return the source's own colours where its samples need no resampling, else float planes laid out as delivered."""
    as_they_are = geometry.is_crop(color.subsampling) and color.subsampling == target.subsampling
    if as_they_are and not color.is_float and not color.is_rgb:
        return color
    return replace(target, depth=32)


def y4m_name(info: SourceInfo, target: Color) -> str:
    """Return FFmpeg's name for the samples of Y4M in these colours."""
    grey = info.pixel_format.startswith(("gray", "ya"))
    return f"gray{_deep(target.depth)}" if grey else _planar(target.subsampling, target.depth)


def _written_as(form: PixelFormat) -> str:
    """Return the name to write samples of this form under where the recipe keeps the source's, as FFV1 knows them."""
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
