"""The atlas: skin relief, pores and pigment of one face, laid out in millimetres and baked once.

Nothing in it sits on a lattice. Cells and pores are Poisson-disk point sets, furrows are oriented
strokes, the rest are band-limited fields; all are drawn from integer hashes of (index, stream, seed),
so one seed gives one skin on every machine and in every shot. Densities, depths and sizes are those of
ALGORITHMS.md 2.1, with the literature it names.

Axes: x to the right of the face, y down, both in mm; the origin is the middle of the flattened mean
face (grainkit/data/face_uv.npz), the neck lies below.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.machine.caches import cache_folder
from grainkit.machine.compiled import njit
from grainkit.picture.noise import pcg4d, stream_key

F32 = npt.NDArray[np.float32]
F16 = npt.NDArray[np.float16]

#: (left, top, right, bottom) of the atlas in mm: face, neck, and below it a hand of plain skin.
EXTENT = (-128.0, -112.0, 128.0, 210.0)
#: From here down, in mm, the atlas holds plain skin: what shoulders, arms and hands are made of.
PLAIN_FROM = 118.0
#: How far each age bracket is along the scale that drives elongation, line depth and spots.
AGES = {"child": 0.05, "young": 0.15, "adult": 0.35, "mature": 0.65, "senior": 0.9}
#: Texel sizes that are baked, mm. A face of s px/mm takes the finest that it can show.
TEXELS = (0.12, 0.16, 0.24)
#: Part of the name of a cached atlas; raise it when the same seed bakes another skin.
VERSION = 3
#: mm between samples of the pigments: they are read once per square of the picture, which is wider.
TINT_TEXEL = 0.32
#: Texels up to this many mm hold vellus hair; coarser ones are for faces that it cannot be seen on.
VELLUS_TEXEL = 0.16
#: Planes of the relief and of the pigments of an atlas.
HEIGHT, CAVITY = range(2)
MELANIN, BLOOD = range(2)
LEVELS = 5
#: Most points that are looked at for one place; a bucket has about one, 25 buckets are in reach.
MOST_NEAR = 24

_jit = njit(cache=True, nogil=True, error_model="numpy")
# Every table below has the zones in this order: forehead, nose, cheek, under-eye, chin, neck.


@dataclass(frozen=True, eq=False)
class Atlas:
    """Baked skin. relief: float32 (h, w, 2) each, half the size of the one before: height in µm, and openings of
    pores 0..1.3, below 0 where a vellus hair lies. tints: the same of melanin and blood, in standard deviations.
    texel: mm between samples of the first level of relief; TINT_TEXEL of tints."""

    relief: tuple[F32, ...]
    tints: tuple[F32, ...]
    texel: float
    left: float = EXTENT[0]
    top: float = EXTENT[1]


@_jit
def _four(index: Any, stream: Any, seed: Any) -> Any:
    """Four uniform numbers in [0, 1) of an index."""
    a, b, c, d = pcg4d(np.uint32(index), np.uint32(stream), np.uint32(seed), np.uint32(0x534B494E))
    unit = 1.0 / 16777216.0
    eight = np.uint32(8)
    return (a >> eight) * unit, (b >> eight) * unit, (c >> eight) * unit, (d >> eight) * unit


@_jit
def _normal(a: Any, b: Any) -> Any:
    """A normal number of two uniform ones (Box-Muller)."""
    return np.sqrt(-2.0 * np.log(max(a, 1e-7))) * np.cos(6.283185307179586 * b)


@_jit
def _at(plane: Any, x: Any, y: Any) -> Any:
    """A 1 mm map at (x, y) mm from its corner, nearest sample."""
    i = min(plane.shape[1] - 1, max(0, int(x + 0.5)))
    j = min(plane.shape[0] - 1, max(0, int(y + 0.5)))
    return plane[j, i]


@_jit
def _scatter(radius: Any, width: Any, height: Any, throws: Any, stream: Any, seed: Any) -> Any:
    """Poisson-disk points (n, 2) in mm from the corner, by dart throwing; radius: 1 mm map of the least distance."""
    cell = max(0.12, radius.min() * 0.7)
    columns, rows = int(width / cell) + 1, int(height / cell) + 1
    grid = np.full((rows, columns), -1, np.int32)
    points = np.empty((rows * columns, 2), np.float32)
    count = 0
    for k in range(throws // 2):
        a, b, c, d = _four(k, stream, seed)
        for half in range(2):
            x, y = np.float32(width * (c if half else a)), np.float32(height * (d if half else b))
            i, j = int(x / cell), int(y / cell)
            if grid[j, i] >= 0:
                continue
            r = np.float32(_at(radius, x, y))
            reach = int(r / cell) + 1
            free = True
            # From the middle outwards: nearly every dart is refused, and by a near one.
            for n in range(2 * reach + 1):
                jj = j + (n + 1) // 2 * (1 if n & 1 else -1)
                if jj < 0 or jj >= rows:
                    continue
                for ii in range(max(0, i - reach), min(columns, i + reach + 1)):
                    q = grid[jj, ii]
                    if q >= 0 and (points[q, 0] - x) ** 2 + (points[q, 1] - y) ** 2 < r * r:
                        free = False
                        break
                if not free:
                    break
            if free:
                points[count, 0], points[count, 1] = x, y
                grid[j, i] = count
                count += 1
    return points[:count].copy()


@_jit
def _bucketed(points: Any, cell: Any, columns: Any, rows: Any) -> Any:
    """Where each bucket's points begin, and the points in the order of their buckets."""
    starts = np.zeros(columns * rows + 1, np.int32)
    for k in range(points.shape[0]):
        starts[int(points[k, 1] / cell) * columns + int(points[k, 0] / cell) + 1] += 1
    for k in range(columns * rows):
        starts[k + 1] += starts[k]
    order = np.empty(points.shape[0], np.int32)
    cursor = starts.copy()
    for k in range(points.shape[0]):
        bucket = int(points[k, 1] / cell) * columns + int(points[k, 0] / cell)
        order[cursor[bucket]] = k
        cursor[bucket] += 1
    return starts, order


