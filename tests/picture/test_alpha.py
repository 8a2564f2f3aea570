"""Transparency: what cannot be seen gets into nothing that can, at any size and in every container that has alpha."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import OpenEXR
import pytest

import grainkit as gk
from grainkit.effects.print_sharpening.parameters import Sharpening
from grainkit.effects.print_sharpening.stage import sharpened
from grainkit.io.base import StillMetadata
from grainkit.io.decode_still import read_still
from grainkit.io.delivery import StillDelivery
from grainkit.io.encode_still import encode_still
from grainkit.picture.color import SRGB_STILL, Color, Siting
from grainkit.picture.frame import Frame
from grainkit.picture.resample import Geometry, alpha_at_chroma, conform
from grainkit.picture.rgb import PlanesOfRgb

OFF = ("skin_texture.strength=0", "highlight_guard.strength=0", "cinema_grain.strength=0", "delivery.still.sharpen=0")
#: Container, bits and numpy type of pictures that have alpha.
HELD = [("png", 8, np.uint8), ("png", 16, np.uint16), ("tiff", 8, np.uint8), ("tiff", 16, np.uint16),
        ("tiff", 32, np.float32), ("webp", 8, np.uint8), ("exr", 32, np.float32)]  # fmt: skip
SIZES = [(61, 43), (33, 37), (83, 50), (131, 59), (166, 100), (20, 12)]
WIDTH, HEIGHT = 83, 50
NAMES = {"png": "png", "tiff": "tif", "webp": "webp", "exr": "exr"}


def full(dtype):
    return 1.0 if dtype == np.float32 else float(np.iinfo(dtype).max)


def disc():
    """R'G'B' and alpha, float64: every hue in a soft-edged disc with holes, on hidden colours unlike them."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    rng = np.random.default_rng(4)
    seen = np.stack([0.5 + 0.5 * np.sin(x / 9 + k * 2.1) * np.cos(y / 7 - k) for k in range(3)], -1)
    far = np.hypot(x - WIDTH / 2, y - HEIGHT / 2)
    alpha = np.clip((20 - far) / 1.7, 0, 1)
    alpha[(np.hypot(x - 33, y - 20) < 3) | (x > 76)] = 0.0
    alpha[20:24, 30:60] *= rng.random((4, 30))
    hidden = rng.integers(0, 2, (HEIGHT, WIDTH, 3)).astype(float)
    return np.where((alpha > 0)[..., None], seen, hidden), alpha


def lanczos_matrix(size: int, source: int) -> np.ndarray:
    """(size, source) float64: Lanczos-3 over the whole axis, widened where it reduces, within the source."""
    scale = source / size
    wide = max(scale, 1.0)
    at = (np.arange(size)[:, None] + 0.5) * scale
    x = (np.arange(source)[None, :] + 0.5 - at) / wide
    kernel = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)
    return kernel / kernel.sum(axis=1, keepdims=True)


def premultiplied_lanczos(rgb, alpha, size):
    """R'G'B', straight, and alpha in float64, each between the extremes of Y', Cb, Cr and alpha that went in."""
    down, across = lanczos_matrix(size[1], alpha.shape[0]), lanczos_matrix(size[0], alpha.shape[1])
    kr, kb = 0.2126, 0.0722
    y = rgb @ [kr, 1 - kr - kb, kb]
    planes = [y, (rgb[..., 2] - y) / (2 - 2 * kb), (rgb[..., 0] - y) / (2 - 2 * kr)]
    cover = down @ alpha @ across.T
    made = []
    for plane in planes:
        with np.errstate(divide="ignore", invalid="ignore"):
            straight = (down @ (plane * alpha) @ across.T) / cover
        made.append(np.clip(straight, plane.min(), plane.max()))
    red, blue = made[0] + made[2] * (2 - 2 * kr), made[0] + made[1] * (2 - 2 * kb)
    green = (made[0] - kr * red - kb * blue) / (1 - kr - kb)
    return np.stack([red, green, blue], -1), np.clip(cover, alpha.min(), alpha.max())


def stored(path, container, depth, dtype, rgb, alpha):
    codes, shares = ((np.rint(v * full(dtype)) if dtype != np.float32 else v).astype(dtype) for v in (rgb, alpha))
    color = replace(SRGB_STILL, depth=depth)
    frame = Frame(PlanesOfRgb(codes, color), color, rgb=codes, alpha=shares)
    path.write_bytes(encode_still(frame, StillDelivery(container, depth, quality=100), 0, StillMetadata()))
    return codes / full(dtype), shares / full(dtype)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("container", "depth", "dtype"), HELD)
