"""Where the light comes from: fitted to the shading of the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

#: Share of the median brightness that is taken for ambient light while the direction is fitted: left free,
#: it trades off against the frontal part of the light and gives absurd grazing lamps (ALGORITHMS.md 8).
AMBIENT_SHARE = 0.35
#: Before anything is seen, the key lamp stands a little above the camera.
PRIOR = (0.0, -0.25, 1.0)
_WEIGHT = 0.04
_ROUNDS = 6


@dataclass(frozen=True)
class Light:
    """One lamp and an ambient level, in linear light.

    direction: unit vector towards the lamp; x right, y down, z towards the camera.
    key: what the lamp adds to a surface that faces it. ambient: what reaches every surface.
    """

    direction: tuple[float, float, float]
    key: float
    ambient: float

    @property
    def grazing(self) -> float:
        """0 for a lamp at the camera, 1 for one square to the side."""
        return float(np.hypot(self.direction[0], self.direction[1]))

    @property
    def azimuth(self) -> float:
        """Degrees from the camera's axis: -90 square from the left of the picture, 0 in front, 90 from its right."""
        return float(np.degrees(np.arctan2(self.direction[0], self.direction[2])))

    @property
    def elevation(self) -> float:
        """Degrees above the camera's height: 90 straight from above, -90 from below."""
        return float(np.degrees(np.arcsin(np.clip(-self.direction[1], -1, 1))))

    def words(self) -> str:
        """For a person to read: 'from the left and from above: azimuth -50, elevation +20 degrees, grazing 0.80'."""
        x, y, _ = self.direction
        places = [
            *(["from the left" if x < 0 else "from the right"] if abs(x) > 0.25 else []),
            *(["from above" if y < 0 else "from below"] if abs(y) > 0.25 else []),
        ]
        angles = f"azimuth {self.azimuth:+.0f}, elevation {self.elevation:+.0f} degrees, grazing {self.grazing:.2f}"
        return f"{' and '.join(places) or 'from the front'}: {angles}"


def estimate_light(brightness: F32, normals: F32, skin: F32) -> Light:
    """Fit brightness = ambient + key (normal . direction) to smooth skin, outliers weighed down.

    brightness: (h, w) low-passed linear luminance. normals: (h, w, 3). skin: (h, w) 0..1.
    """
    chosen = np.flatnonzero((skin > 0.6) & (normals[..., 2] > 0.15))
    if len(chosen) < 50:
        level = max(float(brightness.mean()) if brightness.size else 0.2, 1e-3)
        return Light((0.0, -0.242536, 0.970143), 0.8 * level, 0.2 * level)
    chosen = chosen[:: max(1, len(chosen) // 20000)]
    n = normals.reshape(-1, 3)[chosen].astype(np.float64)
    y = brightness.ravel()[chosen].astype(np.float64)
    rest = y - AMBIENT_SHARE * np.median(y)
    pull = np.array(PRIOR) * np.median(rest)
    weights = np.ones(len(y))
    strength = _WEIGHT * len(y)
    for _ in range(_ROUNDS):
        weighted = n * weights[:, None]
        b = np.linalg.solve(weighted.T @ n + strength * np.eye(3), weighted.T @ rest + strength * pull)
        error = rest - n @ b
        scale = 1.48 * np.median(np.abs(error)) + 1e-4
        weights = 1 / (1 + (error / (2 * scale)) ** 2)
    direction = b / max(float(np.linalg.norm(b)), 1e-9)
    direction[2] = max(direction[2], 0.05)
    direction /= np.linalg.norm(direction)
    low, high = np.percentile(y, [3, 97])
    ambient = max(0.15 * high, min(low, 0.6 * high))
    x, y_, z = (float(v) for v in direction)
    return Light((x, y_, z), float(max(high - ambient, 1e-3)), float(ambient))
