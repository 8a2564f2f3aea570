"""Small inputs for the tests, drawn by formula, and a plain reader for what came out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
from PIL import Image

from grainkit.io import pixel_formats
from grainkit.io.base import SourceInfo
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame

#: A build of FFmpeg other than PyAV's, for another's word.
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()

Planes = list[npt.NDArray[Any]]

#: Samples of a drawn clip's sound per second.
SOUND_RATE = 48000


def gradient(width: int, height: int, phase: float = 0.0) -> npt.NDArray[np.float64]:
    """(height, width, 3) in 0..1: ramps that differ by channel, and move with `phase`."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack(
        [
            0.5 + 0.4 * np.sin(2 * np.pi * (x / width + phase)),
            0.1 + 0.8 * y / height,
            0.5 + 0.3 * np.cos(2 * np.pi * (x + y) / (width + height) + phase),
        ],
        axis=-1,
    )


def still(path: Path, width: int = 64, height: int = 48, mode: str = "RGB", phase: float = 0.0) -> Path:
    """An 8-bit still in a mode of Pillow's (RGB, RGBA, L), in the format that the ending names."""
    codes = np.rint(255 * gradient(width, height, phase)).astype(np.uint8)
    if mode == "L":
        codes = codes[..., 1]
    if mode == "RGBA":
        ramp = np.tile(np.linspace(0, 255, width), (height, 1)).astype(np.uint8)
        codes = np.dstack([codes, ramp])
    Image.fromarray(codes).save(path)
    return path


