"""Reading the atlas: a float sampler with a level of detail per pixel.

Library warps work in 1/32 px fixed point, which scintillates on texture near the Nyquist limit when it
moves by parts of a pixel (ALGORITHMS.md 3); this one is float throughout.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from grainkit.texture.atlas import PLAIN_FROM, Atlas

F32 = npt.NDArray[np.float32]

#: Most reads along the long axis of a foreshortened place.
MOST_PROBES = 4

_jit = njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _folded(x: Any, last: Any, low: Any) -> Any:
    """x mirrored back into low..last from beyond last, and into 0..last from below 0: no edge, nothing stretched."""
    if x < np.float32(0.0):
        x = -x
        low = np.float32(0.0)
    if x > last:
        span = last - low
        x = (x - low) % (np.float32(2.0) * span)
        x = low + (x if x <= span else np.float32(2.0) * span - x)
    return x


@_jit
def _probe(level: Any, x: Any, y: Any) -> Any:
    """Bilinear sample of four planes at (x, y) texels."""
    i, j = min(max(int(x), 0), level.shape[1] - 2), min(max(int(y), 0), level.shape[0] - 2)
    fx, fy = x - np.float32(i), y - np.float32(j)
    gx, gy = np.float32(1.0) - fx, np.float32(1.0) - fy
    a, b, c, d = gx * gy, fx * gy, gx * fy, fx * fy
    near, far = level[j], level[j + 1]
    return (
        a * near[i, 0] + b * near[i + 1, 0] + c * far[i, 0] + d * far[i + 1, 0],
        a * near[i, 1] + b * near[i + 1, 1] + c * far[i, 1] + d * far[i + 1, 1],
        a * near[i, 2] + b * near[i + 1, 2] + c * far[i, 2] + d * far[i + 1, 2],
        a * near[i, 3] + b * near[i + 1, 3] + c * far[i, 3] + d * far[i + 1, 3],
    )


@_jit
def _sample(
    levels: Any, left: Any, top: Any, texel: Any, plain: Any, uv: Any, wanted: Any, bias: Any, out: Any
) -> None:
    height, width = wanted.shape
    half, zero, one = np.float32(0.5), np.float32(0.0), np.float32(1.0)
    last = np.float32(len(levels) - 1)
    right, bottom = np.float32(levels[0].shape[1] - 2) * texel, np.float32(levels[0].shape[0] - 2) * texel
    for y in range(height):
        before_y, after_y = max(y - 1, 0), min(y + 1, height - 1)
        per_y = one / np.float32(max(after_y - before_y, 1))
        for x in range(width):
            if not wanted[y, x]:
                out[y, x] = zero
                continue
            before_x, after_x = max(x - 1, 0), min(x + 1, width - 1)
            per_x = one / np.float32(max(after_x - before_x, 1))
            ux, vx = (uv[y, after_x, 0] - uv[y, before_x, 0]) * per_x, (uv[y, after_x, 1] - uv[y, before_x, 1]) * per_x
            uy, vy = (uv[after_y, x, 0] - uv[before_y, x, 0]) * per_y, (uv[after_y, x, 1] - uv[before_y, x, 1]) * per_y
            # Singular values of the Jacobian: the longest and the shortest step a pixel takes across the atlas.
            p, q, r = ux * ux + vx * vx, uy * uy + vy * vy, ux * uy + vx * vy
            root = np.sqrt(max(half * half * (p - q) * (p - q) + r * r, zero))
            long2, short2 = half * (p + q) + root, max(half * (p + q) - root, np.float32(1e-12))
            # Foreshortened places are read several times along their long axis, not blurred along both.
            probes = min(max(int(np.sqrt(long2 / short2) + half), 1), MOST_PROBES)
            lod = half * np.log2(max(long2, np.float32(1e-12)) / np.float32(probes * probes)) - np.log2(texel) + bias
            lod = min(max(lod, zero), last)
            base = min(int(lod), len(levels) - 2)
            part = lod - np.float32(base)
            fine, coarse = levels[base], levels[base + 1]
            per_fine = one / (texel * np.float32(1 << base))
            ax, ay = (r, long2 - p) if p < q else (long2 - q, r)
            norm = np.sqrt(ax * ax + ay * ay)
            if norm < np.float32(1e-9):
                probes = 1
            else:
                ax, ay = ax / norm, ay / norm
            h, c, m, b = zero, zero, zero, zero
            for n in range(probes):
                t = (np.float32(n) + half) / np.float32(probes) - half
                u = uv[y, x, 0] + t * (ax * ux + ay * uy)
                v = uv[y, x, 1] + t * (ax * vx + ay * vy)
                u, v = _folded(u - left, right, zero), _folded(v - top, bottom, plain)
                # Levels are made so that sample 0 of each lies on sample 0 of the one before.
                f0, f1, f2, f3 = _probe(fine, u * per_fine, v * per_fine)
                c0, c1, c2, c3 = _probe(coarse, u * per_fine * half, v * per_fine * half)
                h, c = h + f0 + part * (c0 - f0), c + f1 + part * (c1 - f1)
                m, b = m + f2 + part * (c2 - f2), b + f3 + part * (c3 - f3)
            share = one / np.float32(probes)
            out[y, x, 0], out[y, x, 1], out[y, x, 2], out[y, x, 3] = h * share, c * share, m * share, b * share


def sample(atlas: Atlas, uv: F32, wanted: npt.NDArray[np.bool_], bias: float, scale: float = 1.0) -> F32:
    """The atlas planes (h, w, 4) at coordinates uv (h, w, 2) in mm; 0 where not wanted.

    bias: added to the level of detail; below 0 crisper (stills), above 0 calmer (video).
    scale: enlarges the relief about the atlas' origin.
    Beyond the atlas it is mirrored: to the sides and above as it is, below within its plain skin (from PLAIN_FROM).
    """
    out = np.empty((*uv.shape[:2], 4), np.float32)
    place = uv if scale == 1.0 else uv / np.float32(scale)
    _sample(
        atlas.levels, np.float32(atlas.left), np.float32(atlas.top), np.float32(atlas.texel),
        np.float32(PLAIN_FROM - atlas.top), np.ascontiguousarray(place, np.float32), wanted, np.float32(bias), out,
    )  # fmt: skip
    return out
