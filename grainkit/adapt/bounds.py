"""What adapting may change of a recipe's effects, and how far."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from grainkit.adapt.shoulder_search import Room
from grainkit.adapt.trial import Effects
from grainkit.effects.grain.parameters import NO_FILM, CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.recipe.targets import Adapt

#: Settings of a clip that are nearer than this are the same: of strength and size, and of white.
ALIKE, _NEAR = 0.1, 0.5 / 255
#: Weakest grain, of the recipe's own, wherever the bounds would let it vanish.
_LEAST = 0.05


@dataclass(frozen=True)
class Settings:
    """What the loop may change."""

    strength: float
    size: float
    knee: float
    ceiling: float
    patches: int = 0
    carrier: str = "animated"

    @staticmethod
    def of(effects: Effects) -> Settings:
        """What these effects have; sizes in mm are left alone and read as they are."""
        grain, guard = grain_of(effects), guard_of(effects)
        return Settings(grain.strength, grain.size, guard.knee, guard.ceiling, guard.patches, grain.carrier)

    def over(self, effects: Effects) -> Effects:
        """`effects` with these settings."""
        return {
            **effects,
            "highlight_guard": replace(guard_of(effects), knee=self.knee, ceiling=self.ceiling, patches=self.patches),
            "cinema_grain": replace(grain_of(effects), strength=self.strength, size=self.size, carrier=self.carrier),
        }

    def as_mapping(self) -> dict[str, float | str]:
        """Values by the name they have in a recipe."""
        return {
            "cinema_grain.carrier": self.carrier,
            "cinema_grain.strength": self.strength, "cinema_grain.size": self.size,
            "highlight_guard.knee": self.knee, "highlight_guard.ceiling": self.ceiling,
            "highlight_guard.patches": self.patches,
        }  # fmt: skip

    def is_like(self, other: Settings) -> bool:
        """Whether nobody could tell a clip with the one from a clip with the other."""
        return (
            self.carrier == other.carrier
            and abs(self.strength - other.strength) <= ALIKE * other.strength
            and abs(self.size - other.size) <= ALIKE * other.size
            and abs(self.knee - other.knee) <= _NEAR
            and abs(self.ceiling - other.ceiling) <= _NEAR
        )


@dataclass(frozen=True)
class Range:
    """Strengths of grain that the loop may choose from; both ends are the same where it is fixed."""

    weakest: float
    strongest: float


@dataclass(frozen=True)
class Limits:
    """Between what the loop may move. grain: strengths by carrier; locked is in it where grain may be locked."""

    grain: Mapping[str, Range]
    coarsest: float
    room: Room
    can_resize: bool
    can_patch: bool

    @staticmethod
    def of(effects: Effects, bounds: Adapt, fixed: Collection[str], kind: str) -> Limits:
        grain, guard = grain_of(effects), guard_of(effects)
        holds = grain.strength == 0.0 or "cinema_grain.strength" in fixed
        top = CinemaGrain.declared()["strength"][1].high, CinemaGrain.declared()["size"][1].high
        weaker = max(bounds.weaker, _LEAST)
        own = Range(grain.strength, grain.strength)
        if not holds:
            own = Range(grain.strength * weaker, min(grain.strength * bounds.stronger, top[0]))
        ranges = {grain.carrier: own}
        if kind == "clip" and bounds.locked > 0.0 and not holds:
            if grain.carrier == "animated" and "cinema_grain.carrier" not in fixed:
                ranges["locked"] = Range(bounds.locked * weaker, bounds.locked)
            elif grain.carrier == "locked":
                ranges["locked"] = replace(own, strongest=max(bounds.locked, grain.strength))
        return Limits(
            grain=ranges,
            coarsest=min(rounded(grain.size * bounds.coarser), top[1]),
            room=Room(
                least_knee=max(guard.knee - bounds.lower, HighlightGuard.declared()["knee"][1].low),
                least_ceiling=max(guard.ceiling - bounds.lower, HighlightGuard.declared()["ceiling"][1].low),
                can_bend=guard.strength > 0.0 and "highlight_guard.knee" not in fixed,
                can_lower=guard.strength > 0.0 and "highlight_guard.ceiling" not in fixed,
            ),
            can_resize=not ({"cinema_grain.size", "cinema_grain.size_mm"} & set(fixed)) and grain.size_mm == 0.0
            and grain.film == NO_FILM and grain.strength > 0.0,
            can_patch=guard.strength > 0.0 and "highlight_guard.patches" not in fixed,
        )  # fmt: skip

    def weakened(self, settings: Settings) -> Limits:
        """The same with nothing stronger than these settings, which were too strong."""
        return replace(self, grain={**self.grain, settings.carrier: replace(
            self.grain[settings.carrier], strongest=settings.strength
        )})  # fmt: skip


def rounded(value: float) -> float:
    """Four digits are enough for a recipe that is read."""
    return round(value, 4)


def grain_of(effects: Effects) -> CinemaGrain:
    grain = effects["cinema_grain"]
    assert isinstance(grain, CinemaGrain)
    return grain


def guard_of(effects: Effects) -> HighlightGuard:
    guard = effects["highlight_guard"]
    assert isinstance(guard, HighlightGuard)
    return guard
