"""The layer: what relief adds to a picture of skin, shaded by its light, as much as is missing.

All statistics are standard deviations of ln Y (linear light) per difference-of-Gaussians band, because
relief, shading and pigment multiply (ALGORITHMS.md 1). Band k lies between blurs of SIGMAS[k] and
SIGMAS[k + 1] px. What a photograph of skin shows at s px/mm is TARGETS; what the picture has is measured
locally, and each band is filled up to the difference of energies. So waxy skin gets more, photographed
skin next to nothing, and nothing gets shapes (the widest bands are hardly touched).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.light import Light
from grainkit.effects.skin_texture import SkinTexture
from grainkit.texture.atlas import BLOOD, CAVITY, HEIGHT, MELANIN

F32 = npt.NDArray[np.float32]

SIGMAS = (0.0, 0.8, 1.6, 3.2, 6.4)
BANDS = 4
#: Photographic contrast of adult cheek and forehead per band, by px per mm (ALGORITHMS.md 1; 17.2 is extrapolated).
TARGET_SCALES = (1.1, 1.45, 2.15, 2.9, 4.3, 8.6, 17.2)
TARGETS = (
    (0.0220, 0.0130, 0.0125, 0.0120), (0.0214, 0.0138, 0.0135, 0.0130), (0.0194, 0.0162, 0.0150, 0.0145),
    (0.0170, 0.0150, 0.0140, 0.0140), (0.0155, 0.0138, 0.0130, 0.0130), (0.0085, 0.0100, 0.0115, 0.0110),
    (0.0045, 0.0062, 0.0090, 0.0105),
)  # fmt: skip
AGE_CONTRAST = {"child": 0.30, "young": 0.80, "adult": 1.0, "mature": 1.35, "senior": 1.5}
#: Old skin is uneven rather than grainy: powers of that contrast per band, above an adult's.
AGE_SLOPE = (0.5, 0.9, 1.5, 1.5)
#: How far each band is filled: fine bands wholly (and what the short bright tail takes), shapes hardly.
BAND_SHARE = (1.06, 1.25, 0.75, 0.25)
#: R, G and B change by these powers of the luminance change (median of real portraits; 1 in speculars).
CHANNEL_POWER = (0.79, 1.09, 1.28)
#: What melanin and blood take from R, G and B, relative.
MELANIN_TINT, BLOOD_TINT = (0.55, 1.0, 1.35), (0.1, 1.0, 0.8)
#: Low frequencies are left alone from this Gaussian sigma on, mm.
KEEP_MM = 3.0
#: ln(display code) per ln(linear light): the slope of sRGB and BT.1886 on a logarithmic scale.
ENCODING = 0.45
#: Band ratio b0 / b1 of a lens-sharp picture; texture is never crisper than the lashes.
SHARP_RATIO = 0.62
#: Below this many px per mm less is filled in.
SMALL = 2.15
#: Largest change of a pixel, in deviations of the texture asked for: skin has a long dark tail (pores, furrows)
#: and a short bright one; its bands are skewed by -0.2 to -0.5 (ALGORITHMS.md 1).
DARK_TAIL, BRIGHT_TAIL = 4.5, 2.0
_DARK = np.float32(0.004)
_LUMA = np.array([[0.2126, 0.7152, 0.0722]], np.float32)


@dataclass(frozen=True, eq=False)
class SkinStatistics:
    """What is measured once and kept for a shot, so that nothing pulses.

    px_per_mm: size of the face. light: where it comes from.
    relief, cavity, pores: deviation of each part of the layer in band 1. bands: of their sum, per band.
    sharpness: b0 / b1 on eyes and brows over SHARP_RATIO, 0.15..1.15.
    noise: what the source's own noise and compression put into each band, ln Y.
    chroma: usual saturation of the skin. middle, bright: linear luminance at 55 and 98 %.
    """

    px_per_mm: float
    light: Light
    relief: float
    cavity: float
    pores: float
    bands: tuple[float, ...]
    sharpness: float
    noise: tuple[float, ...]
    chroma: float
    middle: float
    bright: float


@dataclass(frozen=True, eq=False)
class Layer:
    """What to add: luma above black is multiplied by 1 + gain, chroma (normalised) grows by cb and cr. All (h, w)."""

    gain: F32
    cb: F32
    cr: F32


@dataclass(frozen=True, eq=False)
class Skin:
    """One face's surroundings, ready to be textured; all (h, w[, n]) float32 of one region.

    rgb: display-encoded R'G'B' 0..1. matte: 0..1. sharp: cover of eyes and brows.
    uv: atlas coordinates, mm. normals: unit. atlas: sampled atlas planes.
    """

    rgb: F32
    matte: F32
    sharp: F32
    normals: F32
    atlas: F32
    uv: F32


def blur(plane: F32, sigma: float) -> F32:
    """Gaussian blur; wide ones at a reduced size, which they cannot tell from the full."""
    if sigma <= 0:
        return plane
    step = int(min(8, sigma // 3))
    if step < 2:
        return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)
    height, width = plane.shape[:2]
    size = (max(1, -(-width // step)), max(1, -(-height // step)))
    small = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / step)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


class Under:
    """Blurs of what lies under a mask alone: hair and background do not leak in. Blurred masks are kept."""

    def __init__(self, mask: F32) -> None:
        self.mask = mask
        self._blurred: dict[float, F32] = {}

    def blur(self, plane: F32, sigma: float) -> F32:
        if sigma <= 0:
            return plane
        if sigma not in self._blurred:
            self._blurred[sigma] = blur(self.mask, sigma) + np.float32(1e-4)
        return np.asarray(blur(plane * self.mask, sigma) / self._blurred[sigma], np.float32)


def masked_blur(plane: F32, mask: F32, sigma: float) -> F32:
    """One blur under a mask."""
    return Under(mask).blur(plane, sigma)


def linear(rgb: F32) -> F32:
    """Linear light of sRGB-encoded values 0..1 (IEC 61966-2-1)."""
    curved = cv2.pow((np.maximum(rgb, 0) + np.float32(0.055)) * np.float32(1 / 1.055), 2.4)
    return np.asarray(np.where(rgb <= 0.04045, rgb * np.float32(1 / 12.92), curved), np.float32)


def luminance(light: F32) -> F32:
    """Y of linear BT.709 light (h, w, 3); of encoded values, luma."""
    return np.asarray(cv2.transform(light, _LUMA), np.float32)


def bands_of(plane: F32, mask: F32 | Under | None = None) -> list[F32]:
    """The difference-of-Gaussians bands of a plane; under a mask only, where one is given."""
    if mask is None:
        steps = [blur(plane, s) for s in SIGMAS]
    else:
        under = mask if isinstance(mask, Under) else Under(mask)
        steps = [under.blur(plane, s) for s in SIGMAS]
    return [steps[k] - steps[k + 1] for k in range(BANDS)]


def deviation(plane: F32, mask: F32) -> float:
    """Standard deviation under a mask."""
    weight = float(mask.sum()) + 1e-6
    mean = float((plane * mask).sum()) / weight
    return float(np.sqrt((np.square(plane - np.float32(mean)) * mask).sum() / weight))


def target(px_per_mm: float) -> npt.NDArray[np.float64]:
    """Photographic contrast per band at this scale."""
    at = np.log2(np.clip(px_per_mm, TARGET_SCALES[0], TARGET_SCALES[-1]))
    table = np.array(TARGETS)
    return np.array([np.interp(at, np.log2(TARGET_SCALES), table[:, k]) for k in range(BANDS)])


def _ageing(age: str) -> npt.NDArray[np.float64]:
    """Contrast of this age relative to an adult's, per band."""
    contrast = AGE_CONTRAST[age]
    return contrast ** np.array(AGE_SLOPE if contrast > 1 else (1.0,) * BANDS)


