"""What is measured of a face where it is seen first: what every frame of the shot is textured by."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.face import BROWS, EYES, Face
from grainkit.analysis.light import estimate_light
from grainkit.analysis.matte import filled
from grainkit.analysis.source_noise import source_noise
from grainkit.effects.skin_texture.blocks import BLOCK, masked_blur
from grainkit.effects.skin_texture.energy import bands_of, brightness_of, linear, luminance, sharpness_of
from grainkit.effects.skin_texture.layer import KEEP_MM, Skin, SkinStatistics, measure
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.effects.skin_texture.sample import Material

F32 = npt.NDArray[np.float32]


def first_look(
    skin: Skin, material: Material, face: Face, parameters: SkinTexture, soft: float = 0.0
) -> SkinStatistics:
    """The statistics of a face.

    material: the atlas, sampled over the skin. face: in px of it. soft: Gaussian sigma that shaded relief is smoothed
    with, px.
    """
    mm = face.px_per_mm
    small = cv2.resize(skin.matte, skin.rgb.shape[1::-1], interpolation=cv2.INTER_AREA)
    low = masked_blur(luminance(linear(skin.rgb)), (small > 0.5).astype(np.float32), KEEP_MM * mm / BLOCK)
    light = estimate_light(low, skin.normals, small)
    if parameters.lamp is not None:
        light = replace(light, direction=parameters.lamp)
    brightness = brightness_of(skin.luma)
    noise = source_noise(bands_of(brightness), brightness, skin.matte)
    sharp = sharpness_of(skin.luma, _features(face, (skin.luma.shape[0], skin.luma.shape[1])))
    return measure(skin, material, light, mm, parameters, sharp, noise, soft)


def _features(face: Face, shape: tuple[int, int]) -> F32:
    """Eyes and brows: what in a face is as sharp as the lens was."""
    out = np.zeros(shape, np.float32)
    for group in (*EYES, *BROWS):
        out = np.maximum(out, filled(shape, face.points[list(group), :2]))
    return (out > 0.5).astype(np.float32)
