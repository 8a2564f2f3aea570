"""How often are frames taken for a series of pictures, and pictures for the frames of a clip?

    python -m benchmarks.series_or_sequence --clips CLIP [CLIP ...] --pictures PICTURE [PICTURE ...]

Draws parts of the clips, 12 frames or more, at their own rate and at a half, a third and a fourth of it, and pairs of
pictures brought to one size: as they are, and with their people put before one and the same backdrop. Asks of each what
`job.series_or_sequence` asks. Prints the share that is judged wrong, and what is judged of frames of one clip that
lie two seconds or more apart: pictures of one sitting, which may be either.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.likeness import thumbnail, unlikeness
from grainkit.analysis.networks import FaceNetworks
from grainkit.analysis.picture import rgb_of
from grainkit.io import open_source
from grainkit.io.decode_still import read_still
from grainkit.job.series_or_sequence import alike

F32 = npt.NDArray[np.float32]
DRAWS = 400
#: px of the square that pictures are brought to.
SIDE = 384
#: Two portraits whose heads differ less are one picture twice.
_SAME = 0.01


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", nargs="+", type=Path, required=True)
    parser.add_argument("--pictures", nargs="+", type=Path, required=True)
    options = parser.parse_args(arguments)
    draw = random.Random(1)
    clips = {path: _clip(path) for path in options.clips}
    for step in (1, 2, 3, 4):
        wrong = [not alike(*_part(frames, step, draw)) for frames in clips.values() for _ in range(DRAWS)]
        print(f"frames at 1/{step} of their rate: {np.mean(wrong):.2%} taken for a series")
    apart = [alike(*_sitting(frames, draw)) for frames in clips.values() for _ in range(DRAWS) if len(frames) > 49]
    print(f"pictures of one sitting: {np.mean(apart):.2%} taken for frames")
    pictures = [_square(path) for path in options.pictures]
    people = FaceNetworks()
    masks = [cv2.resize(people.person(p), (SIDE, SIDE))[..., None] for p in pictures]
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) / SIDE
    backdrops = {
        "their own backdrops": None,
        "a studio's backdrop": np.repeat((0.78 - 0.47 * np.hypot(x - 0.5, y - 0.4))[..., None], 3, axis=-1),
        "a blurred picture": cv2.GaussianBlur(pictures[0], (0, 0), 6.0),
        "a sharp picture": pictures[-1],
    }
    for name, backdrop in backdrops.items():
        before = pictures if backdrop is None else [
            m * p + (1 - m) * backdrop for m, p in zip(masks, pictures, strict=True)
        ]  # fmt: skip
        small = [thumbnail(p.astype(np.float32)) for p in before]
        found = [(unlikeness(a, b), i != j) for i, a in enumerate(small) for j, b in enumerate(small)]
        values = [value for value, other in found if other and value > _SAME]
        wrong = [alike(draw.choice(values), draw.choice(values)) for _ in range(10 * DRAWS)]
        print(f"pictures before {name}: {np.mean(wrong):.2%} taken for frames; the most alike {min(values):.2f}")


def _clip(path: Path) -> list[F32]:
    with open_source(path) as source:
        return [thumbnail(rgb_of(frame)) for frame in source]


def _part(frames: list[F32], step: int, draw: random.Random) -> tuple[float, float]:
    """What is asked of a part that is drawn from a clip."""
    count = draw.randint(12, max(12, len(frames) // step))
    start = draw.randint(0, max(0, len(frames) - count * step))
    count = min(count, (len(frames) - start - 1) // step)
    pairs = [start + step * (count * third // 3) for third in (1, 2)]
    first, last = (unlikeness(frames[at], frames[at + step]) for at in pairs)
    return first, last


def _sitting(frames: list[F32], draw: random.Random) -> tuple[float, float]:
    gap = draw.randint(48, len(frames) - 1)
    first, last = (draw.randrange(len(frames) - gap) for _ in range(2))
    return unlikeness(frames[first], frames[first + gap]), unlikeness(frames[last], frames[last + gap])


def _square(path: Path) -> F32:
    """The upper middle of a picture, (SIDE, SIDE, 3) in 0..1."""
    rgb = read_still(path).rgb
    side = min(rgb.shape[:2])
    left = (rgb.shape[1] - side) // 2
    part = np.ascontiguousarray(rgb[:side, left : left + side]).astype(np.float32) / np.float32(np.iinfo(rgb.dtype).max)
    return np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)


if __name__ == "__main__":
    main()
