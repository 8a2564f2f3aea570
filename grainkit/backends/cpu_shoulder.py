"""The highlight shoulder on the CPU, on one sample in float32. Twin of kernels/shoulder.cuh."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from grainkit.backends.tables import PassTables
from grainkit.machine.jit import uncounted

F32 = np.float32

_TINY = F32(1e-6)

_jit = uncounted()


class Rolloff(NamedTuple):
    """effects.highlight_guard.Shoulder as compiled code takes it, normalised."""

    knee: np.float32
    curvature: np.float32
    strength: np.float32


class Channels(NamedTuple):
    """What normalised Cb and Cr add to Y' in R', G' and B'."""

    r_cr: np.float32
    g_cb: np.float32
    g_cr: np.float32
    b_cb: np.float32


@_jit
def roll(n: np.float32, shoulder: Rolloff) -> np.float32:
    """Twin of Shoulder.roll in float32, by adds, multiplies, one division and one root."""
    d = F32(min(max(n, shoulder.knee), F32(1.0)) - shoulder.knee)
    rolled = F32(shoulder.knee + F32(d / F32(np.sqrt(F32(F32(1.0) + F32(shoulder.curvature * F32(d * d)))))))
    return F32(n + F32(shoulder.strength * F32(rolled - n))) if n > shoulder.knee else n


@_jit
def slope(y: np.float32, largest: np.float32, shoulder: Rolloff) -> np.float32:
    """What chroma is scaled by: the shoulder's slope between luma and the largest channel."""
    if largest <= shoulder.knee or largest - y < _TINY:
        return F32(1.0)
    rise = F32(roll(largest, shoulder) - roll(y, shoulder))
    return F32(rise / F32(largest - y))


@_jit
def largest_channel(y: np.float32, cb: np.float32, cr: np.float32, c: Channels) -> np.float32:
    """Give max(R', G', B') of normalised Y', Cb, Cr."""
    return F32(y + max(max(F32(c.r_cr * cr), F32(c.b_cb * cb)), F32(F32(c.g_cb * cb) + F32(c.g_cr * cr))))


def rolloff_of(tables: PassTables) -> Rolloff:
    """Take the shoulder from the tables."""
    s = tables.shoulder
    return Rolloff(F32(s.knee), F32(s.curvature), F32(s.strength))


def channels_of(tables: PassTables) -> Channels:
    """Work the factors out of the luma weights of the source."""
    kr, kg, kb = tables.source.luma_weights()
    return Channels(F32(2 * (1 - kr)), F32(-2 * kb * (1 - kb) / kg), F32(-2 * kr * (1 - kr) / kg), F32(2 * (1 - kb)))
