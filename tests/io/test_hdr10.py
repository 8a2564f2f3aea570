"""HDR10's declarations come out of a clip as they went in, or a note says that they are left out."""

from __future__ import annotations

import re
import struct
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from grainkit.finishing.planning import make_plan
from grainkit.io.base import SourceInfo
from grainkit.io.clip_source import VideoSource
from grainkit.io.delivery import ClipDelivery
from grainkit.io.hdr10 import Hdr10, encoder_parameters, read_hdr10, with_parameters
from grainkit.picture.color import Color, Matrix, Primaries, Transfer
from grainkit.picture.frame import Frame
from grainkit.recipe.presets import load_recipe
from tests.drawn import FFMPEG, sink_of

#: P3 in a D65 display of 0.0001 to 1000 cd/m2; all whole multiples of what HEVC counts in.
POINTS = tuple(
    (Fraction(x), Fraction(y)) for x, y in (("0.68", "0.32"), ("0.265", "0.69"), ("0.15", "0.06"), ("0.3127", "0.329"))
)
GRADE = Hdr10(POINTS, (Fraction(1, 10000), Fraction(1000)), (1000, 400))
PQ = Color(Matrix.BT2020_NCL, Primaries.BT2020, Transfer.PQ, depth=10)
HEVC = ClipDelivery("mp4", "libx265", "yuv420p10le", options={"preset": "ultrafast"})
AVC = ClipDelivery("mp4", "libx264", "yuv420p10le", options={"preset": "ultrafast"})
AV1 = ClipDelivery("mp4", "libsvtav1", "yuv420p10le", options={"preset": "10"})


def frames() -> list[Frame]:
    luma = np.add.outer(np.arange(64, dtype=np.uint16), np.arange(64, dtype=np.uint16)) * 4 + 64
    chroma = np.full((32, 32), 512, np.uint16)
    return [Frame((luma, chroma, chroma), PQ, n, n, 1, Fraction(1, 25)) for n in range(2)]


def declared(path: Path) -> Hdr10 | None:
    with VideoSource(path) as source:
        return source.info.hdr10


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("delivery", [HEVC, AVC], ids=lambda d: d.codec)
def test_the_grade_comes_out_as_it_went_in(tmp_path, delivery, container):
    delivery = replace(delivery, container=container)
    path = sink_of(tmp_path / f"a.{container}", frames(), delivery, hdr10=GRADE)
    assert declared(path) == GRADE


def test_av1_holds_it_as_finely_as_it_counts(tmp_path):
    """Chromaticities in 1/65536, the darkest in 1/16384, the brightest in 1/256 cd/m2 (AV1 specification 6.7.4)."""
    found = declared(sink_of(tmp_path / "a.mp4", frames(), AV1, hdr10=GRADE))
    assert found is not None
    assert found.light == (1000, 400)
    for (x, y), (ours, theirs) in zip(found.primaries, POINTS, strict=True):
        assert (abs(x - ours), abs(y - theirs)) <= (Fraction(1, 65536),) * 2
    assert abs(found.luminance[0] - GRADE.luminance[0]) < Fraction(1, 16384)
    assert found.luminance[1] == 1000


def test_another_reader_sees_it_too(tmp_path):
    path = sink_of(tmp_path / "a.mp4", frames(), HEVC, hdr10=GRADE)
    command = [FFMPEG, "-hide_banner", "-i", str(path), "-vf", "showinfo", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert re.search(r"r\(0\.6800,0\.3200\) g\(0\.2650,0\.6900\) b\(0\.1500 0\.0600\) wp\(0\.3127, 0\.3290\)", said)
    assert "min_luminance=0.000100, max_luminance=1000.000000" in said
    assert "MaxCLL=1000, MaxFALL=400" in said


def test_a_clip_without_a_grade_gets_none(tmp_path):
    assert declared(sink_of(tmp_path / "a.mp4", frames(), HEVC)) is None


@pytest.mark.parametrize(
    "given", [Hdr10(light=(800, 0)), Hdr10(POINTS, GRADE.luminance)], ids=["light alone", "display alone"]
)
def test_a_part_is_no_more_than_that_part(tmp_path, given):
    assert declared(sink_of(tmp_path / "a.mp4", frames(), HEVC, hdr10=given)) == given


def test_what_the_recipe_says_stands(tmp_path):
    own = replace(HEVC, options={**HEVC.options, "x265-params": "max-cll=555,111:aq-mode=0"})
    found = declared(sink_of(tmp_path / "a.mp4", frames(), own, hdr10=GRADE))
    assert found == replace(GRADE, light=(555, 111))
    parameters = encoder_parameters(GRADE, "libx265")
    merged = with_parameters({"x265-params": "max-cll=555,111:aq-mode=0"}, *parameters)["x265-params"]
    assert merged.endswith(":max-cll=555,111:aq-mode=0")
    assert merged.count("max-cll") == 1
    assert with_parameters({"crf": "18"}, *encoder_parameters(GRADE, "ffv1")) == {"crf": "18"}


def test_what_only_the_container_says_is_read(tmp_path):
    """VP9 keeps nothing of it in its stream; Matroska does."""
    coded = sink_of(tmp_path / "a.mkv", frames(), replace(HEVC, container="mkv"), hdr10=GRADE)
    command = [FFMPEG, "-v", "error", "-i", str(coded), "-c:v", "libvpx-vp9", "-b:v", "200k", str(tmp_path / "b.webm")]
    subprocess.run(command, check=True)
    found = declared(tmp_path / "b.webm")
    assert found is not None
    assert found.light == GRADE.light
    assert [float(x) for point in found.primaries for x in point] == pytest.approx(
        [float(x) for point in POINTS for x in point], abs=1e-6
    )


def test_rationals_without_a_value_are_no_crash():
    """Side data of a damaged file: a denominator of 0, or less than a structure."""
    assert read_hdr10(b"\0" * 7, b"\0\0") is None
    assert read_hdr10(struct.pack("=20i2i", *[1, 0] * 10, 1, 1), b"").luminance == (0, 0)
    assert read_hdr10(b"", struct.pack("=2I", 0, 0)) is None


@pytest.mark.parametrize(
    ("preset", "output", "says"),
    [
        ("video/hevc10", "o.mp4", ""),
        ("video/av1", "o.mp4", ""),
        ("video/master", "o.mov", "prores_ks holds none"),
        ("video/sequence", "f_%04d.png", "a sequence of stills holds none"),
        ("video/hevc10", "-", "Y4M holds none"),
    ],
)
def test_what_cannot_hold_it_says_so(preset, output, says):
    info = SourceInfo(
        "in.mp4", Path("in.mp4"), "clip", 64, 64, PQ, rate=Fraction(25), pixel_format="yuv420p10le", hdr10=GRADE
    )
    notes = [note for note in make_plan(info, load_recipe(preset), output).notes if "HDR10" in note]
    assert notes == ([f"HDR10 mastering display and MaxCLL and MaxFALL left out: {says}"] if says else [])
    half = replace(info, hdr10=Hdr10(luminance=GRADE.luminance))
    told = " ".join(make_plan(half, load_recipe(preset), output).notes)
    assert "left out" in told
