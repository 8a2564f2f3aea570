"""Noise is measured where nothing should be, and texture is not taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from grainkit.analysis.source_noise import source_noise
from grainkit.effects.skin_texture.layer import bands_of, deviation

SHAPE = (480, 640)


def scene(noise: float, texture: float = 0.0) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Bands, ln Y and skin of a wall with skin on the right-hand third; texture is on the skin alone."""
    random = np.random.default_rng(5)
    skin = np.zeros(SHAPE, np.float32)
    skin[:, 430:] = 1
    brightness = np.log(0.3 + 0.1 * np.linspace(0, 1, SHAPE[1], dtype=np.float32))[None].repeat(SHAPE[0], 0)
    brightness = brightness + random.normal(0, 1, SHAPE).astype(np.float32) * (noise + texture * skin)
    return bands_of(brightness), brightness, skin


@pytest.mark.parametrize("noise", [0.004, 0.02])
def test_the_noise_of_a_wall_is_found(noise):
    bands, brightness, skin = scene(noise, texture=0.03)
    wall = np.ones(SHAPE, np.float32)
    wall[:, 400:] = 0
    found = source_noise(bands, brightness, skin)
    for k in (0, 1):
        assert found[k] == pytest.approx(deviation(bands[k], wall), rel=0.15)


def test_a_clean_wall_has_next_to_none():
    assert max(source_noise(*scene(0.0))) < 1e-3


def test_a_wall_that_is_mostly_texture_is_judged_by_its_flattest_part():
    _, brightness, skin = scene(0.005)
    rough = np.random.default_rng(1).normal(0, 0.1, SHAPE).astype(np.float32)
    rough[:, 300:] = 0
    brightness = brightness + rough
    assert source_noise(bands_of(brightness), brightness, skin)[0] < 0.006


@pytest.mark.parametrize("shape", [(480, 640), (16, 16), (1, 1)])
def test_nothing_but_skin_or_nothing_at_all_says_nothing(shape):
    plane = np.full(shape, -1.0, np.float32)
    assert source_noise([plane, plane], plane, np.ones(shape, np.float32)) == (0.0, 0.0)


def test_black_bars_are_no_measure_of_noise():
    bands, brightness, skin = scene(0.02)
    level = float(np.median(brightness))
    brightness[:200] = level
    bands = bands_of(brightness)
    bands = [np.where(np.arange(SHAPE[0])[:, None] < 190, 0, band).astype(np.float32) for band in bands]
    assert source_noise(bands, brightness, skin)[0] > 0.01
