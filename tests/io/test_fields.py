"""Interlaced clips: both fields and their order come out, or the clip is refused; it is never called progressive."""

from __future__ import annotations

import io
import re
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from grainkit.errors import InputError, OutputError
from grainkit.finishing.planning import make_plan
from grainkit.hosts.cli.command import main
from grainkit.io.base import SourceInfo
from grainkit.io.clip_source import VideoSource
from grainkit.io.delivery import ClipDelivery
from grainkit.io.y4m import Y4MSink, Y4MSource
from grainkit.picture.color import Color
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from tests.drawn import FFMPEG, moving_fields, sink_of

ORDERS = ("tff", "bff")
SMALLER = ["delivery.width=0", "delivery.height=480", "delivery.fit=fit"]
KEEPERS = [
    ClipDelivery("mp4", "libx264", "yuv420p", options={"preset": "ultrafast"}),
    ClipDelivery("mov", "libx264", "yuv422p10le", options={"preset": "ultrafast"}),
    ClipDelivery("mkv", "libx264", "yuv420p", options={"preset": "ultrafast", "tune": "film"}),
    ClipDelivery("mov", "prores_ks", "yuv422p10le", "hq"),
    ClipDelivery("mkv", "ffv1", "yuv420p"),
    ClipDelivery("nut", "ffv1", "yuv422p10le"),
    ClipDelivery("mkv", "mpeg2video", "yuv420p"),
]