def _parts(skin: Skin, light: Light, px_per_mm: float, low: F32, scale: float) -> tuple[F32, F32, F32]:
    """(relief, cavity, pores): shaded relief, hollows and pore openings, each in its own units.

    Relief is shaded by the lamp as far as the picture itself is lit there: its low-passed luminance says
    where cast shadow lies, in which nothing directional may appear.
    """
    height = skin.atlas[..., HEIGHT]
    slope = np.float32(px_per_mm * scale / 1000)
    across = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=1) * (0.5 * slope)
    down = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=1) * (0.5 * slope)
    lamp = np.array(light.direction, np.float32)
    facing = skin.normals @ lamp
    seen = np.clip((low - np.float32(light.ambient)) / np.float32(light.key), 0, 1.15)
    incidence = 0.6 * seen + 0.4 * np.clip(facing, 0, 1)
    lit = np.clip(seen / 0.18, 0, 1)
    lit = lit * lit * (3 - 2 * lit)
    strength = light.key / (light.key * incidence + light.ambient) * (0.25 + 0.75 * lit)
    along_x = lamp[0] - facing * skin.normals[..., 0]
    along_y = lamp[1] - facing * skin.normals[..., 1]
    relief = -(across * along_x + down * along_y) * strength
    hollow = (height - blur(height, 0.8 * px_per_mm)) * (0.55 + 0.45 * lit)
    pores = -skin.atlas[..., CAVITY] * (0.6 + 0.4 * lit)
    return relief.astype(np.float32), hollow.astype(np.float32), pores.astype(np.float32)


