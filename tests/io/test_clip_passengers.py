"""What rides along with a clip: the same sound at the same times, subtitles, chapters and tags."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from drawn_clips import FFMPEG, H264, LOSSLESS, add_audio, boxes, clip_with_sound, draw, info_for, packets, read, write

from grainkit.errors import OutputError
from grainkit.io.clip_passengers import Stretch
from grainkit.io.clip_sink import VideoSink
from grainkit.io.clip_source import VideoSource
from grainkit.io.delivery import ClipDelivery
from grainkit.io.iso_boxes import xmp_box
from grainkit.io.timecode import shift_timecode


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return clip_with_sound(tmp_path_factory.mktemp("clip"))


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
    path = write(tmp_path / "a.mp4", frames, H264, info, stretch=Stretch(start, end))
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
    path = write(tmp_path / "c.mov", part, delivery, info, stretch=Stretch(part[0].seconds), xmp=packet)
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
