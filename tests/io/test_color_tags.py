"""What a clip's numbers mean comes out as it went in, by every codec and container, or a note says what does not."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from grainkit.errors import InputError
from grainkit.finishing.planning import make_plan
from grainkit.hosts.cli.command import main
from grainkit.io import pixel_formats
from grainkit.io.base import SourceInfo
from grainkit.io.clip_source import VideoSource
from grainkit.io.color_tags import untold
from grainkit.io.delivery import ClipDelivery
from grainkit.picture.color import Color, Matrix, Primaries, Range, Siting, Transfer
from grainkit.picture.frame import Frame
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from tests.drawn import FFMPEG, clip, sink_of

COLORS = {
    "PAL": Color(Matrix.BT470BG, Primaries.BT470BG, Transfer.GAMMA28),
    "NTSC": Color(Matrix.SMPTE170M, Primaries.SMPTE170M, Transfer.SMPTE170M),
    "full": Color(range=Range.FULL),
    "P3": Color(Matrix.BT709, Primaries.SMPTE432, Transfer.SRGB),
    "PQ": Color(Matrix.BT2020_NCL, Primaries.BT2020, Transfer.PQ),
    "HLG full": Color(Matrix.BT2020_NCL, Primaries.BT2020, Transfer.HLG, Range.FULL),
}
FAST = {"libx264": {"preset": "ultrafast"}, "libx265": {"preset": "ultrafast"}, "libsvtav1": {"preset": "10"}}
FORMS = {
    "libx264": ("yuv420p", ("mp4", "mov", "mkv")),
    "libx265": ("yuv420p10le", ("mp4", "mov", "mkv")),
    "libsvtav1": ("yuv420p10le", ("mp4", "mkv", "webm")),
    "libvpx-vp9": ("yuv420p", ("webm", "mkv", "mp4")),
    "prores_ks": ("yuv422p10le", ("mov",)),
    "dnxhd": ("yuv422p10le", ("mov",)),
    "ffv1": ("yuv420p", ("mkv",)),
}
DELIVERIES = [
    ClipDelivery(container, codec, form, "dnxhr_hqx" if codec == "dnxhd" else "", FAST.get(codec, {}))
    for codec, (form, containers) in FORMS.items()
    for container in containers
]
LIMITED = ("prores_ks",)


def flat(form_name: str, color: Color) -> list[Frame]:
    form = pixel_formats.parse(form_name)
    assert form is not None
    across, down = pixel_formats.chroma_size(form, 256, 128)
    color = replace(color, depth=form.depth, subsampling=form.subsampling)
    luma = np.full((128, 256), 100 << (form.depth - 8), form.native)
    chroma = np.full((down, across), 120 << (form.depth - 8), form.native)
    return [Frame((luma, chroma, chroma), color, 0, 0, 1, Fraction(1, 25))]


def meaning(color: Color) -> tuple:
    return color.matrix, color.primaries, color.transfer, color.range


@pytest.mark.parametrize("delivery", DELIVERIES, ids=lambda d: f"{d.codec}-{d.container}")
def test_tags_come_out_as_they_went_in(tmp_path, delivery):
    for name, color in COLORS.items():
        if color.range is Range.FULL and delivery.codec in LIMITED:
            continue
        path = sink_of(tmp_path / f"{name}.{delivery.container}", flat(delivery.pixel_format, color), delivery)
        with VideoSource(path) as source:
            found = source.info.color
        assert (name, *meaning(found)) == (name, *meaning(color))
        assert set(found.assumed) <= {"siting"}


@pytest.mark.parametrize("siting", [Siting.LEFT, Siting.CENTER, Siting.TOPLEFT])
@pytest.mark.parametrize(
    "delivery", [d for d in DELIVERIES if "420" in d.pixel_format], ids=lambda d: f"{d.codec}-{d.container}"
)
def test_where_chroma_sits_is_written_or_said(tmp_path, delivery, siting):
    frames = flat(delivery.pixel_format, Color(siting=siting))
    path = sink_of(tmp_path / f"a.{delivery.container}", frames, delivery)
    said = subprocess.run([FFMPEG, "-v", "verbose", "-i", str(path)], capture_output=True, text=True).stderr
    stream = next(line for line in said.splitlines() if "Video:" in line)
    found = re.search(r"\b(topleft|left|center)\b", stream)
    told = untold(frames[0].color, (256, 128), delivery.container, delivery.codec)
    assert (found[1] if found else "left") == (siting.name.lower() if not told else "left")
    assert told in (
        [],
        [f"chroma siting {siting.name} left out: {delivery.codec} in {delivery.container} cannot say it"],
    )
    assert bool(told) == (siting.name in {"libvpx-vp9-mp4": ("CENTER", "TOPLEFT"), "libsvtav1-mp4": ("CENTER",)}.get(
        f"{delivery.codec}-{delivery.container}", ()))  # fmt: skip


@pytest.mark.parametrize("codec", LIMITED)
def test_full_range_becomes_limited_where_a_codec_knows_no_other(tmp_path, codec):
    """ProRes has no word for it, and decoders would take black for lighter than black."""
    source = clip(tmp_path / "a.mkv", pixel_format="yuv422p10le", tags=(1, 1, 1, 2), frames=2)
    settings = ["delivery.clip.pixel_format=", f"delivery.clip.codec={codec}"]
    options = [word for setting in settings for word in ("--set", setting)]
    off = ["--set", "cinema_grain.strength=0", "--set", "highlight_guard.strength=0"]
    out = tmp_path / "o.mov"
    assert main(["finish", str(source), "-o", str(out), "--preset", "video/master", *options, *off]) == 0
    with VideoSource(source) as before, VideoSource(out) as after:
        assert (before.info.color.range, after.info.color.range) == (Range.FULL, Range.LIMITED)
        ours, theirs = next(iter(before)).planes[0], next(iter(after)).planes[0]
    expected = ours.astype(float) / 1023 * 876 + 64
    assert np.abs(theirs - expected).mean() < 4


def test_a_matrix_that_dnxhr_hides_is_that_of_its_container(tmp_path):
    delivery = next(d for d in DELIVERIES if d.codec == "dnxhd")
    path = sink_of(tmp_path / "a.mov", flat("yuv422p10le", COLORS["PQ"]), delivery)
    with VideoSource(path) as source:
        assert source.info.color.matrix is Matrix.BT2020_NCL
    notes = untold(COLORS["PQ"], (256, 128), "mov", "dnxhd")
    assert notes == ["dnxhd says matrix BT709 in its stream; that it is BT2020_NCL, the container alone says"]


def test_a_clip_that_says_pq_and_no_more_is_taken_for_bt2020(tmp_path):
    path = clip(tmp_path / "a.mkv", width=1280, height=16, frames=1, pixel_format="yuv420p10le", tags=(2, 16, 2, 1))
    with VideoSource(path) as source:
        color = source.info.color
    assert (color.matrix, color.primaries, color.transfer) == (Matrix.BT2020_NCL, Primaries.BT2020, Transfer.PQ)
    assert {"matrix", "primaries"} <= set(color.assumed)


# ---------------------------------------------------------------------------------------------- what says nothing


def info_of(color: Color, width: int = 1920, height: int = 1080) -> SourceInfo:
    form = {8: "yuv420p", 10: "yuv420p10le"}[color.depth]
    return SourceInfo("in.mov", Path("in.mov"), "clip", width, height, color, rate=Fraction(25), pixel_format=form)


@pytest.mark.parametrize(
    ("color", "size", "says"),
    [
        (Color(), (1920, 1080), ""),
        (COLORS["NTSC"], (720, 480), ""),
        (Color(), (640, 480), "matrix BT709, primaries BT709, transfer BT709"),
        (replace(COLORS["PQ"], depth=10), (1920, 1080), "matrix BT2020_NCL, primaries BT2020, transfer PQ"),
        (replace(COLORS["HLG full"], depth=10), (1920, 1080), "matrix BT2020_NCL, primaries BT2020, transfer HLG"),
        (COLORS["P3"], (1920, 1080), "primaries SMPTE432, transfer SRGB"),
    ],
)
def test_a_pipe_says_what_the_next_tool_has_to_be_told(color, size, says):
    notes = [note for note in make_plan(info_of(color, *size), load_recipe("video"), "-").notes if "colour" in note]
    lead = "colour tags left out: Y4M holds none; tell the next tool: "
    assert notes == ([lead + says] if says else [])


def test_nut_says_nothing_at_all():
    recipe = override(load_recipe("video"), ["delivery.clip.codec=ffv1", "delivery.clip.pixel_format="])
    color = replace(COLORS["HLG full"], depth=10)
    notes = " ".join(make_plan(info_of(color), recipe, "o.nut").notes)
    lost = "matrix BT2020_NCL, primaries BT2020, transfer HLG, range FULL"
    assert f"colour tags left out: NUT holds none; tell the next tool: {lost}" in notes
    assert "colour tags" not in " ".join(make_plan(info_of(Color()), recipe, "o.nut").notes)


@pytest.mark.parametrize("name", ["PQ", "HLG full"])
@pytest.mark.parametrize(
    ("preset", "output", "settings"),
    [
        ("video/h264", "o.mp4", []),
        ("video/h264", "o.webm", []),
        ("social/reel", "o.mp4", []),
        ("video/sequence", "f_%04d.jpg", []),
        ("video/sequence", "f_%04d.webp", []),
        ("video/sequence", "f_%04d.png", ["delivery.still.depth=8"]),
        ("video/sequence", "f_%04d.tif", ["delivery.still.depth=8", "delivery.still.container=tiff"]),
    ],
)
def test_hdr_is_refused_by_every_delivery_of_8_bits(tmp_path, monkeypatch, name, preset, output, settings):
    monkeypatch.chdir(tmp_path)
    info = info_of(replace(COLORS[name], depth=10))
    with pytest.raises(InputError, match=r"is HDR .* would need a tone map"):
        make_plan(info, override(load_recipe(preset), settings), output)


@pytest.mark.parametrize("output", ["f_%04d.png", "f_%04d.tif", "f_%04d.exr"])
def test_hdr_goes_into_deep_stills(tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    plan = make_plan(info_of(replace(COLORS["HLG full"], depth=10)), load_recipe("video/sequence"), output)
    assert plan.target.transfer is Transfer.HLG