@_jit
def _within_reach(points: Any, starts: Any, columns: Any, rows: Any, cell: Any, squeeze: Any, near: Any) -> None:
    """For each bucket, which points can be nearest or second for some place in it: near (buckets, n), -1 behind them.

    A distance in the stretched metric lies between squeeze times the plain one and the plain one, which
    bounds it for all of a bucket at once.
    """
    most = near.shape[1]
    corner = np.float32(0.7072 * cell)
    for cj in range(rows):
        for ci in range(columns):
            x, y = np.float32((ci + 0.5) * cell), np.float32((cj + 0.5) * cell)
            first, second = np.float32(1e9), np.float32(1e9)
            for keep in range(2):
                count = 0
                for jj in range(max(0, cj - 2), min(rows, cj + 3)):
                    for k in range(starts[jj * columns + max(0, ci - 2)], starts[jj * columns + min(columns, ci + 3)]):
                        dx, dy = points[k, 0] - x, points[k, 1] - y
                        d = np.sqrt(dx * dx + dy * dy)
                        if keep:
                            if (d - corner) * squeeze <= second + corner and count < most:
                                near[cj * columns + ci, count] = k
                                count += 1
                        elif d < first:
                            second, first = first, d
                        elif d < second:
                            second = d


@_jit
def _cells(
    out: Any, first: Any, last: Any, points: Any, near: Any, columns: Any, rows: Any, cell: Any, texel: Any,
    cosine: Any, sine: Any, warp: Any, squeeze: Any, furrow: Any, depth: Any, dome: Any, stream: Any, seed: Any,
) -> None:  # fmt: skip
    """Skin cells: furrows between nearest points, depth random per edge so that edges vanish and no net appears."""
    one, half = np.float32(1.0), np.float32(0.5)
    per_mm, step = np.float32(1.0 / cell), np.float32(texel)
    low, high, edge, wide = -1, -1, one, one
    for j in range(first, last):
        for i in range(out.shape[1]):
            x, y = np.float32(i) * step + warp[j, i, 0], np.float32(j) * step + warp[j, i, 1]
            c, s = _at(cosine, x, y), _at(sine, x, y)
            column = min(max(int(x * per_mm), 0), columns - 1)
            bucket = min(max(int(y * per_mm), 0), rows - 1) * columns + column
            nearest, second = np.float32(1e9), np.float32(1e9)
            a, b = -1, -1
            for n in range(near.shape[1]):
                k = near[bucket, n]
                if k < 0:
                    break
                dx, dy = points[k, 0] - x, points[k, 1] - y
                u, v = (dx * c + dy * s) * squeeze, dy * c - dx * s
                d = u * u + v * v
                if d < second:
                    if d < nearest:
                        second, b, nearest, a = nearest, a, d, k
                    else:
                        second, b = d, k
            if b < 0:
                continue
            f1, f2 = np.sqrt(nearest), np.sqrt(second)
            if min(a, b) != low or max(a, b) != high:
                low, high = min(a, b), max(a, b)
                e, w, _, _ = _four(low * 7919 + high, stream + 1, seed)
                edge, wide = np.float32(0.15 + 0.85 * e * e), one / np.float32(furrow * (0.6 + 0.8 * w))
            gap = (f2 - f1) * wide
            ratio = np.float32(2.0) * f1 / (f1 + f2)
            rise = one - min(one, ratio * ratio)
            out[j, i] += dome * (rise * (half + points[a, 2]) + points[a, 3]) - depth * edge / (one + gap * gap)


