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

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from grainkit.adapt.bounds import Limits, Settings
from grainkit.adapt.highlight_patches import Patches
from grainkit.adapt.rounds import Round, missed
from grainkit.adapt.steps import MARGIN, Steps
from grainkit.adapt.trial import Outcome, Trial
from grainkit.adapt.words import changes, encodes, missed_words
from grainkit.recipe.recipe import Recipe
from grainkit.recipe.targets import Targets, label

#: On a clip, whose rounds take minutes, a correction that leaves more than this of what was missed is the last.
_GAIN = 0.98


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

    @property
    def carrier(self) -> str:
        """What carries the grain that was chosen."""
        return self.rounds[self.chosen].settings.carrier

    def note(self) -> str:
        """What was changed and what is still missed, in a sentence for people; `as_mapping` has the figures."""
        best, recipe = self.rounds[self.chosen], self.recipe.name
        proxies = [outcome.proxy for outcome in best.outcomes]
        changed = ", ".join(changes(self.asked, best.settings)) or "nothing had to change"
        misses = "; ".join(missed_words(miss, recipe, proxies) for miss in best.misses)
        return f"adapted to {encodes(recipe, proxies)}: {changed}; {misses or 'every limit is met'}"

    def as_mapping(self) -> dict[str, object]:
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


def adapt(recipe: Recipe, kind: str, trial: Trial, fixed: Collection[str] = ()) -> Adapted:
    """`recipe` with grain and highlights adapted to what the trial's proxies leave of them.

    kind: still or clip. fixed: parameters that stay as they are, such as 'cinema_grain.strength'.
    """
    effects = recipe.for_kind(kind).effects
    asked = Settings.of(effects)
    limits = Limits.of(effects, recipe.adapt, fixed, kind)
    untreated = trial.untreated()
    loop = Steps(trial, effects, asked, recipe.targets, untreated)
    settings, predicted = loop.first_guess(limits)
    if kind == "still" and limits.can_patch:
        settings = replace(settings, patches=recipe.adapt.rounds)
    rounds: list[Round] = []
    for _ in range(recipe.adapt.rounds):
        tried = trial.tried(settings.over(effects))
        if not rounds:
            # Locked grain is meant to be kept, and so is what may be locked unless even that was predicted to go.
            may_lock = "locked" in limits.grain and (predicted is None or settings.carrier == "locked")
            kept = may_lock or _is_reachable(predicted, tried.outcomes, recipe.targets)
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
    own = dict(recipe.still if kind == "still" else recipe.clip)
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


def _is_reachable(predicted: float | None, outcomes: Sequence[Outcome], targets: Targets) -> bool:
    """Whether grain can outlive the worst proxy: as predicted, or without a model as the first try shows."""
    if predicted is not None:
        return predicted >= targets.rho - 2 * MARGIN
    found = [o.measures.rho for o in outcomes if o.measures.rho is not None]
    return not found or min(found) >= targets.rho / 2


def _are_same(one: Settings, other: Settings, kind: str) -> bool:
    """Whether trying one after the other would show nothing new; patches are found and not asked for."""
    return one.is_like(other) if kind == "clip" else replace(one, patches=other.patches) == other


def _told(outcome: Outcome) -> dict[str, object]:
    unit = "bytes" if outcome.proxy.codec == "jpeg" else "kbps"
    told: dict[str, object] = {"proxy": label(outcome.proxy), unit: round(outcome.cost)}
    if outcome.crf:
        told["crf"] = outcome.crf
    if outcome.growth is not None:
        told["growth"] = round(outcome.growth, 3)
    return told | outcome.measures.as_mapping()
