"""Float samples that no arithmetic survives: one NaN spreads over a whole picture as soon as it is resized."""

from __future__ import annotations

from typing import cast

import numpy as np

from grainkit.io.base import Pixels

#: The largest number that a half holds (IEEE 754), which renderers and their readers take for "as bright as can be".
BRIGHTEST = 65504.0


def made_finite(samples: Pixels) -> tuple[Pixels, int]:
    """(samples, how many were not finite): NaN becomes 0, infinities +-BRIGHTEST. The same array where none was."""
    if samples.dtype.kind != "f":
        return samples, 0
    finite = np.isfinite(samples)
    count = samples.size - int(np.count_nonzero(finite))
    if not count:
        return samples, 0
    return cast(Pixels, np.nan_to_num(samples, nan=0.0, posinf=BRIGHTEST, neginf=-BRIGHTEST)), count
