"""Stills that are enlarged or sharpened: what is the picture's comes first, at its own size, and grain last.

Texture and highlight protection work on the picture as it came, so enlarging enlarges no error; then it is
enlarged (Lanczos), sharpened for paper, and given grain of the size that the paper asks for.
"""

from __future__ import annotations

from dataclasses import replace

from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.effects.skin_texture.parameters import SkinTexture
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
    effects = plan.recipe.effects
    before = {**effects, "cinema_grain": CinemaGrain(strength=0.0)}
    after = {**effects, "skin_texture": SkinTexture(strength=0.0), "highlight_guard": HighlightGuard(strength=0.0)}
    return (
        replace(plan, recipe=replace(plan.recipe, effects=before), geometry=first, rgb_depth=0),
        replace(plan, recipe=replace(plan.recipe, effects=after), geometry=then),
    )
