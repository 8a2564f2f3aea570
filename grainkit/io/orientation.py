"""The eight ways a camera can be held, baked into planes of any chroma sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from grainkit.io.base import Pixels
from grainkit.picture.color import Color, Siting
from grainkit.picture.frame import Plane


@dataclass(frozen=True)
class Orientation:
    """Transpose first, then mirror left-right, then mirror top-bottom."""

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def is_upright(self) -> bool:
        return self == Orientation()

    def describe(self) -> str:
        """In words, clockwise: 'rotation of 90 degrees', 'left-right mirroring'."""
        turns = {(False, True, True): 180, (True, True, False): 90, (True, False, True): 270}
        turn = turns.get((self.transposed, self.flip_x, self.flip_y))
        if turn is not None:
            return f"rotation of {turn} degrees"
        return "mirroring" if not self.transposed else "rotation and mirroring"

    def apply(self, picture: Pixels) -> Pixels:
        """A (height, width[, channels]) array as it is to be seen, C-contiguous."""
        if self.transposed:
            picture = np.swapaxes(picture, 0, 1)
        if self.flip_x:
            picture = picture[:, ::-1]
        if self.flip_y:
            picture = picture[::-1]
        return cast(Pixels, np.ascontiguousarray(picture))


def from_display_matrix(matrix: Sequence[int]) -> Orientation | None:
    """Orientation of FFmpeg's nine-number display matrix, or None where it turns by less than a quarter."""
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if b == c == 0 and a and d:
        return Orientation(False, a < 0, d < 0)
    if a == d == 0 and b and c:
        return Orientation(True, c < 0, b < 0)
    return None


def oriented_color(color: Color, turn: Orientation) -> Color:
    """What frames mean once turned: 4:2:2 on its side becomes 4:4:4, left-sited 4:2:0 top- or bottom-sited."""
    if not turn.transposed or color.subsampling == (1, 1):
        return color
    if color.subsampling == (2, 1):
        return replace(color, subsampling=(1, 1))
    if color.siting is Siting.LEFT:
        return replace(color, siting=Siting.BOTTOM if turn.flip_y else Siting.TOP)
    return color


def oriented_planes(planes: tuple[Plane, ...], color: Color, turn: Orientation) -> tuple[Plane, ...]:
    """Planes turned; `color` is that of the planes as they came."""
    luma, chroma = turn.apply(planes[0]), [turn.apply(plane) for plane in planes[1:]]
    if turn.transposed and color.subsampling == (2, 1):
        chroma = [_double_rows(plane, luma.shape[0], turn.flip_y) for plane in chroma]
    elif turn.flip_x and not turn.transposed and color.subsampling[0] == 2 and color.siting is Siting.LEFT:
        # Mirrored, a left-sited sample sits on the right of its pair; the mean of neighbours is back on the left.
        chroma = [_mean_with_left(plane) for plane in chroma] if luma.shape[1] % 2 == 0 else chroma
    return (luma, *chroma)


def _double_rows(plane: Plane, rows: int, on_odd: bool) -> Plane:
    """Chroma sited on every second row, brought to every row: rows between two samples are their mean."""
    wide = plane.astype(np.uint32)
    if on_odd and rows % 2 == 0:
        earlier = np.concatenate([wide[:1], wide[:-1]])
        between, at = (earlier + wide + 1) >> 1, 1
    else:
        later = np.concatenate([wide[1:], wide[-1:]])
        between, at = (wide + later + 1) >> 1, 0
    out = np.empty((2 * plane.shape[0], plane.shape[1]), plane.dtype)
    out[at::2], out[1 - at :: 2] = plane, between
    return np.ascontiguousarray(out[:rows])


def _mean_with_left(plane: Plane) -> Plane:
    wide = plane.astype(np.uint32)
    left = np.concatenate([wide[:, :1], wide[:, :-1]], axis=1)
    return cast(Plane, ((left + wide + 1) >> 1).astype(plane.dtype))
