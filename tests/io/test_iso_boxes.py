"""Boxes of MP4 files: Content Credentials that are lost are said, and damaged files are no trouble."""

from __future__ import annotations

import struct
from dataclasses import replace
from fractions import Fraction

import pytest

from grainkit.hosts.cli.command import main
from grainkit.io.clip_source import VideoSource
from grainkit.io.delivery import ClipDelivery
from grainkit.io.iso_boxes import C2PA_BOX, holds_credentials, shown_seconds
from grainkit.io.metadata import CREDENTIALS_LOST
from tests.drawn import moving_fields, sink_of


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


#: A `uuid` box as C2PA embeds it: version and flags, purpose, offset, then a JUMBF box.
SIGNED = box(b"uuid", C2PA_BOX + bytes(4) + b"manifest\0" + bytes(8) + box(b"jumb", b"x" * 40))


@pytest.fixture
def clip(tmp_path):
    frames = [replace(frame, field_order="") for frame in moving_fields("yuv420p", "tff")]
    return sink_of(tmp_path / "in.mp4", frames, ClipDelivery("mp4", "libx264", "yuv420p"))


@pytest.mark.parametrize("ending", [b"", box(b"free", b"\0" * 10), box(b"uuid", b"another" + bytes(9))])
def test_lost_credentials_are_said(clip, tmp_path, ending):
    clip.write_bytes(clip.read_bytes() + ending + SIGNED)
    assert main(["finish", str(clip), "-o", str(tmp_path / "o.mp4"), "--preset", "video/h264", "--no-adapt"]) == 0
    told = (tmp_path / "o.mp4.grainkit.txt").read_text()
    assert told.replace("\n", " ").count("its Content Credentials (C2PA) are lost") == 1
    assert not holds_credentials(tmp_path / "o.mp4")


def test_a_clip_without_them_says_nothing(clip):
    clip.write_bytes(clip.read_bytes() + box(b"uuid", bytes(16) + C2PA_BOX))
    with VideoSource(clip) as source:
        assert CREDENTIALS_LOST not in source.info.notes


def test_boxes_of_64_bit_sizes_and_to_the_end_are_followed(tmp_path):
    wide = struct.pack(">I4sQ", 1, b"mdat", 16 + 5) + b"12345"
    for name, data in (("a", wide + SIGNED), ("b", wide + struct.pack(">I4s", 0, b"uuid") + SIGNED[8:])):
        (tmp_path / name).write_bytes(data)
        assert holds_credentials(tmp_path / name)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0\0\0", struct.pack(">I4s", 4, b"uuid") + C2PA_BOX, struct.pack(">I4sQ", 1, b"mdat", 1 << 63) + SIGNED,
     struct.pack(">I4s", 1 << 31, b"moov") + SIGNED, struct.pack(">I4s", 1, b"moov"), box(b"uuid", C2PA_BOX[:9])],
)  # fmt: skip
def test_boxes_that_make_no_sense_end_the_search(tmp_path, data):
    (tmp_path / "a.mp4").write_bytes(data)
    assert not holds_credentials(tmp_path / "a.mp4")
    assert shown_seconds(tmp_path / "a.mp4", 1) == (0, 0)


@pytest.mark.parametrize("wide", [False, True])
def test_how_long_a_track_is_shown(tmp_path, wide):
    times = ">B3xQQ" if wide else ">B3xII"
    movie = struct.pack(times, wide, 0, 0) + struct.pack(">I", 600)
    tracks = []
    for number, length in ((1, 900), (2, 1500), (3, (1 << 64 if wide else 1 << 32) - 1)):
        head = struct.pack(times + "II" + ("Q" if wide else "I"), wide, 0, 0, number, 0, length)
        tracks.append(box(b"trak", box(b"tkhd", head + bytes(60))))
    moov = box(b"moov", box(b"mvhd", movie + bytes(80)) + b"".join(tracks))
    (tmp_path / "a.mp4").write_bytes(box(b"ftyp", b"isom") + box(b"mdat", bytes(9)) + moov)
    assert shown_seconds(tmp_path / "a.mp4", 2) == (Fraction(5, 2), Fraction(1, 600))
    assert shown_seconds(tmp_path / "a.mp4", 3) == (0, 0)
    assert shown_seconds(tmp_path / "a.mp4", 4) == (0, 0)
