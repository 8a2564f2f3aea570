"""How alike two pictures of one size are, as neighbouring frames of a clip are and two portraits of one series are not.

Squares of a small copy of one are looked for in the other, near their own place: what moved is found, also fast, and
what is another picture is not. Plain surfaces do not count, so that one backdrop does not make two portraits alike.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

#: Long side of the copies that are compared, their squares, and how far those are looked for, px of the copies.
SIDE, SQUARE, REACH = 96, 12, 10
#: Variance, in codes of 255 squared, below which a picture shows too little to say anything.
_LEAST = 1.0


def thumbnail(samples: npt.NDArray[np.integer | np.floating]) -> F32:
    """A copy for `unlikeness`: luma (h, w) 0..255, its long side SIDE px.

    samples: (H, W, 3) R'G'B' or (H, W) grey; uint8, uint16 of full scale, or float32 with white at 1.
    """
    top = 1.0 if samples.dtype.kind == "f" else 256.0**samples.dtype.itemsize - 1.0
    height, width = samples.shape[:2]
    scale = SIDE / max(height, width)
    size = max(SQUARE, round(width * scale)), max(SQUARE, round(height * scale))
    # Where a picture is smaller than the copy, the area filter does not interpolate.
    way = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    small = cv2.resize(np.ascontiguousarray(samples).astype(np.float32, copy=False), size, interpolation=way)
    luma = small if small.ndim == 2 else small @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.asarray(np.clip(np.nan_to_num(luma * np.float32(255.0 / top)), 0.0, 255.0), np.float32)


def unlikeness(one: F32, other: F32) -> float:
    """Share of the texture of `one` that `other` does not show near the same place, 0..1; 1 where there is none.

    one, other: thumbnails of one shape.
    """
    height, width = one.shape
    missing = texture = 0.0
    for y in range(0, height - SQUARE + 1, SQUARE):
        for x in range(0, width - SQUARE + 1, SQUARE):
            square = one[y : y + SQUARE, x : x + SQUARE]
            has = float(((square - square.mean()) ** 2).sum())
            near = other[max(0, y - REACH) : y + SQUARE + REACH, max(0, x - REACH) : x + SQUARE + REACH]
            differs = float(cv2.matchTemplate(near, square, cv2.TM_SQDIFF).min())
            missing += min(max(differs, 0.0), has)
            texture += has
    return missing / texture if texture >= _LEAST * one.size else 1.0
