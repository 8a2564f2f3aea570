"""Where one shot ends and the next begins."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.picture.frame import Frame

F32 = npt.NDArray[np.float32]

#: Size of the pictures that are compared (width, height).
THUMBNAIL = (64, 36)
#: Distance above which a frame begins a new shot: cuts .42 and more, anything else .18 at most (ALGORITHMS.md 3).
THRESHOLD = 0.25
#: Rows or columns of a large picture that are looked at, at least.
FEWEST = 270
#: Histogram bins of luma and of each chroma.
BINS = (32, 16, 16)


class CutDetector:
    """Compares each frame with the one before. Feed it frames in order."""

    def __init__(self) -> None:
        self._before: tuple[F32, F32] | None = None

    def is_cut(self, frame: Frame) -> bool:
        """Whether this frame shows another shot than the one before; False for the first."""
        now = described(frame)
        before, self._before = self._before, now
        return before is not None and distance(before, now) > THRESHOLD


def distance(a: tuple[F32, F32], b: tuple[F32, F32]) -> float:
    """0 for the same picture, 1 for nothing in common: half histograms, half likeness of the small luma pictures."""
    histograms = float(np.abs(a[0] - b[0]).sum()) / (2 * len(BINS))
    x, y = a[1] - a[1].mean(), b[1] - b[1].mean()
    energy = float(np.sqrt((x * x).sum() * (y * y).sum()))
    # Two flat pictures are alike.
    likeness = float((x * y).sum()) / energy if energy > 1e-6 else 1.0
    return 0.5 * histograms + 0.5 * (1 - likeness)


def described(frame: Frame) -> tuple[F32, F32]:
    """What frames are compared by: (histograms of all planes, small luma picture 0..1)."""
    (black, span), (grey, unit), _ = frame.levels
    # Every few rows and columns say as much as all of them.
    step = max(1, min(frame.height, frame.width) // FEWEST)
    sparse = [np.ascontiguousarray(plane[::step, ::step]) for plane in frame.planes]
    small = [cv2.resize(p, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32) for p in sparse]
    luma = (small[0] - np.float32(black)) / np.float32(span)
    planes = [luma, *((p - np.float32(grey)) / np.float32(unit) + np.float32(0.5) for p in small[1:])]
    parts = [np.histogram(p, bins=n, range=(0, 1))[0] / p.size for p, n in zip(planes, BINS, strict=False)]
    return np.concatenate(parts).astype(np.float32), luma
