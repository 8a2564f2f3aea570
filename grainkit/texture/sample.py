"""Reading the atlas: a float sampler with a level of detail per place.

Library warps work in 1/32 px fixed point, which scintillates on texture near the Nyquist limit when it
moves by parts of a pixel (ALGORITHMS.md 3); this one is float throughout.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from grainkit.analysis.lattice import Lattice
from grainkit.texture.atlas import PLAIN_FROM, Atlas
from grainkit.texture.blocks import BLOCK

F32 = npt.NDArray[np.float32]

#: Most reads along the long axis of a foreshortened place.
MOST_PROBES = 4
#: Coordinates are worked out every so many px and are straight in between.
STEP = 2
#: A level of detail this close to a whole one is that one: half the reads.
CLOSE = 0.12

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
def _add_probe(level: Any, x: Any, y: Any, weight: Any, out: Any) -> None:
    """out (4,) += weight times the bilinear sample of four planes at (x, y) texels."""
    i, j = min(int(x), level.shape[1] - 2), min(int(y), level.shape[0] - 2)
    fx, fy = x - np.float32(i), y - np.float32(j)
    far_y, far_x = weight * fy, fx
    near_y, near_x = weight - far_y, np.float32(1.0) - fx
    a, b, c, d = near_x * near_y, far_x * near_y, near_x * far_y, far_x * far_y
    for k in range(4):
        out[k] += a * level[j, i, k] + b * level[j, i + 1, k] + c * level[j + 1, i, k] + d * level[j + 1, i + 1, k]


@_jit
def _details(uv: Any, texel: Any, bias: Any, last: Any, out: Any) -> None:
    """Per square of coordinates (level of detail, probes, u and v from one end of the long axis of a px to the other).

    uv: coordinates STEP px apart.
    """
    half, zero, one = np.float32(0.5), np.float32(0.0), np.float32(1.0)
    height, width = uv.shape[0], uv.shape[1]
    across = BLOCK // STEP
    for j in range(out.shape[0]):
        y0, y1 = min(j * across, height - 2), min(j * across + across, height - 1)
        for i in range(out.shape[1]):
            x0, x1 = min(i * across, width - 2), min(i * across + across, width - 1)
            per_x, per_y = one / np.float32((x1 - x0) * STEP), one / np.float32((y1 - y0) * STEP)
            ux, vx = (uv[y0, x1, 0] - uv[y0, x0, 0]) * per_x, (uv[y0, x1, 1] - uv[y0, x0, 1]) * per_x
            uy, vy = (uv[y1, x0, 0] - uv[y0, x0, 0]) * per_y, (uv[y1, x0, 1] - uv[y0, x0, 1]) * per_y
            # Singular values of the Jacobian: the longest and the shortest step a pixel takes across the atlas.
            p, q, r = ux * ux + vx * vx, uy * uy + vy * vy, ux * uy + vx * vy
            root = np.sqrt(max(half * half * (p - q) * (p - q) + r * r, zero))
            long2, short2 = half * (p + q) + root, max(half * (p + q) - root, np.float32(1e-12))
            # Foreshortened places are read several times along their long axis, not blurred along both.
            probes = min(max(int(np.sqrt(long2 / short2) + half), 1), MOST_PROBES)
            lod = half * np.log2(max(long2, np.float32(1e-12)) / np.float32(probes * probes)) - np.log2(texel) + bias
            ax, ay = (r, long2 - p) if p < q else (long2 - q, r)
            norm = np.sqrt(ax * ax + ay * ay)
            if norm < np.float32(1e-9):
                probes, norm = 1, one
            ax, ay = ax / norm, ay / norm
            cell = out[j, i]
            cell[0], cell[1] = min(max(lod, zero), last), np.float32(probes)
            cell[2], cell[3] = ax * ux + ay * uy, ax * vx + ay * vy


@_jit
def _sample(
    levels: Any, left: Any, top: Any, texel: Any, plain: Any, uv: Any, details: Any, wanted: Any, out: Any
) -> None:
    height, width = wanted.shape
    half, zero, one = np.float32(0.5), np.float32(0.0), np.float32(1.0)
    right, bottom = np.float32(levels[0].shape[1] - 2) * texel, np.float32(levels[0].shape[0] - 2) * texel
    value = np.empty(4, np.float32)
    per = one / np.float32(STEP)
    finest = one / texel
    for y in range(height):
        j = y // STEP
        fy = np.float32(y - j * STEP) * per
        for x in range(width):
            if not wanted[y, x]:
                for k in range(4):
                    out[k, y, x] = zero
                continue
            i = x // STEP
            fx = np.float32(x - i * STEP) * per
            a, b, c, d = (one - fx) * (one - fy), fx * (one - fy), (one - fx) * fy, fx * fy
            u = a * uv[j, i, 0] + b * uv[j, i + 1, 0] + c * uv[j + 1, i, 0] + d * uv[j + 1, i + 1, 0] - left
            v = a * uv[j, i, 1] + b * uv[j, i + 1, 1] + c * uv[j + 1, i, 1] + d * uv[j + 1, i + 1, 1] - top
            detail = details[y // BLOCK, x // BLOCK]
            base = min(int(detail[0]), len(levels) - 2)
            part = (detail[0] - np.float32(base) - np.float32(CLOSE)) * np.float32(1 / (1 - 2 * CLOSE))
            part = min(max(part, zero), one)
            probes = int(detail[1])
            share = one / np.float32(probes)
            scale = finest / np.float32(1 << base)
            value[:] = zero
            for n in range(probes):
                t = (np.float32(n) + half) * share - half
                pu, pv = u + t * detail[2], v + t * detail[3]
                if pu < zero or pv < zero or pu > right or pv > bottom:
                    pu, pv = _folded(pu, right, zero), _folded(pv, bottom, plain)
                # Levels are made so that sample 0 of each lies on sample 0 of the one before.
                if part < one:
                    _add_probe(levels[base], pu * scale, pv * scale, share * (one - part), value)
                if part > zero:
                    _add_probe(levels[base + 1], pu * scale * half, pv * scale * half, share * part, value)
            for k in range(4):
                out[k, y, x] = value[k]


def sample(atlas: Atlas, uv: Lattice, wanted: npt.NDArray[np.bool_], bias: float, scale: float = 1.0) -> F32:
    """The atlas planes (4, h, w) at coordinates uv (over the picture, in mm); 0 where not wanted (h, w).

    bias: added to the level of detail; below 0 crisper (stills), above 0 calmer (video).
    scale: enlarges the relief about the atlas' origin.
    Beyond the atlas it is mirrored: to the sides and above as it is, below within its plain skin (from PLAIN_FROM).
    """
    height, width = wanted.shape
    out = np.empty((4, height, width), np.float32)
    corners = Lattice(uv.values, uv.top + (STEP - 1) / 2, uv.left + (STEP - 1) / 2, uv.step)
    place = corners.on(-(-height // STEP) + 1, -(-width // STEP) + 1, STEP)
    if scale != 1.0:
        place *= np.float32(1 / scale)
    details = np.empty((-(-height // BLOCK), -(-width // BLOCK), 4), np.float32)
    texel, last = np.float32(atlas.texel), np.float32(len(atlas.levels) - 1)
    _details(place, texel, np.float32(bias), last, details)
    plain = np.float32(PLAIN_FROM - atlas.top)
    _sample(atlas.levels, np.float32(atlas.left), np.float32(atlas.top), texel, plain, place, details, wanted, out)
    return out
