"""The one pass over the pixels: depths, ranges and the two kinds of planes agree."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grainkit.backends import open_backend
from grainkit.backends.pass_term import PassTerm
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.errors import BackendUnavailable
from grainkit.picture.color import Color, Range, chroma_codes, luma_codes
from tests.passes import NO_GUARD, at_depth, dtype_of, neutral, run

GRAIN, GUARD = CinemaGrain(strength=5.0), HighlightGuard(knee=0.8, ceiling=0.95)


def normalised(planes, color):
    black, white = luma_codes(color.depth, color.range)
    grey, unit = chroma_codes(color.depth, color.range)
    return [(planes[0] - black) / (white - black), *((p - grey) / unit for p in planes[1:])]


def colourful(color: Color, height: int = 97, width: int = 131):
    """A smooth legal picture: luma ramps past the knee, chroma waves."""
    across, down = color.subsampling
    y, x = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
    v, u = np.mgrid[: -(-height // down), : -(-width // across)] / max(height, width)
    values = [0.05 + 0.45 * (x + y), 0.12 * np.sin(9 * u), 0.15 * np.cos(7 * v)]
    black, white = luma_codes(color.depth, color.range)
    grey, unit = chroma_codes(color.depth, color.range)
    scaled = [values[0] * (white - black) + black, *(c * unit + grey for c in values[1:])]
    return tuple(np.rint(s).astype(dtype_of(color)) for s in scaled)


@pytest.mark.slow
@pytest.mark.parametrize("subsampling", [(2, 2), (2, 1), (1, 1)])
@pytest.mark.parametrize("range_", list(Range))
def test_integer_and_float_planes_give_one_picture(subsampling, range_):
    color = Color(depth=12, subsampling=subsampling, range=range_)
    planes = colourful(color)
    whole = normalised(run(planes, color, GRAIN, GUARD), color)
    real_color = replace(color, depth=32)
    real = run(tuple(p.astype(np.float32) for p in normalised(planes, color)), real_color, GRAIN, GUARD)
    for a, b in zip(whole, real, strict=True):
        # One code of dither, and chroma that sees luma rounded to a code.
        assert np.abs(a - b).max() < 2.5 / 3500


@pytest.mark.parametrize(("source", "target"), [(8, 10), (8, 16), (10, 8), (12, 8), (10, 10)])
@pytest.mark.parametrize(
    "ranges", [(Range.LIMITED, Range.LIMITED), (Range.FULL, Range.LIMITED), (Range.LIMITED, Range.FULL)]
)
def test_depth_and_range_change_without_moving_a_tone(source, target, ranges):
    start, end = Color(depth=source, range=ranges[0]), Color(depth=target, range=ranges[1])
    planes = colourful(start)
    done = run(planes, start, CinemaGrain(strength=0), NO_GUARD, target=end)
    assert done[0].dtype == dtype_of(end)
    for before, after in zip(normalised(planes, start), normalised(done, end), strict=True):
        step = 1 / (luma_codes(target, ranges[1])[1] - luma_codes(target, ranges[1])[0])
        assert np.abs(after - before).max() <= step * 1.01
        assert abs((after - before).mean()) < 0.05 * step


def test_widening_eight_bits_to_ten_is_exact_in_limited_range():
    start = Color()
    planes = colourful(start)
    done = run(planes, start, CinemaGrain(strength=0), NO_GUARD, target=at_depth(10))
    assert all(np.array_equal(a.astype(np.uint16) * 4, b) for a, b in zip(planes, done, strict=True))


def test_float_planes_store_to_integers_with_dither():
    color = Color(depth=32)
    planes = tuple(p.astype(np.float32) for p in normalised(colourful(Color(depth=16)), Color(depth=16)))
    done = run(planes, color, CinemaGrain(strength=0), NO_GUARD, target=Color(depth=8))
    for before, after in zip(planes, normalised(done, Color(depth=8)), strict=True):
        assert np.abs(after - before).max() <= 1.01 / 219
        assert abs((after - before).mean()) < 0.05 / 219


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3), (65, 3), (3, 65)])
@pytest.mark.parametrize("subsampling", [(2, 2), (2, 1), (1, 1)])
def test_the_smallest_and_oddest_pictures_work(size, subsampling):
    color = Color(subsampling=subsampling)
    planes = neutral(np.full(size, 120, np.uint8), color)
    done = run(planes, color, GRAIN, GUARD, side=(1080, 1080))
    assert [p.shape for p in done] == [p.shape for p in planes]


def test_the_input_is_never_written_to():
    color = Color()
    planes = colourful(color)
    kept = [p.copy() for p in planes]
    for plane in planes:
        plane.flags.writeable = False
    run(planes, color, GRAIN, GUARD)
    assert all(np.array_equal(a, b) for a, b in zip(planes, kept, strict=True))


def test_a_backend_asked_for_by_name_never_falls_back():
    with pytest.raises(BackendUnavailable, match="CUDA"):
        open_backend("cuda")
    with pytest.raises(BackendUnavailable, match="did you mean cuda"):
        open_backend("cuda1")
    backend = open_backend("auto")
    assert backend.name == "cpu"
    backend.close()


def relief(height: int, width: int, color: Color, top: int, left: int, value: int) -> PassTerm:
    across, down = color.subsampling
    chroma = (-(-height // down), -(-width // across))
    return PassTerm(
        top, left, np.full((height, width), value, np.int16), *(np.full(chroma, c, np.int16) for c in (value, -value))
    )


@pytest.mark.parametrize("subsampling", [(2, 2), (1, 1)])
@pytest.mark.parametrize("depth", [8, 10, 16, 32])
def test_texture_scales_luma_above_black_and_shifts_chroma_inside_its_rectangle(depth, subsampling):
    color = Color(depth=depth, subsampling=subsampling)
    plain = Color(depth=16 if depth == 32 else depth, subsampling=subsampling)
    planes = colourful(plain)
    before = normalised(planes, plain)
    if depth == 32:
        planes = tuple(np.asarray(p, np.float32) for p in before)
    done = run(planes, color, CinemaGrain(strength=0), NO_GUARD, texture=relief(40, 30, color, 70, 20, 819))
    after = done if depth == 32 else normalised(done, plain)
    across, down = subsampling
    # The rectangle reaches past the bottom of the picture: what is outside is left out.
    inside = np.zeros(before[0].shape, bool)
    inside[70:, 20:50] = True
    gain = 1 + 819 / 16384
    step = 0 if depth == 32 else 1 / (219 << (depth - 8))
    assert np.abs(after[0] - before[0] * np.where(inside, gain, 1))[inside].max() <= step + 1e-5
    assert np.array_equal(done[0][~inside], planes[0][~inside])
    for plane, old, sign in zip(after[1:], before[1:], (1, -1), strict=True):
        part = np.zeros(old.shape, bool)
        part[70 // down :, 20 // across : 50 // across] = True
        assert np.abs(plane - old - sign * 819 / 32768)[part].max() <= step + 1e-5
        assert abs((plane - old)[part].mean() - sign * 819 / 32768) < max(0.1 * step, 1e-5)


def test_a_texture_of_zeros_keeps_every_bit():
    color = Color()
    planes = colourful(color)
    done = run(planes, color, CinemaGrain(strength=0), NO_GUARD, texture=relief(50, 50, color, 10, 10, 0))
    assert all(np.array_equal(a, b) for a, b in zip(planes, done, strict=True))


@pytest.mark.parametrize("depth", [8, 10])
def test_codes_beyond_the_target_range_land_on_its_end(depth):
    start, end = Color(depth=depth), Color(depth=depth, range=Range.FULL)
    last = (1 << depth) - 1
    luma = np.repeat(np.arange(last + 1, dtype=dtype_of(start))[None], 4, axis=0)
    y, cb, cr = neutral(luma, start)
    cb[:] = 0
    cr[:] = last
    done = run((y, cb, cr), start, CinemaGrain(strength=0), NO_GUARD, target=end)
    scale = 1 << (depth - 8)
    assert (done[0][:, : 16 * scale] == 0).all()
    assert (done[0][:, 235 * scale :] == last).all()
    assert (done[1] == 0).all()
    assert (done[2] == last).all()


@pytest.mark.parametrize("target", [Color(depth=32, subsampling=(1, 1)), Color(subsampling=(1, 1))])
def test_values_that_are_no_numbers_pass_through(target):
    color = Color(depth=32, subsampling=(1, 1))
    luma = np.full((3, 40), 0.5, np.float32)
    luma[1, :3] = np.nan, np.inf, -np.inf
    done = run(neutral(luma, color), color, GRAIN, GUARD, target=target)
    plain = run(neutral(np.full((3, 40), 0.5, np.float32), color), color, GRAIN, GUARD, target=target)
    assert all(np.array_equal(a[:, 3:], b[:, 3:]) for a, b in zip(done, plain, strict=True))
    if target.is_float:
        assert np.isnan(done[0][1, 0])


@pytest.mark.parametrize("range_", list(Range))
def test_texture_past_the_right_edge_and_past_the_last_code_is_cut_off(range_):
    color = Color(range=range_)
    planes = neutral(np.full((20, 30), 250, np.uint8), color)
    planes[1][:] = 254
    texture = relief(20, 40, color, 0, 16, 16000)
    done = run(planes, color, CinemaGrain(strength=0), NO_GUARD, texture=texture)
    assert (done[0][:, 16:] == 255).all()
    assert (done[1][:, 8:] == 255).all()
    assert np.array_equal(done[1][:, :8], planes[1][:, :8])


@pytest.mark.parametrize("depth", [8, 10])
def test_a_highlight_changes_nothing_of_what_is_around_it(depth):
    # Rows and pieces without highlights go other ways through the pass than those with one.
    color = Color(depth=depth)
    black, white = luma_codes(depth, color.range)
    rng = np.random.default_rng(3)
    shadows = rng.integers(int(black), int((black + white) // 2), (96, 700)).astype(dtype_of(color))
    lit = np.zeros(shadows.shape, bool)
    lit[::3, rng.integers(0, 700, 32)] = True
    lights = np.where(lit, shadows.dtype.type(white), shadows)
    texture = relief(96, 700, color, 30, 200, 0)
    texture.luma[:] = rng.integers(-3000, 3000, texture.luma.shape)
    for more in ({}, {"grain": CinemaGrain(strength=3.0)}, {"texture": texture}):
        guarded = run(neutral(shadows, color), color, guard=HighlightGuard(), **more)
        around = run(neutral(lights, color), color, guard=HighlightGuard(), **more)
        assert np.array_equal(guarded[0][~lit], around[0][~lit])
        assert not more or not np.array_equal(guarded[0], shadows)
    plain = run(neutral(shadows, color), color, guard=HighlightGuard())
    assert np.array_equal(plain[0], shadows)


def test_no_index_leaves_its_array():
    # Compiled code does not look; as plain Python numpy does.
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "tests.unjitted", "-p", "no:cacheprovider", "-W",
        "ignore::RuntimeWarning", "tests/backends/test_pass.py", "-k", "smallest or past_the_right or 8-subsampling0",
    ]  # fmt: skip
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    root = Path(__file__).parents[2]
    found = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
