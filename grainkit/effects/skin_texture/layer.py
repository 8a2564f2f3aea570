"""The layer: what relief adds to a picture of skin, shaded by its light, as much as is missing.

All statistics are standard deviations of ln Y (linear light) per difference-of-Gaussians band, because
relief, shading and pigment multiply (ALGORITHMS.md 1). Band k lies between blurs of SIGMAS[k] and
SIGMAS[k + 1] px. What a photograph of skin shows at s px/mm is TARGETS; what the picture has is measured
locally, and each band is filled up to the difference of energies. So waxy skin gets more, photographed
skin next to nothing, and nothing gets shapes (the widest bands are hardly touched).

Light, shine, what is missing and all else that is smooth is worked out on squares of BLOCK px and read between
their middles; only relief, its blurs and their sum are worked out per px.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.lattice import Lattice
from grainkit.analysis.light import Light
from grainkit.effects.skin_texture.atlas import BLOOD, CAVITY, HEIGHT, MELANIN
from grainkit.effects.skin_texture.blocks import BLOCK, Under, blur, blurred_means, expand, means
from grainkit.effects.skin_texture.energy import BANDS, SIGMAS, bands_of, brightness_of, deviation, linear, luminance
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.effects.skin_texture.sample import Material
from grainkit.machine.jit import njit

F32 = npt.NDArray[np.float32]

#: Photographic contrast of adult cheek and forehead per band, by px per mm (ALGORITHMS.md 1; 17.2 is extrapolated).
TARGET_SCALES = (1.1, 1.45, 2.15, 2.9, 4.3, 8.6, 17.2)
TARGETS = (
    (0.0220, 0.0130, 0.0125, 0.0120), (0.0214, 0.0138, 0.0135, 0.0130), (0.0194, 0.0162, 0.0150, 0.0145),
    (0.0170, 0.0150, 0.0140, 0.0140), (0.0155, 0.0138, 0.0130, 0.0130), (0.0085, 0.0100, 0.0115, 0.0110),
    (0.0045, 0.0062, 0.0090, 0.0105),
)  # fmt: skip
AGE_CONTRAST = {"child": 0.30, "young": 0.80, "adult": 1.0, "mature": 1.35, "senior": 1.5}
#: Age shows in unevenness rather than in grain: powers of that contrast per band, above an adult's and below it.
AGE_SLOPE, YOUTH_SLOPE = (0.5, 0.9, 1.5, 1.5), (0.5, 0.9, 1.0, 1.0)
#: How far each band is filled: fine bands wholly (and what the short bright tail takes), shapes hardly.
BAND_SHARE = (1.22, 1.2, 0.75, 0.25)
#: R, G and B change by these powers of the luminance change (median of real portraits; 1 in speculars).
CHANNEL_POWER = (0.79, 1.09, 1.28)
#: What melanin and blood take from R, G and B, relative.
MELANIN_TINT, BLOOD_TINT = (0.55, 1.0, 1.35), (0.1, 1.0, 0.8)
#: Low frequencies are left alone from this Gaussian sigma on, mm.
KEEP_MM = 3.0
#: ln(display code) per ln(linear light) is ENCODING * (1 + TOE / code): the slope of sRGB on a logarithmic scale.
ENCODING, TOE = 1 / 2.4, 0.055
#: How uneven the colour of skin is by age; wider than this Gaussian sigma, mm, it is left alone.
AGE_PIGMENT, PIGMENT_MM = {"child": 0.5, "young": 0.8, "adult": 1.0, "mature": 1.6, "senior": 2.0}, 2.6
#: Below this many px per mm less is filled in.
SMALL = 2.15
#: Largest change of a pixel, in deviations of the texture asked for: skin has a long dark tail (pores, furrows)
#: and a short bright one; its bands are skewed by -0.2 to -0.5 (ALGORITHMS.md 1).
DARK_TAIL, BRIGHT_TAIL = 4.5, 1.7
#: Share of a frame's time that a shutter is open, and the period that each band is about, px.
SHUTTER, PERIODS = 0.5, (3.5, 7.0, 14.0, 28.0)
#: Around skin this many px are to be worked on too, for blurs; whole squares.
MARGIN = 2 * BLOCK
#: Rounds in which the gains of the bands are solved for.
SWEEPS = 6
#: What full pigment takes from ln light.
MELANIN_AMOUNT, BLOOD_AMOUNT = 0.011, 0.010

_jit = njit(cache=True, nogil=True, error_model="numpy")


@dataclass(frozen=True, eq=False)
class SkinStatistics:
    """What is measured once and kept for a shot, so that nothing pulses.

    px_per_mm: size of the face. light: where it comes from.
    relief, cavity, pores: deviation of each part of the layer in band 1. bands: of their sum, per band, on cheek and
    forehead. response: (BANDS, BANDS), contrast in band j of their sum for a gain of 1 on band k.
    sharpness: b0 / b1 on eyes and brows over SHARP_RATIO, 0.15..1.15.
    noise: what the source's own noise and compression put into each band, ln Y.
    chroma: usual saturation of the skin. middle, bright: linear luminance at 55 and 98 %.
    soft: Gaussian sigma that shaded relief is smoothed with, px.
    """

    px_per_mm: float
    light: Light
    relief: float
    cavity: float
    pores: float
    bands: tuple[float, ...]
    response: F32
    sharpness: float
    noise: tuple[float, ...]
    chroma: float
    middle: float
    bright: float
    soft: float = 0.0


class Layer(NamedTuple):
    """What to add: luma above black is multiplied by 1 + gain, chroma (normalised) grows by cb and cr. All (h, w).

    Compiled functions take named tuples as they are.
    """

    gain: F32
    cb: F32
    cr: F32

    def scaled(self, share: float) -> Layer:
        """So much of it."""
        return Layer(*(plane * np.float32(share) for plane in self))


def target(px_per_mm: float) -> npt.NDArray[np.float64]:
    """Photographic contrast per band at this scale."""
    at = np.log2(np.clip(px_per_mm, TARGET_SCALES[0], TARGET_SCALES[-1]))
    table = np.array(TARGETS)
    return np.array([np.interp(at, np.log2(TARGET_SCALES), table[:, k]) for k in range(BANDS)])


def ageing(age: str) -> npt.NDArray[np.float64]:
    """Contrast of this age relative to an adult's, per band."""
    contrast = AGE_CONTRAST[age]
    return contrast ** np.array(AGE_SLOPE if contrast > 1 else YOUTH_SLOPE)


