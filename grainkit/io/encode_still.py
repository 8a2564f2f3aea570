"""A finished frame to the bytes of a still file, with the metadata that its format can hold."""

from __future__ import annotations

import struct
from functools import cache

from grainkit.errors import GrainkitError
from grainkit.io import exif as exif_block
from grainkit.io import icc
from grainkit.io.base import StillMetadata
from grainkit.io.color_tags import needs_telling
from grainkit.io.delivery import StillDelivery
from grainkit.io.key_lists import keys_named
from grainkit.io.still_format import ExifPart, StillFormat
from grainkit.io.still_formats import format_named
from grainkit.io.texts import in_exif
from grainkit.picture.color import Color, Primaries, Transfer
from grainkit.picture.frame import Frame

_KINDS = {8: "u1", 16: "u2", 32: "f4"}


def encode_still(
    frame: Frame, delivery: StillDelivery, dpi: float, metadata: StillMetadata, xmp: bytes | None = None
) -> bytes:
    """The file's bytes.

    frame: `rgb` is final, (h, w, 3) or (h, w) of the type that delivery.depth names; `alpha` of the same type
        or None, and left out where the format has none.
    dpi: dots per inch to state; 0 states what `metadata` does.
    xmp: a packet in place of the metadata's own.
    Raises GrainkitError for samples that do not fit the container, OutputError where the picture is too large
    for it or for max_bytes, EncodingError where the encoder fails.
    """
    form = format_named(delivery.container)
    rgb, alpha = frame.rgb, frame.alpha
    if rgb is None:
        raise GrainkitError(f"frame {frame.index} has no R'G'B' samples to write")
    kind = rgb.dtype.str[1:]
    if delivery.depth not in form.depths or _KINDS[delivery.depth] != kind:
        raise GrainkitError(f"{rgb.dtype} samples do not go into a {delivery.depth}-bit {form.name}")
    if alpha is not None and (alpha.dtype != rgb.dtype or alpha.shape != rgb.shape[:2]):
        raise GrainkitError(f"alpha is {alpha.dtype} {alpha.shape}, the picture {rgb.dtype} {rgb.shape}")
    stated = (dpi, dpi) if dpi > 0 else metadata.dpi
    exif = in_exif(metadata, form.holds.exif_room).exif if form.holds.texts_in_exif else metadata.exif
    if exif is not None:
        exif = exif_block.describing(exif, (rgb.shape[1], rgb.shape[0]), stated)
    profile = _profile(frame.color, metadata, form, grey=rgb.ndim == 2)
    if delivery.icc == "srgb" and metadata.icc is None and rgb.ndim == 3 and _is_srgb(frame.color):
        profile = srgb_profile()
    told = StillMetadata(profile, exif, xmp or metadata.xmp, metadata.text, stated, metadata.coded)
    return form.encode(rgb, alpha, delivery, told, frame.color)


def lost_metadata(
    delivery: StillDelivery, metadata: StillMetadata, color: Color | None = None, *, grey: bool = False
) -> tuple[str, ...]:
    """What of this metadata the container cannot hold, a sentence each. color, grey: what the samples are."""
    form = format_named(delivery.container)
    name, holds, lost = form.name.upper(), form.holds, []
    if metadata.icc and holds.icc and not _fits(metadata.icc, form, grey=grey):
        kind = metadata.icc[16:20].decode("latin-1").strip() or "damaged"
        lost.append(f"its {kind} ICC profile does not go with {'grey' if grey else 'colour'} samples: left out")
    if form.linear and color is not None and color.transfer is not Transfer.LINEAR:
        lost.append(f"{name} is taken for linear light, and these samples keep their curve ({color.transfer.name})")
    if metadata.text and not holds.texts:
        left = tuple(keyword for keyword, _ in metadata.text)
        if holds.texts_in_exif:
            placed = in_exif(metadata, holds.exif_room)
            left = placed.left
            lost += placed.notes
        if left:
            lost.append(f"{name} has no text chunks: {keys_named(left)} left out")
    if metadata.icc and not holds.icc:
        lost.append(f"{name} has no place for an ICC profile: left out")
    if metadata.exif and holds.exif is ExifPart.NONE:
        lost.append(f"{name} has no place for EXIF: left out")
    elif metadata.exif and holds.exif is ExifPart.TEXT_TAGS:
        lost.append(f"{name} keeps EXIF's text tags (maker, model, date, artist, copyright): the rest left out")
    elif metadata.exif and len(metadata.exif) > holds.exif_room:
        lost.append(f"EXIF of {len(metadata.exif)} bytes does not fit a {name}: left out")
    if metadata.xmp and len(metadata.xmp) > holds.xmp_room:
        lost.append(f"XMP of {len(metadata.xmp)} bytes does not fit a {name}: left out")
    return tuple(lost)


def icc_fits(icc: bytes | None, *, grey: bool) -> bool:
    """May a profile be embedded? A grey one in a colour picture, or the other way round, makes a broken file."""
    return icc is not None and len(icc) >= 128 and icc[16:20] == (b"GRAY" if grey else b"RGB ")


def _fits(profile: bytes | None, form: StillFormat, *, grey: bool) -> bool:
    """Where a format has no grey, its samples are always of three colours."""
    return icc_fits(profile, grey=grey and form.grey)


def _profile(color: Color, metadata: StillMetadata, form: StillFormat, *, grey: bool) -> bytes | None:
    """The ICC profile that says what the samples mean: the source's own, or one made of code points.

    Beside code points it is for readers that know none; of HDR there is no profile that they would show right.
    """
    own = metadata.icc if _fits(metadata.icc, form, grey=grey) else None
    if not form.holds.icc or (own is not None and (not metadata.coded or form.holds.codes)):
        return own
    if not needs_telling(color, coded=metadata.coded) or (form.holds.codes and color.is_hdr):
        return None
    return icc.profile(color.primaries, color.transfer, grey=grey and form.grey)


def _is_srgb(color: Color) -> bool:
    return color.primaries in (Primaries.BT709, Primaries.UNSPECIFIED) and color.transfer is Transfer.SRGB


@cache
def srgb_profile() -> bytes:
    """An sRGB display profile, as Little CMS makes it, with a fixed date in it."""
    from PIL import ImageCms

    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # ICC.1:2010, 7.2.1: bytes 24 to 35 are the day and time of making.
    made[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    return bytes(made)
