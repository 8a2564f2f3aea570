"""Grain for a picture that has some already: only what is missing, luma by luma.

Independent grain adds up in energy, so what is added has the deviation sqrt(asked^2 - found^2).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from grainkit.effects.cinema_grain import NO_FILM, CinemaGrain
from grainkit.effects.film_formats import FILM_FORMATS
from grainkit.plan import Plan

if TYPE_CHECKING:
    from grainkit.measured_grain import MeasuredGrain

#: Luma that the difference is worked out at.
STEPS = np.linspace(0.0, 1.0, 33)


def wants_regrain(plan: Plan) -> bool:
    """Whether the picture must be measured before grain is laid on it."""
    grain = _grain(plan)
    return grain.regrain and grain.strength > 0.0


def regrained(plan: Plan, found: MeasuredGrain | None) -> tuple[Plan, dict[str, Any]]:
    """The plan with only the grain that is missing, and what was measured, for the sidecar.

    found: what conformed frames have; None where that could not be told, and the whole grain is laid.
    """
    from grainkit.grain_like import codes_by_luma, curve_points

    grain = _grain(plan)
    if found is None:
        note = "grain the picture has could not be measured, nothing is flat enough: all that is asked is added"
        return _with(plan, replace(grain, regrain=False), note), {}
    asked, has = grain.deviation(STEPS), found.deviation(STEPS)
    missing = np.sqrt(np.maximum(asked**2 - has**2, 0.0))
    most = float(missing.max())
    measured = {"found_sigma_px": round(found.sigma, 3), "found_by_luma": codes_by_luma(*zip(*found.luma, strict=True))}
    if most == 0.0:
        note = f"the picture has as much grain as asked ({found.strongest:.2f} codes of 255): none is added"
        return _with(plan, replace(grain, strength=0.0, regrain=False), note), measured
    size = grain.size if grain.film == NO_FILM else FILM_FORMATS[grain.film].size
    lacking = replace(
        grain, strength=min(255 * most, 24.0), curve=curve_points(STEPS, missing / most), size=max(size, 0.3),
        film=NO_FILM, shadows=1.0, midtones=1.0, highlights=1.0, regrain=False,
    )  # fmt: skip
    note = f"the picture has grain of {found.strongest:.2f} codes of 255 at most: {255 * most:.2f} are added at most"
    return _with(plan, lacking, note), measured


def _grain(plan: Plan) -> CinemaGrain:
    grain = plan.recipe.effects["cinema_grain"]
    assert isinstance(grain, CinemaGrain)
    return grain


def _with(plan: Plan, grain: CinemaGrain, note: str) -> Plan:
    recipe = replace(plan.recipe, effects={**plan.recipe.effects, "cinema_grain": grain})
    return replace(plan, recipe=recipe, notes=(*plan.notes, note))
