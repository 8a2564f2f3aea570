"""Where the shoulder of a clip's highlights may lie: as low as codecs overshoot, as high as the light asks.

The light that a shoulder takes is known before anything is encoded, so what it leaves room for is found at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from grainkit.effects.highlights.parameters import HighlightGuard

#: White is this many times as far above the knee as above the ceiling, at least where a loop moves them.
RUN = 3.0
#: Between knee and ceiling there is at least this much, of white.
SHOULDER = 0.02
#: Steps of ceiling and knee that are looked at, of white.
_STEP = 1 / 510


@dataclass(frozen=True)
class Room:
    """How far the knee and the ceiling may move; least_knee and least_ceiling are of white."""

    least_knee: float
    least_ceiling: float
    can_bend: bool
    can_lower: bool


def fitted(
    guard: HighlightGuard, ceiling: float, room: Room, given_up: Callable[[HighlightGuard], float | None], light: float
) -> HighlightGuard:
    """`guard` with the ceiling that is wanted, or as near above it as `light` allows; the guard where nothing may move.

    ceiling: of white. given_up: mean luma that a guard takes from highlights, codes of 255, or None where nothing is
    known. light: how much of that may be. Where light is short, the knee rises first, up to where the shoulder would
    be flat at its top and colours pale; it falls where a lower ceiling needs that.
    """
    least = None
    for candidate in _candidates(guard, ceiling, room):
        lost = given_up(candidate)
        if lost is None or lost <= light:
            return candidate
        if least is None or lost < least[0]:
            least = lost, candidate
    return guard if least is None else least[1]


def _candidates(guard: HighlightGuard, ceiling: float, room: Room) -> Iterator[HighlightGuard]:
    """Shoulders from that with the most room for a codec to that which takes the least light."""
    flattest = 1 - (1 - (room.least_knee if room.can_bend else guard.knee)) / RUN
    lowest = max(ceiling, room.least_ceiling, flattest) if room.can_lower else guard.ceiling
    highest = max(1 - RUN * _STEP, lowest) if room.can_lower else guard.ceiling
    for step in range(int((highest - lowest) / _STEP) + 1):
        top = lowest + step * _STEP
        steepest = min(1 - RUN * (1 - top), top - SHOULDER)
        knee = min(guard.knee, max(steepest, room.least_knee)) if room.can_bend else guard.knee
        knees = [knee]
        while room.can_bend and knees[-1] + _STEP <= steepest:
            knees.append(knees[-1] + _STEP)
        for each in knees:
            if each <= top - SHOULDER + 1e-9:
                yield replace(guard, knee=round(each, 4), ceiling=round(top, 4))
