"""What film grain promises."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grainkit.backends.slots import plane_filters
from grainkit.backends.tables import chroma_limits, fraction_bits, gain_shift
from grainkit.effects.base import Context, pass_tables
from grainkit.effects.grain.parameters import CURVES, CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.errors import RecipeError
from grainkit.picture.color import Color, Range, Siting, luma_codes
from grainkit.picture.noise import FIELD_LIMIT, NoiseFilter, autocorrelation
from tests.passes import at_depth, dtype_of, neutral, peak_correlation, run

HD = (1920, 1080)
FULL_HD = Color()


def flat(code: float, color: Color = FULL_HD, shape: tuple[int, int] = (540, 960)):
    return neutral(np.full(shape, code, dtype_of(color)), color)


def grained(code: float, color: Color = FULL_HD, shape: tuple[int, int] = (540, 960), **kwargs):
    """Luma added to a flat picture, in codes (or normalised)."""
    grain = kwargs.pop("grain", CinemaGrain(strength=4.0))
    planes = flat(code, color, shape)
    done = run(planes, color, grain, side=HD, **kwargs)
    return done[0].astype(np.float64) - code


def ramp(color: Color, levels: np.ndarray, rows: int, each: int):
    """Vertical stripes, each `each` px wide, of these luma codes."""
    line = np.repeat(levels, each).astype(dtype_of(color))
    return neutral(np.tile(line, (rows, 1)), color)


@pytest.mark.parametrize("depth", [8, 10, 12, 16])
@pytest.mark.parametrize("subsampling", [(2, 2), (2, 1), (1, 1)])
def test_zero_strength_is_the_very_picture(depth, subsampling):
    color = Color(depth=depth, subsampling=subsampling)
    rng = np.random.default_rng(3)
    across, down = subsampling
    shapes = [(37, 53)] + 2 * [(-(-37 // down), -(-53 // across))]
    planes = tuple(rng.integers(0, 1 << depth, s).astype(dtype_of(color)) for s in shapes)
    assert all(np.array_equal(a, b) for a, b in zip(run(planes, color), planes, strict=True))


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("curve", ["film", "midtone", "flat"])
def test_mean_stays_and_deviation_follows_the_curve_in_every_luma_bin(depth, curve):
    color = at_depth(depth)
    grain = CinemaGrain(strength=6.0, curve=curve, size=0.6)
    black, white = luma_codes(depth, color.range)
    scale = 1 << (depth - 8)
    levels = np.unique(np.rint(np.linspace(black, white, 24))).astype(int)
    planes = ramp(color, levels, rows=1200, each=128)
    done = np.stack([run(planes, color, grain, side=HD, index=i)[0] for i in range(2)])
    added = done.astype(np.float64) - planes[0]
    asked = grain.deviation((levels - black) / (white - black)) * (white - black)
    for level, want in zip(levels, asked, strict=True):
        values = added[:, planes[0] == level]
        # Neighbours share grain, so the mean of a bin is known to about 3.5 deviations / sqrt(samples).
        unsure = 3 * 3.5 * want / np.sqrt(values.size)
        assert abs(values.mean()) < 0.1 * scale + unsure, f"luma {level}"
        # A code is stored with uniform dither: what is below one code adds up to 1/4 to the variance.
        if want > 0.8 * scale:
            dither = values.var() - want**2
            assert -0.06 * want**2 < dither < 0.06 * want**2 + 0.26, f"luma {level}"


def test_the_midtone_curve_is_that_of_the_boolean_model():
    points = np.array(CURVES["midtone"])
    assert np.allclose(points[:, 0], np.linspace(0, 1, 65))
    assert np.allclose(points[:, 1], 2 * np.sqrt(points[:, 0] * (1 - points[:, 0])))


def test_recipes_of_before_find_the_curves_of_before():
    """Chosen by eye: nothing else says what they should be. A change here changes every picture that names them."""
    by_eye = repr([CURVES[name] for name in ("film", "shadow", "flat")])
    assert hashlib.sha256(by_eye.encode()).hexdigest()[:16] == "5cf05ca6d706cdd4"


@pytest.mark.slow
def test_deviation_is_within_three_percent_where_nothing_is_rounded():
    grain = CinemaGrain(strength=6.0, size=0.6)
    color = at_depth(16)
    for y in (0.1, 0.3, 0.5, 0.7, 0.9):
        code = round((16 + 219 * y) * 256)
        values = grained(code, color, grain=grain, shape=(900, 1200))
        want = float(grain.deviation(np.array([(code / 256 - 16) / 219]))[0] * 219 * 256)
        assert values.std() == pytest.approx(want, rel=0.03)


@pytest.mark.parametrize("depth", [8, 10, 12])
@pytest.mark.parametrize("strength", [2.0, 24.0])
def test_no_illegal_codes_in_limited_range(depth, strength):
    color = at_depth(depth)
    scale = 1 << (depth - 8)
    rng = np.random.default_rng(0)
    luma = rng.integers(16 * scale, 235 * scale + 1, (400, 640)).astype(dtype_of(color))
    chroma = [rng.integers(16 * scale, 240 * scale + 1, (200, 320)).astype(luma.dtype) for _ in range(2)]
    y, *rest = run((luma, *chroma), color, CinemaGrain(strength=strength, chroma=1.0))
    assert y.min() >= 16 * scale
    assert y.max() <= 235 * scale
    for plane in rest:
        assert plane.min() >= 16 * scale
        assert plane.max() <= 240 * scale


def test_what_is_outside_the_legal_range_already_is_left_alone():
    color = Color()
    y = run(flat(250, color, (64, 64)), color, CinemaGrain(strength=8.0))[0]
    assert np.all(y == 250)


def test_neither_frames_nor_planes_repeat_at_any_shift():
    color = Color(subsampling=(1, 1))
    grain = CinemaGrain(strength=8.0, chroma=1.0)
    planes = flat(120, color, (1080, 1920))
    first, second = (run(planes, color, grain, side=HD, index=i) for i in (5, 6))
    fields = [np.asarray(p, np.float64) for p in (*first, second[0])]
    pairs = [(0, 1), (0, 2), (1, 2), (0, 3)]
    assert max(peak_correlation(fields[a], fields[b]) for a, b in pairs) < 0.02


def test_rows_of_one_frame_do_not_repeat():
    values = grained(120, shape=(540, 960), grain=CinemaGrain(strength=8.0))
    assert len({row.tobytes() for row in values}) == 540


def at(autocorrelated: np.ndarray, lag: int) -> float:
    return float(autocorrelated[abs(lag)]) if abs(lag) < len(autocorrelated) else 0.0


def enlarged(coarse: np.ndarray, lag: int) -> float:
    """Autocorrelation after twofold enlargement: each pixel is 3 x its own sample + 1 x the one it leans to."""

    def parts(x: int) -> dict[int, float]:
        own = x // 2
        return {own: 3.0, own + (1 if x % 2 else -1): 1.0}

    pairs = [(a * b, i - j) for x in (0, 1) for i, a in parts(x).items() for j, b in parts(x + lag).items()]
    return sum(weight * at(coarse, gap) for weight, gap in pairs) / 2


@pytest.mark.parametrize("size", [0.5, 1.0, 2.0])
def test_spatial_autocorrelation_is_that_of_the_filter(size):
    grain = CinemaGrain(strength=12.0, size=size, curve="flat")
    values = grained(32000, at_depth(16), shape=(1080, 1400), grain=grain)
    f = NoiseFilter.of_size(size, size)
    fine, coarse = autocorrelation(f.fine_x), autocorrelation(f.coarse_x)
    want = [0.7 * at(fine, k) / fine[0] + 0.3 * enlarged(coarse, k) / enlarged(coarse, 0) for k in range(4)]
    values = values - values.mean()
    for lag in range(1, 4):
        found = np.mean(values[:, lag:] * values[:, :-lag]) / values.var()
        assert found == pytest.approx(want[lag], abs=0.02)


def test_grain_is_near_normal():
    values = grained(32000, at_depth(16), grain=CinemaGrain(strength=4.0), shape=(1000, 1000))
    z = (values - values.mean()) / values.std()
    assert abs((z**3).mean()) < 0.02
    assert 2.8 < (z**4).mean() < 3.1
    assert np.abs(z).max() < 4.1


def test_a_frame_alone_equals_that_frame_of_the_run():
    color = Color()
    planes = flat(100, color, (90, 130))
    alone = run(planes, color, CinemaGrain(), index=500)
    again = run(planes, color, CinemaGrain(), index=500, workers=1)
    other = run(planes, color, CinemaGrain(), index=501)
    assert all(np.array_equal(a, b) for a, b in zip(alone, again, strict=True))
    assert not np.array_equal(alone[0], other[0])


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 150), width=st.integers(1, 80), workers=st.integers(1, 3), index=st.integers(0, 2**33))
def test_strips_and_threads_never_show(height, width, workers, index):
    """Any part of a taller picture is the same grain: rows depend on their place alone."""
    color = Color(subsampling=(1, 1))
    tall = run(flat(120, color, (192, 80)), color, CinemaGrain(strength=9.0), index=index, side=HD)
    part = run(
        flat(120, color, (height, width)), color, CinemaGrain(strength=9.0), index=index, side=HD, workers=workers
    )
    assert all(np.array_equal(a[:height, :width], b) for a, b in zip(tall, part, strict=True))


def test_equal_seed_is_equal_grain_and_another_seed_another():
    a, b, c = (grained(120, seed=s) for s in (1, 1, 2))
    assert np.array_equal(a, b)
    assert peak_correlation(a, c) < 0.03


def test_size_follows_the_delivered_short_side():
    def lag_one(side):
        values = run(flat(120, Color(), (540, 960)), Color(), CinemaGrain(strength=12.0), side=side)[0].astype(float)
        values -= values.mean()
        return np.mean(values[:, 1:] * values[:, :-1]) / values.var()

    assert lag_one((3840, 2160)) > lag_one((1920, 1080)) + 0.1
    assert lag_one((1080, 1920)) == pytest.approx(lag_one((1920, 1080)), abs=1e-9)


def test_size_in_mm_replaces_size_in_px():
    assert CinemaGrain(size_mm=0.1).sigma_px(2480, 3508, 300) == pytest.approx(0.1 / 25.4 * 300)
    with pytest.raises(RecipeError, match=r"size_mm needs delivery\.dpi"):
        CinemaGrain(size_mm=0.1).sigma_px(2480, 3508, 0)


@pytest.mark.parametrize(
    ("rate", "hold", "held"), [(24, 0, 1), (47, 0, 1), (50, 0, 2), (60, 0, 2), (24, 3, 3), (60, 1, 1)]
)
def test_hold_follows_the_rate_unless_told(rate, hold, held):
    grain = CinemaGrain(hold=hold)
    assert grain.frames_held(Fraction(rate)) == held
    color = Color()
    planes = flat(120, color, (40, 60))
    frames = [run(planes, color, grain, index=i, rate=Fraction(rate))[0] for i in range(2 * held)]
    assert all(np.array_equal(frames[0], f) for f in frames[:held])
    assert not np.array_equal(frames[0], frames[held])


def test_colour_grain_is_as_much_weaker_as_asked_and_off_at_zero():
    color = Color(depth=16)
    planes = flat(30000, color, (600, 800))
    y, cb, cr = (p.astype(np.float64) for p in run(planes, color, CinemaGrain(strength=4.0, chroma=0.5), side=HD))
    unit = 224 / 219
    assert cr.std() / y.std() == pytest.approx(0.5 * unit, rel=0.03)
    assert cb.std() > cr.std() * 1.1
    still = run(planes, color, CinemaGrain(strength=4.0, chroma=0.0))
    assert np.array_equal(still[1], planes[1])
    assert np.array_equal(still[2], planes[2])


def test_grey_pictures_stay_one_plane():
    luma = np.full((50, 70), 100, np.uint8)
    done = run((luma,), Color(range=Range.FULL, subsampling=(1, 1)), CinemaGrain())
    assert len(done) == 1
    assert not np.array_equal(done[0], luma)


@pytest.mark.parametrize("curve", sorted(CURVES))
def test_deviation_leaves_room_at_both_ends(curve):
    grain = CinemaGrain(strength=24.0, curve=curve)
    y = np.linspace(0, 1, 1001)
    d = grain.deviation(y)
    assert np.all(d >= 0)
    assert np.all(4 * d <= np.minimum(y, 1 - y) + 1e-12)


def test_float_planes_get_the_same_grain_as_integers():
    """A 16-bit and a float picture of one tone differ by rounding alone."""
    code = 30000
    deep = Color(depth=16, range=Range.FULL, subsampling=(1, 1), siting=Siting.CENTER)
    grain = CinemaGrain(strength=4.0)
    as_float = replace(deep, depth=32)
    whole = run(flat(code, deep, (70, 90)), deep, grain)
    real = run(neutral(np.full((70, 90), code / 65535, np.float32), as_float), as_float, grain)
    assert np.abs(whole[0] / 65535 - real[0]).max() < 2 / 65535


@pytest.mark.parametrize("subsampling", [(2, 2), (2, 1), (1, 1)])
def test_chroma_grain_is_as_large_on_the_picture_as_its_sizes_say(subsampling):
    across, down = subsampling
    found = plane_filters(subsampling, 1.6, (1.25, 0.75))
    for shape, sigma, (x, y) in zip(found, (1.6, 2.0, 1.2), ((1, 1), (across, down), (across, down)), strict=True):
        expected = NoiseFilter.of_size(sigma / x, sigma / y)
        for name in ("fine_x", "fine_y", "coarse_x", "coarse_y"):
            np.testing.assert_array_equal(getattr(shape, name), getattr(expected, name))


@pytest.mark.parametrize("strength", [0.5, 6.0, 24.0])
@pytest.mark.parametrize("depth", [8, 10])
def test_codes_called_free_are_those_whose_grain_no_end_is_near(depth, strength):
    color = Color(depth=depth)
    tables = pass_tables(
        (HighlightGuard(), CinemaGrain(strength=strength)),
        Context(source=color, target=color, width=1920, height=1080, seed=1),
    )
    bits, shift = fraction_bits(depth), gain_shift(depth)
    most = tables.chroma_gain.max()
    for curve, straight, gain, free, ends in (
        (tables.luma, tables.luma_straight, tables.luma_gain, tables.luma_free, (0, (1 << depth) - 1)),
        (tables.chroma, tables.chroma_straight, most, tables.chroma_free, chroma_limits(color)),
    ):
        codes = np.arange(1 << depth)
        bent = curve != codes << tables.straight_shift
        assert not bent[: straight + 1].any()
        assert straight == codes[-1] or bent[straight + 1]
        lowest, highest = curve + ((-FIELD_LIMIT * gain) >> shift), curve + ((FIELD_LIMIT * gain) >> shift)
        fits = (codes <= straight) & (lowest >= ends[0] << bits) & (highest <= ends[1] << bits)
        first, last = free
        assert first <= 1 << depth - 1 <= last
        assert fits[first : last + 1].all()
        assert first == 0 or not fits[first - 1]
        assert last == codes[-1] or not fits[last + 1]
