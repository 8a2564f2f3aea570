"""Alpha in the two forms that files have: straight, which grainkit works on, and multiplied into the colours."""

from __future__ import annotations

from typing import Any

import numpy as np


def straight(rgb: Any, alpha: Any) -> Any:
    """Colours (h, w, n) that alpha (h, w) was multiplied into, divided by it; all uint8, uint16 or float32.

    Codes are rounded to the nearest, and those above alpha, which no colour gives, end at white. Where alpha is 0
    the stored colour stays: nothing shows it, and nothing else is known of it.
    """
    opacity = alpha[..., None]
    seen = opacity != 0
    if rgb.dtype == np.float32:
        return np.divide(rgb, opacity, out=rgb.copy(), where=seen)
    white = np.iinfo(rgb.dtype).max
    wide = opacity.astype(np.uint32)
    found = (rgb * np.uint32(white) + wide // 2) // np.maximum(wide, 1)
    return np.where(seen, np.minimum(found, white), rgb).astype(rgb.dtype)


def multiplied(rgb: Any, alpha: Any) -> Any:
    """Colours (h, w, n) multiplied by alpha (h, w), both float32."""
    return rgb * alpha[..., None]