@dataclass(frozen=True, eq=False)
class Skin:
    """One face's surroundings, ready to be textured. Sides are whole multiples of BLOCK.

    luma: (h, w) float32 Y' 0..1. rgb: (h / BLOCK, w / BLOCK, 3) means of display-encoded R'G'B'.
    matte: (h, w) 0..1. normals: (h / BLOCK, w / BLOCK, 3) unit. uv: atlas coordinates over it, mm.
    weights: (Kr, Kg, Kb) of luma.
    """

    luma: F32
    rgb: F32
    matte: F32
    normals: F32
    uv: Lattice
    weights: tuple[float, float, float] = (0.2126, 0.7152, 0.0722)


@dataclass(frozen=True, eq=False)
class _Lit:
    """How a face is lit, per square: what relief is shaded by."""

    sure: Under
    low: F32
    along_x: F32
    along_y: F32
    lit: F32


def _lit(skin: Skin, light: Light, px_per_mm: float) -> _Lit:
    """The lamp on this face, as far as the picture itself is lit there: its low-passed luminance says where cast
    shadow lies, in which nothing directional may appear."""
    sure = Under(means((skin.matte > 0.5).astype(np.float32)))
    low = sure.blur(luminance(linear(skin.rgb)), KEEP_MM * px_per_mm / BLOCK)
    # Where nothing is lit there is no key to divide by.
    lamp, key = np.array(light.direction, np.float32), max(light.key, 1e-4)
    facing = skin.normals @ lamp
    seen = np.clip((low - np.float32(light.ambient)) / np.float32(key), 0, 1.15)
    incidence = 0.6 * seen + 0.4 * np.clip(facing, 0, 1)
    lit = np.clip(seen / 0.18, 0, 1)
    lit = lit * lit * (3 - 2 * lit)
    # A surface that no light reaches has no relief to show, and nothing to divide by.
    strength = key / np.maximum(key * incidence + light.ambient, 0.02 * key) * (0.25 + 0.75 * lit)
    along_x = (lamp[0] - facing * skin.normals[..., 0]) * strength
    along_y = (lamp[1] - facing * skin.normals[..., 1]) * strength
    return _Lit(sure, low, *(np.asarray(p, np.float32) for p in (along_x, along_y, lit)))


