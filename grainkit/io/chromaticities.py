"""Primaries by the coordinates that EXR states them with (CIE 1931 x, y of red, green, blue and white)."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from grainkit.color import Primaries

_D65 = (0.3127, 0.3290)
#: H.273, table 2.
_COORDINATES = MappingProxyType(
    {
        Primaries.BT709: (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65),
        Primaries.BT2020: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
        Primaries.SMPTE432: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
        Primaries.SMPTE431: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    }
)
#: How far files round them.
_ROUNDING = 0.001


def primaries_of(coordinates: Sequence[float]) -> Primaries | None:
    """The primaries that eight coordinates state; None for others, ACES among them."""
    for primaries, known in _COORDINATES.items():
        if all(abs(a - b) <= _ROUNDING for a, b in zip(coordinates, known, strict=True)):
            return primaries
    return None


def coordinates_of(primaries: Primaries) -> tuple[float, ...] | None:
    """The eight coordinates of primaries, None where EXR's own default (BT.709) or nothing fits."""
    return None if primaries is Primaries.BT709 else _COORDINATES.get(primaries)
