"""Adapting a recipe to the codec that will follow: predict, try on a sample, measure, correct.

The first settings come from prediction: the weakest grain that the worst proxy is to keep, or, where none would
be kept, the recipe's own, which then only dithers. A clip whose recipe allows it gets locked grain where animated
grain would be lost, and its ceiling starts as far below white as the untreated clip decodes above it. For VP9 and
AV1 there is no prediction: the recipe's own is tried, and what is left of it shows whether grain is to be kept. Each
round tries its settings on the sample through every proxy, and the worst proxy decides: grain grows where bands show
or too little of it is left, gets coarser and then weaker where it costs too much, changes its carrier where its
bounds are at an end, and the highlights' ceiling falls by what decodes above it, as far as the light that may be
given up allows. In stills highlights are patched in every try (codec/patches.py), and the ceiling falls only for
what that leaves. What was tried and measured best is what the recipe becomes; the run itself knows nothing of this.

It is a function of (recipe, sample): the same twice is the same.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from grainkit.codec.measures import Measures
from grainkit.codec.patches import Patches
from grainkit.codec.proxies import label, suits
from grainkit.codec.shoulder import RUN, SHOULDER, Room, fitted
from grainkit.codec.trial import Effects, Outcome, Trial
from grainkit.effects.cinema_grain import NO_FILM, CinemaGrain
from grainkit.effects.highlight_guard import HighlightGuard
from grainkit.recipe import Recipe
from grainkit.targets import Adapt, Proxy, Targets

#: Survival that the first settings aim at above the target, because the prediction errs by about this much.
_MARGIN = 0.05
#: Least share of the target that must be predicted of locked grain for it to be laid: it is then under-predicted.
_WORTH = 0.3
#: Strengths that prediction chooses from, from the weakest allowed to the strongest.
_CHOICES = 25
#: One correction: grain this much stronger (more, up to a limit, where bands are far from theirs), coarser or
#: weaker; the ceiling by this share of what decodes too bright and at least a code; the knee by this much of white.
_STRONGER, _AT_MOST, _COARSER, _WEAKER = 1.3, 1.8, 1.2, 0.8
_SHARE, _CODE, _KNEE = 0.8, 1 / 255, 0.02
#: How much more than another miss it counts that highlights are darker than they may be.
_LIGHT = 4.0
#: Share of the light that may be given up which a correction aims at, and the power of what is left of it.
_INSIDE, _CAUTION = 0.97, 0.75
#: On a clip, whose rounds take minutes, a correction that leaves more than this of what was missed is the last.
_GAIN = 0.98
#: Weakest grain, of the recipe's own, wherever the bounds would let it vanish.
_LEAST = 0.05
#: Overshoot that a lowered ceiling leaves of that of the untreated clip (measured 0.8 to 0.95), and codes below.
_OVERSHOOT, _BELOW = 0.95, 0.5
#: Settings of a clip that are nearer than this are the same: of strength and size, and of white.
_ALIKE, _NEAR = 0.1, 0.5 / 255
#: Untreated banding above this cannot be asked to vanish: half of it is the limit then.
_MUCH_BANDING = 4.0


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
        grain, guard = _grain(effects), _guard(effects)
        return Settings(grain.strength, grain.size, guard.knee, guard.ceiling, guard.patches, grain.carrier)

    def over(self, effects: Effects) -> dict[str, Any]:
        """`effects` with these settings."""
        return {
            **effects,
            "highlight_guard": replace(_guard(effects), knee=self.knee, ceiling=self.ceiling, patches=self.patches),
            "cinema_grain": replace(_grain(effects), strength=self.strength, size=self.size, carrier=self.carrier),
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
            and abs(self.strength - other.strength) <= _ALIKE * other.strength
            and abs(self.size - other.size) <= _ALIKE * other.size
            and abs(self.knee - other.knee) <= _NEAR
            and abs(self.ceiling - other.ceiling) <= _NEAR
        )


@dataclass(frozen=True)
class Miss:
    """A target that an outcome does not keep: what was measured, the limit, and how far beyond it, of the limit."""

    target: str
    value: float
    limit: float
    excess: float
    proxy: str


@dataclass(frozen=True)
class Round:
    """One try: settings, what each proxy made of them, what was missed, and the highlight patches that were found."""

    settings: Settings
    predicted: float | None
    outcomes: tuple[Outcome, ...]
    misses: tuple[Miss, ...]
    patches: Patches | None = None

    @property
    def badness(self) -> float:
        """Sum of what was missed, each as a share of its limit; light weighs more, because everybody sees that."""
        return sum(miss.excess * (_LIGHT if miss.target == "luma_given_up" else 1.0) for miss in self.misses)


@dataclass(frozen=True)
class Adapted:
    """What came of it.

    recipe: the one given, with the chosen settings for its kind, and not to be adapted again.
    untreated: outcomes without any effect. rounds: in order; chosen: number of the best, from 0.
    """

    recipe: Recipe
    asked: Settings
    untreated: tuple[Outcome, ...]
    rounds: tuple[Round, ...]
    chosen: int

    @property
    def patches(self) -> Patches | None:
        """The highlight patches that belong to the recipe; None where it asks for none."""
        return self.rounds[self.chosen].patches

    def note(self) -> str:
        """What was changed and what is still missed, in a sentence."""
        best = self.rounds[self.chosen]
        named = ", ".join(label(outcome.proxy) for outcome in best.outcomes)
        asked, found = self.asked.as_mapping(), best.settings.as_mapping()
        changes = [f"{n} {_short(asked[n])} to {_short(found[n])}" for n in asked if asked[n] != found[n]]
        told = f"adapted to {named}: {', '.join(changes) or 'nothing to change'}"
        misses = [f"{m.target} {m.value:.3g} (limit {m.limit:.3g}) after {m.proxy}" for m in best.misses]
        return f"{told}; {'missed: ' + ', '.join(misses) if misses else 'every target met'}"

    def as_mapping(self) -> dict[str, Any]:
        """All numbers, for the sidecar."""
        return {
            "asked": self.asked.as_mapping(),
            "untreated": [_told(outcome) for outcome in self.untreated],
            "rounds": [
                {
                    "settings": each.settings.as_mapping(),
                    "predicted_rho": None if each.predicted is None else round(each.predicted, 3),
                    **({} if each.patches is None else {"patches": each.patches.as_mapping()}),
                    "after": [_told(outcome) for outcome in each.outcomes],
                    "missed": [
                        f"{m.target} {m.value:.4g}, limit {m.limit:.4g}, after {m.proxy}" for m in each.misses
                    ],
                }
                for each in self.rounds
            ],
            "chosen": self.chosen + 1,
        }  # fmt: skip


def proxies_of(recipe: Recipe, kind: str) -> tuple[Proxy, ...]:
    """The recipe's proxies for a `still` or a `clip`."""
    return tuple(proxy for proxy in recipe.proxies if suits(proxy, kind))


