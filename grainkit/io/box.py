"""How a picture is brought to a delivery's box: fitted inside, cropped to cover it, or left alone."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from grainkit.errors import InputError, RecipeError
from grainkit.io.base import MAX_STILL, SourceInfo
from grainkit.io.delivery import Delivery
from grainkit.picture.background import Canvas
from grainkit.picture.resample import Geometry


def fitted(info: SourceInfo, delivery: Delivery, step: tuple[int, int]) -> tuple[Geometry, Fraction, list[str]]:
    """(crop and size, pixel aspect, notes) of a source in a delivery's box.

    Sides are whole multiples of `step`, as chroma sampling needs. What is resized gets square pixels; what
    is only cut keeps its pixel aspect and its samples. RecipeError for a box in mm without dpi,
    InputError where the pixels of a source are so far from square that what is made of them would fill the memory.
    """
    size = (info.width, info.height)
    box, on_paper = _box(delivery)
    if (delivery.fit == "keep" and not on_paper) or not any(box):
        return _cut(size, (Fraction(size[0]), Fraction(size[1])), step, info.sample_aspect)
    shown = (info.width * info.sample_aspect, Fraction(info.height))
    box = _turned(box, shown, delivery)
    ratios = [Fraction(limit) / side for limit, side in zip(box, shown, strict=True) if limit]
    covers = delivery.fit == "cover" and all(box)
    scale = max(ratios) if covers else min(ratios)
    kept = (box[0] / scale, box[1] / scale) if covers else shown
    notes = []
    if scale > 1 and not (delivery.upscale or on_paper):
        named = f"{box[0] or 'any'}x{box[1] or 'any'}"
        notes.append(f"smaller than {named}, and not enlarged" + (": cropped to its shape" if covers else ""))
        if delivery.dpi:
            notes.append(_on_paper(kept, scale, delivery.dpi))
        scale = Fraction(1)
    if scale == 1 and info.sample_aspect == 1:
        geometry, aspect, more = _cut(size, kept, step, info.sample_aspect)
        return geometry, aspect, notes + more
    out = [_rounded(side * scale, unit, limit) for side, unit, limit in zip(kept, step, box, strict=True)]
    if info.sample_aspect != 1 and out[0] * out[1] > MAX_STILL:
        raise InputError(
            f"{info.name}: its pixels are {float(info.sample_aspect):g} times as wide as high, which makes it "
            f"{out[0]}x{out[1]} px, more than {MAX_STILL:,}; it is damaged, or set delivery.width and delivery.height"
        )
    region = [((whole - part) / 2, (whole + part) / 2) for whole, part in zip(shown, kept, strict=True)]
    left, right = (float(x / info.sample_aspect) for x in region[0])
    top, bottom = (float(y) for y in region[1])
    return Geometry(size, (out[0], out[1]), left, top, right, bottom), Fraction(1), notes


def _on_paper(kept: tuple[Fraction, Fraction], scale: Fraction, dpi: float) -> str:
    """How wide a picture prints that is not enlarged, and what would fill the paper."""
    wide, high = (round(float(side * scale)) for side in kept)
    now, then = (float(px) / dpi * 25.4 for px in (kept[0], kept[0] * scale))
    return (
        f"prints {now:.0f} mm wide at {dpi:g} dpi; for {then:.0f} mm: a picture of {wide}x{high} px, "
        f"or --set delivery.upscale=true, which prints this one's own pixels at {dpi / float(scale):.0f} dpi"
    )


def canvas_for(info: SourceInfo, delivery: Delivery, geometry: Geometry, step: tuple[int, int]) -> Canvas | None:
    """What `fit = pad` lays the picture of a `geometry` on: all of the delivery's box, the picture in its middle.

    None where the recipe does not pad. RecipeError where the box is open to a side.
    """
    if delivery.fit != "pad":
        return None
    box = _padded(info, delivery)
    size = [max(side // unit * unit, unit) for side, unit in zip(box, step, strict=True)]
    left, top = (
        (whole - part) // 2 // unit * unit for whole, part, unit in zip(size, geometry.size, step, strict=True)
    )
    return Canvas((size[0], size[1]), left, top, delivery.background)


def canvas_notes(info: SourceInfo, delivery: Delivery, canvas: Canvas | None) -> list[str]:
    """That the canvas is smaller than the box asked for, where it is."""
    box = None if canvas is None else _padded(info, delivery)
    if canvas is None or box is None or canvas.size == box:
        return []
    width, height = canvas.size
    return [f"padded to {width}x{height} and not {box[0]}x{box[1]}: the pixel format needs even sides"]


def _padded(info: SourceInfo, delivery: Delivery) -> tuple[int, int]:
    """The box that is filled with bars. RecipeError where it is open to a side."""
    box, _ = _box(delivery)
    if not all(box):
        raise RecipeError(
            "delivery.fit = pad needs both sides of the box; set delivery.width and delivery.height, "
            "or width_mm, height_mm and the dpi"
        )
    return _turned(box, (info.width * info.sample_aspect, Fraction(info.height)), delivery)


def _turned(box: tuple[int, int], shown: tuple[Fraction, Fraction], delivery: Delivery) -> tuple[int, int]:
    """The box, on its side where it may be turned to the picture's orientation."""
    turns = delivery.turn and all(box) and (box[0] > box[1]) != (shown[0] > shown[1])
    return (box[1], box[0]) if turns else box


def _box(delivery: Delivery) -> tuple[tuple[int, int], bool]:
    """The box in px, 0 where free, and whether it is that of a paper. RecipeError for mm without dpi."""
    paper = (delivery.width_mm, delivery.height_mm)
    if not any(paper):
        return (delivery.width, delivery.height), False
    if not delivery.dpi:
        raise RecipeError("delivery.width_mm and height_mm need delivery.dpi; set it, e.g. --set delivery.dpi=300")
    width, height = (round(side / 25.4 * delivery.dpi) for side in paper)
    return (width, height), True


def _cut(
    size: tuple[int, int], kept: tuple[Fraction, Fraction], step: tuple[int, int], aspect: Fraction
) -> tuple[Geometry, Fraction, list[str]]:
    """The middle of the picture without resampling: whole steps, from a whole step on."""
    out = [max(unit, floor(side / unit) * unit) for side, unit in zip(kept, step, strict=True)]
    left, top = (max(0, (whole - part) // 2 // unit * unit) for whole, part, unit in zip(size, out, step, strict=True))
    notes = []
    if list(kept) == list(size) != out:
        notes.append(f"cut from {size[0]}x{size[1]} to {out[0]}x{out[1]}: the pixel format needs even sides")
    return Geometry(size, (out[0], out[1]), left, top, left + out[0], top + out[1]), aspect, notes


def _rounded(side: Fraction, unit: int, limit: int) -> int:
    """The nearest multiple of `unit`, at least one, and not above `limit` where there is one."""
    nearest_multiple = floor(side / unit + Fraction(1, 2)) * unit
    if limit and nearest_multiple > limit:
        nearest_multiple = limit // unit * unit
    return max(unit, nearest_multiple)