def _shaded(
    relief: F32, lit: _Lit, px_per_mm: float, scale: float, weights: tuple[float, float, float], soft: float
) -> F32:
    """Relief shaded by the lamp, hollows and pore openings, (h, w): the sum of each times its weight.

    soft: Gaussian sigma that it is smoothed with, px.
    """
    directional, cavity, pores = weights
    height = relief[HEIGHT]
    slope = np.float32(directional * px_per_mm * scale / 1000)
    hollow = np.float32(cavity) * (np.float32(0.55) + np.float32(0.45) * lit.lit)
    pore = np.float32(pores) * (np.float32(0.6) + np.float32(0.4) * lit.lit)
    out = np.empty(height.shape, np.float32)
    level = blur(height, 0.8 * px_per_mm)
    _shade(height, level, relief[CAVITY], lit.along_x * slope, lit.along_y * slope, hollow, pore, out)
    return blur(out, soft)


@_jit
def _shade(height: F32, level: F32, cavity: F32, along_x: F32, along_y: F32, hollow: F32, pores: F32, out: F32) -> None:
    rows, columns = height.shape
    line, room = np.empty(along_x.shape[1], np.float32), np.empty((4, columns), np.float32)
    half = np.float32(0.5)
    for y in range(rows):
        expand(along_x, y, line, room[0])
        expand(along_y, y, line, room[1])
        expand(hollow, y, line, room[2])
        expand(pores, y, line, room[3])
        above, below = height[max(y - 1, 0)], height[min(y + 1, rows - 1)]
        here, flat, deep, to = height[y], level[y], cavity[y], out[y]
        ax, ay, hol, por = room[0], room[1], room[2], room[3]
        to[0] = to[columns - 1] = np.float32(0.0)
        for x in range(1, columns - 1):
            across, down = half * (here[x + 1] - here[x - 1]), half * (below[x] - above[x])
            to[x] = (here[x] - flat[x]) * hol[x] - deep[x] * por[x] - across * ax[x] - down * ay[x]


def _weights(statistics: SkinStatistics, parameters: SkinTexture) -> tuple[float, float, float]:
    """What each part is multiplied by: brought to unit deviation; grazing light favours relief, frontal hollows."""
    directional = parameters.relief * float(np.clip(0.4 + 0.9 * statistics.light.grazing, 0.4, 1.1))
    return (
        directional / statistics.relief, parameters.cavity / statistics.cavity, parameters.pores / statistics.pores,
    )  # fmt: skip


def measure(
    skin: Skin, material: Material, light: Light, px_per_mm: float, parameters: SkinTexture,
    sharpness: float = 1.0, noise: tuple[float, ...] = (0.0,) * BANDS, soft: float = 0.0,
) -> SkinStatistics:  # fmt: skip
    """The statistics of a shot, from its first frame (or a still).

    material: the atlas, sampled. sharpness: of the picture, from `sharpness_of`.
    noise: deviation per band of ln Y that the source has on surfaces without texture.
    soft: Gaussian sigma to smooth shaded relief with, px.
    """
    sure = (skin.matte > 0.5).astype(np.float32)
    if sure.sum() < 16:
        sure = np.ones_like(sure)
    lit = _lit(skin, light, px_per_mm)
    alone = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

    def of_part(only: tuple[float, float, float]) -> float:
        part = _shaded(material.relief, lit, px_per_mm, parameters.detail_scale, only, soft)
        return max(deviation(bands_of(part, count=2)[1], sure), 1e-6)

    with ThreadPoolExecutor(len(alone), "grainkit-measure") as pool:
        relief, cavity, pores = pool.map(of_part, alone)
    chosen = means(sure) > 0.5
    if not chosen.any():
        chosen[:] = True
    middle, bright = np.percentile(lit.low[chosen], [55, 98])
    saturation = lit.sure.blur(_saturation(linear(skin.rgb)), 1.2 * px_per_mm / BLOCK)
    chroma = float(np.percentile(saturation[chosen], 60))
    found = SkinStatistics(
        px_per_mm, light, relief, cavity, pores, (1.0,) * BANDS, np.eye(BANDS, dtype=np.float32), sharpness, noise,
        chroma, float(middle), float(bright), soft,
    )  # fmt: skip
    total = _shaded(material.relief, lit, px_per_mm, parameters.detail_scale, _weights(found, parameters), soft)
    bands, response = _band_statistics(total, _calm(skin, sure))
    return replace(found, bands=bands, response=response)


