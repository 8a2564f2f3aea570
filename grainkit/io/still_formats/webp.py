"""WebP: 8 bits, with loss but at quality 100; grey becomes three colours, and texts go into EXIF."""

from __future__ import annotations

import io

import numpy as np

from grainkit.errors import EncodingError, InputError
from grainkit.io import exif as exif_block
from grainkit.io.base import Pixels, StillMetadata
from grainkit.io.lossy import refuse_wide, within
from grainkit.io.still import Still
from grainkit.io.still_format import Holds, StillFormat, StillSettings
from grainkit.picture.color import Color
from grainkit.picture.frame import Plane

#: Longest side that a WebP can have, in px.
_MAX_SIDE = 16383
#: Lossless WebP takes effort in quality's place; more than this doubles the time to save a percent.
_EFFORT = 20


def _decode(data: bytes, limit: int) -> Still:
    from PIL import Image, WebPImagePlugin

    from grainkit.io.pillow_still import PILLOW_PIXELS, still_of

    try:
        image = WebPImagePlugin.WebPImageFile(io.BytesIO(data))
    except Image.DecompressionBombError as error:  # newer Pillow looks at the size of these itself
        raise InputError(f"has more pixels than a WebP is read with ({2 * PILLOW_PIXELS:,}); save it as PNG") from error
    if image.n_frames > 1:
        raise InputError("is an animated WebP; export its frames as numbered PNGs, or as a clip")
    info = image.info
    exif = exif_block.bare(info["exif"]) if info.get("exif") else None
    said = StillMetadata(info.get("icc_profile") or None, exif, info.get("xmp") or None)
    return still_of(image, "webp", limit, said, b"C2PA" in _chunks(data), ())


def _chunks(data: bytes) -> set[bytes]:
    """Names of the chunks of a RIFF file (WebP), as far as they can be followed."""
    names, at = set(), 12
    while at + 8 <= len(data):
        names.add(data[at : at + 4])
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return names


def _encode(rgb: Pixels, alpha: Plane | None, settings: StillSettings, told: StillMetadata, color: Color) -> bytes:
    from PIL import Image

    refuse_wide("WebP", rgb, _MAX_SIDE)
    samples = rgb if rgb.ndim == 3 else np.repeat(rgb[..., None], 3, axis=2)
    if alpha is not None:
        samples = np.concatenate((samples, alpha[..., None]), axis=2)
    image = Image.fromarray(samples)

    def attempt(quality: int) -> bytes:
        room, lossless = io.BytesIO(), quality == 100
        try:
            image.save(
                room, "WEBP", lossless=lossless, quality=_EFFORT if lossless else quality, exact=True, method=4,
                icc_profile=told.icc or b"", exif=told.exif or b"", xmp=told.xmp or b"",
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise EncodingError(f"the WebP encoder refused the picture: {error}") from error
        return room.getvalue()

    return within(settings, "WEBP", attempt)


WEBP = StillFormat(
    name="webp",
    title="WebP",
    endings=(".webp",),
    begins=lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP",
    depths=(8,),
    grey=False,
    holds=Holds(texts_in_exif=True),
    decode=_decode,
    encode=_encode,
)
