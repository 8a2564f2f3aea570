"""One round of adapting: what was tried, what came of it, and which targets that misses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grainkit.adapt.bounds import Settings
from grainkit.adapt.highlight_patches import Patches
from grainkit.adapt.trial import Outcome
from grainkit.codec.measures import Measures
from grainkit.recipe.targets import Targets, label

#: How much more than another miss it counts that highlights are darker than they may be.
_LIGHT = 4.0
#: Untreated banding above this cannot be asked to vanish: half of it is the limit then.
_MUCH_BANDING = 4.0


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