def seen_by_ffmpeg(path: Path) -> tuple[set[str], str]:
    """(the order of every frame: T, B or P; what its container says of the stream), by another build of FFmpeg."""
    command = [FFMPEG, "-hide_banner", "-i", str(path), "-vf", "showinfo", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    stream = next(line for line in said.splitlines() if "Video:" in line)
    return set(re.findall(r" i:(.) ", said)), stream


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("delivery", KEEPERS, ids=lambda d: f"{d.codec}-{d.container}")
def test_fields_and_their_order_come_out(tmp_path, delivery, order):
    path = sink_of(tmp_path / f"a.{delivery.container}", moving_fields(delivery.pixel_format, order), delivery)
    frames, stream = seen_by_ffmpeg(path)
    assert frames == {order[0].upper()}
    assert "progressive" not in stream
    if delivery.container == "mkv" or delivery.codec == "prores_ks":
        assert ("top" if order == "tff" else "bottom") in stream
    with VideoSource(path) as source:
        assert source.info.field_order == order
        assert {frame.field_order for frame in source} == {order}
        assert any("interlaced (" in note for note in source.info.notes)


def test_a_lossless_clip_keeps_the_lines_of_both_fields(tmp_path):
    frames = moving_fields("yuv420p", "tff")
    path = sink_of(tmp_path / "a.mkv", frames, ClipDelivery("mkv", "ffv1", "yuv420p"))
    with VideoSource(path) as source:
        for ours, theirs in zip(frames, source, strict=True):
            np.testing.assert_array_equal(ours.planes[0], theirs.planes[0])
            np.testing.assert_array_equal(ours.planes[1], theirs.planes[1])
            assert (theirs.seconds, theirs.duration * theirs.time_base) == (ours.seconds, Fraction(1, 25))


def test_progressive_clips_stay_progressive(tmp_path):
    frames = [replace(frame, field_order="") for frame in moving_fields("yuv420p", "tff")]
    path = sink_of(tmp_path / "a.mp4", frames, KEEPERS[0])
    assert seen_by_ffmpeg(path)[0] == {"P"}
    with VideoSource(path) as source:
        assert source.info.field_order == ""
        assert not any("interlaced" in note for note in source.info.notes)


@pytest.mark.parametrize("order", ORDERS)
def test_a_whole_job_keeps_the_order(tmp_path, order):
    clip = sink_of(tmp_path / "in.mkv", moving_fields("yuv420p", order), ClipDelivery("mkv", "ffv1", "yuv420p"))
    assert main(["finish", str(clip), "-o", str(tmp_path / "o.mp4"), "--preset", "video/h264", "--no-adapt"]) == 0
    assert seen_by_ffmpeg(tmp_path / "o.mp4")[0] == {order[0].upper()}


def test_a_clip_that_turns_interlaced_is_refused_at_that_frame(tmp_path):
    one, two, *_ = moving_fields("yuv420p", "tff")
    path = sink_of(tmp_path / "a.nut", [replace(one, field_order=""), two], ClipDelivery("nut", "ffv1", "yuv420p"))
    with VideoSource(path) as source, pytest.raises(InputError, match="progressive to interlaced at frame 1; split it"):
        list(source)


def test_fields_that_hevc_codes_as_pictures_are_refused(tmp_path):
    """x265 takes fields of half the height, one after the other."""
    with av.open(str(tmp_path / "a.mkv"), "w") as output:
        stream = output.add_stream("libx265", rate=50)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.codec_context.options = {"preset": "ultrafast", "x265-params": "interlace=tff:log-level=none"}
        for number in range(4):
            picture = av.VideoFrame(64, 32, "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 50)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    with pytest.raises(InputError, match=r"HEVC codes its fields as pictures of their own.*deinterlace it first"):
        VideoSource(tmp_path / "a.mkv")


def test_a_turned_clip_of_fields_is_refused(tmp_path):
    flat = sink_of(tmp_path / "a.mp4", moving_fields("yuv420p", "tff"), KEEPERS[0])
    turn = [FFMPEG, "-v", "error", "-display_rotation", "90", "-i", str(flat), "-c", "copy", str(tmp_path / "b.mp4")]
    subprocess.run(turn, check=True)
    with pytest.raises(InputError, match="interlaced and stored with a rotation of 270 degrees"):
        VideoSource(tmp_path / "b.mp4")


# ---------------------------------------------------------------------------------------------- what may be done


def interlaced(subsampling=(2, 2), width=720, height=576, order="tff") -> SourceInfo:
    names = {(2, 2): "yuv420p", (2, 1): "yuv422p", (1, 1): "yuv444p"}
    return SourceInfo(
        "in.mov", Path("in.mov"), "clip", width, height, Color(subsampling=subsampling), rate=Fraction(25),
        field_order=order, pixel_format=names[subsampling],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("info", "preset", "output", "settings", "says"),
    [
        (interlaced(), "video/hevc10", "o.mp4", [], "libx265 cannot say that a frame holds two fields"),
        (interlaced(), "video/av1", "o.mp4", [], "libsvtav1 cannot say"),
        (interlaced(), "video/h264", "o.webm", [], "libvpx-vp9 cannot say"),
        (interlaced(), "video/sequence", "f_%04d.png", [], "a sequence of stills cannot say"),
        (interlaced(), "video/master", "o.mov", [], "its 4:2:0 chroma made 4:2:2 .*--preset video/h264"),
        (interlaced((2, 1)), "video/h264", "o.mp4", [], "its 4:2:2 chroma made 4:2:0 .*--preset video/master"),
        (interlaced(), "video/h264", "o.mp4", SMALLER, "a height of 480 made from its 576 lines"),
        (interlaced(order="mixed"), "video/h264", "o.mp4", [], "libx264 .* fields that change their order"),
    ],
)  # fmt: skip
def test_what_would_mix_the_fields_is_refused(info, preset, output, settings, says):
    recipe = override(load_recipe(preset), settings)
    with pytest.raises(InputError, match=f"in.mov is interlaced, and {says}") as caught:
        make_plan(info, recipe, output)
    assert "deinterlace it first, for example with ffmpeg" in str(caught.value)
    make_plan(replace(info, field_order=""), recipe, output)


@pytest.mark.parametrize(
    ("info", "preset", "output", "settings"),
    [
        (interlaced(), "video/h264", "o.mp4", []),
        (interlaced((2, 1)), "video/master", "o.mov", []),
        (interlaced(), "video/h264", "-", []),
        (interlaced(order="mixed"), "video/h264", "-", []),
        (interlaced((2, 1), 1440, 576), "video/master", "o.mov", ["delivery.fit=keep"]),
    ],
)
def test_what_leaves_the_lines_alone_is_not(info, preset, output, settings):
    make_plan(info, override(load_recipe(preset), settings), output)


# ---------------------------------------------------------------------------------------------- Y4M


@pytest.mark.parametrize("tag", ["It", "Ib", "Ip", "Im"])
def test_y4m_says_what_it_heard(tag):
    header = f"YUV4MPEG2 W4 H4 F25:1 {tag} A1:1 C420mpeg2 XCOLORRANGE=LIMITED\n".encode()
    marks = [b" Itii", b" Ibii", b" I1pp"] if tag == "Im" else [b""] * 3
    stream = header + b"".join(b"FRAME" + mark + b"\n" + bytes([n] * 24) for n, mark in enumerate(marks))
    source, room = Y4MSource(io.BytesIO(stream)), io.BytesIO()
    info = source.info
    assert info.field_order == {"It": "tff", "Ib": "bff", "Ip": "", "Im": "mixed"}[tag]
    sink = Y4MSink(room, info.color, 4, 4, Fraction(25), field_order=info.field_order)
    seen = []
    for frame in source:
        seen.append(frame.field_order)
        sink.write(frame)
    assert room.getvalue() == stream
    assert seen == (["tff", "bff", ""] if tag == "Im" else [info.field_order] * 3)


def test_fields_shown_twice_have_no_place_in_y4m():
    stream = b"YUV4MPEG2 W4 H4 F25:1 Im C420\nFRAME ITii\n" + bytes(24)
    with pytest.raises(InputError, match=r"frame 0 of a stream of mixed fields \(Im\) says ITii; I1pp, Itii, Ibii"):
        list(Y4MSource(io.BytesIO(stream)))


def test_y4m_into_a_clip_and_back_keeps_the_order(tmp_path):
    frames = moving_fields("yuv420p", "bff")
    clip = sink_of(tmp_path / "in.mkv", frames, ClipDelivery("mkv", "ffv1", "yuv420p"))
    room = io.BytesIO()
    with VideoSource(clip) as source:
        info = source.info
        sink = Y4MSink(room, info.color, info.width, info.height, Fraction(25), field_order=info.field_order)
        for frame in source:
            sink.write(frame)
    assert b" Ib " in room.getvalue()[:80]
    back = Y4MSource(io.BytesIO(room.getvalue()))
    path = sink_of(tmp_path / "o.mp4", list(back), KEEPERS[0])
    assert seen_by_ffmpeg(path)[0] == {"B"}


@pytest.mark.parametrize("order", ORDERS)
def test_dnxhd_keeps_fields_and_dnxhr_says_that_it_cannot(tmp_path, order):
    """DNxHD knows the sizes of television only."""
    small = moving_fields("yuv422p", order, 1)[0]
    planes = tuple(np.tile(plane, (17, 30))[:1080] for plane in small.planes)
    frame = replace(small, planes=planes)
    delivery = ClipDelivery("mov", "dnxhd", "yuv422p", "dnxhd", {"b": "120M"})
    path = sink_of(tmp_path / "a.mov", [frame], delivery)
    assert seen_by_ffmpeg(path)[0] == {order[0].upper()}
    with pytest.raises(OutputError, match=r"dnxhd refuses what it is asked for: .*[Ii]nterlaced"):
        sink_of(tmp_path / "b.mov", [frame], replace(delivery, profile="dnxhr_hq", options={}))
    assert not (tmp_path / "b.mov").exists()
