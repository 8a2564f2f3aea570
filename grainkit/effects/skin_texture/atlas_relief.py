"""The layers of an atlas' relief: cells and the furrows between them, lines, creases, pores, vellus hair."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from grainkit.effects.skin_texture.atlas_canvas import TINT_TEXEL, Canvas
from grainkit.effects.skin_texture.atlas_fields import drawn_out, field, resized, widened
from grainkit.effects.skin_texture.atlas_map import ACROSS, DOWN
from grainkit.effects.skin_texture.atlas_points import Near, at, four, near_points, normal, sample_at
from grainkit.machine.jit import njit

F32 = npt.NDArray[np.float32]

#: Texels up to this many mm hold vellus hair; coarser ones are for faces that it cannot be seen on.
VELLUS_TEXEL = 0.16
#: Diameters (mm) and depths (µm) of pores by zone.
PORE_DIAMETERS, PORE_DEPTHS = (0.20, 0.29, 0.26, 0.13, 0.25, 0.16), (34.0, 58.0, 52.0, 14.0, 50.0, 16.0)
#: Jobs that a net of cells is drawn in.
CELL_JOBS = 8

_jit = njit(cache=True, nogil=True, error_model="numpy")


class Metric(NamedTuple):
    """How distances between points are told.

    cosine, sine: 1 mm maps of the direction that is squeezed, by `squeeze`. warp: (h, w, 2) mm that each sample is
    moved by.
    """

    cosine: F32
    sine: F32
    warp: F32
    squeeze: np.float32


class Furrow(NamedTuple):
    """What lies between cells, and the cells. width: mm. depth, dome: µm. stream: of random numbers."""

    width: float
    depth: float
    dome: float
    stream: int


class Strokes(NamedTuple):
    """Furrows, or hairs, of one kind.

    number: how many over the whole extent. turn: from the lines of least tension, radians; unrest: deviation of it.
    shortest, longest, thick: mm. depth: µm. stream: of random numbers.
    """

    number: int
    turn: float
    shortest: float
    longest: float
    thick: float
    depth: float
    unrest: float
    stream: int


class Pores(NamedTuple):
    """Pores: diameters (mm) and depths (µm) by zone. age: 0..1, that they grow long with. stream: of random numbers."""

    diameters: F32
    depths: F32
    age: float
    stream: int


@dataclass(frozen=True)
class Net:
    """Cells of one size. scale: of their spacing. depth, dome: µm. patch: the field that they are uneven by."""

    scale: float
    depth: float
    dome: float
    patch: F32
    stream: int


def nets(canvas: Canvas) -> tuple[Net, ...]:
    """The nets of cells that lie over one another."""
    return Net(1.0, 34.0, 16.0, canvas.patchy, 30), Net(1.75, 30.0, 20.0, canvas.patchy_pores, 40)


def spacing(canvas: Canvas) -> F32:
    """1 mm map of how far apart cells of scale 1 are, mm."""
    by_zone = canvas.face.by_zone(0.46, 0.50, 0.55, 0.42, 0.52, 0.60)
    return by_zone * (1 + 0.25 * canvas.old) * (1 + 0.12 * canvas.patchy)


def cell_points(canvas: Canvas, net: Net) -> F32:
    """The middles of a net's cells, (n, 2) in mm from the corner."""
    return canvas.scattered(np.maximum(0.25, spacing(canvas) * net.scale * 0.80), 10.0 / net.scale**2, net.stream)


def warp(canvas: Canvas) -> F32:
    """(h, w, 2) mm that cells are bent by, so that no furrow is straight."""
    return np.stack([0.1 * canvas.field(1.1, 14 + n) + 0.2 * canvas.field(3.5, 16 + n) for n in range(2)], -1)


def cells(canvas: Canvas, net: Net, middles: F32, bent: F32, pool: Executor) -> F32:
    """Height (h, w) of a net of cells, µm. middles: from `cell_points`. bent: from `warp`. pool: that draws it."""
    face, texel = canvas.face, canvas.texel
    cell = float(spacing(canvas).mean() * net.scale)
    squeeze = 1 / (1.35 + 0.35 * canvas.old)
    near = near_points(middles, cell, (ACROSS, DOWN), squeeze, net.stream + 2, canvas.seed)
    # Larger cells have wider furrows: drawn coarser.
    drawn = texel * (1.5 if net.scale > 1.5 else 1.0)
    shape = (int(DOWN / drawn) + 2, int(ACROSS / drawn) + 2) if drawn > texel else canvas.shape
    out = np.zeros(shape, np.float32)
    metric = Metric(np.cos(face.angle), np.sin(face.angle), resized(bent, shape, texel / drawn), np.float32(squeeze))
    furrow = Furrow(0.075 * net.scale, net.depth, net.dome, net.stream)
    jobs = [
        pool.submit(_cells, out, first, last, near, metric, furrow, drawn, canvas.seed)
        for first, last in pairwise(np.linspace(0, shape[0], CELL_JOBS + 1).astype(int).tolist())
    ]
    for job in jobs:
        job.result()
    amount = face.by_zone(0.75, 0.55, 0.95, 0.9, 0.85, 0.9) * np.clip(np.exp(0.5 * net.patch), 0.3, 2.2)
    return resized(out, canvas.shape, drawn / texel) * widened(amount, canvas.shape)


