"""TIFF: 8 and 16 bits and float without loss; of EXIF its text tags."""

from __future__ import annotations

import io
import os

import numpy as np

from grainkit.io import exif as exif_block
from grainkit.io.base import Pixels, StillMetadata
from grainkit.io.still import Still, depth_of, finished, still_color
from grainkit.io.still_format import ExifPart, Holds, StillFormat, StillSettings
from grainkit.picture.color import Color
from grainkit.picture.frame import Plane

_XMP_TAG = 700
_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _decode(data: bytes, limit: int) -> Still:
    from grainkit.io import tiff

    found = tiff.decode(data, limit)
    metadata = StillMetadata(found.icc, found.exif, found.xmp, (), found.dpi)
    color = still_color(depth_of(found.rgb), declared=found.icc is not None)
    still = Still(found.rgb, found.alpha, color, "tiff", metadata, found.notes)
    return finished(still, found.orientation, found.credentials)


def _encode(rgb: Pixels, alpha: Plane | None, settings: StillSettings, told: StillMetadata, color: Color) -> bytes:
    import tifffile

    samples = rgb
    if alpha is not None:
        samples = np.concatenate((np.atleast_3d(rgb), alpha[..., None]), axis=2)
    deflate = settings.compression not in ("none", "0")
    tags: list[tuple[int, str, int, bytes, bool]] = []
    words = exif_block.texts(told.exif) if told.exif else {}
    tags += [(tag, "s", 0, words[tag], True) for tag in exif_block.TELLING if words.get(tag)]
    if told.xmp:
        tags.append((_XMP_TAG, "B", len(told.xmp), told.xmp, True))
    room = io.BytesIO()
    tifffile.imwrite(
        room, samples, photometric="rgb" if rgb.ndim == 3 else "minisblack", planarconfig="contig",
        extrasamples=None if alpha is None else ["unassalpha"], metadata=None, software=False,
        compression="adobe_deflate" if deflate else None,
        # Float differences need a predictor that only an extra package has.
        predictor=deflate and rgb.dtype != np.float32,
        iccprofile=told.icc, extratags=tags,
        # Left to itself it takes half of the cores, and of two only one.
        maxworkers=os.cpu_count() or 1,
        resolution=told.dpi or (1, 1), resolutionunit="INCH" if told.dpi else "NONE",
    )  # fmt: skip
    return room.getvalue()


TIFF = StillFormat(
    name="tiff",
    title="TIFF",
    endings=(".tif", ".tiff"),
    begins=lambda head: head.startswith(_MARKS),
    depths=(8, 16, 32),
    compression="deflate",
    holds=Holds(exif=ExifPart.TEXT_TAGS),
    decode=_decode,
    encode=_encode,
)
