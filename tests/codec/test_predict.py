"""Survival predicted in closed form, held against encodes."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import islice, product

import cv2
import numpy as np
import pytest
from PIL import Image

import grainkit as gk
from grainkit.analysis.picture import luma_of
from grainkit.codec.encoder import ENCODERS, at_quality
from grainkit.codec.jpeg import encoded, luma_table, round_trip
from grainkit.codec.predict import (
    TEXTURE_SIGMA,
    VIDEO_ROUNDING,
    Tones,
    band_energies,
    qp_that_leaves,
    survival,
    video_steps,
)
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.picture.noise import NoiseFilter
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe

SIZE = (576, 720)
ONLY_GRAIN = ("skin_texture.strength=0", "highlight_guard.strength=0")


def backdrop():
    """Smooth luma, 0.2 to 0.6."""
    y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    return (0.4 + 0.12 * np.sin(x / 300) + 0.08 * np.cos(y / 400)).astype(np.float32)


def texture(codes):
    return codes - cv2.GaussianBlur(codes, (0, 0), TEXTURE_SIGMA)


def rho(clean, before, after, place=...):
    pattern, left = texture(before - clean)[place], texture(after - clean)[place]
    return float((pattern * left).sum() / (pattern * pattern).sum())


def test_prediction_from_a_jpeg_table_holds_against_encodes():
    clean = backdrop()
    rgb = np.repeat(np.rint(clean * 255).astype(np.uint8)[..., None], 3, axis=2)
    errors = []
    for size, strength in product((0.8, 1.2, 1.8, 2.7), (1.0, 2.0, 4.0)):
        settings = (*ONLY_GRAIN, f"cinema_grain.strength={strength}", f"cinema_grain.size={size}")
        recipe = override(load_recipe("social"), settings)
        grainy = gk.finish_array(rgb, preset=recipe)
        grain = recipe.effect(CinemaGrain)
        before = (grainy.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)) / 255
        for quality in (60, 75, 85):
            decoded, _ = round_trip(grainy, quality, "4:2:0")
            predicted = survival(grain, grain.sigma_px(*SIZE[::-1], 0), Tones.of(clean), luma_table(quality))
            errors.append(rho(clean, before, decoded.planes[0]) - predicted)
    assert np.abs(errors).mean() < 0.03
    assert np.abs(errors).max() < 0.11


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["x264", "x265"])
def test_prediction_from_a_qp_holds_against_encodes(samples, codec):
    """On a picture with edges and flat places: adaptive quantisation would code a flat one finer than its QP says."""
    with gk.open_source(samples / "clip.mp4") as source:
        frames = list(islice(source, 6))
        info = source.info
    size = (info.width, info.height)
    clean = [luma_of(frame) for frame in frames]
    place = (clean[0] > 0.15) & (clean[0] < 0.8)
    errors = []
    with ThreadPoolExecutor(1) as threads:
        for strength, grain_size in ((4.0, 4.0), (8.0, 3.0)):
            settings = (*ONLY_GRAIN, f"cinema_grain.strength={strength}", f"cinema_grain.size={grain_size}")
            recipe = override(load_recipe("video"), settings)
            grain = recipe.for_kind("clip").effect(CinemaGrain)
            with gk.Finisher(recipe) as finisher:
                window = list(finisher.frames(frames, info))
            for crf in (18, 23, 28):
                done = at_quality(ENCODERS[codec], [window], info.rate, crf, threads)
                kept = [
                    rho(plain, luma_of(b), luma_of(a), place)
                    for plain, b, a in zip(clean, window, done.windows[0], strict=True)
                ]
                sigma, tones = grain.sigma_px(*size, 0), Tones.of(clean[0][place])
                shares = [survival(grain, sigma, tones, video_steps(qp), rounding=VIDEO_ROUNDING) for qp in done.qps]
                errors.append(float(np.mean(kept)) - float(np.mean(shares)))
    assert np.abs(errors).mean() < 0.07
    assert np.abs(errors).max() < 0.13


def test_more_is_left_of_stronger_and_coarser_grain_and_of_finer_steps():
    tones = Tones.of(backdrop())

    def left(strength=2.0, sigma=1.2, quality=75):
        return survival(CinemaGrain(strength=strength), sigma, tones, luma_table(quality))

    assert left(1.0) < left(2.0) < left(4.0)
    assert left(sigma=0.6) < left(sigma=1.0) < left(sigma=1.6)
    assert left(quality=60) < left(quality=75) < left(quality=90)
    assert 0 <= left(0.01) < left(24.0) <= 1


def test_a_downscale_leaves_the_coarse_and_takes_the_fine():
    fine, coarse = NoiseFilter.of_size(0.4, 0.4), NoiseFilter.of_size(2.5, 2.5)
    for noise in (fine, coarse):
        assert band_energies(noise).mean() == pytest.approx(1.0, rel=1e-6)
    assert band_energies(fine, 0.5).mean() < 0.6
    assert band_energies(coarse, 0.5).mean() > 0.9


def test_the_luma_table_is_the_files_own():
    table = luma_table(75)
    with Image.open(BytesIO(encoded(np.zeros((16, 16, 3), np.uint8), 75, "4:2:0"))) as image:
        assert table.ravel().tolist() == image.quantization[0]
    assert table[0, 0] == 8
    assert table[7, 7] == 50


def test_a_qp_is_told_from_what_it_left():
    tones, grain = Tones.of(backdrop()), CinemaGrain(strength=4.0)

    def left(qp):
        return survival(grain, 1.2, tones, video_steps(qp), rounding=VIDEO_ROUNDING)

    for qp in (18.0, 24.5, 31.0):
        assert qp_that_leaves(left(qp), left) == pytest.approx(qp, abs=0.2)
