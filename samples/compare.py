"""Before and after, side by side at 200 %.

python -m samples.compare BEFORE AFTER OUTPUT.png [LEFT TOP]
"""

from __future__ import annotations

import sys

import cv2
import numpy as np

#: Side of the square that is shown, in px of the picture.
SIDE = 300


def side_by_side(before: np.ndarray, after: np.ndarray, left: int, top: int) -> np.ndarray:
    """The same square of two pictures (h, w, 3), each pixel shown as 2x2, with a gap between."""
    crops = [p[top : top + SIDE, left : left + SIDE].repeat(2, 0).repeat(2, 1) for p in (before, after)]
    gap = np.full((crops[0].shape[0], 8, 3), 255, np.uint8)
    return np.hstack([crops[0], gap, crops[1]])


def main() -> None:
    if len(sys.argv) not in (4, 6):
        sys.exit("usage: python -m samples.compare BEFORE AFTER OUTPUT.png [LEFT TOP]")
    before, after = (cv2.imread(name, cv2.IMREAD_COLOR) for name in sys.argv[1:3])
    if before is None or after is None or before.shape != after.shape:
        sys.exit("samples.compare: both pictures must be readable and of one size")
    height, width = before.shape[:2]
    left, top = (int(v) for v in sys.argv[4:6]) if len(sys.argv) == 6 else ((width - SIDE) // 2, height // 4)
    cv2.imwrite(sys.argv[3], side_by_side(before, after, left, top))


if __name__ == "__main__":
    main()
