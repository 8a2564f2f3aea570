"""Reading the atlas: a float sampler with a level of detail per pixel.

Library warps work in 1/32 px fixed point, which scintillates on texture near the Nyquist limit when it
moves by parts of a pixel (ALGORITHMS.md 3); this one is float throughout.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from grainkit.texture.atlas import Atlas

F32 = npt.NDArray[np.float32]

_jit = njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _tap(level: Any, x: Any, y: Any, weight: Any, out: Any) -> None:
    """Bilinear sample of four planes at (x, y) texels, added to out."""
    height, width = level.shape[0], level.shape[1]
    x = min(max(x, np.float32(0.0)), np.float32(width - 1))
    y = min(max(y, np.float32(0.0)), np.float32(height - 1))
    i, j = min(int(x), width - 2), min(int(y), height - 2)
    fx, fy = x - np.float32(i), y - np.float32(j)
    a = (np.float32(1.0) - fx) * (np.float32(1.0) - fy) * weight
    b, c, d = fx * (np.float32(1.0) - fy) * weight, (np.float32(1.0) - fx) * fy * weight, fx * fy * weight
    for k in range(4):
        out[k] += a * level[j, i, k] + b * level[j, i + 1, k] + c * level[j + 1, i, k] + d * level[j + 1, i + 1, k]


@_jit
def _sample(levels: Any, left: Any, top: Any, texel: Any, uv: Any, wanted: Any, bias: Any, out: Any) -> None:
    height, width = wanted.shape
    last = np.float32(len(levels) - 1)
    value = np.zeros(4, np.float32)
    for y in range(height):
        for x in range(width):
            if not wanted[y, x]:
                out[y, x] = np.float32(0.0)
                continue
            before_x, after_x = max(x - 1, 0), min(x + 1, width - 1)
            before_y, after_y = max(y - 1, 0), min(y + 1, height - 1)
            run_x, run_y = np.float32(max(after_x - before_x, 1)), np.float32(max(after_y - before_y, 1))
            ux = (uv[y, after_x, 0] - uv[y, before_x, 0]) / run_x
            vx = (uv[y, after_x, 1] - uv[y, before_x, 1]) / run_x
            uy = (uv[after_y, x, 0] - uv[before_y, x, 0]) / run_y
            vy = (uv[after_y, x, 1] - uv[before_y, x, 1]) / run_y
            # Larger singular value of the Jacobian: the coarsest step a pixel takes across the atlas.
            p, q = ux * ux + vx * vx + uy * uy + vy * vy, ux * vy - uy * vx
            step = np.sqrt(np.float32(0.5) * (p + np.sqrt(max(p * p - np.float32(4.0) * q * q, np.float32(0.0)))))
            lod = np.log2(max(step / texel, np.float32(1e-6))) + bias
            lod = min(max(lod, np.float32(0.0)), last)
            base = min(int(lod), len(levels) - 2)
            part = lod - np.float32(base)
            value[:] = np.float32(0.0)
            for k in range(2):
                scale = texel * np.float32(1 << (base + k))
                weight = part if k else np.float32(1.0) - part
                # Levels are made so that sample 0 of each lies on sample 0 of the one before.
                _tap(levels[base + k], (uv[y, x, 0] - left) / scale, (uv[y, x, 1] - top) / scale, weight, value)
            for k in range(4):
                out[y, x, k] = value[k]


def sample(atlas: Atlas, uv: F32, wanted: npt.NDArray[np.bool_], bias: float, scale: float = 1.0) -> F32:
    """The atlas planes (h, w, 4) at coordinates uv (h, w, 2) in mm; 0 where not wanted.

    bias: added to the level of detail; below 0 crisper (stills), above 0 calmer (video).
    scale: enlarges the relief about the atlas' origin.
    """
    out = np.empty((*uv.shape[:2], 4), np.float32)
    place = uv if scale == 1.0 else uv / np.float32(scale)
    _sample(
        atlas.levels, np.float32(atlas.left), np.float32(atlas.top), np.float32(atlas.texel),
        np.ascontiguousarray(place, np.float32), wanted, np.float32(bias), out,
    )  # fmt: skip
    return out
