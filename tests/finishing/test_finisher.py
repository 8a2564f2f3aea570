"""Effects without files: on frames of a source, and on arrays."""

import numpy as np
import pytest

import grainkit
from grainkit.backends import open_backend
from grainkit.errors import BackendUnavailable, InputError, RecipeError
from tests.drawn import clip, gradient, still

OFF = ("highlight_guard.strength=0", "cinema_grain.strength=0")


def picture(dtype, width=64, height=48):
    values = gradient(width, height)
    if dtype == np.float32:
        return (1.2 * values - 0.05).astype(np.float32)  # beyond black and white, as EXR may be
    return np.rint(np.iinfo(dtype).max * values).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_an_array_keeps_size_and_type_and_strength_0_keeps_its_bits(dtype):
    rgb = picture(dtype)
    before = rgb.copy()
    out = grainkit.finish_array(rgb, preset="social", seed=7)
    assert (out.shape, out.dtype) == (rgb.shape, rgb.dtype)
    assert (out != rgb).any()
    np.testing.assert_array_equal(rgb, before)
    np.testing.assert_array_equal(grainkit.finish_array(rgb, settings=OFF), rgb)


def test_an_array_is_fixed_by_seed_and_number():
    rgb = picture(np.uint8)
    first = grainkit.finish_array(rgb, seed=7, index=3)
    np.testing.assert_array_equal(first, grainkit.finish_array(rgb, seed=7, index=3))
    assert (first != grainkit.finish_array(rgb, seed=8, index=3)).any()
    assert (first != grainkit.finish_array(rgb, seed=7, index=4)).any()


@pytest.mark.parametrize("view", [lambda a: a[::-1], lambda a: a[:, ::2], np.asfortranarray, lambda a: a[..., ::-1]])
def test_any_layout_in_memory_will_do(view):
    rgb = view(picture(np.uint8))
    np.testing.assert_array_equal(
        grainkit.finish_array(rgb, seed=1), grainkit.finish_array(np.ascontiguousarray(rgb), seed=1)
    )


def test_grain_of_an_array_keeps_the_mean():
    rgb = np.full((256, 256, 3), 120, np.uint8)
    out = grainkit.finish_array(rgb, settings=["cinema_grain.strength=4"])
    assert abs(out.astype(float).mean(axis=(0, 1)) - 120).max() < 0.25
    assert out.astype(float).std() > 2


@pytest.mark.parametrize(
    "rgb", [np.zeros((4, 4, 3), np.float64), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 3), np.int16)]
)
def test_other_arrays_are_refused(rgb):
    with pytest.raises(InputError, match="uint8, uint16 or float32"):
        grainkit.finish_array(rgb)


def test_recipes_and_backends_that_are_not_there():
    with pytest.raises(RecipeError, match="did you mean social"):
        grainkit.finish_array(picture(np.uint8), preset="socail")
    with pytest.raises(BackendUnavailable, match="no backend"):
        grainkit.Finisher(grainkit.load_recipe("social"), backend="gpu")


def test_a_stream_of_frames_keeps_what_the_source_is(tmp_path):
    source = clip(tmp_path / "c.nut", frames=4, pixel_format="yuv422p10le")
    with grainkit.open_source(source, start=1) as frames, grainkit.Finisher(grainkit.load_recipe("video")) as finisher:
        made = list(finisher.stream(frames))
        assert finisher.backend.name == "cpu"
    assert [f.index for f in made] == [1, 2, 3]
    with grainkit.open_source(source, start=1) as frames:
        for given, out in zip(frames, made, strict=True):
            assert (out.color, out.pts, out.time_base) == (given.color, given.pts, given.time_base)
            assert [p.shape for p in out.planes] == [p.shape for p in given.planes]
            assert (out.planes[0] != given.planes[0]).any()


def test_a_streamed_still_has_its_finished_rgb(tmp_path):
    source = still(tmp_path / "a.png", mode="RGBA")
    recipe = grainkit.load_recipe("social")
    with grainkit.open_source(source) as given, grainkit.Finisher(recipe) as finisher:
        out = next(iter(finisher.stream(given)))
    with grainkit.open_source(source) as given:
        before = next(iter(given))
    np.testing.assert_array_equal(out.rgb, grainkit.finish_array(before.rgb, preset=recipe))
    np.testing.assert_array_equal(out.alpha, before.alpha)


def test_a_backend_that_is_open_stays_open():
    backend = open_backend("cpu", workers=1)
    for _ in range(2):
        grainkit.finish_array(picture(np.uint8), backend=backend)
    backend.close()