def _calm(skin: Skin, sure: F32) -> F32:
    """Cheeks and forehead out of sure skin: what TARGETS were measured on. All of it where they are hardly seen."""
    uv = skin.uv.on_squares(skin.rgb.shape, BLOCK)
    across, down = np.abs(uv[..., 0]), uv[..., 1]
    face = (down > -105) & (down < 55) & (across < 80)
    nose, eyes = (across < 20) & (np.abs(down + 16) < 34), (across < 66) & (np.abs(down + 26) < 20)
    calm = sure * np.kron(face & ~nose & ~eyes, np.ones((BLOCK, BLOCK), np.float32))
    return calm if calm.sum() > 0.1 * sure.sum() else sure


def _band_statistics(total: F32, mask: F32) -> tuple[tuple[float, ...], F32]:
    """Deviation per band under a mask, and how bands run into one another: (BANDS, BANDS).

    Neighbouring differences of Gaussians overlap, so a band multiplied by a gain is seen in the next ones too: the
    part of band j of band k that is like band j, times the deviation of band j.
    """
    left, top, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    total, mask = (p[top : top + height, left : left + width] for p in (total, mask))
    bands = bands_of(total)
    powers = [float((b * b * mask).sum()) for b in bands]

    def spread(band: F32) -> list[float]:
        return [float((part * bands[j] * mask).sum()) / max(powers[j], 1e-12) for j, part in enumerate(bands_of(band))]

    with ThreadPoolExecutor(BANDS, "grainkit-measure") as pool:
        response = np.array(list(pool.map(spread, bands))).T
    deviations = np.array([max(deviation(b, mask), 1e-6) for b in bands])
    return tuple(deviations.tolist()), np.asarray(deviations[:, None] * response, np.float32)


def _saturation(light_rgb: F32) -> F32:
    r, g, b = cv2.split(light_rgb)
    low, high = cv2.min(cv2.min(r, g), b), cv2.max(cv2.max(r, g), b)
    return np.asarray(1 - low / np.maximum(high, np.float32(1e-3)), np.float32)


def _wanted(statistics: SkinStatistics, parameters: SkinTexture) -> npt.NDArray[np.float64]:
    """Contrast per band that skin of this age, size, light and sharpness should have."""
    s, grazing = statistics.px_per_mm, statistics.light.grazing
    wanted: npt.NDArray[np.float64] = target(s) * ageing(parameters.age) * np.array(BAND_SHARE)
    # Frontal light hides texture, side light shows it.
    wanted *= float(np.clip(0.72 + 0.55 * grazing, 0.72, 1.15))
    # Small faces: a few px hold all of it, and filled up wholly they read as stippled.
    wanted *= float(np.clip(s / SMALL, 0.4, 1) ** 0.25)
    wanted[0] *= min(1.0, statistics.sharpness)
    wanted[1] *= min(1.0, 0.5 + 0.5 * statistics.sharpness)
    return wanted


def motion_blur(speed: float) -> tuple[float, ...]:
    """Share of each band that a shutter open for half the time leaves of what moves at `speed` px per frame."""
    way = SHUTTER * speed
    return tuple(float(1 / np.sqrt(1 + (1.5 * way / period) ** 2)) for period in PERIODS)


