"""The lamp is found where it stood."""

from __future__ import annotations

import numpy as np
import pytest

from grainkit.analysis.light import estimate_light
from tests.skin import found


def ball(direction, ambient=0.1, key=0.8):
    y, x = np.mgrid[-1:1:200j, -1:1:200j]
    z = np.sqrt(np.maximum(1 - x**2 - y**2, 0))
    normals = np.stack([x, y, z], -1).astype(np.float32)
    skin = (x**2 + y**2 < 0.8).astype(np.float32)
    shade = ambient + key * np.maximum(normals @ np.array(direction, np.float32), 0)
    return shade.astype(np.float32), normals, skin


@pytest.mark.parametrize("azimuth", [-60, -30, 0, 30, 60])
def test_a_lamp_from_a_side_is_found_on_that_side(azimuth):
    a = np.radians(azimuth)
    light = estimate_light(*ball((np.sin(a), -0.2, np.cos(a))))
    assert np.degrees(np.arctan2(light.direction[0], light.direction[2])) == pytest.approx(azimuth, abs=20)
    assert np.linalg.norm(light.direction) == pytest.approx(1, abs=1e-6)
    assert light.key > light.ambient > 0


def test_mirroring_the_picture_mirrors_the_lamp():
    shade, normals, skin = ball((-0.6, -0.2, 0.77))
    light = estimate_light(shade, normals, skin)
    other = estimate_light(shade[:, ::-1], normals[:, ::-1] * np.array([-1, 1, 1], np.float32), skin[:, ::-1])
    assert other.direction[0] == pytest.approx(-light.direction[0], abs=1e-3)


def test_the_portrait_is_lit_from_the_left():
    light = found().light
    assert light.direction[0] < -0.2
    assert "left" in light.words()


def test_a_black_picture_gives_a_lamp_all_the_same():
    dark = np.zeros((40, 40), np.float32)
    light = estimate_light(dark, np.tile(np.float32([0, 0, 1]), (40, 40, 1)), np.ones_like(dark))
    assert np.isfinite(light.direction).all()
