"""Clips: nothing is lost that a careful tool must keep, and nothing is left behind when it fails."""

from __future__ import annotations

import logging
import re
import struct
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from grainkit.errors import EncodingError, InputError, OutputError
from grainkit.io import cuda_decode, pixel_formats
from grainkit.io.base import SourceInfo
from grainkit.io.delivery import ClipDelivery
from grainkit.io.orientation import Orientation, from_display_matrix, oriented_planes
from grainkit.io.pending import MARK
from grainkit.io.timecode import shift_timecode
from grainkit.io.video import VideoSink, VideoSource, library_versions, probe_encoders, xmp_box
from grainkit.picture.color import Color, Matrix, Primaries, Range, Siting, Transfer
from grainkit.picture.frame import Frame

TB = Fraction(1, 24000)
STEP = 1001
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
LOSSLESS = ClipDelivery("nut", "ffv1", "")
H264 = ClipDelivery("mp4", "libx264", "yuv420p", options={"preset": "veryfast"})


def color_for(form: pixel_formats.PixelFormat, **more) -> Color:
    depth = form.rgb_depth if form.is_rgb else form.depth
    range_ = Range.FULL if form.is_rgb or form.full_range else Range.LIMITED
    return replace(Color(range=range_), depth=depth, subsampling=form.subsampling, is_rgb=form.is_rgb, **more)


def draw(name: str, width: int, height: int, count: int = 3, pts=None, smooth: bool = False) -> list[Frame]:
    """Random (or smooth) pictures in this pixel format, each different."""
    form = pixel_formats.parse(name)
    assert form is not None
    rng, color = np.random.default_rng(5), color_for(form)
    pts = [STEP * index for index in range(count)] if pts is None else pts

    def plane(rows: int, columns: int, index: int):
        if smooth:
            ramp = np.add.outer(np.arange(rows), np.arange(columns) + 4 * index)
            return (ramp % (1 << (form.depth - 1)) + (1 << (form.depth - 3))).astype(form.native)
        return rng.integers(0, 1 << form.depth, (rows, columns)).astype(form.native)

    frames = []
    for index in range(count):
        across, down = pixel_formats.chroma_size(form, width, height)
        alpha = plane(height, width, index) if form.alpha else None
        planes, rgb = (plane(height, width, index),), None
        if form.is_rgb:
            rgb = np.stack([plane(height, width, index) for _ in range(3)], axis=-1)
            # 9..14 bits travel as 16 bit full scale.
            rgb, planes = pixel_formats.rescale(rgb, form.top, form.rgb_depth), (planes[0].astype(np.float32),) * 3
            alpha = None if alpha is None else pixel_formats.rescale(alpha, form.top, form.rgb_depth)
        elif not form.is_grey:
            planes += (plane(down, across, index), plane(down, across, index))
        frames.append(Frame(planes, color, index, pts[index], None, TB, alpha, rgb))
    return frames


def info_for(frames: list[Frame], **more) -> SourceInfo:
    first = frames[0]
    base = SourceInfo("drawn", None, "sequence", first.width, first.height, first.color, time_base=TB)
    return replace(base, **{"rate": Fraction(24000, 1001), **more})


def write(path: Path, frames: list[Frame], delivery: ClipDelivery, source: SourceInfo | None = None, **more) -> Path:
    source = source or info_for(frames)
    color = more.pop("color", frames[0].color)
    sink = VideoSink(
        path, delivery=delivery, color=color, width=frames[0].width, height=frames[0].height, source=source, **more
    )
    try:
        for frame in frames:
            sink.write(frame)
        sink.commit()
    finally:
        sink.abort()
    return path


def read(path: Path, **options) -> list[Frame]:
    with VideoSource(path, **options) as source:
        return list(source)


def boxes(data: bytes, at: int = 0, end: int | None = None):
    """(name, payload start, payload end) of MP4 boxes, descending into the ones that hold tracks."""
    end = len(data) if end is None else end
    while at + 8 <= end:
        size, name = struct.unpack(">I4s", data[at : at + 8])
        yield name.decode("latin-1"), at + 8, at + size
        if name in (b"moov", b"trak", b"edts", b"mdia"):
            yield from boxes(data, at + 8, at + size)
        at += size