def lines(canvas: Canvas) -> F32:
    """Height (h, w) of furrows along the lines of least tension and across them, and of crow's feet, µm."""
    out = np.zeros(canvas.shape, np.float32)
    for density, strokes in _kinds_of_lines(canvas):
        _draw(out, density, canvas.face.angle, strokes, canvas.texel, canvas.seed)
    return out * np.float32(0.7 + 0.6 * canvas.old)


def _kinds_of_lines(canvas: Canvas) -> Iterator[tuple[F32, Strokes]]:
    """1 mm maps of density, and what is drawn by them."""
    old, feet = canvas.old, 0.6 * canvas.face.corners
    for zones, more, turn, per_mm2, shortest, longest, thick, depth, unrest, stream in (
        ((0.9, 0.15, 0.65, 1.0, 0.5, 0.9), 0.0, 0.0, 1.9, 1.0, 4.2, 0.085, 36.0, 0.28, 50),
        ((0.5, 0.2, 0.6, 0.6, 0.5, 0.4), 0.0, 1.05, 1.3, 0.6, 2.4, 0.07, 26.0, 0.35, 60),
        ((0.9, 0.05, 0.2, 0.9, 0.1, 0.7), feet, 0.0, 0.22 * old, 5.0, 22.0, 0.16, 55.0, 0.12, 70),
    ):
        density = (canvas.face.by_zone(*zones) + more).astype(np.float32)
        count, wide = int(ACROSS * DOWN * per_mm2), max(thick, 0.5 * canvas.texel)
        yield density, Strokes(count, turn, shortest, longest, wide, depth, unrest, stream)


def vellus(canvas: Canvas) -> F32:
    """Vellus hair as cavity (h, w), below 0 where one lies; none where texels are too coarse for it."""
    out = np.zeros(canvas.shape, np.float32)
    if canvas.texel <= VELLUS_TEXEL:
        thick = max(0.03, 0.5 * canvas.texel)
        density = canvas.face.by_zone(0.5, 0.0, 0.8, 0.1, 0.5, 0.3)
        hairs = Strokes(int(ACROSS * DOWN * 0.35), 1.2, 1.5, 4.5, thick, 0.5 * 0.05 / thick, 0.25, 110)
        _draw(out, density, canvas.face.angle, hairs, canvas.texel, canvas.seed)
    return out


def pores(canvas: Canvas) -> F32:
    """Openings of pores as cavity (h, w), 0..1.3."""
    face = canvas.face
    wing = face.by_zone(0.8, 2.0, 0.85, 0.3, 1.0, 0.4) * face.denser
    density = wing * np.clip(np.exp(0.75 * canvas.patchy_pores), 0.18, 2.8)
    points = canvas.scattered(0.78 / np.sqrt(np.maximum(density, 0.05)), 6.0, 80)
    out = np.zeros(canvas.shape, np.float32)
    kind = Pores(np.array(PORE_DIAMETERS, np.float32), np.array(PORE_DEPTHS, np.float32), canvas.old, 90)
    _pit(out, points, face.zones, face.angle, kind, canvas.texel, canvas.seed)
    return out


def roughness(canvas: Canvas) -> F32:
    """Height (h, w) of all that has no outline: fine unevenness and creases, µm."""
    face, old, shape, tinted = canvas.face, canvas.old, canvas.shape, canvas.tinted
    rough = face.by_zone(0.9, 1.0, 1.0, 0.7, 1.0, 0.8) * np.clip(np.exp(0.4 * canvas.patchy), 0.4, 2.0)
    height = (9 * canvas.field(0.40, 10) + 13 * canvas.field(0.75, 11)) * widened(rough, shape)
    bumps = face.by_zone(0.6, 0.7, 1.0, 0.5, 0.9, 0.6) * np.float32(0.75 + 0.5 * old)
    bumps *= np.clip(np.exp(0.5 * canvas.patchy_pores), 0.4, 2.0)
    # Fine creases: unevenness drawn out along the tension lines and across them, little that is round. Each of
    # several widths, for lines of one width that follow a direction look like a fingerprint.
    lying = widened(face.angle, tinted)
    creases = np.zeros(tinted, np.float32)
    for amount, period, turn, mm, stream in (
        (16, 1.1, 0.0, 1.3 + 0.4 * old, 120), (7, 1.1, 1.05, 1.2, 124), (7 + 5 * old, 2.0, 0.0, 1.9 + 0.9 * old, 128),
    ):  # fmt: skip
        widths = (field(tinted, period * r, TINT_TEXEL, canvas.seed, stream + n) for n, r in enumerate((0.7, 1.1, 1.8)))
        even = np.asarray(sum(widths, np.float32(0)), np.float32)
        creases += np.float32(amount) * drawn_out(even, lying + np.float32(turn), mm, TINT_TEXEL)
    height += (widened(creases, shape) + 12 * canvas.field(1.4, 25)) * widened(bumps, shape)
    return np.asarray(height, np.float32)