def _mixed(parts: tuple[F32, F32, F32], spread: tuple[float, ...], light: Light, parameters: SkinTexture) -> F32:
    """The parts added, each brought to unit deviation first: grazing light favours relief, frontal light hollows."""
    directional = parameters.relief * float(np.clip(0.4 + 0.9 * light.grazing, 0.4, 1.1))
    weights = (directional, parameters.cavity, parameters.pores)
    total = np.zeros_like(parts[0])
    for part, deviated, weight in zip(parts, spread, weights, strict=True):
        total += part * np.float32(weight / max(deviated, 1e-6))
    return total


def measure(
    skin: Skin, light: Light, px_per_mm: float, parameters: SkinTexture, noise: tuple[float, ...] = (0.0,) * BANDS
) -> SkinStatistics:
    """The statistics of a shot, from its first frame (or a still).

    noise: deviation per band of ln Y that the source has on surfaces without texture.
    """
    light_rgb = linear(skin.rgb)
    y = luminance(light_rgb)
    sure = (skin.matte > 0.5).astype(np.float32)
    if sure.sum() < 16:
        sure = np.ones_like(sure)
    low = masked_blur(y, sure, KEEP_MM * px_per_mm)
    parts = _parts(skin, light, px_per_mm, low, parameters.detail_scale)
    spread = tuple(max(deviation(bands_of(p)[1], sure), 1e-6) for p in parts)
    total = _mixed(parts, spread, light, parameters)
    bands = tuple(max(deviation(b, sure), 1e-6) for b in bands_of(total))
    fine = bands_of(np.log(y + _DARK))
    if skin.sharp.sum() > 16:
        ratio = deviation(fine[0], skin.sharp) / max(deviation(fine[1], skin.sharp), 1e-4)
    else:
        ratio = SHARP_RATIO
    chosen = sure > 0
    middle, bright = np.percentile(low[chosen], [55, 98])
    saturation = masked_blur(_saturation(light_rgb), sure, 1.2 * px_per_mm)
    return SkinStatistics(
        px_per_mm, light, spread[0], spread[1], spread[2], bands,
        float(np.clip(ratio / SHARP_RATIO, 0.15, 1.15)), noise,
        float(np.percentile(saturation[chosen], 60)), float(middle), float(bright),
    )  # fmt: skip


def _saturation(light_rgb: F32) -> F32:
    r, g, b = cv2.split(light_rgb)
    low, high = cv2.min(cv2.min(r, g), b), cv2.max(cv2.max(r, g), b)
    return np.asarray(1 - low / np.maximum(high, np.float32(1e-3)), np.float32)


