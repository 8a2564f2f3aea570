"""Which of a plan's effects change pixels: what its reports may call retouched, and no more."""

from __future__ import annotations

from grainkit.effects import EFFECTS
from grainkit.finishing.plan import Plan

#: What is done to a still for paper beside the effects.
SHARPENING = "output_sharpening"


def at_work(plan: Plan, *, skin_found: bool = True) -> tuple[str, ...]:
    """Names of what changes pixels beside size and format, in the order of EFFECTS.

    Highlight protection leaves HDR alone, grain that is carried as metadata is in no pixel, and skin texture has
    nothing to do where no skin was found.
    """
    idle = {
        "skin_texture": not skin_found,
        "highlight_guard": plan.working.is_hdr,
        "cinema_grain": plan.carries_grain,
    }
    effects = plan.recipe.effects
    working = [n for n in EFFECTS if effects[n].strength and not idle.get(n, False)]
    return (*working, *([] if plan.sharpening is None else [SHARPENING]))
