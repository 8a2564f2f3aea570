"""What light a signal stands for on a display: the transfer characteristics of H.273, one function each way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from grainkit.picture.color import Transfer

F64 = npt.NDArray[np.float64]

#: SMPTE ST 2084: m1, m2, c1, c2, c3.
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
#: ARIB STD-B67 (BT.2100, HLG): a, b, c.
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
#: Diffuse white in HDR by BT.2408: 203 cd/m2 of PQ's 10000, and 75 % of HLG's signal.
_PQ_WHITE, _HLG_WHITE = 203 / 10000, 0.75
#: Pure powers: BT.470 System M and System B/G, and SMPTE ST 428-1 (less its constant of 52.37/48).
_POWERS = {Transfer.GAMMA22: 2.2, Transfer.GAMMA28: 2.8, Transfer.SMPTE428: 2.6, Transfer.LINEAR: 1.0}
#: Decades that the logarithmic curves of H.273 reach down.
_DECADES = {Transfer.LOG: 2.0, Transfer.LOG_SQRT: 2.5}
#: The power of displays that camera curves (BT.709, BT.601, BT.2020, SMPTE 240M, ...) are graded on: BT.1886, black 0.
DISPLAY_POWER = 2.4


def power_of(transfer: Transfer) -> float:
    """The exponent of a transfer that is a pure power on a display; 0 of the others."""
    if transfer in (Transfer.SRGB, Transfer.PQ, Transfer.HLG) or transfer in _DECADES:
        return 0.0
    return _POWERS.get(transfer, DISPLAY_POWER)


def linear_of(transfer: Transfer, signal: npt.ArrayLike) -> F64:
    """Light, 1 at the signal's full scale, of a signal 0..1. Of HLG scene light, without the display's gamma."""
    v = np.asarray(signal, np.float64)
    if transfer is Transfer.SRGB:  # IEC 61966-2-1
        return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    if transfer is Transfer.PQ:
        root = v ** (1 / _M2)
        return np.asarray((np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1), np.float64)
    if transfer is Transfer.HLG:
        return np.where(v <= 0.5, v * v / 3, (np.exp((v - _C) / _A) + _B) / 12)
    if transfer in _DECADES:
        return np.where(v > 0, 10.0 ** (_DECADES[transfer] * (v - 1)), 0.0)
    return np.asarray(v ** power_of(transfer), np.float64)


def beside_white(transfer: Transfer, srgb: npt.ArrayLike) -> F64:
    """The signal of sRGB code values 0..1 (a colour named by a user) in a picture of this transfer.

    Signals that are made to be seen on a display take the code values as they are, as browsers composite. Linear
    light takes the light, and HDR the light below its diffuse white.
    """
    v = np.asarray(srgb, np.float64)
    if transfer is Transfer.LINEAR:
        return linear_of(Transfer.SRGB, v)
    if transfer is Transfer.PQ:
        light = (linear_of(Transfer.SRGB, v) * _PQ_WHITE) ** _M1
        return np.where(v > 0, ((_C1 + _C2 * light) / (1 + _C3 * light)) ** _M2, 0.0)
    if transfer is Transfer.HLG:
        light = linear_of(Transfer.SRGB, v) * linear_of(Transfer.HLG, _HLG_WHITE)
        return np.where(light <= 1 / 12, np.sqrt(3 * light), _A * np.log(np.maximum(12 * light - _B, 1e-9)) + _C)
    return v