def packets(path: Path, kind: str):
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [(p.pts, p.dts, bytes(p)) for p in container.demux(stream) if p.dts is not None], stream.time_base


def add_audio(path: Path, target: Path, codec: str, seconds: float = 1.0, **tags: str) -> Path:
    """The clip with a sine beside it, by an independent tool."""
    command = [
        FFMPEG,
        "-v",
        "error",
        "-y",
        "-i",
        str(path),
        "-f",
        "lavfi",
        "-i",
        f"sine=440:duration={seconds}:r=48000",
    ]
    command += ["-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", codec]
    for key, value in tags.items():
        command += ["-metadata:s:a" if key == "language" else "-metadata", f"{key}={value}"]
    subprocess.run([*command, str(target)], check=True)
    return target


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """24 frames of H.264 with B-frames and AAC with priming, in MP4."""
    folder = tmp_path_factory.mktemp("clip")
    silent = write(folder / "silent.mp4", draw("yuv420p", 64, 48, 24, smooth=True), H264)
    return add_audio(silent, folder / "clip.mp4", "aac", language="deu", title="A title")


# ---------------------------------------------------------------------------------------------- samples

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


def test_unusual_formats_are_refused_by_name(tmp_path):
    with av.open(str(tmp_path / "a.nut"), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv440p"
        output.mux(stream.encode(av.VideoFrame(16, 16, "yuv440p")))
        output.mux(stream.encode(None))
    with pytest.raises(InputError, match="yuv440p is not supported; convert it"):
        VideoSource(tmp_path / "a.nut")


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


# ---------------------------------------------------------------------------------------------- time


@pytest.mark.parametrize("container", ["nut", "mp4", "mov"])
def test_uneven_timestamps_come_out_exactly(tmp_path, container):
    pts = [0, 1001, 3003, 3007, 9000, 9001, 30000]
    frames = draw("yuv420p", 32, 32, len(pts), pts, smooth=True)
    delivery = LOSSLESS if container == "nut" else replace(H264, container=container)
    path = write(tmp_path / f"a.{container}", frames, replace(delivery, pixel_format="yuv420p"))
    assert [frame.pts * frame.time_base for frame in read(path)] == [value * TB for value in pts]


def test_range_of_frames_keeps_absolute_numbers_and_pixels(clip):
    every, some = read(clip), read(clip, start=7, stop=12)
    assert [frame.index for frame in some] == [7, 8, 9, 10, 11]
    for ours, theirs in zip(some, every[7:12], strict=True):
        assert ours.pts == theirs.pts
        for a, b in zip(ours.planes, theirs.planes, strict=True):
            np.testing.assert_array_equal(a, b)
    with VideoSource(clip, start=7, stop=12) as source:
        assert source.info.frames == 5
    assert read(clip, start=3, stop=3) == []
    with pytest.raises(InputError, match="has 24 frames"):
        read(clip, start=24)


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


# ---------------------------------------------------------------------------------------------- colour


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


@pytest.mark.parametrize(
    ("size", "matrix", "primaries"),
    [((1280, 64), Matrix.BT709, Primaries.BT709), ((64, 48), Matrix.SMPTE170M, Primaries.SMPTE170M)],
)
def test_untagged_clips_follow_convention_and_say_so(tmp_path, size, matrix, primaries):
    with av.open(str(tmp_path / "a.nut"), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        output.mux(stream.encode(av.VideoFrame(*size, "yuv420p")))
        output.mux(stream.encode(None))
    with VideoSource(tmp_path / "a.nut") as source:
        color = source.info.color
        assert (color.matrix, color.primaries, color.range) == (matrix, primaries, Range.LIMITED)
        assert color.assumed == ("matrix", "primaries", "transfer", "range", "siting")
        standard = {Matrix.BT709: "BT.709", Matrix.SMPTE170M: "BT.601 (NTSC)"}[matrix]
        assert any(
            note.startswith(f"the file does not say its colours; taken for {standard}, ") and "limited range" in note
            for note in source.info.notes
        )


def test_a_stream_without_a_clock_gets_one_and_fields_are_named(tmp_path):
    path = write(tmp_path / "a.mp4", draw("yuv420p", 64, 64, 6, smooth=True), H264)
    subprocess.run([FFMPEG, "-v", "error", "-i", str(path), "-c", "copy", str(tmp_path / "a.h264")], check=True)
    with VideoSource(tmp_path / "a.h264") as source:
        assert any("no timestamps" in note for note in source.info.notes)
        seconds = [frame.seconds for frame in source]
    assert seconds == pytest.approx([n / float(source.info.rate) for n in range(6)], abs=1e-3)
    subprocess.run(
        [
            FFMPEG,
            "-v",
            "error",
            "-i",
            str(path),
            "-c:v",
            "mpeg2video",
            "-flags",
            "+ilme+ildct",
            "-field_order",
            "tt",
            "-r",
            "25",
            str(tmp_path / "i.mpg"),
        ],
        check=True,
    )
    with VideoSource(tmp_path / "i.mpg") as source:
        assert any("interlaced" in note for note in source.info.notes)


def test_full_range_is_kept(tmp_path):
    frames = draw("yuvj420p", 32, 32, smooth=True)
    path = write(tmp_path / "a.mp4", frames, H264)
    assert read(path)[0].color.range is Range.FULL


def test_siting_other_than_left_is_told_to_the_codec(tmp_path):
    frames = draw("yuv420p", 32, 32, smooth=True)
    path = write(tmp_path / "a.mp4", frames, H264, color=replace(frames[0].color, siting=Siting.TOPLEFT))
    said = subprocess.run([FFMPEG, "-v", "verbose", "-i", str(path)], capture_output=True, text=True).stderr
    assert "topleft" in said


# ---------------------------------------------------------------------------------------------- turning


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_rotation_is_baked_in_as_another_reader_does(tmp_path, degrees, mirrored):
    frames = draw("yuv420p", 32, 16, 2, smooth=True)
    with av.open(str(tmp_path / "a.mp4"), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        stream.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(degrees, hflip=mirrored)
        for frame in frames:
            picture = av.VideoFrame(32, 16, "yuv420p")
            raw = [np.frombuffer(p, np.uint8).reshape(p.height, p.line_size) for p in picture.planes]
            pixel_formats.pack(pixel_formats.parse("yuv420p"), raw, pixel_formats.Samples(frame.planes))
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    with VideoSource(tmp_path / "a.mp4") as source:
        info, got = source.info, list(source)
    size = (16, 32) if degrees != 180 else (32, 16)
    assert (info.width, info.height) == (got[0].width, got[0].height) == size
    assert info.sample_aspect == (Fraction(4, 3) if degrees == 180 else Fraction(3, 4))
    assert any("baked in" in note for note in info.notes)
    theirs = subprocess.run(
        [FFMPEG, "-v", "error", "-i", str(tmp_path / "a.mp4"), "-f", "rawvideo", "-"], capture_output=True, check=True
    ).stdout
    luma = np.frombuffer(theirs, np.uint8)[: size[0] * size[1]].reshape(size[1], size[0])
    np.testing.assert_array_equal(got[0].planes[0], luma)


@pytest.mark.parametrize("name", ["gbrap16le", "yuva422p10le"])
def test_alpha_and_rgb_turn_with_the_picture(tmp_path, name):
    frame = draw(name, 24, 16, 1)[0]
    with av.open(str(tmp_path / "a.mkv"), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 24, 16, name
        stream.set_display_rotation(90)
        picture = av.VideoFrame(24, 16, name)
        raw = [np.frombuffer(p, np.uint8).reshape(p.height, p.line_size) for p in picture.planes]
        samples, top = pixel_formats.Samples(frame.planes, frame.rgb, frame.alpha), (1 << frame.color.depth) - 1
        pixel_formats.pack(pixel_formats.parse(name), raw, samples, top)
        output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    back = read(tmp_path / "a.mkv")[0]
    np.testing.assert_array_equal(back.alpha, np.rot90(frame.alpha))
    if frame.rgb is not None:
        np.testing.assert_array_equal(back.rgb, np.rot90(frame.rgb))
    else:
        np.testing.assert_array_equal(back.planes[0], np.rot90(frame.planes[0]))
        assert back.color.subsampling == (1, 1)
        assert back.planes[1].shape == back.planes[0].shape == (24, 16)


def test_display_matrices_turn_as_they_say():
    one = 65536
    square = np.arange(6).reshape(2, 3)
    assert from_display_matrix([one, 0, 0, 0, one, 0, 0, 0, 1]) == Orientation()
    clockwise = from_display_matrix([0, one, 0, -one, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(clockwise.apply(square), np.rot90(square, -1))
    assert clockwise.describe() == "rotation of 90 degrees"
    assert from_display_matrix([one, one, 0, -one, one, 0, 0, 0, 1]) is None


def test_422_on_its_side_keeps_every_chroma_sample():
    """It becomes 4:4:4; the samples it had are where they were, the rows between are their means."""
    color = Color(subsampling=(2, 1))
    luma, chroma = np.zeros((6, 8), np.uint8), np.arange(24, dtype=np.uint8).reshape(6, 4) * 8
    for turn, first in ((Orientation(True, True, False), 0), (Orientation(True, False, True), 1)):
        _, cb, _ = oriented_planes((luma, chroma, chroma), color, turn)
        assert cb.shape == (8, 6)
        np.testing.assert_array_equal(cb[first::2], turn.apply(chroma))


# ---------------------------------------------------------------------------------------------- what travels along


def test_audio_packets_are_the_same_bytes_at_the_same_times(clip, tmp_path):
    with VideoSource(clip) as source:
        info, frames = source.info, list(source)
    for name, container in (("a.mp4", "mp4"), ("a.mov", "mov")):
        path = write(tmp_path / name, frames, replace(H264, container=container), info)
        before, base = packets(clip, "audio")
        after, base_after = packets(path, "audio")
        assert before[0][0] < 0, "the clip must have encoder priming to test this"
        assert (after, base_after) == (before, base)
        assert [frame.seconds for frame in read(path)] == [frame.seconds for frame in frames]
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.metadata["title"] == "A title"
        assert container.streams.audio[0].metadata["language"] == "deu"


def test_pcm_in_mov_and_no_audio_when_asked(tmp_path):
    silent = write(
        tmp_path / "s.mov", draw("yuv422p10le", 32, 32, 24, smooth=True), ClipDelivery("mov", "prores_ks", "")
    )
    loud = add_audio(silent, tmp_path / "l.mov", "pcm_s24le")
    with VideoSource(loud) as source:
        info, frames = source.info, list(source)
    delivery = ClipDelivery("mov", "prores_ks", "yuv422p10le")
    path = write(tmp_path / "a.mov", frames, delivery, info)
    assert [data for *_, data in packets(path, "audio")[0]] == [data for *_, data in packets(loud, "audio")[0]]
    path = write(tmp_path / "b.mov", frames, replace(delivery, audio="none"), info)
    with av.open(str(path)) as container:
        assert not container.streams.audio


def test_a_range_takes_only_the_audio_inside_it(clip, tmp_path):
    with VideoSource(clip, start=6, stop=18) as source:
        info, frames = source.info, list(source)
    start, end = frames[0].seconds, frames[-1].seconds + 1001 / 24000
    path = write(tmp_path / "a.mp4", frames, H264, info, start_seconds=start, end_seconds=end)
    assert read(path)[0].pts == 0
    assert [frame.seconds for frame in read(path)] == pytest.approx(
        [frame.seconds - start for frame in frames], abs=1e-4
    )
    original, base = packets(clip, "audio")
    inside = [data for pts, _, data in original if start <= pts * base < end]
    taken, base = packets(path, "audio")
    assert [data for *_, data in taken] == inside
    assert 0 <= taken[0][0] * base < Fraction(1024, 48000)


def test_audio_a_container_cannot_hold_is_refused_at_once(clip, tmp_path):
    with VideoSource(clip) as source:
        info, frames = source.info, list(source)
    with pytest.raises(OutputError, match=r"webm cannot hold the source's aac audio; .*mkv.*audio=none"):
        write(tmp_path / "a.webm", frames, ClipDelivery("webm", "libvpx-vp9", "yuv420p"), info)
    assert list(tmp_path.iterdir()) == []


def test_a_container_that_only_claims_to_hold_audio_is_seen_through(tmp_path):
    """FFmpeg's MOV says yes to Opus, and no when the header is written."""
    silent = write(tmp_path / "s.mkv", draw("yuv420p", 32, 32, 24), ClipDelivery("mkv", "ffv1", "yuv420p"))
    with VideoSource(add_audio(silent, tmp_path / "opus.mkv", "libopus")) as source:
        info = source.info
    with pytest.raises(OutputError, match=r"mov cannot hold the source's (lib)?opus audio; .*mp4.*"):
        VideoSink(
            tmp_path / "a.mov",
            delivery=replace(H264, container="mov"),
            color=info.color,
            width=32,
            height=32,
            source=info,
        )
    assert not (tmp_path / "a.mov").exists()


def test_audio_that_starts_late_stays_late(clip, tmp_path):
    subprocess.run(
        [
            FFMPEG,
            "-v",
            "error",
            "-i",
            str(clip),
            "-itsoffset",
            "0.2501",
            "-i",
            str(clip),
            "-map",
            "0:v",
            "-map",
            "1:a",
            "-c:v",
            "copy",
            "-c:a",
            "pcm_s16le",
            str(tmp_path / "late.mov"),
        ],
        check=True,
    )
    with VideoSource(tmp_path / "late.mov") as source:
        info, frames = source.info, list(source)
    path = write(tmp_path / "a.mov", frames, replace(H264, container="mov"), info)
    (before, base), (after, base_after) = packets(tmp_path / "late.mov", "audio"), packets(path, "audio")
    assert before[0][0] > 0
    assert abs(after[0][0] * base_after - before[0][0] * base) <= max(base, base_after)
    assert [data for *_, data in after] == [data for *_, data in before]
    assert [frame.seconds for frame in read(path)] == [frame.seconds for frame in frames]


def test_a_clock_that_starts_anywhere_is_brought_to_zero_and_stays_in_step(clip, tmp_path):
    subprocess.run([FFMPEG, "-v", "error", "-i", str(clip), "-c", "copy", str(tmp_path / "a.ts")], check=True)
    with VideoSource(tmp_path / "a.ts") as source:
        info, frames = source.info, list(source)
    assert frames[0].seconds > 1
    path = write(tmp_path / "a.mp4", frames, H264, info)
    (before, base), (after, base_after) = packets(tmp_path / "a.ts", "audio"), packets(path, "audio")
    gap_before = frames[0].seconds - before[0][0] * base
    gap_after = read(path)[0].seconds - after[0][0] * base_after
    assert gap_after == pytest.approx(gap_before, abs=1 / 24000)
    assert 0 <= read(path)[0].seconds < 0.1


def test_a_source_cut_short_gives_the_audio_there_is(clip, tmp_path):
    with VideoSource(clip) as source:
        info, frames = source.info, list(source)
    whole = write(tmp_path / "whole.mkv", frames, ClipDelivery("mkv", "ffv1", "yuv420p"), info)
    (tmp_path / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with VideoSource(tmp_path / "cut.mkv", allow_truncated=True) as source:
        info, frames = source.info, list(source)
    path = write(tmp_path / "a.mkv", frames, ClipDelivery("mkv", "ffv1", "yuv420p"), info)
    assert 0 < len(packets(path, "audio")[0]) < len(packets(whole, "audio")[0])
    assert len(read(path)) == len(frames)


def test_audio_is_interleaved_with_the_picture(clip, tmp_path):
    with VideoSource(clip) as source:
        info, frames = source.info, list(source)
    path = write(tmp_path / "a.mkv", frames, ClipDelivery("mkv", "ffv1", "yuv420p"), info)
    with av.open(str(path)) as container:
        kinds = [packet.stream.type for packet in container.demux() if packet.dts is not None]
    assert kinds.index("audio") < 4
    assert len(kinds) - kinds[::-1].index("video") > len(kinds) // 2


@pytest.mark.parametrize("allow", [False, True])
def test_a_decoder_that_refuses_the_header_is_not_asked_again(tmp_path, allow):
    path = write(tmp_path / "a.mkv", draw("yuv420p", 32, 32), replace(LOSSLESS, container="mkv"))
    with av.open(str(path)) as container:
        header = container.streams.video[0].codec_context.extradata
    data = path.read_bytes()
    assert data.count(header) == 1
    path.write_bytes(data.replace(header, bytes(len(header))))
    with pytest.raises(InputError, match="no frame can be decoded"):
        VideoSource(path, allow_truncated=allow)


def test_tags_that_are_not_utf8_are_read_and_travel_as_text(tmp_path):
    """Taggers of long ago wrote Latin-1, which no container's specification allows."""
    path, chapters = tmp_path / "a.mkv", [{"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000)}]
    with av.open(str(path), "w") as output:
        output.metadata["title"] = "Caf\u00e9"
        output.set_chapters([{**chapters[0], "metadata": {"title": "Pr\u00e9lude"}}])
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        stream.metadata["title"] = "Sc\u00e8ne"
        output.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
        output.mux(stream.encode(None))
    data = path.read_bytes()
    for tag in ("Caf\u00e9", "Pr\u00e9lude", "Sc\u00e8ne"):
        assert tag.encode() in data
        # As many bytes, so that the file stays whole.
        data = data.replace(tag.encode(), tag.encode("latin-1") + b" ")
    path.write_bytes(data)

    with VideoSource(path) as source:
        assert source.info.metadata["title"] == "Caf\ufffd "
        delivery = replace(LOSSLESS, container="mkv", pixel_format="yuv420p")
        done = write(tmp_path / "b.mkv", list(source), delivery, source.info)
    with av.open(str(done)) as container:
        assert container.metadata["title"] == "Caf\ufffd "
        assert container.streams.video[0].metadata["title"] == "Sc\ufffdne "
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["Pr\ufffdlude "]


def test_timecode_chapters_and_xmp_travel(tmp_path):
    frames = draw("yuv422p10le", 32, 32, 24, smooth=True)
    delivery = ClipDelivery("mov", "prores_ks", "yuv422p10le", "hq")
    first = write(tmp_path / "a.mov", frames, delivery, info_for(frames, metadata={"comment": "kept"}))
    chapters = tmp_path / "chapters.txt"
    chapters.write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=1000\ntitle=Two\n"
    )
    subprocess.run(
        [
            FFMPEG,
            "-v",
            "error",
            "-i",
            str(first),
            "-i",
            str(chapters),
            "-map",
            "0:v",
            "-map_chapters",
            "1",
            "-c",
            "copy",
            "-timecode",
            "01:00:00:00",
            str(tmp_path / "b.mov"),
        ],
        check=True,
    )
    with VideoSource(tmp_path / "b.mov", start=12) as source:
        info, part = source.info, list(source)
    assert info.metadata["timecode"] == "01:00:00:00"
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>http://cv.iptc.org/newscodes/digitalsourcetype/humanEdits'
    path = write(tmp_path / "c.mov", part, delivery, info, start_seconds=part[0].seconds, xmp=packet)
    with VideoSource(path) as source:
        assert source.info.metadata["timecode"] == "01:00:00:12"
        assert source.info.metadata["comment"] == "kept"
        assert source.info.digital_source_type == "humanEdits"
    with av.open(str(path)) as container:
        kept = [(c["start"] * c["time_base"], c["metadata"]["title"]) for c in container.chapters()]
        assert [title for _, title in kept] == ["Two"]
        assert float(kept[0][0]) == pytest.approx(0.0, abs=0.002)
    assert path.read_bytes().endswith(xmp_box(packet))
    name, at, end = list(boxes(path.read_bytes()))[-1]
    assert (name, end) == ("uuid", path.stat().st_size)
    assert path.read_bytes()[at + 16 : end] == packet


def test_subtitles_are_copied_or_noted(clip, tmp_path):
    (tmp_path / "s.srt").write_text("1\n00:00:00,100 --> 00:00:00,600\nHallo\n")
    subprocess.run(
        [
            FFMPEG,
            "-v",
            "error",
            "-i",
            str(clip),
            "-i",
            str(tmp_path / "s.srt"),
            "-map",
            "0",
            "-map",
            "1",
            "-c",
            "copy",
            str(tmp_path / "s.mkv"),
        ],
        check=True,
    )
    with VideoSource(tmp_path / "s.mkv") as source:
        info, frames = source.info, list(source)
    path = write(tmp_path / "a.mkv", frames, ClipDelivery("mkv", "ffv1", "yuv420p"), info)
    with av.open(str(path)) as container:
        assert [p.size for p in container.demux(container.streams.subtitles[0]) if p.dts is not None] == [5]
    sink = VideoSink(tmp_path / "a.mp4", delivery=H264, color=info.color, width=64, height=48, source=info)
    sink.abort()
    assert any("subtitles" in note and "mp4" in note for note in sink.notes)


@pytest.mark.parametrize(
    ("timecode", "frames", "rate", "moved"),
    [
        ("01:00:00:00", 12, 24, "01:00:00:12"),
        ("23:59:59:24", 1, 25, "00:00:00:00"),
        ("00:00:59;29", 1, Fraction(30000, 1001), "00:01:00;02"),
        ("00:09:59;29", 1, Fraction(30000, 1001), "00:10:00;00"),
        ("00:00:00;00", 107892, Fraction(30000, 1001), "01:00:00;00"),
        ("nonsense", 5, 25, "nonsense"),
        ("01:00:00:00", 5, Fraction(1, 3), "01:00:00:00"),
    ],
)
def test_timecode_arithmetic(timecode, frames, rate, moved):
    assert shift_timecode(timecode, frames, Fraction(rate)) == moved


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


# ---------------------------------------------------------------------------------------------- what goes wrong


def test_bad_inputs_are_named_in_one_line(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("this is not a clip\n" * 50)
    silent = subprocess.run(
        [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "sine=440:duration=0.1", str(tmp_path / "sound.wav")], check=False
    )
    assert silent.returncode == 0
    for name, says in (
        ("missing.mp4", "does not exist"),
        ("empty.mp4", "is empty"),
        ("text.mp4", "is not a clip that can be read"),
        ("sound.wav", "holds no video stream"),
        ("", "is a folder"),
    ):
        with pytest.raises(InputError, match=says) as caught:
            VideoSource(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_clip_cut_short_is_refused_or_finished(clip, tmp_path):
    cut = tmp_path / "cut.mp4"
    frames = draw("yuv420p", 64, 48, 24)
    whole = write(tmp_path / "whole.mp4", frames, H264)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with pytest.raises(
        InputError, match=r"cut\.mp4 is truncated or damaged after frame (\d+) .*--allow-truncated"
    ) as caught:
        read(cut)
    last = int(re.search(r"after frame (\d+)", str(caught.value))[1])
    with VideoSource(cut, allow_truncated=True) as source:
        got = list(source)
        assert any("truncated or damaged" in note for note in source.info.notes)
    assert 0 < len(got) == last + 1 < 24
    np.testing.assert_array_equal(got[0].planes[0], read(whole)[0].planes[0])
    assert len(read(cut, stop=3)) == 3, "what is asked for is all there"


def test_a_clip_without_its_index_says_so(tmp_path):
    whole = tmp_path / "whole.mp4"
    with av.open(str(whole), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height = 32, 32
        output.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        output.mux(stream.encode(None))
    data = whole.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: data.index(b"moov") - 4])
    with pytest.raises(InputError, match="its index cannot be read"):
        VideoSource(tmp_path / "cut.mp4")


def test_a_matroska_cut_short_is_noticed_and_a_whole_one_is_not(clip, tmp_path):
    with VideoSource(clip) as source:
        info, frames = source.info, list(source)
    whole = write(tmp_path / "whole.mkv", frames * 1, ClipDelivery("mkv", "ffv1", "yuv420p"), info)
    assert len(read(whole)) == 24
    (tmp_path / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(InputError, match="truncated or damaged after frame"):
        read(tmp_path / "cut.mkv")
    assert 0 < len(read(tmp_path / "cut.mkv", allow_truncated=True)) < 24


def test_damage_in_the_middle_is_noticed(tmp_path):
    whole = write(tmp_path / "whole.mp4", draw("yuv420p", 64, 48, 24), H264)
    data = bytearray(whole.read_bytes())
    at = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[at : at + 4000] = bytes(4000)
    (tmp_path / "bad.mp4").write_bytes(data)
    with pytest.raises(InputError, match="truncated or damaged after frame"):
        read(tmp_path / "bad.mp4")
    assert len(read(tmp_path / "bad.mp4", allow_truncated=True)) > 4


def test_an_edit_list_that_hides_frames_is_no_damage(clip, tmp_path):
    """A clip trimmed without re-encoding promises more samples than it shows."""
    subprocess.run(
        [FFMPEG, "-v", "error", "-ss", "0.3", "-i", str(clip), "-c", "copy", str(tmp_path / "trimmed.mp4")], check=True
    )
    with av.open(str(tmp_path / "trimmed.mp4")) as container:
        shown = sum(1 for _ in container.decode(video=0))
    assert len(read(tmp_path / "trimmed.mp4")) == shown < 24


def test_a_change_of_size_is_an_error_that_names_the_frame(tmp_path):
    with av.open(str(tmp_path / "a.nut"), "w") as output:
        for width in (64, 96):
            context = av.CodecContext.create("mjpeg", "w")
            context.width, context.height, context.pix_fmt, context.time_base = width, 64, "yuvj420p", Fraction(1, 25)
            picture = av.VideoFrame(width, 64, "yuvj420p")
            picture.pts, picture.time_base = width // 96, Fraction(1, 25)
            if width == 64:
                stream = output.add_stream("mjpeg", rate=25)
                stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
            for packet in context.encode(picture) + context.encode(None):
                packet.stream = stream
                output.mux(packet)
    with pytest.raises(InputError, match=r"changes from 64x64 yuvj420p to 96x64 yuvj420p at frame 1"):
        read(tmp_path / "a.nut")


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


@pytest.mark.parametrize("error", [av.error.PermissionError, av.error.FileNotFoundError])
def test_a_drivers_refusal_is_not_taken_for_the_files(clip, monkeypatch, error):
    def refuse(*_, **__):
        raise error(1, "no")

    monkeypatch.setattr(cuda_decode, "accelerator", lambda name: object())
    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(InputError, match=r"cannot be decoded by --hwaccel cuda .*leave --hwaccel out"):
        VideoSource(clip, hwaccel="cuda")


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


def test_what_this_build_can_do():
    assert probe_encoders()["libx264"]
    assert set(probe_encoders()) >= {"libx265", "libsvtav1", "libvpx-vp9", "prores_ks", "dnxhd", "ffv1", "aac"}
    assert library_versions()["av"] == av.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", library_versions()["libavcodec"])


def test_what_ffmpeg_says_in_another_thread_as_an_encoder_opens_goes_nowhere(tmp_path):
    """Python prints what no handler takes; tests cannot see that, as pytest has handlers of its own."""
    color = Color(depth=8)
    planes = (np.zeros((32, 32), np.uint8), *(np.full((16, 16), 128, np.uint8) for _ in range(2)))
    write(tmp_path / "a.mkv", [Frame(planes, color)], ClipDelivery("mkv", "ffv1", "yuv420p"))
    assert [type(handler) for handler in logging.getLogger("libav").handlers] == [logging.NullHandler]