@_jit
def _with_heights(points: Any, stream: Any, seed: Any) -> Any:
    """Points with two random numbers behind each: how domed a cell is, 0..1, and its own level (normal, 0.35)."""
    out = np.empty((points.shape[0], 4), np.float32)
    for k in range(points.shape[0]):
        dome, a, b, _ = _four(k, stream, seed)
        out[k, 0], out[k, 1], out[k, 2], out[k, 3] = points[k, 0], points[k, 1], dome, 0.35 * _normal(a, b)
    return out


@_jit
def _bump(square: Any) -> Any:
    """Nearly exp(-square), and truly 0 from 4 on."""
    rest = max(1.0 - 0.25 * square, 0.0)
    rest *= rest
    return rest * rest


@_jit
def _strokes(
    out: Any, count: Any, density: Any, angle: Any, turn: Any, texel: Any, width_mm: Any, height_mm: Any,
    shortest: Any, longest: Any, thick: Any, depth: Any, unrest: Any, stream: Any, seed: Any,
) -> None:  # fmt: skip
    """Furrows along the tension lines: Gaussian across, tapered and slightly bent along.

    density: 1 mm map of the share of `count` (over the whole extent) that is drawn there, 0..1.
    """
    rows, columns = out.shape
    for k in range(count):
        u, v, chance, size = _four(k, stream, seed)
        x, y = width_mm * u, height_mm * v
        if chance > _at(density, x, y):
            continue
        p, q, r, d = _four(k, stream + 1, seed)
        g1, g2, _, _ = _four(k, stream + 2, seed)
        theta = _at(angle, x, y) + turn + unrest * _normal(p, q)
        c, s = np.float32(np.cos(theta)), np.float32(np.sin(theta))
        half = np.float32(0.5 * (shortest + (longest - shortest) * size * size))
        wide = np.float32(thick * (0.7 + 0.6 * r))
        bend = np.float32(0.25 * _normal(g1, g2)) / half
        deep = np.float32(depth * (0.35 + 0.65 * d))
        per_half, per_wide, one = np.float32(1.0) / half, np.float32(1.0) / wide, np.float32(1.0)
        # Off the axis by no more than this; so a row crosses it in a short run.
        off = np.float32(2.0) * wide + abs(bend) * half * half
        tall = half * abs(s) + off
        x, y = np.float32(x), np.float32(y)
        for j in range(max(0, int((y - tall) / texel)), min(rows - 1, int((y + tall) / texel) + 1) + 1):
            py = np.float32(j * texel) - y
            low, high = -half * abs(c) - off, half * abs(c) + off
            if abs(s) > np.float32(0.05):
                middle, reach = py * c / s, off / abs(s)
                low, high = max(low, middle - reach), min(high, middle + reach)
            for i in range(max(0, int((x + low) / texel)), min(columns - 1, int((x + high) / texel) + 1) + 1):
                px = np.float32(i * texel) - x
                t = (px * c + py * s) * per_half
                across = (py * c - px * s - bend * t * t * half * half) * per_wide
                if t * t < one and across * across < np.float32(4.0):
                    taper, rest = one - t * t, one - np.float32(0.25) * across * across
                    rest *= rest
                    out[j, i] -= deep * taper * taper * rest * rest


