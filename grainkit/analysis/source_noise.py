"""How much of a picture's fine contrast is noise and compression, not texture: measured where nothing should be."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

#: Side of the blocks that are compared, px.
BLOCK = 24
#: Share of the blocks, from the flattest on, that are taken for flat: the median of these is the noise.
FLATTEST = 0.2
#: Fewer flat blocks than this say nothing.
_LEAST = 6


def source_noise(bands: Sequence[F32], brightness: F32, skin: F32) -> tuple[float, ...]:
    """Standard deviation of each band on surfaces without texture; zeros where there are none to measure.

    bands: (h, w) planes of ln Y. brightness: (h, w) ln Y. skin: (h, w) 0..1. Only blocks clear of skin and about
    as bright as it are looked at, for noise runs with brightness.
    """
    height, width = (n // BLOCK for n in skin.shape)
    chosen = skin > 0.5
    if height * width < _LEAST or not chosen.any():
        return (0.0,) * len(bands)
    low, high = np.percentile(brightness[chosen], [5, 95])
    level = _means(brightness)
    usable = (_means(skin) < 0.02) & (level > low - 0.7) & (level < high + 0.7)
    energies = [_means(np.square(band)) for band in bands]
    # Blocks without any contrast are letterbox bars and clipped whites, which a camera's noise does not reach.
    usable &= energies[0] > 0
    if usable.sum() < _LEAST:
        return (0.0,) * len(bands)
    order = np.argsort(np.sum(energies, axis=0)[usable], kind="stable")
    flat = order[: max(_LEAST // 2, int(FLATTEST * len(order)))]
    found = [float(np.sqrt(np.median(energy[usable][flat]))) for energy in energies]
    # Noise falls off from band to band; what rises again is the shape of things in the background.
    return tuple(np.minimum.accumulate(found).tolist())


def _means(plane: F32) -> F32:
    """Mean of each whole block."""
    rows, columns = (n // BLOCK for n in plane.shape)
    whole = np.ascontiguousarray(plane[: rows * BLOCK, : columns * BLOCK])
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
