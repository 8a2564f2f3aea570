"""Colours that are multiplied by alpha, as OpenEXR stores them, and straight ones, as all else here has them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]


def straight(samples: F32, alpha: F32) -> F32:
    """(h, w) or (h, w, 3) colours divided by alpha (h, w); light without cover (alpha 0) stays as it is."""
    share = _beside(alpha, samples)
    return np.divide(samples, share, out=samples.copy(), where=share > 0)


def associated(samples: F32, alpha: F32) -> F32:
    """The other way round: what `straight` took them from, but for the last bit."""
    share = _beside(alpha, samples)
    return np.multiply(samples, share, out=samples.copy(), where=share > 0)


def _beside(plane: F32, samples: F32) -> F32:
    """Alpha that goes with each colour."""
    return plane if samples.ndim == 2 else plane[..., None]
