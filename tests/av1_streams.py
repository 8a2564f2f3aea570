"""AV1 streams made, decoded and read in tests, none of it with grainkit's own parser; and grain to give them."""

from __future__ import annotations

import re
import struct
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from grainkit.effects.grain.av1.film_grain import FilmGrain

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
#: A line of the trace_headers filter: position, name, bits, value.
_TRACED = re.compile(r"\] \d+ +([a-z_0-9]+(?:\[\d+\])*) +[01]+ = (-?\d+)$")

#: Parameters with a value in every field.
GRAIN = FilmGrain(
    luma_points=((16, 0), (40, 60), (128, 80), (235, 20)),
    cb_points=((16, 10), (235, 20)),
    cr_points=((16, 12), (100, 30), (235, 20)),
    scaling_shift=10,
    lag=3,
    luma_coefficients=tuple(range(-12, 12)),
    cb_coefficients=tuple(range(-20, 5)),
    cr_coefficients=tuple(range(-3, 22)),
    ar_shift=8,
    scale_shift=1,
)


@dataclass(frozen=True)
class Stream:
    """Global header and packets, in the order of decoding."""

    extradata: bytes
    packets: list[bytes]

    @property
    def size(self) -> int:
        return sum(map(len, self.packets))


def read(path: Path) -> Stream:
    """The AV1 stream in a file."""
    with av.open(str(path)) as container:
        track = container.streams.video[0]
        return Stream(track.codec_context.extradata, [bytes(p) for p in container.demux(track) if p.size])


@cache
def encoders() -> str:
    """What FFmpeg lists."""
    return subprocess.run([FFMPEG, "-hide_banner", "-encoders"], capture_output=True, text=True, check=True).stdout


def encode(path: Path, encoder: str, *options: str, source: str, frames: int, form: str = "yuv420p") -> Stream:
    """FFmpeg's own test picture through an encoder of the ffmpeg that comes with imageio-ffmpeg."""
    if f" {encoder} " not in encoders():
        pytest.skip(f"this ffmpeg has no {encoder}")
    command = [FFMPEG, "-loglevel", "error", "-f", "lavfi", "-i", source, "-frames:v", str(frames), "-pix_fmt", form]
    subprocess.run([*command, "-c:v", encoder, *options, str(path)], check=True, capture_output=True)
    return read(path)


def decode(stream: Stream, *, grain: bool) -> list[list[np.ndarray]]:
    """Planes of every picture from libdav1d, which makes the grain or leaves it out."""
    return [_planes(picture) for picture in _pictures(stream, {"filmgrain": str(int(grain))})]


def shown_seeds(stream: Stream) -> list[int]:
    """The grain seed of every picture in the order of showing, 0 for one without, as libdav1d exports it."""
    seeds = []
    for picture in _pictures(stream, {"export_side_data": "film_grain"}):
        found = picture.side_data.get("FILM_GRAIN_PARAMS")
        # AVFilmGrainParams: an enum, padding, then the seed in 64 bits.
        seeds.append(struct.unpack_from("=i4xQ", bytes(found))[1] if found else 0)
    return seeds


def _pictures(stream: Stream, options: dict[str, str]) -> list[av.VideoFrame]:
    decoder = av.CodecContext.create("libdav1d", "r")
    decoder.extradata = stream.extradata
    decoder.options = options
    pictures = []
    for number, packet in enumerate(stream.packets):
        one = av.Packet(packet)
        one.pts, one.time_base = number, Fraction(1, 24)
        pictures += decoder.decode(one)
    return pictures + decoder.decode(None)


def _planes(picture: av.VideoFrame) -> list[np.ndarray]:
    kind = np.uint8 if picture.format.components[0].bits == 8 else np.uint16
    rows = [np.frombuffer(p, np.uint8).reshape(p.height, p.line_size).view(kind) for p in picture.planes]
    return [r[:, : p.width].copy() for r, p in zip(rows, picture.planes, strict=True)]


def framemd5(path: Path, decoder: str, *options: str) -> list[str]:
    """Digests of the pictures that a decoder of FFmpeg's shows."""
    listed = subprocess.run([FFMPEG, "-hide_banner", "-decoders"], capture_output=True, text=True, check=True).stdout
    if f" {decoder} " not in listed:
        pytest.skip(f"this ffmpeg has no decoder {decoder}")
    command = [FFMPEG, "-loglevel", "error", "-c:v", decoder, *options, "-i", str(path), "-an", "-f", "framemd5", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split()[-1] for line in done.stdout.splitlines() if not line.startswith("#")]


def same_pictures(a: list[list[np.ndarray]], b: list[list[np.ndarray]]) -> bool:
    pairs = [pair for x, y in zip(a, b, strict=True) for pair in zip(x, y, strict=True)]
    return all(np.array_equal(x, y) for x, y in pairs)


def trace(path: Path) -> list[dict[str, int]]:
    """Syntax elements of every header, as FFmpeg's trace_headers filter reads them."""
    command = [FFMPEG, "-hide_banner", "-i", str(path), "-c:v", "copy", "-an", "-bsf:v", "trace_headers", "-f", "null"]
    done = subprocess.run([*command, "-"], capture_output=True, text=True, check=True)
    headers: list[dict[str, int]] = []
    for line in done.stderr.splitlines():
        if line.endswith(("Frame Header", "Sequence Header")):
            headers.append({})
        elif headers and (found := _TRACED.search(line)):
            headers[-1][found[1]] = int(found[2])
    if not headers:
        pytest.skip("this ffmpeg has no trace_headers filter")
    return headers
