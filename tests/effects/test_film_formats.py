"""Film gauges as data, and amounts and sizes that a finisher sets apart."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from grainkit.effects.grain.av1.fit import fit_film_grain
from grainkit.effects.grain.film_formats import FILM_FORMATS, GRAIN_UM
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.errors import RecipeError
from grainkit.picture.color import Color
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from tests.passes import neutral, run

DEEP = Color(depth=16, subsampling=(1, 1))
HD = (1920, 1080)


def grain_on(luma: float, grain: CinemaGrain, shape: tuple[int, int] = (500, 700)) -> list[np.ndarray]:
    """What the pass adds to (Y, Cb, Cr) of a grey of this luma, as shares of their ranges."""
    planes = neutral(np.full(shape, round((16 + 219 * luma) * 256), np.uint16), DEEP)
    done = run(planes, DEEP, grain, side=HD)
    spans = (219 * 256, 224 * 256, 224 * 256)
    return [(a.astype(float) - b) / span for a, b, span in zip(done, planes, spans, strict=True)]


def lag_one(field: np.ndarray) -> float:
    field = field - field.mean()
    return float(np.mean(field[:, 1:] * field[:, :-1]) / field.var())


def test_the_readme_shows_the_numbers_that_are_used():
    root = Path(__file__).resolve().parents[2]
    table = runpy.run_path(str(root / "scripts" / "film-table"))["film_table"]()
    assert table.count("\n") == len(FILM_FORMATS) + 2
    assert table in (root / "README.md").read_text(encoding="utf-8")


def test_each_gauge_is_finer_and_a_little_weaker_than_the_smaller_one():
    sizes = [f.size for f in FILM_FORMATS.values()]
    gains = [f.gain for f in FILM_FORMATS.values()]
    assert list(FILM_FORMATS) == ["super8", "16mm", "super16", "35mm", "65mm"]
    assert sizes == sorted(sizes, reverse=True)
    assert gains == sorted(gains, reverse=True)
    assert FILM_FORMATS["35mm"].gain == 1.0


def test_a_size_is_grain_over_what_a_pixel_sees_of_the_film():
    # 12.52 mm on 1920 px: 6.52 um each, under grain of 7.42 um.
    assert FILM_FORMATS["super16"].size == pytest.approx(GRAIN_UM / 6.5208, rel=1e-4)
    grain = CinemaGrain(film="super16", size=3.0)
    assert grain.sigma_px(1920, 1080, 0) == pytest.approx(FILM_FORMATS["super16"].size)
    assert grain.sigma_px(2160, 3840, 0) == pytest.approx(2 * FILM_FORMATS["super16"].size)


def test_the_gauge_shows_in_the_picture():
    small, large = (grain_on(0.3, CinemaGrain(strength=6, film=film))[0] for film in ("super8", "65mm"))
    assert lag_one(small) > 0.85
    assert lag_one(large) < 0.3
    want = FILM_FORMATS["super8"].gain / FILM_FORMATS["65mm"].gain
    assert small.std() / large.std() == pytest.approx(want, rel=0.06)


def test_a_gauge_and_millimetres_cannot_both_say_the_size():
    with pytest.raises(RecipeError, match=r"film = 35mm and cinema_grain.size_mm = 0\.1 both say"):
        CinemaGrain(film="35mm", size_mm=0.1)


@pytest.mark.parametrize(
    ("part", "touched", "left"),
    [("shadows", 0.1, (0.5, 0.9)), ("midtones", 0.5, (0.1, 0.9)), ("highlights", 0.9, (0.1, 0.5))],
)
def test_each_part_of_the_tones_has_its_own_amount(part, touched, left):
    plain = CinemaGrain(strength=2.0, curve="flat")
    doubled = CinemaGrain(strength=2.0, curve="flat", **{part: 2.0})
    before, after = grain_on(touched, plain)[0].std(), grain_on(touched, doubled)[0].std()
    assert after / before == pytest.approx(2.0, rel=0.03)
    for luma in left:
        assert np.array_equal(grain_on(luma, plain, (40, 50)), grain_on(luma, doubled, (40, 50)))


def test_amounts_by_tone_never_jump():
    y = np.linspace(0, 1, 2001)
    share = CinemaGrain(curve="flat", shadows=0.0, midtones=2.0, highlights=0.5).share(y)
    assert np.abs(np.diff(share)).max() < 0.01
    assert share[0] == 0.0
    assert share[1000] == 2.0
    assert share[-1] == 0.5


def test_chroma_planes_have_amounts_and_sizes_of_their_own():
    grain = CinemaGrain(strength=8.0, size=0.7, chroma=0.5, cb=0.6, cr=1.8, cb_size=3.0, cr_size=0.8)
    y, cb, cr = grain_on(0.3, grain)
    assert cb.std() / y.std() == pytest.approx(0.3, rel=0.06)
    assert cr.std() / y.std() == pytest.approx(0.9, rel=0.04)
    assert lag_one(cb) > lag_one(y) + 0.2 > lag_one(cr)


def test_one_colour_plane_may_be_left_without_grain():
    planes = neutral(np.full((40, 60), 30000, np.uint16), DEEP)
    done = run(planes, DEEP, CinemaGrain(strength=4.0, cb=0.0))
    assert np.array_equal(done[1], planes[1])
    assert not np.array_equal(done[2], planes[2])


def test_a_curve_is_a_name_or_points():
    grain = CinemaGrain(strength=5.1, curve="0:0,0.25:1,1:0.2")
    assert grain.deviation(np.array([0.25, 0.5]))[0] == pytest.approx(0.02)
    assert grain.share(np.array([0.625]))[0] == pytest.approx(0.6)
    recipe = override(load_recipe("video"), ["cinema_grain.curve=0:0.5,1:0.5"])
    assert recipe.effect(CinemaGrain).share(np.array([0.3]))[0] == 0.5


@pytest.mark.parametrize("curve", ["filn", "0:1", "0:1,1:2", "0:1;1:0", "0.5:1,0.5:0", "0.6:1,0.4:0"])
def test_a_curve_that_is_none_is_refused_with_what_is_allowed(curve):
    with pytest.raises(RecipeError, match=r"curve = .*(one of film, midtone|rising order)"):
        CinemaGrain(curve=curve)


def test_grain_as_metadata_follows_all_of_it():
    color = Color(depth=10)
    plain = fit_film_grain(CinemaGrain(strength=6.0), color, *HD).grain
    bright = fit_film_grain(CinemaGrain(strength=6.0, highlights=0.0, cb=0.0), color, *HD).grain
    assert plain.cb_points
    assert bright.cb_points == ((0, 0),)
    assert max(scaling for _, scaling in bright.cr_points) > 0

    def at(points, code):
        return np.interp(code, *zip(*points, strict=True))

    assert at(bright.luma_points, 225) == 0
    assert at(plain.luma_points, 200) > 10
