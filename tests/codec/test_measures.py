"""What the measures after a codec say of damage that is known."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from grainkit.codec.measures import Moment, measure
from grainkit.codec.regions import Found, Zone, highlights, smooth_areas
from grainkit.codec.viewer import as_seen
from grainkit.picture.color import Color, ycc_matrix
from grainkit.picture.frame import Frame
from grainkit.picture.resample import Geometry

COLOR = Color(depth=32, subsampling=(1, 1))
SHAPE = (96, 128)
NOBODY = Found(np.zeros(SHAPE, bool), np.zeros(SHAPE, bool))


def frame(luma, cb=0.0, cr=0.0):
    planes = [np.broadcast_to(np.asarray(p, np.float32), SHAPE).copy() for p in (luma, cb, cr)]
    return Frame(tuple(planes), COLOR)


def coloured(r, g, b):
    """One colour everywhere."""
    return frame(*(ycc_matrix(0.2126, 0.0722) @ np.array([r, g, b])))


def grain(seed=0, sigma=1.0, codes=3.0):
    field = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=SHAPE), (0, 0), sigma)
    return (field / field.std() * codes / 255).astype(np.float32)


GREY = frame(0.5)


def one(untreated, treated, decoded, found=NOBODY):
    return measure([[Moment(untreated, treated, decoded)]], [found])


def test_a_perfect_codec_keeps_all():
    grainy = frame(0.5 + grain())
    got = one(GREY, grainy, grainy)
    assert got.rho == pytest.approx(1)
    assert got.retained == pytest.approx(1)
    assert got.dead == 0
    assert got.highlights_share is got.p999 is got.freeze is got.flicker is None


def test_rho_is_the_share_of_the_pattern_and_does_not_see_other_noise():
    half = frame(0.5 + 0.5 * grain())
    assert one(GREY, frame(0.5 + grain()), half).rho == pytest.approx(0.5, abs=0.01)
    other = frame(0.5 + grain(seed=9))
    assert abs(one(GREY, frame(0.5 + grain()), other).rho) < 0.05
    assert one(GREY, frame(0.5 + grain()), other).retained == pytest.approx(1, abs=0.1)
    assert one(GREY, frame(0.5 + grain(codes=0.2)), GREY).rho is None


def test_blocks_that_lose_over_half_their_texture_are_dead():
    decoded = 0.5 + grain()
    decoded[:, :64] = 0.5 + 0.3 * grain()[:, :64]
    got = one(GREY, frame(0.5 + grain()), frame(decoded))
    assert got.dead == pytest.approx(0.5, abs=0.1)
    only = np.zeros(SHAPE, bool)
    only[:, 72:] = True
    assert one(GREY, frame(0.5 + grain()), frame(decoded), Found(only, NOBODY.ring)).dead == 0


def test_frozen_texture_is_told_from_fresh():
    def run(*decoded):
        return measure([[Moment(GREY, GREY, frame(0.5 + each)) for each in decoded]], [NOBODY])

    assert run(grain(1), grain(1), grain(1)).freeze == pytest.approx(1)
    assert abs(run(grain(1), grain(2), grain(3)).freeze) < 0.05
    assert run(grain(1), grain(2), grain(3)).pulse < 0.05
    assert run(grain(1), 0.5 * grain(2), grain(3), 0.5 * grain(4)).pulse == pytest.approx(1 / 3, abs=0.03)


def test_time_stops_at_a_window():
    windows = [[Moment(GREY, GREY, frame(0.5 + grain(n)))] for n in (1, 1)]
    assert measure(windows, [NOBODY, NOBODY]).freeze is None


def test_clipping_is_counted_beyond_white():
    light = frame(0.95)
    decoded = np.full(SHAPE, 0.95)
    decoded[:24] = 1.04
    got = one(light, light, frame(decoded))
    assert got.highlights_share == pytest.approx(0.25)
    assert got.p999 == pytest.approx(1.04 * 255, abs=0.3)
    assert got.luma_given_up == 0
    assert one(light, frame(0.94), frame(0.94)).luma_given_up == pytest.approx(2.55, abs=0.01)


def test_highlights_that_are_known_already_measure_the_same():
    light, treated, decoded = (np.full(SHAPE, 0.4) for _ in range(3))
    light[30:60, 50:90], treated[30:60, 50:90], decoded[30:60, 50:90] = 1.0, 0.98, 1.02
    color = replace(COLOR, depth=8, subsampling=(2, 2))
    rng = np.random.default_rng(3)
    chroma = [rng.integers(118, 138, (SHAPE[0] // 2, SHAPE[1] // 2)).astype(np.uint8) for _ in range(2)]
    moment = [Frame((np.rint(16 + 219 * luma).astype(np.uint8), *chroma), color) for luma in (light, treated, decoded)]
    zone = Zone.of(moment[0])
    assert zone.mask.shape < SHAPE
    whole = Zone(Geometry.same(*SHAPE[::-1]), np.zeros(SHAPE, bool), zone.planes)
    whole.mask[30:60, 50:90] = highlights(as_seen(moment[0]))[30:60, 50:90]
    found = [measure([[Moment(*moment, known)]], [NOBODY]) for known in (None, zone, whole)]
    assert found[0] == found[1]
    assert found[1].highlights_share > 0.9
    for name in ("highlights_share", "p999", "hue_degrees", "luma_given_up"):
        assert getattr(found[2], name) == pytest.approx(getattr(found[1], name), abs=0.02)


def test_hue_error_is_the_angle_and_neutral_has_none():
    amber, turned = coloured(0.95, 0.7, 0.4), coloured(0.95, 0.7, 0.4)
    angle = np.radians(10)
    cb, cr = turned.planes[1], turned.planes[2]
    planes = (turned.planes[0], np.cos(angle) * cb - np.sin(angle) * cr, np.sin(angle) * cb + np.cos(angle) * cr)
    assert one(amber, amber, replace(turned, planes=planes)).hue_degrees == pytest.approx(10, abs=0.01)
    assert one(amber, amber, amber).hue_degrees == pytest.approx(0, abs=0.01)
    assert one(frame(0.95), frame(0.95), frame(0.95, 0.01)).hue_degrees is None


def test_bands_and_blocks_are_seen():
    y = np.linspace(0.2, 0.26, SHAPE[1])
    smooth = frame(np.tile(y, (SHAPE[0], 1)))
    banded = frame(np.tile(np.rint(y * 219) / 219, (SHAPE[0], 1)))
    assert one(smooth, smooth, banded).cambi > 5
    assert one(smooth, smooth, frame(smooth.planes[0] + grain(codes=2))).cambi < 0.5
    blocks = np.kron(np.random.default_rng(1).normal(0, 0.01, (12, 16)), np.ones((8, 8)))
    assert one(GREY, GREY, frame(0.5 + blocks + grain(codes=0.5))).blocking > 3
    assert one(GREY, GREY, frame(0.5 + grain())).blocking == pytest.approx(1, abs=0.1)


def test_a_contour_that_bubbles_flickers():
    ring = np.zeros(SHAPE, bool)
    ring[30:40] = True
    people = Found(np.zeros(SHAPE, bool), ring)

    def run(*errors):
        return measure([[Moment(GREY, GREY, frame(0.5 + each)) for each in errors]], [people]).flicker

    still = run(grain(1, 2.5), grain(1, 2.5))
    assert still == pytest.approx(0, abs=1e-5)
    assert run(grain(1, 2.5), grain(2, 2.5)) > 1
    elsewhere = np.zeros(SHAPE, np.float32)
    elsewhere[70:] = 0.05
    assert run(np.zeros(SHAPE), elsewhere) < 0.01


def test_regions_are_what_they_say():
    luma = np.full(SHAPE, 0.4, np.float32)
    luma[:, 64:] += grain(codes=6)[:, 64:]
    smooth = smooth_areas(luma)
    assert smooth[:, :40].all()
    assert not smooth[:, 90:].any()
    assert highlights(coloured(0.9, 0.3, 0.3)).all()
    assert not highlights(coloured(0.85, 0.85, 0.85)).any()
