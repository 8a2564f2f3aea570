"""What the numbers of a clip's pictures mean: what picture and stream are tagged with, else convention."""

from __future__ import annotations

from typing import TypeVar

import av

from grainkit.errors import InputError
from grainkit.io.color_tags import convention
from grainkit.io.pixel_formats import PixelFormat
from grainkit.picture.color import Color, Matrix, Primaries, Range, Siting, Transfer, assumed_words

_Code = TypeVar("_Code", Primaries, Transfer, Matrix)


def color_of(stream: av.VideoStream, picture: av.VideoFrame, form: PixelFormat) -> tuple[Color, str]:
    """What the numbers mean (tags of the picture, else the stream, else convention), and what was assumed, said."""
    context = stream.codec_context
    assumed: list[str] = []

    primaries = _tagged(Primaries, picture.color_primaries, context.color_primaries)
    transfer = _tagged(Transfer, picture.color_trc, context.color_trc)
    matrices = (picture.colorspace, context.colorspace)
    if context.name == "dnxhd":
        # Its stream has two bits for the matrix, which most encoders leave at BT.709.
        matrices = matrices[::-1]
    matrix = Matrix.BT709 if form.is_rgb else _tagged(Matrix, *matrices)
    if (
        matrix is None
        and not form.is_rgb
        and picture.colorspace not in (0, 2, 3)
        and picture.colorspace not in set(Matrix)
    ):
        raise InputError(
            f"{stream.container.name.removeprefix('file:')}: colour matrix {picture.colorspace} of H.273 is not "
            "supported; convert it to BT.709 or BT.2020 first"
        )
    family = _family(matrix, primaries, transfer, form, picture)
    if matrix is None:
        matrix = family[0]
        assumed.append("matrix")
    if primaries is None:
        primaries = family[1]
        assumed.append("primaries")
    if transfer is None:
        transfer = family[2]
        assumed.append("transfer")

    jpeg = form.full_range or context.name in ("mjpeg", "ljpeg", "jpegls")
    code = picture.color_range or context.color_range
    if form.is_rgb or form.full_range:
        range_ = Range.FULL
    elif code in (1, 2):
        range_ = Range.FULL if code == 2 else Range.LIMITED
    else:
        range_ = Range.FULL if jpeg else Range.LIMITED
        assumed.append("range")

    # PyAV tells the siting from version 19 on.
    sited = getattr(picture, "chroma_location", 0)
    siting = (
        Siting(sited) if sited in set(Siting) and sited else Siting.CENTER if context.name == "mjpeg" else Siting.LEFT
    )
    if not sited and form.subsampling != (1, 1):
        assumed.append("siting")

    color = Color(
        matrix=matrix,
        primaries=primaries,
        transfer=transfer,
        range=range_,
        siting=siting,
        depth=form.rgb_depth if form.is_rgb else form.depth,
        subsampling=form.subsampling,
        is_rgb=form.is_rgb,
        assumed=tuple(assumed),
    )
    return color, assumed_words(color)


def _tagged(kind: type[_Code], *said: int) -> _Code | None:
    """The first of these codes of H.273 that says something which we know."""
    for value in said:
        if value in set(kind) and value != kind.UNSPECIFIED:
            return kind(value)
    return None


def _family(
    matrix: Matrix | None,
    primaries: Primaries | None,
    transfer: Transfer | None,
    form: PixelFormat,
    picture: av.VideoFrame,
) -> tuple[Matrix, Primaries, Transfer]:
    """The standard that fills in missing tags: that of the tags there are, else by size, HD from 1280 or 720 px."""
    if matrix is Matrix.BT2020_NCL or primaries is Primaries.BT2020 or transfer in (Transfer.PQ, Transfer.HLG):
        return Matrix.BT2020_NCL, Primaries.BT2020, Transfer.BT2020_10
    usual = convention(picture.width, picture.height)
    hd = usual[0] is Matrix.BT709
    if matrix is Matrix.BT709 or (matrix is None and (primaries is Primaries.BT709 or hd)) or form.is_rgb:
        return Matrix.BT709, Primaries.BT709, Transfer.BT709
    if matrix is Matrix.BT470BG or primaries is Primaries.BT470BG:
        return Matrix.BT470BG, Primaries.BT470BG, Transfer.SMPTE170M
    return Matrix.SMPTE170M, Primaries.SMPTE170M, Transfer.SMPTE170M
