"""Platform encodes in memory: every codec comes back, rates are met, and the same pictures give the same bits."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest

from grainkit.codec.encoder import ENCODERS, at_quality, at_rate
from grainkit.codec.proxies import in_jpeg_matrix, still_through, uploaded
from grainkit.codec.viewer import as_platform, as_seen, brightest, platform_geometry, unclamped_rgb
from grainkit.io.delivery import StillDelivery
from grainkit.picture.color import SRGB_STILL, Color, Range
from grainkit.picture.frame import Frame
from grainkit.picture.resample import Geometry
from grainkit.picture.rgb import planes_from_rgb
from grainkit.recipe.targets import Proxy, label, suits

RATE = Fraction(24)


def window(frames=6, width=128, height=96, noise=3.0, seed=0):
    """A ramp that drifts, with noise: 8-bit 4:2:0 limited."""
    rng = np.random.default_rng(seed)
    x = np.arange(width)
    found = []
    for index in range(frames):
        luma = 110 + 60 * np.sin((x + 3 * index) / 20)[None] + rng.normal(0, noise, (height, width))
        grey = np.full((height // 2, width // 2), 128, np.uint8)
        found.append(Frame((np.clip(luma, 16, 235).astype(np.uint8), grey, grey + 6), Color(), index))
    return tuple(found)


@pytest.fixture(scope="module")
def threads():
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.mark.parametrize("codec", list(ENCODERS))
def test_every_codec_there_and_back_twice_the_same(codec, threads):
    windows = [window(), window(seed=1)]
    first, second = (at_quality(ENCODERS[codec], windows, RATE, 24, threads) for _ in range(2))
    assert first.kbps == second.kbps
    assert len(first.qps) >= 10
    assert [len(run) for run in first.windows] == [6, 6]
    for run, again, sent in zip(first.windows, second.windows, windows, strict=True):
        for one, other, before in zip(run, again, sent, strict=True):
            assert all((a == b).all() for a, b in zip(one.planes, other.planes, strict=True))
            assert one.index == before.index
            assert np.abs(one.planes[0].astype(int) - before.planes[0]).mean() < 6
            assert np.abs(one.planes[2].astype(int) - 134).max() < 6


@pytest.mark.parametrize(("codec", "kbps"), [("x264", 300), ("x265", 100), ("vp9", 300), ("av1", 300)])
def test_a_rate_is_met_for_a_stream_of_two_seconds_a_group(codec, kbps, threads):
    got = at_rate(ENCODERS[codec], [window(8)], RATE, kbps, threads)
    assert got.kbps == pytest.approx(kbps, rel=0.2)


def test_a_second_rate_goes_on_from_what_was_tried_for_the_first(threads):
    windows, tried = [window(8)], {}
    first = at_rate(ENCODERS["x264"], windows, RATE, 300, threads, tried=tried)
    count = len(tried)
    assert first.crf in tried
    again = at_rate(ENCODERS["x264"], windows, RATE, 300, threads, tried=tried)
    assert (again.crf, again.kbps, len(tried)) == (first.crf, first.kbps, count)
    second = at_rate(ENCODERS["x264"], windows, RATE, 200, threads, tried=tried)
    assert second.kbps == pytest.approx(200, rel=0.2)


def test_a_rate_that_cannot_be_met_ends_at_the_codecs_best(threads):
    assert at_rate(ENCODERS["x264"], [window()], RATE, 1_000_000, threads).crf == ENCODERS["x264"].crf[0]
    assert at_rate(ENCODERS["x264"], [window()], RATE, 1, threads).crf == ENCODERS["x264"].crf[1]


def test_a_single_frame_is_a_stream_of_key_frames(threads):
    one = at_quality(ENCODERS["x264"], [window(1)], RATE, 24, threads)
    assert one.kbps > at_quality(ENCODERS["x264"], [window(6)], RATE, 24, threads).kbps


def test_a_platform_fits_a_delivery_into_its_box_and_never_enlarges():
    upright = Proxy(codec="x264", kbps=600, width=720, height=1280)
    assert platform_geometry(1080, 1920, upright, turn=False).size == (720, 1280)
    assert platform_geometry(1080, 1350, upright, turn=False).size == (720, 900)
    assert platform_geometry(1920, 1080, upright, turn=True).size == (1280, 720)
    assert platform_geometry(360, 640, upright, turn=False).size == (360, 640)
    assert platform_geometry(1080, 1920, Proxy(codec="x264", crf=30), turn=False).size == (1080, 1920)


def test_what_a_platform_encodes_is_8_bit_limited_420():
    deep = window()[0]
    planes = tuple(p.astype(np.uint16) * 4 for p in deep.planes)
    ten = Frame(planes, Color(depth=10))
    same = as_platform(ten, Geometry.same(128, 96))
    assert same.color.depth == 8
    assert all((a == b).all() for a, b in zip(same.planes, deep.planes, strict=True))
    full = Frame(planes_from_rgb(np.full((40, 60, 3), 255, np.uint8), SRGB_STILL), SRGB_STILL)
    full = as_platform(Frame(full.planes, Color(depth=32, subsampling=(1, 1), range=Range.FULL)), Geometry.same(60, 40))
    assert (full.planes[0] == 235).all()
    assert full.planes[1].shape == (20, 30)
    untouched = window()[0]
    assert as_platform(untouched, Geometry.same(128, 96)) is untouched


def test_what_a_viewer_sees_is_not_clipped():
    planes = (np.full((8, 8), 250, np.uint8), np.full((4, 4), 128, np.uint8), np.full((4, 4), 128, np.uint8))
    assert brightest(as_seen(Frame(planes, Color()))).max() == pytest.approx((250 - 16) / 219)
    rgb = np.random.default_rng(0).random((6, 8, 3)).astype(np.float32)
    back = unclamped_rgb(Frame(planes_from_rgb(rgb, SRGB_STILL), Color(depth=32, subsampling=(1, 1))))
    np.testing.assert_allclose(np.stack(back, 2), rgb, atol=1e-6)


def test_a_jpeg_comes_back_in_a_matrix_that_compares():
    y, x = np.mgrid[0:64, 0:80]
    rgb = np.stack([120 + x, 60 + y, 200 - x], 2).astype(np.uint8)
    decoded, size = still_through(Proxy(quality=95, subsampling="4:4:4"), rgb)
    assert size > 500
    for a, b in zip(decoded.planes, in_jpeg_matrix(rgb).planes, strict=True):
        assert np.abs(a - b).mean() < 0.004
    rec709 = Frame(planes_from_rgb(rgb, SRGB_STILL), Color(depth=32, subsampling=(1, 1)))
    for a, b in zip(in_jpeg_matrix(rec709).planes, in_jpeg_matrix(rgb).planes, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)


def test_what_is_uploaded_is_the_delivered_file():
    rgb = (np.random.default_rng(0).random((32, 48, 3)) * 255).astype(np.uint8)
    assert (uploaded(rgb, StillDelivery("png")) == rgb).all()
    assert (uploaded(rgb.astype(np.uint16) * 257, StillDelivery("png", 16)) == rgb).all()
    assert uploaded(rgb[..., 0], StillDelivery("png")).shape == (32, 48, 3)
    lossy = uploaded(rgb, StillDelivery("jpeg", quality=80))
    assert 1 < np.abs(lossy.astype(int) - rgb).mean() < 20


def test_a_proxy_has_a_name_and_a_kind():
    assert label(Proxy(quality=75)) == "jpeg q75 4:2:0"
    assert label(Proxy(codec="x264", kbps=600, width=720, height=1280)) == "x264 600 kb/s in 720x1280"
    assert label(Proxy(codec="av1", crf=35)) == "av1 crf 35"
    assert suits(Proxy(quality=75), "still")
    assert not suits(Proxy(quality=75), "clip")
    assert suits(Proxy(codec="vp9", crf=35), "clip")
