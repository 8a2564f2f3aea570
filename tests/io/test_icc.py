"""What a picture's numbers mean goes on into every container: code points, ICC profiles, gAMA and cHRM, EXR."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image, ImageCms

import grainkit as gk
from grainkit.errors import InputError
from grainkit.io import icc, png
from grainkit.io.base import StillMetadata
from grainkit.io.decode_still import decode_still, read_still
from grainkit.io.delivery import StillDelivery
from grainkit.io.encode_still import encode_still, srgb_profile
from grainkit.picture.color import SRGB_STILL, Primaries, Transfer
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import PlanesOfRgb
from tests.drawn import clip, still

OFF = ("skin_texture.strength=0", "highlight_guard.strength=0", "cinema_grain.strength=0", "delivery.still.sharpen=0",
       "delivery.fit=keep")  # fmt: skip
SDR = [
    t for t in Transfer if t not in (Transfer.PQ, Transfer.HLG, Transfer.UNSPECIFIED, Transfer.LOG, Transfer.LOG_SQRT)
]
D65 = np.array([0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290])


def xyz_matrix(c: icc.Chromaticities) -> np.ndarray:
    """(3, 3): XYZ of R, G, B, white at Y = 1 (SMPTE RP 177), written out."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in (c.red, c.green, c.blue)]).T
    x, y = c.white
    return columns * np.linalg.solve(columns, [x / y, 1.0, (1 - x - y) / y])