def skin_layer(
    skin: Skin, statistics: SkinStatistics, parameters: SkinTexture, blur_of_motion: tuple[float, ...] = (1.0,) * BANDS
) -> Layer:
    """The layer for one frame.

    blur_of_motion: share of each band that motion blur leaves.
    """
    if parameters.strength == 0.0:
        nothing = np.zeros(skin.matte.shape, np.float32)
        return Layer(nothing, nothing, nothing)
    s = statistics.px_per_mm
    matte = skin.matte
    sure = Under((matte > 0.5).astype(np.float32))
    light_rgb = linear(skin.rgb)
    y = luminance(light_rgb)
    low = sure.blur(y, KEEP_MM * s)
    parts = _parts(skin, statistics.light, s, low, parameters.detail_scale)
    spread = (statistics.relief, statistics.cavity, statistics.pores)
    total = _mixed(parts, spread, statistics.light, parameters)

    wanted = target(s) * _ageing(parameters.age) * np.array(BAND_SHARE)
    # Frontal light hides texture, side light shows it.
    wanted *= float(np.clip(0.72 + 0.55 * statistics.light.grazing, 0.72, 1.15))
    # Small faces: a few px hold all of it, and filled up wholly they read as stippled.
    wanted *= float(np.clip(s / SMALL, 0.4, 1) ** 0.5)
    wanted[0] *= min(1.0, statistics.sharpness)
    wanted[1] *= min(1.0, 0.5 + 0.5 * statistics.sharpness)
    ax, v = np.abs(skin.uv[..., 0]), skin.uv[..., 1]
    zone = 1 - 0.45 * np.exp(-(((ax - 40) / 24) ** 2 + ((v + 17) / 9) ** 2))
    out = np.zeros_like(y)
    have = bands_of(np.log(y + _DARK), sure)
    for k, band in enumerate(bands_of(total)):
        energy = sure.blur(np.minimum(np.abs(have[k]), np.float32(0.12)) ** 2, 5 * s)
        energy = np.maximum(energy - np.float32(statistics.noise[k] ** 2), 0)
        asked = np.float32(wanted[k]) * zone
        missing = np.sqrt(np.maximum(asked**2 - energy, 0))
        out += band * (missing * np.float32(blur_of_motion[k] / statistics.bands[k])).astype(np.float32)
    out *= np.float32(parameters.strength)
    # Makeup edges and lashes: where the picture has strong edges of its own, texture steps back.
    edge = sure.blur(np.abs(have[2]) + np.abs(have[3]), 0.8 * s)
    out *= np.clip(1.6 - edge / 0.06, 0.25, 1)
    usual = parameters.strength * float(np.sqrt(np.sum(wanted**2)))
    dark, bright = (np.float32(min(parameters.max_contrast, tail * usual)) for tail in (DARK_TAIL, BRIGHT_TAIL))
    limit = np.where(out < 0, dark, bright)
    out = limit * np.tanh(out / limit)
    shine = _shine(light_rgb, low, sure, statistics)
    out *= 1 + np.float32(parameters.sparkle) * shine

    r, g, b = cv2.split(skin.rgb)
    top = blur(cv2.max(cv2.max(r, g), b), 1.0)
    weight = matte * (1 - np.clip((top - 0.90) / 0.09, 0, 1)) * np.clip(blur(y, 2.0) / 0.012, 0, 1)
    tint = parameters.pigment * parameters.strength
    return _encoded(skin, out, weight.astype(np.float32), shine, float(tint), sure, s)


def _shine(light_rgb: F32, low: F32, sure: Under, statistics: SkinStatistics) -> F32:
    """0..1: how specular the skin is there: bright, and paler than the rest of it."""
    pale = sure.blur(_saturation(light_rgb), 1.2 * statistics.px_per_mm)
    paler = np.clip((statistics.chroma - pale) / (0.35 * max(statistics.chroma, 1e-3)), 0, 1)
    brighter = np.clip((low - statistics.middle) / (statistics.bright - statistics.middle + 1e-4), 0, 1)
    return blur((paler * brighter).astype(np.float32), statistics.px_per_mm)


def _encoded(skin: Skin, texture: F32, weight: F32, shine: F32, tint: float, sure: Under, s: float) -> Layer:
    """Luma gain and chroma change of ln-light texture on this picture; low frequencies of all three stay."""
    pigments: list[tuple[F32, tuple[float, float, float], float]] = []
    if tint > 0:
        for plane, colours, amount in ((MELANIN, MELANIN_TINT, 0.009), (BLOOD, BLOOD_TINT, 0.008)):
            field = skin.atlas[..., plane]
            pigments.append((field - blur(field, 2.2 * s), colours, amount * tint))
    change = []
    for c in range(3):
        power = CHANNEL_POWER[c] * (1 - shine) + shine
        x = texture * power
        for field, colours, amount in pigments:
            x = x - field * np.float32(amount * colours[c])
        x = x * weight * np.float32(ENCODING)
        change.append(skin.rgb[..., c] * (x + 0.5 * x * x))
    dr, dg, db = change
    dy = 0.2126 * dr + 0.7152 * dg + 0.0722 * db
    luma = luminance(skin.rgb)
    gain = dy / np.maximum(luma, np.float32(0.02))
    planes: list[Any] = [gain, (db - dy) / 1.8556, (dr - dy) / 1.5748]
    covered = np.minimum(weight * 4, 1)
    kept = [(p - sure.blur(p, KEEP_MM * s)) * covered for p in planes]
    return Layer(*(np.asarray(p, np.float32) for p in kept))
