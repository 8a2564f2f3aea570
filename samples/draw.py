"""Draws the samples: a waxy portrait, a moving clip of it with sound, a 16-bit TIFF and a numbered sequence.

    python -m samples.draw FOLDER

Everything is a formula: nothing is downloaded, and nobody is shown.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from grainkit.io.base import StillMetadata
from grainkit.io.delivery import StillDelivery
from grainkit.io.stills import StillSink
from grainkit.picture.color import SRGB_STILL
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import planes_from_rgb
from samples.mannequin import Pose, mannequin, render

RGB = npt.NDArray[np.float32]

PORTRAIT, CLIP = (900, 1200), (360, 640)
FRAMES, RATE = 36, Fraction(24)
SOUND_RATE = 48000
#: Without mbtree=0 libx264 reads memory it never wrote, and the same frames give other bits in another process.
ENCODER = {"crf": "12", "preset": "veryfast", "x264-params": "mbtree=0"}
#: What a generator leaves in a PNG; it must come through.
TEXT = (
    ("prompt", '{"3": {"class_type": "KSampler", "inputs": {"seed": 7, "steps": 28}}}'),
    ("parameters", "portrait of a mannequin, side light\nSteps: 28, Sampler: Euler, CFG scale: 3.5, Seed: 7"),
)


def portrait(width: int = PORTRAIT[0], height: int = PORTRAIT[1]) -> RGB:
    """The still, float32 sRGB-encoded R'G'B' (height, width, 3)."""
    pose = Pose(pixels_per_unit=height / 4)
    return render(mannequin(height / 1200), pose, width, height)


def clip(frames: int = FRAMES, width: int = CLIP[0], height: int = CLIP[1]) -> Iterator[RGB]:
    """The clip: the head turns and nods, the camera drifts and closes in, the lamp wanders."""
    parts = mannequin(height / 1200)
    for t in np.arange(frames) / frames:
        turn = np.sin(2 * np.pi * t)
        pose = Pose(
            yaw=float(14 * turn), pitch=float(4 * np.sin(4 * np.pi * t)), light=float(-38 + 10 * turn),
            pixels_per_unit=float(height / 4 * (1 + 0.12 * t)), look_x=float(0.15 * np.sin(np.pi * t)),
        )  # fmt: skip
        yield render(parts, pose, width, height)


def codes(picture: RGB, depth: int) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """R'G'B' codes at 8 or 16 bit, rounded: a generator's picture has no dither."""
    top = (1 << depth) - 1
    return (np.clip(picture, 0, 1) * top + 0.5).astype(np.uint8 if depth == 8 else np.uint16)


def limited_420(picture: RGB) -> tuple[npt.NDArray[np.uint8], ...]:
    """BT.709 limited Y'CbCr codes, chroma as the mean of each 2x2 block; rounded, as a generator does."""
    luma, *chroma = planes_from_rgb(np.ascontiguousarray(picture), SRGB_STILL)
    height, width = luma.shape
    blocks = [c.reshape(height // 2, 2, width // 2, 2).mean((1, 3)) for c in chroma]
    return tuple(np.rint(v).astype(np.uint8) for v in (16 + 219 * luma, *(128 + 224 * c for c in blocks)))


def write_still(path: Path, picture: RGB, delivery: StillDelivery) -> None:
    """One picture as PNG or TIFF, with the text chunks of a generator."""
    sink = StillSink(path, delivery=delivery, dpi=72, metadata=StillMetadata(text=TEXT))
    rgb = codes(picture, delivery.depth)
    sink.write(Frame((), replace(SRGB_STILL, depth=delivery.depth), rgb=rgb))
    sink.commit()


def write_clip(path: Path, frames: Iterator[RGB]) -> None:
    """H.264 in MP4, BT.709 limited, with a quiet tone as AAC sound."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options=ENCODER)
        stream.width, stream.height = CLIP
        stream.pix_fmt = "yuv420p"
        stream.codec_context.color_range, stream.codec_context.colorspace = 1, 1
        stream.codec_context.color_primaries, stream.codec_context.color_trc = 1, 1
        sound = output.add_stream("aac", rate=SOUND_RATE, layout="mono")
        for index, picture in enumerate(frames):
            planes = limited_420(picture)
            frame = av.VideoFrame(*CLIP, "yuv420p")
            for plane, values in zip(frame.planes, planes, strict=True):
                rows = np.zeros((values.shape[0], plane.line_size), np.uint8)
                rows[:, : values.shape[1]] = values
                plane.update(rows.tobytes())
            frame.pts, frame.time_base = index, 1 / RATE
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        tone = np.sin(2 * np.pi * 220 * np.arange(SOUND_RATE * FRAMES // int(RATE)) / SOUND_RATE) * 0.05
        audio = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), format="fltp", layout="mono")
        audio.sample_rate, audio.pts, audio.time_base = SOUND_RATE, 0, Fraction(1, SOUND_RATE)
        output.mux(sound.encode(audio))
        output.mux(sound.encode(None))


def draw(folder: Path) -> None:
    """All samples into `folder`: portrait.png, portrait16.tif, clip.mp4, frames/f_00000.png and on."""
    frames = folder / "frames"
    frames.mkdir(parents=True, exist_ok=True)
    still = portrait()
    write_still(folder / "portrait.png", still, StillDelivery())
    write_still(folder / "portrait16.tif", still, StillDelivery("tiff", 16, compression="deflate"))
    write_clip(folder / "clip.mp4", clip())
    for index, picture in enumerate(clip(frames=6)):
        write_still(frames / f"f_{index:05d}.png", picture, StillDelivery())


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m samples.draw FOLDER")
    draw(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
