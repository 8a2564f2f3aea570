"""R'G'B' goes through float planes and comes back to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from grainkit.picture.color import LUMA_WEIGHTS, SRGB_STILL, Matrix, Range, chroma_codes, luma_codes, ycc_matrix
from grainkit.picture.rgb import planes_from_rgb, rgb_from_planes

ANY_FLOAT = st.floats(-4, 70000, width=32, allow_nan=False, allow_subnormal=False)


@pytest.mark.parametrize("matrix", list(LUMA_WEIGHTS))
def test_every_16_bit_code_returns_without_its_origin(matrix):
    color = replace(SRGB_STILL, matrix=matrix)
    rng = np.random.default_rng(1)
    rgb = rng.integers(0, 65536, (300, 200, 3)).astype(np.uint16)
    rgb[0, :8] = [[a, b, c] for a in (0, 65535) for b in (0, 65535) for c in (0, 65535)]
    assert np.array_equal(rgb_from_planes(planes_from_rgb(rgb, color), color, np.uint16), rgb)


@settings(max_examples=40, deadline=None)
@given(
    rgb=hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6).map(lambda s: (*s, 3)), elements=ANY_FLOAT
    )
)
def test_float_pictures_return_to_the_bit(rgb):
    color = replace(SRGB_STILL, depth=32)
    out = rgb_from_planes(planes_from_rgb(rgb, color), color, np.float32, origin=rgb)
    assert np.array_equal(out.view(np.uint32), rgb.view(np.uint32))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7)])
def test_unchanged_pixels_keep_their_bits_and_only_they(dtype, shape):
    rng = np.random.default_rng(2)
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    rgb = (rng.random(shape) * top).astype(dtype)
    planes = planes_from_rgb(rgb, SRGB_STILL)
    planes[0][2, 3] += np.float32(-0.25 if planes[0][2, 3] > 0.5 else 0.25)
    out = rgb_from_planes(planes, SRGB_STILL, dtype, origin=rgb)
    changed = np.argwhere((out != rgb).any(axis=-1) if rgb.ndim == 3 else out != rgb)
    assert changed.tolist() == [[2, 3]]


def test_dither_to_eight_bits_keeps_the_mean_of_levels_between_codes():
    for level in (100.25, 100.5, 100.9):
        plane = np.full((300, 300), level / 255, np.float32)
        out = rgb_from_planes((plane,), SRGB_STILL, np.uint8, seed=3)
        assert set(np.unique(out)) == {100, 101}
        assert abs(out.mean() - level) < 0.01


def test_dither_is_fresh_in_each_frame_and_equal_for_an_equal_seed():
    plane = (np.full((40, 40), 0.5001, np.float32),)
    a, b, c, d = (
        rgb_from_planes(plane, SRGB_STILL, np.uint8, seed=s, frame=f) for s, f in ((1, 0), (1, 0), (1, 1), (2, 0))
    )
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert not np.array_equal(a, d)


@pytest.mark.parametrize("matrix", list(LUMA_WEIGHTS))
def test_the_matrix_is_that_of_the_standard(matrix):
    kr, kb = LUMA_WEIGHTS[matrix]
    m = ycc_matrix(kr, kb)
    assert m @ [1, 1, 1] == pytest.approx([1, 0, 0])
    assert m @ [0, 0, 1] == pytest.approx([kb, 0.5, -kb / (2 * (1 - kr))])
    rgb = np.random.default_rng(0).random((4, 5, 3)).astype(np.float32)
    planes = planes_from_rgb(rgb, replace(SRGB_STILL, matrix=matrix))
    assert np.stack(planes, -1) == pytest.approx(rgb @ m.T, abs=1e-6)


def test_code_values_are_those_of_bt2100():
    assert luma_codes(8, Range.LIMITED) == (16, 235)
    assert luma_codes(10, Range.LIMITED) == (64, 940)
    assert chroma_codes(10, Range.LIMITED) == (512, 896)
    assert luma_codes(10, Range.FULL) == (0, 1023)
    assert chroma_codes(8, Range.FULL) == (128, 255)
    assert Matrix.BT709 == 1
