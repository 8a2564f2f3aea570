"""Hues change under their matte, on planes of every kind, and nothing else does."""

import numpy as np
import pytest

from grainkit.backends import open_backend
from grainkit.backends.hue import HueTable, hue_term
from grainkit.effects.base import Context, pass_tables
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame

HEIGHT, WIDTH = 18, 23
#: A quarter turn everywhere, and twice the colour.
TURN = HueTable.of(lambda hue: (np.full_like(hue, np.pi / 2), np.full_like(hue, 2.0)))


def frame_of(color, cb, cr):
    across, down = color.subsampling
    kind = np.float32 if color.is_float else np.uint8 if color.depth == 8 else np.uint16
    values = []
    for (zero, one), value, shape in zip(
        color.levels(), (0.5, cb, cr),
        ((HEIGHT, WIDTH), *[(-(-HEIGHT // down), -(-WIDTH // across))] * 2), strict=True,
    ):  # fmt: skip
        code = zero + value * one
        values.append(np.full(shape, code if color.is_float else round(code), kind))
    return Frame(tuple(values), color)


def finished(frame, term):
    backend = open_backend("cpu", workers=1)
    try:
        context = Context(frame.color, frame.color, frame.width, frame.height)
        return backend.finish(frame, pass_tables([], context), term)
    finally:
        backend.close()


@pytest.mark.parametrize(
    "color",
    [Color(), Color(depth=10), Color(depth=16, subsampling=(1, 1)), Color(depth=32, subsampling=(1, 1))],
    ids=str,
)
def test_a_quarter_turn_takes_blue_to_red_where_the_matte_is(color):
    frame = frame_of(color, 0.1, 0.0)
    matte = np.zeros((HEIGHT, WIDTH), np.float32)
    matte[4:12, 6:16] = 1
    done = finished(frame, hue_term(frame, TURN, matte))
    (_, (cb_zero, cb_one), (cr_zero, cr_one)) = color.levels()
    across, down = color.subsampling
    inside = np.s_[4 // down : 12 // down, 6 // across : 16 // across]
    step = 0.002 if color.is_float or color.depth > 8 else 1.5 / cb_one
    assert np.allclose((done.planes[1][inside].astype(float) - cb_zero) / cb_one, 0.0, atol=step)
    assert np.allclose((done.planes[2][inside].astype(float) - cr_zero) / cr_one, 0.2, atol=step)
    assert np.array_equal(done.planes[0], frame.planes[0])
    outside = np.ones(frame.planes[1].shape, bool)
    outside[inside] = False
    for was, now in zip(frame.planes[1:], done.planes[1:], strict=True):
        assert np.array_equal(was[outside], now[outside])


def test_only_the_hues_of_the_table_change():
    blue = HueTable.of(lambda hue: (np.zeros_like(hue), np.where(np.abs(hue) < 0.4, 0.0, 1.0)))
    matte = np.ones((HEIGHT, WIDTH), np.float32)
    assert hue_term(frame_of(Color(), 0.0, 0.2), blue, matte) is None
    term = hue_term(frame_of(Color(), 0.2, 0.0), blue, matte)
    assert term is not None
    assert (term.cb < 0).all()
    assert not term.luma.any()


def test_the_circle_closes():
    ramp = HueTable.of(lambda hue: (np.zeros_like(hue), np.cos(hue)))
    _, factor = ramp.at(np.array([-0.01, 0.01, 2 * np.pi - 0.01]))
    assert np.allclose(factor, 1.0, atol=0.01)


def test_nothing_is_asked_for_without_matte_or_colour():
    frame = frame_of(Color(), 0.1, 0.0)
    assert hue_term(frame, TURN, np.zeros((HEIGHT, WIDTH), np.float32)) is None
    grey = Frame(frame.planes[:1], frame.color)
    assert hue_term(grey, TURN, np.ones((HEIGHT, WIDTH), np.float32)) is None
