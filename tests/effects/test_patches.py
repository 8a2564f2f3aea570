"""Highlight patches: a gain that the pass takes as a term, found by looking through the codec."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

import grainkit as gk
from grainkit.adapt.highlight_patches import found_patches
from grainkit.backends.cpu import CpuBackend
from grainkit.backends.pass_term import PassTerm
from grainkit.codec.jpeg import decoded, encoded
from grainkit.codec.proxies import Sent, in_jpeg_matrix
from grainkit.effects.base import Context, pass_tables
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.effects.highlights.patches import with_patches
from grainkit.errors import RecipeError
from grainkit.io.delivery import StillDelivery
from grainkit.job.finish import finish
from grainkit.picture.color import SRGB_STILL
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import planes_from_rgb, rgb_from_planes
from grainkit.recipe.targets import Proxy, Targets
from tests.drawn import clip

COLOR = replace(SRGB_STILL, depth=32)
DELIVERY = StillDelivery("jpeg", 8, quality=95, subsampling="4:4:4")


def burnt(width=320, height=240):
    """A darkish gradient with blown, coloured lamps with sharp edges in it: what overshoots in a JPEG."""
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([0.25 + 0.3 * x / width, 0.2 + 0.3 * y / height, 0.3 + 0 * x], -1)
    for n in range(24):
        cx, cy = 20 + 53 * n % width, 20 + 31 * n % height
        lamp = (x - cx) ** 2 + (y - cy) ** 2 < (5 + n % 9) ** 2
        picture[lamp] = (1.0, 1.0 - 0.03 * (n % 3), 0.98 - 0.05 * (n % 4))
    return np.rint(255 * cv2.GaussianBlur(picture, (0, 0), 0.8)).astype(np.uint8)


def frame_of(rgb):
    return Frame(planes_from_rgb(rgb, COLOR), COLOR)


@pytest.fixture(scope="module")
def cpu():
    backend = CpuBackend()
    yield backend
    backend.close()


def tables_of(frame, guard):
    none = CinemaGrain(strength=0.0)
    return pass_tables(
        (guard, none), Context(source=COLOR, target=COLOR, width=frame.width, height=frame.height, seed=0)
    )


@pytest.mark.parametrize("guard", [HighlightGuard(knee=0.85, ceiling=0.95), HighlightGuard(strength=0.5)])
@pytest.mark.parametrize("relief", [False, True])
def test_the_term_scales_the_finished_picture_and_keeps_the_texture(cpu, guard, relief):
    frame = frame_of(burnt())
    rng = np.random.default_rng(1)
    gain = np.ones((240, 320), np.float32)
    gain[40:90, 30:130] = rng.uniform(0.9, 1.0, (50, 100)).astype(np.float32)
    term = None
    if relief:
        luma, cb, cr = (rng.integers(-90, 90, (60, 70)).astype(np.int16) for _ in range(3))
        term = PassTerm(20, 100, luma, cb, cr)
    tables = tables_of(frame, guard)
    plain = cpu.finish(frame, tables, term)
    patched = cpu.finish(frame, tables, with_patches(frame, gain, tables.shoulder, term))
    for before, after in zip(plain.planes, patched.planes, strict=True):
        np.testing.assert_allclose(after, before * gain, atol=2e-4)
        assert np.array_equal(after[gain == 1], before[gain == 1])


def test_a_gain_of_one_asks_for_nothing():
    frame = frame_of(burnt())
    ones = np.ones((240, 320), np.float32)
    assert with_patches(frame, ones, HighlightGuard().shoulder, None) is None
    term = PassTerm(0, 0, *(np.ones((4, 4), np.int16) for _ in range(3)))
    assert with_patches(frame, ones, HighlightGuard().shoulder, term) is term


def test_grey_pictures_are_patched_too(cpu):
    luma = np.full((32, 32), 0.99, np.float32)
    frame, gain = Frame((luma,), COLOR), np.full((32, 32), 0.95, np.float32)
    tables = tables_of(frame, HighlightGuard())
    patched = cpu.finish(frame, tables, with_patches(frame, gain, tables.shoulder, None)).planes[0]
    np.testing.assert_allclose(patched, 0.95 * cpu.finish(frame, tables).planes[0], atol=1e-4)


def looks_of(cpu, targets, rounds=4, qualities=(75, 65)):
    rgb = burnt()
    frame = frame_of(rgb)
    tables = tables_of(frame, HighlightGuard(knee=0.9, ceiling=0.9804))

    def make(gain):
        done = cpu.finish(frame, tables, with_patches(frame, gain, tables.shoulder, None))
        return replace(done, rgb=rgb_from_planes(done.planes, COLOR, np.uint8, origin=rgb))

    proxies = [Proxy(quality=quality) for quality in qualities]
    found, sent = found_patches(
        lambda gain: Sent.of(make(gain), DELIVERY, proxies), in_jpeg_matrix(frame), targets, rounds
    )
    # What comes with them is the picture with them.
    again = Sent.of(make(found.gain), DELIVERY, proxies)
    assert sent.sizes == again.sizes
    assert np.array_equal(sent.treated.planes, again.treated.planes)
    assert all(np.array_equal(a.planes, b.planes) for a, b in zip(sent.decoded, again.decoded, strict=True))
    return found, make


def test_what_decodes_above_white_is_pulled_down_on_the_worst_proxy(cpu):
    targets = Targets(luma_given_up=20.0)
    found, make = looks_of(cpu, targets)
    assert found.looks[0].highlights_share > 0.02
    assert found.looks[0].p999 > 260
    assert found.looks[-1].within(targets)
    assert 1 <= found.rounds <= 4
    alone, _ = looks_of(cpu, targets, qualities=(75,))
    assert found.looks[0].p999 > alone.looks[0].p999
    # Nothing else moves.
    before, after = (make(gain).rgb.astype(int) for gain in (np.ones_like(found.gain), found.gain))
    assert np.array_equal(before[found.gain == 1], after[found.gain == 1])
    assert 0.2 < (found.gain == 1).mean() < 1
    again, _ = looks_of(cpu, targets)
    assert np.array_equal(again.gain, found.gain)


def test_light_is_given_up_only_as_far_as_it_may_be(cpu):
    free, _ = looks_of(cpu, Targets(luma_given_up=20.0))
    limit = (free.looks[0].luma_given_up + free.looks[1].luma_given_up) / 2
    held, _ = looks_of(cpu, Targets(luma_given_up=limit))
    assert limit * 0.9 < held.looks[-1].luma_given_up <= limit
    assert free.looks[-1].highlights_share < held.looks[-1].highlights_share < held.looks[0].highlights_share
    none, _ = looks_of(cpu, Targets(luma_given_up=0.1))
    assert none.rounds == 0
    assert (none.gain == 1).all()
    assert looks_of(cpu, Targets(luma_given_up=20.0), rounds=1)[0].rounds == 1


def test_no_highlights_no_patches(cpu):
    rgb = np.full((64, 64, 3), 90, np.uint8)
    frame = replace(frame_of(rgb), rgb=rgb)
    sent = Sent.of(frame, DELIVERY, [Proxy(quality=75)])
    found, _ = found_patches(lambda gain: sent, in_jpeg_matrix(frame), Targets(), 4)
    assert found.rounds == 0
    assert found.looks == ()


# In a job


@pytest.mark.parametrize("settings", [[], ["delivery.upscale=true", "delivery.width=480", "delivery.height=480"]])
def test_a_job_delivers_what_was_tried_and_replays_it(tmp_path, settings):
    source = tmp_path / "a.png"
    Image.fromarray(burnt()).save(source)
    report = finish(source, tmp_path / "b.png", preset="social", settings=[*settings, "targets.luma_given_up=20"])
    told = yaml.safe_load(Path(report.sidecar).read_text())
    adapted = told["measured"]["adapt"]
    chosen = adapted["rounds"][adapted["chosen"] - 1]
    assert told["applied"]["highlight_guard"]["patches"] == len(chosen["patches"]) - 1 > 0
    assert chosen["patches"][-1]["p999"] <= 255 < chosen["patches"][0]["p999"]
    with Image.open(tmp_path / "b.png") as image:
        delivered = np.asarray(image.convert("RGB"))
    assert len(encoded(delivered, 75, "4:2:0")) == chosen["after"][0]["bytes"]
    assert finish(source, tmp_path / "c.png", recipe=report.sidecar).sha256 == report.sha256


def test_a_delivered_jpeg_is_what_was_tried(tmp_path):
    source = tmp_path / "a.png"
    Image.fromarray(burnt()).save(source)
    report = finish(source, tmp_path / "b.jpg", preset="social", pilot=True)
    adapted = yaml.safe_load(Path(report.sidecar).read_text())["measured"]["adapt"]
    chosen = adapted["rounds"][adapted["chosen"] - 1]
    sent = decoded((tmp_path / "b.jpg").read_bytes())
    assert len(encoded(sent, 75, "4:2:0")) == chosen["after"][0]["bytes"]


def test_patches_of_ones_own_need_no_adapting_and_zero_stays_zero(tmp_path):
    source = tmp_path / "a.png"
    Image.fromarray(burnt()).save(source)
    outputs = {
        n: finish(
            source,
            tmp_path / f"{n}.png",
            preset="social",
            adapt=False,
            settings=[f"highlight_guard.patches={n}", "targets.luma_given_up=20"],
        )
        for n in (0, 1)
    }
    assert outputs[0].sha256 != outputs[1].sha256
    for set_to in (0, 3):
        settings = [f"highlight_guard.patches={set_to}", "targets.luma_given_up=20"]
        held = finish(source, tmp_path / f"h{set_to}.png", preset="social", settings=settings)
        told = yaml.safe_load(Path(held.sidecar).read_text())
        assert told["applied"]["highlight_guard"]["patches"] == set_to
        assert all(("patches" in each) == (set_to > 0) for each in told["measured"]["adapt"]["rounds"])


def test_where_there_is_no_codec_to_look_through_it_says_so(tmp_path):
    source = tmp_path / "a.png"
    Image.fromarray(burnt()).save(source)
    asked = ["highlight_guard.patches=1"]
    with pytest.raises(RecipeError, match="preset print/photo names no platform"):
        finish(source, tmp_path / "b.tif", preset="print/photo", settings=asked)
    for adapt in (False, True):
        with pytest.raises(RecipeError, match=r"becomes a clip; use 0"):
            finish(clip(tmp_path / "c.nut"), tmp_path / "c.mp4", preset="social", settings=asked, adapt=adapt)
    with pytest.raises(RecipeError, match=r"use finish\(\), or set it to 0"):
        gk.finish_array(burnt(), preset="social", settings=tuple(asked))