def adapt(recipe: Recipe, kind: str, trial: Trial, fixed: Collection[str] = ()) -> Adapted:
    """`recipe` with grain and highlights adapted to what the trial's proxies leave of them.

    kind: still or clip. fixed: parameters that stay as they are, such as 'cinema_grain.strength'.
    """
    effects = recipe.for_kind(kind).effects
    asked = Settings.of(effects)
    limits = _Limits.of(effects, recipe.adapt, fixed, kind)
    untreated = trial.untreated()
    loop = _Loop(trial, effects, asked, recipe.targets, untreated)
    settings, predicted = loop.first_guess(limits)
    if kind == "still" and limits.can_patch:
        settings = replace(settings, patches=recipe.adapt.rounds)
    rounds: list[Round] = []
    for _ in range(recipe.adapt.rounds):
        tried = trial.tried(settings.over(effects))
        if not rounds:
            # Locked grain is meant to be kept, and so is what may be locked unless even that was predicted to go.
            may_lock = "locked" in limits.grain and (predicted is None or settings.carrier == "locked")
            kept = may_lock or _reachable(predicted, tried.outcomes, recipe.targets)
        misses = missed(tried.outcomes, untreated, recipe.targets, kept=kept and settings.strength > 0)
        used = settings
        if limits.can_patch:
            used = replace(settings, patches=0 if tried.patches is None else tried.patches.rounds)
        rounds.append(Round(used, predicted, tried.outcomes, misses, tried.patches))
        if kind == "clip" and len(rounds) > 1 and rounds[-1].badness > _GAIN * min(r.badness for r in rounds[:-1]):
            break
        changed, limits = loop.corrected(settings, rounds[-1], limits)
        if any(_are_same(changed, each.settings, kind) for each in (Round(settings, None, (), ()), *rounds)):
            break
        settings = changed
        predicted = loop.predicted(settings)
    chosen = min(range(len(rounds)), key=lambda at: (rounds[at].badness, at))
    found = rounds[chosen].settings
    own = dict(getattr(recipe, kind))
    for name, value in found.as_mapping().items():
        effect, parameter = name.split(".")
        if value != asked.as_mapping()[name]:
            own[effect] = {**own.get(effect, {}), parameter: value}
    # A sidecar's recipe gives the same bits again, so it says what was found and not that it be looked for.
    if kind == "still":
        done = replace(recipe, still=own, adapt=replace(recipe.adapt, still=False))
    else:
        done = replace(recipe, clip=own, adapt=replace(recipe.adapt, clip=False))
    return Adapted(done, asked, untreated, tuple(rounds), chosen)


