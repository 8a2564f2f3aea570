"""The slots of the pass: empty ones change nothing, filled ones do what a float64 model of them does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grainkit.backends.cpu import CpuBackend
from grainkit.backends.pass_term import LUMA_ONE, PassTerm
from grainkit.backends.shoulder import Shoulder
from grainkit.backends.slots import GrainSlot, Slots, tables_of
from grainkit.picture.color import Color, Range, chroma_codes, luma_codes
from grainkit.picture.frame import Frame
from tests.passes import dtype_of, faded, lifted

SHOULDER = Shoulder.of(0.6, 0.9, 0.8)
SAMPLINGS = [(2, 2), (1, 1)]
GAIN = 900
#: What is filled, by the name of the case.
FILLED = {
    "nothing": Slots(),
    "luma curve": Slots().with_luma_curve(lifted),
    "chroma by luma": Slots().with_chroma_by_luma(faded),
    "shoulder": Slots(shoulder=SHOULDER),
    "luma curve, shoulder": Slots(shoulder=SHOULDER).with_luma_curve(lifted),
    "chroma by luma, shoulder": Slots(shoulder=SHOULDER).with_chroma_by_luma(faded),
    "all": Slots(shoulder=SHOULDER).with_luma_curve(lifted).with_chroma_by_luma(faded),
}


def steps(color: Color) -> tuple[float, float]:
    """(luma, chroma) of a code, normalised; of float planes what the table between its entries is off by."""
    if color.is_float:
        return 3e-6, 3e-6
    black, white = luma_codes(color.depth, color.range)
    return 1 / (white - black), 1 / chroma_codes(color.depth, color.range)[1]


def drawn(color: Color, height: int = 62, width: int = 300) -> tuple[np.ndarray, ...]:
    """Normalised planes: luma from black to white in blocks of chroma samples, and colours of all hues."""
    across, down = color.subsampling
    rng = np.random.default_rng(9)
    shape = (-(-height // down), -(-width // across))
    luma = np.kron(rng.uniform(0, 1, shape), np.ones((down, across)))[:height, :width]
    luma[:, :across] = 1.0
    return luma, *rng.uniform(-0.3, 0.3, (2, *shape))


def stored(planes, color: Color):
    if color.is_float:
        return tuple(p.astype(np.float32) for p in planes)
    black, white = luma_codes(color.depth, color.range)
    grey, unit = chroma_codes(color.depth, color.range)
    scaled = [planes[0] * (white - black) + black, *(p * unit + grey for p in planes[1:])]
    return tuple(np.rint(s).astype(dtype_of(color)) for s in scaled)


def normalised(planes, color: Color):
    if color.is_float:
        return [p.astype(np.float64) for p in planes]
    black, white = luma_codes(color.depth, color.range)
    grey, unit = chroma_codes(color.depth, color.range)
    return [(planes[0] - black) / (white - black), *((p - grey) / unit for p in planes[1:])]


def modelled(planes, color: Color, slots: Slots, gain: float = 0.0):
    """The pass on normalised planes in float64, without grain; gain: on luma, everywhere."""
    luma, cb, cr = planes
    across, down = color.subsampling
    kr, kg, kb = color.luma_weights()
    curve = slots.luma_curve or (lambda y: y)
    factor = slots.chroma_by_luma or np.ones_like
    y = luma[::down, ::across]
    bent = curve(y)
    red, blue = 2 * (1 - kr) * cr, 2 * (1 - kb) * cb
    green = -(kr * red + kb * blue) / kg
    largest = bent + np.maximum(np.maximum(red, blue), green)
    run = np.maximum(largest - bent, 1e-6)
    slope = (slots.shoulder.roll(largest) - slots.shoulder.roll(bent)) / run
    slope = np.where(largest > slots.shoulder.knee, slope, 1.0)
    moved = luma * (1 + gain)
    inside = np.clip(moved, 0, 1)
    return slots.shoulder.roll(curve(inside) + moved - inside), cb * slope * factor(y), cr * slope * factor(y)


def run(planes, slots: Slots, color: Color, term: PassTerm | None = None, target: Color | None = None):
    backend = CpuBackend(2)
    try:
        tables = tables_of(slots, source=color, target=target or color)
        return backend.finish(Frame(planes, color, index=4), tables, term).planes
    finally:
        backend.close()


@pytest.mark.parametrize("name", FILLED)
@pytest.mark.parametrize("subsampling", SAMPLINGS)
@pytest.mark.parametrize("depth", [8, 10, 16, 32])
def test_each_slot_and_all_together_do_what_the_model_does(depth, subsampling, name):
    color = Color(depth=depth, subsampling=subsampling)
    given = stored(drawn(color), color)
    done = normalised(run(given, FILLED[name], color), color)
    wanted = modelled(normalised(given, color), color, FILLED[name])
    for ours, theirs, step in zip(done, wanted, (steps(color)[0], *[steps(color)[1]] * 2), strict=True):
        # Dithering takes a code to either side of what is wanted.
        assert np.abs(ours - theirs).max() <= 1.01 * step
        assert abs((ours - theirs).mean()) <= 0.1 * step


@pytest.mark.parametrize("depth", [8, 10, 16, 32])
def test_gains_come_before_the_curve(depth):
    color, slots = Color(depth=depth, subsampling=(1, 1)), FILLED["all"]
    given = stored(drawn(color), color)
    shape = given[0].shape
    term = PassTerm(0, 0, np.full(shape, GAIN, np.int16), *(np.zeros(shape, np.int16) for _ in range(2)))
    luma = normalised(run(given, slots, color, term), color)[0]
    wanted = modelled(normalised(given, color), color, slots, GAIN / LUMA_ONE)[0]
    assert np.abs(luma - wanted).max() <= 1.02 * steps(color)[0]


@pytest.mark.parametrize("range_", list(Range))
@pytest.mark.parametrize("depth", [8, 10, 16, 32])
def test_empty_slots_change_nothing(depth, range_):
    color = Color(depth=depth, range=range_)
    tables = tables_of(Slots(), source=color, target=color)
    assert tables.is_identity
    assert tables.luma_curve.size == tables.chroma_factor.size == 0
    given = stored(drawn(color), color)
    # A term of nothing sends the frame through the pass.
    nothing = PassTerm(0, 0, *(np.zeros(p.shape, np.int16) for p in given))
    for ours, theirs in zip(run(given, Slots(), color, nothing), given, strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["luma curve", "chroma by luma"])
@pytest.mark.parametrize("depth", [8, 32])
def test_a_filled_slot_is_no_identity(depth, name):
    color = Color(depth=depth)
    assert not tables_of(FILLED[name], source=color, target=color).is_identity


@pytest.mark.parametrize("depth", [8, 10, 16, 32])
def test_curve_and_factor_that_keep_everything_keep_every_bit(depth):
    color = Color(depth=depth)
    given = stored(drawn(color), color)
    kept = run(given, Slots().with_luma_curve(lambda y: y).with_chroma_by_luma(np.ones_like), color)
    for ours, theirs in zip(kept[1:], given[1:], strict=True):
        assert np.array_equal(ours, theirs)
    # Between the entries of a float table lies what float32 makes of it.
    assert np.abs(kept[0].astype(np.float64) - given[0]).max() <= (1e-7 if depth == 32 else 0)


@pytest.mark.parametrize("depth", [8, 10, 16])
def test_colours_that_grow_past_the_last_code_land_on_it(depth):
    color = Color(depth=depth)
    given = stored(drawn(color), color)
    done = run(given, Slots().with_chroma_by_luma(lambda y: np.full_like(y, 1e9)), color)
    grey = chroma_codes(depth, color.range)[0]
    for ours, theirs in zip(done[1:], given[1:], strict=True):
        assert (ours[theirs > grey + (1 << depth) / 100] == (1 << depth) - 1).all()
        assert (ours[theirs < grey - (1 << depth) / 100] == 0).all()


def test_a_second_effects_curve_goes_over_the_first_and_factors_multiply():
    y = np.linspace(0, 1, 11)
    both = Slots().with_luma_curve(np.square).with_luma_curve(lambda y: 0.5 + 0.5 * y)
    other = Slots().with_luma_curve(lambda y: 0.5 + 0.5 * y).with_luma_curve(np.square)
    assert both.luma_curve is not None
    assert other.luma_curve is not None
    np.testing.assert_allclose(both.luma_curve(y), 0.5 + 0.5 * y**2)
    np.testing.assert_allclose(other.luma_curve(y), (0.5 + 0.5 * y) ** 2)
    factor = Slots().with_chroma_by_luma(lambda y: 2 * y).with_chroma_by_luma(lambda y: y + 1).chroma_by_luma
    assert factor is not None
    np.testing.assert_allclose(factor(y), 2 * y * (y + 1))


def test_what_lies_beyond_the_range_stays_as_far_beyond_the_curves_ends():
    black, white = (int(code) for code in luma_codes(8, Range.LIMITED))
    color = Color()
    values = tables_of(Slots().with_luma_curve(lambda y: 0.1 + 0.8 * y), source=color, target=color).luma / 128
    np.testing.assert_allclose(values[[black - 9, black, white, white + 9]], [28.9, 37.9, 213.1, 222.1], atol=0.01)
    real = Color(depth=32, subsampling=(1, 1))
    luma = np.array([[-0.25, 0.0, 1.0, 1.5, np.inf]], np.float32)
    done = run((luma, *np.zeros((2, *luma.shape), np.float32)), FILLED["luma curve"], real)[0]
    ends = lifted(np.array([0.0, 1.0]))
    np.testing.assert_allclose(done[0, :4], [ends[0] - 0.25, *ends, ends[1] + 0.5], atol=1e-6)
    assert np.isinf(done[0, 4])


@pytest.mark.parametrize("depth", [8, 10, 16, 32])
def test_grain_follows_luma_after_curve_and_shoulder(depth):
    color = Color(depth=depth)
    # Grain in the upper half alone: a curve that brings all above it gives grain to what was dark.
    grain = GrainSlot(lambda y: np.where(y > 0.5, 0.02, 0.0), 0.5, (1.0, 1.0), (0.5, 0.5), seed=3)
    dark = (np.full((96, 96), 0.25), *np.zeros((2, 48, 48)))
    given = stored(dark, color)
    plain = run(given, Slots(grain=grain), color)
    lit = run(given, Slots(grain=grain).with_luma_curve(lambda y: 0.6 + 0.3 * y), color)
    for before, after, share in zip(normalised(plain, color), normalised(lit, color), (1.0, 0.5, 0.5), strict=True):
        assert before.std() < 0.001
        assert after.std() == pytest.approx(0.02 * share, rel=0.15)
    again = replace(Slots(grain=grain), shoulder=Shoulder.of(0.3, 0.45, 1.0)).with_luma_curve(lambda y: 0.6 + 0.3 * y)
    assert normalised(run(given, again, color), color)[0].std() < 0.002


@pytest.mark.parametrize("target", [Color(depth=8), Color(depth=16)])
def test_float_planes_store_their_slots_to_codes(target):
    color = replace(target, depth=32)
    given = stored(drawn(color), color)
    done = normalised(run(given, FILLED["all"], color, target=target), target)
    wanted = modelled(normalised(given, color), color, FILLED["all"])
    for ours, theirs, step in zip(done, wanted, (steps(target)[0], *[steps(target)[1]] * 2), strict=True):
        assert np.abs(ours - theirs).max() <= 1.05 * step
