"""Every still has grain of its own, the same wherever and under whatever name it is finished."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import grainkit as gk
from grainkit.hosts.cli import command as cli
from grainkit.io.base import SourceInfo
from grainkit.io.decode_still import read_still
from grainkit.io.stills import frame_of
from grainkit.picture.grain_key import grain_seed, pixels_digest
from tests.drawn import gradient

Array = npt.NDArray[Any]

#: Grain on stills of 8 bits, and nothing else that would need a face or a second encode.
PLAIN = ("skin_texture.strength=0", "highlight_guard.strength=0", "highlight_guard.patches=0")
DEEP = (*PLAIN, "delivery.still.depth=8")


def portrait(phase: float, width: int = 96, height: int = 64) -> Array:
    return np.rint(255 * gradient(width, height, phase)).astype(np.uint8)


def saved(path: Path, rgb: Array) -> Path:
    Image.fromarray(rgb).save(path)
    return path


def finished(path: Path, output: Path, **told: Any) -> Array:
    gk.finish(path, output, preset="video", settings=DEEP, seed=7, **told)
    return read_still(output).rgb


def peak(one: Array, other: Array) -> float:
    """The largest correlation of two fields over all shifts."""
    fields = [np.fft.rfft2(f - f.mean()) for f in (one.astype(float), other.astype(float))]
    across = np.fft.irfft2(fields[0] * fields[1].conj(), one.shape)
    return float(np.abs(across).max() / (one.size * one.std() * other.std()))


@pytest.mark.parametrize("strength", [2.0, 0.5])
def test_no_two_stills_of_a_size_share_their_grain(strength: float) -> None:
    """Weak grain lies under the dither to 8 bits, which must not be everyone's either."""
    given_ = [portrait(phase, 768, 768) for phase in (0.0, 0.02, 0.5)]
    settings = (*PLAIN, f"cinema_grain.strength={strength}")
    grain = [gk.finish_array(rgb, settings=settings, seed=7).astype(float) - rgb for rgb in given_]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert peak(grain[one][..., 1], grain[other][..., 1]) < 0.02
    assert min(g.std() for g in grain) > 0.4