def _reachable(predicted: float | None, outcomes: Sequence[Outcome], targets: Targets) -> bool:
    """Whether grain can outlive the worst proxy: as predicted, or without a model as the first try shows."""
    if predicted is not None:
        return predicted >= targets.rho - 2 * _MARGIN
    found = [o.measures.rho for o in outcomes if o.measures.rho is not None]
    return not found or min(found) >= targets.rho / 2


def missed(
    outcomes: Sequence[Outcome], untreated: Sequence[Outcome], targets: Targets, *, kept: bool
) -> tuple[Miss, ...]:
    """Targets not kept, the worst proxy of each.

    kept: whether grain is meant to outlive the codec; where it only dithers, its pattern may go.
    """
    found: dict[str, Miss] = {}
    for outcome, plain in zip(outcomes, untreated, strict=True):
        for name, value, limit in _held_against(outcome, plain.measures, targets, kept):
            if value is None:
                continue
            beyond = limit - value if name == "rho" else value - limit
            if beyond <= 0:
                continue
            miss = Miss(name, value, limit, beyond / max(limit, 1e-9), label(outcome.proxy))
            if name not in found or miss.excess > found[name].excess:
                found[name] = miss
    return tuple(found.values())


def _held_against(
    outcome: Outcome, plain: Measures, targets: Targets, kept: bool
) -> list[tuple[str, float | None, float]]:
    got = outcome.measures
    banding = plain.cambi if plain.cambi is not None else 0.0
    # What the input has lost already, this cannot bring back.
    still = outcome.proxy.codec == "jpeg"
    return [
        ("highlights_share", got.highlights_share, targets.highlights_share),
        ("p999", got.p999, targets.p999),
        ("hue_degrees", got.hue_degrees, max(targets.hue_degrees, plain.hue_degrees or 0.0)),
        ("luma_given_up", got.luma_given_up, targets.luma_given_up),
        ("cambi", got.cambi, banding / 2 if banding > _MUCH_BANDING else targets.cambi),
        ("rho", got.rho if kept else None, targets.rho),
        ("dead", got.dead if kept else None, max(targets.dead, plain.dead or 0.0)),
        ("pulse", got.pulse if kept else None, max(targets.pulse, plain.pulse or 0.0)),
        ("flicker", got.flicker, targets.flicker * (plain.flicker or 0.0)),
        ("bytes" if still else "bits", outcome.growth, targets.bytes if still else targets.bits),
    ]


def _are_same(one: Settings, other: Settings, kind: str) -> bool:
    """Whether trying one after the other would show nothing new; patches are found and not asked for."""
    return one.is_like(other) if kind == "clip" else replace(one, patches=other.patches) == other


@dataclass(frozen=True)
class _Range:
    """Strengths of grain that the loop may choose from; both ends are the same where it is fixed."""

    weakest: float
    strongest: float


