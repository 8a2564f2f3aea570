"""The steps of adapting: what to try first, and what to try after a round that missed something."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from grainkit.adapt.bounds import ALIKE, Limits, Settings, rounded
from grainkit.adapt.rounds import Miss, Round
from grainkit.adapt.shoulder_search import RUN, SHOULDER, Room, fitted
from grainkit.adapt.trial import Outcome, Trial
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.recipe.recipe import Recipe
from grainkit.recipe.targets import Targets

#: Survival that the first settings aim at above the target, because the prediction errs by about this much.
MARGIN = 0.05
#: Least share of the target that must be predicted of locked grain for it to be laid: so little is under-predicted.
#: 0.16 of the pattern were predicted on two clips of people at CRF 30, 0.18 and 0.27 measured; nothing of 0.05.
_WORTH = 0.2
#: Strengths that prediction chooses from, from the weakest allowed to the strongest.
_CHOICES = 25
#: One correction: grain this much stronger (more, up to a limit, where bands are far from theirs), coarser or
#: weaker; the ceiling by this share of what decodes too bright and at least a code; the knee by this much of white.
_STRONGER, _AT_MOST, _COARSER, _WEAKER = 1.3, 1.8, 1.2, 0.8
_SHARE, _CODE, _KNEE = 0.8, 1 / 255, 0.02
#: Share of the light that may be given up which a correction aims at, and the power of what is left of it.
_INSIDE, _CAUTION = 0.97, 0.75
#: Overshoot that a lowered ceiling leaves of that of the untreated clip (measured 0.8 to 0.95), and codes below.
_OVERSHOOT, _BELOW = 0.95, 0.5


@dataclass(frozen=True)
class Steps:
    """What the steps of the loop share and do not change. recipe: of the kind that is adapted."""

    trial: Trial
    recipe: Recipe
    asked: Settings
    targets: Targets
    untreated: tuple[Outcome, ...]

    def predicted(self, settings: Settings) -> float | None:
        """The share of the grain's pattern that is to be left with these settings; None where nothing is known."""
        return self.trial.predicted(settings.over(self.recipe).effect(CinemaGrain))

    def first_guess(self, limits: Limits) -> tuple[Settings, float | None]:
        """The weakest grain that is predicted to be kept, and a ceiling below what decodes too bright.

        The recipe's own grain where there is no model, where nothing may move, and where none would be kept (it then
        dithers) nor may be locked.
        """
        settings, predicted = self.asked, self.predicted(self.asked)
        if predicted is not None:
            settings = self._kept(limits, limits.grain) or settings
            predicted = self.predicted(settings)
        guard = self.recipe.effect(HighlightGuard)
        if self.trial.given_up(guard) is None:
            return settings, predicted
        over = max((o.measures.p999 or 0.0) - self.targets.p999 for o in self.untreated)
        burns = over > 0 or any(
            (o.measures.highlights_share or 0.0) > self.targets.highlights_share for o in self.untreated
        )
        wanted = min(guard.ceiling, 1 - (_OVERSHOOT * over + _BELOW) / 255) if burns else guard.ceiling
        return self._shouldered(settings, wanted, limits, 1.0), predicted

    def _kept(self, limits: Limits, carriers: Collection[str]) -> Settings | None:
        """The weakest grain of the first of these carriers that is predicted to be kept, at its size or coarser.

        Where none is, the most that may be locked if that is worth it; None where it is not, or nothing may move.
        """
        sizes = [self.asked.size]
        while limits.can_resize and sizes[-1] < limits.coarsest:
            sizes.append(min(rounded(sizes[-1] * _COARSER), limits.coarsest))
        for carrier in carriers:
            ends = limits.grain[carrier]
            if ends.weakest == ends.strongest:
                continue
            choices = np.geomspace(ends.weakest, ends.strongest, _CHOICES)
            for size in sizes:
                each = [replace(self.asked, strength=rounded(float(s)), size=size, carrier=carrier) for s in choices]
                if self._lives(each[-1]):
                    return each[bisect_left(each, True, hi=len(each) - 1, key=self._lives)]
        if "locked" not in carriers:
            return None
        most = replace(self.asked, strength=limits.grain["locked"].strongest, size=sizes[-1], carrier="locked")
        predicted = self.predicted(most)
        return most if predicted is None or predicted >= _WORTH * self.targets.rho else None

    def _lives(self, settings: Settings) -> bool:
        """Whether grain is predicted to be kept; the stronger it is, the sooner."""
        return (self.predicted(settings) or 0.0) >= self.targets.rho + MARGIN

    def _shouldered(self, settings: Settings, ceiling: float, limits: Limits, share: float) -> Settings:
        """A clip's settings with this ceiling, as far as the light allows. share: of that which may be given up."""
        guard = replace(self.recipe.effect(HighlightGuard), knee=settings.knee, ceiling=settings.ceiling)
        light = _INSIDE * share * self.targets.luma_given_up
        found = fitted(guard, ceiling, limits.room, self.trial.given_up, light)
        return replace(settings, knee=found.knee, ceiling=found.ceiling)

    def corrected(self, settings: Settings, last: Round, limits: Limits) -> tuple[Settings, Limits]:
        """The next settings to try, the same where nothing is missed or nothing may move, and what was learnt."""
        misses = {miss.target: miss for miss in last.misses}
        given = max((o.measures.luma_given_up or 0.0 for o in last.outcomes), default=0.0)
        before = self.trial.given_up(settings.over(self.recipe).effect(HighlightGuard))
        if before is None:
            settings = _corrected_highlights(settings, misses, limits.room, given, self.targets.luma_given_up)
        else:
            settings = self._corrected_shoulder(settings, misses, limits, before / given if given > before else 1.0)
        return self._corrected_grain(settings, misses, limits)

    def _corrected_shoulder(
        self, settings: Settings, misses: dict[str, Miss], limits: Limits, share: float
    ) -> Settings:
        """Knee and ceiling for a clip's next try."""
        if "p999" in misses:
            wanted = settings.ceiling - (misses["p999"].value - misses["p999"].limit + _BELOW) / 255
        elif "highlights_share" in misses:
            wanted = settings.ceiling - _CODE
        elif "luma_given_up" in misses:
            wanted = settings.ceiling
        elif "hue_degrees" in misses:
            bent = max(settings.knee - _KNEE, limits.room.least_knee) if limits.room.can_bend else settings.knee
            return self._shouldered(replace(settings, knee=bent), settings.ceiling, limits, share)
        else:
            return settings
        return self._shouldered(settings, wanted, limits, share)

    def _corrected_grain(self, settings: Settings, misses: dict[str, Miss], limits: Limits) -> tuple[Settings, Limits]:
        ends = limits.grain[settings.carrier]
        is_lost = bool({"cambi", "rho", "dead"} & set(misses))
        locked = self._locked(settings, limits) if is_lost else None
        if {"bytes", "bits", "flicker"} & set(misses):
            # Too strong and too weak at once: nothing of this carrier will do.
            if locked is not None:
                return locked, limits
            coarser = min(rounded(settings.size * _COARSER), limits.coarsest)
            if limits.can_resize and coarser > settings.size and "flicker" not in misses:
                return replace(settings, size=coarser), limits.weakened(settings)
            weaker = max(rounded(settings.strength * self._weaker(misses)), ends.weakest)
            is_weakest = settings.strength - weaker <= ALIKE * settings.strength
            if is_weakest and settings.carrier != self.asked.carrier:
                return replace(
                    settings, strength=self.asked.strength, size=self.asked.size, carrier=self.asked.carrier
                ), limits
            return replace(settings, strength=weaker), limits.weakened(settings)
        if is_lost:
            if locked is not None and "rho" in misses and not self._is_kept(settings, limits):
                return locked, limits
            far = (misses["cambi"].value / misses["cambi"].limit) ** 0.5 if "cambi" in misses else 1.0
            stronger = min(rounded(settings.strength * min(max(far, _STRONGER), _AT_MOST)), ends.strongest)
            if stronger > settings.strength:
                return replace(settings, strength=stronger), limits
            coarser = min(rounded(settings.size * _COARSER), limits.coarsest)
            if limits.can_resize and coarser > settings.size:
                return replace(settings, size=coarser), limits
            if locked is not None:
                return locked, limits
        return settings, limits

    def _weaker(self, misses: dict[str, Miss]) -> float:
        """The share of the strength that keeps flicker within its limit, whose part of it goes with the square."""
        if "flicker" not in misses:
            return _WEAKER
        limit, value = misses["flicker"].limit, misses["flicker"].value
        own = limit / self.targets.flicker
        return _INSIDE * ((limit**2 - own**2) / (value**2 - own**2)) ** 0.5 if own < limit else _WEAKER

    def _is_kept(self, settings: Settings, limits: Limits) -> bool:
        """Whether the strongest and coarsest grain of this carrier may outlive the worst proxy."""
        size = limits.coarsest if limits.can_resize else settings.size
        most = replace(settings, strength=limits.grain[settings.carrier].strongest, size=size)
        predicted = self.predicted(most)
        return predicted is None or predicted >= self.targets.rho - MARGIN

    def _locked(self, settings: Settings, limits: Limits) -> Settings | None:
        """The same with locked grain instead; None where it may not be locked, is, or that is not worth it."""
        if "locked" not in limits.grain or settings.carrier == "locked":
            return None
        found = self._kept(limits, ["locked"])
        return None if found is None else replace(found, knee=settings.knee, ceiling=settings.ceiling)


