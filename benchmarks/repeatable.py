"""Whether an encoder gives the same stream for the same frames: how many of many encodes in one process differ.

    python -m benchmarks.repeatable [--encodes 1500]

x264 with its macroblock tree and a rate limit does not, in some builds: the reason for `mbtree: 0` in social presets.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from collections import Counter
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

from grainkit.recipe.presets import load_recipe

#: Options over the preset's.
CASES: dict[str, dict[str, str]] = {"mbtree 1": {"mbtree": "1"}, "mbtree 0": {"mbtree": "0"}}


def frames(count: int = 12, width: int = 64, height: int = 48) -> list[npt.NDArray[np.uint8]]:
    """Noise that slides, as yuv420p: (3/2 height, width)."""
    noise = np.random.default_rng(0).integers(60, 200, (height + 24, width + 24)).astype(np.uint8)
    planes = (noise[t : t + height, t : t + width] for t in range(count))
    return [np.pad(plane, ((0, height // 2), (0, 0)), constant_values=128) for plane in planes]


def stream_of(pictures: list[npt.NDArray[np.uint8]], options: dict[str, str]) -> str:
    """Digest of the packets that libx264 makes of them."""
    made = hashlib.sha256()
    with av.open(io.BytesIO(), "w", format="nut") as output:
        stream = output.add_stream("libx264", rate=Fraction(24), options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.thread_count = 0
        for pts, picture in enumerate([*pictures, None]):
            frame = None if picture is None else av.VideoFrame.from_ndarray(picture, format="yuv420p")
            if frame is not None:
                frame.pts = pts
            for packet in stream.encode(frame):
                made.update(bytes(packet))
    return made.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encodes", type=int, default=1500)
    options = parser.parse_args()
    preset = load_recipe("social/reel").delivery.clip
    own = {**preset.options, "profile": preset.profile, "g": "48"}
    pictures = frames()
    for name, changes in CASES.items():
        streams: Counter[str] = Counter()
        heap: list[bytearray] = []
        sizes = np.random.default_rng(1)
        for _ in range(options.encodes):
            # What memory the encoder is given differs from run to run of a real program, and so it does here.
            heap = [*heap[-40:], bytearray(int(sizes.integers(1_000, 900_000)))]
            streams[stream_of(pictures, own | changes)] += 1
        usual = max(streams.values())
        print(f"{name}: {options.encodes - usual} of {options.encodes} streams differ from the others")


if __name__ == "__main__":
    main()
