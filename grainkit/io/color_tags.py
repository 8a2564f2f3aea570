"""What a delivery can say of its colours, and what readers take for granted where it says nothing."""

from __future__ import annotations

from grainkit.picture.color import Color, Matrix, Primaries, Range, Siting, Transfer

#: Encoders whose streams know limited range only; decoders take whatever is in them for that.
LIMITED_ONLY = ("prores_ks", "prores", "prores_aw", "mpeg2video")
#: Encoders that write where chroma sits into their streams, and containers that write it for all.
_SITES, _SITING_CONTAINERS = ("libx264", "libx265"), ("mkv", "webm")
#: Curves of cameras, whose pictures are seen through BT.1886.
_CAMERA_CURVES = (Transfer.BT709, Transfer.SMPTE170M, Transfer.IEC61966_2_4, Transfer.BT1361, Transfer.BT2020_10,
                  Transfer.BT2020_12)  # fmt: skip


def convention(width: int, height: int) -> tuple[Matrix, Primaries, Transfer]:
    """What video without tags is taken for: BT.709 from 1280 or 720 px on, else BT.601 (SMPTE 170M)."""
    if height >= 720 or width >= 1280:
        return Matrix.BT709, Primaries.BT709, Transfer.BT709
    return Matrix.SMPTE170M, Primaries.SMPTE170M, Transfer.SMPTE170M


def untold(color: Color, size: tuple[int, int], container: str, codec: str = "") -> list[str]:
    """Notes on what of its colours a clip does not say of itself, so that the next tool has to be told.

    size: width and height. container: as in a recipe, or y4m. codec: the encoder's name.
    """
    notes = []
    named = {"matrix": color.matrix, "primaries": color.primaries, "transfer": color.transfer}
    if container in ("nut", "y4m"):
        taken = dict(zip(named, convention(*size), strict=True))
        lost = [f"{field} {value.name}" for field, value in named.items() if value != taken[field]]
        if container == "nut" and color.range is Range.FULL and not color.is_rgb:
            lost.append("range FULL")
        if lost:
            title = {"nut": "NUT", "y4m": "Y4M"}[container]
            notes.append(f"colour tags left out: {title} holds none; tell the next tool: {', '.join(lost)}")
    if codec == "dnxhd" and color.matrix is not Matrix.BT709 and not color.is_rgb:
        notes.append(f"dnxhd says matrix BT709 in its stream; that it is {color.matrix.name}, the container alone says")
    if codec and _hides_siting(color, container, codec):
        notes.append(f"chroma siting {color.siting.name} left out: {codec} in {container} cannot say it")
    return notes


def _hides_siting(color: Color, container: str, codec: str) -> bool:
    if color.subsampling != (2, 2) or color.siting in (Siting.LEFT, Siting.UNSPECIFIED):
        return False
    tells = codec in _SITES or container in _SITING_CONTAINERS
    return not tells and not (codec == "libsvtav1" and color.siting is Siting.TOPLEFT)


def siting_option(color: Color) -> dict[str, str]:
    """FFmpeg's option for encoders and containers that write where chroma sits; none for the usual place."""
    if color.subsampling != (2, 2) or color.siting in (Siting.LEFT, Siting.UNSPECIFIED):
        return {}
    return {"chroma_sample_location": color.siting.name.lower()}


def needs_telling(color: Color, *, coded: bool) -> bool:
    """Whether a still means another thing than what is taken where nothing is said: sRGB.

    Frames of clips with BT.709's (or BT.601's, BT.2020's) camera curve and BT.709's primaries stay untagged: stills
    made of clips always were, and displays show both alike. coded: a file that names that curve itself is believed.
    """
    if color.is_hdr or color.primaries not in (Primaries.BT709, Primaries.UNSPECIFIED):
        return True
    if color.transfer in (Transfer.SRGB, Transfer.UNSPECIFIED):
        return False
    return coded or color.transfer not in _CAMERA_CURVES