def test_a_still_is_the_same_alone_in_a_series_renamed_as_an_array_and_as_a_tiff(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rgb = portrait(0.3)
    series = tmp_path / "series"
    series.mkdir()
    for name, one in (("a.png", portrait(0.1)), ("face.png", rgb), ("z.png", portrait(0.7))):
        saved(series / name, one)
    alone = finished(series / "face.png", tmp_path / "alone.png")
    assert (alone != rgb).any()

    settings = [word for value in DEEP for word in ("--set", value)]
    told = ["--preset", "video", "--seed", "7", "-o", f"{tmp_path / 'out'}/", "--quiet", *settings]
    assert cli.main(["finish", str(series), *told]) == 0
    in_series = read_still(tmp_path / "out/face.video.png").rgb
    renamed = finished(saved(tmp_path / "other name.png", rgb), tmp_path / "renamed.png")
    tifffile.imwrite(tmp_path / "t.tif", rgb, photometric="rgb")
    as_tiff = finished(tmp_path / "t.tif", tmp_path / "tiff.png")
    array = gk.finish_array(rgb, preset="video", settings=DEEP, seed=7)
    for other in (in_series, renamed, as_tiff, array):
        np.testing.assert_array_equal(other, alone)


def test_grain_is_the_same_whatever_depth_a_host_holds_the_picture_in(tmp_path: Path) -> None:
    rgb = portrait(0.3, 128, 128)
    forms = (rgb, rgb.astype(np.uint16) * 257, (rgb / np.float32(255)).astype(np.float32))
    scales = (1.0, 257.0, 1 / 255)
    settings = (*PLAIN, "cinema_grain.strength=8")
    grain = [
        (gk.finish_array(form, settings=settings, seed=7).astype(float) - form)[..., 1] / scale
        for form, scale in zip(forms, scales, strict=True)
    ]
    assert np.corrcoef(grain[0].ravel(), grain[1].ravel())[0, 1] > 0.99
    assert np.corrcoef(grain[0].ravel(), grain[2].ravel())[0, 1] > 0.99


def test_a_frame_that_anyone_hands_over_as_a_still_has_its_own_grain_too(tmp_path: Path) -> None:
    still = read_still(saved(tmp_path / "a.png", portrait(0.3)))
    height, width = still.rgb.shape[:2]
    info = SourceInfo("mine", None, "still", width, height, still.color)
    recipe = gk.load_recipe("video")
    with gk.Finisher(recipe) as finisher:
        (out,) = finisher.frames([frame_of(still)], info)
    np.testing.assert_array_equal(out.rgb, gk.finish_array(still.rgb, preset=recipe))


def test_frames_of_sequences_are_drawn_by_seed_and_number_alone(tmp_path: Path) -> None:
    """Two clips cut from one take, or a frame mended afterwards, keep the grain of their places."""
    for number in (1, 2):
        saved(tmp_path / f"f_{number:02d}.png", portrait(number / 3))
    gk.finish(tmp_path / "f_%02d.png", tmp_path / "o_%02d.png", preset="video", settings=DEEP, seed=7)
    for index, number in enumerate((1, 2)):
        given_ = portrait(number / 3)
        expected = gk.finish_array(given_, preset="video", settings=DEEP, seed=7, index=index)
        np.testing.assert_array_equal(read_still(tmp_path / f"o_{number:02d}.png").rgb, expected)


@pytest.mark.parametrize(
    ("preset", "settings"),
    [
        ("social", ["cinema_grain.strength=4"]),  # adapted, and highlights patched
        ("print/photo", ["delivery.upscale=true", "skin_texture.strength=0"]),  # enlarged last
        ("video", ["cinema_grain.carrier=locked", "skin_texture.strength=0"]),
        ("video", ["cinema_grain.regrain=true", "skin_texture.strength=0"]),
    ],
)
def test_a_replay_has_the_same_bits(preset: str, settings: list[str], tmp_path: Path) -> None:
    source = saved(tmp_path / "a.png", portrait(0.3, 240, 180))
    first = gk.finish(source, f"{tmp_path}/one/", preset=preset, settings=settings, seed=7)
    again = gk.finish(source, f"{tmp_path}/two/", recipe=first.sidecar)
    assert first.sha256 == again.sha256
    went_on = gk.finish(source, f"{tmp_path}/one/", preset=preset, settings=settings, seed=7, resume=True)
    assert went_on.skipped


def test_the_canonical_form_is_eight_bits_upright_rows_of_rgb(tmp_path: Path) -> None:
    """Its value is part of every finished still: it may not change."""
    rgb = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    written = hashlib.blake2b(b"3x2\n" + bytes(range(18)), digest_size=4).digest()
    assert pixels_digest(rgb) == int.from_bytes(written, "little") == 79133661
    assert (grain_seed(7, 79133661), grain_seed(7, None)) == (2865448982, 7)
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(rgb)))
    exif = Image.Exif()
    exif[274] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    assert pixels_digest(read_still(tmp_path / "turned.png").rgb) == pixels_digest(rgb)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9))
def test_every_form_of_a_picture_has_one_digest(seed: int, height: int, width: int) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    deep = rgb.astype(np.uint16) * 257
    forms = [
        rgb, rgb.copy(order="F"), np.pad(rgb, ((0, 0), (0, 0), (0, 1)))[..., :3], deep, deep.astype(">u2"),
        (rgb / np.float32(255)).astype(np.float32), (rgb / 255).astype(np.float32),
    ]  # fmt: skip
    assert {pixels_digest(form) for form in forms} == {pixels_digest(rgb)}
    grey = rgb[..., 0]
    assert pixels_digest(grey) == pixels_digest(np.repeat(grey[..., None], 3, axis=-1))
    other = rgb.copy()
    other[-1, -1, -1] ^= 1
    others = [other, rgb[::-1], rgb.transpose(1, 0, 2)]
    assert all(pixels_digest(o) != pixels_digest(rgb) for o in others if o.shape != rgb.shape or (o != rgb).any())


def test_what_is_no_number_is_black_and_no_warning() -> None:
    odd = np.array([[[np.nan, np.inf, -np.inf], [-1.0, 2.0, 0.5]]], np.float32)
    plain = np.array([[[0, 255, 0], [0, 255, 128]]], np.uint8)
    assert pixels_digest(odd) == pixels_digest(plain)
