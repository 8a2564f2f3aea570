"""What texture adds: as much as is missing, lit by the picture, and nothing else moved."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from grainkit.effects.skin_texture import clip_skin
from grainkit.effects.skin_texture.blocks import masked_blur, means
from grainkit.effects.skin_texture.energy import bands_of, deviation, linear, luminance
from grainkit.effects.skin_texture.layer import _band_statistics, _fill, measure, target
from grainkit.effects.skin_texture.sample import sample
from tests.skin import FEATURES, PLAIN, atlas, found

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def textured(f, layer):
    """The portrait with the layer added, float32 R'G'B'."""
    y = f.rgb @ LUMA
    cb, cr = (f.rgb[..., 2] - y) / 1.8556 + layer.cb, (f.rgb[..., 0] - y) / 1.5748 + layer.cr
    y = y * (1 + layer.gain)
    r, b = y + 1.5748 * cr, y + 1.8556 * cb
    return np.stack([r, (y - 0.2126 * r - 0.0722 * b) / 0.7152, b], -1).astype(np.float32)


def contrast(rgb, sure):
    inner = cv2.erode(sure, np.ones((9, 9)))
    return np.array([deviation(b, inner) for b in bands_of(np.log(luminance(linear(rgb)) + 0.004), sure)])


@pytest.fixture(scope="module")
def made():
    f = found()
    statistics = measure(f.skin, f.material, f.light, f.face.px_per_mm, PLAIN)
    return f, statistics, f.layer(statistics, PLAIN)


@pytest.fixture(scope="module")
def cheek(made):
    """Skin away from edges and shine, where band statistics mean texture."""
    f, _, _ = made
    flat = masked_blur(np.abs(cv2.Laplacian(f.rgb @ LUMA, cv2.CV_32F)), np.ones_like(f.matte), 4) < 0.004
    return ((f.matte > 0.8) & flat & (f.rgb.max(-1) < 0.9)).astype(np.float32)


def test_waxy_skin_is_filled_up_to_what_a_photograph_shows(made, cheek):
    f, statistics, layer = made
    before, after = contrast(f.rgb, cheek), contrast(textured(f, layer), cheek)
    wanted = target(statistics.px_per_mm)
    assert before[0] < 0.4 * wanted[0]
    plasticity = np.mean(20 * np.log10(wanted[:2] / after[:2]))
    assert -2.5 < plasticity < 3.5
    assert after[3] < 1.3 * before[3] + 0.004


def test_on_clips_texture_that_moves_by_half_a_px_stays_itself(made, cheek):
    """What is finer than two px or so comes out otherwise at every part of a px: on a moving face it scintillates."""
    f, _, _ = made
    inner = cv2.erode(cheek, np.ones((9, 9))) > 0
    back = np.array([[1, 0, -0.5], [0, 1, 0]], np.float32)

    def change(bias: float, soft: float) -> float:
        moved = replace(f.skin.uv, left=f.skin.uv.left + 0.5)
        materials = [sample(atlas(), uv, f.matte > 0, bias) for uv in (f.skin.uv, moved)]
        statistics = measure(f.skin, materials[0], f.light, f.face.px_per_mm, PLAIN, soft=soft)
        here, there = (replace(f, material=m).layer(statistics, PLAIN).gain for m in materials)
        there = cv2.warpAffine(there, back, there.shape[::-1], flags=cv2.INTER_LANCZOS4)
        return float((here - there)[inner].std() / np.sqrt(2) / here[inner].std())

    assert change(clip_skin.BIAS, clip_skin.SOFT) < 0.15
    assert change(clip_skin.BIAS, clip_skin.SOFT) < 0.6 * change(clip_skin.BIAS, 0.0)


def test_bands_run_into_one_another_as_the_response_says():
    """A band times a gain shows in the next ones: what the fill solves for."""
    total = np.random.default_rng(3).standard_normal((160, 160)).astype(np.float32)
    bands, response = _band_statistics(total, np.ones_like(total))
    gains = np.array([1.0, 2.0, 1.0, 0.0], np.float32)
    seen = bands_of(sum(g * b for g, b in zip(gains, bands_of(total), strict=True)))
    assert [b.std() for b in seen[:3]] == pytest.approx((response @ gains)[:3], rel=0.1)
    assert (response @ np.ones(4) < np.array(bands)).all()