def skin_layer(
    skin: Skin, material: Material, energy: F32, statistics: SkinStatistics, parameters: SkinTexture,
    blur_of_motion: tuple[float, ...] = (1.0,) * BANDS,
) -> Layer:  # fmt: skip
    """The layer for one frame.

    material: the atlas, sampled. energy: per square and band, from `local_energy`.
    blur_of_motion: share of each band that motion blur leaves.
    """
    if parameters.strength == 0.0:
        return Layer(*(np.zeros(skin.matte.shape, np.float32) for _ in range(3)))
    shape = skin.matte.shape
    s = statistics.px_per_mm
    lit = _lit(skin, statistics.light, s)
    weights = _weights(statistics, parameters)
    total = _shaded(material.relief, lit, s, parameters.detail_scale, weights, statistics.soft)
    wanted = _wanted(statistics, parameters)
    gains, lack = _gains(skin, lit, energy, wanted, statistics, parameters)
    gains *= np.array(blur_of_motion, np.float32)
    # The sum of bands times gains, with every blur taken once; the wide ones on squares.
    steps = [blur(total, SIGMAS[k]) for k in (1, 2)]
    small = means(total)
    wide = gains[..., 3] * (blurred_means(small, SIGMAS[3]) - blurred_means(small, SIGMAS[4]))
    wide -= gains[..., 2] * blurred_means(small, SIGMAS[3])
    usual = parameters.strength * float(np.sqrt(np.sum(wanted**2)))
    limits = np.array([min(parameters.max_contrast, tail * usual) for tail in (DARK_TAIL, BRIGHT_TAIL)], np.float32)

    light_rgb = linear(skin.rgb)
    shine = _shine(light_rgb, lit, statistics)
    dark = np.clip(blur(luminance(light_rgb), 2.0 / BLOCK) / 0.012, 0, 1).astype(np.float32)
    luma = np.maximum(skin.rgb @ np.array(skin.weights, np.float32), np.float32(0.02))
    dark *= np.float32(ENCODING) * (1 + np.float32(TOE) / np.maximum(luma, np.float32(0.05)))
    ratios = skin.rgb / luma[..., None]
    # Colour is uneven where texture is missing: a photograph has its own.
    tints = lack[..., None] * (material.tints - blur(material.tints, PIGMENT_MM * s / BLOCK))
    tint = parameters.pigment * parameters.strength * AGE_PIGMENT[parameters.age]
    melanin, blood = (
        tints[..., k] * np.float32(a * tint) for k, a in ((MELANIN, MELANIN_AMOUNT), (BLOOD, BLOOD_AMOUNT))
    )
    fields = np.stack(
        [
            gains[..., 0], gains[..., 1] - gains[..., 0], gains[..., 2] - gains[..., 1], wide, shine,
            ratios[..., 0], ratios[..., 1], ratios[..., 2], dark,
            melanin, blood,
        ]
    ).astype(np.float32)  # fmt: skip
    layer = Layer(*(np.empty(shape, np.float32) for _ in range(3)))
    sums = np.empty((3, *energy.shape[:2]), np.float32)
    tone = _Tone(limits, np.float32(parameters.sparkle), np.array(skin.weights, np.float32))
    _compose(_Bands(total, *steps), skin.luma, skin.matte, fields, tone, layer, sums)
    low = [lit.sure.share(p * np.float32(1 / BLOCK**2), KEEP_MM * s / BLOCK) for p in sums]
    _keep_low(layer, skin.matte, np.stack(low))
    return layer