def test_every_size_in_every_container_is_premultiplied_lanczos(container, depth, dtype, size, tmp_path):
    rgb, alpha = disc()
    source = tmp_path / f"in.{NAMES[container]}"
    rgb, alpha = stored(source, container, depth, dtype, rgb, alpha)
    if container == "exr":  # which holds no colour where alpha is 0
        rgb = read_still(source).rgb
    out = tmp_path / f"out.{NAMES[container]}"
    settings = [*OFF, f"delivery.width={size[0]}", f"delivery.height={size[1]}", "delivery.upscale=true",
                "delivery.fit=cover", "delivery.still.quality=100", f"delivery.still.depth={depth}",
                f"delivery.still.container={container}", "delivery.still.max_bytes=0"]  # fmt: skip
    # The crop that `cover` makes of another shape is not what is tested.
    height = round(WIDTH * size[1] / size[0])
    if size[0] * HEIGHT != size[1] * WIDTH:
        settings = [s for s in settings if "height" not in s and "cover" not in s] + [f"delivery.height={4 * height}"]
    gk.finish(source, out, preset="social", settings=settings, adapt=False)
    made = read_still(out)
    assert made.alpha is not None
    wanted, share = premultiplied_lanczos(rgb, alpha, made.alpha.shape[::-1])
    top = full(dtype) if dtype != np.float32 else 65535.0
    got, cover = made.rgb.astype(np.float64) / full(dtype), made.alpha.astype(np.float64) / full(dtype)
    assert np.abs(cover - share).max() * top <= 1
    apart = np.abs(got - np.clip(wanted, 0, 1) if dtype != np.float32 else got - wanted)
    apart[share <= 0.01] = 0.0  # below, alpha itself is all but gone: the product counts
    assert apart.max() * min(top, 65535.0 if dtype == np.float32 else top) <= (1 if dtype != np.float32 else 2)
    product = np.abs(np.clip(got, 0, 1) * cover[..., None] - np.clip(np.nan_to_num(wanted), 0, 1) * share[..., None])
    assert product.max() * top <= 1 + (dtype == np.uint8)
    assert np.isfinite(got).all()


def test_an_opaque_disc_has_no_fringe_of_what_is_hidden_around_it(tmp_path):
    rgb, alpha = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8)
    y, x = np.mgrid[0:64, 0:64]
    inside = np.hypot(x - 31.5, y - 31.5) < 22
    rgb[inside], alpha[inside] = (250, 128, 20), 255
    path = tmp_path / "disc.png"
    frame = Frame(PlanesOfRgb(rgb, SRGB_STILL), SRGB_STILL, rgb=rgb, alpha=alpha)
    path.write_bytes(encode_still(frame, StillDelivery("png", 8), 0, StillMetadata()))
    for width in (23, 41, 131):
        settings = [*OFF, f"delivery.width={width}", f"delivery.height={width}", "delivery.upscale=true"]
        gk.finish(path, tmp_path / f"{width}.png", preset="social", settings=settings, adapt=False)
        made = read_still(tmp_path / f"{width}.png")
        seen = made.rgb[made.alpha > 0].astype(int)
        assert np.abs(seen - (250, 128, 20)).max() <= 1


def test_an_exrs_colours_are_premultiplied_and_nothing_else_is(tmp_path):
    """OpenEXR's are multiplied by alpha (Technical Introduction, "Alpha"): nothing, where it is 0."""
    colour, alpha = np.full((4, 6), 0.8, np.float32), np.tile(np.linspace(0, 1, 6, dtype=np.float32), (4, 1))
    stored = np.where(alpha > 0, colour * alpha, 0.25).astype(np.float32)
    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}
    OpenEXR.File(header, {**dict.fromkeys("RGB", stored), "A": alpha}).write(str(tmp_path / "a.exr"))
    seen = read_still(tmp_path / "a.exr")
    np.testing.assert_allclose(seen.rgb[:, 1:], 0.8, rtol=1e-6)
    np.testing.assert_array_equal(seen.rgb[:, 0], 0.25)
    gk.finish(
        tmp_path / "a.exr", tmp_path / "b.exr", preset="social", settings=[*OFF, "delivery.fit=keep"], adapt=False
    )
    made = OpenEXR.File(str(tmp_path / "b.exr"), separate_channels=True).channels()
    np.testing.assert_allclose(made["R"].pixels, np.where(alpha > 0, stored, 0), rtol=3e-7)
    gk.finish(
        tmp_path / "a.exr", tmp_path / "b.png", preset="social", settings=[*OFF, "delivery.fit=keep"], adapt=False
    )
    np.testing.assert_array_equal(read_still(tmp_path / "b.png").rgb[:, 2:], 204)


