"""Sizes: chroma stays where luma is, colours stay what they are, and what is only cut keeps its bits."""

from dataclasses import replace

import numpy as np
import pytest

from grainkit.picture import taps as weigh
from grainkit.picture.color import SRGB_STILL, Color, Range, Siting
from grainkit.picture.frame import Frame
from grainkit.picture.resample import Geometry, chroma_shape, conform, crop, resample

#: Where a chroma sample sits, in luma px from the left or top of the first luma sample's edge.
CENTRES = {Siting.LEFT: (0.5, 1.0), Siting.CENTER: (1.0, 1.0), Siting.TOPLEFT: (0.5, 0.5), Siting.BOTTOM: (1.0, 1.5)}


def positions(count, factor, centre):
    """Luma positions of chroma (or, with factor 1, luma) samples."""
    return np.arange(count) * factor + (centre if factor > 1 else 0.5)


def edge(at, width):
    """A soft edge from 0 to 1, wide enough for the chroma grid."""
    return lambda x: 0.5 + 0.5 * np.tanh((x - at) / width)


def edged_frame(size, at, axis, color):
    """A frame whose luma and chroma all change at luma position `at` of an axis (0 across, 1 down)."""
    shapes = [size, chroma_shape(*size, color.subsampling), chroma_shape(*size, color.subsampling)]
    shape = edge(at, 6.0)
    planes = []
    for number, (width, height) in enumerate(shapes):
        factor = 1 if number == 0 else color.subsampling[axis]
        line = shape(positions((width, height)[axis], factor, CENTRES[color.siting][axis]))
        line = line if number == 0 else 0.3 * line - 0.1
        grid = np.tile(line, (height, 1)) if axis == 0 else np.tile(line[:, None], (1, width))
        planes.append(grid.astype(np.float32))
    return Frame(tuple(planes), color)


def edge_position(plane, axis, factor, centre):
    """Where the plane changes, in luma px: the area left of an ideal step."""
    line = plane.mean(axis=axis, dtype=np.float64)
    low, high = line[0], line[-1]
    return factor * np.sum((high - line) / (high - low)) + (centre - factor / 2 if factor > 1 else 0.0)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("source", [Siting.LEFT, Siting.CENTER, Siting.TOPLEFT, Siting.BOTTOM])
@pytest.mark.parametrize("target", [Siting.LEFT, Siting.CENTER])
@pytest.mark.parametrize(
    ("size", "region"), [((90, 70), None), ((180, 140), (10.5, 8.25, 200.0, 150.0)), ((256, 200), None)]
)
def test_luma_and_chroma_edges_stay_together(axis, source, target, size, region):
    whole, at = (256, 200), 97.3
    color = Color(depth=32, siting=source)
    left, top, right, bottom = region or (0.0, 0.0, 256.0, 200.0)
    geometry = Geometry(whole, size, left, top, right, bottom)
    out = conform(edged_frame(whole, at, axis, color), geometry, Color(depth=32, siting=target))
    near, far = ((left, right), (top, bottom))[axis]
    expected = (at - near) * size[axis] / (far - near)
    assert edge_position(out.planes[0], axis, 1, 0.5) == pytest.approx(expected, abs=0.05)
    for chroma in out.planes[1:]:
        assert edge_position(chroma, axis, 2, CENTRES[target][axis]) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 1), (2, 2)])
def test_chroma_between_samplings_stays_together(subsampling):
    source, at = Color(depth=32, siting=Siting.LEFT, subsampling=(2, 2)), 60.7
    target = replace(source, subsampling=subsampling)
    out = conform(edged_frame((128, 96), at, 0, source), Geometry.same(128, 96), target)
    assert out.planes[1].shape[::-1] == chroma_shape(128, 96, subsampling)
    assert edge_position(out.planes[1], 0, subsampling[0], 0.5) == pytest.approx(at, abs=0.05)


@pytest.mark.parametrize("size", [(31, 17), (64, 48), (200, 111)])
def test_mean_and_flat_colour_are_kept(size):
    color = Color(depth=8, range=Range.LIMITED)
    flat = tuple(np.full(s, v, np.uint8) for s, v in (((48, 64), 120), ((24, 32), 90), ((24, 32), 160)))
    out = conform(Frame(flat, color), Geometry((64, 48), size, 0.0, 0.0, 64.0, 48.0), replace(color, depth=32))
    for plane, expected in zip(out.planes, [(120 - 16) / 219, (90 - 128) / 224, (160 - 128) / 224], strict=True):
        np.testing.assert_allclose(plane, expected, atol=1e-6)

    # A blob that is faint at the border: an antialiased resize keeps its mean.
    y, x = np.mgrid[0:48, 0:64]
    blob = np.exp(-((x - 31) ** 2 + (y - 22) ** 2) / 60).astype(np.float32)
    out = resample(blob, size, (0.0, 0.0, 64.0, 48.0))
    assert out.mean(dtype=np.float64) == pytest.approx(blob.mean(dtype=np.float64), rel=2e-3)


def test_ringing_makes_no_new_extremes():
    step = np.zeros((32, 32), np.float32)
    step[:, 16:] = 1.0
    out = resample(step, (77, 50), (0.0, 0.0, 32.0, 32.0))
    assert out.min() == 0.0
    assert out.max() == 1.0


