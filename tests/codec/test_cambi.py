"""The banding index: libvmaf's numbers, and what it must say of plain cases."""

import json
import subprocess

import numpy as np
import pytest

import grainkit.codec.cambi
from grainkit.codec.cambi import cambi

SIZE = (480, 640)


def ramp(low=40, high=90):
    height, width = SIZE
    return np.tile(np.linspace(low, high, width), (height, 1))


def ring():
    y, x = np.mgrid[-1 : 1 : SIZE[0] * 1j, -1 : 1 : SIZE[1] * 1j]
    return 60 + 25 * np.cos(2 * np.hypot(y, x))


def luma(codes):
    return ((np.rint(codes) - 16) / 219).astype(np.float32)


@pytest.fixture(scope="module")
def libvmaf(tmp_path_factory):
    """libvmaf's own index of 8-bit limited luma codes."""
    program = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    filters = subprocess.run([program, "-hide_banner", "-filters"], capture_output=True, text=True, check=True).stdout
    if " libvmaf " not in filters:
        pytest.skip("this ffmpeg has no libvmaf")
    folder = tmp_path_factory.mktemp("vmaf")

    def measured(codes):
        height, width = codes.shape
        frame = np.rint(codes).astype(np.uint8).tobytes() + bytes([128]) * (2 * -(-height // 2) * -(-width // 2))
        head = f"YUV4MPEG2 W{width} H{height} F24:1 Ip A1:1 C420jpeg XCOLORRANGE=LIMITED\nFRAME\n"
        (folder / "a.y4m").write_bytes(head.encode() + frame)
        graph = f"[0][1]libvmaf=feature='name=cambi':log_fmt=json:log_path={folder / 'a.json'}"
        source = str(folder / "a.y4m")
        subprocess.run(
            [program, "-v", "error", "-y", "-i", source, "-i", source, "-lavfi", graph, "-f", "null", "-"], check=True
        )
        return json.loads((folder / "a.json").read_text())["pooled_metrics"]["cambi"]["mean"]

    return measured


@pytest.mark.parametrize("noise", [0.0, 0.35, 0.6])
@pytest.mark.parametrize("picture", [ramp, ring], ids=["ramp", "ring"])
def test_it_is_libvmafs(libvmaf, picture, noise):
    codes = np.rint(picture() + np.random.default_rng(1).normal(0, noise, SIZE))
    assert cambi(luma(codes)) == pytest.approx(libvmaf(codes), abs=0.02, rel=0.005)


def test_odd_sides_too(libvmaf):
    codes = ring()[:479, :633]
    assert cambi(luma(codes)) == pytest.approx(libvmaf(codes), abs=0.02, rel=0.005)


def test_noise_and_a_single_tone_have_no_bands():
    rng = np.random.default_rng(2)
    assert cambi(luma(ramp() + rng.normal(0, 2, SIZE))) < 0.05
    assert cambi(luma(np.full(SIZE, 70.0))) == 0.0


def test_parts_on_many_cores_give_the_same_as_the_whole(monkeypatch):
    codes = luma(np.rint(ring() + np.random.default_rng(4).normal(0, 0.2, SIZE)))
    found = []
    for count in (1, 2, 3):
        monkeypatch.setattr(grainkit.codec.cambi, "cores", lambda count=count: count)
        found.append(cambi(codes))
    assert found[0] > 1
    assert found[1:] == found[:1] * 2


def test_a_region_is_judged_alone():
    codes = ramp()
    codes[:, 320:] += np.random.default_rng(3).normal(0, 3, (480, 320))
    left = np.zeros(SIZE, bool)
    left[:, :300] = True
    right = np.zeros(SIZE, bool)
    right[:, 340:] = True
    assert cambi(luma(codes), left) > 15
    assert cambi(luma(codes), right) < 0.05
    assert cambi(luma(codes), np.zeros(SIZE, bool)) == 0.0


def test_a_region_that_a_coarser_scale_misses_is_still_a_number():
    """Every second row and column is left at each scale; a few pixels may fall between them."""
    luma = np.tile(np.repeat(np.linspace(0.3, 0.4, 8, dtype=np.float32), 16), (128, 1))
    region = np.zeros(luma.shape, bool)
    region[33:36:2, 33:36:2] = True
    assert 0.0 <= cambi(luma, region) < 24.0
