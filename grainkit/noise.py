"""The integer noise that grain and dither are drawn from, and the filter that gives it a size.

Counter based: a sample is a function of (seed, plane, octave, frame, y, x) alone, so any frame, any
strip and any machine draw the same bits. numba twin of kernels/noise.cuh: same names, same order
of operations. Every step is truncated to 32 bits: numba promotes uint32 * uint32 to uint64, and
without truncation the hash is weak and no GPU would agree with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_MUL = np.uint32(1664525)
_ADD = np.uint32(1013904223)
_16 = np.uint32(16)
_8 = np.uint32(8)
_LOW = np.uint32(0x00FF00FF)
_HALF = np.uint32(0xFFFF)

#: Mean of the sum of four uniform bytes.
BYTE_SUM_MEAN = 510
#: Standard deviation of the sum of four uniform bytes: sqrt(4 (256^2 - 1) / 12).
BYTE_SUM_STD = float(np.sqrt(4 * (256**2 - 1) / 12))


@njit(cache=True, inline="always", nogil=True)  # type: ignore[untyped-decorator]
def pcg4d(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Jarzynski & Olano, JCGT 9(3) 2020, `pcg4d`: four uint32 mixed jointly into four uint32."""
    a = np.uint32(np.uint32(a * _MUL) + _ADD)
    b = np.uint32(np.uint32(b * _MUL) + _ADD)
    c = np.uint32(np.uint32(c * _MUL) + _ADD)
    d = np.uint32(np.uint32(d * _MUL) + _ADD)
    a = np.uint32(a + np.uint32(b * d))
    b = np.uint32(b + np.uint32(c * a))
    c = np.uint32(c + np.uint32(a * b))
    d = np.uint32(d + np.uint32(b * c))
    a = np.uint32(a ^ np.uint32(a >> _16))
    b = np.uint32(b ^ np.uint32(b >> _16))
    c = np.uint32(c ^ np.uint32(c >> _16))
    d = np.uint32(d ^ np.uint32(d >> _16))
    a = np.uint32(a + np.uint32(b * d))
    b = np.uint32(b + np.uint32(c * a))
    c = np.uint32(c + np.uint32(a * b))
    d = np.uint32(d + np.uint32(b * c))
    return a, b, c, d


@njit(cache=True, inline="always", nogil=True)  # type: ignore[untyped-decorator]
def byte_sum(word: Any) -> Any:
    """Sum of the four bytes of a uint32 less its mean, int32 in -510..510: near enough normal before filtering."""
    pairs = np.uint32(np.uint32(word & _LOW) + np.uint32(np.uint32(word >> _8) & _LOW))
    return np.int32(np.int32(np.uint32(pairs & _HALF) + np.uint32(pairs >> _16)) - np.int32(510))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _stream_key(seed: int, plane: int, octave: int) -> int:
    return pcg4d(np.uint32(seed), np.uint32(plane), np.uint32(octave), np.uint32(0x67726E6B))[3]


def stream_key(seed: int, plane: int, octave: int) -> np.uint32:
    """The fourth counter word of one noise stream; streams of different planes and octaves are unrelated."""
    return np.uint32(_stream_key(np.uint32(seed), np.uint32(plane), np.uint32(octave)))
