"""Clips in: every frame with its time and its meaning, and a word on what is damaged."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from drawn_clips import FFMPEG, H264, LOSSLESS, clip_with_sound, draw, read, write

from grainkit.errors import InputError
from grainkit.io import cuda_decode, pixel_formats
from grainkit.io.clip_source import VideoSource
from grainkit.io.delivery import ClipDelivery
from grainkit.io.orientation import Orientation, from_display_matrix, oriented_planes
from grainkit.picture.color import Color, Matrix, Primaries, Range


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return clip_with_sound(tmp_path_factory.mktemp("clip"))


def test_unusual_formats_are_refused_by_name(tmp_path):
    with av.open(str(tmp_path / "a.nut"), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv440p"
        output.mux(stream.encode(av.VideoFrame(16, 16, "yuv440p")))
        output.mux(stream.encode(None))
    with pytest.raises(InputError, match="yuv440p is not supported; convert it"):
        VideoSource(tmp_path / "a.nut")


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


@pytest.mark.parametrize("error", [av.error.PermissionError, av.error.FileNotFoundError])
def test_a_drivers_refusal_is_not_taken_for_the_files(clip, monkeypatch, error):
    def refuse(*_, **__):
        raise error(1, "no")

    monkeypatch.setattr(cuda_decode, "accelerator", lambda name: object())
    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(InputError, match=r"cannot be decoded by --hwaccel cuda .*leave --hwaccel out"):
        VideoSource(clip, hwaccel="cuda")
