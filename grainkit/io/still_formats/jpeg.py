"""JPEG: 8 bits with loss and no alpha; EXIF and XMP of one segment each, which is where generators' texts go."""

from __future__ import annotations

import io

import numpy as np

from grainkit.errors import GrainkitError, InputError
from grainkit.io import jpeg, jpeg_metadata
from grainkit.io.base import Pixels, StillMetadata
from grainkit.io.lossy import refuse_wide, within
from grainkit.io.still import Still
from grainkit.io.still_format import Holds, StillFormat, StillSettings
from grainkit.picture.color import Color
from grainkit.picture.frame import Plane


def _decode(data: bytes, limit: int) -> Still:
    from PIL import JpegImagePlugin

    from grainkit.io.pillow_still import still_of

    parts = jpeg_metadata.read(data)
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(parts.picture))
    if image.mode not in ("L", "RGB"):
        raise InputError(f"is a {image.mode} JPEG; convert it to sRGB and save it again")
    return still_of(image, "jpeg", limit, parts.said, parts.credentials, parts.notes)


def _encode(rgb: Pixels, alpha: Plane | None, settings: StillSettings, told: StillMetadata, color: Color) -> bytes:
    refuse_wide("JPEG", rgb, jpeg.MAX_SIDE)
    if settings.subsampling not in jpeg.SUBSAMPLINGS:
        raise GrainkitError(f"JPEG subsampling {settings.subsampling!r} is not one of {', '.join(jpeg.SUBSAMPLINGS)}")
    exif = told.exif if told.exif and len(told.exif) <= jpeg.MAX_EXIF else None
    xmp = told.xmp if told.xmp and len(told.xmp) <= jpeg.MAX_XMP else None

    picture = rgb.astype(np.uint8, copy=False)

    def attempt(quality: int) -> bytes:
        data = jpeg.encode(picture, quality, settings.subsampling)
        return jpeg.with_metadata(data, icc=told.icc, exif=exif, xmp=xmp, dpi=told.dpi)

    return within(settings, "JPEG", attempt)


JPEG = StillFormat(
    name="jpeg",
    title="JPEG",
    endings=(".jpg", ".jpeg", ".jpe", ".jfif"),
    begins=lambda head: head.startswith(b"\xff\xd8\xff"),
    depths=(8,),
    alpha=False,
    subsampled=True,
    holds=Holds(texts_in_exif=True, exif_room=jpeg.MAX_EXIF, xmp_room=jpeg.MAX_XMP),
    decode=_decode,
    encode=_encode,
)