@_jit
def _pores(
    out: Any, cavity: Any, points: Any, zones: Any, angle: Any, texel: Any, diameters: Any, depths: Any, age: Any,
    stream: Any, seed: Any,
) -> None:  # fmt: skip
    """Pores: a steep core in a wide funnel, three-lobed, tilted, longer along the tension lines with age."""
    rows, columns = out.shape
    for k in range(points.shape[0]):
        x, y = points[k, 0], points[k, 1]
        a1, a2, a3, a4 = _four(k, stream, seed)
        b1, b2, b3, b4 = _four(k, stream + 1, seed)
        c1, c2, _, _ = _four(k, stream + 2, seed)
        zone = _at(zones, x, y)
        diameter, depth = 0.0, 0.0
        for z in range(6):
            diameter += zone[z] * diameters[z]
            depth += zone[z] * depths[z]
        diameter *= np.exp(0.42 * min(1.7, _normal(a1, a2)) - 0.08)
        depth *= np.exp(0.5 * min(1.8, _normal(a3, a4)) - 0.12) * (0.5 + 0.5 * diameter / 0.25)
        longer = np.sqrt(1.0 + (0.2 + 0.9 * age) * b1)
        theta = _at(angle, x, y) + 0.35 * _normal(b2, b3)
        c, s = np.cos(theta), np.sin(theta)
        # Never thinner than a texel can hold, or it would glitter when sampled.
        long, short = max(0.62 * diameter * longer, 0.6 * texel), max(0.62 * diameter / longer, 0.6 * texel)
        tilt = 0.25 * long * (2.0 * b4 - 1.0)
        lobes, phase = 0.25 * c1, 6.283185307179586 * c2
        cos_phase, sin_phase = np.cos(phase), np.sin(phase)
        reach = 4.2 * long
        for j in range(max(0, int((y - reach) / texel)), min(rows - 1, int((y + reach) / texel) + 1) + 1):
            for i in range(max(0, int((x - reach) / texel)), min(columns - 1, int((x + reach) / texel) + 1) + 1):
                px, py = i * texel - x, j * texel - y
                u, v = px * c + py * s, -px * s + py * c
                wide = (u * u / (long * long) + v * v / (short * short)) * (1.0 / 4.41)
                if wide >= 4.0:
                    continue
                # Cosine and sine of three times the angle, without the angle.
                square = u * u + v * v + 1e-9
                third = 1.0 / (square * np.sqrt(square))
                triple = u * (u * u - 3.0 * v * v) * third * cos_phase - v * (3.0 * u * u - v * v) * third * sin_phase
                outline = 1.0 + lobes * triple
                narrow = (((u - tilt) / long) ** 2 + (v / short) ** 2) * outline * outline
                core, funnel = _bump(narrow), _bump(wide)
                dark = (0.6 * core + 0.4 * funnel * funnel) * min(1.3, depth / 45.0)
                cavity[j, i] = max(cavity[j, i], dark)


@_jit
def _spots(out: Any, count: Any, texel: Any, width_mm: Any, height_mm: Any, stream: Any, seed: Any) -> None:
    """Sparse pigment spots, lognormal in size and strength."""
    rows, columns = out.shape
    for k in range(count):
        u, v, a, b = _four(k, stream, seed)
        c, d, e, f = _four(k, stream + 1, seed)
        x, y = width_mm * u, height_mm * v
        r = min(1.6, 0.28 * np.exp(0.55 * _normal(a, b)))
        strong = 0.8 * np.exp(0.5 * _normal(c, d))
        for j in range(max(0, int((y - 3 * r) / texel)), min(rows - 1, int((y + 3 * r) / texel) + 1) + 1):
            for i in range(max(0, int((x - 3 * r) / texel)), min(columns - 1, int((x + 3 * r) / texel) + 1) + 1):
                px, py = i * texel - x, j * texel - y
                outline = 1.0 + 0.25 * e * np.cos(2.0 * np.arctan2(py, px) + 6.283185307179586 * f)
                q = (px * px + py * py) * outline * outline / (r * r)
                if q < 9.0:
                    out[j, i] += strong * np.exp(-0.35 * q * q - 0.4 * q)