def _gains(
    skin: Skin, lit: _Lit, energy: F32, wanted: npt.NDArray[np.float64], statistics: SkinStatistics,
    parameters: SkinTexture,
) -> tuple[F32, F32]:  # fmt: skip
    """Per square what each band of the shaded atlas is multiplied by to fill what is missing, (h, w, BANDS); and the
    share of the texture asked for that is missing, (h, w)."""
    s = statistics.px_per_mm
    uv = skin.uv.on_squares(energy.shape, BLOCK)
    ax, v = np.abs(uv[..., 0]), uv[..., 1]
    # Under the eyes skin is thin and smooth.
    zone = 1 - 0.45 * np.exp(-(((ax - 40) / 24) ** 2 + ((v + 17) / 9) ** 2))
    # Makeup edges and lashes: where the picture has strong edges of its own, texture steps back.
    level = brightness_of(luminance(skin.rgb))
    edge = lit.sure.blur(np.abs(level - lit.sure.blur(level, SIGMAS[4] / BLOCK)), 0.8 * s / BLOCK)
    stepped = np.clip(1.6 - edge / 0.06, 0.25, 1) * parameters.strength
    # Foreshortened relief is crowded: less of it, or the silhouette gets a rim.
    stepped *= np.clip(0.45 + 0.65 * skin.normals[..., 2], 0.3, 1)
    # Between the middles of squares gains are read on, so one more square all around.
    near = cv2.dilate(lit.sure.mask, np.ones((3, 3), np.uint8))
    gains, lack = np.zeros(energy.shape, np.float32), np.zeros(energy.shape[:2], np.float32)
    _fill(
        energy, near, np.asarray(zone * zone, np.float32), np.asarray(stepped, np.float32),
        np.square(wanted).astype(np.float32), np.square(np.array(statistics.noise, np.float32)), statistics.response,
        gains, lack,
    )  # fmt: skip
    return gains, lack


@_jit
def _fill(
    energy: F32, near: F32, zone: F32, share: F32, wanted: F32, noise: F32, response: F32, gains: F32, lack: F32
) -> None:
    """Gains of 0 and more whose bands come nearest to what is missing (least squares by coordinate descent).

    energy: mean squares that are there. zone, wanted: their product is the mean square asked for. share: taken of it.
    """
    zero = np.float32(0.0)
    gram = np.zeros((BANDS, BANDS), np.float32)
    for k in range(BANDS):
        for n in range(BANDS):
            for m in range(BANDS):
                gram[k, n] += response[m, k] * response[m, n]
    missing, seen, found = np.empty(BANDS, np.float32), np.empty(BANDS, np.float32), np.empty(BANDS, np.float32)
    for j in range(gains.shape[0]):
        for i in range(gains.shape[1]):
            if near[j, i] <= zero:
                continue
            fine, fine_wanted = zero, np.float32(1e-9)
            for k in range(BANDS):
                own = max(energy[j, i, k] - noise[k], zero)
                asked = wanted[k] * zone[j, i]
                rest = max(asked - own, zero)
                missing[k] = np.sqrt(rest)
                if k < 2:
                    fine += rest
                    fine_wanted += asked
            lack[j, i] = share[j, i] * np.sqrt(fine / fine_wanted)
            for k in range(BANDS):
                found[k], seen[k] = zero, zero
                for m in range(BANDS):
                    seen[k] += response[m, k] * missing[m]
            for _ in range(SWEEPS):
                for k in range(BANDS):
                    rest = seen[k] + gram[k, k] * found[k]
                    for n in range(BANDS):
                        rest -= gram[k, n] * found[n]
                    found[k] = max(rest / gram[k, k], zero)
            for k in range(BANDS):
                gains[j, i, k] = found[k] * share[j, i]


def _shine(light_rgb: F32, lit: _Lit, statistics: SkinStatistics) -> F32:
    """0..1 per square: how specular the skin is there: bright, and paler than the rest of it."""
    s = statistics.px_per_mm / BLOCK
    pale = lit.sure.blur(_saturation(light_rgb), 1.2 * s)
    paler = np.clip((statistics.chroma - pale) / (0.35 * max(statistics.chroma, 1e-3)), 0, 1)
    brighter = np.clip((lit.low - statistics.middle) / (statistics.bright - statistics.middle + 1e-4), 0, 1)
    return blur((paler * brighter).astype(np.float32), s)


class _Bands(NamedTuple):
    """Shaded relief, (h, w), and blurs of it that its bands are differences of. total: as it is."""

    total: F32
    first: F32
    second: F32


class _Tone(NamedTuple):
    """How a change is brought to a picture. limits: largest change to darker and to lighter, ln Y. sparkle: how much
    more shine gets. weights: (Kr, Kg, Kb) of luma."""

    limits: F32
    sparkle: np.float32
    weights: F32


