"""Clips through a video codec in memory, at a constant quality or at the rate of a platform.

A platform's rate cannot be asked of a dozen frames: the key frame alone would take it. So a rate is met by
quality: the constant quality factor at which a group of pictures of GROUP_SECONDS, one key frame and the
mean of all others, takes the bits that the rate gives it. Encoders run with one thread each and without
x264's macroblock tree, which reads memory it never wrote: the same pictures give the same bits everywhere.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from fractions import Fraction
from math import log2
from typing import Any

import av
import av.error
import numpy as np
from av.video.codeccontext import VideoCodecContext

from grainkit.errors import EncodingError
from grainkit.picture.color import Color, Range
from grainkit.picture.frame import Frame, Plane

#: Pictures from one key frame to the next, in a platform's stream (2 s for Meta and most others).
GROUP_SECONDS = 2
#: FFmpeg's lambda for one step of QP, by which encoders report the quality of a packet.
_QP_LAMBDA = 118
#: Quality factors tried for a rate, and how near (in log2 of the rate) is near enough: about half a step of x264's.
_TRIALS, _NEAR = 5, 0.1
#: Steps of quality at once; a bracket this wide is halved.
_WIDE = 12


@dataclass(frozen=True)
class Encoder:
    """How one codec is run. crf: lowest, highest and first to try. halving: steps of crf that halve the rate."""

    name: str
    decoder: str
    options: tuple[tuple[str, str], ...]
    crf: tuple[int, int, int]
    halving: float


#: Presets are the slowest that a loop can bear; platforms' are slower, so the proxy is a little harsher.
ENCODERS = {
    "x264": Encoder("libx264", "h264", (("preset", "medium"), ("x264-params", "mbtree=0")), (10, 51, 28), 6.0),
    "x265": Encoder(
        "libx265", "hevc",
        (("preset", "fast"), ("x265-params", "pools=none:frame-threads=1:cutree=0:log-level=error")), (10, 51, 28), 6.0,
    ),
    "vp9": Encoder("libvpx-vp9", "vp9", (("b", "0"), ("deadline", "good"), ("cpu-used", "4")), (10, 63, 38), 9.0),
    "av1": Encoder("libsvtav1", "libdav1d", (("preset", "8"), ("svtav1-params", "lp=1")), (10, 63, 38), 10.0),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Encoded:
    """Windows after the codec.

    windows: decoded frames, 8-bit 4:2:0 like those given. crf: what they were encoded at.
    kbps: rate of a stream with a key frame every GROUP_SECONDS.
    qps: luma QP of each frame as the encoder reports it (VP9 and AV1 on scales of their own).
    """

    windows: tuple[tuple[Frame, ...], ...]
    crf: int
    kbps: float
    qps: tuple[float, ...]


def at_quality(
    encoder: Encoder, windows: Sequence[Sequence[Frame]], rate: Fraction, crf: int, threads: Executor
) -> Encoded:
    """Windows (not empty, each a run of 8-bit 4:2:0 frames of one size) at a constant quality factor."""
    return _decoded(encoder, windows, _encoded(encoder, windows, rate, crf, threads), threads)


def at_rate(
    encoder: Encoder, windows: Sequence[Sequence[Frame]], rate: Fraction, kbps: float, threads: Executor,
    first: int = 0, tried: Streams | None = None,
) -> Encoded:  # fmt: skip
    """The same at the quality factor, of those tried, that comes nearest to `kbps`.

    first: the quality factor to try first, from an encode of much the same pictures; 0 is the codec's own start.
    tried: streams of these very windows by quality factor, from looking for another rate; what is tried is added.
    """
    low, high, usual = encoder.crf
    tried = {} if tried is None else tried
    crf = min(max(first or usual, low), high)
    if tried and not first:
        crf = _next({at: log2(one.kbps / kbps) for at, one in tried.items()}, encoder.halving, low, high)
    for _ in range(_TRIALS):
        if crf not in tried:
            tried[crf] = _encoded(encoder, windows, rate, crf, threads)
        excess = {at: log2(one.kbps / kbps) for at, one in tried.items()}
        if abs(excess[crf]) < _NEAR:
            break
        crf = _next(excess, encoder.halving, low, high)
        if crf in tried:
            break
    nearest = min(tried.values(), key=lambda one: abs(log2(one.kbps / kbps)))
    return _decoded(encoder, windows, nearest, threads)


@dataclass(frozen=True, eq=False)
class _Streams:
    """Windows encoded: a run of packets each and what the decoder needs to know, quality factor and rate."""

    runs: tuple[tuple[list[av.Packet[Any]], bytes | None], ...]
    crf: int
    kbps: float


#: Streams of the same windows by their quality factor.
Streams = dict[int, _Streams]


def _encoded(
    encoder: Encoder, windows: Sequence[Sequence[Frame]], rate: Fraction, crf: int, threads: Executor
) -> _Streams:
    runs = tuple(threads.map(lambda window: _run(encoder, window, rate, crf), windows))
    count = max(round(GROUP_SECONDS * rate), 1)
    sizes = [[packet.size for packet in packets] for packets, _ in runs]
    key = sum(each[0] for each in sizes) / len(runs)
    others = [size for each in sizes for size in each[1:]]
    group = key + (count - 1) * (sum(others) / len(others) if others else key)
    return _Streams(runs, crf, 8e-3 * group / (count / float(rate)))


def _decoded(encoder: Encoder, windows: Sequence[Sequence[Frame]], streams: _Streams, threads: Executor) -> Encoded:
    frames = threads.map(lambda window, run: _back(encoder, window, *run), windows, streams.runs)
    qps = tuple(qp for packets, _ in streams.runs for packet in packets for qp in _qps(packet))
    return Encoded(tuple(frames), streams.crf, streams.kbps, qps)


def _next(excess: dict[int, float], halving: float, low: int, high: int) -> int:
    """The quality factor to try after these, given by how much (log2) each was above the rate.

    Outside a bracket by the usual slope, in a wide one its middle, because rates have cliffs; in a narrow one where
    the line between its ends crosses the rate.
    """
    over = [at for at, value in excess.items() if value > 0]
    under = [at for at, value in excess.items() if value <= 0]
    if not over or not under:
        nearest = max(over) if over else min(under)
        step = round(excess[nearest] * halving) or (1 if over else -1)
        return min(max(nearest + min(max(step, -_WIDE), _WIDE), low), high)
    a, b = max(over), min(under)
    share = 0.5 if b - a >= _WIDE else excess[a] / (excess[a] - excess[b])
    return min(max(round(a + (b - a) * share), min(a + 1, b)), max(b - 1, a))


def _run(
    encoder: Encoder, window: Sequence[Frame], rate: Fraction, crf: int
) -> tuple[list[av.Packet[Any]], bytes | None]:
    """One window's packets, and what the decoder needs to know beside them."""
    if encoder.name == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")
    try:
        context = av.CodecContext.create(encoder.name, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = window[0].width, window[0].height, "yuv420p"
        context.time_base, context.framerate = 1 / rate, rate
        context.thread_count = 1
        context.options = {**dict(encoder.options), "crf": str(crf)}
        packets = [p for at, frame in enumerate(window) for p in context.encode(_picture(frame, at, 1 / rate))]
        packets += context.encode(None)
    except (av.error.FFmpegError, av.codec.codec.UnknownCodecError) as error:
        raise EncodingError(f"the proxy encode with {encoder.name} failed: {error}") from error
    return packets, context.extradata


def _back(
    encoder: Encoder, window: Sequence[Frame], packets: Sequence[av.Packet[Any]], extradata: bytes | None
) -> tuple[Frame, ...]:
    """One window's frames out of its packets."""
    color = window[0].color
    try:
        decoder = av.CodecContext.create(encoder.decoder, "r")
        assert isinstance(decoder, VideoCodecContext)
        decoder.thread_count = 1
        if extradata:
            decoder.extradata = extradata
        pictures = [p for packet in packets for p in decoder.decode(packet)] + decoder.decode(None)
    except (av.error.FFmpegError, av.codec.codec.UnknownCodecError) as error:
        raise EncodingError(f"the proxy encode with {encoder.name} cannot be decoded: {error}") from error
    if len(pictures) != len(window):
        raise EncodingError(f"the proxy encode with {encoder.name} gave {len(pictures)} frames for {len(window)}")
    return tuple(frame.with_planes(_planes(p), color) for frame, p in zip(window, pictures, strict=True))


def _qps(packet: av.Packet[Any]) -> list[float]:
    stats = [bytes(data) for data in packet.iter_sidedata() if data.data_type == "quality_stats"]
    return [struct.unpack_from("<I", each)[0] / _QP_LAMBDA for each in stats]


def _picture(frame: Frame, pts: int, time_base: Fraction) -> av.VideoFrame:
    picture = av.VideoFrame(frame.width, frame.height, "yuv420p")
    for plane, samples in zip(picture.planes, frame.planes, strict=True):
        rows = np.zeros((samples.shape[0], plane.line_size), np.uint8)
        rows[:, : samples.shape[1]] = samples
        plane.update(rows.tobytes())
    _tag(picture, frame.color)
    picture.pts, picture.time_base = pts, time_base
    return picture


def _tag(picture: av.VideoFrame, color: Color) -> None:
    picture.colorspace, picture.color_range = int(color.matrix), 2 if color.range is Range.FULL else 1


def _planes(picture: av.VideoFrame) -> tuple[Plane, ...]:
    found = []
    for plane in picture.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        found.append(np.ascontiguousarray(rows[:, : plane.width]))
    return tuple(found)
