"""What highlight protection promises: monotone, identity below the knee, hue held, ceiling kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.errors import RecipeError
from grainkit.picture.color import SRGB_STILL, Color, Transfer, luma_codes
from grainkit.picture.rgb import planes_from_rgb, rgb_from_planes
from tests.passes import NO_GRAIN, at_depth, dtype_of, neutral, run

GUARDS = [
    HighlightGuard(),
    HighlightGuard(knee=0.85, ceiling=0.96),
    HighlightGuard(knee=0.7, ceiling=0.9, strength=0.5),
]
FLOAT = replace(SRGB_STILL, depth=32)


def guarded_rgb(rgb: np.ndarray, guard: HighlightGuard) -> np.ndarray:
    """Float R'G'B' (h, w, 3) after the guard."""
    return rgb_from_planes(run(planes_from_rgb(rgb, FLOAT), FLOAT, NO_GRAIN, guard), FLOAT, np.float32)


def hue(rgb: np.ndarray) -> np.ndarray:
    """Hue angle in degrees on the plane across the grey axis."""
    r, g, b = np.moveaxis(rgb.astype(np.float64), -1, 0)
    return np.degrees(np.arctan2(np.sqrt(3) * (g - b), 2 * r - g - b))


def turned(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs((a - b + 180) % 360 - 180)


colours = st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3)


@pytest.mark.parametrize("guard", GUARDS)
def test_the_curve_is_monotone_smooth_and_ends_at_the_ceiling(guard):
    n = np.linspace(0, 1, 10001)
    rolled = guard.shoulder.roll(n)
    steps = np.diff(rolled)
    assert np.all(steps > 0)
    assert np.all(np.diff(steps)[n[1:-1] > guard.knee] < 1e-12)
    assert rolled[-1] == pytest.approx(1 + guard.strength * (guard.ceiling - 1))
    assert np.array_equal(rolled[n <= guard.knee], n[n <= guard.knee])
    slopes = steps / (n[1] - n[0])
    assert slopes[np.searchsorted(n, guard.knee)] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("depth", [8, 10, 16])
def test_luma_planes_follow_the_curve(guard, depth):
    color = at_depth(depth)
    black, white = luma_codes(depth, color.range)
    codes = np.unique(np.rint(np.linspace(black, white, 2000))).astype(dtype_of(color))
    planes = neutral(np.repeat(np.tile(codes, (8, 1)), 2, axis=1), color)
    done = run(planes, color, NO_GRAIN, guard)[0].astype(float)
    want = guard.shoulder.roll((planes[0] - black) / (white - black)) * (white - black) + black
    assert np.abs(done - want).max() < 1.0 + 1e-3
    below = planes[0] <= black + guard.knee * (white - black)
    assert np.array_equal(done[below], planes[0][below])
    means = done.mean(axis=0)
    assert np.all(np.diff(means[::2]) >= -1.0)


def test_superwhite_comes_down_to_the_ceiling():
    color = Color()
    planes = neutral(np.full((16, 16), 254, np.uint8), color)
    done = run(planes, color, NO_GRAIN, HighlightGuard(ceiling=0.98))[0]
    assert abs(done.mean() - (16 + 0.98 * 219)) < 0.6


@settings(max_examples=60, deadline=None)
@given(picture=st.lists(colours, min_size=4, max_size=40), which=st.sampled_from(range(3)))
def test_hue_holds_and_the_ceiling_is_kept(picture, which):
    guard = GUARDS[which]
    rgb = np.array([picture], np.float32)
    done = guarded_rgb(rgb, guard)
    top = 1 + guard.strength * (guard.ceiling - 1)
    assert done.max() <= max(top, guard.knee) + 1e-4
    assert done.min() >= -1e-5
    colourful = np.ptp(done, axis=-1) > 0.02
    if colourful.any():
        assert turned(hue(rgb), hue(done))[colourful].max() < 1.0


@settings(max_examples=40, deadline=None)
@given(picture=st.lists(colours, min_size=4, max_size=40))
def test_nothing_below_the_knee_changes_a_bit(picture):
    guard = HighlightGuard()
    rgb = np.array([picture], np.float32) * np.float32(guard.knee - 1e-4)
    planes = planes_from_rgb(rgb, FLOAT)
    assert all(np.array_equal(a, b) for a, b in zip(run(planes, FLOAT, NO_GRAIN, guard), planes, strict=True))


def test_a_ramp_of_any_colour_stays_in_order():
    """Brighter in is brighter out, channel by channel, all the way past the knee."""
    guard = HighlightGuard(knee=0.8, ceiling=0.95)
    for tint in ([1, 1, 1], [1, 0.8, 0.7], [1, 0.5, 0.2], [0.3, 0.6, 1]):
        ramp = np.linspace(0, 1, 500, dtype=np.float32)[None, :, None] * np.array(tint, np.float32)
        done = guarded_rgb(np.ascontiguousarray(ramp), guard)[0]
        assert np.diff(done.max(axis=-1)).min() > -1e-6
        assert np.diff(done @ np.array([0.2126, 0.7152, 0.0722])).min() > -1e-6


def test_subsampled_integer_chroma_keeps_its_hue():
    color = at_depth(10, Color(subsampling=(2, 2)))
    luma = np.full((64, 64), 64 + 0.93 * 876, np.uint16)
    cb, cr = (np.full((32, 32), c, np.uint16) for c in (512 - 60, 512 + 90))
    y, u, v = run((luma, cb, cr), color, NO_GRAIN, HighlightGuard(knee=0.85, ceiling=0.95))
    du, dv = u.mean() - 512, v.mean() - 512
    assert np.hypot(du, dv) < np.hypot(60, 90) * 0.99
    assert turned(np.degrees(np.arctan2(dv, du)), np.degrees(np.arctan2(90, -60))) < 1.0
    assert y.mean() < luma.mean()


def test_zero_strength_and_hdr_are_left_alone():
    planes = neutral(np.full((16, 16), 1000, np.uint16), at_depth(10))
    for color, guard in (
        (at_depth(10), HighlightGuard(strength=0)),
        (replace(at_depth(10), transfer=Transfer.PQ), HighlightGuard()),
    ):
        assert np.array_equal(run(planes, color, NO_GRAIN, guard)[0], planes[0])


def test_a_ceiling_below_the_knee_is_refused():
    with pytest.raises(
        RecipeError, match=r"highlight_guard\.ceiling = 0\.8 must be above highlight_guard\.knee = 0\.9"
    ):
        HighlightGuard(ceiling=0.8)


def test_a_ceiling_of_white_changes_nothing():
    rgb = np.linspace(0, 1, 300, dtype=np.float32).reshape(1, 100, 3)
    assert np.abs(guarded_rgb(rgb, HighlightGuard(ceiling=1.0)) - rgb).max() < 1e-5


def test_a_ceiling_at_the_knee_leaves_no_room_and_is_refused():
    with pytest.raises(RecipeError, match="must be above"):
        HighlightGuard(knee=0.9, ceiling=0.9)


def test_only_strength_0_is_no_shoulder():
    assert HighlightGuard(strength=0.0).shoulder.is_identity
    assert not any(HighlightGuard(strength=s).shoulder.is_identity for s in (0.01, 0.1, 1.0))
