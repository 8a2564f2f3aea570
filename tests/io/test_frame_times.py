"""Times that a container leaves open: of first frames without one, and how long the last is shown."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from grainkit.hosts.cli.command import main
from grainkit.io.clip_source import VideoSource
from grainkit.io.delivery import ClipDelivery
from grainkit.io.frame_times import LOOK_AHEAD, shown, stamped, started
from grainkit.io.iso_boxes import shown_seconds
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame
from tests.drawn import FFMPEG, clip, sink_of

TICK = Fraction(1, 24000)
TIMES = (0, 1001, 3003, 3100, 9000)
LENGTHS = (1001, 2002, 97, 5900, 7777)
END = TIMES[-1] + LENGTHS[-1]


@dataclass
class Drawn:
    pts: int | None
    duration: int | None = None


def times(*pictures: Drawn, step: int = 10) -> list[int]:
    rest = iter(pictures)
    return [pts for _, pts in stamped(started(rest), rest, step)]


def test_first_pictures_are_counted_back_from_the_first_known():
    assert times(Drawn(None), Drawn(None), Drawn(50), Drawn(60)) == [30, 40, 50, 60]
    assert times(Drawn(None, 7), Drawn(None, 5), Drawn(50, 5)) == [38, 45, 50]


def test_pictures_without_any_time_count_from_0():
    assert times(Drawn(None), Drawn(None, 5), Drawn(None)) == [0, 10, 15]
    many = [Drawn(None)] * (LOOK_AHEAD + 3)
    assert times(*many, step=2) == [2 * n for n in range(LOOK_AHEAD + 3)]


def test_a_gap_is_filled_from_before():
    assert times(Drawn(5, 7), Drawn(None), Drawn(30)) == [5, 12, 30]
    assert times() == []


def test_a_picture_is_shown_until_the_next():
    stamps = [(Drawn(0, 99), 0), (Drawn(4), 4), (Drawn(4), 4), (Drawn(9), 9)]
    assert [length for *_, length in shown(iter(stamps), lambda picture, pts: 100 - pts)] == [4, None, 5, 91]


def untimed(path: Path, frames: int) -> Path:
    """A transport stream of H.264 with sound, whose first pictures lost their times."""
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=0.6", "-f", "lavfi"]
    command += ["-i", "sine=d=0.6", "-c:v", "libx264", "-bf", "0", "-c:a", "mp2", str(path)]
    subprocess.run(command, check=True)
    data, at = bytearray(path.read_bytes()), 0
    for _ in range(frames):
        at = data.index(b"\x00\x00\x01\xe0", at)  # a PES packet of pictures (ISO 13818-1, 2.4.3.6)
        length = data[at + 8]
        data[at + 7] &= 0x3F
        data[at + 9 : at + 9 + length] = b"\xff" * length
        at += 9
    path.write_bytes(data)
    return path


def test_a_stream_joined_in_the_middle_keeps_its_pace_and_its_sound_in_step(tmp_path):
    whole, cut = untimed(tmp_path / "whole.ts", 0), untimed(tmp_path / "cut.ts", 3)
    with av.open(str(cut)) as container:
        raw = [picture.pts for picture in container.decode(video=0)]
    assert raw[:3] == [None] * 3, "the first times must be missing to test this"
    with VideoSource(whole) as source:
        expected = [frame.pts for frame in source]
    with VideoSource(cut) as source:
        assert [frame.pts for frame in source] == expected
        assert "the first 3 frames have no timestamps; counted back from the next" in source.info.notes
    assert main(["finish", str(cut), "-o", str(tmp_path / "o.mp4"), "--preset", "video/h264", "--no-adapt"]) == 0
    with VideoSource(tmp_path / "o.mp4") as source:
        seconds = [frame.seconds for frame in source]
    assert np.diff(seconds) == pytest.approx([0.04] * 14)


def test_a_clip_that_begins_before_0_is_moved_on_with_its_sound(tmp_path):
    whole = untimed(tmp_path / "whole.ts", 0)
    subprocess.run([FFMPEG, "-v", "error", "-i", str(whole), "-c", "copy", str(tmp_path / "a.mkv")], check=True)
    with VideoSource(tmp_path / "a.mkv") as source:
        info, frames = source.info, list(source)
    early = [replace(frame, pts=frame.pts - 200 - frames[0].pts) for frame in frames]
    delivery = ClipDelivery("mkv", "ffv1", "yuv420p")
    plain = sink_of(tmp_path / "b.mkv", frames, delivery, info)
    moved = sink_of(tmp_path / "c.mkv", early, delivery, info)

    def first(path: Path, kind: str) -> float:
        with av.open(str(path)) as container:
            packet = next(p for p in container.demux(getattr(container.streams, kind)[0]) if p.pts is not None)
            return float(packet.pts * packet.time_base)

    assert (first(moved, "video"), first(plain, "video")) == (0.0, frames[0].seconds)
    assert first(moved, "audio") - first(plain, "audio") == pytest.approx(0.2, abs=0.002)


# ---------------------------------------------------------------------------------------------- how long


def uneven(depth: int = 8, subsampling: tuple[int, int] = (2, 2)) -> list[Frame]:
    kind, rows = np.dtype("u1" if depth == 8 else "u2"), 64 // subsampling[1]
    color, frames = Color(depth=depth, subsampling=subsampling), []
    for number, (pts, length) in enumerate(zip(TIMES, LENGTHS, strict=True)):
        chroma = np.full((rows, 32), 128 << (depth - 8), kind)
        luma = np.full((64, 64), (100 + number) << (depth - 8), kind)
        frames.append(Frame((luma, chroma, chroma), color, number, pts, length, TICK))
    return frames


VFR = [
    ("mp4", "libx264", "yuv420p", {}),
    ("mov", "libx264", "yuv420p", {}),
    ("mkv", "libx264", "yuv420p", {}),
    ("mp4", "libx264", "yuv420p", {"bf": "0"}),
    ("mp4", "libx265", "yuv420p", {"preset": "ultrafast"}),
    ("mkv", "libx265", "yuv420p", {"preset": "ultrafast"}),
    ("mp4", "libsvtav1", "yuv420p", {"preset": "10"}),
    ("mkv", "libsvtav1", "yuv420p", {"preset": "10"}),
    ("mov", "prores_ks", "yuv422p10le", {}),
    ("mkv", "ffv1", "yuv420p", {}),
    ("webm", "libvpx-vp9", "yuv420p", {}),
]


@pytest.mark.parametrize(("container", "codec", "form", "options"), VFR, ids=lambda value: str(value))
def test_the_last_frame_keeps_its_length(tmp_path, container, codec, form, options):
    frames = uneven(10, (2, 1)) if "10" in form else uneven()
    path = sink_of(tmp_path / f"a.{container}", frames, ClipDelivery(container, codec, form, options=options))
    exact = TICK if container in ("mp4", "mov") else Fraction(1, 1000)
    with av.open(str(path)) as opened:
        stream = opened.streams.video[0]
        assert stream.time_base == exact
        packets = [(p.pts, p.dts, p.duration) for p in opened.demux(stream) if p.size and p.pts is not None]
        if container in ("mp4", "mov"):
            seconds, tick = shown_seconds(path, stream.id)
            assert abs(seconds - END * TICK) <= tick
            assert stream.duration == END
        else:
            pts, _, length = max(packets, key=lambda packet: packet[0])
            assert (pts * exact, length * exact) == pytest.approx(
                (TIMES[-1] * TICK, LENGTHS[-1] * TICK), abs=float(exact)
            )
        assert opened.duration == pytest.approx(END * TICK * av.time_base, abs=1000)
    with VideoSource(path) as source:
        back = [(frame.pts * frame.time_base, frame.duration * frame.time_base) for frame in source]
    wanted = [(pts * TICK, length * TICK) for pts, length in zip(TIMES, LENGTHS, strict=True)]
    assert np.array(back, float)[-1] == pytest.approx(np.array(wanted, float)[-1], abs=float(exact))
    if container in ("mp4", "mov"):
        assert back == wanted


def test_another_tools_clip_keeps_it_through_a_whole_job(tmp_path):
    """FFmpeg's, with B-frames: the lengths of its packets are not those of its pictures."""
    first = sink_of(tmp_path / "a.mkv", uneven(), ClipDelivery("mkv", "ffv1", "yuv420p"))
    command = [FFMPEG, "-v", "error", "-i", str(first), "-c:v", "libx264", "-fps_mode", "passthrough"]
    subprocess.run(
        [*command, "-enc_time_base", "1/24000", "-video_track_timescale", "24000", str(tmp_path / "b.mp4")], check=True
    )
    assert main(["finish", str(tmp_path / "b.mp4"), "-o", str(tmp_path / "o.mp4"), "--preset", "video/h264"]) == 0
    ends = []
    for name in ("a.mkv", "b.mp4", "o.mp4"):
        with VideoSource(tmp_path / name) as source:
            *_, last = source
            ends.append(float((last.pts + last.duration) * last.time_base))
    assert ends == pytest.approx([END / 24000] * 3, abs=0.002)


def test_nut_says_that_it_cannot_say_how_long_the_last_frame_is_shown(tmp_path):
    first = sink_of(tmp_path / "a.mkv", uneven(), ClipDelivery("mkv", "ffv1", "yuv420p"))
    even = clip(tmp_path / "even.mkv", frames=2)
    for source, told in ((first, True), (even, False)):
        out = tmp_path / f"{source.stem}.nut"
        assert main(["finish", str(source), "-o", str(out), "--preset", "video/h264", "--no-adapt"]) == 0
        sidecar = (tmp_path / f"{out.name}.grainkit.txt").read_text()
        assert ("how long the last frame is shown is left out" in sidecar) == told
