"""Pictures in memory: which arrays are taken, what comes back, and what is said to the rest."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import grainkit as gk
from tests.drawn import gradient, still

ONLY_GRAIN = {"skin_texture.strength": 0}


def picture(dtype=np.uint8, width=48, height=32, phase=0.0):
    values = gradient(width, height, phase)
    if dtype == np.float32:
        return values.astype(np.float32)
    return np.rint(np.iinfo(dtype).max * values).astype(dtype)


def finished(array, **told):
    return gk.finish_array(array, preset="social", seed=7, settings=ONLY_GRAIN, **told)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_grey_comes_back_in_its_own_shape(dtype):
    grey = picture(dtype)[..., 1].copy()
    out = finished(grey)
    assert (out.shape, out.dtype) == (grey.shape, grey.dtype)
    assert (out != grey).any()
    with_axis = finished(grey[..., None])
    assert with_axis.shape == (*grey.shape, 1)
    np.testing.assert_array_equal(with_axis[..., 0], out)


def test_grey_is_finished_as_the_same_grey_in_a_file(tmp_path):
    path = still(tmp_path / "g.png", mode="L")
    with gk.open_source(path) as source, gk.Finisher(gk.load_recipe("video")) as finisher:
        (out,) = finisher.stream(source)
    np.testing.assert_array_equal(gk.finish_array(np.array(Image.open(path)), preset="video"), out.rgb)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_alpha_comes_back_as_it_is(dtype):
    rgb = picture(dtype)
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    alpha = (np.linspace(0, top, rgb.shape[1]) * np.ones((rgb.shape[0], 1))).astype(dtype)
    rgba = np.dstack([rgb, alpha])
    before = rgba.copy()
    out = finished(rgba)
    assert (out.shape, out.dtype) == (rgba.shape, rgba.dtype)
    np.testing.assert_array_equal(out[..., 3], alpha)
    assert (out[..., :3] != rgb).any()
    np.testing.assert_array_equal(rgba, before)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_batch_is_a_series_of_stills(channels):
    batch = np.stack([picture(phase=phase) for phase in (0.0, 0.3, 0.6)])
    batch = np.concatenate([batch, batch[..., :1]], axis=-1)[..., :channels]
    out = finished(batch)
    assert (out.shape, out.dtype) == (batch.shape, batch.dtype)
    for one, alone in zip(out, batch, strict=True):
        np.testing.assert_array_equal(one, finished(alone))


def test_a_batch_takes_a_matte_for_all_or_one_each():
    batch, matte = np.stack([picture(), picture()]), np.ones((32, 48), np.float32)
    for given in (matte, np.stack([matte, matte])):
        assert finished(batch, matte=given).shape == batch.shape
    for given in (np.stack([matte] * 3), matte[:-1], matte.astype(np.float64)):
        with pytest.raises(gk.InputError, match="matte for this picture is float32"):
            finished(batch, matte=given)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("shape", ["rgb", "grey", "rgba", "batch"])
def test_foreign_byte_order_negative_strides_and_read_only_memory_will_do(dtype, shape):
    plain = {
        "rgb": picture(dtype), "grey": picture(dtype)[..., 1], "rgba": picture(dtype)[..., [0, 1, 2, 0]],
        "batch": np.stack([picture(dtype)] * 2),
    }[shape]  # fmt: skip
    plain = np.ascontiguousarray(plain)
    given = plain.astype(plain.dtype.newbyteorder(">"))[..., ::-1, :][..., ::-1, :] if plain.ndim > 2 else plain[::-1]
    if plain.ndim == 2:
        given, plain = given.astype(given.dtype.newbyteorder(">")), plain[::-1].copy()
    given.setflags(write=False)
    before = given.copy()
    out = finished(given)
    assert out.dtype == given.dtype
    np.testing.assert_array_equal(out, finished(plain))
    np.testing.assert_array_equal(given, before)
    assert not np.shares_memory(out, given)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_what_comes_back_is_the_callers_own(dtype):
    off = {"cinema_grain": {"strength": 0}, "highlight_guard": {"strength": 0}, "skin_texture": {"strength": 0}}
    for given in (picture(dtype), picture(dtype)[..., 1].copy(), np.stack([picture(dtype)])):
        out = gk.finish_array(given, settings=off)
        np.testing.assert_array_equal(out, given)
        assert out.flags.writeable
        assert not np.shares_memory(out, given)


class _Tensor:
    """What torch's tensors say of themselves."""

    def __dlpack_device__(self):
        return 1, 0


_Tensor.__module__ = "torch"

FLOAT = np.full((4, 4, 3), 0.5, np.float32)


