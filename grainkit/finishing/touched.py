"""Which of a plan's effects change pixels: what its reports may call retouched, and no more."""

from __future__ import annotations

from collections.abc import Collection

from grainkit.effects import EFFECTS
from grainkit.effects.base import filled
from grainkit.finishing.plan import Plan
from grainkit.finishing.two_sizes import split

#: What is done to a still for paper beside the effects.
SHARPENING = "output_sharpening"


def at_work(plan: Plan, gave: Collection[str]) -> tuple[str, ...]:
    """Names of what changes pixels beside size and format, in the order of EFFECTS.

    An effect does that has filled a slot of a pass or given a term for a frame. gave: names of those that gave a term.
    """
    touching = set(gave)
    for each in split(plan):
        if each is not None:
            touching |= set(filled(each.recipe.effects.values(), each.context)[1])
    return (*(name for name in EFFECTS if name in touching), *([] if plan.sharpening is None else [SHARPENING]))
