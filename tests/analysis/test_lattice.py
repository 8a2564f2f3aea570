"""Smooth fields between the points they are known at."""

from __future__ import annotations

import numpy as np
import pytest

from grainkit.analysis.lattice import Lattice


def slope(step: float) -> Lattice:
    """x and y of the frame themselves."""
    y, x = np.mgrid[0:9, 0:12].astype(np.float32)
    return Lattice(np.stack([x * step - 11, y * step - 7], -1).astype(np.float32), -7.0, -11.0, step)


def test_a_slope_stays_a_slope_inside_and_beyond():
    """A ripple at the points' spacing would show as a lattice in the texture."""
    y, x = np.mgrid[:90, :120]
    out = slope(7.0).on(90, 120)
    assert out[..., 0] == pytest.approx(x, abs=2e-3)
    assert out[..., 1] == pytest.approx(y, abs=2e-3)


def test_a_curve_is_followed_between_the_points():
    x = np.arange(40, dtype=np.float32)
    values = np.repeat(np.sin(x / 3)[None, :, None], 6, axis=0).astype(np.float32)
    out = Lattice(values, 0.0, 0.0, 4.0).on(8, 156)[4, :, 0]
    assert out[8:148] == pytest.approx(np.sin(np.arange(156) / 12)[8:148], abs=3e-3)


def test_a_cut_and_reduced_picture_sees_the_same_field():
    part = slope(5.0).scaled(0.5, left=10, top=4).on(12, 16)
    y, x = np.mgrid[:12, :16]
    assert part[..., 0] == pytest.approx((x + 0.5) / 0.5 - 0.5 + 10, abs=2e-3)
    assert part[..., 1] == pytest.approx((y + 0.5) / 0.5 - 0.5 + 4, abs=2e-3)


def test_squares_are_read_at_their_middles():
    whole, squares = slope(5.0).on(24, 32), slope(5.0).on(6, 8, 4)
    assert squares == pytest.approx(whole.reshape(6, 4, 8, 4, 2).mean((1, 3)), abs=2e-3)
