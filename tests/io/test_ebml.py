"""Matroska and WebM say how long they are: one cut short is noticed, whole and live ones are no trouble."""

from __future__ import annotations

import io
from dataclasses import replace

import av
import pytest

from grainkit.errors import InputError
from grainkit.io.clip_source import VideoSource
from grainkit.io.delivery import ClipDelivery
from grainkit.io.ebml import missing_bytes
from tests.drawn import moving_fields, sink_of


@pytest.fixture(scope="module", params=[("mkv", "libx264"), ("webm", "libvpx-vp9")], ids=lambda each: each[0])
def clip(request, tmp_path_factory):
    container, codec = request.param
    frames = [replace(frame, field_order="") for frame in moving_fields("yuv420p", "tff")]
    path = tmp_path_factory.mktemp("ebml") / f"in.{container}"
    return sink_of(path, frames, ClipDelivery(container, codec, "yuv420p"))


@pytest.mark.parametrize("lacking", [1, 60])
def test_a_few_bytes_that_lack_are_noticed(clip, tmp_path, lacking):
    cut = tmp_path / clip.name
    cut.write_bytes(clip.read_bytes()[:-lacking])
    assert missing_bytes(clip) == 0
    assert missing_bytes(cut) == lacking
    with (
        pytest.raises(InputError, match=rf"the file ends {lacking} bytes before its segment.*--allow-truncated"),
        VideoSource(cut) as source,
    ):
        list(source)
    with VideoSource(cut, allow_truncated=True) as source:
        assert list(source)
        assert "truncated or damaged" in source.info.notes[-1]


def test_what_follows_is_no_trouble(clip, tmp_path):
    longer = tmp_path / clip.name
    longer.write_bytes(clip.read_bytes() + bytes(100))
    assert missing_bytes(longer) == 0


def test_a_live_file_promises_nothing(clip, tmp_path):
    class Pipe(io.RawIOBase):
        def write(self, data):
            written.extend(data)
            return len(data)

        def writable(self):
            return True

    written, live = bytearray(), tmp_path / "live.mkv"
    with av.open(str(clip)) as source, av.open(Pipe(), "w", format="matroska") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    live.write_bytes(written)
    assert missing_bytes(live) == 0
    with VideoSource(live) as source:
        assert list(source)


@pytest.mark.parametrize(
    "data", [b"", b"\x1a\x45\xdf\xa3", b"\x1a\x45\xdf\xa3\x82ab\x18\x53\x80\x67", b"\0" * 40, b"RIFF"]
)
def test_other_files_lack_nothing(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    assert missing_bytes(tmp_path / "a") == 0


def test_sizes_of_every_length(tmp_path):
    path = tmp_path / "a"
    for size, lacking in ((b"\x85", 2), (b"\x40\x05", 2), (b"\x01" + bytes(6) + b"\x05", 2), (b"\xff", 0)):
        path.write_bytes(b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67" + size + b"abc")
        assert missing_bytes(path) == lacking
