"""Transparency of WebM clips is read, and goes on into what can hold it."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from grainkit.errors import OutputError
from grainkit.hosts.cli.command import main
from grainkit.io import vpx_alpha
from grainkit.io.clip_source import VideoSource
from grainkit.io.delivery import ClipDelivery
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame
from tests.drawn import FFMPEG, sink_of

#: Lossless, so that every code of the drawn transparency must come back.
VP9 = ClipDelivery("webm", "libvpx-vp9", "yuva420p", options={"lossless": "1", "cpu-used": "8"})


def see_through(count: int = 5) -> list[Frame]:
    frames = []
    for number in range(count):
        luma = np.add.outer(np.arange(48), np.arange(64) + number).astype(np.uint8) + np.uint8(30)
        chroma = np.full((24, 32), 120, np.uint8)
        alpha = np.roll(np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1)), 3 * number, 1)
        frames.append(Frame((luma, chroma, chroma), Color(), number, number, 1, Fraction(1, 25), alpha=alpha))
    return frames


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return sink_of(tmp_path_factory.mktemp("alpha") / "a.webm", see_through(), VP9, has_alpha=True)


def test_every_code_of_a_webms_transparency_is_read(clip):
    with VideoSource(clip) as source:
        assert source.info.has_alpha
        assert source.info.pixel_format == "yuva420p"
        found = list(source)
    assert [frame.seconds for frame in found] == [n / 25 for n in range(5)]
    for ours, theirs in zip(see_through(), found, strict=True):
        np.testing.assert_array_equal(theirs.alpha, ours.alpha)
        np.testing.assert_array_equal(theirs.planes[0], ours.planes[0])


@pytest.mark.slow
def test_another_tools_webm_is_read_as_that_tool_reads_it(tmp_path):
    """VP8 by another build of FFmpeg, which decodes it with libvpx when told to."""
    drawn = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.2,format=yuva420p"]
    drawn += ["-vf", "geq=lum='lum(X,Y)':cb='cb(X,Y)':cr='cr(X,Y)':a='4*X'", "-c:v", "libvpx", "-auto-alt-ref", "0"]
    subprocess.run([*drawn, "-b:v", "4M", str(tmp_path / "a.webm")], check=True)
    raw = [FFMPEG, "-v", "error", "-c:v", "libvpx", "-i", str(tmp_path / "a.webm"), "-vf", "alphaextract"]
    told = subprocess.run([*raw, "-f", "rawvideo", "-"], check=True, capture_output=True).stdout
    theirs = np.frombuffer(told, np.uint8).reshape(-1, 48, 64)
    with VideoSource(tmp_path / "a.webm") as source:
        ours = np.stack([frame.alpha for frame in source])
    np.testing.assert_array_equal(ours, theirs)
    assert ours.max() > 200


def test_it_goes_on_into_prores(clip, tmp_path):
    options = ["--set", "delivery.clip.pixel_format=yuva444p10le", "--set", "delivery.clip.profile=4444"]
    out = tmp_path / "o.mov"
    assert main(["finish", str(clip), "-o", str(out), "--preset", "video/master", "--no-adapt", *options]) == 0
    with VideoSource(out) as source:
        top = (1 << source.info.color.depth) - 1
        for ours, theirs in zip(see_through(), source, strict=True):
            assert np.abs(theirs.alpha / top - ours.alpha / 255).max() < 0.01


def test_an_opaque_delivery_says_so_and_claims_none(clip, tmp_path):
    out = tmp_path / "o.mkv"
    assert main(["finish", str(clip), "-o", str(out), "--preset", "video/h264", "--no-adapt"]) == 0
    assert "transparency composited over white" in (tmp_path / "o.mkv.grainkit.txt").read_text()
    with av.open(str(out)) as container:
        assert "alpha_mode" not in {key.lower() for key in container.streams.video[0].metadata}


@pytest.mark.parametrize("container", ["mp4", "nut"])
def test_a_container_without_a_place_for_it_is_refused(tmp_path, container):
    delivery = ClipDelivery(container, "libvpx-vp9", "yuva420p")
    with pytest.raises(OutputError, match=f"{container} cannot hold the transparency of libvpx-vp9 .*webm or mkv"):
        sink_of(tmp_path / f"a.{container}", see_through(1), delivery, has_alpha=True)
    assert list(tmp_path.iterdir()) == []


def test_vp8_is_written_with_it(tmp_path):
    delivery = ClipDelivery("webm", "libvpx", "yuva420p", options={"b": "4M"})
    path = sink_of(tmp_path / "a.webm", see_through(2), delivery, has_alpha=True)
    with VideoSource(path) as source:
        assert np.abs(next(iter(source)).alpha.astype(int) - see_through()[0].alpha).mean() < 4


def test_a_build_without_libvpx_says_what_is_lost(clip, monkeypatch):
    monkeypatch.setattr(vpx_alpha, "_DECODERS", {"vp9": "no-such-decoder"})
    with VideoSource(clip) as source:
        assert not source.info.has_alpha
        assert any("transparency left out: this build of FFmpeg has no" in note for note in source.info.notes)