def _corrected_highlights(
    settings: Settings, misses: dict[str, Miss], room: Room, given: float, limit: float
) -> Settings:
    """Knee and ceiling for a still's next try. given, limit: highlight luma given up, and how much may be, in codes.

    What is given up grows with the ceiling's distance from white, so the ceiling falls no further than the limit
    lets it, and rises where that is passed. The knee falls with it (and gives up some more, hence the power): a
    shoulder that rises by less than two thirds of its run is flat at its top, and its colours are pale.
    """
    knee, ceiling = settings.knee, settings.ceiling
    share = (_INSIDE * limit / given) ** _CAUTION if given > 0 else math.inf
    flattest = 1 - (1 - (room.least_knee if room.can_bend else knee)) / RUN
    lowest = max(1 - (1 - ceiling) * share, room.least_ceiling, flattest)
    if given > limit:
        move = max(lowest - ceiling, 0.0)
    elif {"highlights_share", "p999"} & set(misses):
        above = misses["p999"].value - misses["p999"].limit if "p999" in misses else 0.0
        move = -min(max(_CODE, _SHARE * above / 255), max(ceiling - lowest, 0.0))
    else:
        move = 0.0
    if room.can_lower:
        ceiling += move
    if room.can_bend:
        bend = _KNEE if move == 0.0 and "hue_degrees" in misses else 0.0
        wanted = min(knee - bend, 1 - RUN * (1 - ceiling)) if move <= 0.0 else knee
        knee = min(max(wanted, room.least_knee), ceiling - SHOULDER)
    return replace(settings, knee=rounded(knee), ceiling=rounded(max(ceiling, knee + SHOULDER)))
