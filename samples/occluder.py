"""What passes in front of a moving face: a hand of the face's own colour, or a dark microphone.

It comes in from the right, lingers before the face and leaves on the left, by its own motion, not the face's.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

#: Limbs as capsules (x and y of one end, of the other, radius), face widths from the middle: x right, y down.
SHAPES = {
    "hand": (
        (-0.10, 0.12, 0.10, 0.12, 0.17), (-0.08, 0.30, 0.08, 0.30, 0.17), (0.0, 0.40, 0.10, 1.60, 0.15),
        (-0.20, 0.05, -0.27, -0.34, 0.055), (-0.07, 0.0, -0.09, -0.46, 0.06), (0.07, 0.0, 0.09, -0.42, 0.06),
        (0.19, 0.05, 0.25, -0.28, 0.05), (-0.18, 0.28, -0.42, 0.06, 0.065),
    ),
    "microphone": ((0.0, 0.0, 0.0, 0.02, 0.17), (0.0, 0.1, 0.22, 1.40, 0.085)),
}  # fmt: skip
#: Colour of the microphone, the share of light that a limb's rim loses, and the width of the rim, face widths.
DARK, RIM, RIM_WIDTH = (0.07, 0.07, 0.08), 0.35, 0.06
#: Texture: deviation relative to brightness, and its blur, px.
ROUGH, GRAIN = 0.05, 2.0
#: Side of the texture's tile, px.
TILE = 256


@dataclass(frozen=True, eq=False)
class Occluder:
    """shape: of SHAPES. colour: R'G'B' 0..1. middle: px of the frame that it passes. width: of the face, px.

    first, last: frames between which it is in the picture.
    """

    shape: str
    colour: tuple[float, float, float]
    middle: tuple[float, float]
    width: float
    first: int
    last: int

    def at(self, t: int) -> tuple[float, float] | None:
        """Where its middle is in frame t, px; None before it comes and after it has gone."""
        if not self.first <= t <= self.last:
            return None
        s = 2 * (t - self.first) / max(self.last - self.first, 1) - 1
        # Slow before the face, fast on its way in and out.
        along = 0.35 * s + 0.65 * s**3
        return self.middle[0] - 1.5 * self.width * along, self.middle[1] + 0.12 * self.width * s

    def drawn(self, t: int, height: int, width: int) -> tuple[F32, F32]:
        """Its picture (h, w, 3) R'G'B' 0..1, and how much of each px it covers (h, w) 0..1."""
        place = self.at(t)
        if place is None:
            return np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
        x, y = np.meshgrid(
            (np.arange(width, dtype=np.float32) - place[0]) / self.width,
            (np.arange(height, dtype=np.float32) - place[1]) / self.width,
        )
        inside = np.full((height, width), -np.inf, np.float32)
        for x0, y0, x1, y1, radius in SHAPES[self.shape]:
            along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2)
            along = np.clip(along, 0, 1)
            inside = np.maximum(inside, radius - np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0)))
        noise = np.random.default_rng(5).standard_normal((TILE, TILE)).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), GRAIN, borderType=cv2.BORDER_REFLECT)
        places = (np.rint(v * self.width).astype(np.int64) % TILE for v in (y, x))
        light = (1 + ROUGH * noise[*places] / noise.std()) * (1 - RIM * np.exp(-np.maximum(inside, 0) / RIM_WIDTH))
        cover = np.clip(inside * self.width + 0.5, 0, 1)
        return (light[..., None] * np.array(self.colour, np.float32)).astype(np.float32), cover.astype(np.float32)
