"""Draws a clip of any length whose content does not matter: waves that move a pixel a frame.

    python -m samples.waves OUTPUT [--size WxH] [--frames N] [--codec NAME]

For what is about files, memory and processes. 172,800 frames are two hours.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

#: Frames after which the waves are where they were.
PERIOD = 64


def draw_waves(path: Path, width: int = 64, height: int = 36, frames: int = 24, codec: str = "ffv1") -> Path:
    """A clip of 4:2:0 frames at 24 a second, sides even; the same bits each time."""
    y, x = np.mgrid[0:height, 0:width]
    grey = np.full((height // 2, width), 128, np.uint8)
    pictures = [
        np.concatenate([(126 + 60 * np.sin(2 * np.pi * (x + n) / PERIOD) + 30 * np.cos(y / 7)).astype(np.uint8), grey])
        for n in range(min(frames, PERIOD))
    ]
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=24)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(pictures[number % PERIOD], "yuv420p")
            picture.pts = number
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return path


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--size", default="64x36", help="WxH, even")
    parser.add_argument("--frames", type=int, default=172_800)
    parser.add_argument("--codec", default="ffv1")
    options = parser.parse_args(arguments)
    width, height = map(int, options.size.split("x"))
    draw_waves(options.output, width, height, options.frames, options.codec)


if __name__ == "__main__":
    main()
