"""A waxy portrait of nobody: a mannequin's head, made of formulas and shaded like plastic.

Everything is a grid of points, shaded at its points and filled in between. Units: the head is two
high, from chin (y = -1) to crown (y = 1), x goes to the right and z to the viewer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.float32]

#: Linear light reflected by each thing.
SKIN = (0.72, 0.40, 0.28)
LIPS = (0.50, 0.13, 0.12)
HAIR = (0.050, 0.026, 0.016)
CLOTH = (0.055, 0.10, 0.135)


@dataclass(frozen=True)
class Pose:
    """What moves. Angles in degrees; `light` is where the key lamp stands, left (-) to right (+).

    pixels_per_unit: size of the head on the picture. look_x, look_y: the point in the middle of the picture.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    light: float = -38.0
    pixels_per_unit: float = 300.0
    look_x: float = 0.0
    look_y: float = -0.35


@dataclass(frozen=True)
class Part:
    """One surface: points (rows, columns, 3), what it reflects, how open to light, and how shiny.

    turns: does it move with the head? openness: 0 (in a crevice) to 1.
    """

    points: Array
    albedo: Array
    openness: Array
    shine: Array
    turns: bool


def _bump(x: Array, y: Array, cx: float, cy: float, sx: float, sy: float) -> Array:
    """A bell at (cx, cy) and at its mirror image."""
    return np.exp(-(((np.abs(x) - cx) / sx) ** 2) - ((y - cy) / sy) ** 2)