def test_the_fill_is_what_brings_the_bands_to_what_is_asked():
    response = np.array([[1.5, 0.4, 0, 0], [0.3, 0.6, 0.2, 0], [0, 0.1, 0.3, 0.05], [0, 0, 0.05, 0.1]], np.float32)
    wanted = np.array([0.9, 0.8, 0.4, 0.1], np.float32)
    asked = np.square(response @ wanted)
    energy, ones = np.zeros((1, 2, 4), np.float32), np.ones((1, 2), np.float32)
    energy[0, 1] = 4 * asked
    gains, lack = np.zeros_like(energy), np.zeros_like(ones)
    _fill(energy, ones, ones, ones, asked, np.zeros(4, np.float32), response, gains, lack)
    assert gains[0, 0] == pytest.approx(wanted, abs=0.1)
    assert lack[0, 0] == pytest.approx(1)
    assert not gains[0, 1].any()
    assert lack[0, 1] == 0


def test_foreshortened_skin_gets_less(made):
    f, statistics, _ = made
    turned = f.skin.normals.copy()
    turned[...] = np.array([0.866, 0.0, 0.5], np.float32)
    faced = turned * 0 + np.array([0.0, 0.0, 1.0], np.float32)
    sure = (f.matte > 0.8).astype(np.float32)
    flat = replace(PLAIN, relief=0.0, pigment=0.0)
    rim, middle = (deviation(f.layer(statistics, flat, replace(f.skin, normals=n)).gain, sure) for n in (turned, faced))
    assert rim < 0.9 * middle


def test_old_skin_is_more_uneven_in_colour(made, cheek):
    f, statistics, _ = made
    even = replace(PLAIN, relief=0.0, cavity=0.0, pores=0.0)
    adult, senior = (deviation(f.layer(statistics, replace(even, age=a)).cr, cheek) for a in ("adult", "senior"))
    assert senior > 1.5 * adult


def test_skin_that_is_textured_already_gets_next_to_nothing(made, cheek):
    f, statistics, layer = made
    rich = textured(f, f.layer(statistics, replace(PLAIN, strength=2.0)))
    rich = np.clip(rich, 0, 1)
    again = f.layer(statistics, PLAIN, replace(f.skin, luma=luminance(rich), rgb=means(rich)))
    assert deviation(again.gain, cheek) < 0.45 * deviation(layer.gain, cheek)


def test_dark_pores_make_it_skewed_as_skin_is(made, cheek):
    _, _, layer = made
    values = layer.gain[cheek > 0]
    z = (values - values.mean()) / values.std()
    assert -1.2 < (z**3).mean() < -0.1


def test_low_frequencies_and_colour_do_not_move(made):
    f, statistics, layer = made
    after = textured(f, layer)
    sure = (f.matte > 0.5).astype(np.float32)
    for c in range(3):
        moved = masked_blur(after[..., c] - f.rgb[..., c], sure, 4 * statistics.px_per_mm)[sure > 0]
        assert abs(moved).mean() * 255 < 0.12
        assert np.percentile(np.abs(moved), 95) * 255 < 0.5


def test_nothing_happens_outside_the_matte_or_on_eyes_and_lips(made):
    f, _, layer = made
    for plane in (layer.gain, layer.cb, layer.cr):
        assert not plane[f.matte <= 0].any()
    features = f.cover(*FEATURES)
    assert np.abs(textured(f, layer) - f.rgb)[features].max() * 255 < 1


def test_zero_strength_is_nothing(made):
    f, statistics, _ = made
    layer = f.layer(statistics, replace(PLAIN, strength=0.0))
    assert not layer.gain.any()
    assert not layer.cb.any()


def test_texture_follows_the_light(made, cheek):
    """A lamp on the other side turns the relief; a lamp at the camera leaves less of it."""
    f, statistics, _ = made
    x, y, z = f.light.direction

    def lit(direction):
        light = replace(f.light, direction=direction)
        relief = replace(PLAIN, cavity=0.0, pores=0.0, pigment=0.0)
        return f.layer(replace(statistics, light=light), relief).gain

    same, mirrored, frontal = lit((x, y, z)), lit((-x, y, z)), lit((0.0, 0.0, 1.0))
    inside = cheek > 0
    assert np.corrcoef(same[inside], mirrored[inside])[0, 1] < 0.6
    assert frontal[inside].std() < 0.75 * same[inside].std()


def test_one_frame_is_one_layer(made):
    f, statistics, layer = made
    again = f.layer(statistics, PLAIN)
    assert np.array_equal(layer.gain, again.gain)
    assert np.array_equal(layer.cr, again.cr)
