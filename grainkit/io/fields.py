"""What may be done to a frame whose lines are of two moments: nothing that blends a line with its neighbours."""

from __future__ import annotations

from grainkit.errors import InputError
from grainkit.io.base import SourceInfo
from grainkit.io.interlaced import DEINTERLACE, KEEPS_FIELDS
from grainkit.picture.color import Color
from grainkit.picture.resample import Geometry

_SAMPLINGS = {(2, 2): "4:2:0", (2, 1): "4:2:2", (1, 1): "4:4:4"}
#: Presets that keep fields, by the chroma sampling that they deliver.
_KEEPING = {(2, 2): "video/h264", (2, 1): "video/master"}


def refuse_mixed_fields(info: SourceInfo, kind: str, codec: str, geometry: Geometry, target: Color) -> None:
    """InputError where a delivery of an interlaced source would mix its fields, or lose what says that there are two.

    kind: what is delivered, as a plan names it. codec: of a clip, else ''. geometry, target: its size and colours.
    Effects stay within what is seen and may be drawn on two fields; a change of height may not, nor one of chroma's.
    """
    if not info.field_order or kind == "still":
        return
    keeps = kind == "pipe" or (codec in KEEPS_FIELDS and info.field_order != "mixed")
    rows = geometry.bottom - geometry.top
    # The top line of a chroma plane is the top field's, too.
    whole = geometry.size[1] == rows and geometry.top % (2 * info.color.subsampling[1]) == 0
    why = ""
    if not keeps:
        what = codec or f"a {kind} of stills"
        marked = "fields that change their order" if info.field_order == "mixed" and codec in KEEPS_FIELDS else "fields"
        why = f"{what} cannot say that a frame holds two {marked}"
    elif not whole:
        why = f"a height of {geometry.size[1]} made from its {info.height} lines would mix them"
    elif target.subsampling[1] != info.color.subsampling[1]:
        have, wanted = _SAMPLINGS[info.color.subsampling], _SAMPLINGS[target.subsampling]
        why = f"its {have} chroma made {wanted} would mix them"
    if why:
        preset = _KEEPING.get(info.color.subsampling, "")
        kept = f", or keep its fields with --preset {preset}" if preset and info.field_order != "mixed" else ""
        raise InputError(f"{info.name} is interlaced, and {why}; {DEINTERLACE}{kept}")