def _ramp(value: Array, start: float, end: float) -> Array:
    t = np.clip((value - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def _sphere(rows: int, columns: int) -> tuple[Array, Array]:
    """Height -1..1 and angle around (0 faces the viewer) of a grid denser in front."""
    tilt = np.linspace(0.001, np.pi - 0.001, rows, dtype=np.float32)
    around = np.linspace(-np.pi, np.pi, columns, dtype=np.float32)
    around = around - 0.55 * np.sin(around)
    height, angle = np.meshgrid(-np.cos(tilt), around, indexing="ij")
    return height, angle


def _paint(albedo: Array, cover: Array, color: tuple[float, float, float]) -> Array:
    return albedo + cover[..., None] * (np.array(color, np.float32) - albedo)


def _head(detail: float) -> Part:
    y, angle = _sphere(int(420 * detail), int(420 * detail))
    up, down = np.maximum(y, 0), np.maximum(-y, 0)
    round_ = np.sqrt(np.maximum(1 - up**2.5, 0)) * np.sqrt(np.maximum(1 - down**3.2, 0))
    width = 0.70 * round_ * (1 - 0.36 * _ramp(down, 0.15, 1.0))
    depth = np.where(np.cos(angle) > 0, 0.74 - 0.04 * down, 0.80 * (1 - 0.35 * down)) * np.sqrt(
        np.maximum(1 - up**3, 0) * np.maximum(1 - down**5, 0)
    )
    s, c = np.sin(angle), np.cos(angle)
    x = width * np.sign(s) * np.abs(s) ** 0.9
    z = depth * np.sign(c) * np.abs(c) ** 0.9
    front = _ramp(c, 0.05, 0.5)

    bridge = np.exp(-((x / (0.055 + 0.06 * down)) ** 2)) * _ramp(-y, -0.16, 0.30) * (1 - _ramp(-y, 0.36, 0.46))
    relief = (
        -0.15 * _bump(x, y, 0.27, 0.03, 0.17, 0.12)
        + 0.10 * _bump(x, y, 0.28, -0.01, 0.12, 0.075)
        + 0.035 * _bump(x, y, 0.24, 0.20, 0.22, 0.07)
        + 0.20 * bridge
        + 0.10 * _bump(x, y, 0.0, -0.33, 0.085, 0.075)
        + 0.085 * _bump(x, y, 0.115, -0.36, 0.05, 0.055)
        + 0.05 * _bump(x, y, 0.38, -0.20, 0.17, 0.15)
        + 0.05 * _bump(x, y, 0.0, -0.56, 0.24, 0.15)
        + 0.035 * _bump(x, y, 0.05, -0.535, 0.11, 0.035)
        + 0.05 * _bump(x, y, 0.0, -0.655, 0.15, 0.045)
        - 0.045 * _bump(x, y, 0.0, -0.59, 0.21, 0.016)
        - 0.03 * _bump(x, y, 0.0, -0.735, 0.13, 0.04)
        + 0.07 * _bump(x, y, 0.0, -0.86, 0.15, 0.09)
        - 0.012 * _bump(x, y, 0.0, -0.47, 0.022, 0.035)
    )
    z = z + front * relief

    ex, ey = np.abs(x) - 0.28, y + 0.005
    almond = 1 - (ex / 0.135) ** 2 - (ey / np.where(ey > 0, 0.058, 0.042)) ** 2
    eye = front * _ramp(almond, -0.05, 0.12)
    lid = front * np.exp(-((almond / 0.22) ** 2)) * _ramp(ey, -0.03, 0.02)
    iris = np.hypot(ex + 0.005 * np.sign(x), ey - 0.008)
    arch = 0.205 + 0.04 * np.cos((np.abs(x) - 0.30) * 6)
    brow = (
        front * np.exp(-(((y - arch) / 0.027) ** 4)) * _ramp(np.abs(x), 0.11, 0.16) * (1 - _ramp(np.abs(x), 0.38, 0.50))
    )
    seam = np.exp(-(((y + 0.59) / 0.012) ** 2)) * (1 - _ramp(np.abs(x), 0.19, 0.24))
    bow = 0.062 * (1 - (x / 0.235) ** 2) * (1 - 0.18 * np.exp(-((x / 0.035) ** 2)))
    lips = front * _ramp(np.where(y > -0.59, bow - (y + 0.59), 1.35 * bow + (y + 0.59)), -0.008, 0.022)
    nostril = front * _bump(x, y, 0.062, -0.415, 0.035, 0.018)

    albedo = np.broadcast_to(np.array(SKIN, np.float32), (*x.shape, 3))
    albedo = _paint(albedo, 0.30 * front * _bump(x, y, 0.36, -0.25, 0.15, 0.14), (0.74, 0.28, 0.22))
    albedo = _paint(albedo, 0.85 * lips, LIPS)
    albedo = _paint(albedo, 0.9 * brow, (0.055, 0.028, 0.018))
    albedo = _paint(albedo, eye, (0.62, 0.60, 0.58))
    albedo = _paint(albedo, eye * (1 - _ramp(iris, 0.055, 0.066)), (0.07, 0.045, 0.025))
    albedo = _paint(albedo, eye * (1 - _ramp(iris, 0.022, 0.030)), (0.004, 0.004, 0.004))
    albedo = _paint(albedo, 0.9 * lid, (0.03, 0.014, 0.01))
    catch = np.exp(-((np.hypot(x - np.sign(x) * 0.28 + 0.022, y - 0.022) / 0.016) ** 4))
    albedo = _paint(albedo, eye * catch, (3.0, 3.0, 3.0))

    openness = (
        (1 - 0.35 * front * _bump(x, y, 0.16, 0.05, 0.07, 0.09))
        * (1 - 0.25 * front * _bump(x, y, 0.27, 0.09, 0.16, 0.04))
        * (1 - 0.85 * nostril)
        * (1 - 0.40 * front * _bump(x, y, 0.0, -0.445, 0.12, 0.03))
        * (1 - 0.75 * front * seam)
        * (1 - 0.30 * front * _bump(x, y, 0.0, -0.735, 0.12, 0.03))
        * (1 - 0.65 * _ramp(down, 0.93, 1.0))
    )
    shine = 1 - 0.75 * np.maximum(brow, eye)
    return Part(np.stack([x, y, z], -1), albedo, openness, shine + 0.6 * lips, turns=True)


def _strands(shape: tuple[int, int], streak: float, seed: int) -> Array:
    """Streaks running down the grid's rows, -1..1."""
    noise = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=0.8, sigmaY=streak) + 0.6 * cv2.GaussianBlur(
        noise, (0, 0), sigmaX=3.0, sigmaY=streak
    )
    return np.clip(noise / (2.2 * noise.std()), -1, 1)


def _hair(detail: float) -> Iterator[Part]:
    rows, columns = int(300 * detail), int(420 * detail)
    y, angle = _sphere(rows, columns)
    flat = np.sqrt(np.maximum(1 - y**2, 0))
    lie = _strands((rows, columns), 40 * detail, seed=3)
    # A cap that dips below the skin where the face is: where the two surfaces cross is the hairline.
    x, z = 0.78 * flat * np.sin(angle), 0.86 * flat * np.cos(angle) - 0.02
    face = np.hypot(x / 0.62, (y + 0.22) / 0.92)
    under = _ramp(np.cos(angle), -0.1, 0.25) * (1 - _ramp(face + 0.03 * lie, 0.90, 1.06))
    scale = (1 + 0.012 * lie) * (1 - 0.35 * under)
    points = np.stack([x * scale, (1.12 * y + 0.03) * scale, z * scale], -1)
    tone = (1 + 0.75 * lie)[..., None] * np.array(HAIR, np.float32)
    yield Part(points, tone, np.full_like(x, 0.9), 0.35 + 0.3 * lie, turns=True)
    # What falls behind the neck, down to the shoulders.
    fall = _strands((rows, columns), 60 * detail, seed=4)
    wide = (0.80 - 0.10 * _ramp(-y, -0.2, 0.9)) * np.maximum(1 - np.abs(y) ** 4, 0) ** 0.5 * (1 + 0.02 * fall)
    points = np.stack([wide * np.sin(angle), 1.05 * y - 0.35, 0.42 * flat * np.cos(angle) - 0.38], -1)
    tone = (0.8 + 0.6 * fall)[..., None] * np.array(HAIR, np.float32)
    yield Part(points, tone, np.full_like(x, 0.7), 0.25 + 0.2 * fall, turns=True)


def _body(detail: float) -> Iterator[Part]:
    down, angle = np.meshgrid(
        np.linspace(0, 1, int(140 * detail), dtype=np.float32),
        np.linspace(np.pi / 2, -np.pi / 2, int(240 * detail), dtype=np.float32),
        indexing="ij",
    )
    y = -0.62 - 1.0 * down
    radius = 0.37 + 0.03 * np.cos(6 * down) + 0.10 * _ramp(down, 0.62, 1.1) ** 2
    sinew = 0.025 * np.exp(-(((np.abs(angle) - 0.42 + 0.2 * down) / 0.13) ** 2))
    points = np.stack([(radius + sinew) * np.sin(angle), y, (0.80 * radius + sinew) * np.cos(angle) - 0.10], -1)
    skin = np.broadcast_to(np.array(SKIN, np.float32) * 0.95, points.shape)
    yield Part(points, skin, 0.28 + 0.72 * _ramp(down, 0.30, 0.75), np.full_like(y, 0.55), turns=False)

    rows, columns = int(420 * detail), int(900 * detail)
    v, u = np.meshgrid(
        np.linspace(0, 1, rows, dtype=np.float32), np.linspace(1, -1, columns, dtype=np.float32), indexing="ij"
    )
    slope = 1 - np.sqrt(np.maximum(1 - np.abs(u) ** 2.6, 0))
    y = -1.36 - 1.5 * v - 0.55 * slope
    z = 0.48 * np.sqrt(np.maximum(1 - u**2, 0)) - 0.16 + 0.30 * _ramp(v, -0.15, 0.7) - 0.10 * (1 - v) ** 6
    fold = 0.02 * np.sin(9 * u + 3 * v + 2 * np.sin(4 * u)) * _ramp(v, 0.1, 0.5)
    points = np.stack([1.62 * u, y, z + fold], -1)
    neckline = _ramp(np.hypot(u / 0.36, (v + 0.06) / 0.30) - 1, -0.02, 0.02)
    hem = np.exp(-(((np.hypot(u / 0.36, (v + 0.06) / 0.30) - 1.05) / 0.05) ** 2))
    knit = np.sin(u * 1.62 * 210) * np.sin((v * 1.5 + 0.55 * slope) * 150 + np.abs(np.sin(u * 1.62 * 105)) * 1.5)
    weave = (1 + 0.42 * knit - 0.45 * hem)[..., None] * np.array(CLOTH, np.float32)
    albedo = np.array(SKIN, np.float32) * (1 - neckline[..., None]) + weave * neckline[..., None]
    shade = 0.55 + 0.45 * _ramp(np.hypot(u / 0.3, v / 0.16), 0.5, 1.6)
    yield Part(points, albedo, shade, 0.55 * (1 - neckline) + 0.03, turns=False)


def mannequin(detail: float) -> tuple[Part, ...]:
    """All surfaces; `detail` 1 suits a head 470 px high."""
    return (_head(detail), *_hair(detail), *_body(detail))


def _normals(points: Array) -> Array:
    across, along = np.gradient(points, axis=1), np.gradient(points, axis=0)
    normal = np.cross(across, along)
    return (normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)).astype(np.float32)