@_jit
def _cells(
    out: F32, first: int, last: int, near: Near, metric: Metric, furrow: Furrow, texel: float, seed: int
) -> None:
    """Skin cells: furrows between nearest points, depth random per edge so that edges vanish and no net appears."""
    points, one, half = near.points, np.float32(1.0), np.float32(0.5)
    per_mm, step = np.float32(1.0 / near.cell), np.float32(texel)
    low, high, edge, wide = -1, -1, one, one
    for j in range(first, last):
        for i in range(out.shape[1]):
            x, y = np.float32(i) * step + metric.warp[j, i, 0], np.float32(j) * step + metric.warp[j, i, 1]
            c, s = at(metric.cosine, x, y), at(metric.sine, x, y)
            column = min(max(int(x * per_mm), 0), near.columns - 1)
            bucket = min(max(int(y * per_mm), 0), near.rows - 1) * near.columns + column
            nearest, second = np.float32(1e9), np.float32(1e9)
            a, b = -1, -1
            for n in range(near.indices.shape[1]):
                k = near.indices[bucket, n]
                if k < 0:
                    break
                dx, dy = points[k, 0] - x, points[k, 1] - y
                u, v = (dx * c + dy * s) * metric.squeeze, dy * c - dx * s
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
                e, w, _, _ = four(low * 7919 + high, furrow.stream + 1, seed)
                edge, wide = np.float32(0.15 + 0.85 * e * e), one / np.float32(furrow.width * (0.6 + 0.8 * w))
            gap = (f2 - f1) * wide
            ratio = np.float32(2.0) * f1 / (f1 + f2)
            rise = one - min(one, ratio * ratio)
            out[j, i] += furrow.dome * (rise * (half + points[a, 2]) + points[a, 3]) - furrow.depth * edge / (
                one + gap * gap
            )


@_jit
def _draw(out: F32, density: F32, angle: F32, strokes: Strokes, texel: float, seed: int) -> None:
    """Furrows along the tension lines: Gaussian across, tapered and slightly bent along.

    density: 1 mm map of the share of the strokes that is drawn there, 0..1. angle: 1 mm map of directions, radians.
    """
    rows, columns = out.shape
    for k in range(strokes.number):
        u, v, chance, size = four(k, strokes.stream, seed)
        at_x, at_y = ACROSS * u, DOWN * v
        if chance > at(density, at_x, at_y):
            continue
        p, q, r, d = four(k, strokes.stream + 1, seed)
        g1, g2, _, _ = four(k, strokes.stream + 2, seed)
        theta = at(angle, at_x, at_y) + strokes.turn + strokes.unrest * normal(p, q)
        c, s = np.float32(np.cos(theta)), np.float32(np.sin(theta))
        half = np.float32(0.5 * (strokes.shortest + (strokes.longest - strokes.shortest) * size * size))
        wide = np.float32(strokes.thick * (0.7 + 0.6 * r))
        bend = np.float32(0.25 * normal(g1, g2)) / half
        deep = np.float32(strokes.depth * (0.35 + 0.65 * d))
        per_half, per_wide, one = np.float32(1.0) / half, np.float32(1.0) / wide, np.float32(1.0)
        # Off the axis by no more than this; so a row crosses it in a short run.
        off = np.float32(2.0) * wide + abs(bend) * half * half
        tall = half * abs(s) + off
        x, y = np.float32(at_x), np.float32(at_y)
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
def _bump(square: float) -> float:
    """Nearly exp(-square), and truly 0 from 4 on."""
    rest = max(1.0 - 0.25 * square, 0.0)
    rest *= rest
    return rest * rest


@_jit
def _pit(out: F32, points: F32, zones: F32, angle: F32, pores: Pores, texel: float, seed: int) -> None:
    """Pores: a steep core in a wide funnel, three-lobed, tilted, longer along the tension lines with age."""
    rows, columns = out.shape
    for k in range(points.shape[0]):
        x, y = points[k, 0], points[k, 1]
        a1, a2, a3, a4 = four(k, pores.stream, seed)
        b1, b2, b3, b4 = four(k, pores.stream + 1, seed)
        c1, c2, _, _ = four(k, pores.stream + 2, seed)
        zone = zones[sample_at(zones.shape, x, y)]
        diameter, depth = 0.0, 0.0
        for z in range(6):
            diameter += zone[z] * pores.diameters[z]
            depth += zone[z] * pores.depths[z]
        diameter *= np.exp(0.42 * min(1.7, normal(a1, a2)) - 0.08)
        depth *= np.exp(0.5 * min(1.8, normal(a3, a4)) - 0.12) * (0.5 + 0.5 * diameter / 0.25)
        longer = np.sqrt(1.0 + (0.2 + 0.9 * pores.age) * b1)
        theta = at(angle, x, y) + 0.35 * normal(b2, b3)
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
                out[j, i] = max(out[j, i], dark)