def test_a_nan_spoils_only_its_surroundings():
    plane = np.linspace(0, 4, 64 * 64, dtype=np.float32).reshape(64, 64)
    plane[5, 5] = np.nan
    out = resample(plane, (32, 32), (0.0, 0.0, 64.0, 64.0))
    assert np.isnan(out).sum() < 40
    assert np.nanmax(out) == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 1), (2, 2)])
def test_a_crop_is_the_samples_themselves(subsampling):
    rng = np.random.default_rng(1)
    color = Color(depth=10, subsampling=subsampling)
    chroma = chroma_shape(65, 49, subsampling)[::-1]
    planes = tuple(rng.integers(0, 1024, shape).astype(np.uint16) for shape in ((49, 65), chroma, chroma))
    alpha = rng.integers(0, 1024, (49, 65)).astype(np.uint16)
    geometry = Geometry((65, 49), (40, 30), 4.0, 2.0, 44.0, 32.0)
    assert geometry.is_crop(subsampling)
    out = conform(Frame(planes, color, alpha=alpha), geometry, color)
    across, down = subsampling
    np.testing.assert_array_equal(out.planes[0], planes[0][2:32, 4:44])
    np.testing.assert_array_equal(out.planes[1], planes[1][2 // down : 32 // down, 4 // across : 44 // across])
    np.testing.assert_array_equal(out.alpha, alpha[2:32, 4:44])
    assert out.color == color


def test_what_is_a_crop():
    same = Geometry.same(65, 49)
    assert same.is_identity
    assert same.is_crop((2, 2))
    assert Geometry((64, 48), (32, 24), 1.0, 0.0, 33.0, 24.0).is_crop((1, 1))
    assert not Geometry((64, 48), (32, 24), 1.0, 0.0, 33.0, 24.0).is_crop((2, 1))  # between two chroma samples
    assert not Geometry((64, 48), (32, 24), 0.5, 0.0, 32.5, 24.0).is_crop((1, 1))
    assert not Geometry((64, 48), (32, 24), 0.0, 0.0, 64.0, 48.0).is_crop((1, 1))
    assert not Geometry((1, 1), (2, 2), 0.0, 0.0, 2.0, 2.0).is_crop((1, 1))  # reaches outside


def test_a_crop_keeps_the_rgb_it_came_from_and_a_resize_does_not():
    rgb = np.arange(12 * 16 * 3, dtype=np.uint16).reshape(12, 16, 3)
    color = replace(SRGB_STILL, depth=16)
    planes = tuple(np.zeros((12, 16), np.float32) for _ in range(3))
    frame = Frame(planes, color, rgb=rgb)
    cut = Geometry((16, 12), (8, 6), 3.0, 2.0, 11.0, 8.0)
    np.testing.assert_array_equal(crop(frame, cut).rgb, rgb[2:8, 3:11])
    np.testing.assert_array_equal(conform(frame, cut, replace(color, depth=32)).rgb, rgb[2:8, 3:11])
    assert conform(frame, Geometry((16, 12), (8, 6), 0.0, 0.0, 16.0, 12.0), replace(color, depth=32)).rgb is None


@pytest.mark.parametrize(
    ("dtype", "depth", "opaque"), [(np.uint8, 8, 255), (np.uint16, 10, 1023), (np.float32, 32, 1.0)]
)
def test_alpha_is_resized_at_its_own_scale(dtype, depth, opaque):
    color = Color(depth=depth)
    planes = tuple(np.zeros(s, dtype) for s in ((48, 64), (24, 32), (24, 32)))
    alpha = np.full((48, 64), opaque, dtype)
    alpha[:, :32] = 0
    half = Geometry((64, 48), (32, 24), 0.0, 0.0, 64.0, 48.0)
    out = conform(Frame(planes, color, alpha=alpha), half, Color(depth=32))
    assert out.alpha.dtype == dtype
    assert out.alpha.shape == (24, 32)
    assert (out.alpha[:, -8:] == opaque).all()
    assert (out.alpha[:, :8] == 0).all()


def test_a_matte_goes_along_with_the_picture():
    color = Color(depth=8, subsampling=(2, 2))
    planes = (np.full((48, 64), 90, np.uint8), *(np.full((24, 32), 128, np.uint8),) * 2)
    matte = np.zeros((48, 64), np.float32)
    matte[:, 32:] = 1
    frame = Frame(planes, color, matte=matte)
    cut = conform(frame, Geometry((64, 48), (32, 16), 16.0, 8.0, 48.0, 24.0), color).matte
    np.testing.assert_array_equal(cut, matte[8:24, 16:48])
    half = conform(frame, Geometry((64, 48), (32, 24), 0.0, 0.0, 64.0, 48.0), replace(color, depth=32)).matte
    assert half.shape == (24, 32)
    assert half[:, :14].max() < 0.02
    assert half[:, 18:].min() > 0.98


def test_large_planes_are_shared_out_and_keep_their_bits(monkeypatch):
    plane = np.random.default_rng(5).random((700, 90), np.float32)
    size, region = (61, 611), (1.5, 0.25, 88.0, 699.0)
    whole = resample(plane, size, region)
    monkeypatch.setattr(weigh, "LARGE", 1)
    assert np.array_equal(resample(plane, size, region), whole)
    assert not np.array_equal(resample(plane[::-1], size, region), whole)
