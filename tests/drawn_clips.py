"""Clips drawn for tests of reading and writing them, and what is looked up in them by other means than ours."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from grainkit.io import pixel_formats
from grainkit.io.base import SourceInfo
from grainkit.io.clip_sink import VideoSink
from grainkit.io.clip_source import VideoSource
from grainkit.io.delivery import ClipDelivery
from grainkit.picture.color import Color, Range
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


def clip_with_sound(folder: Path) -> Path:
    """24 frames of H.264 with B-frames and AAC with priming, in MP4."""
    silent = write(folder / "silent.mp4", draw("yuv420p", 64, 48, 24, smooth=True), H264)
    return add_audio(silent, folder / "clip.mp4", "aac", language="deu", title="A title")
