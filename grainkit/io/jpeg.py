"""JPEG writing: OpenCV's encoder, whose buffer grows with noisy pictures, and our own metadata segments."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from grainkit.errors import EncodingError

#: What one segment can hold, and what is left of it for EXIF and for XMP.
_SEGMENT = 65533
MAX_EXIF = _SEGMENT - 6
_XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
MAX_XMP = _SEGMENT - len(_XMP_NAME)
_ICC_PIECE = _SEGMENT - 14
#: Longest side that a JPEG can have, in px.
MAX_SIDE = 65500

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


def encode(picture: npt.NDArray[np.uint8], quality: int, subsampling: str) -> bytes:
    """A baseline JPEG with optimised Huffman tables and no metadata, of (h, w) or (h, w, 3) R'G'B' samples.

    Raises EncodingError where OpenCV refuses.
    """
    import cv2

    sampling = {
        "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
        "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    }
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    if picture.ndim == 3:
        settings += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling[subsampling]]
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    try:
        done, data = cv2.imencode(".jpg", picture, settings)
    except cv2.error as error:
        raise EncodingError(f"the JPEG encoder refused the picture: {error.err}") from error
    if not done:
        raise EncodingError("the JPEG encoder refused the picture")
    return bytes(data)


def with_metadata(
    data: bytes, *, icc: bytes | None, exif: bytes | None, xmp: bytes | None, dpi: tuple[float, float] | None
) -> bytes:
    """The JPEG with these segments in place of its JFIF header; EXIF and XMP must fit (MAX_EXIF, MAX_XMP)."""
    across, down = (round(dpi[0]), round(dpi[1])) if dpi else (1, 1)
    density = struct.pack(">HBHHBB", 0x0102, 1 if dpi else 0, across, down, 0, 0)
    head = [b"\xff\xd8", _segment(0xE0, b"JFIF\0" + density)]
    if exif:
        head.append(_segment(0xE1, b"Exif\0\0" + exif))
    if xmp:
        head.append(_segment(0xE1, _XMP_NAME + xmp))
    pieces = [icc[at : at + _ICC_PIECE] for at in range(0, len(icc), _ICC_PIECE)] if icc else []
    for number, piece in enumerate(pieces, 1):
        head.append(_segment(0xE2, b"ICC_PROFILE\0" + bytes((number, len(pieces))) + piece))
    start = 2
    if data[2:4] == b"\xff\xe0":
        start = 4 + struct.unpack_from(">H", data, 4)[0]
    return b"".join([*head, data[start:]])


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
