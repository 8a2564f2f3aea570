"""The lamp is found where it stood."""

from __future__ import annotations

import numpy as np
import pytest

from grainkit.analysis.light import Light, estimate_light
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.errors import RecipeError
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


@pytest.mark.parametrize(
    ("said", "direction"),
    [
        ("0/0", (0, 0, 1)),
        ("-90/0", (-1, 0, 0)),
        ("90/0", (1, 0, 0)),
        ("0/90", (0, -1, 0)),
        ("0/-90", (0, 1, 0)),
        ("-60/20", (-0.813798, -0.342020, 0.469846)),
        ("+12.5/-0.5", (0.216432, 0.008727, 0.976259)),
    ],
)
def test_a_declared_lamp_stands_where_the_angles_say(said, direction):
    lamp = SkinTexture(light=said).lamp
    assert lamp == pytest.approx(direction, abs=1e-6)
    light = Light(lamp, 1.0, 0.1)
    if abs(lamp[1]) < 1:  # straight above or below, every azimuth is the same
        assert light.azimuth == pytest.approx(float(said.split("/")[0]), abs=1e-6)
    assert light.elevation == pytest.approx(float(said.split("/")[1]), abs=1e-6)
    assert light.grazing == pytest.approx(np.hypot(lamp[0], lamp[1]))


def test_nothing_declared_is_no_lamp():
    assert SkinTexture().light == "auto"
    assert SkinTexture().lamp is None


@pytest.mark.parametrize(
    "said", ["-90.1/0", "0/91", "180/0", "left", "30", "30/", "/30", "30/20/10", "nan/0", "1e1/0", "90.1/0", "0/0 ", ""]
)
def test_what_is_no_lamp_is_refused_in_one_line(said):
    with pytest.raises(
        RecipeError, match=r"skin_texture\.light = .* is not allowed; it is auto, or AZIMUTH/ELEVATION in"
    ) as refused:
        SkinTexture(light=said)
    assert "\n" not in str(refused.value)
