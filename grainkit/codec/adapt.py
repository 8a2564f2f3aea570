"""Adapting a recipe to the codec that will follow: predict, try on a sample, measure, correct.

The first settings come from prediction: the weakest grain that the worst proxy is to keep, or, where none would
be kept, the recipe's own, which then only dithers. For VP9 and AV1 there is no prediction: the recipe's own is tried,
and what is left of it shows whether grain is to be kept. Each round tries its settings on the sample through every
proxy, and the worst proxy decides: grain grows where bands show or too little of it is left, gets coarser and then
weaker where it costs too much, and the highlights' ceiling falls by what decodes above it, as far as the light that
may be given up allows. In stills highlights are patched in every try (codec/patches.py), and the ceiling falls only
for what that leaves. What was tried and measured best is what the recipe becomes; the run itself knows nothing of
this.

It is a function of (recipe, sample): the same twice is the same.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from grainkit.codec.measures import Measures
from grainkit.codec.patches import Patches
from grainkit.codec.proxies import label, suits
from grainkit.codec.trial import Effects, Outcome, Trial
from grainkit.effects.cinema_grain import NO_FILM, CinemaGrain
from grainkit.effects.highlight_guard import HighlightGuard
from grainkit.recipe import Recipe
from grainkit.targets import Adapt, Proxy, Targets

#: Survival that the first settings aim at above the target, because the prediction errs by about this much.
_MARGIN = 0.05
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
#: White is this many times as far above the knee as above the ceiling, at least where the loop moves them.
_RUN = 3.0
#: Between knee and ceiling there is at least this much, of white.
_SHOULDER = 0.02
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

    @staticmethod
    def of(effects: Effects) -> Settings:
        """What these effects have; sizes in mm are left alone and read as they are."""
        grain, guard = _grain(effects), _guard(effects)
        return Settings(grain.strength, grain.size, guard.knee, guard.ceiling, guard.patches)

    def over(self, effects: Effects) -> dict[str, Any]:
        """`effects` with these settings."""
        return {
            **effects,
            "highlight_guard": replace(_guard(effects), knee=self.knee, ceiling=self.ceiling, patches=self.patches),
            "cinema_grain": replace(_grain(effects), strength=self.strength, size=self.size),
        }

    def as_mapping(self) -> dict[str, float]:
        """Values by the name they have in a recipe."""
        return {
            "cinema_grain.strength": self.strength, "cinema_grain.size": self.size,
            "highlight_guard.knee": self.knee, "highlight_guard.ceiling": self.ceiling,
            "highlight_guard.patches": self.patches,
        }  # fmt: skip


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
        changes = [f"{name} {asked[name]:.4g} to {found[name]:.4g}" for name in asked if asked[name] != found[name]]
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
    limits = _Limits.of(effects, recipe.adapt, fixed)
    untreated = trial.untreated()
    settings, predicted = _first_guess(trial, effects, asked, limits, recipe.targets)
    if kind == "still" and limits.can_patch:
        settings = replace(settings, patches=recipe.adapt.rounds)
    rounds: list[Round] = []
    for _ in range(recipe.adapt.rounds):
        tried = trial.tried(settings.over(effects))
        if not rounds:
            reachable = _reachable(predicted, tried.outcomes, recipe.targets)
        misses = missed(tried.outcomes, untreated, recipe.targets, kept=reachable and settings.strength > 0)
        used = settings
        if limits.can_patch:
            used = replace(settings, patches=0 if tried.patches is None else tried.patches.rounds)
        rounds.append(Round(used, predicted, tried.outcomes, misses, tried.patches))
        if kind == "clip" and len(rounds) > 1 and rounds[-1].badness > _GAIN * min(r.badness for r in rounds[:-1]):
            break
        changed, limits = _corrected(settings, rounds[-1], limits, recipe.targets)
        if changed == settings or any(
            replace(changed, patches=each.settings.patches) == each.settings for each in rounds
        ):
            break
        settings = changed
        predicted = trial.predicted(_grain(settings.over(effects)))
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


@dataclass(frozen=True)
class _Limits:
    """Between what the loop may move; where something is fixed, both ends are the same."""

    weakest: float
    strongest: float
    coarsest: float
    least_knee: float
    least_ceiling: float
    can_resize: bool
    can_bend: bool
    can_lower: bool
    can_patch: bool

    @staticmethod
    def of(effects: Effects, bounds: Adapt, fixed: Collection[str]) -> _Limits:
        grain, guard = _grain(effects), _guard(effects)
        holds = grain.strength == 0.0 or "cinema_grain.strength" in fixed
        top = CinemaGrain.declared()["strength"][1].high, CinemaGrain.declared()["size"][1].high
        return _Limits(
            weakest=grain.strength * (1.0 if holds else max(bounds.weaker, _LEAST)),
            strongest=min(grain.strength * (1.0 if holds else bounds.stronger), top[0]),
            coarsest=min(grain.size * bounds.coarser, top[1]),
            least_knee=max(guard.knee - bounds.lower, HighlightGuard.declared()["knee"][1].low),
            least_ceiling=max(guard.ceiling - bounds.lower, HighlightGuard.declared()["ceiling"][1].low),
            can_resize=not ({"cinema_grain.size", "cinema_grain.size_mm"} & set(fixed)) and grain.size_mm == 0.0
            and grain.film == NO_FILM and grain.strength > 0.0,
            can_bend=guard.strength > 0.0 and "highlight_guard.knee" not in fixed,
            can_lower=guard.strength > 0.0 and "highlight_guard.ceiling" not in fixed,
            can_patch=guard.strength > 0.0 and "highlight_guard.patches" not in fixed,
        )  # fmt: skip


def _first_guess(
    trial: Trial, effects: Effects, asked: Settings, limits: _Limits, targets: Targets
) -> tuple[Settings, float | None]:
    """The weakest grain that is predicted to be kept, at the recipe's size or else coarser.

    The recipe's own where none is (it then dithers), where there is no model, and where nothing may move.
    """
    own = trial.predicted(_grain(effects))
    if own is None or limits.weakest == limits.strongest:
        return asked, own
    sizes = [asked.size]
    while limits.can_resize and sizes[-1] < limits.coarsest:
        sizes.append(min(_rounded(sizes[-1] * _COARSER), limits.coarsest))
    for size in sizes:
        for strength in np.geomspace(limits.weakest, limits.strongest, _CHOICES):
            settings = replace(asked, strength=_rounded(float(strength)), size=size)
            predicted = trial.predicted(_grain(settings.over(effects)))
            if predicted is not None and predicted >= targets.rho + _MARGIN:
                return settings, predicted
    return asked, own


def _corrected(settings: Settings, last: Round, limits: _Limits, targets: Targets) -> tuple[Settings, _Limits]:
    """The next settings to try, the same where nothing is missed or nothing may move, and what was learnt."""
    misses = {miss.target: miss for miss in last.misses}
    given = max((o.measures.luma_given_up or 0.0 for o in last.outcomes), default=0.0)
    settings = _corrected_highlights(settings, misses, limits, given, targets.luma_given_up)
    if {"bytes", "bits", "flicker"} & set(misses):
        coarser = min(_rounded(settings.size * _COARSER), limits.coarsest)
        if limits.can_resize and coarser > settings.size and "flicker" not in misses:
            return replace(settings, size=coarser), replace(limits, strongest=settings.strength)
        weaker = max(_rounded(settings.strength * _WEAKER), limits.weakest)
        return replace(settings, strength=weaker), replace(limits, strongest=settings.strength)
    if {"cambi", "rho", "dead"} & set(misses):
        far = (misses["cambi"].value / misses["cambi"].limit) ** 0.5 if "cambi" in misses else 1.0
        stronger = min(_rounded(settings.strength * min(max(far, _STRONGER), _AT_MOST)), limits.strongest)
        if stronger > settings.strength:
            return replace(settings, strength=stronger), limits
        if limits.can_resize:
            return replace(settings, size=min(_rounded(settings.size * _COARSER), limits.coarsest)), limits
    return settings, limits


def _corrected_highlights(
    settings: Settings, misses: dict[str, Miss], limits: _Limits, given: float, limit: float
) -> Settings:
    """Knee and ceiling for the next try. given, limit: highlight luma given up, and how much may be, codes of 255.

    What is given up grows with the ceiling's distance from white, so the ceiling falls no further than the limit
    lets it, and rises where that is passed. The knee falls with it (and gives up some more, hence the power): a
    shoulder that rises by less than two thirds of its run is flat at its top, and its colours are pale.
    """
    knee, ceiling = settings.knee, settings.ceiling
    share = (_INSIDE * limit / given) ** _CAUTION if given > 0 else math.inf
    flattest = 1 - (1 - (limits.least_knee if limits.can_bend else knee)) / _RUN
    lowest = max(1 - (1 - ceiling) * share, limits.least_ceiling, flattest)
    if given > limit:
        move = max(lowest - ceiling, 0.0)
    elif {"highlights_share", "p999"} & set(misses):
        above = misses["p999"].value - misses["p999"].limit if "p999" in misses else 0.0
        move = -min(max(_CODE, _SHARE * above / 255), max(ceiling - lowest, 0.0))
    else:
        move = 0.0
    if limits.can_lower:
        ceiling += move
    if limits.can_bend:
        bend = _KNEE if move == 0.0 and "hue_degrees" in misses else 0.0
        wanted = min(knee - bend, 1 - _RUN * (1 - ceiling)) if move <= 0.0 else knee
        knee = min(max(wanted, limits.least_knee), ceiling - _SHOULDER)
    return replace(settings, knee=_rounded(knee), ceiling=_rounded(max(ceiling, knee + _SHOULDER)))


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
