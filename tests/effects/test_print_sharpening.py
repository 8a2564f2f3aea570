"""Stills for paper: millimetres, enlarged last, sharpened by distance, profiled."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from grainkit import finish, finish_array, load_recipe, open_source
from grainkit.analysis.faces import find_faces
from grainkit.analysis.grain import measure_grain
from grainkit.analysis.matte import skin_colour, skin_matte
from grainkit.analysis.networks import FaceNetworks
from grainkit.effects.print_sharpening.parameters import Sharpening
from grainkit.effects.print_sharpening.stage import BANDS, sharpened
from grainkit.effects.skin_texture.blocks import padded
from grainkit.effects.skin_texture.energy import energy_of
from grainkit.effects.skin_texture.layer import target
from grainkit.errors import RecipeError
from grainkit.finishing.plan import Plan
from grainkit.finishing.planning import make_plan
from grainkit.io.base import SourceInfo
from grainkit.picture.color import SRGB_STILL
from grainkit.picture.frame import Frame
from grainkit.picture.resample import resample
from grainkit.picture.rgb import planes_from_rgb
from grainkit.recipe.overrides import override
from samples.draw import portrait
from tests.passes import neutral

FLOAT = replace(SRGB_STILL, depth=32)
BARE = ("skin_texture.strength=0", "highlight_guard.strength=0", "cinema_grain.strength=0", "delivery.still.sharpen=0")


def planned(*settings: str, width: int = 640, height: int = 480) -> Plan:
    info = SourceInfo("in.png", Path("in.png"), "still", width, height, SRGB_STILL)
    return make_plan(info, override(load_recipe("print"), settings), "out.tif")


def grey_still(path: Path, picture: np.ndarray) -> Path:
    Image.fromarray(np.repeat(np.rint(255 * picture).astype(np.uint8)[..., None], 3, axis=2)).save(path)
    return path


@pytest.mark.parametrize(
    ("settings", "size"),
    [(("width_mm=100",), (1181, 886)), (("height_mm=100",), (1575, 1181)),
     (("width_mm=100", "height_mm=50"), (788, 591)), (("width_mm=50", "height_mm=100"), (788, 591)),
     (("width_mm=20",), (236, 177)), (("width_mm=100", "dpi=150"), (591, 443)),
     (("width_mm=100", "fit=keep"), (1181, 886))],
    ids=str,
)  # fmt: skip
def test_paper_says_the_size(settings, size):
    plan = planned(*(f"delivery.{s}" for s in settings))
    assert plan.geometry.size == size
    enlarged = [note for note in plan.notes if note.startswith("enlarged")]
    assert len(enlarged) == (size[0] > 640)


def test_millimetres_and_sharpening_need_the_dpi():
    with pytest.raises(RecipeError, match=r"width_mm and height_mm need delivery\.dpi"):
        planned("delivery.width_mm=100", "delivery.dpi=0")
    with pytest.raises(RecipeError, match=r"still\.sharpen needs delivery\.dpi"):
        planned("delivery.dpi=0", "cinema_grain.size_mm=0")


@pytest.mark.slow
def test_grain_has_its_size_on_paper_however_much_the_picture_is_enlarged(tmp_path):
    path = grey_still(tmp_path / "in.png", np.tile(np.linspace(0.2, 0.7, 200), (150, 1)))
    settings = ["delivery.width_mm=80", "cinema_grain.strength=6"]
    report = finish(path, tmp_path / "out.tif", preset="print", settings=settings, seed=4)
    assert (report.width, report.height) == (945, 709)
    with open_source(tmp_path / "out.tif") as source:
        grain = measure_grain(source)
    assert grain.sigma == pytest.approx(0.11 / 25.4 * 300, rel=0.08)
    assert grain.strongest == pytest.approx(6.0, rel=0.08)


def test_highlights_are_protected_before_the_picture_is_enlarged(tmp_path):
    rng = np.random.default_rng(2)
    picture = rng.integers(200, 256, (40, 60, 3)).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "in.png")
    guard = [s for s in BARE if "guard" not in s]
    finish(tmp_path / "in.png", tmp_path / "out.tif", preset="print", settings=[*guard, "delivery.width_mm=20"])
    own = finish_array(np.float32(1 / 255) * picture.astype(np.float32), preset="print", settings=tuple(guard))
    planes = planes_from_rgb(own, FLOAT)
    done = np.asarray(tifffile.imread(tmp_path / "out.tif"), np.float64) / 65535
    luma = done @ np.array(FLOAT.luma_weights())
    want = resample(np.asarray(planes[0]), (236, 157), (0.0, 0.0, 60.0, 40.0))
    # Channels beyond the range of their own are clipped as they are stored.
    inside = (done > 0).all(axis=2) & (done < 1).all(axis=2)
    assert inside.mean() > 0.5
    assert np.abs(luma - want)[inside].max() < 2e-4


def test_the_radius_follows_the_distance():
    assert Sharpening.of(0.5, 254, 300, 100, 100).radius == pytest.approx(1.2)
    held, wall = (Sharpening.of(0.5, 0, 300, w, h).radius for w, h in ((900, 600), (9000, 6000)))
    assert held == pytest.approx(250 / 25.4 * 300 * 0.0004)
    assert wall == pytest.approx(np.hypot(9000, 6000) * 0.0004)


def test_edges_get_steeper_flat_parts_and_colour_stay():
    luma = np.full((80, 100), 0.3, np.float32)
    luma[:, 50:] = 0.6
    luma[:, 99] = 1.0
    frame = Frame(neutral(luma, FLOAT), FLOAT)
    done = sharpened(frame, Sharpening(1.0, 1.2))
    assert np.abs(done.planes[0][:, :40] - luma[:, :40]).max() < 1e-6
    assert done.planes[0][40, 50] > 0.65
    assert done.planes[0][40, 49] <= 0.3 + 1e-6
    assert done.planes[0].max() <= 1.0
    assert done.planes[1] is frame.planes[1]


def band_energy(luma: np.ndarray, matte: np.ndarray) -> np.ndarray:
    part = energy_of(padded(np.clip(luma, 0, 1)), padded(matte))
    return np.asarray(part.squares.sum(axis=(0, 1))[:BANDS] / part.count.sum())


def test_skin_is_never_sharpened_beyond_a_photographs():
    rgb = np.ascontiguousarray(portrait(360, 480))
    (face,) = find_faces(FaceNetworks(), rgb)
    colour = skin_colour(rgb, face)
    assert colour is not None
    matte = skin_matte(rgb, face, colour, None)
    frame = Frame(planes_from_rgb(rgb, FLOAT), FLOAT)
    luma, skin = np.asarray(frame.planes[0]), (matte > 0.5).astype(np.float32)
    allowed = target(face.px_per_mm)[:BANDS] ** 2
    before = band_energy(luma, skin)
    for amount in (1.0, 3.0):
        spared = np.asarray(sharpened(frame, Sharpening(amount, 1.2)).planes[0])
        blind = np.asarray(sharpened(replace(frame, matte=0 * luma), Sharpening(amount, 1.2)).planes[0])
        assert np.all(band_energy(spared, skin) <= np.maximum(allowed, before) * 1.1)
        beside = matte < 0.01
        assert np.abs(spared - blind)[beside].mean() < 0.1 * np.abs(blind - luma)[beside].mean()
    assert np.any(band_energy(blind, skin) > np.maximum(allowed, before) * 1.2)


def test_ones_own_matte_is_spared():
    rng = np.random.default_rng(0)
    luma = rng.uniform(0.3, 0.6, (64, 80)).astype(np.float32)
    matte = np.zeros((64, 80), np.float32)
    matte[:, :40] = 1
    done = sharpened(Frame(neutral(luma, FLOAT), FLOAT, matte=matte), Sharpening(1.0, 1.2)).planes[0]
    assert np.array_equal(done[:, :40], luma[:, :40])
    assert np.abs(done[:, 40:] - luma[:, 40:]).mean() > 0.02


def test_a_print_has_a_profile_its_dpi_and_sixteen_bits(tmp_path):
    path = grey_still(tmp_path / "in.png", np.full((30, 40), 0.5))
    first, second = (finish(path, tmp_path / name, preset="print", seed=1) for name in ("a.tif", "b.tif"))
    assert first.sha256 == second.sha256
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        page = tif.pages[0]
        assert page.dtype == np.uint16
        assert page.tags["XResolution"].value == (300, 1)
        profile = ImageCms.ImageCmsProfile(io.BytesIO(page.iccprofile))
    assert "sRGB" in ImageCms.getProfileDescription(profile)
    finish(path, tmp_path / "c.tif", preset="print", settings=["delivery.still.icc=keep"])
    with tifffile.TiffFile(tmp_path / "c.tif") as tif:
        assert tif.pages[0].iccprofile is None


def test_the_pictures_own_profile_stays(tmp_path):
    own = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    own[24:36] = bytes(12)
    Image.new("RGB", (40, 30), (120, 110, 100)).save(tmp_path / "in.png", icc_profile=bytes(own))
    finish(tmp_path / "in.png", tmp_path / "out.tif", preset="print")
    with tifffile.TiffFile(tmp_path / "out.tif") as tif:
        assert tif.pages[0].iccprofile == bytes(own)


def test_a_pilot_is_neither_enlarged_nor_sharpened(tmp_path):
    rng = np.random.default_rng(3)
    path = grey_still(tmp_path / "in.png", rng.uniform(0.2, 0.6, (40, 50)))
    off = [s for s in BARE if "sharpen" not in s]
    finish(path, tmp_path / "o.tif", preset="print", settings=[*off, "delivery.width_mm=20"], pilot=True)
    pilot = tifffile.imread(tmp_path / "o.pilot.tif")
    assert np.array_equal(pilot, np.asarray(Image.open(path)).astype(np.uint16) * 257)