def numbered(folder: Path, count: int, first: int = 1, width: int = 48, height: int = 32) -> Path:
    """A folder of numbered PNG files; returns its printf pattern."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        still(folder / f"f_{number:04d}.png", width, height, phase=number / count)
    return folder / "f_%04d.png"


def clip(
    path: Path, *, width: int = 64, height: int = 48, frames: int = 6, codec: str = "ffv1",
    pixel_format: str = "yuv420p", rate: Fraction | int = 24, sample_aspect: Fraction = Fraction(1),
    sound: bool = False, tags: tuple[int, int, int, int] = (1, 1, 1, 1),
) -> Path:  # fmt: skip
    """A clip whose samples are a moving gradient across all legal codes.

    tags: primaries, transfer and matrix by H.273, then 1 for limited or 2 for full range.
    """
    form = pixel_formats.parse(pixel_format)
    assert form is not None
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=Fraction(rate))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        context = stream.codec_context
        context.sample_aspect_ratio = sample_aspect
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = tags
        voice = output.add_stream("aac", rate=SOUND_RATE) if sound else None
        for number in range(frames):
            picture = av.VideoFrame(width, height, pixel_format)
            _paint(picture, form, number / max(frames, 1))
            picture.pts, picture.time_base = number, 1 / Fraction(rate)
            picture.color_primaries, picture.color_trc, picture.colorspace, picture.color_range = tags
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
        if voice is not None:
            _sing(output, voice, Fraction(frames) / rate)
    return path


def _paint(picture: av.VideoFrame, form: pixel_formats.PixelFormat, phase: float) -> None:
    values = gradient(picture.width, picture.height, phase)
    raw = [np.frombuffer(p, np.uint8).reshape(p.height, p.line_size) for p in picture.planes]  # type: ignore[call-overload]
    top = (1 << form.depth) - 1
    if form.is_rgb:
        full = 255 if form.rgb_depth == 8 else 65535
        rgb = np.rint(full * values).astype(np.uint8 if full == 255 else np.uint16)
        samples = pixel_formats.Samples(rgb=rgb)
    else:
        across, down = form.subsampling
        low, span = 16 * (top + 1) // 256, 219 * (top + 1) // 256
        planes = [values[..., 1]]
        if not form.is_grey:
            planes += [values[::down, ::across, 0], values[::down, ::across, 2]]
        codes = tuple(np.rint(low + span * p).astype(form.native) for p in planes)
        alpha = np.tile(np.linspace(0, top, picture.width), (picture.height, 1)).astype(form.native)
        samples = pixel_formats.Samples(codes, alpha=alpha if form.alpha else None)
    pixel_formats.pack(form, raw, samples, float(top))


def _sing(output: Any, voice: Any, seconds: Fraction) -> None:
    count = int(seconds * SOUND_RATE)
    tone = (8000 * np.sin(np.arange(count) * 2 * np.pi * 440 / SOUND_RATE)).astype(np.int16)
    for start in range(0, count, 1024):
        part = np.repeat(tone[start : start + 1024], 2)[None]
        frame = av.AudioFrame.from_ndarray(part, "s16", "stereo")
        frame.sample_rate, frame.pts = SOUND_RATE, start
        output.mux(voice.encode(frame))
    output.mux(voice.encode(None))


def frames_of(path: Path) -> list[Planes]:
    """Every frame's own samples: one (rows, columns) array per plane of FFmpeg's, alpha among them."""
    found = []
    with av.open(str(path)) as source:
        for picture in source.decode(video=0):
            form = pixel_formats.parse(picture.format.name)
            assert form is not None
            raw = [np.frombuffer(p, np.uint8).reshape(p.height, p.line_size) for p in picture.planes]  # type: ignore[call-overload]
            samples = pixel_formats.unpack(form, raw, picture.width, picture.height)
            planes = list(samples.planes) if samples.rgb is None else [samples.rgb]
            found.append(planes + ([] if samples.alpha is None else [samples.alpha]))
    return found


def y4m_of(path: Path) -> bytes:
    """A clip of planar samples as a Y4M stream."""
    from io import BytesIO

    from grainkit.io import open_source
    from grainkit.io.y4m import Y4MSink

    room = BytesIO()
    with open_source(path) as source:
        info = source.info
        sink = Y4MSink(room, info.color, info.width, info.height, info.rate or Fraction(24))
        for frame in source:
            sink.write(frame)
        sink.commit()
    return room.getvalue()


def leftovers(folder: Path) -> list[Path]:
    """Files under construction anywhere below a folder."""
    return [p for p in folder.rglob("*") if ".grainkit-part-" in p.name]


def moving_fields(pixel_format: str, order: str, count: int = 3) -> list[Any]:
    """Interlaced frames of 64x64 at 25 per second: a square that moves on between the two fields."""
    form = pixel_formats.parse(pixel_format)
    assert form is not None
    color = Color(depth=form.depth, subsampling=form.subsampling)
    across, down = pixel_formats.chroma_size(form, 64, 64)
    unit = 1 << (form.depth - 8)
    frames = []
    for number in range(count):
        luma = np.full((64, 64), 40 * unit, form.native)
        for field in (0, 1):
            left = 4 * (2 * number + (field if order == "tff" else 1 - field))
            luma[16 + field : 48 : 2, left : left + 16] = 200 * unit
        chroma = np.full((down, across), 128 * unit, form.native)
        chroma[1::2] += np.asarray(20 * unit, form.native)
        frames.append(Frame((luma, chroma, chroma), color, number, number, 1, Fraction(1, 25), field_order=order))
    return frames


def sink_of(path: Path, frames: list[Any], delivery: Any, source: SourceInfo | None = None, **more: Any) -> Path:
    """A clip of these frames, as grainkit writes it. source: where they come from; more: what is drawn of that."""
    from grainkit.io.clip_sink import VideoSink

    first = frames[0]
    told = {"rate": Fraction(25), "field_order": first.field_order, "time_base": first.time_base, **more}
    source = source or SourceInfo("drawn", None, "sequence", first.width, first.height, first.color, **told)
    sink = VideoSink(path, delivery=delivery, color=first.color, width=first.width, height=first.height, source=source)
    try:
        for frame in frames:
            sink.write(frame)
        sink.commit()
    finally:
        sink.abort()
    return path
