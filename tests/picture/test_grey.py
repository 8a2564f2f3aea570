"""Grey pictures of one channel are finished like grey pictures of three."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import grainkit as gk
from grainkit.effects.base import Analysed
from grainkit.effects.print_sharpening.parameters import Sharpening
from grainkit.effects.print_sharpening.stage import sharpened
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.effects.skin_texture.stage import skin_stage
from grainkit.picture.color import SRGB_STILL, Color
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import PlanesOfRgb
from samples.draw import codes, portrait

ONLY = ("skin_texture.strength=1", "highlight_guard.strength=0", "cinema_grain.strength=0", "delivery.fit=keep")


@pytest.fixture(scope="module")
def grey():
    rgb = codes(portrait(300, 400), 8).astype(np.float32)
    return np.rint(rgb @ np.array([0.2126, 0.7152, 0.0722], np.float32)).astype(np.uint8)


def term_of(samples, moving=False):
    color = replace(SRGB_STILL, depth=32)  # of planes as the pass gets them
    frame = Frame(PlanesOfRgb(samples, color), color, rgb=samples)
    (made,) = skin_stage(SkinTexture(strength=1.0), 3, moves=moving).stream([Analysed(frame)])
    return made.term


@pytest.mark.parametrize("moving", [False, True])
def test_one_channel_gets_the_relief_that_three_get(grey, moving):
    one, three = term_of(grey, moving), term_of(np.repeat(grey[..., None], 3, axis=2), moving)
    assert one is not None
    assert (one.top, one.left, one.luma.shape) == (three.top, three.left, three.luma.shape)
    assert np.abs(one.luma).max() > 200
    assert np.abs(one.luma.astype(int) - three.luma).max() <= 8  # of 16384: luma of three rounds otherwise


@pytest.mark.parametrize("name", ["o.png", "o.jpg", "o.tif"])
def test_a_grey_still_is_textured_and_stays_grey(grey, name, tmp_path):
    Image.fromarray(grey).save(tmp_path / "p.png")
    report = gk.finish(tmp_path / "p.png", tmp_path / name, settings=ONLY, adapt=False)
    with Image.open(tmp_path / name) as made:
        assert made.mode == "L"
        moved = np.asarray(made).astype(int) - grey
    assert (moved != 0).mean() > 0.02
    assert "no skin was found" not in " ".join(report.notes)
    assert yaml.safe_load(Path(report.sidecar).read_text())["touched"]["generated"] == ["skin_texture"]


def test_skin_of_a_grey_print_is_spared_by_sharpening(grey):
    planes = (grey.astype(np.float32) / 255,)
    color = Color(depth=32, subsampling=(1, 1))
    one = sharpened(Frame(planes, color), Sharpening(1.5, 1.2)).planes[0]
    neutral = np.zeros_like(planes[0])
    three = sharpened(Frame((planes[0], neutral, neutral), color), Sharpening(1.5, 1.2)).planes[0]
    np.testing.assert_allclose(one, three, atol=1e-5)