@_jit
def _white(out: Any, key: Any) -> None:
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            a, b, c, d = pcg4d(np.uint32(i), np.uint32(j), np.uint32(0), np.uint32(key))
            total = np.float32(a >> np.uint32(8)) + np.float32(b >> np.uint32(8))
            total += np.float32(c >> np.uint32(8)) + np.float32(d >> np.uint32(8))
            out[j, i] = (total * np.float32(1.0 / 16777216.0) - np.float32(2.0)) * np.float32(1.7320508)


def _field(shape: tuple[int, int], period: float, texel: float, seed: int, stream: int) -> F32:
    """Band-limited normal field of unit variance, periods around `period` mm; drawn as coarse as it allows."""
    sigma = period / texel / 5.0
    if sigma > 3.5:
        k = sigma / 2.0
        small = _field((int(shape[0] / k) + 8, int(shape[1] / k) + 8), period, texel * k, seed, stream)
        size = (int(small.shape[1] * k), int(small.shape[0] * k))
        return np.ascontiguousarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)[: shape[0], : shape[1]])
    noise = np.empty(shape, np.float32)
    _white(noise, stream_key(seed, 200 + stream, 0))
    sigma = max(sigma, 0.45)
    band = cv2.GaussianBlur(noise, (0, 0), sigma) - cv2.GaussianBlur(noise, (0, 0), 1.8 * sigma)
    return np.asarray(band / band.std(), np.float32)


