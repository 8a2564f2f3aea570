"""JPEG as platforms write it: libjpeg through Pillow, decoded to the Y'CbCr that it holds."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from grainkit.picture.color import SRGB_STILL, Matrix
from grainkit.picture.frame import Frame

#: JFIF: BT.601 luma weights, full range. Decoded chroma is brought to luma's size by libjpeg, as a browser's is.
JFIF = replace(SRGB_STILL, matrix=Matrix.BT470BG, depth=32, is_rgb=False)


def round_trip(rgb: npt.NDArray[np.uint8], quality: int, subsampling: str) -> tuple[Frame, int]:
    """What a viewer's decoder holds, as float 4:4:4 planes not clipped to R'G'B', and the file's bytes.

    rgb: (h, w, 3) R'G'B', or (h, w) grey. subsampling: 4:4:4, 4:2:2 or 4:2:0.
    """
    data = encoded(rgb, quality, subsampling)
    with Image.open(io.BytesIO(data)) as image:
        if image.mode == "RGB":
            image.draft("YCbCr", None)
        codes = np.asarray(image)
    return Frame(_planes(codes), JFIF), len(data)


def encoded(rgb: npt.NDArray[np.uint8], quality: int, subsampling: str) -> bytes:
    """The JPEG itself, with Huffman tables of its own."""
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=quality, subsampling=subsampling, optimize=True)
    return out.getvalue()


def decoded(data: bytes) -> npt.NDArray[np.uint8]:
    """(h, w, 3) R'G'B', or (h, w) grey, of a JPEG."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@lru_cache(maxsize=8)
def luma_table(quality: int) -> npt.NDArray[np.float64]:
    """(8, 8) quantiser steps of luma at this quality, codes of 255."""
    with Image.open(io.BytesIO(encoded(np.zeros((8, 8), np.uint8), quality, "4:4:4"))) as image:
        return np.array(image.quantization[0], np.float64).reshape(8, 8)  # type: ignore[attr-defined]


def _planes(codes: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], ...]:
    scale = np.float32(1 / 255)
    if codes.ndim == 2:
        grey = np.zeros(codes.shape, np.float32)
        return codes.astype(np.float32) * scale, grey, grey
    luma, *chroma = (np.ascontiguousarray(codes[..., i], np.float32) for i in range(3))
    return luma * scale, *((plane - np.float32(128)) * scale for plane in chroma)