def with_one(value):
    out = FLOAT.copy()
    out[1, 2, 0] = value
    return out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (FLOAT * 510, "look like codes of 0 to 255; pass array / 255"),
        (FLOAT * 4, "look like codes of 0 to 255"),
        (FLOAT * 60000, "look like codes of 0 to 65535"),
        (FLOAT * 1e6, "divide them by the value that is white"),
        (with_one(4.7), "linear or HDR light; tone map it"),
        (with_one(np.nan), "no numbers"),
        (with_one(np.inf), "no numbers"),
        (with_one(-0.8), r"-1 to 1; pass \(array \+ 1\) / 2"),
        (with_one(-2.3), "standardised by mean and deviation"),
        (np.zeros((4, 4, 3), np.float64), r"array.astype\(numpy.float32\)"),
        (np.zeros((4, 4, 3), np.float16), r"array.astype\(numpy.float32\)"),
        (np.zeros((4, 4, 3), np.int64), r"array.astype\(numpy.uint8\)"),
        (np.zeros((4, 4), bool), r"array \* numpy.uint8\(255\)"),
        (np.array([None, FLOAT], object), "one by one"),
        (np.array(["a.png"]), "give pixels"),
        (np.zeros((3, 20, 30), np.uint8), r"channels come first, which numpy.moveaxis\(array, -3, -1\) mends"),
        (np.zeros((2, 3, 20, 30), np.uint8), "channels come first"),
        (np.zeros((20, 30, 2), np.uint8), "grey with alpha"),
        (np.zeros((7, 20, 30), np.uint8), r"batch of grey pictures is array\[..., None\]"),
        (np.zeros((2, 2, 4, 4, 3), np.uint8), "one by one"),
        (np.zeros(4, np.uint8), "one by one"),
        (np.zeros((0, 4, 3), np.uint8), "holds nothing"),
        (np.ma.masked_equal(np.zeros((4, 4, 3), np.uint8), 0), r"array.filled\(0\)"),
        ("a.png", r"finish\(input, output\)"),
        (Path("a.png"), r"finish\(input, output\)"),
        (Image.new("RGB", (4, 4)), r"numpy.asarray\(image.convert\('RGB'\)\)"),
        (_Tensor(), r"tensor.detach\(\).cpu\(\).numpy\(\)"),
        ([FLOAT, FLOAT], "numpy.stack"),
        ([[0, 1]], "takes an array, not a list"),
        (None, "None is of type NoneType"),
        (7, "7 is of type int"),
    ],
)
def test_what_is_not_taken_is_said_with_what_to_do(given, said):
    with pytest.raises(gk.InputError, match=said) as raised:
        gk.finish_array(given)
    assert "\n" not in str(raised.value)


def test_overshoot_of_filters_is_taken():
    out = finished(np.clip(picture(np.float32) * 1.2 - 0.1, -0.09, 1.09))
    assert np.isfinite(out).all()


@pytest.mark.parametrize("matte", ["x", [[1.0]], 5, *(np.full((32, 48), v, np.float32) for v in (np.nan, 5.0, -1.0))])
def test_what_is_no_matte_of_0_to_1_is_refused(matte):
    with pytest.raises(gk.InputError, match="a matte for this picture is float32"):
        finished(picture(), matte=matte)


def test_a_numpy_matrix_is_refused_with_the_remedy():
    with pytest.raises(gk.InputError, match=r"numpy.asarray\(matrix\)"):
        finished(picture()[..., 0].view(np.matrix))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: gk.finish("a\0b"), "input = .* holds a NUL character"),
        (lambda: gk.finish("in.png", "a\0b.png"), "output = .* holds a NUL character"),
        (lambda: finished(picture(), index="x"), "index = 'x' is no frame's number"),
        (lambda: finished(picture(), source_profile=3), "source_profile = 3 is of type int"),
        (lambda: finished(picture(), source_profile=[]), r"source_profile = \[\] is of type list"),
        (lambda: gk.finish("in.png", max_pixels="x"), "max_pixels = 'x' is no number of pixels"),
        (lambda: gk.finish("in.png", max_pixels=-1), "max_pixels = -1 is no number of pixels"),
        (lambda: gk.finish_array(picture(), preset="a\0b.yaml"), "holds a NUL character"),
        (lambda: gk.Finisher(None), "Finisher takes a Recipe, not None"),
    ],
)
def test_arguments_of_other_types_are_refused_by_name(tmp_path, monkeypatch, call, said):
    monkeypatch.chdir(tmp_path)
    still(tmp_path / "in.png")
    with pytest.raises(gk.GrainkitError, match=said):
        call()
