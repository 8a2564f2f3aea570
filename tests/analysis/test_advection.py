"""Coordinates travel with the picture, and what motion tears heals."""

import numpy as np
import pytest

from grainkit.analysis.advection import Advection
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame
from tests.scenes import cut, scene


def frame(picture, index=0):
    return Frame((np.clip(np.rint(picture), 16, 235).astype(np.uint8),), Color(), index=index)


def followed(pictures):
    way = Advection.start(frame(pictures[0]))
    for index, picture in enumerate(pictures[1:], start=1):
        way = way.follow(frame(picture, index))
    return way


def at(way):
    """(x, y) of the lattice's points on the frame."""
    rows, columns = way.coordinates.shape[:2]
    return np.stack(
        np.meshgrid(*(f + s * np.arange(n) for f, s, n in zip(way.first, way.step, (columns, rows), strict=True))), -1
    )


def test_nothing_moves_in_a_still_picture():
    way = followed([cut(scene(), 50, 50)] * 4)
    assert np.array_equal(way.coordinates, at(way))
    assert way.whole.all()


def test_coordinates_go_along_with_a_pan():
    way = followed([cut(scene(), 50 + 3.3 * t, 50 - 2.1 * t) for t in range(9)])
    # Eight frames on, the place in the first frame lies 8 steps further on.
    off = np.abs((way.coordinates - at(way))[4:-4, 4:-4] - (8 * 3.3, 8 * -2.1))
    assert np.median(off) < 0.1
    assert np.percentile(off, 95) < 0.25
    assert way.whole.mean() > 0.95


def test_fast_motion_is_found():
    way = followed([cut(scene(), 20 + 24 * t, 60) for t in range(3)])
    assert np.abs(np.median(way.motion[4:-4, 4:-4], axis=(0, 1)) - (24, 0)).max() < 0.5


def test_an_object_passing_by_tears_no_hole_that_stays():
    back, front = scene(), scene(1)
    pictures = []
    for t in range(24):
        picture = cut(back, 50, 50)
        left = 40 + 10 * t
        picture[120:270, left : left + 130] = front[120:270, 300:430]
        pictures.append(picture)
    way = followed([*pictures, *[pictures[-1]] * 12])
    assert 0.85 < way.whole.mean() < 1.0
    # What stood still all the time kept its place, but for the surroundings of what passed.
    moved = np.linalg.norm(way.coordinates - at(way), axis=-1)
    assert moved[at(way)[..., 1] < 60].max() < 1.0
    # The object has what it had: 230 px further left.
    x, y = (130 // 2 + 40 + 230, 195)
    near = np.linalg.norm(at(way) - (x, y), axis=-1) < 40
    assert np.abs(np.median(way.coordinates[near] - at(way)[near], axis=0) - (-230, 0)).max() < 4


@pytest.mark.parametrize(("width", "height"), [(1, 1), (40, 9), (33, 301)])
def test_any_size_will_do(width, height):
    plane = np.random.default_rng(0).integers(16, 235, (height, width)).astype(np.uint8)
    way = Advection.start(Frame((plane,), Color())).follow(Frame((plane,), Color(), index=1))
    assert np.isfinite(way.coordinates).all()


def test_fields_are_carried_along():
    way = followed([cut(scene(), 50 + 5 * t, 50) for t in range(2)])
    ramp = at(way)[..., 0].astype(np.float32)
    assert np.abs((way.carried(ramp) - ramp)[4:-4, 4:-4] - 5).max() < 0.3