def _direction(angle: float, height: float) -> Array:
    a = np.radians(angle)
    vector = np.array([np.sin(a), height, np.cos(a)], np.float32)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _lit(part: Part, points: Array, pose: Pose) -> Array:
    """Light leaving each point: a soft key lamp with light bleeding through the skin, fill, rim and a broad sheen."""
    normal = _normals(points)
    key, fill, rim = _direction(pose.light, 0.45), _direction(55, 0.1), _direction(160, 0.5)
    facing = (normal @ key)[..., None]
    wrap = np.array([0.42, 0.24, 0.18], np.float32)
    diffuse = np.maximum((facing + wrap) / (1 + wrap), 0) ** 1.4
    diffuse = 1.05 * diffuse + 0.10 * np.maximum(normal @ fill, 0)[..., None] * np.array([0.8, 0.9, 1.1], np.float32)
    diffuse += 0.05 + 0.03 * normal[..., 1:2]
    half = key + np.array([0, 0, 1], np.float32)
    glance = np.maximum(normal @ (half / np.linalg.norm(half)), 0)
    sheen = 0.30 * glance**14 + 0.95 * glance**70
    sheen += 0.8 * np.maximum(normal @ rim + 0.30, 0) ** 3 * (1 - np.abs(normal[..., 2])) ** 2
    light = part.albedo * diffuse * part.openness[..., None]
    return (light + (sheen * part.shine * part.openness)[..., None]).astype(np.float32)


