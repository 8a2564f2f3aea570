"""Reading the atlas: a float sampler with a level of detail per place.

Library warps work in 1/32 px fixed point, which scintillates on texture near the Nyquist limit when it
moves by parts of a pixel (ALGORITHMS.md 3); this one is float throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grainkit.analysis.lattice import Lattice
from grainkit.effects.skin_texture.atlas import Atlas
from grainkit.effects.skin_texture.atlas_canvas import TINT_TEXEL
from grainkit.effects.skin_texture.atlas_map import PLAIN_FROM
from grainkit.effects.skin_texture.blocks import BLOCK
from grainkit.machine.jit import uncounted

F32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

#: Most reads along the long axis of a foreshortened place.
MOST_PROBES = 4
#: Coordinates are worked out every so many px and are straight in between.
STEP = 2
#: A level of detail this close to a whole one is that one: half the reads.
CLOSE = 0.12

_ONE = np.uintp(1)

_jit = uncounted()


@_jit
def _folded(x: np.float32, last: np.float32, low: np.float32) -> np.float32:
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
def _probe(level: F32, x: np.float32, y: np.float32) -> tuple[np.float32, np.float32]:
    """The bilinear sample of both planes of a level at (x, y) texels."""
    # Unsigned: an index that might count from the end would be asked whether it does.
    i, j = min(np.uintp(x), np.uintp(level.shape[1] - 2)), min(np.uintp(y), np.uintp(level.shape[0] - 2))
    fx, fy = x - np.float32(i), y - np.float32(j)
    right, below = np.uintp(i + _ONE), np.uintp(j + _ONE)
    p = level[j, i, 0] + fx * (level[j, right, 0] - level[j, i, 0])
    q = level[j, i, 1] + fx * (level[j, right, 1] - level[j, i, 1])
    r = level[below, i, 0] + fx * (level[below, right, 0] - level[below, i, 0])
    s = level[below, i, 1] + fx * (level[below, right, 1] - level[below, i, 1])
    return p + fy * (r - p), q + fy * (s - q)


@_jit
def _details(uv: F32, texel: np.float32, bias: np.float32, last: np.float32, out: F32) -> None:
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
def _levels_of(detail: np.float32, count: int) -> tuple[int, np.float32]:
    """Which level of detail is read, and the share of the next coarser one."""
    base = min(int(detail), count - 2)
    part = (detail - np.float32(base) - np.float32(CLOSE)) * np.float32(1 / (1 - 2 * CLOSE))
    return base, min(max(part, np.float32(0.0)), np.float32(1.0))


@_jit
def _sample(
    levels: tuple[F32, ...], left: np.float32, top: np.float32, texel: np.float32, plain: np.float32, uv: F32,
    details: F32, wanted: Mask, out: F32,
) -> None:  # fmt: skip
    height, width = wanted.shape
    half, zero, one = np.float32(0.5), np.float32(0.0), np.float32(1.0)
    right, bottom = np.float32(levels[0].shape[1] - 2) * texel, np.float32(levels[0].shape[0] - 2) * texel
    per = one / np.float32(STEP)
    for j in range(details.shape[0]):
        for i in range(details.shape[1]):
            # All of a square is read from the same levels.
            detail = details[j, i]
            base, part = _levels_of(detail[0], len(levels))
            fine, coarse = levels[base], levels[base + 1]
            probes = int(detail[1])
            share = one / np.float32(probes)
            scale = one / (texel * np.float32(1 << base))
            for y in range(j * BLOCK, min(j * BLOCK + BLOCK, height)):
                b = y // STEP
                fy = np.float32(y - b * STEP) * per
                upper, lower = uv[b], uv[b + 1]
                for x in range(i * BLOCK, min(i * BLOCK + BLOCK, width)):
                    p, q = zero, zero
                    if wanted[y, x]:
                        a = x // STEP
                        fx = np.float32(x - a * STEP) * per
                        u, v = upper[a, 0] + fx * (upper[a + 1, 0] - upper[a, 0]), upper[a, 1]
                        v += fx * (upper[a + 1, 1] - v)
                        u += fy * (lower[a, 0] + fx * (lower[a + 1, 0] - lower[a, 0]) - u)
                        v += fy * (lower[a, 1] + fx * (lower[a + 1, 1] - lower[a, 1]) - v)
                        for n in range(probes):
                            t = (np.float32(n) + half) * share - half
                            pu, pv = u - left + t * detail[2], v - top + t * detail[3]
                            if pu < zero or pv < zero or pu > right or pv > bottom:
                                pu, pv = _folded(pu, right, zero), _folded(pv, bottom, plain)
                            # Levels are made so that sample 0 of each lies on sample 0 of the one before.
                            pu, pv = pu * scale, pv * scale
                            if part < one:
                                h, c = _probe(fine, pu, pv)
                                p += share * (one - part) * h
                                q += share * (one - part) * c
                            if part > zero:
                                h, c = _probe(coarse, pu * half, pv * half)
                                p += share * part * h
                                q += share * part * c
                    out[0, y, x], out[1, y, x] = p, q


@_jit
def _tint(
    levels: tuple[F32, ...], left: np.float32, top: np.float32, texel: np.float32, plain: np.float32, uv: F32,
    details: F32, out: F32,
) -> None:  # fmt: skip
    """Both pigments at the middle of each square, as wide as a square is."""
    half, zero, one = np.float32(0.5), np.float32(0.0), np.float32(1.0)
    right, bottom = np.float32(levels[0].shape[1] - 2) * texel, np.float32(levels[0].shape[0] - 2) * texel
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            base, part = _levels_of(details[j, i, 0], len(levels))
            fine, coarse = levels[base], levels[base + 1]
            scale = one / (texel * np.float32(1 << base))
            u, v = uv[j, i, 0] - left, uv[j, i, 1] - top
            if u < zero or v < zero or u > right or v > bottom:
                u, v = _folded(u, right, zero), _folded(v, bottom, plain)
            a, b = _probe(fine, u * scale, v * scale)
            c, d = _probe(coarse, u * scale * half, v * scale * half)
            out[j, i, 0], out[j, i, 1] = a + part * (c - a), b + part * (d - b)


@dataclass(frozen=True, eq=False)
class Material:
    """The atlas over a picture. relief: (2, h, w) HEIGHT and CAVITY, 0 where not wanted. tints: (h / BLOCK,
    w / BLOCK, 2) MELANIN and BLOOD of squares."""

    relief: F32
    tints: F32


def sample(atlas: Atlas, uv: Lattice, wanted: Mask, bias: float, scale: float = 1.0) -> Material:
    """The atlas at coordinates uv (over the picture, in mm); relief only where it is wanted (h, w).

    bias: added to the level of detail; below 0 crisper (stills), above 0 calmer (video).
    scale: enlarges the relief about the atlas' origin.
    Beyond the atlas it is mirrored: to the sides and above as it is, below within its plain skin (from PLAIN_FROM).
    """
    height, width = wanted.shape
    squares = (-(-height // BLOCK), -(-width // BLOCK))
    corners = Lattice(uv.values, uv.top + (STEP - 1) / 2, uv.left + (STEP - 1) / 2, uv.step)
    place = corners.on(-(-height // STEP) + 2, -(-width // STEP) + 2, STEP)
    middles = uv.on_squares(squares, BLOCK)
    if scale != 1.0:
        place *= np.float32(1 / scale)
        middles = middles * np.float32(1 / scale)
    details = np.empty((*squares, 4), np.float32)
    left, top, texel = (np.float32(v) for v in (atlas.left, atlas.top, atlas.texel))
    plain = np.float32(PLAIN_FROM - atlas.top)
    _details(place, texel, np.float32(bias), np.float32(len(atlas.relief) - 1), details)
    relief, tints = np.empty((2, height, width), np.float32), np.empty((*squares, 2), np.float32)
    _sample(atlas.relief, left, top, texel, plain, place, details, wanted, relief)
    wide = details[..., :1] + np.float32(np.log2(BLOCK * atlas.texel / TINT_TEXEL))
    wide = np.clip(wide, 0, len(atlas.tints) - 1).astype(np.float32)
    _tint(atlas.tints, left, top, np.float32(TINT_TEXEL), plain, np.ascontiguousarray(middles), wide, tints)
    return Material(relief, tints)
