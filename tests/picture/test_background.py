"""What lies behind a picture: transparency over a colour where a file has none, and bars to an exact size."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import grainkit as gk
from grainkit.errors import RecipeError
from grainkit.finishing.planning import make_plan
from grainkit.io.base import SourceInfo
from grainkit.job.dry_run import dry_run
from grainkit.job.request import FinishRequest
from grainkit.picture.background import Canvas, background_signal, composited, padded
from grainkit.picture.color import SRGB_STILL, Color, Range, Transfer
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import PlanesOfRgb
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from grainkit.recipe.recipe import to_yaml
from tests.drawn import clip, still

OFF = ("skin_texture.strength=0", "highlight_guard.strength=0", "cinema_grain.strength=0", "delivery.still.sharpen=0")
BARE = (*OFF, "delivery.fit=keep")


def see_through(path, mode="RGBA"):
    """A picture of one colour (90, 140, 30) behind every alpha there is."""
    samples = np.empty((32, 256, 4), np.uint8)
    samples[...] = (90, 140, 30, 0)
    samples[..., 3] = np.arange(256)
    image = Image.fromarray(samples, "RGBA")
    (image if mode == "RGBA" else image.convert("LA")).save(path)
    return np.asarray(image)


@pytest.mark.parametrize(("background", "code"), [("white", 255), ("#336699", None), ("black", 0)])
def test_a_jpeg_of_a_transparent_picture_is_composited_as_browsers_do(background, code, tmp_path):
    samples = see_through(tmp_path / "a.png").astype(float)
    settings = [*BARE, "delivery.still.quality=100", f"delivery.background={background}"]
    report = gk.finish(tmp_path / "a.png", tmp_path / "a.jpg", preset="social", settings=settings, adapt=False)
    behind = np.array([0x33, 0x66, 0x99] if code is None else [code] * 3, float)
    share = samples[..., 3:] / 255
    wanted = samples[..., :3] * share + behind * (1 - share)
    made = np.asarray(Image.open(tmp_path / "a.jpg")).astype(float)
    assert np.abs(made - wanted).max() <= 3  # of which 2 are the JPEG's own
    assert np.abs(made - wanted).mean() < 0.7
    assert f"composited over {background} (delivery.background)" in " ".join(report.notes)


def test_white_is_behind_where_nobody_says_otherwise_and_png_keeps_its_alpha(tmp_path):
    samples = see_through(tmp_path / "a.png")
    gk.finish(tmp_path / "a.png", tmp_path / "a.jpg", preset="social", settings=BARE, adapt=False)
    assert np.asarray(Image.open(tmp_path / "a.jpg"))[:, 0].min() >= 254
    report = gk.finish(tmp_path / "a.png", tmp_path / "b.png", preset="social", settings=BARE, adapt=False)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.png")), samples)
    assert "composited" not in " ".join(report.notes)


def test_a_grey_picture_stays_grey_on_its_background(tmp_path):
    see_through(tmp_path / "a.png", "LA")
    gk.finish(tmp_path / "a.png", tmp_path / "a.jpg", preset="social", settings=BARE, adapt=False)
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.mode == "L"
        assert np.asarray(image)[:, 0].min() >= 254


def test_what_is_adapted_to_a_platform_is_what_is_seen(tmp_path):
    """With alpha kept, too: a platform flattens it, and hidden colours must not be measured."""
    hidden = np.random.default_rng(1).integers(0, 256, (96, 128, 4), np.uint8)
    hidden[..., 3] = 0
    plain = np.full_like(hidden, 255)
    plain[..., 3] = 0
    settings = [
        "skin_texture.strength=0",
        "delivery.fit=keep",
        "delivery.still.container=png",
    ]
    found = []
    for name, samples in (("hidden", hidden), ("plain", plain)):
        Image.fromarray(samples, "RGBA").save(tmp_path / f"{name}.png")
        out = tmp_path / f"{name}.o.png"
        report = gk.finish(tmp_path / f"{name}.png", out, preset="social/x", settings=settings, adapt=True)
        found.append(yaml.safe_load(Path(report.sidecar).read_text())["measured"]["adapt"])
        with Image.open(out) as image:
            assert image.mode == "RGBA"
    # Grain is each picture's own, so the figures are alike and not the same; noise would weigh fifty times as much.
    sizes = [[after["bytes"] for told in one["rounds"] for after in told["after"]] for one in found]
    assert len(sizes[0]) > 0
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("subsampling", [(2, 2), (1, 1)])
def test_planes_of_a_clip_are_composited_in_their_codes(depth, subsampling):
    color = Color(depth=depth, subsampling=subsampling, range=Range.LIMITED)
    one = 1 << (depth - 8)
    dtype = np.uint8 if depth == 8 else np.uint16
    top = (1 << depth) - 1
    shape = (8 // subsampling[1], 12 // subsampling[0])
    luma = np.full((8, 12), 81 * one, dtype)
    cb, cr = np.full(shape, 90 * one, dtype), np.full(shape, 240 * one, dtype)
    alpha = np.zeros((8, 12), dtype)
    alpha[:, 4:8], alpha[:, 8:] = round(top / 2), top
    out = composited(Frame((luma, cb, cr), color, alpha=alpha), "white")
    assert out.alpha is None
    across = subsampling[0]
    half = round(top / 2) / top
    np.testing.assert_array_equal(
        out.planes[0][0, [0, 5, 9]], [235 * one, round((235 + (81 - 235) * half) * one), 81 * one]
    )
    np.testing.assert_array_equal(
        out.planes[2][0, [0, 6 // across, 10 // across]],
        [128 * one, round((128 + (240 - 128) * half) * one), 240 * one],
    )


def test_a_clip_with_alpha_is_composited_where_the_codec_has_none(tmp_path):
    source = clip(tmp_path / "c.mov", frames=2, pixel_format="yuva444p10le", codec="prores_ks")
    settings = [*BARE, "delivery.background=#000000", "delivery.clip.options.crf=1"]
    report = gk.finish(source, tmp_path / "o.mp4", preset="video/h264", settings=settings)
    assert "composited over #000000" in " ".join(report.notes)
    with gk.open_source(tmp_path / "o.mp4") as made:
        luma = next(iter(made)).planes[0]
    # The drawn alpha rises from left to right.
    assert luma[:, :2].mean() < 24 < luma[:, -8:].mean()


def test_white_is_white_as_each_transfer_has_it():
    for transfer, signal in [(Transfer.SRGB, 1.0), (Transfer.BT709, 1.0), (Transfer.LINEAR, 1.0), (Transfer.HLG, 0.75)]:
        assert background_signal("white", Color(transfer=transfer)) == pytest.approx((signal,) * 3, abs=1e-6)
    # BT.2408: 203 cd/m2 is 58 % PQ.
    assert background_signal("white", Color(transfer=Transfer.PQ))[0] == pytest.approx(0.58, abs=0.002)
    assert background_signal("black", Color(transfer=Transfer.PQ)) == (0.0, 0.0, 0.0)
    assert background_signal("gray", Color(transfer=Transfer.LINEAR))[0] == pytest.approx(0.21586, abs=1e-4)


@pytest.mark.parametrize("bad", ["#12345", "whit", "transparent", "255"])
def test_what_is_no_colour_is_refused(bad):
    with pytest.raises(RecipeError, match="as #rrggbb"):
        override(load_recipe("social"), [f"delivery.background={bad}"])


def test_a_colour_goes_through_set_and_yaml(tmp_path):
    recipe = override(load_recipe("social"), ["delivery.background=#A0b1C2"])
    (tmp_path / "r.yaml").write_text(to_yaml(recipe))
    assert load_recipe(str(tmp_path / "r.yaml")).delivery.background == "#A0b1C2"


# Bars

PAD = ("delivery.fit=pad", *OFF)


@pytest.mark.parametrize("backend", ["cpu"])
@pytest.mark.parametrize("box", [(200, 200), (201, 77), (64, 301), (48, 36)])
def test_a_still_comes_in_the_exact_box_with_bars_of_the_background(box, backend, tmp_path):
    rng = np.random.default_rng(2)
    Image.fromarray(rng.integers(20, 60, (60, 80, 3), np.uint8)).save(tmp_path / "p.png")
    settings = [*PAD, f"delivery.width={box[0]}", f"delivery.height={box[1]}", "delivery.turn=false",
                "delivery.background=#c83200", "delivery.upscale=true"]  # fmt: skip
    report = gk.finish(
        tmp_path / "p.png", tmp_path / "o.png", preset="social", settings=settings, adapt=False, backend=backend
    )
    made = np.asarray(Image.open(tmp_path / "o.png")).astype(int)
    assert made.shape == (box[1], box[0], 3)
    assert (report.width, report.height) == box
    scale = min(box[0] / 80, box[1] / 60)
    inner = round(80 * scale), round(60 * scale)
    bar = (made == (0xC8, 0x32, 0x00)).all(axis=2)
    assert bar.sum() == box[0] * box[1] - inner[0] * inner[1]
    left, top = (box[0] - inner[0]) // 2, (box[1] - inner[1]) // 2
    assert not bar[top : top + inner[1], left : left + inner[0]].any()
    if inner != box:
        assert f"bars to {box[0]}x{box[1]} in #c83200" in " ".join(report.notes)


def test_a_small_picture_is_laid_into_the_box_and_not_enlarged(tmp_path):
    still(tmp_path / "p.png", 40, 30)
    settings = [*PAD, "delivery.width=100", "delivery.height=50", "delivery.turn=false"]
    gk.finish(tmp_path / "p.png", tmp_path / "o.png", preset="social", settings=settings, adapt=False)
    made, given = (np.asarray(Image.open(tmp_path / n).convert("RGB")) for n in ("o.png", "p.png"))
    np.testing.assert_array_equal(made[10:40, 30:70], given)
    assert (made[:10] == 255).all()


@pytest.mark.parametrize(
    ("form", "codec", "box", "size"),
    [("yuv420p", "ffv1", (101, 77), (100, 76)), ("yuv422p10le", "ffv1", (101, 77), (100, 77)),
     ("yuv420p", "libx264", (96, 170), (96, 170)), ("yuv444p", "ffv1", (101, 77), (101, 77))],
)  # fmt: skip
def test_bars_of_a_clip_are_legal_codes_on_whole_chroma_samples(form, codec, box, size, tmp_path):
    source = clip(tmp_path / "c.nut", frames=2, pixel_format="yuv420p")
    settings = [*PAD, f"delivery.width={box[0]}", f"delivery.height={box[1]}", "delivery.background=black",
                f"delivery.clip.codec={codec}", f"delivery.clip.pixel_format={form}",
                "delivery.turn=false"]  # fmt: skip
    out = tmp_path / ("o.nut" if codec == "ffv1" else "o.mkv")
    report = gk.finish(source, out, preset="video", settings=settings)
    assert (report.width, report.height) == size
    with gk.open_source(out) as made:
        assert (made.info.width, made.info.height) == size
        planes = next(iter(made)).planes
        one = 1 << (made.info.color.depth - 8)
    corner = [int(p[0, 0]) for p in planes] + [int(p[-1, -1]) for p in planes]
    slack = 0 if codec == "ffv1" else 1
    np.testing.assert_allclose(corner, [16 * one, 128 * one, 128 * one] * 2, atol=slack)


def test_the_dry_run_and_a_pipe_know_the_bars(tmp_path):
    still(tmp_path / "p.png", 40, 30)
    settings = [*PAD, "delivery.width=100", "delivery.height=100"]
    told = dry_run(FinishRequest.of(tmp_path / "p.png", tmp_path / "o.png", preset="social", settings=settings))
    assert told["output"]["size"] == [100, 100]
    assert any("bars to 100x100" in note for note in told["notes"])
    source, room = clip(tmp_path / "c.nut", frames=1, pixel_format="yuv420p"), io.BytesIO()
    gk.finish(source, "-", preset="video", settings=settings, stdout=room)
    assert b"W100 H100" in room.getvalue()[:60]


def test_a_box_that_is_open_to_a_side_cannot_be_padded():
    info = SourceInfo("p.png", None, "still", 40, 30, SRGB_STILL)
    recipe = override(load_recipe("social"), ["delivery.fit=pad", "delivery.width=100", "delivery.height=0"])
    with pytest.raises(RecipeError, match=r"both sides of the box; set delivery\.width and delivery\.height"):
        make_plan(info, recipe, "o.png")


def test_bars_of_a_transparent_picture_are_opaque_and_its_alpha_is_its_own():
    color = replace(SRGB_STILL, depth=16)
    rgb = np.full((4, 6, 3), 500, np.uint16)
    frame = Frame(PlanesOfRgb(rgb, color), color, rgb=rgb, alpha=np.full((4, 6), 7, np.uint16))
    out = padded(frame, Canvas((10, 8), 2, 2, "white"))
    assert (out.width, out.height) == (10, 8)
    assert (out.alpha[0, 0], out.alpha[2, 2], tuple(out.rgb[0, 0])) == (65535, 7, (65535,) * 3)
    plane = np.zeros((4, 6), np.uint16)
    moving = Frame((plane,) * 3, Color(depth=8, subsampling=(1, 1)), alpha=np.full((4, 6), 7, np.uint16), pts=0,
                   time_base=Fraction(1, 24))  # fmt: skip
    assert padded(moving, Canvas((10, 8), 2, 2, "white"), Color(depth=10)).alpha[0, 0] == 1023
