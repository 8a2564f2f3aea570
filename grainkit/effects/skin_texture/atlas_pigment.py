"""The pigments of an atlas: melanin with its spots, and blood with small veins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from grainkit.effects.skin_texture.atlas_canvas import TINT_TEXEL, Canvas
from grainkit.effects.skin_texture.atlas_fields import field
from grainkit.effects.skin_texture.atlas_map import ACROSS, DOWN
from grainkit.effects.skin_texture.atlas_points import four, normal
from grainkit.machine.jit import njit

F32 = npt.NDArray[np.float32]

#: Random numbers of spots.
_STREAM = 100


def pigments(canvas: Canvas) -> tuple[F32, F32]:
    """Melanin and blood, (h, w) each with TINT_TEXEL mm between samples, in standard deviations."""
    spots = np.zeros(canvas.tinted, np.float32)
    _spots(spots, int(ACROSS * DOWN / 100 * (0.4 + 6 * canvas.old)), canvas.seed)

    def even(period: float, stream: int) -> F32:
        return field(canvas.tinted, period, TINT_TEXEL, canvas.seed, stream)

    melanin = 0.5 * even(1.0, 18) + 0.8 * even(2.4, 19) + (0.6 + canvas.old) * even(6.0, 20)
    # Small veins show where a slow field crosses zero: thin, branching, rare, and more of them with age.
    wide = even(4.0, 22)
    veins = np.exp(-((even(8.0, 23) / 0.10) ** 2)) * np.clip(wide, 0, None)
    blood = 0.5 * even(1.6, 21) + 0.8 * wide + 1.6 * canvas.old * veins
    return melanin / melanin.std() + 2.2 * spots, (blood - blood.mean()) / blood.std()


@njit(cache=True, nogil=True, error_model="numpy")
def _spots(out: F32, count: int, seed: int) -> None:
    """Sparse pigment spots, lognormal in size and strength."""
    rows, columns = out.shape
    for k in range(count):
        u, v, a, b = four(k, _STREAM, seed)
        c, d, e, f = four(k, _STREAM + 1, seed)
        x, y = ACROSS * u, DOWN * v
        r = min(1.6, 0.28 * np.exp(0.55 * normal(a, b)))
        strong = 0.8 * np.exp(0.5 * normal(c, d))
        for j in range(max(0, int((y - 3 * r) / TINT_TEXEL)), min(rows - 1, int((y + 3 * r) / TINT_TEXEL) + 1) + 1):
            for i in range(
                max(0, int((x - 3 * r) / TINT_TEXEL)), min(columns - 1, int((x + 3 * r) / TINT_TEXEL) + 1) + 1
            ):
                px, py = i * TINT_TEXEL - x, j * TINT_TEXEL - y
                outline = 1.0 + 0.25 * e * np.cos(2.0 * np.arctan2(py, px) + 6.283185307179586 * f)
                q = (px * px + py * py) * outline * outline / (r * r)
                if q < 9.0:
                    out[j, i] += strong * np.exp(-0.35 * q * q - 0.4 * q)
