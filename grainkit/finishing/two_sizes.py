"""Stills that are enlarged or sharpened: each effect works at its own moment, at the size that this moment has.

What is the picture's own is worked on at the size that the picture came in, so enlarging enlarges no error; then it is
enlarged (Lanczos), sharpened for paper, and given grain of the size that the paper asks for.
"""

from __future__ import annotations

from dataclasses import replace

from grainkit.effects.base import Moment
from grainkit.finishing.plan import PicturesPlan, Plan
from grainkit.picture.resample import Geometry


def split(plan: Plan) -> tuple[Plan, Plan | None]:
    """What is done before, and after, a still is enlarged and sharpened; (plan, None) where one pass does all."""
    if not isinstance(plan, PicturesPlan) or (plan.geometry.scale <= 1.0 and plan.sharpening is None):
        return plan, None
    if plan.geometry.scale > 1.0:
        first, then = Geometry.same(*plan.geometry.source), plan.geometry
    else:
        first, then = plan.geometry, Geometry.same(*plan.geometry.size)
    before, after = only_at(plan, Moment.WORKING), only_at(plan, Moment.DELIVERY)
    return replace(before, geometry=first, rgb_depth=0), replace(after, geometry=then)


def only_at(plan: Plan, moment: Moment) -> Plan:
    """The plan with those effects alone that work at this moment; the others are switched off."""
    others = [effect.off() for effect in plan.recipe.effects.values() if effect.moment is not moment]
    return replace(plan, recipe=plan.recipe.with_effect(*others))
