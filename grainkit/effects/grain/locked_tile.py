"""The grain that locked grain is looked up in: a square of band-limited noise that joins itself at its edges."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from grainkit.machine.jit import njit
from grainkit.picture.noise import gaussian_taps, pcg4d, stream_key, white

U32 = npt.NDArray[np.uint32]
I32 = npt.NDArray[np.int32]

#: Side of the tile, texels, a power of two.
SIDE = 2048
#: Gaussian sigma of the grain in texels: enough of them for bilinear reading to keep its contrast between two.
SIGMA = 2.0
#: The wider Gaussian that is taken off it, in sigmas. What is left has no mean over places and half the mottle.
WIDE = 2.5
#: Standard deviation of what is read; stored values are clamped at four of it.
STD = 31
#: The stream of `noise.stream_key` that it is drawn from; planes of grain have 0 to 2, seeds of metadata 3.
_STREAM = 4

_jit = njit(cache=True, nogil=True, error_model="numpy")


@lru_cache(maxsize=1)
def grain_tile(seed: int) -> U32:
    """(SIDE * SIDE) uint32 of grain whose deviation is STD where it is read between texels (bilinear).

    A word holds the int8 texels at (y, x), (y, x + 1), (y + 1, x), (y + 1, x + 1), lowest byte first: all of a reading.
    """
    drawn = np.empty((SIDE, SIDE), np.int32)
    _draw(stream_key(seed, _STREAM, 0), drawn)
    narrow, wide = (gaussian_taps(sigma).astype(np.int32) for sigma in (SIGMA, WIDE * SIGMA))
    sums = [float(2 * taps.sum() - taps[0]) for taps in (narrow, wide)]
    grain = _filtered(drawn, narrow) - (sums[0] / sums[1]) ** 2 * _filtered(drawn, wide)
    # Read between texels, at any place as likely as at any other, it is a little weaker than at them.
    read = sum(
        weight * float((grain * np.roll(grain, lag, (0, 1))).mean())
        for weight, lag in ((4 / 9, (0, 0)), (2 / 9, (0, 1)), (2 / 9, (1, 0)), (1 / 9, (1, 1)))
    )
    grain *= STD / read**0.5
    texels = np.clip(np.rint(grain), 1 - 4 * STD, 4 * STD - 1).astype(np.int8).view(np.uint8)
    quads = [np.roll(texels, shift, (0, 1)) for shift in ((0, 0), (0, -1), (-1, 0), (-1, -1))]
    return np.ascontiguousarray(np.stack(quads, axis=-1)).view("<u4").astype(np.uint32).ravel()


@_jit
def _draw(key: np.uint32, out: I32) -> None:
    for y in range(out.shape[0]):
        for x in range(0, out.shape[1], 4):
            words = pcg4d(np.uint32(x), np.uint32(y), np.uint32(0), key)
            for n in range(4):
                out[y, x + n] = white(np.uint8(words[n]))


def _filtered(drawn: I32, taps: I32) -> npt.NDArray[np.float64]:
    return np.asarray(_along_rows(_along_rows(drawn, taps).T.copy(), taps).T, np.float64)


@_jit
def _along_rows(plane: I32, taps: I32) -> I32:
    height, width = plane.shape
    reach = taps.shape[0] - 1
    out = np.zeros_like(plane)
    line = np.empty(width + 2 * reach, np.int32)
    for y in range(height):
        for x in range(width + 2 * reach):
            line[x] = plane[y, (x - reach) % width]
        for x in range(width):
            out[y, x] = taps[0] * line[x + reach]
        for k in range(1, reach + 1):
            for x in range(width):
                out[y, x] += taps[k] * (line[x + reach - k] + line[x + reach + k])
    return out
