"""A plan whose grain is what the picture lacks of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from grainkit.effects.grain.missing import missing_grain
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.finishing.plan import Plan

if TYPE_CHECKING:
    from grainkit.analysis.grain import MeasuredGrain

P = TypeVar("P", bound=Plan)


def wants_regrain(plan: Plan) -> bool:
    """Whether the picture must be measured before grain is laid on it."""
    grain = plan.recipe.effect(CinemaGrain)
    return grain.regrain and grain.strength > 0.0


def regrained(plan: P, found: MeasuredGrain | None) -> tuple[P, dict[str, float | list[list[float]]]]:
    """The plan with only the grain that is missing, and what was measured, for the sidecar.

    found: what conformed frames have; None where that could not be told, and the whole grain is laid.
    """
    lacking = missing_grain(plan.recipe.effect(CinemaGrain), found)
    recipe = plan.recipe.with_effect(lacking.grain)
    return replace(plan, recipe=recipe, notes=(*plan.notes, lacking.note)), lacking.measured