@dataclass(frozen=True)
class _Limits:
    """Between what the loop may move. grain: strengths by carrier; locked is in it where grain may be locked."""

    grain: Mapping[str, _Range]
    coarsest: float
    room: Room
    can_resize: bool
    can_patch: bool

    @staticmethod
    def of(effects: Effects, bounds: Adapt, fixed: Collection[str], kind: str) -> _Limits:
        grain, guard = _grain(effects), _guard(effects)
        holds = grain.strength == 0.0 or "cinema_grain.strength" in fixed
        top = CinemaGrain.declared()["strength"][1].high, CinemaGrain.declared()["size"][1].high
        weaker = max(bounds.weaker, _LEAST)
        own = _Range(grain.strength, grain.strength)
        if not holds:
            own = _Range(grain.strength * weaker, min(grain.strength * bounds.stronger, top[0]))
        ranges = {grain.carrier: own}
        if kind == "clip" and bounds.locked > 0.0 and not holds:
            if grain.carrier == "animated" and "cinema_grain.carrier" not in fixed:
                ranges["locked"] = _Range(bounds.locked * weaker, bounds.locked)
            elif grain.carrier == "locked":
                ranges["locked"] = replace(own, strongest=max(bounds.locked, grain.strength))
        return _Limits(
            grain=ranges,
            coarsest=min(_rounded(grain.size * bounds.coarser), top[1]),
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

    def weakened(self, settings: Settings) -> _Limits:
        """The same with nothing stronger than these settings, which were too strong."""
        return replace(self, grain={**self.grain, settings.carrier: replace(
            self.grain[settings.carrier], strongest=settings.strength
        )})  # fmt: skip


@dataclass(frozen=True)
class _Loop:
    """What the steps of the loop share and do not change."""

    trial: Trial
    effects: Effects
    asked: Settings
    targets: Targets
    untreated: tuple[Outcome, ...]

    def predicted(self, settings: Settings) -> float | None:
        return self.trial.predicted(_grain(settings.over(self.effects)))

    def first_guess(self, limits: _Limits) -> tuple[Settings, float | None]:
        """The weakest grain that is predicted to be kept, and a ceiling below what decodes too bright.

        The recipe's own grain where there is no model, where nothing may move, and where none would be kept (it then
        dithers) nor may be locked.
        """
        settings, predicted = self.asked, self.predicted(self.asked)
        if predicted is not None:
            kept = self._kept(limits, limits.grain)
            settings = kept or settings
            predicted = self.predicted(settings)
        guard = _guard(self.effects)
        if self.trial.given_up(guard) is None:
            return settings, predicted
        over = max((o.measures.p999 or 0.0) - self.targets.p999 for o in self.untreated)
        burns = over > 0 or any(
            (o.measures.highlights_share or 0.0) > self.targets.highlights_share for o in self.untreated
        )
        wanted = min(guard.ceiling, 1 - (_OVERSHOOT * over + _BELOW) / 255) if burns else guard.ceiling
        return self._shouldered(settings, wanted, limits, 1.0), predicted

    def _kept(self, limits: _Limits, carriers: Collection[str]) -> Settings | None:
        """The weakest grain of the first of these carriers that is predicted to be kept, at its size or coarser.

        Where none is, the most that may be locked if that is worth it; None where it is not, or nothing may move.
        """
        sizes = [self.asked.size]
        while limits.can_resize and sizes[-1] < limits.coarsest:
            sizes.append(min(_rounded(sizes[-1] * _COARSER), limits.coarsest))
        for carrier in carriers:
            ends = limits.grain[carrier]
            if ends.weakest == ends.strongest:
                continue
            choices = np.geomspace(ends.weakest, ends.strongest, _CHOICES)
            for size in sizes:
                each = [replace(self.asked, strength=_rounded(float(s)), size=size, carrier=carrier) for s in choices]
                if self._lives(each[-1]):
                    return each[bisect_left(each, True, hi=len(each) - 1, key=self._lives)]
        if "locked" not in carriers:
            return None
        most = replace(self.asked, strength=limits.grain["locked"].strongest, size=sizes[-1], carrier="locked")
        predicted = self.predicted(most)
        return most if predicted is None or predicted >= _WORTH * self.targets.rho else None

    def _lives(self, settings: Settings) -> bool:
        """Whether grain is predicted to be kept; the stronger it is, the sooner."""
        return (self.predicted(settings) or 0.0) >= self.targets.rho + _MARGIN

    def _shouldered(self, settings: Settings, ceiling: float, limits: _Limits, share: float) -> Settings:
        """A clip's settings with this ceiling, as far as the light allows. share: of that which may be given up."""
        guard = replace(_guard(self.effects), knee=settings.knee, ceiling=settings.ceiling)
        light = _INSIDE * share * self.targets.luma_given_up
        found = fitted(guard, ceiling, limits.room, self.trial.given_up, light)
        return replace(settings, knee=found.knee, ceiling=found.ceiling)

    def corrected(self, settings: Settings, last: Round, limits: _Limits) -> tuple[Settings, _Limits]:
        """The next settings to try, the same where nothing is missed or nothing may move, and what was learnt."""
        misses = {miss.target: miss for miss in last.misses}
        given = max((o.measures.luma_given_up or 0.0 for o in last.outcomes), default=0.0)
        before = self.trial.given_up(_guard(settings.over(self.effects)))
        if before is None:
            settings = _corrected_highlights(settings, misses, limits.room, given, self.targets.luma_given_up)
        else:
            settings = self._corrected_shoulder(settings, misses, limits, before / given if given > before else 1.0)
        return self._corrected_grain(settings, misses, limits)

    def _corrected_shoulder(
        self, settings: Settings, misses: dict[str, Miss], limits: _Limits, share: float
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

    def _corrected_grain(
        self, settings: Settings, misses: dict[str, Miss], limits: _Limits
    ) -> tuple[Settings, _Limits]:
        ends = limits.grain[settings.carrier]
        may_lock = "locked" in limits.grain and settings.carrier != "locked"
        is_lost = bool({"cambi", "rho", "dead"} & set(misses))
        if {"bytes", "bits", "flicker"} & set(misses):
            # Too strong and too weak at once: nothing of this carrier will do.
            if may_lock and is_lost:
                return self._locked(settings, limits), limits
            coarser = min(_rounded(settings.size * _COARSER), limits.coarsest)
            if limits.can_resize and coarser > settings.size and "flicker" not in misses:
                return replace(settings, size=coarser), limits.weakened(settings)
            weaker = max(_rounded(settings.strength * self._weaker(misses)), ends.weakest)
            is_weakest = settings.strength - weaker <= _ALIKE * settings.strength
            if is_weakest and settings.carrier != self.asked.carrier:
                return replace(
                    settings, strength=self.asked.strength, size=self.asked.size, carrier=self.asked.carrier
                ), limits
            return replace(settings, strength=weaker), limits.weakened(settings)
        if is_lost:
            if may_lock and "rho" in misses and not self._is_kept(settings, limits):
                return self._locked(settings, limits), limits
            far = (misses["cambi"].value / misses["cambi"].limit) ** 0.5 if "cambi" in misses else 1.0
            stronger = min(_rounded(settings.strength * min(max(far, _STRONGER), _AT_MOST)), ends.strongest)
            if stronger > settings.strength:
                return replace(settings, strength=stronger), limits
            coarser = min(_rounded(settings.size * _COARSER), limits.coarsest)
            if limits.can_resize and coarser > settings.size:
                return replace(settings, size=coarser), limits
            if may_lock:
                return self._locked(settings, limits), limits
        return settings, limits

    def _weaker(self, misses: dict[str, Miss]) -> float:
        """The share of the strength that keeps flicker within its limit, whose part of it goes with the square."""
        if "flicker" not in misses:
            return _WEAKER
        limit, value = misses["flicker"].limit, misses["flicker"].value
        own = limit / self.targets.flicker
        return _INSIDE * ((limit**2 - own**2) / (value**2 - own**2)) ** 0.5 if own < limit else _WEAKER

    def _is_kept(self, settings: Settings, limits: _Limits) -> bool:
        """Whether the strongest and coarsest grain of this carrier may outlive the worst proxy."""
        size = limits.coarsest if limits.can_resize else settings.size
        most = replace(settings, strength=limits.grain[settings.carrier].strongest, size=size)
        predicted = self.predicted(most)
        return predicted is None or predicted >= self.targets.rho - _MARGIN

    def _locked(self, settings: Settings, limits: _Limits) -> Settings:
        """The same with locked grain instead."""
        found = self._kept(limits, ["locked"])
        return settings if found is None else replace(found, knee=settings.knee, ceiling=settings.ceiling)


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
    return replace(settings, knee=_rounded(knee), ceiling=_rounded(max(ceiling, knee + SHOULDER)))


def _rounded(value: float) -> float:
    """Four digits are enough for a recipe that is read."""
    return round(value, 4)


def _grain(effects: Effects) -> CinemaGrain:
    grain = effects["cinema_grain"]
    assert isinstance(grain, CinemaGrain)
    return grain


def _guard(effects: Effects) -> HighlightGuard:
    guard = effects["highlight_guard"]
    assert isinstance(guard, HighlightGuard)
    return guard


def _told(outcome: Outcome) -> dict[str, Any]:
    unit = "bytes" if outcome.proxy.codec == "jpeg" else "kbps"
    told: dict[str, Any] = {"proxy": label(outcome.proxy), unit: round(outcome.cost)}
    if outcome.crf:
        told["crf"] = outcome.crf
    if outcome.growth is not None:
        told["growth"] = round(outcome.growth, 3)
    return told | outcome.measures.as_mapping()


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
