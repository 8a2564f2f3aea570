"""A still face moved by a motion that is known exactly, to measure how well texture follows it.

Roll, zoom, sway, a turn's parallax and seven expression bumps; light that changes; sensor noise and JPEG.
Places "there" are px of the still, places "now" px of a frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from samples.occluder import Occluder

F32 = npt.NDArray[np.float32]

#: Expression bumps: landmark at the centre, radius, direction, size (face widths), period (frames).
BUMPS = (
    (17, 0.30, (0.0, -1.0), 0.050, 37), (61, 0.16, (1.0, 0.5), 0.030, 53), (291, 0.16, (-1.0, 0.5), 0.030, 53),
    (105, 0.17, (0.0, 1.0), 0.022, 71), (334, 0.17, (0.0, 1.0), 0.022, 71), (50, 0.20, (0.3, 0.6), 0.020, 53),
    (280, 0.20, (-0.3, 0.6), 0.020, 53),
)  # fmt: skip
#: Sensor noise (deviation, 8-bit codes), JPEG quality, and how far light swings.
NOISE, QUALITY, LIGHT = 2.0, 85, 0.10


@dataclass(frozen=True, eq=False)
class KnownMotion:
    """still: (h, w, 3) float32 R'G'B' 0..1. points: (468, 2) px of its landmarks. width: of the face, px."""

    still: F32
    points: F32
    width: float

    def there(self, t: int, x: F32, y: F32) -> tuple[F32, F32]:
        """Where in the still the places (x, y) of frame t come from."""
        turn, shift, centre = self._pose(t)
        back = np.linalg.inv(turn)
        px, py = x - centre[0] - shift[0], y - centre[1] - shift[1]
        zx, zy = back[0, 0] * px + back[0, 1] * py + centre[0], back[1, 0] * px + back[1, 1] * py + centre[1]
        dx, dy = self._expression(t, zx, zy)
        return (zx + dx).astype(np.float32), (zy + dy).astype(np.float32)

    def now(self, t: int, x: F32, y: F32) -> tuple[F32, F32]:
        """Where in frame t the places (x, y) of the still have gone."""
        zx, zy = x.astype(np.float64), y.astype(np.float64)
        for _ in range(16):
            dx, dy = self._expression(t, zx, zy)
            zx, zy = x - dx, y - dy
        turn, shift, centre = self._pose(t)
        px, py = zx - centre[0], zy - centre[1]
        moved_x = turn[0, 0] * px + turn[0, 1] * py + centre[0] + shift[0]
        moved_y = turn[1, 0] * px + turn[1, 1] * py + centre[1] + shift[1]
        return moved_x.astype(np.float32), moved_y.astype(np.float32)

    def frame(self, t: int, over: Occluder | None = None) -> F32:
        """Frame t, (h, w, 3) float32 R'G'B' 0..1, with something passing in front where one is given."""
        height, width = self.still.shape[:2]
        grid = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        x, y = self.there(t, *grid)
        moved = cv2.remap(self.still, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT)
        if over is not None:
            drawn, cover = over.drawn(t, height, width)
            moved = moved + cover[..., None] * (drawn - moved)
        moved = moved * (1 + LIGHT * np.sin(2 * np.pi * t / 59) * (grid[0] / width))[..., None]
        moved = moved * 255 + np.random.default_rng(t).normal(0, NOISE, moved.shape)
        codes = np.clip(moved, 0, 255).astype(np.uint8)
        packed = cv2.imencode(".jpg", codes[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
        return np.ascontiguousarray(cv2.imdecode(packed, 1)[..., ::-1], np.float32) / np.float32(255)

    def _pose(self, t: int) -> tuple[npt.NDArray[np.float64], tuple[float, float], F32]:
        """Roll and zoom (2, 2), shift in px, and the point they are about."""
        wave = 2 * np.pi * t
        angle = np.radians(9 * np.sin(wave / 97) + 3 * np.sin(wave / 31))
        zoom = 1 + 0.13 * (np.sin(wave / 127 + 0.6) - np.sin(0.6))
        turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        across = self.width * (0.16 * np.sin(wave / 83) + 0.02 * np.sin(wave / 17))
        return turn, (across, self.width * 0.09 * np.sin(wave / 61)), self.points[1]

    def _expression(self, t: int, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> tuple[F32, F32]:
        dx, dy = np.zeros_like(x), np.zeros_like(y)
        for centre, radius, direction, size, period in BUMPS:
            away = ((x - self.points[centre, 0]) ** 2 + (y - self.points[centre, 1]) ** 2) / (radius * self.width) ** 2
            swell = size * self.width * (0.5 - 0.5 * np.cos(2 * np.pi * t / period)) * np.exp(-away / 2)
            dx, dy = dx + direction[0] * swell, dy + direction[1] * swell
        # What a turn of the head does to depth: the middle of the face goes further than its rim.
        away = ((x - self.points[1, 0]) ** 2 + (y - self.points[1, 1]) ** 2) / (0.38 * self.width) ** 2
        dx = dx - 0.07 * np.sin(2 * np.pi * t / 109) * self.width * np.exp(-away / 2)
        return np.asarray(dx, np.float32), np.asarray(dy, np.float32)
