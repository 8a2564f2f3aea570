"""Y4M: what goes through comes out byte for byte, and what is broken is said in one line."""

from __future__ import annotations

import io
import subprocess
from dataclasses import replace
from fractions import Fraction

import imageio_ffmpeg
import numpy as np
import pytest

from grainkit.errors import InputError, OutputError
from grainkit.io.y4m import Y4MSink, Y4MSource
from grainkit.picture.color import Range, Siting

#: C tag, subsampling, depth, planes.
CHROMA = [
    ("420jpeg", (2, 2), 8, 3),
    ("420mpeg2", (2, 2), 8, 3),
    ("420paldv", (2, 2), 8, 3),
    ("422", (2, 1), 8, 3),
    ("444", (1, 1), 8, 3),
    ("420p10", (2, 2), 10, 3),
    ("422p10", (2, 1), 10, 3),
    ("444p12", (1, 1), 12, 3),
    ("420p16", (2, 2), 16, 3),
    ("mono", (1, 1), 8, 1),
    ("mono10", (1, 1), 10, 1),
]


def y4m(
    chroma: str,
    sampling: tuple[int, int],
    depth: int,
    planes: int,
    *,
    size=(9, 7),
    frames=3,
    tail="XCOLORRANGE=LIMITED",
):
    """A stream of random samples, written by hand."""
    width, height = size
    head = f"YUV4MPEG2 W{width} H{height} F30000:1001 Ip A4:3 C{chroma} {tail}\n".encode()
    rng = np.random.default_rng(1)
    chroma_shape = (-(-height // sampling[1]), -(-width // sampling[0]))
    body = b""
    for _ in range(frames):
        body += b"FRAME\n"
        for shape in [(height, width), chroma_shape, chroma_shape][:planes]:
            body += rng.integers(0, 1 << depth, shape).astype("u1" if depth == 8 else "<u2").tobytes()
    return head + body


def copy(data: bytes, **options) -> bytes:
    source = Y4MSource(io.BytesIO(data), **options)
    out = io.BytesIO()
    info = source.info
    sink = Y4MSink(out, info.color, info.width, info.height, info.rate, info.sample_aspect)
    for frame in source:
        sink.write(frame)
    sink.commit()
    return out.getvalue()


@pytest.mark.parametrize(("chroma", "sampling", "depth", "planes"), CHROMA)
def test_round_trip_is_byte_identical(chroma, sampling, depth, planes):
    data = y4m(chroma, sampling, depth, planes)
    assert copy(data) == data


@pytest.mark.parametrize(("chroma", "sampling", "depth", "planes"), CHROMA)
def test_header_says_what_the_samples_mean(chroma, sampling, depth, planes):
    info = Y4MSource(io.BytesIO(y4m(chroma, sampling, depth, planes))).info
    assert (info.width, info.height) == (9, 7)
    assert info.color.depth == depth
    assert info.color.subsampling == sampling
    assert info.color.range is Range.LIMITED
    assert info.rate == Fraction(30000, 1001)
    assert info.time_base == Fraction(1001, 30000)
    assert info.sample_aspect == Fraction(4, 3)
    assert info.kind == "pipe"


@pytest.mark.parametrize(
    ("tag", "siting"), [("jpeg", Siting.CENTER), ("mpeg2", Siting.LEFT), ("paldv", Siting.TOPLEFT)]
)
def test_siting_comes_from_the_chroma_tag(tag, siting):
    color = Y4MSource(io.BytesIO(y4m("420" + tag, (2, 2), 8, 3))).info.color
    assert color.siting is siting
    assert "siting" not in color.assumed


def test_range_is_read_and_only_assumed_where_missing():
    full = Y4MSource(io.BytesIO(y4m("444", (1, 1), 8, 3, tail="XCOLORRANGE=FULL"))).info.color
    assert full.range is Range.FULL
    assert "range" not in full.assumed
    untagged = Y4MSource(io.BytesIO(y4m("444", (1, 1), 8, 3, tail="XOTHER"))).info.color
    assert untagged.range is Range.LIMITED
    assert "range" in untagged.assumed


def test_missing_rate_is_25_and_noted():
    data = y4m("444", (1, 1), 8, 3).replace(b" F30000:1001", b"")
    info = Y4MSource(io.BytesIO(data)).info
    assert info.rate == 25
    assert any("no frame rate" in note for note in info.notes)


@pytest.mark.parametrize("rate", [b"F99999999999:1", b"F1:99999999999", b"F" + b"9" * 400 + b":1"])
def test_a_rate_that_no_container_can_say_is_25_and_noted(rate):
    info = Y4MSource(io.BytesIO(y4m("444", (1, 1), 8, 3).replace(b"F30000:1001", rate))).info
    assert info.rate == 25
    assert any("no frame rate" in note for note in info.notes)


def test_an_aspect_that_no_container_can_say_is_square():
    info = Y4MSource(io.BytesIO(y4m("444", (1, 1), 8, 3).replace(b"A4:3", b"A1:99999999999"))).info
    assert info.sample_aspect == 1


def test_a_range_of_frames_keeps_absolute_numbers():
    data = y4m("420jpeg", (2, 2), 8, 3, frames=6)
    every = list(Y4MSource(io.BytesIO(data)))
    some = list(Y4MSource(io.BytesIO(data), start=2, stop=5))
    assert [frame.index for frame in some] == [frame.pts for frame in some] == [2, 3, 4]
    assert all(np.array_equal(a.planes[1], b.planes[1]) for a, b in zip(some, every[2:5], strict=True))


class Dribble(io.RawIOBase):
    """A pipe that gives at most 5 bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 5))

    def readline(self, size: int | None = -1) -> bytes:
        return self._data.readline(size)


def test_short_reads_of_a_pipe_are_put_together():
    data = y4m("420p10", (2, 2), 10, 3)
    got = list(Y4MSource(Dribble(data)))
    assert len(got) == 3
    assert np.array_equal(got[2].planes[0], list(Y4MSource(io.BytesIO(data)))[2].planes[0])


def test_a_cut_off_frame_is_an_error_with_the_remedy_or_a_note():
    data = y4m("420jpeg", (2, 2), 8, 3)[:-10]
    with pytest.raises(InputError, match="truncated after frame 1; pass --allow-truncated"):
        list(Y4MSource(io.BytesIO(data)))
    source = Y4MSource(io.BytesIO(data), allow_truncated=True)
    assert len(list(source)) == 2
    assert "truncated: 2 frames read" in source.info.notes


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"RIFF....AVI LIST", "is not Y4M"),
        (b"hello\nworld\n", "is not Y4M"),
        (b"YUV4MPEG2 W9", "truncated"),
        (b"YUV4MPEG2 H7 F25:1\n", "no size"),
        (b"YUV4MPEG2 W0 H7 F25:1\n", "no size"),
        (b"YUV4MPEG2 W9 H7 C411\n", "chroma C411 is not supported"),
        (b"YUV4MPEG2 W9 H7 C444alpha\n", "chroma C444alpha is not supported"),
        (b"YUV4MPEG2 W2 H2 Cmono\nFRAMX\n....", "not FRAME"),
        (b"YUV4MPEG2 W2 H2 Cmono\nFRAME\n...", "within its first frame"),
    ],
)
def test_broken_streams_are_input_errors_of_one_line(data, says):
    with pytest.raises(InputError, match=says) as caught:
        list(Y4MSource(io.BytesIO(data), "pipe.y4m"))
    assert "\n" not in str(caught.value)


def test_a_start_beyond_the_end_is_an_error():
    with pytest.raises(InputError, match="has 3 frames"):
        list(Y4MSource(io.BytesIO(y4m("mono", (1, 1), 8, 1)), start=3))


class Closed(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise BrokenPipeError


def test_broken_pipe_goes_through_and_abort_is_safe():
    source = Y4MSource(io.BytesIO(y4m("mono", (1, 1), 8, 1)))
    sink = Y4MSink(Closed(), source.info.color, 9, 7, Fraction(25))
    with pytest.raises(BrokenPipeError):
        sink.write(next(iter(source)))
    sink.abort()
    sink.abort()


def test_float_frames_are_refused():
    color = replace(Y4MSource(io.BytesIO(y4m("444", (1, 1), 8, 3))).info.color, depth=32)
    with pytest.raises(OutputError, match="Y4M holds"):
        Y4MSink(io.BytesIO(), color, 9, 7, Fraction(25))


@pytest.mark.parametrize(
    ("chroma", "form"), [("420jpeg", "yuv420p"), ("422p10", "yuv422p10le"), ("444p12", "yuv444p12le")]
)
def test_another_reader_sees_the_same_samples(chroma, form):
    sampling, depth = (
        {"420": (2, 2), "422": (2, 1), "444": (1, 1)}[chroma[:3]],
        int(chroma[4:]) if "p1" in chroma else 8,
    )
    data = y4m(chroma, sampling, depth, 3, size=(16, 8))
    raw = subprocess.run(
        [
            imageio_ffmpeg.get_ffmpeg_exe(),
            "-v",
            "error",
            "-f",
            "yuv4mpegpipe",
            "-i",
            "-",
            "-f",
            "rawvideo",
            "-pix_fmt",
            form,
            "-",
        ],
        input=copy(data),
        capture_output=True,
        check=True,
    ).stdout
    ours = b"".join(plane.tobytes() for frame in Y4MSource(io.BytesIO(data)) for plane in frame.planes)
    assert raw == ours
