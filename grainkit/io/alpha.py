"""Alpha in the two forms that files have: straight, which grainkit works on, and multiplied into the colours."""

from __future__ import annotations

import numpy as np

from grainkit.io.base import Pixels
from grainkit.picture.frame import Plane

#: Rows worked on at a time, so that memory does not grow with the picture.
_ROWS = 64


def straight(rgb: Pixels, alpha: Plane) -> Pixels:
    """Colours (h, w, n) that alpha (h, w) was multiplied into, divided by it; all uint8, uint16 or float32.

    Codes are rounded to the nearest, and those above alpha, which no colour gives, end at white. Where alpha is 0
    the stored colour stays: nothing shows it, and nothing else is known of it.
    """
    if rgb.dtype == np.float32:
        return np.divide(rgb, alpha[..., None], out=rgb.copy(), where=alpha[..., None] != 0)
    white = 255 if rgb.dtype == np.uint8 else 65535
    found = rgb.copy()
    for top in range(0, len(rgb), _ROWS):
        opacity = alpha[top : top + _ROWS, :, None]
        # Doubles hold every quotient's distance from a half.
        quotient = rgb[top : top + _ROWS].astype(np.float64) * white / np.maximum(opacity, 1)
        codes = np.minimum(np.floor(quotient + 0.5), white)
        np.copyto(found[top : top + _ROWS], codes, casting="unsafe", where=opacity > 0)
    return found


def multiplied(rgb: Pixels, alpha: Plane) -> Pixels:
    """Colours (h, w, n) multiplied by alpha (h, w), both float32."""
    return rgb * alpha[..., None]