@_jit
def _compose(bands: _Bands, luma: F32, matte: F32, fields: F32, tone: _Tone, layer: Layer, sums: F32) -> None:
    """Luma gain and chroma change of the texture on this picture, and their sums per square of sure skin.

    fields: per square, three gains, the wide bands, shine, R/G/B over luma, slope of the encoding (0 in black),
    melanin, blood.
    """
    total, first, second = bands
    limits, sparkle, weights = tone
    gain, cb, cr = layer
    rows, columns = total.shape
    zero, one, half = np.float32(0.0), np.float32(1.0), np.float32(0.5)
    line, room = np.empty(fields.shape[2], np.float32), np.empty((fields.shape[0], columns), np.float32)
    to_cb, to_cr = half / (one - weights[2]), half / (one - weights[0])
    kr, kg, kb = weights[0], weights[1], weights[2]
    power_r, power_g, power_b = np.float32(CHANNEL_POWER[0]), np.float32(CHANNEL_POWER[1]), np.float32(CHANNEL_POWER[2])
    melanin_r, melanin_g, melanin_b = (
        np.float32(MELANIN_TINT[0]),
        np.float32(MELANIN_TINT[1]),
        np.float32(MELANIN_TINT[2]),
    )
    blood_r, blood_g, blood_b = np.float32(BLOOD_TINT[0]), np.float32(BLOOD_TINT[1]), np.float32(BLOOD_TINT[2])
    sums[:] = zero
    for y in range(rows):
        for n in range(fields.shape[0]):
            expand(fields[n], y, line, room[n])
        g0, g1, g2, wide, shine = room[0], room[1], room[2], room[3], room[4]
        red, green, blue, dark, melanin, blood = room[5], room[6], room[7], room[8], room[9], room[10]
        t0, t1, t2, own, cover = total[y], first[y], second[y], luma[y], matte[y]
        to, to_b, to_r = gain[y], cb[y], cr[y]
        for x in range(columns):
            value = g0[x] * t0[x] + g1[x] * t1[x] + g2[x] * t2[x] + wide[x]
            limit = limits[0] if value < zero else limits[1]
            value = min(max(value / limit, np.float32(-3.0)), np.float32(3.0))
            # tanh to 2 %: a soft limit asks for no more.
            square = value * value
            value = limit * value * (np.float32(27.0) + square) / (np.float32(27.0) + np.float32(9.0) * square)
            value *= one + sparkle * shine[x]
            top = own[x] * max(max(red[x], green[x]), blue[x])
            weight = cover[x] * dark[x] * (one - min(max((top - np.float32(0.90)) / np.float32(0.09), zero), one))
            plain = one - shine[x]
            a = (value * (power_r * plain + shine[x]) - melanin[x] * melanin_r - blood[x] * blood_r) * weight
            b = (value * (power_g * plain + shine[x]) - melanin[x] * melanin_g - blood[x] * blood_g) * weight
            c = (value * (power_b * plain + shine[x]) - melanin[x] * melanin_b - blood[x] * blood_b) * weight
            a, b, c = red[x] * (a + half * a * a), green[x] * (b + half * b * b), blue[x] * (c + half * c * c)
            grown = kr * a + kg * b + kb * c
            to[x] = grown
            to_b[x] = own[x] * (c - grown) * to_cb
            to_r[x] = own[x] * (a - grown) * to_cr
        j = y // BLOCK
        for i in range(sums.shape[2]):
            for k in range(i * BLOCK, i * BLOCK + BLOCK):
                sure = one if cover[k] > half else zero
                sums[0, j, i] += sure * to[k]
                sums[1, j, i] += sure * to_b[k]
                sums[2, j, i] += sure * to_r[k]


@_jit
def _keep_low(layer: Layer, matte: F32, low: F32) -> None:
    """Takes the low frequencies out again, where there is skin."""
    gain, cb, cr = layer
    columns = gain.shape[1]
    line, room = np.empty(low.shape[2], np.float32), np.empty((3, columns), np.float32)
    for y in range(gain.shape[0]):
        for n in range(3):
            expand(low[n], y, line, room[n])
        to, to_b, to_r, cover = gain[y], cb[y], cr[y], matte[y]
        for x in range(columns):
            share = min(np.float32(4.0) * cover[x], np.float32(1.0))
            to[x] -= share * room[0, x]
            to_b[x] -= share * room[1, x]
            to_r[x] -= share * room[2, x]