@njit(cache=True)
def _fill(xyz: Any, color: Any, depth: Any, image: Any) -> None:
    """Fill every cell of a grid as two triangles, nearest surface in front."""
    height, width = depth.shape
    for i in range(xyz.shape[0] - 1):
        for j in range(xyz.shape[1] - 1):
            for half in range(2):
                ai, aj, bi, bj = i + half, j + half, i + 1 - half, j + half
                ci, cj = i + half, j + 1 - half
                ax, ay, bx, by = xyz[ai, aj, 0], xyz[ai, aj, 1], xyz[bi, bj, 0], xyz[bi, bj, 1]
                cx, cy = xyz[ci, cj, 0], xyz[ci, cj, 1]
                area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
                if abs(area) < 1e-9:
                    continue
                top, bottom = max(int(min(ay, by, cy)), 0), min(int(max(ay, by, cy)) + 1, height - 1)
                left, right = max(int(min(ax, bx, cx)), 0), min(int(max(ax, bx, cx)) + 1, width - 1)
                for y in range(top, bottom + 1):
                    for x in range(left, right + 1):
                        b = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                        c = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                        a = 1 - b - c
                        if a < -1e-4 or b < -1e-4 or c < -1e-4:
                            continue
                        z = a * xyz[ai, aj, 2] + b * xyz[bi, bj, 2] + c * xyz[ci, cj, 2]
                        if z > depth[y, x]:
                            depth[y, x] = z
                            for k in range(3):
                                image[y, x, k] = a * color[ai, aj, k] + b * color[bi, bj, k] + c * color[ci, cj, k]


def _backdrop(width: int, height: int, pose: Pose) -> Array:
    """A dark wall lit by one lamp, without any noise: the kind of gradient that bands."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    far = np.hypot((x / width - 0.72 - 0.02 * pose.look_x) * 1.1, y / height - 0.30)
    glow = np.exp(-((far / 0.55) ** 2))[..., None]
    return 0.006 + glow * np.array([0.045, 0.052, 0.064], np.float32)


def render(parts: tuple[Part, ...], pose: Pose, width: int, height: int, oversample: int = 2) -> Array:
    """The picture as float32 sRGB-encoded R'G'B' (height, width, 3), 0..1."""
    big = (height * oversample, width * oversample)
    image = cv2.resize(_backdrop(width, height, pose), big[::-1], interpolation=cv2.INTER_LINEAR)
    depth = np.full(big, -np.inf, np.float32)
    yaw, pitch = np.radians(pose.yaw), np.radians(pose.pitch)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    pivot = np.array([0, -0.6, -0.1])
    for part in parts:
        points = part.points
        if part.turns:
            points = ((points - pivot) @ (nod @ turn).T.astype(np.float32) + pivot).astype(np.float32)
        near = 7.0 / (7.0 - points[..., 2])
        scale = pose.pixels_per_unit * oversample
        x = big[1] / 2 + (points[..., 0] - pose.look_x) * near * scale
        y = big[0] / 2 - (points[..., 1] - pose.look_y) * near * scale
        screen = np.stack([x, y, points[..., 2]], -1).astype(np.float32)
        _fill(screen, _lit(part, points, pose), depth, image)
    linear = cv2.resize(np.clip(image, 0, 1), (width, height), interpolation=cv2.INTER_AREA)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-6) ** (1 / 2.4) - 0.055)
    return np.clip(encoded, 0, 1).astype(np.float32)