def seen_as_srgb(rgb: np.ndarray, primaries: Primaries, transfer: Transfer) -> np.ndarray:
    """sRGB codes of 8-bit samples that mean this, float64, Bradford between whites, by the textbook."""
    v = rgb / 255
    powers = {Transfer.GAMMA22: 2.2, Transfer.GAMMA28: 2.8, Transfer.LINEAR: 1.0, Transfer.SMPTE428: 2.6}
    light = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    if transfer is not Transfer.SRGB:
        light = v ** powers.get(transfer, 2.4)
    own = xyz_matrix(icc.CHROMATICITIES[primaries])
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    scale = (bradford @ D65) / (bradford @ own.sum(axis=1))
    adapt = np.linalg.inv(bradford) @ np.diag(scale) @ bradford
    linear = light @ (np.linalg.inv(xyz_matrix(icc.CHROMATICITIES[Primaries.BT709])) @ adapt @ own).T
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def managed(rgb: np.ndarray, profile: bytes) -> np.ndarray:
    """sRGB codes as Little CMS gives them."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "RGB", "RGB", renderingIntent=1)
    return np.asarray(ImageCms.applyTransform(Image.fromarray(rgb), transform))


@pytest.mark.parametrize("primaries", [p for p in icc.CHROMATICITIES if p is not Primaries.SMPTE428])
@pytest.mark.parametrize("transfer", SDR)
def test_colours_come_out_of_a_profile_as_the_standards_have_them(primaries, transfer):
    axis = np.array([20, 90, 128, 180, 235], np.uint8)
    rgb = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(25, 5, 3)
    wanted = seen_as_srgb(rgb.astype(float), primaries, transfer)
    inside = ((wanted > 1) & (wanted < 254)).all(axis=-1)
    apart = np.abs(managed(rgb, icc.profile(primaries, transfer)) - wanted)[inside]
    assert inside.sum() > 20
    assert apart.max() <= 1.6  # rounding, and the 15 bits that Little CMS keeps curves with
    assert apart.mean() < 0.5


def test_ours_of_srgb_is_theirs():
    theirs, ours = (
        ImageCms.ImageCmsProfile(io.BytesIO(data)).profile
        for data in (srgb_profile(), icc.profile(Primaries.BT709, Transfer.SRGB))
    )
    for name in ("red_colorant", "green_colorant", "blue_colorant"):
        np.testing.assert_allclose(getattr(ours, name)[0], getattr(theirs, name)[0], atol=3e-4)


def test_a_profile_is_whole_and_says_what_it_is():
    made = icc.profile(Primaries.SMPTE432, Transfer.SRGB)
    assert struct.unpack_from(">I", made)[0] == len(made)
    assert len(made) % 4 == 0
    assert icc.description(made) == "Display P3"
    assert icc.code_points(made) == (Primaries.SMPTE432, Transfer.SRGB)
    grey = ImageCms.ImageCmsProfile(io.BytesIO(icc.profile(Primaries.BT2020, Transfer.GAMMA22, grey=True)))
    assert grey.profile.xcolor_space.strip() == "GRAY"
    assert icc.code_points(srgb_profile()) is None
    assert icc.code_points(b"x" * 300) is None


def test_every_pair_that_a_clip_can_have_makes_a_profile_that_opens():
    for primaries in Primaries:
        for transfer in Transfer:
            ImageCms.ImageCmsProfile(io.BytesIO(icc.profile(primaries, transfer)))


# Through the whole program


def coded_png(path: Path, codes: tuple[int, int], depth: int = 8, profile: bytes | None = None) -> Path:
    """A drawn picture whose cICP says these."""
    rng = np.random.default_rng(5)
    rgb = rng.integers(0, 1 << depth, (24, 30, 3)).astype(np.uint8 if depth == 8 else np.uint16)
    extra = [(b"cICP", bytes((*codes, 0, 1)))]
    extra += [(b"iCCP", b"x\0\0" + zlib.compress(profile))] if profile else []
    path.write_bytes(png.encode(rgb, None, extra))
    return path


def chunks(path: Path) -> dict[bytes, bytes]:
    return dict(png.chunks(path.read_bytes()))


@pytest.mark.parametrize("name", ["o.jpg", "o.tif", "o.webp"])
@pytest.mark.parametrize("codes", [(12, 13), (9, 13), (1, 4), (1, 1), (9, 14), (6, 6), (1, 8)])
def test_code_points_go_on_as_a_profile_where_there_are_none(codes, name, tmp_path):
    gk.finish(coded_png(tmp_path / "a.png", codes), tmp_path / name, preset="social", settings=OFF, adapt=False)
    made = read_still(tmp_path / name)
    assert made.metadata.icc == icc.profile(Primaries(codes[0]), Transfer(codes[1]))
    assert (made.color.primaries, made.color.transfer) == codes  # and from there they come back
    again = tmp_path / "again.png"
    gk.finish(tmp_path / name, again, preset="social", settings=OFF, adapt=False)
    assert chunks(again)[b"cICP"] == bytes((*codes, 0, 1))
    assert png.inflated(chunks(again)[b"iCCP"].partition(b"\0")[2][1:]) == made.metadata.icc


def test_a_png_has_both_and_code_points_win_over_a_profile(tmp_path):
    gk.finish(coded_png(tmp_path / "a.png", (12, 13)), tmp_path / "o.png", preset="social", settings=OFF, adapt=False)
    found = chunks(tmp_path / "o.png")
    assert found[b"cICP"] == bytes((12, 13, 0, 1))
    assert png.inflated(found[b"iCCP"].partition(b"\0")[2][1:]) == icc.profile(Primaries.SMPTE432, Transfer.SRGB)
    other = icc.profile(Primaries.BT2020, Transfer.GAMMA22)
    both = coded_png(tmp_path / "b.png", (12, 13), profile=other)
    gk.finish(both, tmp_path / "b.jpg", preset="social", settings=OFF, adapt=False)
    assert read_still(tmp_path / "b.jpg").metadata.icc == icc.profile(Primaries.SMPTE432, Transfer.SRGB)
    srgb = coded_png(tmp_path / "c.png", (1, 13), profile=other)
    gk.finish(srgb, tmp_path / "c.jpg", preset="social", settings=OFF, adapt=False)
    assert read_still(tmp_path / "c.jpg").metadata.icc is None


@pytest.mark.parametrize("name", ["o.jpg", "o.tif", "o.webp", "o.png"])
def test_a_profile_goes_on_to_every_container_that_has_a_place_for_it(name, tmp_path):
    still(tmp_path / "a.png")
    profile = icc.profile_of_power(icc.CHROMATICITIES[Primaries.BT470M], 2.19921875)
    Image.open(tmp_path / "a.png").save(tmp_path / "b.png", icc_profile=profile)
    gk.finish(tmp_path / "b.png", tmp_path / name, preset="social", settings=OFF, adapt=False)
    assert read_still(tmp_path / name).metadata.icc == profile
    if name == "o.png":
        assert b"cICP" not in chunks(tmp_path / name)


@pytest.mark.parametrize("name", ["o.jpg", "o.png", "o.tif"])
def test_adobe_rgb_of_a_camera_goes_on_as_a_profile(name, tmp_path):
    exif = Image.Exif()
    exif[271] = "maker"
    exif.get_ifd(0x8769)[0xA001] = 0xFFFF
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    Image.new("RGB", (16, 16), (200, 30, 30)).save(tmp_path / "a.jpg", exif=exif.tobytes())
    report = gk.finish(tmp_path / "a.jpg", tmp_path / name, preset="social", settings=OFF, adapt=False)
    made = read_still(tmp_path / name).metadata.icc
    codes = np.array([[[120, 150, 110], [128, 128, 128], [160, 130, 140]]], np.uint8)
    adobe = icc.Chromaticities((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), (0.3127, 0.3290))
    srgb = xyz_matrix(icc.CHROMATICITIES[Primaries.BT709])
    light = (codes / 255) ** 2.19921875 @ (np.linalg.inv(srgb) @ xyz_matrix(adobe)).T
    wanted = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(managed(codes, made) - wanted).max() <= 1.2
    assert "says Adobe RGB" in " ".join(report.notes)


def test_what_has_no_place_for_a_profile_says_so(tmp_path):
    still(tmp_path / "a.png")
    Image.open(tmp_path / "a.png").save(tmp_path / "b.png", icc_profile=srgb_profile())
    report = gk.finish(tmp_path / "b.png", tmp_path / "o.exr", preset="social", settings=OFF, adapt=False)
    told = " ".join(report.notes)
    assert "EXR has no place for an ICC profile" in told
    assert "taken for linear light, and these samples keep their curve (SRGB)" in told
    grey = tmp_path / "grey.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(
        grey, icc_profile=icc.profile(Primaries.BT709, Transfer.GAMMA22, grey=True)
    )
    report = gk.finish(grey, tmp_path / "o.webp", preset="social", settings=OFF, adapt=False)
    assert "its GRAY ICC profile does not go with" in " ".join(report.notes)
    gk.finish(grey, tmp_path / "grey.jpg", preset="social", settings=OFF, adapt=False)
    assert read_still(tmp_path / "grey.jpg").metadata.icc is not None
    for number in range(2):
        Image.open(tmp_path / "b.png").save(tmp_path / f"f_{number}.png", icc_profile=srgb_profile())
    report = gk.finish(tmp_path / "f_%d.png", tmp_path / "o.mkv", preset="video/h264", settings=OFF)
    assert "its ICC profile has no place in a clip" in " ".join(report.notes)


def with_chunks(path: Path, gama: int | None, chrm: tuple[float, ...] | None, *, grey: bool = False) -> Path:
    rgb = np.random.default_rng(2).integers(0, 256, (8, 9) if grey else (8, 9, 3), np.uint8)
    extra = [] if gama is None else [(b"gAMA", struct.pack(">I", gama))]
    extra += [] if chrm is None else [(b"cHRM", struct.pack(">8I", *(round(v * 100000) for v in chrm)))]
    path.write_bytes(png.encode(rgb, None, extra))
    return path


SRGB_CHRM = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3_CHRM = (0.3127, 0.3290, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


@pytest.mark.parametrize(
    ("gama", "chrm", "power"),
    [(100000, None, 1.0), (55556, SRGB_CHRM, 1.8), (45455, P3_CHRM, 2.2), (None, P3_CHRM, 0.0)],
)
@pytest.mark.parametrize("name", ["o.jpg", "o.png"])
def test_gama_and_chrm_go_on_as_a_profile(gama, chrm, power, name, tmp_path):
    report = gk.finish(
        with_chunks(tmp_path / "a.png", gama, chrm), tmp_path / name, preset="social", settings=OFF, adapt=False
    )
    white, red, green, blue = (((chrm or SRGB_CHRM)[at : at + 2]) for at in (0, 2, 4, 6))
    made = read_still(tmp_path / name).metadata.icc
    assert made is not None
    rgb = np.random.default_rng(1).integers(60, 200, (10, 10, 3)).astype(np.uint8)
    wanted = managed(rgb, icc.profile_of_power(icc.Chromaticities(red, green, blue, white), power)).astype(int)
    assert np.abs(managed(rgb, made) - wanted).max() <= 1
    assert "go on as an ICC profile" in " ".join(report.notes)


@pytest.mark.parametrize(("gama", "chrm"), [(45455, SRGB_CHRM), (45455, None), (None, SRGB_CHRM), (45000, None)])
def test_gama_and_chrm_of_srgb_need_no_profile(gama, chrm, tmp_path):
    found = read_still(with_chunks(tmp_path / "a.png", gama, chrm))
    assert (found.metadata.icc, found.notes) == (None, ())


def test_what_is_no_gamma_and_no_primaries_is_left_out_and_said(tmp_path):
    for gama, chrm in (
        (1, None),
        (45455, (0.3127, 0.3290, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3)),
        (45455, (0.3, 0, *SRGB_CHRM[2:])),
    ):
        found = read_still(with_chunks(tmp_path / "a.png", gama, chrm))
        assert found.metadata.icc is None
        assert "taken for sRGB" in found.notes[0]
    grey = read_still(with_chunks(tmp_path / "g.png", 100000, None, grey=True))
    assert grey.metadata.icc[16:20] == b"GRAY"


def exr(path: Path, flat: tuple[float, ...] | None) -> Path:
    plane = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)
    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}
    header |= {} if flat is None else {"chromaticities": flat}
    OpenEXR.File(header, dict.fromkeys("RGB", plane)).write(str(path))
    return path


P3_FLAT = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.3290)
ACES = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)


def test_linear_light_and_primaries_of_an_exr_go_on(tmp_path):
    for name, flat, wanted in (("a", None, Primaries.BT709), ("b", P3_FLAT, Primaries.SMPTE432)):
        gk.finish(
            exr(tmp_path / f"{name}.exr", flat), tmp_path / f"{name}.jpg", preset="social", settings=OFF, adapt=False
        )
        made = read_still(tmp_path / f"{name}.jpg")
        assert made.metadata.icc == icc.profile(wanted, Transfer.LINEAR)
        gk.finish(tmp_path / f"{name}.exr", tmp_path / f"{name}.out.exr", preset="social", settings=OFF, adapt=False)
        assert read_still(tmp_path / f"{name}.out.exr").color.primaries is wanted
    gk.finish(exr(tmp_path / "c.exr", ACES), tmp_path / "c.png", preset="social", settings=OFF, adapt=False)
    made = read_still(tmp_path / "c.png")
    assert made.metadata.icc is not None
    assert not made.metadata.coded  # a cICP of BT.709 would go over it
    broken = read_still(exr(tmp_path / "d.exr", (0.3,) * 8))
    assert "its chromaticities are left out" in " ".join(broken.notes)


def test_frames_of_a_bt709_clip_stay_untagged_and_others_are_told(tmp_path):
    gk.finish(
        clip(tmp_path / "c.nut", width=1280, height=720, frames=1),
        tmp_path / "s/f_%d.jpg",
        preset="video/sequence",
        settings=OFF,
    )
    assert read_still(tmp_path / "s/f_0.jpg").metadata.icc is None
    color = replace(SRGB_STILL, primaries=Primaries.BT2020, transfer=Transfer.BT2020_10)
    rgb = np.zeros((8, 8, 3), np.uint8)
    data = encode_still(Frame(PlanesOfRgb(rgb, color), color, rgb=rgb), StillDelivery("jpeg"), 0, StillMetadata())
    assert decode_still(data, Path("x.jpg")).metadata.icc == icc.profile(Primaries.BT2020, Transfer.BT2020_10)


# HDR


@pytest.mark.parametrize("transfer", [16, 18])
@pytest.mark.parametrize("name", ["o.jpg", "o.png", "o.webp"])
def test_hdr_stills_are_refused_by_8_bits_as_clips_are(transfer, name, tmp_path):
    source = coded_png(tmp_path / "pq.png", (9, transfer), 16)
    with pytest.raises(
        InputError, match=r"pq\.png is HDR .* would need a tone map .* use print or another 16-bit preset"
    ):
        gk.finish(source, tmp_path / name, preset="social", settings=OFF, adapt=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pq.png"]


def test_hdr_stills_keep_their_meaning_in_16_bits(tmp_path):
    source = coded_png(tmp_path / "pq.png", (9, 16), 16)
    settings = [*OFF, "delivery.still.depth=16"]
    gk.finish(source, tmp_path / "o.png", preset="print", settings=settings)
    assert chunks(tmp_path / "o.png")[b"cICP"] == bytes((9, 16, 0, 1))
    assert b"iCCP" not in chunks(tmp_path / "o.png")
    np.testing.assert_array_equal(read_still(tmp_path / "o.png").rgb, read_still(source).rgb)
    gk.finish(source, tmp_path / "o.tif", preset="print", settings=settings)
    made = read_still(tmp_path / "o.tif")
    assert (made.color.primaries, made.color.transfer) == (Primaries.BT2020, Transfer.PQ)
    with pytest.raises(InputError, match="HDR"):  # of an ICC profile too
        gk.finish(tmp_path / "o.tif", tmp_path / "p.jpg", preset="social", settings=OFF, adapt=False)


def test_a_profile_that_is_named_after_bt2100_is_hdr():
    named = icc._made(
        "Rec. ITU-R BT.2100 HLG", icc.CHROMATICITIES[Primaries.BT2020], icc._parametric(0, 1.2), False, b""
    )
    assert icc.code_points(named) == (Primaries.BT2020, Transfer.HLG)
