"""PNG's filters of lines (PNG, third edition, 9), compiled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from grainkit.machine.jit import njit


@njit(cache=True, inline="always", nogil=True)
def _paeth(left: np.int32, above: np.int32, corner: np.int32) -> np.int32:
    guess = left + above - corner
    to_left, to_above, to_corner = abs(guess - left), abs(guess - above), abs(guess - corner)
    if to_left <= to_above and to_left <= to_corner:
        return left
    return above if to_above <= to_corner else corner


@njit(cache=True, nogil=True)
def unfilter(lines: npt.NDArray[np.uint8], step: int, out: npt.NDArray[np.uint8]) -> bool:
    """Undo the filter that each line names; False for a filter that PNG does not have.

    lines: (height, 1 + bytes a line). step: bytes a pixel, 1 at least. out: (height, bytes a line).
    """
    for y in range(out.shape[0]):
        kind = lines[y, 0]
        if kind > 4:
            return False
        for x in range(out.shape[1]):
            left = np.int32(out[y, x - step]) if x >= step else np.int32(0)
            above = np.int32(out[y - 1, x]) if y > 0 else np.int32(0)
            corner = np.int32(out[y - 1, x - step]) if y > 0 and x >= step else np.int32(0)
            guess = np.int32(0)
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = above
            elif kind == 3:
                guess = (left + above) >> 1
            elif kind == 4:
                guess = _paeth(left, above, corner)
            out[y, x] = np.uint8((np.int32(lines[y, x + 1]) + guess) & 255)
    return True


@njit(cache=True, nogil=True)
def filter_lines(raw: npt.NDArray[np.uint8], step: int, lines: npt.NDArray[np.uint8]) -> None:
    """Per line the filter of Sub, Up and Average that leaves the smallest sum of differences.

    raw: (height, bytes a line). step: bytes a pixel. lines: (height, 1 + bytes a line), which is filled.
    """
    for y in range(raw.shape[0]):
        sub, up, average = np.int64(0), np.int64(0), np.int64(0)
        for x in range(raw.shape[1]):
            value = np.int32(raw[y, x])
            left = np.int32(raw[y, x - step]) if x >= step else np.int32(0)
            above = np.int32(raw[y - 1, x]) if y > 0 else np.int32(0)
            sub += abs(np.int32(np.int8(value - left)))
            up += abs(np.int32(np.int8(value - above)))
            average += abs(np.int32(np.int8(value - ((left + above) >> 1))))
        kind = 1
        if up < sub:
            kind = 2
        if average < min(sub, up):
            kind = 3
        lines[y, 0] = kind
        for x in range(raw.shape[1]):
            left = np.int32(raw[y, x - step]) if x >= step else np.int32(0)
            above = np.int32(raw[y - 1, x]) if y > 0 else np.int32(0)
            guess = left if kind == 1 else above
            if kind == 3:
                guess = (left + above) >> 1
            lines[y, x + 1] = np.uint8((np.int32(raw[y, x]) - guess) & 255)
