"""Clips out: nothing is lost that a careful tool must keep, and nothing is left behind when it fails."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from drawn_clips import FFMPEG, H264, LOSSLESS, TB, boxes, draw, info_for, packets, read, write

from grainkit.errors import EncodingError, OutputError
from grainkit.io import pixel_formats
from grainkit.io.clip_sink import VideoSink
from grainkit.io.clip_source import VideoSource
from grainkit.io.delivery import ClipDelivery
from grainkit.io.pending import MARK
from grainkit.picture.color import Matrix, Primaries, Range, Siting, Transfer

FFV1 = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le", "yuv422p12le"]
FFV1 += ["yuv444p12le", "yuv420p16le", "yuv444p16le", "gray", "gray10le", "gray16le", "yuva420p", "yuva444p10le"]
FFV1 += ["gbrp10le", "gbrp12le", "gbrp16le", "gbrap16le", "rgb48le", "bgra"]


@pytest.mark.parametrize("name", FFV1)
def test_every_sample_survives_a_lossless_clip(tmp_path, name):
    frames = draw(name, 23, 17)
    back = read(write(tmp_path / "a.nut", frames, replace(LOSSLESS, pixel_format=name)))
    assert len(back) == len(frames)
    for ours, theirs in zip(frames, back, strict=True):
        if ours.rgb is None:
            assert len(theirs.planes) == len(ours.planes)
            for a, b in zip(ours.planes, theirs.planes, strict=True):
                assert a.dtype == b.dtype
                assert b.flags.c_contiguous
                np.testing.assert_array_equal(a, b)
        else:
            np.testing.assert_array_equal(ours.rgb, theirs.rgb)
            assert all(plane.dtype == np.float32 for plane in theirs.planes)
        if ours.alpha is not None and name != "bgra":
            np.testing.assert_array_equal(ours.alpha, theirs.alpha)
        assert theirs.color.depth == ours.color.depth
        assert theirs.color.is_rgb == ours.color.is_rgb


WOVEN = [
    "nv12",
    "nv21",
    "nv16",
    "p010le",
    "p010be",
    "p016le",
    "p210le",
    "p410le",
    "yuv420p10be",
    "gray12be",
    "ya8",
    "ya16le",
]
WOVEN += [
    "rgb24",
    "bgr24",
    "rgba",
    "bgra",
    "argb",
    "abgr",
    "rgb0",
    "0bgr",
    "bgr48be",
    "rgba64le",
    "gbrp14be",
    "gbrap12le",
]


@pytest.mark.parametrize("name", WOVEN)
def test_formats_are_woven_as_ffmpeg_weaves_them(name):
    """Ours packs, FFmpeg converts to a plain format of the same depth, and ours unpacks."""
    frame = draw(name, 8, 6, 1)[0]
    form = pixel_formats.parse(name)
    assert form is not None
    picture = av.VideoFrame(8, 6, name)
    samples = pixel_formats.Samples(frame.planes, frame.rgb, frame.alpha)
    raw = [np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size) for plane in picture.planes]
    pixel_formats.pack(form, raw, samples)

    sampling = {(2, 2): "420", (2, 1): "422", (1, 1): "444"}[form.subsampling]
    deep = "" if form.depth == 8 else f"{form.depth}le"
    plain = f"gbr{'a' * form.alpha}p{deep}" if form.is_rgb else f"yuv{sampling}p{deep}"
    plain = {"gray12be": "gray12le", "ya8": "gray", "ya16le": "gray16le"}.get(name, plain)
    same = picture.reformat(format=plain, threads=1)
    planes = [np.frombuffer(p, np.uint8).reshape(p.height, p.line_size) for p in same.planes]
    target = pixel_formats.parse(plain)
    assert target is not None
    seen, own = pixel_formats.unpack(target, planes, 8, 6), pixel_formats.unpack(form, raw, 8, 6)
    if frame.rgb is None:
        for a, b, c in zip(frame.planes, seen.planes, own.planes, strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(a, c)
    else:
        np.testing.assert_array_equal(frame.rgb, seen.rgb)
        np.testing.assert_array_equal(frame.rgb, own.rgb)
    if frame.alpha is not None:
        np.testing.assert_array_equal(frame.alpha, own.alpha)


@pytest.mark.parametrize("depth", [9, 10, 12, 14])
def test_scaling_to_16_bit_can_be_undone(depth):
    codes = np.arange(1 << depth, dtype=np.uint16)
    wide = pixel_formats.rescale(codes, (1 << depth) - 1, 16)
    assert (wide[0], wide[-1]) == (0, 65535)
    np.testing.assert_array_equal(pixel_formats.rescale(wide, 65535, depth), codes)


def test_grey_frames_get_neutral_chroma_in_a_colour_clip(tmp_path):
    frames = draw("gray10le", 16, 12)
    path = write(tmp_path / "a.nut", frames, ClipDelivery("nut", "ffv1", "yuv420p10le"))
    back = read(path)
    np.testing.assert_array_equal(back[1].planes[0], frames[1].planes[0])
    assert (back[1].planes[1] == 512).all()


def test_alpha_is_scaled_to_the_delivered_depth(tmp_path):
    """An 8-bit alpha kept aside goes into a 10-bit format; opaque stays opaque."""
    frames = draw("yuv444p10le", 16, 12)
    alpha = np.tile(np.array([0, 128, 255, 255], np.uint8), (12, 4))
    source = info_for(frames, color=replace(frames[0].color, depth=8), has_alpha=True)
    frames = [replace(frame, alpha=alpha) for frame in frames]
    back = read(write(tmp_path / "a.nut", frames, ClipDelivery("nut", "ffv1", "yuva444p10le"), source))
    np.testing.assert_array_equal(back[0].alpha[0, :3], [0, round(128 * 1023 / 255), 1023])
    assert read(write(tmp_path / "b.mov", frames, ClipDelivery("mov", "prores_ks", "yuva444p10le", "4444"), source))[
        0
    ].alpha.max() in (1023, 4095)


def test_planes_of_another_depth_or_sampling_are_refused(tmp_path):
    frames = draw("yuv422p", 16, 12)
    with pytest.raises(EncodingError, match="needs uint16 planes, but the frame has uint8"):
        write(tmp_path / "a.nut", frames, ClipDelivery("nut", "ffv1", "yuv422p10le"))
    with pytest.raises(EncodingError, match="needs chroma of 8x6, but the frame has 8x12"):
        write(tmp_path / "a.nut", frames, ClipDelivery("nut", "ffv1", "yuv420p"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("container", ["nut", "mp4", "mov"])
def test_uneven_timestamps_come_out_exactly(tmp_path, container):
    pts = [0, 1001, 3003, 3007, 9000, 9001, 30000]
    frames = draw("yuv420p", 32, 32, len(pts), pts, smooth=True)
    delivery = LOSSLESS if container == "nut" else replace(H264, container=container)
    path = write(tmp_path / f"a.{container}", frames, replace(delivery, pixel_format="yuv420p"))
    assert [frame.pts * frame.time_base for frame in read(path)] == [value * TB for value in pts]


def test_no_clock_counts_frames(tmp_path):
    frames = [replace(frame, pts=None, time_base=None) for frame in draw("yuv420p", 32, 32, 5, smooth=True)]
    path = write(tmp_path / "a.mp4", frames, H264, info_for(frames, time_base=None, rate=Fraction(30000, 1001)))
    assert [frame.seconds for frame in read(path)] == pytest.approx([n * 1001 / 30000 for n in range(5)])


def test_b_frames_start_at_zero_without_an_edit_list(tmp_path):
    path = write(tmp_path / "a.mp4", draw("yuv420p", 64, 48, 24, smooth=True), H264)
    stamps, _ = packets(path, "video")
    assert any(pts != dts for pts, dts, _ in stamps), "the clip must hold B-frames to test this"
    names = [name for name, *_ in boxes(path.read_bytes())]
    assert "elst" not in names
    assert names.index("moov") < names.index("mdat")
    seen = subprocess.run(
        [FFMPEG, "-v", "error", "-copyts", "-i", str(path), "-f", "framecrc", "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = [line.split(",") for line in seen.splitlines() if not line.startswith("#")]
    assert len(lines) == 24
    assert int(lines[0][2]) == 0


def test_closed_gop_bounds_the_distance_of_key_frames(tmp_path):
    delivery = replace(H264, closed_gop_seconds=0.25)
    path = write(tmp_path / "a.mp4", draw("yuv420p", 32, 32, 24, smooth=True), delivery)
    with av.open(str(path)) as container:
        keys = [
            n for n, p in enumerate(container.demux(container.streams.video[0])) if p.is_keyframe and p.dts is not None
        ]
    assert keys[0] == 0
    assert max(np.diff([*keys, 24])) <= 6


@pytest.mark.parametrize(
    ("delivery", "suffix"),
    [
        (ClipDelivery("mov", "prores_ks", "yuv422p10le", "hq"), ".mov"),
        (ClipDelivery("mp4", "libx265", "yuv422p10le", "", {"preset": "ultrafast"}), ".mp4"),
        (ClipDelivery("mp4", "libx264", "yuv422p10le", "", {"preset": "ultrafast"}), ".mp4"),
        (ClipDelivery("mkv", "ffv1", "yuv422p10le"), ".mkv"),
    ],
)
def test_colour_tags_reach_stream_and_frame(tmp_path, delivery, suffix, capfd):
    frames = draw("yuv422p10le", 64, 48, smooth=True)
    color = replace(
        frames[0].color, matrix=Matrix.BT2020_NCL, primaries=Primaries.BT2020, transfer=Transfer.PQ, range=Range.LIMITED
    )
    path = write(tmp_path / f"a{suffix}", frames, delivery, color=color)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for place in (next(container.decode(stream)), stream.codec_context):
            assert (place.colorspace, place.color_primaries, place.color_trc, place.color_range) == (9, 9, 16, 1)
    with VideoSource(path) as source:
        assert source.info.color.is_hdr
        # An H.264 stream that names no siting means left, which PyAV tells from version 19 on.
        told = delivery.codec == "libx264" and hasattr(av.VideoFrame, "chroma_location")
        assert source.info.color.assumed == (() if told else ("siting",))
        assert source.info.color.siting is Siting.LEFT
    assert capfd.readouterr().err == "", "encoders must not talk on stderr"


def test_full_range_is_kept(tmp_path):
    frames = draw("yuvj420p", 32, 32, smooth=True)
    path = write(tmp_path / "a.mp4", frames, H264)
    assert read(path)[0].color.range is Range.FULL


def test_siting_other_than_left_is_told_to_the_codec(tmp_path):
    frames = draw("yuv420p", 32, 32, smooth=True)
    path = write(tmp_path / "a.mp4", frames, H264, color=replace(frames[0].color, siting=Siting.TOPLEFT))
    said = subprocess.run([FFMPEG, "-v", "verbose", "-i", str(path)], capture_output=True, text=True).stderr
    assert "topleft" in said


def test_encoders_keep_quiet(tmp_path, capfd):
    frames = draw("yuv420p", 64, 64, smooth=True)
    write(tmp_path / "a.mp4", frames, ClipDelivery("mp4", "libsvtav1", "yuv420p", options={"preset": "10"}))
    write(tmp_path / "b.mp4", frames, ClipDelivery("mp4", "libx265", "yuv420p", options={"preset": "ultrafast"}))
    write(tmp_path / "c.mp4", frames, H264)
    told = capfd.readouterr()
    assert (told.out, told.err) == ("", "")


def test_hevc_in_mp4_is_hvc1(tmp_path):
    frames = draw("yuv420p10le", 64, 64, smooth=True)
    path = write(
        tmp_path / "a.mp4", frames, ClipDelivery("mp4", "libx265", "yuv420p10le", options={"preset": "ultrafast"})
    )
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


@pytest.mark.parametrize(
    ("delivery", "says"),
    [
        (ClipDelivery("mp4", "prores_k", "yuv420p"), "did you mean prores_ks"),
        (ClipDelivery("mp4", "libx264", "yuv420p12le"), "libx264 cannot encode yuv420p12le; .*yuv420p10le"),
        (ClipDelivery("mp4", "libx264", "yuv999p"), "'yuv999p' is not one grainkit writes"),
        (ClipDelivery("avi", "libx264", "yuv420p"), "container 'avi' is not known"),
        (ClipDelivery("webm", "libx264", "yuv420p"), "webm cannot hold libx264; .*mp4"),
        (ClipDelivery("mp4", "libx264", "yuv420p", options={"presett": "slow"}), "has no option 'presett'"),
        (ClipDelivery("mp4", "aac", "yuv420p"), "encodes audio, not pictures"),
        (ClipDelivery("mp4", "wrapped_avframe", "yuv420p"), "nor does another container; .*codec to libx264"),
        (ClipDelivery("mp4", "mjpeg", "yuv420p"), "change delivery.clip.codec = mjpeg, delivery.clip.pixel_format ="),
        (ClipDelivery("mp4", "libx264", "yuv420p", "nonsense"), "change delivery.clip.profile = nonsense$"),
        (ClipDelivery("mp4", "libx265", "yuv420p", "nonsense"), "change delivery.clip.profile = nonsense$"),
        (ClipDelivery("mp4", "libx264", "yuv420p", options={"crf": "abc"}), "change delivery.clip.options.crf = abc$"),
        (ClipDelivery("mp4", "libx264", "yuv420p", options={"preset": "no"}), "clip.options.preset = no$"),
    ],
)
def test_impossible_deliveries_are_refused_before_any_work(tmp_path, delivery, says):
    frames = draw("yuv420p", 32, 32, 1)
    with pytest.raises(OutputError, match=says) as caught:
        write(tmp_path / "a.mp4", frames, delivery)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_an_encoder_that_refuses_says_which_and_nothing_on_its_own(tmp_path, capfd, codec):
    frames = draw("yuv420p", 32, 32, 1)
    with pytest.raises(OutputError, match=f"{codec} refuses what it is asked for: .*nonsense"):
        write(tmp_path / "a.mp4", frames, ClipDelivery("mp4", codec, "yuv420p", profile="nonsense"))
    assert capfd.readouterr() == ("", "")


def test_a_size_that_no_encoder_takes_names_the_keys_of_size(tmp_path):
    frames = draw("yuv420p", 32, 32, 1)
    with pytest.raises(OutputError, match=r"picture size .* change delivery\.width and delivery\.height"):
        VideoSink(
            tmp_path / "a.mp4", delivery=H264, color=frames[0].color, width=20000, height=20000, source=info_for(frames)
        )


def test_an_abandoned_clip_leaves_nothing_and_a_finished_one_appears_whole(tmp_path):
    frames = draw("yuv420p", 32, 32, 6)
    (tmp_path / "a.mp4").write_bytes(b"older")
    sink = VideoSink(
        tmp_path / "a.mp4", delivery=H264, color=frames[0].color, width=32, height=32, source=info_for(frames)
    )
    for frame in frames:
        sink.write(frame)
    assert any(MARK in path.name for path in tmp_path.iterdir())
    sink.abort()
    sink.abort()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.mp4", b"older")]
    write(tmp_path / "a.mp4", frames, H264)
    assert len(read(tmp_path / "a.mp4")) == 6


def test_a_clip_of_no_frames_is_an_error(tmp_path):
    frames = draw("yuv420p", 32, 32, 1)
    sink = VideoSink(
        tmp_path / "a.mp4", delivery=H264, color=frames[0].color, width=32, height=32, source=info_for(frames)
    )
    with pytest.raises(EncodingError, match="no frame came"):
        sink.commit()
    sink.abort()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_output_error(tmp_path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    frames = draw("yuv420p", 256, 256, 4)
    delivery = ClipDelivery("mkv", "ffv1", "yuv420p")
    info = info_for(frames)
    sink = VideoSink(tmp_path / "a.mkv", delivery=delivery, color=info.color, width=256, height=256, source=info)
    part = next(path for path in tmp_path.iterdir() if MARK in path.name)
    part.unlink()
    part.symlink_to(full)

    def finish() -> None:
        for frame in frames:
            sink.write(frame)
        sink.commit()

    with pytest.raises(OutputError, match="the disk is full"):
        finish()
    sink.abort()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="the folder does not exist"):
        write(tmp_path / "no" / "a.mp4", draw("yuv420p", 32, 32, 1), H264)