def test_an_opaque_alpha_changes_no_bit():
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, 256, (40, 60, 3), np.uint8)
    plain = Frame(PlanesOfRgb(rgb, SRGB_STILL), SRGB_STILL, rgb=rgb)
    shape = Geometry((60, 40), (33, 22), 0.0, 0.0, 60.0, 40.0)
    opaque = replace(plain, alpha=np.full((40, 60), 255, np.uint8))
    working = replace(SRGB_STILL, depth=32)
    for a, b in zip(conform(plain, shape, working).planes, conform(opaque, shape, working).planes, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("subsampling", [(2, 2), (2, 1), (1, 1)])
@pytest.mark.parametrize("siting", [Siting.LEFT, Siting.CENTER])
def test_chroma_of_a_clip_is_weighed_by_alpha_where_it_is(subsampling, siting):
    """A coloured square on hidden black and green: no chroma but its own, at any size."""
    color = Color(depth=10, subsampling=subsampling, siting=siting)
    alpha = np.zeros((48, 64), np.uint16)
    alpha[16:32, 20:44] = 1023
    luma = np.where(alpha > 0, 600, 64).astype(np.uint16)
    share = alpha_at_chroma((alpha > 0).astype(np.float32), color) > 0
    cb, cr = np.where(share, 300, 700).astype(np.uint16), np.where(share, 800, 200).astype(np.uint16)
    frame = Frame((luma, cb, cr), color, alpha=alpha)
    for size in ((32, 24), (96, 72), (46, 34)):
        out = conform(frame, Geometry((64, 48), size, 0.0, 0.0, 64.0, 48.0), replace(color, depth=32))
        at_chroma = alpha_at_chroma((out.alpha / 1023).astype(np.float32), replace(color, depth=32))
        for plane, code in zip(out.planes[1:], (300, 800), strict=True):
            np.testing.assert_allclose(plane[at_chroma > 0.1] * 896 + 512, code, atol=1.0)
        np.testing.assert_allclose(out.planes[0][out.alpha > 16] * 876 + 64, 600, atol=1.0)


def test_alpha_of_chroma_is_the_mean_of_what_its_sample_covers():
    alpha = np.zeros((1, 8), np.float32)
    alpha[0, 3:] = 1.0
    color = Color(subsampling=(2, 1), siting=Siting.CENTER)
    np.testing.assert_allclose(alpha_at_chroma(alpha, color), [[0, 0.5, 1, 1]])
    # Left-sited, on px 0, 2, 4, 6: half a px of each neighbour.
    np.testing.assert_allclose(alpha_at_chroma(alpha, replace(color, siting=Siting.LEFT)), [[0, 0.25, 1, 1]])


def test_where_nothing_is_seen_the_hidden_colour_stays():
    rgb = np.full((30, 30, 3), 77, np.uint8)
    alpha = np.zeros((30, 30), np.uint8)
    alpha[:5, :5] = 255
    frame = Frame(PlanesOfRgb(rgb, SRGB_STILL), SRGB_STILL, rgb=rgb, alpha=alpha)
    out = conform(frame, Geometry((30, 30), (19, 19), 0.0, 0.0, 30.0, 30.0), replace(SRGB_STILL, depth=32))
    np.testing.assert_allclose(out.planes[0], 77 / 255, atol=1e-6)


def test_sharpening_draws_no_halo_of_what_is_hidden():
    luma = np.full((60, 60), 0.25, np.float32)
    alpha = np.zeros((60, 60), np.uint8)
    alpha[15:45, 15:45] = 255
    luma[15:45, 15:45] = np.random.default_rng(1).random((30, 30)).astype(np.float32) * 0.02 + 0.6
    luma[0, :2] = 0.0, 1.0  # what comes out stays between the extremes
    grey = np.zeros_like(luma)
    color = replace(SRGB_STILL, depth=32)
    frame = Frame((luma, grey, grey), color, alpha=alpha)
    out = sharpened(frame, Sharpening(1.0, 2.0)).planes[0]
    assert np.abs(out - luma)[alpha > 0].max() < 0.02
    opaque = sharpened(replace(frame, alpha=None), Sharpening(1.0, 2.0)).planes[0]
    assert np.abs(opaque - luma)[alpha > 0].max() > 0.1