def zone_maps() -> tuple[F32, F32, F32]:
    """1 mm maps over the extent: zone weights (h, w, 6) that add up to 1, tension-line angle (h, w) in
    radians, and how much denser pores are near the wings of the nose (h, w)."""
    left, top, right, bottom = EXTENT
    x, y = np.meshgrid(np.arange(left, right + 1), np.arange(top, bottom + 1))
    ax = np.abs(x)

    def step(t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return 1.0 / (1.0 + np.exp(-t))

    forehead, neck = step(-(y + 52) / 5), step((y - 102) / 5)
    nose = np.exp(-((ax / 17) ** 4)) * np.exp(-(((y + 16) / 30) ** 4))
    under_eye = np.exp(-((((ax - 40) / 24) ** 2 + ((y + 17) / 9) ** 2) ** 1.5))
    chin = np.exp(-((ax / 30) ** 4)) * step((y - 58) / 5) * (1 - neck)
    cheek = np.maximum(0.0, 1 - forehead - nose - under_eye - chin - neck)
    zones = np.stack([forehead, nose, cheek, under_eye, chin, neck], -1)
    zones /= zones.sum(-1, keepdims=True) + 1e-6

    # Lines of least tension, as doubled angles so that opposite directions are one: across the forehead
    # and neck, round the orbits, oblique over the cheeks, down the nose.
    c, s = forehead.copy(), np.zeros_like(forehead)
    dx, dy = ax - 40, y + 33
    ring = np.exp(-(((np.hypot(dx, dy) - 24) / 16) ** 2)) * (1 - 0.8 * forehead)
    around = np.arctan2(dy, dx) + np.pi / 2
    c, s = c + 1.4 * ring * np.cos(2 * around), s + 1.4 * ring * np.sin(2 * around)
    c -= 0.9 * np.exp(-((ax / 12) ** 2)) * np.exp(-(((y + 16) / 26) ** 2))
    side = (1 - forehead) * (1 - np.exp(-((ax / 18) ** 2)))
    oblique = np.radians(58)
    c, s = c + side * np.cos(2 * oblique), s + side * np.sin(2 * oblique)
    c += 1.2 * (1 - forehead) * np.exp(-((ax / 25) ** 2)) * step((y - 52) / 6) + 3 * neck
    c += 3 * eye_corners()
    angle = 0.5 * np.arctan2(s, c) * np.where(x >= 0, 1, -1)
    denser = 1 + 0.8 * np.exp(-(((ax - 26) ** 2 + (y - 4) ** 2) / 400)) * zones[..., 2]
    return zones.astype(np.float32), angle.astype(np.float32), denser.astype(np.float32)


def eye_corners() -> npt.NDArray[np.float64]:
    """1 mm map of how much a place is at the outer corner of an eye, where lines fan out sideways."""
    left, top, right, bottom = EXTENT
    x, y = np.meshgrid(np.arange(left, right + 1), np.arange(top, bottom + 1))
    corners: npt.NDArray[np.float64] = np.exp(-(((np.abs(x) - 68) / 10) ** 2) - ((y + 31) / 13) ** 2)
    return corners


def _drawn_out(field: F32, angle: F32, mm: float, texel: float) -> F32:
    """A field smeared along an angle (a map of the same size) over about this many mm, of unit variance again."""
    rows, columns = np.indices(field.shape, np.float32)
    along, down = np.cos(angle) * np.float32(1 / texel), np.sin(angle) * np.float32(1 / texel)
    out = np.zeros_like(field)
    for n in range(-3, 4):
        at, share = np.float32(n * mm / 3), np.float32(1 - abs(n) / 4)
        x, y = columns + along * at, rows + down * at
        out += share * cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(out / out.std(), np.float32)


def _over(zones: F32, *values: float) -> F32:
    return np.asarray(zones @ np.array(values, np.float32), np.float32)


def _widened(plane: F32, shape: tuple[int, int]) -> F32:
    return np.asarray(cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _resized(plane: F32, shape: tuple[int, int], scale: float) -> F32:
    """A plane whose samples lie `scale` times as far apart in those of the result, sample 0 on sample 0."""
    if plane.shape[:2] == shape:
        return plane
    back = np.array([[1 / scale, 0, 0], [0, 1 / scale, 0]], np.float64)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(plane, back, shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def bake(seed: int, age: str, texel: float) -> Atlas:
    """Bake the skin of this seed at an age bracket; deterministic."""
    old = AGES[age]
    left, top, right, bottom = EXTENT
    size = (right - left, bottom - top)
    area = size[0] * size[1]
    shape, tinted = ((int(size[1] / t) + 1, int(size[0] / t) + 1) for t in (texel, TINT_TEXEL))
    zones, angle, denser = zone_maps()
    patchy, patchy_pores = (_field(zones.shape[:2], period, 1.0, seed, n) for n, period in enumerate((9.0, 6.0)))

    def field(period: float, stream: int) -> F32:
        return _field(shape, period, texel, seed, stream)

    def scattered(least: F32, throws: float, stream: int) -> F32:
        found = _scatter(least.astype(np.float32), size[0], size[1], int(area * throws), stream, seed)
        return np.asarray(found, np.float32)

    def pitted() -> tuple[F32, F32]:
        wing = _over(zones, 0.8, 2.0, 0.85, 0.3, 1.0, 0.4) * denser
        density = wing * np.clip(np.exp(0.75 * patchy_pores), 0.18, 2.8)
        points = scattered(0.78 / np.sqrt(np.maximum(density, 0.05)), 6.0, 80)
        pits, cavity = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        diameters, depths = (0.20, 0.29, 0.26, 0.13, 0.25, 0.16), (34.0, 58.0, 52.0, 14.0, 50.0, 16.0)
        wide, deep = (np.array(v, np.float32) for v in (diameters, depths))
        _pores(pits, cavity, points, zones, angle, texel, wide, deep, old, 90, seed)
        return pits, cavity

    def lined() -> F32:
        lines = np.zeros(shape, np.float32)
        feet = 0.6 * eye_corners()
        for share, more, turn, per_mm2, shortest, longest, thick, depth, unrest, stream in (
            ((0.9, 0.15, 0.65, 1.0, 0.5, 0.9), 0.0, 0.0, 1.9, 1.0, 4.2, 0.085, 36.0, 0.28, 50),
            ((0.5, 0.2, 0.6, 0.6, 0.5, 0.4), 0.0, 1.05, 1.3, 0.6, 2.4, 0.07, 26.0, 0.35, 60),
            ((0.9, 0.05, 0.2, 0.9, 0.1, 0.7), feet, 0.0, 0.22 * old, 5.0, 22.0, 0.16, 55.0, 0.12, 70),
        ):
            _strokes(
                lines, int(area * per_mm2), (_over(zones, *share) + more).astype(np.float32), angle, turn, texel,
                *size, shortest, longest, max(thick, 0.5 * texel), depth, unrest, stream, seed,
            )  # fmt: skip
        return lines * np.float32(0.7 + 0.6 * old)

    def downy() -> F32:
        hairs = np.zeros(shape, np.float32)
        if texel <= VELLUS_TEXEL:
            thick = max(0.03, 0.5 * texel)
            density = _over(zones, 0.5, 0.0, 0.8, 0.1, 0.5, 0.3)
            _strokes(
                hairs, int(area * 0.35), density, angle, 1.2, texel, *size, 1.5, 4.5, thick, 0.5 * 0.05 / thick,
                0.25, 110, seed,
            )  # fmt: skip
        return hairs

    def pigmented() -> tuple[F32, F32]:
        def field(period: float, stream: int) -> F32:
            return _field(tinted, period, TINT_TEXEL, seed, stream)

        spots = np.zeros(tinted, np.float32)
        _spots(spots, int(area / 100 * (0.4 + 6 * old)), TINT_TEXEL, *size, 100, seed)
        melanin = 0.5 * field(1.0, 18) + 0.8 * field(2.4, 19) + (0.6 + old) * field(6.0, 20)
        # Small veins show where a slow field crosses zero: thin, branching, rare, and more of them with age.
        wide = field(4.0, 22)
        veins = np.exp(-((field(8.0, 23) / 0.10) ** 2)) * np.clip(wide, 0, None)
        blood = 0.5 * field(1.6, 21) + 0.8 * wide + 1.6 * old * veins
        return melanin / melanin.std() + 2.2 * spots, (blood - blood.mean()) / blood.std()

    def roughness() -> F32:
        rough = _over(zones, 0.9, 1.0, 1.0, 0.7, 1.0, 0.8) * np.clip(np.exp(0.4 * patchy), 0.4, 2.0)
        height = (9 * field(0.40, 10) + 13 * field(0.75, 11)) * _widened(rough, shape)
        bumps = _over(zones, 0.6, 0.7, 1.0, 0.5, 0.9, 0.6) * np.float32(0.75 + 0.5 * old)
        bumps *= np.clip(np.exp(0.5 * patchy_pores), 0.4, 2.0)
        # Fine creases: unevenness drawn out along the tension lines and across them, little that is round. Each of
        # several widths, for lines of one width that follow a direction look like a fingerprint.
        lying = _widened(angle, tinted)
        creases = np.zeros(tinted, np.float32)
        for amount, period, turn, mm, stream in (
            (16, 1.1, 0.0, 1.3 + 0.4 * old, 120), (7, 1.1, 1.05, 1.2, 124),
            (7 + 5 * old, 2.0, 0.0, 1.9 + 0.9 * old, 128),
        ):  # fmt: skip
            widths = (_field(tinted, period * r, TINT_TEXEL, seed, stream + n) for n, r in enumerate((0.7, 1.1, 1.8)))
            even = np.asarray(sum(widths, np.float32(0)), np.float32)
            creases += np.float32(amount) * _drawn_out(even, lying + np.float32(turn), mm, TINT_TEXEL)
        height += (_widened(creases, shape) + 12 * field(1.4, 25)) * _widened(bumps, shape)
        return np.asarray(height, np.float32)

    def warped() -> F32:
        return np.stack([0.1 * field(1.1, 14 + n) + 0.2 * field(3.5, 16 + n) for n in range(2)], -1)

    spacing = _over(zones, 0.46, 0.50, 0.55, 0.42, 0.52, 0.60) * (1 + 0.25 * old) * (1 + 0.12 * patchy)
    turns, squeeze = (np.cos(angle), np.sin(angle)), 1 / (1.35 + 0.35 * old)
    relief, tints = np.empty((*shape, 2), np.float32), np.empty((*tinted, 2), np.float32)
    with ThreadPoolExecutor(2, thread_name_prefix="grainkit-bake") as pool:
        sizes = ((1.0, 34.0, 16.0, patchy, 30), (1.75, 30.0, 20.0, patchy_pores, 40))
        cells = [
            pool.submit(scattered, np.maximum(0.25, spacing * scale * 0.80), 10.0 / scale**2, stream)
            for scale, _, _, _, stream in sizes
        ]
        warping, lining, pitting = pool.submit(warped), pool.submit(lined), pool.submit(pitted)
        roughening, tinting, hairing = pool.submit(roughness), pool.submit(pigmented), pool.submit(downy)
        height, warp = np.zeros(shape, np.float32), warping.result()
        for points, (scale, depth, dome, patch, stream) in zip(cells, sizes, strict=True):
            cell = float(spacing.mean() * scale)
            columns, rows = int(size[0] / cell) + 2, int(size[1] / cell) + 2
            placed = points.result()
            starts, order = _bucketed(placed, cell, columns, rows)
            placed = _with_heights(placed[order], stream + 2, seed)
            near = np.full((columns * rows, MOST_NEAR), -1, np.int32)
            _within_reach(placed, starts, columns, rows, cell, np.float32(squeeze), near)
            # Larger cells have wider furrows: drawn coarser.
            drawn = texel * (1.5 if scale > 1.5 else 1.0)
            rough = (int(size[1] / drawn) + 2, int(size[0] / drawn) + 2) if drawn > texel else shape
            net, bent = np.zeros(rough, np.float32), _resized(warp, rough, texel / drawn)
            jobs = [
                pool.submit(
                    _cells, net, a, b, placed, near, columns, rows, cell, drawn, *turns, bent,
                    np.float32(squeeze), 0.075 * scale, depth, dome, stream, seed,
                )
                for a, b in pairwise(np.linspace(0, rough[0], 9).astype(int))
            ]  # fmt: skip
            for job in jobs:
                job.result()
            amount = _over(zones, 0.75, 0.55, 0.95, 0.9, 0.85, 0.9) * np.clip(np.exp(0.5 * patch), 0.3, 2.2)
            height += _resized(net, shape, drawn / texel) * _widened(amount, shape)
        pits, cavity = pitting.result()
        relief[..., CAVITY] = cavity + hairing.result()
        tints[..., MELANIN], tints[..., BLOOD] = tinting.result()
        relief[..., HEIGHT] = height + lining.result() + roughening.result() + pits
    # Half floats are what the cache keeps: rounded at once, a baked atlas and a cached one are the same skin.
    return _atlas(relief.astype(np.float16), tints.astype(np.float16), texel)


def _atlas(relief: F16, tints: F16, texel: float) -> Atlas:
    return Atlas(_mips(relief.astype(np.float32)), _mips(tints.astype(np.float32)), texel)


def _mips(first: F32) -> tuple[F32, ...]:
    levels = [first]
    for _ in range(LEVELS - 1):
        levels.append(cv2.pyrDown(levels[-1]))
    return tuple(levels)


def texel_for(px_per_mm: float) -> float:
    """The texel size for faces of this scale: the finest that is baked and not finer than the picture can show."""
    wanted = 0.7 / max(px_per_mm, 1e-3)
    return max((t for t in TEXELS if t <= wanted), default=TEXELS[0])


def load_atlas(seed: int, age: str, texel: float) -> Atlas:
    """The atlas from the cache, or baked now and put there. A damaged or foreign file is baked again."""
    folder = cache_folder()
    path = None if folder is None else folder / f"atlas-v{VERSION}-{seed}-{age}-{texel:g}.npy"
    kept = None if path is None else _read(path)
    if kept is not None:
        return _atlas(kept[0], kept[1], texel)
    atlas = bake(seed, age, texel)
    if path is not None:
        _write(path, atlas)
    return atlas


def _read(path: Path) -> tuple[F16, F16] | None:
    """Relief and tints as half floats, each behind its size, their digest behind them; None where that is not what
    the file holds."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    body, digest = memoryview(data)[:-32], data[-32:]
    if len(data) < 40 or hashlib.sha256(body).digest() != digest:
        return None
    planes = []
    while body:
        height, width = (int(n) for n in np.frombuffer(body[:8], np.uint32))
        end = 8 + height * width * 4
        planes.append(np.frombuffer(body[8:end], np.float16).reshape(height, width, 2))
        body = body[end:]
    relief, tints = planes
    return relief, tints


def _write(path: Path, atlas: Atlas) -> None:
    """Atomic; a cache that cannot be written is done without."""
    body = b"".join(
        np.array(p.shape[:2], np.uint32).tobytes() + p.astype(np.float16).tobytes()
        for p in (atlas.relief[0], atlas.tints[0])
    )
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(body + hashlib.sha256(body).digest())
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
